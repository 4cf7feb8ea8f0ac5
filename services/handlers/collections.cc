#include "services/handlers/app_impl.h"
#include "services/handlers/convert.h"

namespace ragstone::services {

namespace {

bool IsHidden(std::string_view name) { return !name.empty() && name[0] == '.'; }

Status CheckUserName(std::string_view name) {
  if (!IsHidden(name)) return OkStatus();  // the database checks the rest
  return InvalidArgument(Reason::kCollectionNameInvalid,
                         "collection names do not begin with '.': '" + std::string(name) + "'");
}

}  // namespace

Result<v1::CreateCollectionResponse> AppImpl::CreateCollection(
    const v1::CreateCollectionRequest& request, const CallContext& /*context*/) {
  const std::string bytes = request.SerializeAsString();
  ASSIGN_OR_RETURN(const auto former,
                   requests_->Find("CreateCollection", request.request_id(), bytes));
  v1::CreateCollectionResponse response;
  if (former) {
    ASSIGN_OR_RETURN(const auto created, database_->GetCollection(*former));
    ToMessage(created, response.mutable_collection());
    return response;
  }
  RETURN_IF_ERROR(CheckUserName(request.name()));
  ASSIGN_OR_RETURN(const llm::Manifest model,
                   models_->EmbeddingManifest(request.embedding_model()));
  index::CollectionSpec spec;
  spec.name = request.name();
  spec.embedding_model = model.name;
  spec.fingerprint = llm::EmbeddingFingerprint(model);
  spec.dimensions = model.dimensions;
  spec.language = request.language();
  ASSIGN_OR_RETURN(spec.settings.default_mode,
                   FromMessage(request.default_mode(), index::SearchMode::kHybrid));
  if (request.has_unrelated_cosine()) spec.settings.unrelated_cosine = request.unrelated_cosine();
  // A repeated request finds the name of its collection; the rest is looked up then.
  index::Batch batch;
  RETURN_IF_ERROR(
      requests_->Record({"CreateCollection", request.request_id(), bytes, spec.name}, &batch));
  ASSIGN_OR_RETURN(const auto info, database_->CreateCollection(spec, std::move(batch)));
  ToMessage(info, response.mutable_collection());
  return response;
}

Result<v1::ListCollectionsResponse> AppImpl::ListCollections(
    const v1::ListCollectionsRequest& request, const CallContext& /*context*/) {
  ASSIGN_OR_RETURN(const size_t size, PageSize(request.page_size()));
  ASSIGN_OR_RETURN(std::string after, ReadPageToken("collections", request.page_token()));
  v1::ListCollectionsResponse response;
  for (;;) {
    ASSIGN_OR_RETURN(const auto some, database_->ListCollections(after, size + 1));
    for (const index::CollectionInfo& info : some) {
      if (IsHidden(info.spec.name)) continue;
      if (static_cast<size_t>(response.collections_size()) == size) {
        const std::string& last = response.collections().rbegin()->name();
        response.set_next_page_token(MakePageToken("collections", last));
        return response;
      }
      ToMessage(info, response.add_collections());
    }
    if (some.size() <= size) return response;
    after = some.back().spec.name;
  }
}

Result<v1::GetCollectionResponse> AppImpl::GetCollection(const v1::GetCollectionRequest& request,
                                                         const CallContext& /*context*/) {
  ASSIGN_OR_RETURN(const auto info, database_->GetCollection(CollectionName(request.name())));
  v1::GetCollectionResponse response;
  ToMessage(info, response.mutable_collection());
  return response;
}

Result<v1::AlterCollectionResponse> AppImpl::AlterCollection(
    const v1::AlterCollectionRequest& request, const CallContext& /*context*/) {
  const std::string bytes = request.SerializeAsString();
  ASSIGN_OR_RETURN(const auto former,
                   requests_->Find("AlterCollection", request.request_id(), bytes));
  ASSIGN_OR_RETURN(auto info, database_->GetCollection(request.name()));
  v1::AlterCollectionResponse response;
  if (!former) {
    if (request.has_unrelated_cosine() && request.measured_unrelated_cosine()) {
      return InvalidArgument(Reason::kInvalidArgument,
                             "unrelated_cosine is given and to be measured; ask for one of them");
    }
    index::CollectionSettings settings = info.settings;
    ASSIGN_OR_RETURN(settings.default_mode,
                     FromMessage(request.default_mode(), settings.default_mode));
    if (request.has_unrelated_cosine()) settings.unrelated_cosine = request.unrelated_cosine();
    if (request.measured_unrelated_cosine()) settings.unrelated_cosine.reset();
    index::Batch batch;
    RETURN_IF_ERROR(
        requests_->Record({"AlterCollection", request.request_id(), bytes, ""}, &batch));
    ASSIGN_OR_RETURN(info, database_->AlterCollection(request.name(), settings, std::move(batch)));
  }
  ToMessage(info, response.mutable_collection());
  return response;
}

Result<v1::DeleteCollectionResponse> AppImpl::DeleteCollection(
    const v1::DeleteCollectionRequest& request, const CallContext& context) {
  const std::string bytes = request.SerializeAsString();
  ASSIGN_OR_RETURN(const auto former,
                   requests_->Find("DeleteCollection", request.request_id(), bytes));
  v1::DeleteCollectionResponse response;
  if (former && response.ParseFromString(*former)) return response;

  ASSIGN_OR_RETURN(const auto info, database_->GetCollection(request.name()));
  index::Batch batch;
  std::vector<Sha256Digest> originals;
  index::DocumentId after = 0;
  for (;;) {
    RETURN_IF_ERROR(context.Check());
    ASSIGN_OR_RETURN(const auto some, database_->ListDocuments(info.id, after, 1000));
    for (const index::DocumentInfo& document : some) {
      blobs_->DropReference(document.content, DocumentIdText(document.id), &batch);
      originals.push_back(document.content);
    }
    if (some.size() < 1000) break;
    after = some.back().id;
  }
  response.set_documents_deleted(info.documents);
  const std::string outcome = response.SerializeAsString();
  RETURN_IF_ERROR(
      requests_->Record({"DeleteCollection", request.request_id(), bytes, outcome}, &batch));
  ASSIGN_OR_RETURN(const uint64_t deleted,
                   database_->DeleteCollection(request.name(), std::move(batch)));
  for (const Sha256Digest& blob : originals) {
    RETURN_IF_ERROR(blobs_->RemoveIfUnreferenced(blob));
  }
  response.set_documents_deleted(deleted);
  return response;
}

}  // namespace ragstone::services
