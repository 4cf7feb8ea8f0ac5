#include "index/internal/records_db/record_loader.h"

#include <unordered_set>

#include "base/crash_point.h"
#include "index/filter/names.h"
#include "index/internal/coding.h"
#include "index/internal/keys.h"
#include "index/internal/records_db/index_state.h"
#include "index/internal/records_db/part_files.h"
#include "index/internal/records_db/record_checks.h"
#include "index/internal/records_db/record_reader.h"

namespace ragstone::index::records {
namespace {

constexpr uint8_t kSweptFormat = 1;
constexpr size_t kRowsAtOnce = 2048;
// Rows with this mark are seen by no version.
constexpr SequenceNumber kNeverSeen = 1;

Result<std::unordered_set<RowId>> ReadGone(const Store& store, CollectionId collection) {
  std::unordered_set<RowId> gone;
  const std::string prefix = CollectionKey(collection);
  const std::unique_ptr<StoreIterator> it = store.NewIterator(Family::kRecordGone);
  for (it->Seek(prefix); it->ValidWithPrefix(prefix); it->Next()) {
    ASSIGN_OR_RETURN(const GoneKeyParts parts, DecodeGoneKey(it->key()));
    gone.insert(parts.row);
  }
  RETURN_IF_ERROR(it->status());
  return gone;
}

// Rows that went after `version`.
Result<fields::RowSet> ReadGoneSince(const Store& store, CollectionId collection,
                                     SequenceNumber version) {
  fields::RowSet gone;
  const std::string prefix = CollectionKey(collection);
  // Notes of rows become notes of removed ones: read in this order, none is missed.
  std::unique_ptr<StoreIterator> it = store.NewIterator(Family::kRecordGone);
  for (it->Seek(GoneKey(collection, version + 1, 0)); it->ValidWithPrefix(prefix); it->Next()) {
    ASSIGN_OR_RETURN(const GoneKeyParts parts, DecodeGoneKey(it->key()));
    gone.Add(parts.row);
  }
  RETURN_IF_ERROR(it->status());
  const std::string swept = SweptPrefix(collection);
  it = store.NewIterator(Family::kMeta);
  for (it->Seek(SweptKey(collection, version + 1)); it->ValidWithPrefix(swept); it->Next()) {
    ASSIGN_OR_RETURN(const fields::RowSet rows, DecodeSwept(it->value()));
    gone |= rows;
  }
  RETURN_IF_ERROR(it->status());
  return gone;
}

// Collects rows and hands them to the indexes together.
class Batcher {
 public:
  enum class What : uint8_t { kAll, kVectors };
  // `then` follows each time that rows were handed over.
  Batcher(Indexes* indexes, What what, std::function<Status()> then)
      : indexes_(indexes), what_(what), then_(std::move(then)) {
    records_.reserve(kRowsAtOnce);
  }

  Status Add(RowId row, Record record) {
    // What a stored part has is not held twice.
    for (const VectorSet& vectors : indexes_->vectors()) {
      if (vectors.HasSealed(row)) record.vectors.erase(vectors.field().name);
    }
    records_.push_back(std::move(record));
    rows_.push_back({row, &records_.back()});
    return rows_.size() < kRowsAtOnce ? OkStatus() : Flush();
  }
  Status Flush() {
    if (what_ == What::kVectors) {
      RETURN_IF_ERROR(indexes_->AddVectors(rows_));
    } else {
      RETURN_IF_ERROR(indexes_->Stage(rows_));
      indexes_->Publish(rows_, {});
    }
    rows_.clear();
    records_.clear();
    return then_();
  }

 private:
  Indexes* const indexes_;
  const What what_;
  const std::function<Status()> then_;
  std::vector<Record> records_;
  std::vector<Indexes::Row> rows_;
};

class IndexLoader {
 public:
  IndexLoader(const RecordsEnv& env, const StoredSpec& spec, const RecordState& stored,
              const LoadTerms& terms)
      : env_(env), spec_(spec), stored_(stored), terms_(terms), seal_(terms.seal) {}

