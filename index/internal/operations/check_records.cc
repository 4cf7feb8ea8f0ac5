// The records of a collection: rows, ids, superseded rows, state.
#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "base/hash.h"
#include "index/filter/names.h"
#include "index/internal/operations/check.h"
#include "index/internal/records_db/record_checks.h"
#include "index/internal/records_db/record_state.h"

namespace ragstone::index::operations {
namespace {

using records::RecordState;
using records::RowId;

class RecordCheck {
 public:
  RecordCheck(CheckEnv* env, const records::StoredSpec& spec)
      : env_(env), spec_(spec), prefix_(CollectionKey(spec.id)) {}

  Status Run() {
    RETURN_IF_ERROR(ReadRows());
    RETURN_IF_ERROR(ReadGone());
    RETURN_IF_ERROR(ReadIds());
    RETURN_IF_ERROR(CheckReachable());
    RETURN_IF_ERROR(CheckState());
    for (const auto& [field, number] : spec_.text_numbers) {
      RETURN_IF_ERROR(CheckWords(field, number));
    }
    return OkStatus();
  }

 private:
  struct Row {
    SequenceNumber version = 0;
    uint64_t id_hash = 0;
    bool gone = false;
    bool named = false;  // by its id
  };

  Status ReadRows();
  Status ReadGone();
  Status CheckGone(std::string_view key, std::string_view value);
  Status ReadIds();
  Status CheckId(std::string_view key, std::string_view value);
  Status CheckReachable();
  Status CheckState();
  Status CheckWords(const std::string& field, uint16_t number);
  Finding Make(const std::string& id, std::string what, std::string consequence) const {
    return {"records", spec_.spec.name, id, std::move(what), std::move(consequence), false, false};
  }

