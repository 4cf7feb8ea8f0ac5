#include "index/internal/records_db/record_worker.h"

#include <chrono>

#include "index/internal/keys.h"
#include "index/internal/records_db/record_reader.h"
#include "index/internal/records_db/request_book.h"
#include "index/internal/records_db/text_search.h"

namespace ragstone::index::records {
namespace {

constexpr size_t kBatchBytes = 1 << 20;
constexpr size_t kRequestsSweptAtOnce = 10'000;
constexpr auto kWaitForReaders = std::chrono::milliseconds(100);
constexpr int64_t kNsPerSecond = 1'000'000'000;

}  // namespace

void RecordWorker::Start() {
  thread_ = std::thread([this] { Loop(); });
}

void RecordWorker::Stop() {
  stop_.store(true);
  {
    MutexLock lock(&mutex_);
    wake_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void RecordWorker::Wake(const std::shared_ptr<RecordCollection>& collection) {
  MutexLock lock(&mutex_);
  if (woken_.insert(collection).second) wake_.NotifyAll();
}

void RecordWorker::WakeDropped(CollectionId id, std::shared_ptr<RecordCollection> collection) {
  MutexLock lock(&mutex_);
  dropped_[id] = std::move(collection);
  wake_.NotifyAll();
}

std::string RecordWorker::last_error() const {
  MutexLock lock(&mutex_);
  return last_error_;
}

void RecordWorker::Note(const Status& status) {
  if (status.ok() || stop_.load()) return;
  ++failures_;
  MutexLock lock(&mutex_);
  last_error_ = status.ToString();
}

void RecordWorker::Loop() {
  while (!stop_.load()) {
    Collections collections;
    Dropped dropped;
    {
      MutexLock lock(&mutex_);
      while (!stop_.load() && woken_.empty() && dropped_.empty()) wake_.Wait(&mutex_);
      collections.swap(woken_);
      dropped.swap(dropped_);
    }
    RunOnce(&collections, &dropped);
    if (collections.empty() && dropped.empty()) continue;
    // What must wait for a reader, for time or for room on the disk is tried again.
    MutexLock lock(&mutex_);
    woken_.insert(collections.begin(), collections.end());
    dropped_.insert(dropped.begin(), dropped.end());
    const auto until = std::chrono::steady_clock::now() + kWaitForReaders;
    while (!stop_.load() && std::chrono::steady_clock::now() < until) {
      wake_.WaitUntil(&mutex_, until);
    }
  }
}

// Leaves in both what must be tried again.
void RecordWorker::RunOnce(Collections* collections, Dropped* dropped) {
  for (auto it = collections->begin(); it != collections->end() && !stop_.load();) {
    const Result<bool> waits = Maintain(it->get());
    Note(waits.status());
    it = waits.ok() && !*waits ? collections->erase(it) : std::next(it);
  }
  for (auto it = dropped->begin(); it != dropped->end() && !stop_.load();) {
    const bool in_use = it->second != nullptr && it->second->InUse();
    const Status status = in_use ? OkStatus() : Removed(it->first, it->second.get());
    Note(status);
    it = !in_use && status.ok() ? dropped->erase(it) : std::next(it);
  }
}

Result<bool> RecordWorker::Maintain(RecordCollection* collection) {
  MutexLock one(&maintain_mutex_);
  if (collection->State() == nullptr) return false;
  ASSIGN_OR_RETURN(const bool waits, RemoveGone(collection));
  RETURN_IF_ERROR(SweepRequests(collection));
  RETURN_IF_ERROR(SealVectors(collection));
  RETURN_IF_ERROR(MergeTexts(collection));
  bool merged = true;
  while (merged && !stop_.load()) {
    MutexLock commit(&collection->commit_mutex());
    const StateRef state = collection->State();
    if (state == nullptr || collection->indexes == nullptr) break;
    merged = collection->indexes->fields().MergeOnce();
    if (!merged) break;
    CollectionState next = *state;
    next.indexes = collection->indexes->View();
    collection->Publish(std::move(next));
  }
  return waits;
}

Result<bool> RecordWorker::RemoveGone(RecordCollection* collection) {
  const StateRef state = collection->State();
  if (state == nullptr) return false;
  const uint64_t history_ns = state->spec->spec.history_seconds * kNsPerSecond;
  const SequenceNumber oldest = collection->Oldest();
  const int64_t now_ns = env_->clock->NowNs();
  const CollectionId id = collection->id();
  Store& store = env_->store();
  StoreBatch batch(&store);
  SequenceNumber removed_to = 0;
  bool waits = false;
  const auto write = [&]() -> Status {
    if (batch.empty()) return OkStatus();
    batch.Put(Family::kMeta, HorizonKey(id), EncodeIdRow(removed_to));
    // Raised first: whoever reads an older version afterwards is refused, and whoever reads already
    // holds what it reads.
    collection->RaiseHorizon(removed_to);
    RETURN_IF_ERROR(store.Write(&batch, /*sync=*/false));
    batch.Clear();
    return OkStatus();
  };
  const std::string prefix = CollectionKey(id);
  const std::unique_ptr<StoreIterator> it = store.NewIterator(Family::kRecordGone);
  for (it->Seek(prefix); it->ValidWithPrefix(prefix) && !stop_.load(); it->Next()) {
    ASSIGN_OR_RETURN(const GoneKeyParts parts, DecodeGoneKey(it->key()));
    ASSIGN_OR_RETURN(const GoneRow gone, DecodeGoneRow(it->value()));
    const int64_t age_ns = now_ns - gone.gone_ns;
    waits = parts.gone_at > oldest ||
            (history_ns > 0 && (age_ns < 0 || static_cast<uint64_t>(age_ns) < history_ns));
    if (waits) break;
    batch.Delete(Family::kRecord, RowKey(id, parts.row));
    batch.Delete(Family::kRecordId, IdKey(id, gone.id, gone.version));
    if (gone.deleted) batch.Delete(Family::kRecordId, IdKey(id, gone.id, parts.gone_at));
    batch.Delete(Family::kRecordGone, it->key());
    removed_to = parts.gone_at;
    if (batch.bytes() >= kBatchBytes) RETURN_IF_ERROR(write());
  }
  RETURN_IF_ERROR(it->status());
  RETURN_IF_ERROR(write());
  return waits;
}

Status RecordWorker::SweepRequests(RecordCollection* collection) {
  for (bool more = true; more && !stop_.load();) {
    MutexLock commit(&collection->commit_mutex());
    if (collection->State() == nullptr || collection->stored.requests == 0) return OkStatus();
    StoreBatch batch(&env_->store());
    RequestBook book(env_->store(), collection->id(), env_->clock->NowNs());
    RecordState stored = collection->stored;
    ASSIGN_OR_RETURN(const size_t removed,
                     book.Sweep(kRequestsSweptAtOnce, &batch, &stored.requests));
    more = removed == kRequestsSweptAtOnce;
    if (removed == 0) return OkStatus();
    batch.Put(Family::kMeta, StateKey(collection->id()), EncodeRecordState(stored));
    RETURN_IF_ERROR(env_->store().Write(&batch, /*sync=*/false));
    collection->stored = stored;
  }
  return OkStatus();
}

Status RecordWorker::SealVectors(RecordCollection* collection) {
  StateRef state;
  size_t count = 0;
  {
    MutexLock commit(&collection->commit_mutex());
    if (collection->indexes != nullptr) count = collection->indexes->vectors().size();
  }
  for (size_t i = 0; i < count && !stop_.load(); ++i) {
    Indexes* indexes = nullptr;
    std::vector<std::shared_ptr<VectorPart>> parts;
    {
      MutexLock commit(&collection->commit_mutex());
      indexes = collection->indexes.get();
      state = collection->State();
      if (state == nullptr || indexes == nullptr || i >= indexes->vectors().size()) break;
      parts = indexes->vectors()[i].ChooseParts();
      if (parts.empty()) continue;
    }
    // While the state is held, no row of the parts is removed.
    const VectorField& field = state->spec->spec.vectors[i];
    const RowVectorReader reader(env_->store(), *state->spec, field.name);
    ASSIGN_OR_RETURN(std::shared_ptr<VectorPart> made, SealParts(field, parts, reader, &stop_));
    MutexLock commit(&collection->commit_mutex());
    const StateRef now = collection->State();
    if (now == nullptr || now->spec != state->spec || collection->indexes.get() != indexes) break;
    indexes->vectors()[i].Replace(parts, std::move(made));
    CollectionState next = *now;
    next.indexes = indexes->View();
    collection->Publish(std::move(next));
  }
  return OkStatus();
}

Status RecordWorker::MergeTexts(RecordCollection* collection) {
  const StateRef state = collection->State();
  if (state == nullptr || state->indexes == nullptr) return OkStatus();
  const StateRowKeeper keeper(collection);
  for (const auto& [number, text] : *state->texts) {
    for (bool more = text->Due(); more && !stop_.load();) {
      ASSIGN_OR_RETURN(more, text->Maintain(keeper, stop_));
    }
  }
  return OkStatus();
}

Status RecordWorker::Removed(CollectionId id, RecordCollection* /*collection*/) {
  StoreBatch batch(&env_->store());
  const std::string begin = CollectionKey(id);
  const std::string end = CollectionKey(id + 1);
  for (const Family family : {Family::kRecord, Family::kRecordId, Family::kRecordGone,
                              Family::kRecordRequest, Family::kPosting}) {
    batch.DeleteRange(family, begin, end);
  }
  batch.Delete(Family::kMeta, DropKey(id));
  return env_->store().Write(&batch, /*sync=*/false);
}

}  // namespace ragstone::index::records
