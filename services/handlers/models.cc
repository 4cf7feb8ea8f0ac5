#include <filesystem>

#include "base/file.h"
#include "base/hash.h"
#include "llm/tokenizer.h"
#include "services/handlers/app_impl.h"
#include "services/handlers/convert.h"

namespace ragstone::services {

namespace {

// "all-MiniLM-L6-v2/" and "SmolLM2-135M-Instruct.Q4_1.gguf" give names without folder and ending.
std::string NameFromPath(const std::filesystem::path& path) {
  std::filesystem::path last =
      path.filename().empty() ? path.parent_path().filename() : path.filename();
  if (last.extension() == ".gguf") last = last.stem();
  return last.string();
}

// What the model's tokeniser is read from.
std::filesystem::path TokenizerFile(const std::filesystem::path& folder) {
  std::error_code error;
  const std::filesystem::path file = folder / "tokenizer.json";
  return std::filesystem::exists(file, error) ? file : folder / "vocab.txt";
}

Status CheckSource(const v1::ImportModelRequest& request, const std::filesystem::path& path) {
  std::error_code error;
  const bool folder = std::filesystem::is_directory(path, error);
  if (error || !std::filesystem::exists(path, error)) {
    return NotFound(Reason::kFileNotFound, "no file or folder " + path.string());
  }
  if (request.sha256().empty()) return OkStatus();
  ASSIGN_OR_RETURN(const Sha256Digest expected, Sha256Digest::FromHex(request.sha256()));
  const auto file = folder ? path / "model.safetensors" : path;
  ASSIGN_OR_RETURN(const Sha256Digest found, Sha256OfFile(file));
  if (found == expected) return OkStatus();
  return InvalidArgument(Reason::kModelCorrupt, file.string() + " has SHA-256 " + found.Hex() +
                                                    ", expected " + expected.Hex() +
                                                    "; fetch it again");
}

// Removes the staging folder unless the import got through.
class StagingGuard {
 public:
  explicit StagingGuard(std::filesystem::path folder) : folder_(std::move(folder)) {}
  ~StagingGuard() {
    std::error_code error;
    std::filesystem::remove_all(folder_, error);
  }