  Result<LoadedIndexes> Load() {
    CrashPoint("records.load");
    ASSIGN_OR_RETURN(manifest_, ReadManifest(env_, spec_.id));
    const bool parts_sound = ReadParts();
    const bool usable = parts_sound && manifest_.state.stamp != 0 &&
                        manifest_.fingerprint == StateFingerprint(spec_);
    if (usable) {
      const Status status = FromState();
      if (status.ok()) {
        ++env_.loads->from_files;
        return Finish();
      }
      if (status.code() == StatusCode::kResourceExhausted) return status;
      WarnOf("the state of its indexes", status);
    }
    RETURN_IF_ERROR(FromRows());
    ++env_.loads->from_rows;
    return Finish();
  }

 private:
  struct ReadPart {
    std::string vector;
    std::shared_ptr<VectorPart> part;
  };

  void WarnOf(const std::string& what, const Status& status) const {
    ++env_.loads->damaged;
    env_.Warn("record collection " + Quoted(spec_.spec.name) + ": " + what +
              " could not be read and is built again from its records: " + status.ToString());
  }

  // False if one that counts is of no use.
  bool ReadParts() {
    bool sound = true;
    for (const StoredPart& stored : manifest_.parts) {
      const VectorField* const field = spec_.FindVector(stored.vector);
      if (field == nullptr || VectorFingerprint(spec_, *field) != stored.fingerprint) continue;
      if (terms_.seal && !stored.compact) {
        sound = false;  // there is no room for it
        continue;
      }
      Result<std::shared_ptr<VectorPart>> part =
          LoadPart(env_.FolderOf(spec_.id), *field, stored, stored_.next_row);
      if (part.ok()) {
        ++env_.loads->parts;
        parts_.push_back({stored.vector, std::move(*part)});
      } else {
        sound = false;
        WarnOf("a part of vector " + Quoted(stored.vector), part.status());
        // Its rows come as they are stored, if there is room for them.
        const uint64_t rows = stored.rows * vectors::InputBytes(SpecOf(*field));
        seal_ =
            seal_ || !env_.budget->TryAdd(rows - std::min(rows, stored.file.bytes), terms_.memory);
      }
    }
    return sound;
  }

  void Begin() {
    indexes_ = std::make_shared<Indexes>(spec_, env_.SealRowsOf(spec_));
    for (VectorSet& vectors : indexes_->vectors()) {
      for (const ReadPart& read : parts_) {
        if (read.vector == vectors.field().name) vectors.AddSealed(read.part);
      }
    }
    changes_ = 0;
  }

  Result<Record> Decoded(RowId row, std::string_view bytes, const RowParts& parts) const {
    ++env_.loads->rows_read;
    ASSIGN_OR_RETURN(Record record, DecodeRow(spec_, row, bytes, parts));
    for (const auto& [name, vector] : record.vectors) {
      if (!CheckVector(spec_, name, vector).ok()) return Corrupt("record " + Quoted(record.id));
    }
    return record;
  }

  // What keeps to the memory there is while rows come.
  std::function<Status()> Sealing() {
    return [this] { return seal_ ? SealFull() : OkStatus(); };
  }

  Status SealFull() {
    for (VectorSet& vectors : indexes_->vectors()) {
      const VectorField& field = vectors.field();
      const ShareOfRecords share{terms_.share, stored_.records, env_.SealRowsOf(spec_)};
      SealTerms terms = vectors.Terms(VectorShare(spec_, field, share));
      terms.set_rows = std::max(terms.set_rows, stored_.records);  // of which more will come
      std::vector<std::shared_ptr<VectorPart>> parts = vectors.ChooseParts(terms);
      // Which of their rows went is not known before the end.
      std::erase_if(parts, [](const auto& part) { return part->stored().stamp != 0; });
      if (parts.empty()) continue;
      const RowVectorReader reader(env_.store(), spec_, field.name);
      ASSIGN_OR_RETURN(std::shared_ptr<VectorPart> made, SealParts(field, parts, reader, terms));
      vectors.Replace(parts, std::move(made));
    }
    return OkStatus();
  }

