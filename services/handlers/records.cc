#include "services/handlers/records.h"

#include <algorithm>
#include <utility>

#include "base/elapsed.h"
#include "services/handlers/convert.h"
#include "services/handlers/records_convert.h"

namespace ragstone::services {

namespace {

// Below what clients of gRPC take unless they are told otherwise, which is 4 MiB.
constexpr size_t kPageBytesMax = 3 << 20;

template <typename Hits>
void AddHits(const std::vector<index::RecordHit>& hits, Hits* list) {
  for (const index::RecordHit& hit : hits) ToMessage(hit, list->Add());
}

}  // namespace

Result<v1::CreateRecordCollectionResponse> RecordHandlers::CreateRecordCollection(
    const v1::CreateRecordCollectionRequest& request, const CallContext& /*context*/) {
  RETURN_IF_ERROR(CheckRequestId(request.request_id()));
  const std::string bytes = DeterministicBytes(request);
  MutexLock lock(&collections_mutex_);
  ASSIGN_OR_RETURN(const auto former,
                   parts_.requests->Find("CreateRecordCollection", request.request_id(), bytes));
  v1::CreateRecordCollectionResponse response;
  if (former) {
    ASSIGN_OR_RETURN(const auto created, parts_.records->GetCollection(*former));
    ToMessage(created, response.mutable_collection());
    return response;
  }
  ASSIGN_OR_RETURN(const index::RecordCollectionSpec spec, FromMessage(request.spec()));
  index::Batch outcome;
  RETURN_IF_ERROR(parts_.requests->Record(
      {"CreateRecordCollection", request.request_id(), bytes, spec.name}, &outcome));
  ASSIGN_OR_RETURN(const auto info, parts_.records->CreateCollection(spec, std::move(outcome)));
  ++writes_;
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
  MutexLock lock(&collections_mutex_);
  ASSIGN_OR_RETURN(const auto former,
                   parts_.requests->Find("DropRecordCollection", request.request_id(), bytes));
  if (former) return v1::DropRecordCollectionResponse();
  index::Batch outcome;
  RETURN_IF_ERROR(
      parts_.requests->Record({"DropRecordCollection", request.request_id(), bytes, ""}, &outcome));
  RETURN_IF_ERROR(parts_.records->DropCollection(request.name(), std::move(outcome)));
  ++writes_;
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
  const index::WriteOptions options = MakeWriteOptions(request.request_id(), request.if_versions());
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
  RETURN_IF_ERROR(context.Check());
  ASSIGN_OR_RETURN(const auto records,
                   parts_.records->Get(request.collection(), ids, FromMessage(request.read())));
  v1::GetRecordsResponse response;
  for (const index::Record& record : records) ToMessage(record, response.add_records());
  return response;
}

Result<v1::DeleteRecordsResponse> RecordHandlers::DeleteRecords(
    const v1::DeleteRecordsRequest& request, const CallContext& context) {
  ASSIGN_OR_RETURN(const index::RecordSelector selector, FromMessage(request.selector()));
  const index::WriteOptions options = MakeWriteOptions(request.request_id(), request.if_versions());
  ASSIGN_OR_RETURN(const index::WriteResult result,
                   parts_.records->Delete(request.collection(), selector, options, context));
  ++writes_;
  v1::DeleteRecordsResponse response;
  response.set_version(result.version);
  response.set_affected(result.affected);
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
  const index::WriteOptions options = MakeWriteOptions(request.request_id(), request.if_versions());
  ASSIGN_OR_RETURN(
      const index::WriteResult result,
      parts_.records->UpdatePayload(request.collection(), selector, change, options, context));
  ++writes_;
  v1::UpdatePayloadResponse response;
  response.set_version(result.version);
  response.set_affected(result.affected);
  return response;
}

Result<v1::ScrollRecordsResponse> RecordHandlers::ScrollRecords(
    const v1::ScrollRecordsRequest& request, const CallContext& context) {
  constexpr std::string_view kList = "records";
  ASSIGN_OR_RETURN(const size_t size, PageSize(request.page_size()));
  ASSIGN_OR_RETURN(const std::string after, ReadPageToken(kList, request.page_token()));
  ASSIGN_OR_RETURN(const index::Filter filter, FromMessage(request.filter(), "filter"));
  index::ReadOptions options = FromMessage(request.read());
  options.page_bytes = kPageBytesMax;
  // One more than fits tells whether there is a next page.
  ASSIGN_OR_RETURN(const auto records, parts_.records->Scroll(request.collection(), filter, after,
                                                              size + 1, options, context));
  v1::ScrollRecordsResponse response;
  size_t bytes = 0;
  for (size_t i = 0; i < records.size(); ++i) {
    bytes += index::RecordBytes(records[i]);
    // A single record may be larger than a page.
    if (i == size || (i > 0 && bytes > kPageBytesMax)) break;
    ToMessage(records[i], response.add_records());
  }
  if (records.size() > size || bytes > kPageBytesMax) {
    const auto& last = response.records(response.records_size() - 1);
    response.set_next_page_token(MakePageToken(kList, last.id()));
  }
  return response;
}

Result<v1::CountRecordsResponse> RecordHandlers::CountRecords(
    const v1::CountRecordsRequest& request, const CallContext& context) {
  ASSIGN_OR_RETURN(const index::Filter filter, FromMessage(request.filter(), "filter"));
  ASSIGN_OR_RETURN(const uint64_t count,
                   parts_.records->Count(request.collection(), filter, context));
  v1::CountRecordsResponse response;
  response.set_count(count);
  return response;
}

Result<v1::SearchRecordsResponse> RecordHandlers::SearchRecords(
    const v1::SearchRecordsRequest& request, const CallContext& context) {
  const auto begin = std::chrono::steady_clock::now();
  ++searches_;
  ASSIGN_OR_RETURN(const index::RecordSearch search, FromMessage(request.query(), "query"));
  ASSIGN_OR_RETURN(const auto hits, parts_.records->Search(request.collection(), search, context));
  v1::SearchRecordsResponse response;
  AddHits(hits, response.mutable_hits());
  response.set_search_ms(MsSince(begin));
  return response;
}

Result<v1::SearchRecordBatchResponse> RecordHandlers::SearchRecordBatch(
    const v1::SearchRecordBatchRequest& request, const CallContext& context) {
  const auto begin = std::chrono::steady_clock::now();
  ASSIGN_OR_RETURN(const auto searches, FromMessage(request.queries()));
  searches_ += searches.size();
  ASSIGN_OR_RETURN(const auto results,
                   parts_.records->SearchBatch(request.collection(), searches, context));
  v1::SearchRecordBatchResponse response;
  for (const auto& hits : results) AddHits(hits, response.add_results()->mutable_hits());
  response.set_search_ms(MsSince(begin));
  return response;
}

Result<v1::RecommendRecordsResponse> RecordHandlers::RecommendRecords(
    const v1::RecommendRecordsRequest& request, const CallContext& context) {
  const auto begin = std::chrono::steady_clock::now();
  ++searches_;
  ASSIGN_OR_RETURN(const index::RecommendSearch search, FromMessage(request));
  ASSIGN_OR_RETURN(const auto hits,
                   parts_.records->Recommend(request.collection(), search, context));
  v1::RecommendRecordsResponse response;
  AddHits(hits, response.mutable_hits());
  response.set_search_ms(MsSince(begin));
  return response;
}

}  // namespace ragstone::services