 private:
  const std::filesystem::path folder_;
};

}  // namespace

Result<v1::ListModelsResponse> AppImpl::ListModels(const v1::ListModelsRequest& request,
                                                   const CallContext& /*context*/) {
  ASSIGN_OR_RETURN(const size_t size, PageSize(request.page_size()));
  ASSIGN_OR_RETURN(const std::string after, ReadPageToken("models", request.page_token()));
  ASSIGN_OR_RETURN(const auto models, model_store_.List());
  const auto embedding = model_store_.Default(llm::ModelKind::kEmbedding);
  const auto generator = model_store_.Default(llm::ModelKind::kGenerator);
  v1::ListModelsResponse response;
  for (const llm::Manifest& manifest : models) {
    if (manifest.name <= after) continue;
    if (static_cast<size_t>(response.models_size()) == size) {
      response.set_next_page_token(MakePageToken("models", response.models().rbegin()->name()));
      break;
    }
    const auto& standard = manifest.kind == llm::ModelKind::kEmbedding ? embedding : generator;
    ToMessage(manifest, standard.ok() && standard->name == manifest.name, response.add_models());
  }
  return response;
}

Result<llm::Manifest> AppImpl::PrepareModel(const v1::ImportModelRequest& request,
                                            const std::filesystem::path& staging,
                                            const Writer<v1::ImportModelResponse>& write,
                                            const CallContext& context) {
  const auto progress = [&write](const std::string& text) {
    v1::ImportModelResponse response;
    response.set_progress(text);
    return write(response);
  };
  std::error_code error;
  const auto source = std::filesystem::canonical(request.path(), error);
  if (error) return ErrnoStatus(error.value(), "open " + request.path());
  ASSIGN_OR_RETURN(const ImportedModel imported,
                   workers_->ImportModel({source, staging, !request.keep_type(), request.int8()},
                                         progress, context));
  llm::Manifest manifest;
  manifest.name = request.name().empty() ? NameFromPath(request.path()) : request.name();
  manifest.kind =
      imported.kind == "embedding" ? llm::ModelKind::kEmbedding : llm::ModelKind::kGenerator;
  manifest.architecture = imported.architecture;
  manifest.storage_type = imported.storage_type;
  manifest.int8 = request.int8();
  manifest.parameters = imported.parameters;
  manifest.dimensions = imported.dimensions;
  manifest.context_tokens = imported.context_tokens;
  manifest.pooling = imported.pooling;
  manifest.normalize = imported.normalize;
  manifest.query_prefix = request.query_prefix();
  manifest.document_prefix = request.document_prefix();
  manifest.license = request.license().empty() ? imported.license : request.license();
  manifest.measurements = imported.measurements;

  const auto weights = staging / manifest.file;
  manifest.bytes = std::filesystem::file_size(weights, error);
  if (error) return ErrnoStatus(error.value(), "stat " + weights.string());
  ASSIGN_OR_RETURN(const Sha256Digest sha256, Sha256OfFile(weights));
  manifest.sha256 = sha256.Hex();
  const auto original =
      std::filesystem::is_directory(source, error) ? source / "model.safetensors" : source;
  ASSIGN_OR_RETURN(const Sha256Digest source_sha256, Sha256OfFile(original));
  manifest.source_sha256 = source_sha256.Hex();
  if (manifest.kind == llm::ModelKind::kEmbedding) {
    RETURN_IF_ERROR(llm::LoadTokenizer(staging).status());
    ASSIGN_OR_RETURN(const Sha256Digest tokenizer, Sha256OfFile(TokenizerFile(staging)));
    manifest.tokenizer_sha256 = tokenizer.Hex();
  }
  return manifest;
}

Status AppImpl::ImportModel(const v1::ImportModelRequest& request,
                            const Writer<v1::ImportModelResponse>& write,
                            const CallContext& context) {
  if (request.path().empty()) {
    return InvalidArgument(Reason::kInvalidArgument, "path is empty; name a GGUF file or a folder");
  }
  if (!context.trusted_local()) {
    return Status(StatusCode::kPermissionDenied, Reason::kPathNotAllowed,
                  "models are imported over the Unix socket only");
  }
  const std::string name = request.name().empty() ? NameFromPath(request.path()) : request.name();
  if (model_store_.Get(name).ok()) {
    return Status(StatusCode::kAlreadyExists, Reason::kModelExists,
                  "model " + name + " is installed; remove it or import under another --name");
  }
  RETURN_IF_ERROR(CheckSource(request, request.path()));
  ASSIGN_OR_RETURN(const std::filesystem::path staging, model_store_.NewStagingFolder());
  const StagingGuard guard(staging);
  ASSIGN_OR_RETURN(const llm::Manifest manifest, PrepareModel(request, staging, write, context));
  RETURN_IF_ERROR(model_store_.Install(staging, manifest));
  bool is_default = request.make_default() || !model_store_.Default(manifest.kind).ok();
  if (is_default) RETURN_IF_ERROR(model_store_.SetDefault(manifest.kind, manifest.name));
  v1::ImportModelResponse response;
  ToMessage(manifest, is_default, response.mutable_model());
  return write(response);
}

Result<v1::RemoveModelResponse> AppImpl::RemoveModel(const v1::RemoveModelRequest& request,
                                                     const CallContext& /*context*/) {
  ASSIGN_OR_RETURN(const llm::Manifest manifest, model_store_.Get(request.name()));
  std::string after;
  for (;;) {
    ASSIGN_OR_RETURN(const auto some, database_->ListCollections(after, 1000));
    for (const index::CollectionInfo& info : some) {
      const bool hidden = info.spec.name == kAttachments;
      if (!hidden && info.spec.fingerprint == llm::EmbeddingFingerprint(manifest)) {
        return FailedPrecondition(Reason::kModelInUse,
                                  "model " + manifest.name + " is used by collection " +
                                      info.spec.name + "; delete the collection first");
      }
    }
    if (some.size() < 1000) break;
    after = some.back().spec.name;
  }
  models_->Forget(manifest.name);
  RETURN_IF_ERROR(model_store_.Remove(manifest.name));
  return v1::RemoveModelResponse();
}

}  // namespace ragstone::services