  Status FromRows() {
    Begin();
    Batcher batcher(indexes_.get(), Batcher::What::kAll, Sealing());
    RETURN_IF_ERROR(
        VisitLiveRows(env_.store(), spec_.id, [&](RowId row, std::string_view bytes) -> Status {
          ASSIGN_OR_RETURN(Record record, Decoded(row, bytes, {}));
          ++changes_;
          return batcher.Add(row, std::move(record));
        }));
    RETURN_IF_ERROR(batcher.Flush());
    return CheckCount();
  }

  Status FromState() {
    Begin();
    ASSIGN_OR_RETURN(const std::unique_ptr<ChunkFileReader> file,
                     ChunkFileReader::Open(env_.FolderOf(spec_.id), manifest_.state));
    ASSIGN_OR_RETURN(LoadedState state, ReadIndexState(*file, spec_, indexes_.get()));
    if (state.version != manifest_.version || state.next_row != manifest_.next_row ||
        state.next_row > stored_.next_row || state.version > stored_.version) {
      return Corrupt("stored state of a record collection's indexes");
    }
    indexes_->SetFields(std::move(state.fields));
    ASSIGN_OR_RETURN(const fields::RowSet gone,
                     ReadGoneSince(env_.store(), spec_.id, state.version));
    indexes_->fields().Apply(gone.ToVector(), {});
    changes_ += gone.Count();
    RETURN_IF_ERROR(AddWaiting(&state.waiting));
    RETURN_IF_ERROR(AddSince(state.next_row, gone));
    return CheckCount();
  }

  // RocksDB 7.8 can end an iteration at a damaged block without an error (tests/reliability,
  // corruption), so what was read is counted.
  Status CheckCount() const {
    const uint64_t records = indexes_->fields().Snapshot()->rows();
    if (records == stored_.records) return OkStatus();
    return Status(StatusCode::kDataLoss, Reason::kDataCorrupt,
                  "record collection " + Quoted(spec_.spec.name) + " has " +
                      std::to_string(stored_.records) + " records, of which " +
                      std::to_string(records) +
                      " could be read; run ragstone verify, or restore a backup");
  }

  // Vectors of rows that the state has and no stored part does.
  Status AddWaiting(RowsOfVectors* waiting) {
    const fields::RowSet live = indexes_->fields().Snapshot()->AllRows();
    fields::RowSet rows;
    for (VectorSet& vectors : indexes_->vectors()) {
      const auto of_vector = waiting->find(vectors.field().name);
      if (of_vector == waiting->end()) continue;
      of_vector->second &= live;
      // Parts that were sealed since have some of them.
      fields::RowSet missing;
      for (const RowId row : of_vector->second.ToVector()) {
        if (!vectors.HasSealed(row)) missing.Add(row);
      }
      of_vector->second = std::move(missing);
      rows |= of_vector->second;
    }
    Batcher batcher(indexes_.get(), Batcher::What::kVectors, Sealing());
    const std::unique_ptr<StoreIterator> it = env_.store().NewIterator(Family::kRecord);
    for (const RowId row : rows.ToVector()) {
      const std::string key = RowKey(spec_.id, row);
      // Rows that wait mostly follow each other.
      if (it->Valid()) it->Next();
      if (!it->Valid() || it->key() != key) it->Seek(key);
      if (!it->Valid() || it->key() != key) {
        RETURN_IF_ERROR(it->status());
        return Corrupt("record in row " + std::to_string(row));
      }
      ASSIGN_OR_RETURN(Record record, Decoded(row, it->value(), {false, true}));
      std::erase_if(record.vectors, [&](const auto& entry) {
        const auto of_vector = waiting->find(entry.first);
        return of_vector == waiting->end() || !of_vector->second.Contains(row);
      });
      RETURN_IF_ERROR(batcher.Add(row, std::move(record)));
    }
    return batcher.Flush();
  }

