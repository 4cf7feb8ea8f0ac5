#include "index/internal/records_db/record_worker.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "base/caught.h"
#include "base/crash_point.h"
#include "index/internal/records_db/index_checkpoint.h"
#include "index/internal/records_db/record_reader.h"
#include "index/internal/records_db/request_book.h"
#include "index/internal/records_db/row_sweep.h"
#include "index/internal/records_db/text_search.h"

namespace ragstone::index::records {
namespace {

using std::chrono::milliseconds;
using SteadyClock = std::chrono::steady_clock;

constexpr size_t kRequestsSweptAtOnce = 10'000;
constexpr milliseconds kWaitForReaders{100};
constexpr milliseconds kAfterError{1000};
constexpr std::chrono::seconds kSaveAllMax{20};
// Searches and writes go first wherever they want the processor too.
constexpr int kNice = 10;

}  // namespace

void RecordWorker::Start() {
  thread_ = std::thread([this] { Loop(); });
}

void RecordWorker::Stop() {
  stop_.store(true);
  {
    MutexLock lock(&mutex_);
    if (sealing_ != nullptr) sealing_->given_up().store(true);
    wake_.NotifyAll();
  }
  if (thread_.joinable()) thread_.join();
}

void RecordWorker::Wake(const std::shared_ptr<RecordCollection>& collection) {
  MutexLock lock(&mutex_);
  woken_[collection] = Time();
  wake_.NotifyAll();
}

void RecordWorker::WakeDropped(CollectionId id, std::shared_ptr<RecordCollection> collection) {
  MutexLock lock(&mutex_);
  dropped_[id] = std::move(collection);
  dropped_due_ = Time();
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

RecordWorker::Time RecordWorker::TakeDue(Collections* collections, Dropped* dropped) {
  const Time now = SteadyClock::now();
  Time next = Time::max();
  for (auto it = woken_.begin(); it != woken_.end();) {
    if (it->second <= now) {
      collections->insert(*it);
      it = woken_.erase(it);
      continue;
    }
    next = std::min(next, it->second);
    ++it;
  }
  if (!dropped_.empty() && dropped_due_ <= now) {
    dropped->swap(dropped_);
    removing_ = true;
  } else if (!dropped_.empty()) {
    next = std::min(next, dropped_due_);
  }
  return next;
}

void RecordWorker::Loop() {
  // Without it the work is done all the same.
  (void)setpriority(PRIO_PROCESS, static_cast<id_t>(syscall(SYS_gettid)), kNice);
  while (!stop_.load()) {
    Collections collections;
    Dropped dropped;
    {
      MutexLock lock(&mutex_);
      const Time next = TakeDue(&collections, &dropped);
      if (collections.empty() && dropped.empty()) {
        if (stop_.load()) break;
        if (next == Time::max()) {
          wake_.Wait(&mutex_);
        } else {
          wake_.WaitUntil(&mutex_, next);
        }
        continue;
      }
    }
    RunOnce(&collections, &dropped);
    MutexLock lock(&mutex_);
    // Woken again meanwhile counts.
    woken_.merge(collections);
    dropped_.merge(dropped);
    removing_ = false;
    dropped_due_ = SteadyClock::now() + kWaitForReaders;
  }
}

void RecordWorker::RunOnce(Collections* collections, Dropped* dropped) {
  for (auto it = collections->begin(); it != collections->end() && !stop_.load();) {
    const Result<Pause> pause = Caught("background work on a record collection",
                                       [&] { return MaintainOne(it->first.get()); });
    Note(pause.status());
    const Pause again = pause.ok() ? *pause : Pause(kAfterError);
    if (again.has_value()) it->second = SteadyClock::now() + *again;
    it = again.has_value() ? std::next(it) : collections->erase(it);
  }
  for (auto it = dropped->begin(); it != dropped->end() && !stop_.load();) {
    const bool in_use = it->second != nullptr && it->second->InUse();
    const Status status =
        in_use ? OkStatus()
               : Caught("removing a dropped record collection", [&] { return Removed(it->first); });
    Note(status);
    it = !in_use && status.ok() ? dropped->erase(it) : std::next(it);
  }
}

Result<bool> RecordWorker::Maintain(RecordCollection* collection) {
  ASSIGN_OR_RETURN(const Pause pause, MaintainOne(collection));
  return pause.has_value();
}

Result<RecordWorker::Pause> RecordWorker::MaintainOne(RecordCollection* collection) {
  MutexLock one(&maintain_mutex_);
  if (collection->State() == nullptr) return Pause();
  ASSIGN_OR_RETURN(const Pause rows, RemoveGone(collection));
  RETURN_IF_ERROR(SweepRequests(collection));
  // Before vectors are sealed, which may take long, and after.
  RETURN_IF_ERROR(SaveIfDue(collection).status());
  RETURN_IF_ERROR(SealVectors(collection));
  RETURN_IF_ERROR(MergeTexts(collection));
  RETURN_IF_ERROR(MergeFields(collection));
  env_->budget->Trim(collection);
  ASSIGN_OR_RETURN(const Pause save, SaveIfDue(collection));
  if (!rows.has_value() || !save.has_value()) return rows.has_value() ? rows : save;
  return Pause(std::min(*rows, *save));
}

Result<RecordWorker::Pause> RecordWorker::RemoveGone(RecordCollection* collection) {
  RowSweep sweep(*env_, collection);
  RETURN_IF_ERROR(sweep.Run(stop_));
  if (sweep.waits_for_readers()) return Pause(kWaitForReaders);
  return sweep.waits_for_history();
}

Status RecordWorker::SweepRequests(RecordCollection* collection) {
  for (bool more = true; more && !stop_.load();) {
    MutexLock commit(&collection->commit_mutex());
    if (collection->State() == nullptr || collection->stored.requests == 0) return OkStatus();
    StoreBatch batch(&env_->store());
    RequestBook book(env_->store(), collection->id(), env_->clock->NowNs());
    RecordState stored = collection->stored;
    std::vector<RequestRow> rows;
    ASSIGN_OR_RETURN(const size_t removed,
                     book.Sweep(kRequestsSweptAtOnce, UINT64_MAX, &rows, &stored.requests));
    AddRows(rows, &batch);
    more = removed == kRequestsSweptAtOnce;
    if (removed == 0) return OkStatus();
    CrashPoint("records.request-sweep");
    batch.Put(Family::kMeta, StateKey(collection->id()), EncodeRecordState(stored));
    RETURN_IF_ERROR(env_->store().Write(&batch, /*sync=*/false));
    CrashPoint("records.request-sweep");
    collection->stored = stored;
  }
  return OkStatus();
}

Result<bool> RecordWorker::SealOne(RecordCollection* collection, Indexes* indexes, size_t vector) {
  StateRef state;
  std::vector<std::shared_ptr<VectorPart>> parts;
  {
    MutexLock commit(&collection->commit_mutex());
    state = collection->State();
    if (state == nullptr || collection->indexes().get() != indexes) return false;
    parts = indexes->vectors()[vector].ChooseParts();
  }
  if (parts.empty()) return false;
  // While the state is held, no row of the parts is removed.
  const VectorField& field = state->spec->spec.vectors[vector];
  const ShareOfRecords share{env_->share(*collection), state->records,
                             env_->SealRowsOf(*state->spec)};
  SealTerms terms;
  {
    MutexLock commit(&collection->commit_mutex());
    if (collection->indexes().get() != indexes) return false;
    const VectorSet& set = indexes->vectors()[vector];
    terms = set.Terms(VectorShare(*state->spec, field, share));
    terms.stop = &indexes->given_up();
    parts = set.ChooseParts(terms);
  }
  const RowVectorReader reader(env_->store(), *state->spec, field.name);
  CrashPoint("records.before-seal");
  ASSIGN_OR_RETURN(std::shared_ptr<VectorPart> made, SealParts(field, parts, reader, terms));
  CrashPoint("records.sealed");
  MutexLock commit(&collection->commit_mutex());
  const StateRef now = collection->State();
  if (now == nullptr || now->spec != state->spec || collection->indexes().get() != indexes) {
    return false;
  }
  indexes->vectors()[vector].Replace(parts, std::move(made));
  CollectionState next = *now;
  next.indexes = indexes->View();
  collection->Publish(std::move(next));
  return true;
}

Status RecordWorker::SealVectors(RecordCollection* collection) {
  std::shared_ptr<Indexes> indexes;
  {
    MutexLock commit(&collection->commit_mutex());
    indexes = collection->indexes();
  }
  if (indexes == nullptr) return OkStatus();
  {
    MutexLock lock(&mutex_);
    sealing_ = indexes;
  }
  bool made_any = false;
  Status status;
  for (size_t i = 0; i < indexes->vectors().size() && status.ok() && !stop_.load(); ++i) {
    const Result<bool> made =
        Caught("sealing vectors", [&] { return SealOne(collection, indexes.get(), i); });
    status = made.status();
    made_any = made_any || (made.ok() && *made);
    if (!status.ok()) break;
    status = Caught("measuring recall", [&] { return CalibrateOne(collection, indexes.get(), i); });
  }
  {
    MutexLock lock(&mutex_);
    sealing_ = nullptr;
  }
  // Nobody wants what was being made.
  if (indexes->given_up().load() || stop_.load()) return OkStatus();
  RETURN_IF_ERROR(status);
  if (!made_any) return OkStatus();
  SaveOptions options;
  options.stopped = [this] { return stop_.load(); };
  const Status saved = SaveIndexes(*env_, collection, options);
  // A change meanwhile has woken us again.
  return saved.code() == StatusCode::kAborted ? OkStatus() : saved;
}

Status RecordWorker::CalibrateOne(RecordCollection* collection, Indexes* indexes, size_t vector) {
  StateRef state;  // while it is held, no row is removed
  std::vector<std::shared_ptr<VectorPart>> parts;
  {
    MutexLock commit(&collection->commit_mutex());
    state = collection->State();
    if (state == nullptr || collection->indexes().get() != indexes) return OkStatus();
    parts = indexes->vectors()[vector].PartsToCalibrate();
  }
  const VectorField& field = state->spec->spec.vectors[vector];
  const RowVectorReader reader(env_->store(), *state->spec, field.name);
  for (const std::shared_ptr<VectorPart>& part : parts) {
    RETURN_IF_ERROR(CalibrateByAsked(field, reader, &indexes->given_up(), part.get()));
  }
  return OkStatus();
}

Status RecordWorker::MergeFields(RecordCollection* collection) {
  std::shared_ptr<Indexes> indexes;
  {
    MutexLock commit(&collection->commit_mutex());
    indexes = collection->indexes();
  }
  if (indexes == nullptr) return OkStatus();
  bool merged = false;
  while (!stop_.load() && indexes->fields().MergeOnce()) merged = true;
  MutexLock commit(&collection->commit_mutex());
  const StateRef state = collection->State();
  if (state == nullptr || collection->indexes() != indexes) return OkStatus();
  indexes->charge().Set(MemoryBytes(*indexes->View()));
  collection->NoteCharge();
  if (!merged) return OkStatus();
  CrashPoint("records.fields-merged");
  CollectionState next = *state;
  next.indexes = indexes->View();
  collection->Publish(std::move(next));
  return OkStatus();
}

Status RecordWorker::MergeTexts(RecordCollection* collection) {
  const StateRef state = collection->State();
  if (state == nullptr || state->indexes == nullptr) return OkStatus();
  const StateRowKeeper keeper(collection);
  for (const auto& [number, text] : *state->texts) {
    for (bool more = text->Due(); more && !stop_.load();) {
      const Result<bool> merged = text->Maintain(keeper, stop_);
      // It was unloaded meanwhile.
      if (!merged.ok() && merged.status().code() == StatusCode::kUnavailable) return OkStatus();
      RETURN_IF_ERROR(merged.status());
      more = *merged;
    }
  }
  return OkStatus();
}

Result<RecordWorker::Pause> RecordWorker::SaveIfDue(RecordCollection* collection) {
  const SaveDue due = StateDue(*env_, *collection);
  if (!due.now) return due.later;
  SaveOptions options;
  options.with_state = true;
  options.stopped = [this] { return stop_.load(); };
  const Status saved = SaveIndexes(*env_, collection, options);
  if (saved.code() != StatusCode::kAborted) RETURN_IF_ERROR(saved);
  return Pause();
}

Status RecordWorker::Save(RecordCollection* collection) {
  MutexLock one(&maintain_mutex_);
  SaveOptions options;
  options.with_state = true;
  return SaveIndexes(*env_, collection, options);
}

void RecordWorker::SaveAll(const std::vector<std::shared_ptr<RecordCollection>>& collections) {
  MutexLock one(&maintain_mutex_);
  const Time until = SteadyClock::now() + kSaveAllMax;
  SaveOptions options;
  options.with_state = true;
  options.stopped = [until] { return SteadyClock::now() > until; };
  for (const std::shared_ptr<RecordCollection>& collection : collections) {
    if (options.stopped()) return;
    if (!StateWorthSaving(*env_, *collection)) continue;
    const Status saved =
        Caught("storing indexes", [&] { return SaveIndexes(*env_, collection.get(), options); });
    if (!saved.ok()) {
      env_->Warn(
          "indexes of record collections could not be stored at the end, and are read from "
          "records at the next start: " +
          saved.ToString());
    }
  }
}

Result<bool> RecordWorker::EndHistory(RecordCollection* collection) {
  MutexLock one(&maintain_mutex_);
  RowSweep sweep(*env_, collection);
  sweep.EndHistory();
  RETURN_IF_ERROR(sweep.Run(stop_));
  if (sweep.waits_for_readers()) return true;
  RETURN_IF_ERROR(ForgetIndexes(*env_, collection));
  return false;
}

bool RecordWorker::RemovesDropped() const {
  MutexLock lock(&mutex_);
  return removing_ || !dropped_.empty();
}

Status RecordWorker::Removed(CollectionId id) {
  CrashPoint("records.drop-rows");
  env_->FolderOf(id).KeepOnly({});
  StoreBatch batch(&env_->store());
  const std::string begin = CollectionKey(id);
  const std::string end = CollectionKey(id + 1);
  for (const Family family : {Family::kRecord, Family::kRecordId, Family::kRecordGone,
                              Family::kRecordRequest, Family::kPosting}) {
    RETURN_IF_ERROR(env_->store().DeleteRange(family, begin, end));
  }
  // What was done for it while it was dropped.
  batch.Delete(Family::kMeta, HorizonKey(id));
  batch.Delete(Family::kMeta, ManifestKey(id));
  batch.DeleteRange(Family::kMeta, SweptKey(id, 0), SweptKey(id, UINT64_MAX));
  batch.Delete(Family::kMeta, DropKey(id));
  CrashPoint("records.drop-rows");
  return env_->store().Write(&batch, /*sync=*/false);
}

}  // namespace ragstone::index::records
