// Opening, and the collections themselves.
#include <algorithm>
#include <set>

#include "base/caught.h"
#include "base/crash_point.h"
#include "index/filter/names.h"
#include "index/internal/coding.h"
#include "index/internal/keys.h"
#include "index/internal/records_db/record_database_impl.h"
#include "index/internal/records_db/record_loader.h"

namespace ragstone::index {

Result<std::unique_ptr<RecordDatabase>> RecordDatabase::Open(Database* database,
                                                             const Clock* clock) {
  auto records =
      std::make_unique<records::RecordDatabaseImpl>(static_cast<DatabaseImpl*>(database), clock);
  RETURN_IF_ERROR(records->Start());
  return std::unique_ptr<RecordDatabase>(std::move(records));
}

namespace records {
namespace {

constexpr uint64_t kKeywordSegmentBlock = 64;
constexpr uint64_t kKeywordCacheShare = 8;  // of the database's memory
constexpr size_t kRunRows = 1024;
// Collections of fewer records have no index files.
constexpr size_t kFileRowsMin = 4096;

Result<SequenceNumber> ReadHorizon(const Store& store, CollectionId id) {
  ASSIGN_OR_RETURN(const std::optional<std::string> bytes,
                   store.Get(Family::kMeta, HorizonKey(id)));
  return bytes.has_value() ? DecodeIdRow(*bytes) : Result<SequenceNumber>(0);
}

// All keys of a text field's index.
std::pair<std::string, std::string> TextKeys(CollectionId id, uint16_t number) {
  const auto key = [id](uint32_t of) {
    return CollectionKey(id) + static_cast<char>(of >> 8) + static_cast<char>(of);
  };
  return {key(number), number == UINT16_MAX ? CollectionKey(id + 1) : key(number + 1u)};
}

}  // namespace

RecordDatabaseImpl::RecordDatabaseImpl(DatabaseImpl* database, const Clock* clock)
    : database_(database), search_pool_(database->core().options().search_threads) {
  env_.core = &database->core();
  env_.clock = clock;
  env_.seal_rows = std::max<size_t>(1, env_.core->options().hnsw_vectors_min);
  env_.file_rows_min = std::min(kFileRowsMin, env_.seal_rows);
  budget_ = std::make_unique<MemoryBudget>(env_.core->options().record_memory_bytes);
  env_.budget = budget_.get();
  env_.loads = &loads_;
  env_.share = [this](const RecordCollection& collection) { return ShareOf(collection); };
  worker_ = std::make_unique<RecordWorker>(&env_);
  env_.wake = [this](const CollectionRef& collection) { worker_->Wake(collection); };
}

RecordDatabaseImpl::~RecordDatabaseImpl() {
  worker_->Stop();
  std::vector<CollectionRef> collections;
  {
    MutexLock lock(&mutex_);
    for (const auto& [name, collection] : by_name_) collections.push_back(collection);
  }
  worker_->SaveAll(collections);
}

Status RecordDatabaseImpl::Start() {
  Store* const store = &env_.store();
  ASSIGN_OR_RETURN(keyword_segment_ids_, IdAllocator::Open(store, "counter/record-keyword-segment",
                                                           kKeywordSegmentBlock));
  keyword_cache_ =
      std::make_unique<keywords::ListCache>(env_.core->options().memory_bytes / kKeywordCacheShare);
  env_.keywords = {store, keyword_segment_ids_.get(), keyword_cache_.get(), &keyword_work_};
  const std::unique_ptr<StoreIterator> it = store->NewIterator(Family::kMeta);
  for (it->Seek(kSpecPrefix); it->ValidWithPrefix(kSpecPrefix); it->Next()) {
    RETURN_IF_ERROR(LoadCollection(it->value()));
  }
  std::set<CollectionId> with_files;
  {
    MutexLock lock(&mutex_);
    for (const auto& [name, collection] : by_name_) with_files.insert(collection->id());
  }
  for (const auto& documents : env_.core->All()) with_files.insert(documents->id());
  IndexFolder::KeepFolders(env_.core->options().dir, with_files);
  for (it->Seek(kDropPrefix); it->ValidWithPrefix(kDropPrefix); it->Next()) {
    const std::string_view id = it->key().substr(kDropPrefix.size());
    if (id.size() != sizeof(CollectionId)) return Corrupt("note of a dropped record collection");
    worker_->WakeDropped(Decoder(id).U32(), nullptr);
  }
  RETURN_IF_ERROR(it->status());
  worker_->Start();
  return OkStatus();
}

Status RecordDatabaseImpl::LoadCollection(std::string_view spec_bytes) {
  ASSIGN_OR_RETURN(StoredSpec decoded, DecodeStoredSpec(spec_bytes));
  const auto spec = std::make_shared<const StoredSpec>(std::move(decoded));
  ASSIGN_OR_RETURN(const std::optional<std::string> bytes,
                   env_.store().Get(Family::kMeta, StateKey(spec->id)));
  if (!bytes.has_value()) return Corrupt("state of the record collection " + spec->spec.name);
  ASSIGN_OR_RETURN(const RecordState stored, DecodeRecordState(*bytes));
  ASSIGN_OR_RETURN(const SequenceNumber horizon, ReadHorizon(env_.store(), spec->id));
  ASSIGN_OR_RETURN(std::shared_ptr<const TextIndexes> texts,
                   MakeTextIndexes(env_.keywords, *spec, nullptr));
  auto collection = std::make_shared<RecordCollection>(spec, stored, horizon, std::move(texts));
  ASSIGN_OR_RETURN(const IndexManifest manifest, ReadManifest(env_, spec->id));
  collection->set_saved(SavedOf(*spec, manifest));
  // What a crash left there.
  env_.FolderOf(spec->id).KeepOnly(manifest.Stamps());
  worker_->Wake(collection);
  MutexLock lock(&mutex_);
  by_name_[spec->spec.name] = std::move(collection);
  return OkStatus();
}

Result<std::shared_ptr<RecordCollection>> RecordDatabaseImpl::Find(std::string_view name) const {
  MutexLock lock(&mutex_);
  const auto it = by_name_.find(name);
  if (it == by_name_.end()) return RecordCollectionNotFound(name);
  return it->second;
}

Result<StateRef> RecordDatabaseImpl::CurrentState(std::string_view name) const {
  ASSIGN_OR_RETURN(const CollectionRef collection, Find(name));
  StateRef state = collection->State();
  if (state == nullptr) return RecordCollectionNotFound(name);
  return state;
}

Result<StateRef> RecordDatabaseImpl::IndexedState(std::string_view name) const {
  ASSIGN_OR_RETURN(const CollectionRef collection, Find(name));
  return LoadedState(collection, name);
}

Result<StateRef> RecordDatabaseImpl::LoadedState(const CollectionRef& collection,
                                                 std::string_view name) const {
  collection->Use(env_.budget->Tick());
  for (;;) {
    StateRef state = collection->State();
    if (state == nullptr) return RecordCollectionNotFound(name);
    if (state->indexes != nullptr) return state;
    MutexLock load(&collection->load_mutex());
    state = collection->State();
    if (state == nullptr || state->indexes != nullptr) continue;
    RETURN_IF_ERROR(Caught("reading indexes", [&] { return Load(collection, *state); }));
    env_.budget->Trim(collection.get());
  }
}

RecordDatabaseImpl::LoadPlan RecordDatabaseImpl::PlanLoad(const RecordCollection& collection,
                                                          const StoredSpec& spec,
                                                          uint64_t records) const {
  const SavedIndexes saved = collection.saved();
  const uint64_t by_rows = records * RowMemory(spec);
  const uint64_t need = saved.bytes + by_rows - std::min(by_rows, saved.row_bytes);
  const uint64_t limit = env_.budget->limit();
  if (limit == 0 || need <= limit) return {need, false};
  const uint64_t least = LeastNeed(spec, records, env_.SealRowsOf(spec));
  return least < need ? LoadPlan{least, true} : LoadPlan{need, false};
}

uint64_t RecordDatabaseImpl::ShareOf(const RecordCollection& collection) const {
  const uint64_t limit = budget_->limit() != 0 ? budget_->limit() : MachineShare();
  uint64_t own = 0;
  std::vector<uint64_t> others;
  MutexLock lock(&mutex_);
  for (const auto& [name, other] : by_name_) {
    const StateRef state = other->State();
    if (state == nullptr) continue;
    const MemoryNeed need = NeedOf(*state->spec, state->records, env_.SealRowsOf(*state->spec));
    if (other.get() == &collection) {
      own = need.vectors + need.rest;
    } else {
      others.push_back(need.vectors + need.rest);
    }
  }
  return FairShare(limit, own, std::move(others));
}

Status RecordDatabaseImpl::CheckLoadable(const RecordCollection& collection,
                                         uint64_t records) const {
  const StateRef state = collection.State();
  const uint64_t limit = env_.budget->limit();
  if (state == nullptr || limit == 0) return OkStatus();
  const uint64_t need = PlanLoad(collection, *state->spec, records).need;
  if (need <= limit) return OkStatus();
  return ResourceExhausted(
      Reason::kMemoryLimit,
      "the indexes of collection " + Quoted(state->spec->spec.name) + " would take about " +
          std::to_string(need >> 20) + " MiB of memory; all record collections may take " +
          std::to_string(limit >> 20) +
          " MiB: raise record_memory_limit, or give its vectors a smaller storage");
}

Status RecordDatabaseImpl::Load(const CollectionRef& collection,
                                const CollectionState& state) const {
  const LoadPlan plan = PlanLoad(*collection, *state.spec, state.records);
  ASSIGN_OR_RETURN(
      std::shared_ptr<MemoryCharge> memory,
      env_.budget->Reserve(plan.need, collection.get(),
                           "loading the indexes of collection " + Quoted(state.spec->spec.name)));
  const LoadTerms terms{ShareOf(*collection), plan.seal, memory.get()};
  MutexLock commit(&collection->commit_mutex());
  const StateRef now = collection->State();
  if (now == nullptr || now->indexes != nullptr) return OkStatus();
  ASSIGN_OR_RETURN(LoadedIndexes loaded, LoadIndexes(env_, *now->spec, collection->stored, terms));
  loaded.indexes->SetCharge(memory);
  CollectionState next = *now;
  next.records = collection->stored.records = loaded.records;
  next.indexes = loaded.indexes->View();
  memory->Set(MemoryBytes(*next.indexes));
  collection->SetIndexes(std::move(loaded.indexes));
  collection->SetChanges(loaded.changes);
  collection->Publish(std::move(next));
  env_.budget->Add(collection);
  env_.wake(collection);
  return OkStatus();
}

RecordCollectionInfo RecordDatabaseImpl::Describe(const CollectionState& state) const {
  RecordCollectionInfo info;
  info.id = state.spec->id;
  info.spec = state.spec->spec;
  info.created_ns = state.spec->created_ns;
  info.records = state.records;
  if (state.indexes != nullptr) info.memory_bytes = MemoryBytes(*state.indexes);
  for (const VectorField& field : state.spec->spec.vectors) {
    if (state.indexes != nullptr) {
      info.index.push_back(DescribeVectors(field, state.indexes->vectors.at(field.name)));
    } else {
      info.index.push_back((field.name.empty() ? "" : Quoted(field.name) + ": ") +
                           "read at the first search");
    }
  }
  return info;
}

Result<RecordCollectionInfo> RecordDatabaseImpl::CreateCollection(const RecordCollectionSpec& spec,
                                                                  Batch also) {
  RETURN_IF_ERROR(CheckSpec(spec));
  // Held over the write, with document collections: no name is given twice.
  MutexLock names(&database_->collections_mutex());
  if (Find(spec.name).ok() || env_.core->FindByName(spec.name).ok()) {
    return Status(StatusCode::kAlreadyExists, Reason::kCollectionExists,
                  "the collection " + Quoted(spec.name) + " exists; use it or drop it first");
  }
  ASSIGN_OR_RETURN(const uint64_t id, env_.core->collection_ids().Take());
  if (id >= UINT32_MAX) {
    return ResourceExhausted(Reason::kLimitExceeded,
                             "all 4294967294 collection ids were used; start a new data directory");
  }
  const auto stored_spec = std::make_shared<const StoredSpec>(
      NewStoredSpec(static_cast<CollectionId>(id), env_.clock->NowNs(), spec));
  RecordState stored;
  ASSIGN_OR_RETURN(stored.version, env_.core->sequences().Take());
  ASSIGN_OR_RETURN(std::shared_ptr<const TextIndexes> texts,
                   MakeTextIndexes(env_.keywords, *stored_spec, nullptr));
  StoreBatch batch(&env_.store());
  batch.Put(Family::kMeta, SpecKey(stored_spec->id), EncodeStoredSpec(*stored_spec));
  batch.Put(Family::kMeta, StateKey(stored_spec->id), EncodeRecordState(stored));
  batch.Put(Family::kMeta, NameKey(spec.name), EncodeIdRow(id));
  batch.Add(also);
  RETURN_IF_ERROR(env_.store().Write(&batch, /*sync=*/true));
  CrashPoint("records.created");
  auto collection =
      std::make_shared<RecordCollection>(stored_spec, stored, stored.version, std::move(texts));
  const RecordCollectionInfo info = Describe(*collection->State());
  MutexLock lock(&mutex_);
  by_name_[spec.name] = std::move(collection);
  return info;
}

Status RecordDatabaseImpl::RebuildTexts(const StoredSpec& before, const StoredSpec& after,
                                        const TextIndexes& texts) {
  std::map<std::string, uint16_t, std::less<>> rebuilt;
  StoreBatch batch(&env_.store());
  for (const auto& [name, number] : after.text_numbers) {
    const auto old = before.text_numbers.find(name);
    if (old != before.text_numbers.end() && old->second == number) continue;
    // A change that was cut short may have left rows of this number.
    const auto [begin, end] = TextKeys(after.id, number);
    RETURN_IF_ERROR(env_.store().DeleteRange(Family::kPosting, begin, end));
    if (old != before.text_numbers.end()) rebuilt[name] = number;
  }
  std::map<uint16_t, keywords::RunBuilder> runs;
  size_t rows = 0;
  const auto flush = [&]() -> Status {
    for (const auto& [number, run] : runs) {
      texts.at(number)->Put(run, &batch);
      texts.at(number)->Added(run);
    }
    runs.clear();
    RETURN_IF_ERROR(env_.store().Write(&batch, /*sync=*/false));
    batch.Clear();
    return OkStatus();
  };
  const auto visit = [&](RowId row, std::string_view bytes) -> Status {
    ASSIGN_OR_RETURN(const Record record, DecodeRow(after, row, bytes, {true, false}));
    for (const auto& [name, number] : rebuilt) {
      const std::vector<std::string_view> words = TextsOf(record, name);
      if (words.empty()) continue;
      const auto run = runs.try_emplace(number, texts.at(number)->NewRun()).first;
      RETURN_IF_ERROR(run->second.Add(row, words).status());
    }
    return ++rows % kRunRows == 0 ? flush() : OkStatus();
  };
  if (!rebuilt.empty()) RETURN_IF_ERROR(VisitLiveRows(env_.store(), after.id, visit));
  return flush();
}

Result<SavedIndexes> RecordDatabaseImpl::KeepUsable(const StoredSpec& altered,
                                                    StoreBatch* batch) const {
  ASSIGN_OR_RETURN(IndexManifest manifest, ReadManifest(env_, altered.id));
  // The state goes for good: rows that are removed from now on are not noted for it, even if the
  // description becomes what it was.
  manifest.state = StoredFile();
  std::erase_if(manifest.parts, [&](const StoredPart& part) {
    const VectorField* const field = altered.FindVector(part.vector);
    return field == nullptr || VectorFingerprint(altered, *field) != part.fingerprint;
  });
  if (manifest.parts.empty()) {
    batch->Delete(Family::kMeta, ManifestKey(altered.id));
  } else {
    batch->Put(Family::kMeta, ManifestKey(altered.id), EncodeManifest(manifest));
  }
  batch->DeleteRange(Family::kMeta, SweptKey(altered.id, 0), SweptKey(altered.id, UINT64_MAX));
  return SavedOf(altered, manifest);
}

Result<RecordCollectionInfo> RecordDatabaseImpl::AlterCollection(const RecordCollectionSpec& spec) {
  ASSIGN_OR_RETURN(const CollectionRef collection, Find(spec.name));
  MutexLock commit(&collection->commit_mutex());
  const StateRef state = collection->State();
  if (state == nullptr) return RecordCollectionNotFound(spec.name);
  ASSIGN_OR_RETURN(StoredSpec altered, AlteredSpec(*state->spec, spec, state->next_row));
  ASSIGN_OR_RETURN(std::shared_ptr<const TextIndexes> texts,
                   MakeTextIndexes(env_.keywords, altered, state->texts.get()));
  RETURN_IF_ERROR(RebuildTexts(*state->spec, altered, *texts));
  CrashPoint("records.alter-texts");
  StoreBatch batch(&env_.store());
  batch.Put(Family::kMeta, SpecKey(altered.id), EncodeStoredSpec(altered));
  for (const auto& [name, number] : state->spec->text_numbers) {
    if (texts->contains(number)) continue;
    state->texts->at(number)->Drop();
    const auto [begin, end] = TextKeys(altered.id, number);
    batch.DeleteRange(Family::kPosting, begin, end);
  }
  const bool same_indexes = StateFingerprint(*state->spec) == StateFingerprint(altered);
  SavedIndexes saved = collection->saved();
  if (!same_indexes) {
    ASSIGN_OR_RETURN(saved, KeepUsable(altered, &batch));
  }
  RETURN_IF_ERROR(env_.store().Write(&batch, /*sync=*/true));
  CrashPoint("records.altered");
  collection->set_saved(saved);
  CollectionState next = *state;
  next.spec = std::make_shared<const StoredSpec>(std::move(altered));
  next.texts = std::move(texts);
  if (!same_indexes) {
    CrashPoint("records.altered");
    // Indexes are read anew, with the new fields.
    next.indexes = nullptr;
    collection->SetIndexes(nullptr);
  }
  const RecordCollectionInfo info = Describe(next);
  collection->Publish(std::move(next));
  return info;
}

Status RecordDatabaseImpl::DropCollection(std::string_view name, Batch also) {
  MutexLock names(&database_->collections_mutex());
  ASSIGN_OR_RETURN(const CollectionRef collection, Find(name));
  {
    MutexLock commit(&collection->commit_mutex());
    const StateRef state = collection->State();
    if (state == nullptr) return RecordCollectionNotFound(name);
    const CollectionId id = collection->id();
    StoreBatch batch(&env_.store());
    for (const std::string& key :
         {SpecKey(id), StateKey(id), HorizonKey(id), NameKey(name), ManifestKey(id)}) {
      batch.Delete(Family::kMeta, key);
    }
    batch.DeleteRange(Family::kMeta, SweptKey(id, 0), SweptKey(id, UINT64_MAX));
    batch.Put(Family::kMeta, DropKey(id), EncodeIdRow(kNoRow));
    batch.Add(also);
    RETURN_IF_ERROR(env_.store().Write(&batch, /*sync=*/true));
    CrashPoint("records.dropped");
    for (const auto& [number, text] : *state->texts) text->Drop();
    collection->SetIndexes(nullptr);
    collection->Drop();
  }
  {
    MutexLock lock(&mutex_);
    by_name_.erase(by_name_.find(name));
  }
  worker_->WakeDropped(collection->id(), collection);
  return OkStatus();
}

Result<RecordCollectionInfo> RecordDatabaseImpl::GetCollection(std::string_view name) const {
  ASSIGN_OR_RETURN(const StateRef state, CurrentState(name));
  return Describe(*state);
}

Result<std::vector<RecordCollectionInfo>> RecordDatabaseImpl::ListCollections(
    std::string_view after, size_t limit) const {
  std::vector<CollectionRef> collections;
  {
    MutexLock lock(&mutex_);
    for (auto it = by_name_.upper_bound(after); it != by_name_.end() && collections.size() < limit;
         ++it) {
      collections.push_back(it->second);
    }
  }
  std::vector<RecordCollectionInfo> list;
  for (const CollectionRef& collection : collections) {
    const StateRef state = collection->State();
    if (state != nullptr) list.push_back(Describe(*state));
  }
  return list;
}

}  // namespace records
}  // namespace ragstone::index
