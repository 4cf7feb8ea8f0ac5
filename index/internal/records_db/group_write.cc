#include "index/internal/records_db/group_write.h"

#include <algorithm>

#include "base/crash_point.h"
#include "index/filter/names.h"
#include "index/internal/records_db/record_checks.h"
#include "index/internal/records_db/record_filter.h"

namespace ragstone::index::records {
namespace {

// What a filter matches is changed in groups of about so many records and bytes, so that memory
// does not grow with the matches.
constexpr size_t kMatchesAtOnce = 10'000;
constexpr size_t kMatchBytesAtOnce = 16 << 20;

}  // namespace

GroupWrite::GroupWrite(const RecordsEnv& env, RecordCollection* collection)
    : env_(env),
      collection_(collection),
      state_(collection->State()),
      spec_(*state_->spec),
      reader_(env.store(), spec_, UINT64_MAX),
      requests_(env.store(), collection->id(), env.clock->NowNs()),
      batch_(&env.store()),
      stored_(collection->stored),
      now_ns_(env.clock->NowNs()),
      first_row_(collection->stored.next_row) {}

void GroupWrite::Add(WriteOp* op) {
  op->status = op->context->Check();
  if (op->status.ok()) op->status = AddChecked(op);
}

Status GroupWrite::Recheck(WriteOp* op) const {
  if (op->checked == state_->spec) return OkStatus();
  if (op->kind == WriteOp::Kind::kUpsert) RETURN_IF_ERROR(CheckRecords(spec_, op->records));
  if (op->kind == WriteOp::Kind::kUpdate) RETURN_IF_ERROR(CheckChange(spec_, &op->change));
  return OkStatus();
}

Status GroupWrite::AddChecked(WriteOp* op) {
  RETURN_IF_ERROR(Recheck(op));
  const std::string& request = op->options.request_id;
  if (!request.empty() && !op->started) {
    ASSIGN_OR_RETURN(const std::optional<std::string> before,
                     requests_.Find(request, op->fingerprint));
    if (before.has_value()) {
      ASSIGN_OR_RETURN(op->result, DecodeWriteResult(*before));
      return OkStatus();
    }
  }
  ASSIGN_OR_RETURN(std::vector<Target> targets, FindTargets(op));
  RETURN_IF_ERROR(CheckVersions(targets, op->options));
  std::vector<Record> changed;
  if (op->kind == WriteOp::Kind::kUpdate) {
    ASSIGN_OR_RETURN(changed, Changed(op, &targets));
  }
  ASSIGN_OR_RETURN(version_, env_.core->sequences().Take());
  // From here on nothing fails: the batch holds all of the write or nothing.
  uint64_t affected = 0;
  for (size_t i = 0, next_changed = 0; i < targets.size(); ++i) {
    const Target& target = targets[i];
    if (op->kind == WriteOp::Kind::kUpsert) {
      PutRecord(target, std::move(op->records[i]), std::move(op->rows[i]));
    } else if (target.now.row == kNoRow) {
      continue;
    } else if (op->kind == WriteOp::Kind::kDelete) {
      PutGone(target, /*deleted=*/true);
    } else {
      std::string row = EncodeRow(changed[next_changed]);
      PutRecord(target, std::move(changed[next_changed++]), std::move(row));
    }
    ++affected;
  }
  if (affected > 0) stored_.version = version_;
  op->result = {stored_.version, op->result.affected + affected};
  if (!request.empty() && !op->more()) {
    requests_.Add(request, op->fingerprint, EncodeWriteResult(op->result));
  }
  return OkStatus();
}

Result<std::vector<GroupWrite::Target>> GroupWrite::FindTargets(WriteOp* op) {
  if (op->by_filter()) return FindMatches(op);
  std::vector<Target> targets;
  if (op->kind == WriteOp::Kind::kUpsert) {
    for (const Record& record : op->records) targets.push_back({record.id, {}});
  } else {
    for (const std::string& id : std::get<std::vector<std::string>>(op->selector)) {
      targets.push_back({id, {}});
    }
  }
  for (Target& target : targets) {
    ASSIGN_OR_RETURN(target.now, FindNow(target.id));
  }
  return targets;
}

Result<std::vector<GroupWrite::Target>> GroupWrite::FindMatches(WriteOp* op) {
  if (!op->started) {
    ASSIGN_OR_RETURN(const Filter bound, BindRecordFilter(spec_, std::get<Filter>(op->selector)));
    ASSIGN_OR_RETURN(const fields::RowSet rows,
                     MatchRows(env_.store(), *state_, bound, *op->context));
    op->matches = rows.ToVector();
    op->started = true;
  }
  std::vector<Target> targets;
  while (op->more() && targets.size() < kMatchesAtOnce) {
    const RowId row = op->matches[op->matches_done++];
    // An earlier group of the same write has not changed it, but its collection may be another.
    if (!state_->indexes->fields->Contains(row)) continue;
    ASSIGN_OR_RETURN(Record record, reader_.ReadRow(row, {false, false}));
    targets.push_back({std::move(record.id), {row, record.version}});
  }
  return targets;
}

Result<RecordReader::IdRow> GroupWrite::FindNow(const std::string& id) {
  const auto changed = now_.find(id);
  if (changed != now_.end()) return changed->second;
  return reader_.FindRow(id);
}

Status GroupWrite::CheckVersions(const std::vector<Target>& targets, const WriteOptions& options) {
  if (options.if_versions.empty()) return OkStatus();
  for (size_t i = 0; i < targets.size(); ++i) {
    if (targets[i].now.version == options.if_versions[i]) continue;
    return Status(StatusCode::kAborted, Reason::kVersionMismatch,
                  "record " + Quoted(targets[i].id) + " has version " +
                      std::to_string(targets[i].now.version) + ", the write expects " +
                      std::to_string(options.if_versions[i]) +
                      "; read it again (version 0: there is none)");
  }
  return OkStatus();
}

Result<Record> GroupWrite::ReadNow(const Target& target) {
  if (target.now.row >= first_row_) return added_[target.now.row - first_row_].record;
  return reader_.ReadRow(target.now.row, {});
}

Result<std::vector<Record>> GroupWrite::Changed(WriteOp* op, std::vector<Target>* targets) {
  std::vector<Record> changed;
  size_t bytes = 0;
  for (size_t i = 0; i < targets->size(); ++i) {
    const Target& target = (*targets)[i];
    if (target.now.row == kNoRow) continue;
    if (op->by_filter() && bytes > kMatchBytesAtOnce) {
      const auto rest = std::lower_bound(op->matches.begin(), op->matches.end(), target.now.row);
      op->matches_done = static_cast<size_t>(rest - op->matches.begin());
      targets->resize(i);
      break;
    }
    ASSIGN_OR_RETURN(Record record, ReadNow(target));
    if (op->change.replace) record.payload.clear();
    for (const auto& [name, value] : op->change.set) {
      if (std::holds_alternative<std::monostate>(value)) {
        record.payload.erase(name);
      } else {
        record.payload[name] = value;
      }
    }
    RETURN_IF_ERROR(NormalizePayload(spec_.spec.schema, &record.payload)
                        .WithContext("record " + Quoted(record.id)));
    if (op->by_filter()) bytes += EncodeRow(record).size();
    changed.push_back(std::move(record));
  }
  return changed;
}

void GroupWrite::PutRecord(const Target& target, Record record, std::string row_bytes) {
  const RowId row = stored_.next_row++;
  if (target.now.row != kNoRow) {
    PutGone(target, /*deleted=*/false);
  }
  SetRowVersion(version_, &row_bytes);
  record.version = version_;
  const CollectionId id = collection_->id();
  batch_.Put(Family::kRecord, RowKey(id, row), row_bytes);
  batch_.Put(Family::kRecordId, IdKey(id, target.id, version_), EncodeIdRow(row));
  ++stored_.records;
  now_[target.id] = {row, version_};
  added_.push_back({row, std::move(record), true});
}

void GroupWrite::PutGone(const Target& target, bool deleted) {
  const CollectionId id = collection_->id();
  const RowId row = target.now.row;
  batch_.Put(Family::kRecordGone, GoneKey(id, version_, row),
             EncodeGoneRow({target.id, target.now.version, now_ns_, deleted}));
  if (deleted) batch_.Put(Family::kRecordId, IdKey(id, target.id, version_), EncodeIdRow(kNoRow));
  --stored_.records;
  now_[target.id] = {};
  if (row >= first_row_) {
    added_[row - first_row_].live = false;
  } else {
    gone_.push_back({row, version_});
  }
}

Status GroupWrite::StageTexts() {
  for (const auto& [name, number] : spec_.text_numbers) {
    keywords::RunBuilder run = state_->texts->at(number)->NewRun();
    for (const Indexes::Row& row : shown_) {
      const std::vector<std::string_view> texts = TextsOf(*row.record, name);
      if (!texts.empty()) RETURN_IF_ERROR(run.Add(row.row, texts).status());
    }
    if (run.empty()) continue;
    state_->texts->at(number)->Put(run, &batch_);
    runs_.emplace(number, std::move(run));
  }
  return OkStatus();
}

Status GroupWrite::Commit() {
  if (collection_->unpublished) {
    return Internal("an earlier write of collection " + Quoted(spec_.spec.name) +
                    " was cut short after it was on disk; restart the server, which shows it");
  }
  const bool nothing = added_.empty() && gone_.empty() && requests_.empty();
  if (nothing && !collection_->write_failed) return OkStatus();
  for (const Added& added : added_) {
    if (added.live) shown_.push_back({added.row, &added.record});
  }
  RETURN_IF_ERROR(StageTexts());
  std::vector<RequestRow> requests;
  RETURN_IF_ERROR(requests_.Write(&requests, &stored_.requests));
  AddRows(requests, &batch_);
  batch_.Put(Family::kMeta, StateKey(collection_->id()), EncodeRecordState(stored_));
  // Whatever becomes of the rows, their numbers are not given again.
  collection_->stored.next_row = stored_.next_row;
  Indexes* const indexes = collection_->indexes().get();
  if (indexes != nullptr) RETURN_IF_ERROR(indexes->Stage(shown_));
  CrashPoint("records.before-wal");
  const Status status = env_.store().Write(&batch_, /*sync=*/true);
  collection_->write_failed = !status.ok();
  if (!status.ok()) {
    if (indexes != nullptr) indexes->Abandon(shown_);
    return status;
  }
  collection_->stored = stored_;
  collection_->unpublished = true;
  CrashPoint("records.after-wal");
  PublishAll();
  collection_->unpublished = false;
  return OkStatus();
}

void GroupWrite::PublishAll() {
  for (const auto& [number, run] : runs_) state_->texts->at(number)->Added(run);
  CollectionState next = *state_;
  next.version = stored_.version;
  next.records = stored_.records;
  next.next_row = stored_.next_row;
  if (!gone_.empty()) next.last_gone = stored_.version;
  if (collection_->indexes() != nullptr) {
    collection_->indexes()->Publish(shown_, gone_);
    next.indexes = collection_->indexes()->View();
    collection_->AddChanges(shown_.size() + gone_.size());
  }
  collection_->Publish(std::move(next));
  // Words of rows that went may be worth a merge.
  if (!gone_.empty()) {
    for (const auto& [number, text] : *state_->texts) text->Died();
  }
  for (const auto& [number, run] : runs_) state_->texts->at(number)->Published();
}

}  // namespace ragstone::index::records
