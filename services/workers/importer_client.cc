#include "services/workers/importer_client.h"

#include <optional>

#include "ragstone/worker/v1/importer.grpc.pb.h"
#include "services/workers/grpc_client.h"

namespace ragstone::services {

namespace {

namespace wire = worker::v1;

ImportedModel FromWire(const wire::ImportDone& done) {
  ImportedModel model;
  model.kind = done.kind();
  model.architecture = done.architecture();
  model.storage_type = done.storage_type();
  model.dimensions = done.dimensions();
  model.context_tokens = done.context_tokens();
  model.parameters = done.parameters();
  model.pooling = done.pooling();
  model.normalize = done.normalize();
  model.license = done.license();
  model.measurements.assign(done.measurements().begin(), done.measurements().end());
  return model;
}

}  // namespace

Result<ImportedModel> RunImport(ProcessSlot* slot, const ImportOptions& options,
                                const std::function<Status(const std::string&)>& progress,
                                const CallContext& context) {
  wire::ImportRequest request;
  request.set_source_path(options.source.string());
  request.set_output_dir(options.output_dir.string());
  request.set_retype(options.retype);
  request.set_int8(options.int8);
  std::optional<ImportedModel> model;
  WorkerCallOptions call_options;
  call_options.resend = false;
  RETURN_IF_ERROR(CallWorker(slot, context, call_options, [&](Attempt* attempt) {
    const auto stub = wire::Importer::NewStub(attempt->channel);
    const auto stream = stub->Import(&attempt->call, request);
    wire::ImportResponse response;
    while (stream->Read(&response)) {
      attempt->received = true;
      if (response.has_done()) model = FromWire(response.done());
      if (!response.has_progress() || !progress) continue;
      const Status taken = progress(response.progress());
      if (taken.ok()) continue;
      attempt->own_error = taken;
      attempt->call.TryCancel();
      break;
    }
    return stream->Finish();
  }));
  if (!model) return Internal("the import worker ended without a result");
  if (model->kind != "embedding" && model->kind != "generator") {
    return Internal("the import worker says that the model is of kind '" + model->kind + "'");
  }
  return *model;
}

}  // namespace ragstone::services
