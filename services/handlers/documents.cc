#include <algorithm>

#include "services/handlers/app_impl.h"
#include "services/handlers/convert.h"

namespace ragstone::services {

Result<v1::Document> AppImpl::DocumentMessage(const index::DocumentInfo& info) const {
  v1::Document message;
  ToMessage(info, jobs_->HasActive(info.id), &message);
  return message;
}

Result<v1::ListDocumentsResponse> AppImpl::ListDocuments(const v1::ListDocumentsRequest& request,
                                                         const CallContext& context) {
  ASSIGN_OR_RETURN(const size_t size, PageSize(request.page_size()));
  ASSIGN_OR_RETURN(const auto collection,
                   database_->GetCollection(CollectionName(request.collection())));
  ASSIGN_OR_RETURN(const std::string token, ReadPageToken("documents", request.page_token()));
  index::DocumentId after = 0;
  if (!token.empty()) {
    const auto id = ParseDocumentId(token);
    if (!id.ok()) {
      return InvalidArgument(Reason::kInvalidPageToken, "page_token is not one of this list");
    }
    after = *id;
  }
  std::vector<index::DocumentInfo> documents;
  if (request.has_filter()) {
    ASSIGN_OR_RETURN(const index::Filter filter, DocumentFilter(request.filter()));
    ASSIGN_OR_RETURN(documents,
                     database_->FilterDocuments(collection.id, filter, after, size + 1, context));
  } else {
    ASSIGN_OR_RETURN(documents, database_->ListDocuments(collection.id, after, size + 1));
  }
  v1::ListDocumentsResponse response;
  for (const index::DocumentInfo& info : documents) {
    if (static_cast<size_t>(response.documents_size()) == size) {
      const std::string& last = response.documents().rbegin()->id();
      response.set_next_page_token(MakePageToken("documents", last));
      break;
    }
    ASSIGN_OR_RETURN(*response.add_documents(), DocumentMessage(info));
  }
  return response;
}

Result<v1::GetDocumentResponse> AppImpl::GetDocument(const v1::GetDocumentRequest& request,
                                                     const CallContext& /*context*/) {
  ASSIGN_OR_RETURN(const auto collection,
                   database_->GetCollection(CollectionName(request.collection())));
  ASSIGN_OR_RETURN(const auto id, ParseDocumentId(request.id()));
  ASSIGN_OR_RETURN(const auto info, database_->GetDocument(collection.id, id));
  v1::GetDocumentResponse response;
  ASSIGN_OR_RETURN(*response.mutable_document(), DocumentMessage(info));
  return response;
}

Result<v1::GetDocumentPageResponse> AppImpl::GetDocumentPage(
    const v1::GetDocumentPageRequest& request, const CallContext& /*context*/) {
  ASSIGN_OR_RETURN(const auto collection,
                   database_->GetCollection(CollectionName(request.collection())));
  ASSIGN_OR_RETURN(const auto id, ParseDocumentId(request.id()));
  ASSIGN_OR_RETURN(const auto info, database_->GetDocument(collection.id, id));
  if (request.page() < 1 || request.page() > info.pages) {
    return Status(StatusCode::kOutOfRange, Reason::kInvalidArgument,
                  "page " + std::to_string(request.page()) + " is not one of the " +
                      std::to_string(info.pages) + " pages of " + request.id());
  }
  ASSIGN_OR_RETURN(const auto page, database_->GetPage(collection.id, id, request.page()));
  v1::GetDocumentPageResponse response;
  response.set_label(page.label);
  response.set_width(page.width);
  response.set_height(page.height);
  response.set_text(page.text);
  for (const index::Word& word : page.words) {
    v1::Box* box = response.add_words();
    box->set_page(page.number);
    box->set_x0(word.box.x0);
    box->set_y0(word.box.y0);
    box->set_x1(word.box.x1);
    box->set_y1(word.box.y1);
  }
  return response;
}

Result<v1::UpdateDocumentMetadataResponse> AppImpl::UpdateDocumentMetadata(
    const v1::UpdateDocumentMetadataRequest& request, const CallContext& /*context*/) {
  const std::string bytes = DeterministicBytes(request);
  ASSIGN_OR_RETURN(const auto former,
                   requests_->Find("UpdateDocumentMetadata", request.request_id(), bytes));
  ASSIGN_OR_RETURN(const auto collection,
                   database_->GetCollection(CollectionName(request.collection())));
  ASSIGN_OR_RETURN(const auto id, ParseDocumentId(request.id()));
  v1::UpdateDocumentMetadataResponse response;
  if (former) {
    ASSIGN_OR_RETURN(const auto info, database_->GetDocument(collection.id, id));
    ASSIGN_OR_RETURN(*response.mutable_document(), DocumentMessage(info));
    return response;
  }
  ASSIGN_OR_RETURN(const auto metadata, FromMessage(request.metadata()));
  index::Batch batch;
  RETURN_IF_ERROR(
      requests_->Record({"UpdateDocumentMetadata", request.request_id(), bytes, ""}, &batch));
  ASSIGN_OR_RETURN(const auto info,
                   database_->UpdateMetadata(collection.id, id, metadata, std::move(batch)));
  ASSIGN_OR_RETURN(*response.mutable_document(), DocumentMessage(info));
  return response;
}

Result<v1::DeleteDocumentResponse> AppImpl::DeleteDocument(const v1::DeleteDocumentRequest& request,
                                                           const CallContext& /*context*/) {
  const std::string bytes = request.SerializeAsString();
  ASSIGN_OR_RETURN(const auto former,
                   requests_->Find("DeleteDocument", request.request_id(), bytes));
  if (former) return v1::DeleteDocumentResponse();
  ASSIGN_OR_RETURN(const auto collection,
                   database_->GetCollection(CollectionName(request.collection())));
  ASSIGN_OR_RETURN(const auto id, ParseDocumentId(request.id()));
  ASSIGN_OR_RETURN(const auto info, database_->GetDocument(collection.id, id));
  index::Batch batch;
  blobs_->DropReference(info.content, DocumentIdText(id), &batch);
  RETURN_IF_ERROR(requests_->Record({"DeleteDocument", request.request_id(), bytes, ""}, &batch));
  RETURN_IF_ERROR(database_->DeleteDocument(collection.id, id, std::move(batch)));
  RETURN_IF_ERROR(blobs_->RemoveIfUnreferenced(info.content));
  return v1::DeleteDocumentResponse();
}

// Keeps the attachments that were asked about last.
void AppImpl::TrimAttachments(const index::CollectionInfo& collection) {
  std::vector<index::DocumentInfo> documents;
  for (;;) {
    const index::DocumentId after = documents.empty() ? 0 : documents.back().id;
    auto some = database_->ListDocuments(collection.id, after, 1000);
    if (!some.ok()) return;  // tried again with the next attachment
    documents.insert(documents.end(), some->begin(), some->end());
    if (some->size() < 1000) break;
  }
  if (documents.size() <= settings_.attachments_max) return;
  std::sort(documents.begin(), documents.end(), [](const auto& a, const auto& b) {
    return std::max(a.accessed_ns, a.updated_ns) < std::max(b.accessed_ns, b.updated_ns);
  });
  documents.resize(documents.size() - settings_.attachments_max);
  for (const index::DocumentInfo& document : documents) {
    if (jobs_->HasActive(document.id)) continue;
    index::Batch batch;
    blobs_->DropReference(document.content, DocumentIdText(document.id), &batch);
    if (!database_->DeleteDocument(collection.id, document.id, std::move(batch)).ok()) return;
    static_cast<void>(blobs_->RemoveIfUnreferenced(document.content));
  }
}

}  // namespace ragstone::services
