#include "services/handlers/records.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/elapsed.h"
#include "services/handlers/convert.h"
#include "services/handlers/records_convert.h"

namespace ragstone::services {

namespace {

// Below what clients of gRPC take unless they are told otherwise, which is 4 MiB.
constexpr size_t kPageBytesMax = 3 << 20;
constexpr size_t kResponseBytesMax = 48 << 20;
// So many records are read at a time where their size is not known, so that memory stays bounded.
constexpr size_t kReadStep = 64;

Status ResponseTooLarge() {
  return ResourceExhausted(Reason::kLimitExceeded,
                           "the response would be larger than 48 MiB; ask for fewer records, or "
                           "without payloads or vectors");
}

Status CheckRequestId(const std::string& id) {
  if (id.size() <= kRequestIdBytesMax) return OkStatus();
  return InvalidArgument(Reason::kLimitExceeded, "request_id has " + std::to_string(id.size()) +
                                                     " bytes, the limit is 128");
}

// How many records are named by their ids.
size_t IdCount(const v1::RecordSelector& selector) {
  return static_cast<size_t>(selector.ids().ids_size());
}

// The filter of a selector; none for ids.
index::Filter FilterOf(const index::RecordSelector& selector) {
  const auto* filter = std::get_if<index::Filter>(&selector);
  return filter == nullptr ? index::Filter() : *filter;
}

template <typename Hits>
Status AddHits(const std::vector<index::RecordHit>& hits, Hits* list, size_t* bytes) {
  for (const index::RecordHit& hit : hits) {
    v1::RecordHit* message = list->Add();
    ToMessage(hit, message);
    *bytes += message->ByteSizeLong();
    if (*bytes > kResponseBytesMax) return ResponseTooLarge();
  }
  return OkStatus();
}

// Adds the record unless the page would be too long, which a single record never is.
bool AddToPage(const index::Record& record, v1::ScrollRecordsResponse* page, size_t* bytes) {
  v1::Record* message = page->add_records();
  ToMessage(record, message);
  const size_t size = message->ByteSizeLong();
  if (page->records_size() > 1 && *bytes + size > kPageBytesMax) {
    page->mutable_records()->RemoveLast();
    return false;
  }
  *bytes += size;
  return true;
}

}  // namespace

Status RecordHandlers::Blame(Status status, const std::string& collection,
                             const index::Filter& filter) const {
  if (status.reason() != Reason::kInvalidArgument || filter == index::Filter()) return status;
  const auto info = parts_.records->GetCollection(collection);
  if (!info.ok()) return status;
  const auto bound = index::BindFilter(info->spec.schema, filter);
  if (bound.ok() || bound.status().reason() != Reason::kInvalidArgument) return status;
  return InvalidArgument(Reason::kFilterInvalid, bound.status().message());
}

Status RecordHandlers::Remember(std::string_view method, std::string_view id,
                                const std::string& request, const std::string& response) {
  if (id.empty()) return OkStatus();
  index::Batch batch;
  parts_.requests->Record({method, id, request, response}, &batch);
  return parts_.database->Write(std::move(batch));
}

Result<v1::CreateRecordCollectionResponse> RecordHandlers::CreateRecordCollection(
    const v1::CreateRecordCollectionRequest& request, const CallContext& /*context*/) {
  RETURN_IF_ERROR(CheckRequestId(request.request_id()));
  const std::string bytes = DeterministicBytes(request);
  ASSIGN_OR_RETURN(const auto former,
                   parts_.requests->Find("CreateRecordCollection", request.request_id(), bytes));
  v1::CreateRecordCollectionResponse response;
  if (former) {
    ASSIGN_OR_RETURN(const auto created, parts_.records->GetCollection(*former));
    ToMessage(created, response.mutable_collection());
    return response;
  }
  ASSIGN_OR_RETURN(const index::RecordCollectionSpec spec, FromMessage(request.spec()));
  ASSIGN_OR_RETURN(const auto info, parts_.records->CreateCollection(spec));
  ++writes_;
  RETURN_IF_ERROR(Remember("CreateRecordCollection", request.request_id(), bytes, spec.name));
  ToMessage(info, response.mutable_collection());
  return response;
}

Result<v1::AlterRecordCollectionResponse> RecordHandlers::AlterRecordCollection(
    const v1::AlterRecordCollectionRequest& request, const CallContext& /*context*/) {
  ASSIGN_OR_RETURN(const index::RecordCollectionSpec spec, FromMessage(request.spec()));
  ASSIGN_OR_RETURN(const auto info, parts_.records->AlterCollection(spec));
  ++writes_;
  v1::AlterRecordCollectionResponse response;
  ToMessage(info, response.mutable_collection());
  return response;
}

Result<v1::DropRecordCollectionResponse> RecordHandlers::DropRecordCollection(
    const v1::DropRecordCollectionRequest& request, const CallContext& /*context*/) {
  RETURN_IF_ERROR(CheckRequestId(request.request_id()));
  const std::string bytes = DeterministicBytes(request);
  ASSIGN_OR_RETURN(const auto former,
                   parts_.requests->Find("DropRecordCollection", request.request_id(), bytes));
  if (former) return v1::DropRecordCollectionResponse();
  RETURN_IF_ERROR(parts_.records->DropCollection(request.name()));
  ++writes_;
  RETURN_IF_ERROR(Remember("DropRecordCollection", request.request_id(), bytes, ""));
  return v1::DropRecordCollectionResponse();
}

Result<v1::GetRecordCollectionResponse> RecordHandlers::GetRecordCollection(
    const v1::GetRecordCollectionRequest& request, const CallContext& /*context*/) {
  ASSIGN_OR_RETURN(const auto info, parts_.records->GetCollection(request.name()));
  v1::GetRecordCollectionResponse response;
  ToMessage(info, response.mutable_collection());
  return response;
}

Result<v1::ListRecordCollectionsResponse> RecordHandlers::ListRecordCollections(
    const v1::ListRecordCollectionsRequest& request, const CallContext& /*context*/) {
  constexpr std::string_view kList = "record_collections";
  ASSIGN_OR_RETURN(const size_t size, PageSize(request.page_size()));
  ASSIGN_OR_RETURN(const std::string after, ReadPageToken(kList, request.page_token()));
  ASSIGN_OR_RETURN(const auto some, parts_.records->ListCollections(after, size + 1));
  v1::ListRecordCollectionsResponse response;
  for (size_t i = 0; i < std::min(size, some.size()); ++i) {
    ToMessage(some[i], response.add_collections());
  }
  if (some.size() > size) {
    response.set_next_page_token(MakePageToken(kList, some[size - 1].spec.name));
  }
  return response;
}

Result<v1::UpsertRecordsResponse> RecordHandlers::UpsertRecords(
    const v1::UpsertRecordsRequest& request, const CallContext& context) {
  ASSIGN_OR_RETURN(auto records, FromMessage(request.records()));
  ASSIGN_OR_RETURN(const index::WriteOptions options,
                   MakeWriteOptions(request.request_id(), request.if_versions(), records.size()));
  ASSIGN_OR_RETURN(
      const index::WriteResult result,
      parts_.records->Upsert(request.collection(), std::move(records), options, context));
  ++writes_;
  v1::UpsertRecordsResponse response;
  response.set_version(result.version);
  response.set_affected(result.affected);
  return response;
}

Status RecordHandlers::UpsertRecordStream(const Reader<v1::UpsertRecordStreamRequest>& read,
                                          const Writer<v1::UpsertRecordStreamResponse>& write,
                                          const CallContext& context) {
  std::string collection;
  for (uint64_t batch = 0;; ++batch) {
    ASSIGN_OR_RETURN(std::optional<v1::UpsertRecordStreamRequest> message, read());
    if (!message) return OkStatus();
    RETURN_IF_ERROR(context.Check());
    const std::string place = "batch " + std::to_string(batch);
    if (batch == 0) {
      collection = message->collection();
    } else if (!message->collection().empty() && message->collection() != collection) {
      return InvalidArgument(Reason::kInvalidArgument,
                             place + " is for collection '" + message->collection() +
                                 "', the stream began with '" + collection +
                                 "'; open a stream for each collection");
    }
    // One batch is a write as by UpsertRecords, and its errors are the same.
    v1::UpsertRecordsRequest request;
    request.set_collection(collection);
    request.mutable_records()->Swap(message->mutable_records());
    request.mutable_if_versions()->Swap(message->mutable_if_versions());
    request.set_request_id(message->request_id());
    const auto written = UpsertRecords(request, context);
    if (!written.ok()) return written.status().WithContext(place);
    v1::UpsertRecordStreamResponse response;
    response.set_batch(batch);
    response.set_version(written->version());
    response.set_affected(written->affected());
    RETURN_IF_ERROR(write(response));
  }
}

Result<v1::GetRecordsResponse> RecordHandlers::GetRecords(const v1::GetRecordsRequest& request,
                                                          const CallContext& context) {
  ASSIGN_OR_RETURN(const auto ids, CheckIds(request.ids(), "ids"));
  const index::ReadOptions options = FromMessage(request.read());
  v1::GetRecordsResponse response;
  size_t bytes = 0;
  for (size_t begin = 0; begin < ids.size(); begin += kReadStep) {
    RETURN_IF_ERROR(context.Check());
    const std::span<const std::string> step(ids.data() + begin,
                                            std::min(kReadStep, ids.size() - begin));
    ASSIGN_OR_RETURN(const auto records, parts_.records->Get(request.collection(), step, options));
    for (const index::Record& record : records) {
      ToMessage(record, response.add_records());
      bytes += response.records().rbegin()->ByteSizeLong();
      if (bytes > kResponseBytesMax) return ResponseTooLarge();
    }
  }
  return response;
}

Result<v1::DeleteRecordsResponse> RecordHandlers::DeleteRecords(
    const v1::DeleteRecordsRequest& request, const CallContext& context) {
  ASSIGN_OR_RETURN(const index::RecordSelector selector, FromMessage(request.selector()));
  ASSIGN_OR_RETURN(
      const index::WriteOptions options,
      MakeWriteOptions(request.request_id(), request.if_versions(), IdCount(request.selector())));
  const auto result = parts_.records->Delete(request.collection(), selector, options, context);
  if (!result.ok()) return Blame(result.status(), request.collection(), FilterOf(selector));
  ++writes_;
  v1::DeleteRecordsResponse response;
  response.set_version(result->version);
  response.set_affected(result->affected);
  return response;
}

Result<v1::UpdatePayloadResponse> RecordHandlers::UpdatePayload(
    const v1::UpdatePayloadRequest& request, const CallContext& context) {
  ASSIGN_OR_RETURN(const index::RecordSelector selector, FromMessage(request.selector()));
  index::PayloadChange change;
  change.replace = request.replace();
  ASSIGN_OR_RETURN(change.set, FromMessage(request.payload(), "payload"));
  if (change.set.empty() && !change.replace) {
    return InvalidArgument(Reason::kInvalidArgument,
                           "payload is empty, so that nothing would change; name a field, or set "
                           "replace to remove all of them");
  }
  ASSIGN_OR_RETURN(
      const index::WriteOptions options,
      MakeWriteOptions(request.request_id(), request.if_versions(), IdCount(request.selector())));
  const auto result =
      parts_.records->UpdatePayload(request.collection(), selector, change, options, context);
  if (!result.ok()) return Blame(result.status(), request.collection(), FilterOf(selector));
  ++writes_;
  v1::UpdatePayloadResponse response;
  response.set_version(result->version);
  response.set_affected(result->affected);
  return response;
}

Result<v1::ScrollRecordsResponse> RecordHandlers::ScrollRecords(
    const v1::ScrollRecordsRequest& request, const CallContext& context) {
  constexpr std::string_view kList = "records";
  ASSIGN_OR_RETURN(const size_t size, PageSize(request.page_size()));
  ASSIGN_OR_RETURN(std::string after, ReadPageToken(kList, request.page_token()));
  ASSIGN_OR_RETURN(const index::Filter filter, FromMessage(request.filter(), "filter"));
  const index::ReadOptions options = FromMessage(request.read());
  v1::ScrollRecordsResponse response;
  size_t bytes = 0;
  size_t left = size;
  for (size_t step_size = kReadStep;;) {
    // One more than fits tells whether there is a next page.
    const size_t wanted = std::min(left + 1, step_size);
    const auto step =
        parts_.records->Scroll(request.collection(), filter, after, wanted, options, context);
    if (!step.ok()) return Blame(step.status(), request.collection(), filter);
    for (const index::Record& record : *step) {
      if (left == 0 || !AddToPage(record, &response, &bytes)) {
        response.set_next_page_token(MakePageToken(kList, after));
        return response;
      }
      after = record.id;
      --left;
    }
    if (step->size() < wanted) return response;
    // Small records are read in one step more, large ones step by step.
    step_size = std::max(
        kReadStep, (size - left) * (kPageBytesMax - std::min(bytes, kPageBytesMax)) / (bytes + 1));
  }
}

Result<v1::CountRecordsResponse> RecordHandlers::CountRecords(
    const v1::CountRecordsRequest& request, const CallContext& context) {
  ASSIGN_OR_RETURN(const index::Filter filter, FromMessage(request.filter(), "filter"));
  const auto count = parts_.records->Count(request.collection(), filter, context);
  if (!count.ok()) return Blame(count.status(), request.collection(), filter);
  v1::CountRecordsResponse response;
  response.set_count(*count);
  return response;
}

Result<v1::SearchRecordsResponse> RecordHandlers::SearchRecords(
    const v1::SearchRecordsRequest& request, const CallContext& context) {
  const auto begin = std::chrono::steady_clock::now();
  ++searches_;
  ASSIGN_OR_RETURN(const index::RecordSearch search, FromMessage(request.query(), "query"));
  const auto hits = parts_.records->Search(request.collection(), search, context);
  if (!hits.ok()) return Blame(hits.status(), request.collection(), search.filter);
  v1::SearchRecordsResponse response;
  size_t bytes = 0;
  RETURN_IF_ERROR(AddHits(*hits, response.mutable_hits(), &bytes));
  response.set_search_ms(MsSince(begin));
  return response;
}

Result<v1::SearchRecordBatchResponse> RecordHandlers::SearchRecordBatch(
    const v1::SearchRecordBatchRequest& request, const CallContext& context) {
  const auto begin = std::chrono::steady_clock::now();
  ASSIGN_OR_RETURN(const auto searches, FromMessage(request.queries()));
  searches_ += searches.size();
  const auto results = parts_.records->SearchBatch(request.collection(), searches, context);
  if (!results.ok()) {
    Status status = results.status();
    for (const index::RecordSearch& search : searches) {
      status = Blame(std::move(status), request.collection(), search.filter);
    }
    return status;
  }
  v1::SearchRecordBatchResponse response;
  size_t bytes = 0;
  for (const auto& hits : *results) {
    RETURN_IF_ERROR(AddHits(hits, response.add_results()->mutable_hits(), &bytes));
  }
  response.set_search_ms(MsSince(begin));
  return response;
}

Result<v1::RecommendRecordsResponse> RecordHandlers::RecommendRecords(
    const v1::RecommendRecordsRequest& request, const CallContext& context) {
  const auto begin = std::chrono::steady_clock::now();
  ++searches_;
  ASSIGN_OR_RETURN(const index::RecommendSearch search, FromMessage(request));
  const auto hits = parts_.records->Recommend(request.collection(), search, context);
  if (!hits.ok()) return Blame(hits.status(), request.collection(), search.search.filter);
  v1::RecommendRecordsResponse response;
  size_t bytes = 0;
  RETURN_IF_ERROR(AddHits(*hits, response.mutable_hits(), &bytes));
  response.set_search_ms(MsSince(begin));
  return response;
}

}  // namespace ragstone::services