  // Rows that came since.
  Status AddSince(RowId first, const fields::RowSet& gone) {
    Batcher batcher(indexes_.get(), Batcher::What::kAll, Sealing());
    const std::string prefix = CollectionKey(spec_.id);
    const std::unique_ptr<StoreIterator> it = env_.store().NewIterator(Family::kRecord);
    for (it->Seek(RowKey(spec_.id, first)); it->ValidWithPrefix(prefix); it->Next()) {
      ASSIGN_OR_RETURN(const RowId row, DecodeRowKey(it->key()));
      if (gone.Contains(row)) continue;
      ASSIGN_OR_RETURN(Record record, Decoded(row, it->value(), {}));
      ++changes_;
      RETURN_IF_ERROR(batcher.Add(row, std::move(record)));
    }
    RETURN_IF_ERROR(it->status());
    return batcher.Flush();
  }

  LoadedIndexes Finish() {
    const std::shared_ptr<const fields::FieldSnapshot> fields = indexes_->fields().Snapshot();
    const fields::RowSet live = fields->AllRows();
    for (const ReadPart& read : parts_) {
      for (size_t slot = 0; slot < read.part->rows(); ++slot) {
        const RowId row = read.part->row_id(slot);
        if (!live.Contains(row)) read.part->MarkGone(row, kNeverSeen);
      }
    }
    return {indexes_, fields->rows(), changes_};
  }

  const RecordsEnv& env_;
  const StoredSpec& spec_;
  const RecordState& stored_;
  const LoadTerms& terms_;
  bool seal_;
  IndexManifest manifest_;
  std::vector<ReadPart> parts_;
  std::shared_ptr<Indexes> indexes_;
  uint64_t changes_ = 0;
};

}  // namespace

Status VisitLiveRows(const Store& store, CollectionId collection,
                     const std::function<Status(RowId, std::string_view)>& visit) {
  ASSIGN_OR_RETURN(const std::unordered_set<RowId> gone, ReadGone(store, collection));
  const std::string prefix = CollectionKey(collection);
  const std::unique_ptr<StoreIterator> it = store.NewIterator(Family::kRecord);
  for (it->Seek(prefix); it->ValidWithPrefix(prefix); it->Next()) {
    ASSIGN_OR_RETURN(const RowId row, DecodeRowKey(it->key()));
    if (!gone.contains(row)) RETURN_IF_ERROR(visit(row, it->value()));
  }
  return it->status();
}

Result<LoadedIndexes> LoadIndexes(const RecordsEnv& env, const StoredSpec& spec,
                                  const RecordState& stored, const LoadTerms& terms) {
  return IndexLoader(env, spec, stored, terms).Load();
}

std::string EncodeSwept(const fields::RowSet& rows) {
  std::string bytes;
  Encoder out(&bytes);
  out.U8(kSweptFormat);
  out.Varint(rows.parts().size());
  for (const auto& [high, low] : rows.parts()) {
    out.U32(high);
    fields::EncodeRows(low, &out);
  }
  return bytes;
}

Result<fields::RowSet> DecodeSwept(std::string_view bytes) {
  Decoder in(bytes);
  if (in.U8() != kSweptFormat) in.Fail();
  fields::RowSet rows;
  const size_t parts = in.Count(sizeof(uint32_t) + 1);
  for (size_t i = 0; i < parts; ++i) {
    const uint32_t high = in.U32();
    rows.AddAll(high, fields::DecodeRows(&in));
  }
  if (!in.done()) return Corrupt("note of removed records");
  return rows;
}

Result<std::shared_ptr<const TextIndexes>> MakeTextIndexes(const keywords::Shared& shared,
                                                           const StoredSpec& spec,
                                                           const TextIndexes* old) {
  ASSIGN_OR_RETURN(const keywords::Language language,
                   keywords::Language::Parse(spec.spec.language));
  auto texts = std::make_shared<TextIndexes>();
  for (const auto& [name, number] : spec.text_numbers) {
    const auto before = old == nullptr ? TextIndexes::const_iterator() : old->find(number);
    if (old != nullptr && before != old->end()) {
      texts->emplace(number, before->second);
      continue;
    }
    texts->emplace(number, std::make_shared<keywords::KeywordIndex>(
                               shared, keywords::IndexName{spec.id, number}, language));
  }
  return std::shared_ptr<const TextIndexes>(std::move(texts));
}

}  // namespace ragstone::index::records
