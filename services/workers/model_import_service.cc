#include <string>

#include "llm/llama/importer.h"
#include "ragstone/worker/v1/importer.grpc.pb.h"
#include "services/workers/model_rpc.h"
#include "services/workers/model_services.h"

namespace ragstone::services {
namespace {

namespace worker = ::ragstone::worker::v1;

void ToProto(const llm::ImportResult& result, worker::ImportDone* done) {
  done->set_kind(result.kind);
  done->set_architecture(result.architecture);
  done->set_storage_type(result.storage_type);
  done->set_dimensions(result.dimensions);
  done->set_context_tokens(result.context_tokens);
  done->set_parameters(result.parameters);
  done->set_pooling(result.pooling);
  done->set_normalize(result.normalize);
  done->set_license(result.license);
  for (const std::string& line : result.measurements) done->add_measurements(line);
}

class ImporterService final : public worker::Importer::CallbackService {
 public:
  grpc::ServerWriteReactor<worker::ImportResponse>* Import(
      grpc::CallbackServerContext* context, const worker::ImportRequest* request) override {
    using Call = StreamCall<worker::ImportResponse>;
    return Call::Start(&threads_, context, [request](Call* call, const CallContext& context) {
      llm::ImportOptions options;
      options.source = request->source_path();
      options.output_dir = request->output_dir();
      options.retype = request->retype();
      options.int8 = request->int8();
      const auto progress = [&](const std::string& text) {
        MaybeCrashForTest();
        worker::ImportResponse response;
        response.set_progress(text);
        return call->Write(response);
      };
      ASSIGN_OR_RETURN(const llm::ImportResult result,
                       llm::ImportModel(options, progress, context));
      worker::ImportResponse response;
      ToProto(result, response.mutable_done());
      return call->Write(response);
    });
  }

 private:
  HandlerThreads threads_{1, 1};
};

}  // namespace

std::unique_ptr<grpc::Service> NewImporterService() { return std::make_unique<ImporterService>(); }

}  // namespace ragstone::services
