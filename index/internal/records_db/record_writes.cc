// The writes of RecordDatabase.
#include "base/hash.h"
#include "index/filter/filter_parser.h"
#include "index/filter/names.h"
#include "index/internal/coding.h"
#include "index/internal/records_db/record_checks.h"
#include "index/internal/records_db/record_database_impl.h"

namespace ragstone::index::records {
namespace {

// Rows as they go to disk, without their versions.
void EncodeRows(WriteOp* op) {
  for (const Record& record : op->records) {
    op->rows.push_back(EncodeRow(record));
    op->bytes += op->rows.back().size();
  }
}

// Tells whether a repeated request id stands for the same write.
uint64_t FingerprintOf(const WriteOp& op) {
  std::string head;
  Encoder out(&head);
  out.U8(static_cast<uint8_t>(op.kind));
  for (const uint64_t version : op.options.if_versions) out.U64(version);
  if (op.kind == WriteOp::Kind::kUpsert) {
    uint64_t hash = FastHash(head);
    for (const std::string& row : op.rows) hash = FastHash(row, hash);
    return hash;
  }
  if (const auto* ids = std::get_if<std::vector<std::string>>(&op.selector)) {
    for (const std::string& id : *ids) out.String(id);
  } else {
    out.String(PrintFilter(std::get<Filter>(op.selector)));
  }
  out.U8(op.change.replace ? 1 : 0);
  out.String(EncodePayload(op.change.set));
  for (const auto& [name, value] : op.change.set) {
    if (std::holds_alternative<std::monostate>(value)) out.String(name);
  }
  return FastHash(head);
}

Status CheckSize(size_t bytes) {
  if (bytes <= RecordDatabase::kWriteBytesMax) return OkStatus();
  return InvalidArgument(Reason::kLimitExceeded,
                         "the write has " + std::to_string(bytes) + " bytes; at most " +
                             std::to_string(RecordDatabase::kWriteBytesMax) +
                             " are possible: split it");
}

}  // namespace

Status RecordDatabaseImpl::CheckOp(const CollectionState& state, WriteOp* op) const {
  const StoredSpec& spec = *state.spec;
  op->checked = state.spec;
  if (op->kind == WriteOp::Kind::kUpsert) {
    RETURN_IF_ERROR(CheckRecords(spec, op->records));
    RETURN_IF_ERROR(CheckWriteOptions(op->options, op->records.size()));
    EncodeRows(op);
    return CheckSize(op->bytes);
  }
  if (op->kind == WriteOp::Kind::kUpdate) RETURN_IF_ERROR(CheckChange(spec, &op->change));
  if (op->by_filter()) {
    RETURN_IF_ERROR(BindRecordFilter(spec, std::get<Filter>(op->selector)).status());
    return CheckWriteOptions(op->options, 0);
  }
  const auto& ids = std::get<std::vector<std::string>>(op->selector);
  RETURN_IF_ERROR(CheckIds(ids));
  return CheckWriteOptions(op->options, ids.size());
}

Result<WriteResult> RecordDatabaseImpl::Submit(std::string_view name, WriteOp* op) {
  RETURN_IF_ERROR(op->context->Check());
  ASSIGN_OR_RETURN(const CollectionRef collection, Find(name));
  const StateRef state = collection->State();
  if (state == nullptr) return RecordCollectionNotFound(name);
  RETURN_IF_ERROR(CheckOp(*state, op));
  if (!op->options.request_id.empty()) op->fingerprint = FingerprintOf(*op);
  const std::vector<WriteOp*> group = collection->writes().Enter(op);
  if (!group.empty()) {
    WriteGroup(collection, group);
    collection->writes().Done(group);
    env_.wake(collection);
  }
  RETURN_IF_ERROR(op->status);
  return op->result;
}

void RecordDatabaseImpl::WriteGroup(const CollectionRef& collection,
                                    const std::vector<WriteOp*>& group) {
  const auto fail = [&](const Status& status) {
    for (WriteOp* const op : group) {
      if (op->status.ok()) op->status = status;
    }
  };
  if (group.front()->by_filter()) {
    const Status loaded = EnsureLoaded(collection.get());
    if (!loaded.ok()) return fail(loaded);
  }
  MutexLock commit(&collection->commit_mutex());
  const StateRef state = collection->State();
  if (state == nullptr) return fail(RecordCollectionDropped(group.front()->checked->spec.name));
  if (group.front()->by_filter() && state->indexes == nullptr) {
    return fail(Status(StatusCode::kAborted, Reason::kUnspecified,
                       "the collection was altered meanwhile; repeat the write"));
  }
  GroupWrite write(env_, collection.get());
  for (WriteOp* const op : group) write.Add(op);
  const Status status = write.Commit();
  if (!status.ok()) fail(status);
}

Result<WriteResult> RecordDatabaseImpl::Upsert(std::string_view collection,
                                               std::vector<Record> records,
                                               const WriteOptions& options,
                                               const CallContext& context) {
  WriteOp op;
  op.records = std::move(records);
  for (Record& record : op.records) record.version = 0;
  op.options = options;
  op.context = &context;
  return Submit(collection, &op);
}

Result<WriteResult> RecordDatabaseImpl::Delete(std::string_view collection,
                                               const RecordSelector& selector,
                                               const WriteOptions& options,
                                               const CallContext& context) {
  WriteOp op;
  op.kind = WriteOp::Kind::kDelete;
  op.selector = selector;
  op.options = options;
  op.context = &context;
  return Submit(collection, &op);
}

Result<WriteResult> RecordDatabaseImpl::UpdatePayload(std::string_view collection,
                                                      const RecordSelector& selector,
                                                      const PayloadChange& change,
                                                      const WriteOptions& options,
                                                      const CallContext& context) {
  WriteOp op;
  op.kind = WriteOp::Kind::kUpdate;
  op.selector = selector;
  op.change = change;
  op.options = options;
  op.context = &context;
  return Submit(collection, &op);
}

}  // namespace ragstone::index::records
