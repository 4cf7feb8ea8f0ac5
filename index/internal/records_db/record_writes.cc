// The writes of RecordDatabase.
#include <algorithm>

#include "base/caught.h"
#include "base/crash_point.h"
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
  // Deleting is possible without room: it makes some.
  if (op->kind != WriteOp::Kind::kDelete) RETURN_IF_ERROR(env_.store().CheckRoom(op->bytes));
  if (!op->options.request_id.empty()) op->fingerprint = FingerprintOf(*op);
  collection->Use(env_.budget->Tick());
  const std::vector<WriteOp*> group = collection->writes().Enter(op);
  if (!group.empty()) {
    WriteCaught(collection, group);
    CrashPoint("records.before-ack");
    collection->writes().Done(group);
    env_.wake(collection);
  }
  RETURN_IF_ERROR(op->status);
  return op->result;
}

void RecordDatabaseImpl::WriteCaught(const CollectionRef& collection,
                                     const std::vector<WriteOp*>& group) {
  const Status thrown = Caught("the write", [&] {
    WriteGroup(collection, group);
    return OkStatus();
  });
  if (thrown.ok()) return;
  // Others wait for the outcome, and the indexes may show half of it: they are read anew.
  for (WriteOp* const op : group) {
    if (op->status.ok()) op->status = thrown;
  }
  {
    MutexLock commit(&collection->commit_mutex());
    collection->write_failed = true;
  }
  const Status unloaded = Caught("unloading indexes", [&] {
    collection->Unload();
    return OkStatus();
  });
  if (!unloaded.ok()) env_.Warn(unloaded.ToString());
}

void RecordDatabaseImpl::WriteGroup(const CollectionRef& collection,
                                    const std::vector<WriteOp*>& group) {
  WriteOp* const first = group.front();
  if (first->by_filter()) {
    const Status status = WriteMatches(collection, first);
    if (!status.ok() && first->result.affected > 0) {
      first->status = status.WithContext("after " + std::to_string(first->result.affected) +
                                         " records were changed");
    } else {
      first->status = status;
    }
    return;
  }
  const std::shared_ptr<MemoryCharge> memory = ReserveForWrite(*collection, group);
  const auto fail = [&](const Status& status) {
    for (WriteOp* const op : group) {
      if (op->status.ok()) op->status = status;
    }
  };
  MutexLock commit(&collection->commit_mutex());
  if (collection->State() == nullptr) {
    return fail(RecordCollectionDropped(first->checked->spec.name));
  }
  GroupWrite write(env_, collection.get());
  for (WriteOp* const op : group) {
    if (op->status.ok()) write.Add(op);
  }
  const Status status = write.Commit();
  if (!status.ok()) return fail(status);
  CountWritten(collection.get(), memory.get());
}

Status RecordDatabaseImpl::WriteMatches(const CollectionRef& collection, WriteOp* op) {
  for (;;) {
    ASSIGN_OR_RETURN(const StateRef state, LoadedState(collection, op->checked->spec.name));
    std::shared_ptr<MemoryCharge> memory;
    if (op->kind == WriteOp::Kind::kUpdate) {
      const uint64_t rows = std::min<uint64_t>(state->records, RecordDatabase::kWriteRecordsMax);
      ASSIGN_OR_RETURN(memory, env_.budget->Reserve(rows * RowMemory(*state->spec),
                                                    collection.get(), "changing records"));
    }
    MutexLock commit(&collection->commit_mutex());
    if (collection->State() == nullptr) return RecordCollectionDropped(op->checked->spec.name);
    // Unloaded meanwhile: again.
    if (collection->indexes() == nullptr) continue;
    GroupWrite write(env_, collection.get());
    const uint64_t before = op->result.affected;
    write.Add(op);
    RETURN_IF_ERROR(op->status);
    const Status status = write.Commit();
    if (!status.ok()) op->result.affected = before;
    RETURN_IF_ERROR(status);
    CountWritten(collection.get(), memory.get());
    if (!op->more()) return OkStatus();
  }
}

std::shared_ptr<MemoryCharge> RecordDatabaseImpl::ReserveForWrite(
    const RecordCollection& collection, const std::vector<WriteOp*>& group) const {
  constexpr uint64_t kRowBytes = 64;
  const StateRef state = collection.State();
  if (state == nullptr) return nullptr;
  uint64_t bytes = 0;
  uint64_t rows = 0;
  for (const WriteOp* const op : group) {
    bytes += op->bytes + op->records.size() * kRowBytes;
    rows += op->records.size();
    if (op->kind == WriteOp::Kind::kUpdate) {
      const size_t records = std::get<std::vector<std::string>>(op->selector).size();
      bytes += records * RowMemory(*state->spec);
    }
  }
  if (bytes == 0) return nullptr;  // what deletes makes room
  Status status;
  if (collection.loaded()) {
    Result<std::shared_ptr<MemoryCharge>> memory =
        env_.budget->Reserve(bytes, &collection, "the write");
    if (memory.ok()) return *memory;
    status = memory.status();
  } else {
    // Nothing is held now, but it must be possible to search what was written.
    status = CheckLoadable(collection, state->records + rows);
  }
  for (WriteOp* const op : group) {
    if (!status.ok() && op->kind != WriteOp::Kind::kDelete) op->status = status;
  }
  return nullptr;
}

void RecordDatabaseImpl::CountWritten(RecordCollection* collection, const MemoryCharge* memory) {
  if (memory == nullptr || collection->indexes() == nullptr) return;
  collection->indexes()->charge().Add(memory->bytes());
  collection->NoteCharge();
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