  CheckEnv* const env_;
  const records::StoredSpec& spec_;
  const std::string prefix_;
  std::unordered_map<RowId, Row> rows_;
  RowId last_row_ = 0;
  SequenceNumber last_version_ = 0;
  std::string last_id_;  // of ReadIds, whose newest entry was seen
  bool any_id_ = false;
};

std::string RowText(RowId row) { return "row " + std::to_string(row); }

Status RecordCheck::ReadRows() {
  const std::unique_ptr<StoreIterator> it = env_->store->NewIterator(Family::kRecord);
  for (it->Seek(prefix_); it->ValidWithPrefix(prefix_); it->Next()) {
    RETURN_IF_ERROR(env_->steps->Advance(it->value().size()));
    ASSIGN_OR_RETURN(const RowId row, records::DecodeRowKey(it->key()));
    last_row_ = std::max(last_row_, row);
    const Result<Record> record = records::DecodeRow(spec_, row, it->value(), {});
    if (!record.ok()) {
      env_->findings->Add(Make(RowText(row), "the record is damaged",
                               "it is not found; write it again, or restore a backup"));
      rows_[row].named = true;  // which id it had is not known
      continue;
    }
    for (const auto& [name, vector] : record->vectors) {
      if (records::CheckVector(spec_, name, vector).ok()) continue;
      env_->findings->Add(Make(record->id, "its vector " + Quoted(name) + " is not possible",
                               "the collection is not searched; write the record again, or "
                               "restore a backup"));
    }
    last_version_ = std::max(last_version_, record->version);
    rows_[row] = {record->version, FastHash(record->id), false, false};
  }
  return it->status();
}

Status RecordCheck::ReadGone() {
  const std::unique_ptr<StoreIterator> it = env_->store->NewIterator(Family::kRecordGone);
  for (it->Seek(prefix_); it->ValidWithPrefix(prefix_); it->Next()) {
    RETURN_IF_ERROR(CheckGone(it->key(), it->value()));
  }
  return it->status();
}

Status RecordCheck::CheckGone(std::string_view key, std::string_view value) {
  ASSIGN_OR_RETURN(const records::GoneKeyParts parts, records::DecodeGoneKey(key));
  last_version_ = std::max(last_version_, parts.gone_at);
  last_row_ = std::max(last_row_, parts.row);
  const auto row = rows_.find(parts.row);
  const Result<records::GoneRow> gone = records::DecodeGoneRow(value);
  if (gone.ok() && row != rows_.end()) {
    row->second.gone = true;
    return OkStatus();
  }
  if (row != rows_.end()) {
    row->second.gone = true;
    env_->findings->Add(Make(RowText(parts.row), "the note of a superseded record is damaged",
                             "its bytes are not removed; restore a backup"));
    return OkStatus();
  }
  return env_->findings->Add(Make(gone.ok() ? gone->id : RowText(parts.row),
                                  "a superseded record is noted for removal and is not there",
                                  "reads of the past miss it"),
                             [&](StoreBatch* batch) { batch->Delete(Family::kRecordGone, key); });
}

Status RecordCheck::ReadIds() {
  const std::unique_ptr<StoreIterator> it = env_->store->NewIterator(Family::kRecordId);
  for (it->Seek(prefix_); it->ValidWithPrefix(prefix_); it->Next()) {
    RETURN_IF_ERROR(env_->steps->Advance(it->key().size()));
    RETURN_IF_ERROR(CheckId(it->key(), it->value()));
  }
  return it->status();
}

Status RecordCheck::CheckId(std::string_view key, std::string_view value) {
  ASSIGN_OR_RETURN(const records::IdKeyParts parts, records::DecodeIdKey(key));
  const bool newest = !any_id_ || parts.id != last_id_;
  any_id_ = true;
  last_id_ = parts.id;
  last_version_ = std::max(last_version_, parts.version);
  const Result<RowId> row = records::DecodeIdRow(value);
  if (!row.ok()) {
    env_->findings->Add(
        Make(parts.id, "what the id stands for is damaged", "it is not found by its id"));
    return OkStatus();
  }
  if (*row == records::kNoRow) return OkStatus();  // a deletion
  const auto found = rows_.find(*row);
  if (found == rows_.end()) {
    if (newest) {
      env_->findings->Add(Make(parts.id,
                               "the id stands for " + RowText(*row) + ", which is not there",
                               "the record is lost; write it again, or restore a backup"));
      return OkStatus();
    }
    return env_->findings->Add(
        Make(parts.id, "an earlier version of the id is not there", "reads of the past miss it"),
        [&](StoreBatch* batch) { batch->Delete(Family::kRecordId, key); });
  }
  Row& of = found->second;
  const bool same = of.version == parts.version && of.id_hash == FastHash(parts.id);
  if (!same && !of.named) {
    env_->findings->Add(Make(parts.id, "the id stands for the record of another id or version",
                             "a wrong record is returned; restore a backup"));
    return OkStatus();
  }
  of.named = true;
  if (newest == !of.gone) return OkStatus();
  env_->findings->Add(Make(parts.id,
                           newest ? "the id stands for a superseded record"
                                  : "two records of the id count as the newest",
                           "searches and reads by id disagree; write the record again"));
  return OkStatus();
}

// Every record is found by its id.
Status RecordCheck::CheckReachable() {
  uint64_t unnamed = 0;
  for (const auto& [row, of] : rows_) unnamed += of.named ? 0 : 1;
  if (unnamed == 0) return OkStatus();
  for (const auto& [row, of] : rows_) {
    if (of.named) continue;
    ASSIGN_OR_RETURN(const std::optional<std::string> bytes,
                     env_->store->Get(Family::kRecord, records::RowKey(spec_.id, row)));
    if (!bytes.has_value()) continue;
    ASSIGN_OR_RETURN(const Record record, records::DecodeRow(spec_, row, *bytes, {false, false}));
    const RowId number = row;
    RETURN_IF_ERROR(env_->findings->Add(
        Make(record.id, "the record is not found by its id", "reads by id miss it"),
        [&](StoreBatch* batch) {
          batch->Put(Family::kRecordId, records::IdKey(spec_.id, record.id, record.version),
                     records::EncodeIdRow(number));
        }));
  }
  return OkStatus();
}

Status RecordCheck::CheckState() {
  ASSIGN_OR_RETURN(const uint64_t requests, CheckRequests(env_, spec_.id, spec_.spec.name));
  const std::string key = records::StateKey(spec_.id);
  ASSIGN_OR_RETURN(const std::optional<std::string> bytes, env_->store->Get(Family::kMeta, key));
  const Result<RecordState> stored =
      bytes.has_value() ? records::DecodeRecordState(*bytes)
                        : Result<RecordState>(Corrupt("state of a record collection"));
  RecordState right = stored.ok() ? *stored : RecordState();
  right.version = std::max(right.version, last_version_);
  right.next_row = std::max(right.next_row, last_row_ + 1);
  right.records = static_cast<uint64_t>(
      std::count_if(rows_.begin(), rows_.end(), [](const auto& row) { return !row.second.gone; }));
  right.requests = requests;
  env_->report->records += right.records;
  Raise(right.version, &env_->highest.sequence);
  const std::string expected = records::EncodeRecordState(right);
  if (bytes == expected) return OkStatus();
  std::string what = "its state is missing or damaged";
  if (stored.ok()) {
    what = "its state (version " + std::to_string(stored->version) + ", next row " +
           std::to_string(stored->next_row) + ", " + std::to_string(stored->records) +
           " records, " + std::to_string(stored->requests) +
           " requests) is not that of its rows (" + std::to_string(right.version) + ", " +
           std::to_string(right.next_row) + ", " + std::to_string(right.records) + ", " +
           std::to_string(right.requests) + ")";
  }
  return env_->findings->Add(Make("", what, "numbers are wrong, and a row could be given twice"),
                             [&](StoreBatch* batch) { batch->Put(Family::kMeta, key, expected); });
}

Status RecordCheck::CheckWords(const std::string& field, uint16_t number) {
  ASSIGN_OR_RETURN(const keywords::Language language,
                   keywords::Language::Parse(spec_.spec.language));
  KeywordsOf index;
  index.name = {spec_.id, number};
  index.language = language;
  index.collection = spec_.spec.name;
  index.field = field;
  index.rows = [&](const KeywordsOf::Visit& visit) -> Status {
    const std::unique_ptr<StoreIterator> it = env_->store->NewIterator(Family::kRecord);
    for (it->Seek(prefix_); it->ValidWithPrefix(prefix_); it->Next()) {
      ASSIGN_OR_RETURN(const RowId row, records::DecodeRowKey(it->key()));
      const auto found = rows_.find(row);
      if (found == rows_.end() || found->second.gone) continue;
      const Result<Record> record = records::DecodeRow(spec_, row, it->value(), {true, false});
      if (!record.ok()) continue;
      const std::vector<std::string_view> texts = records::TextsOf(*record, field);
      if (!texts.empty()) RETURN_IF_ERROR(visit(row, texts));
    }
    return it->status();
  };
  return CheckKeywords(env_, index);
}

}  // namespace

Status CheckRecords(CheckEnv* env, const records::StoredSpec& spec) {
  return RecordCheck(env, spec).Run();
}

}  // namespace ragstone::index::operations
