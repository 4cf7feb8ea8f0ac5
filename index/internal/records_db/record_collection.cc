#include "index/internal/records_db/record_collection.h"

#include <algorithm>

#include "index/filter/names.h"

namespace ragstone::index::records {

RecordCollection::RecordCollection(std::shared_ptr<const StoredSpec> spec,
                                   const RecordState& stored_state, SequenceNumber horizon,
                                   std::shared_ptr<const TextIndexes> texts)
    : stored(stored_state), id_(spec->id), horizon_(horizon) {
  CollectionState state;
  state.version = stored.version;
  state.last_gone = stored.version;
  state.records = stored.records;
  state.next_row = stored.next_row;
  state.spec = std::move(spec);
  state.texts = std::move(texts);
  state_ = std::make_shared<const CollectionState>(std::move(state));
}

StateRef RecordCollection::State() const {
  MutexLock lock(&mutex_);
  return state_;
}

SequenceNumber RecordCollection::Oldest() const {
  MutexLock lock(&mutex_);
  while (!earlier_.empty() && earlier_.front().second.expired()) earlier_.pop_front();
  if (!earlier_.empty()) return earlier_.front().first;
  return state_ != nullptr ? state_->version : UINT64_MAX;
}

bool RecordCollection::InUse() const {
  MutexLock lock(&mutex_);
  return state_ != nullptr ||
         std::any_of(earlier_.begin(), earlier_.end(),
                     [](const auto& earlier) { return !earlier.second.expired(); });
}

void RecordCollection::Publish(CollectionState state) {
  auto next = std::make_shared<const CollectionState>(std::move(state));
  {
    MutexLock lock(&mutex_);
    if (state_ == nullptr) return;
    earlier_.emplace_back(state_->version, state_);
    state_.swap(next);
    // The old one is still ours, so the last entry stays.
    while (earlier_.size() > 1 && earlier_.front().second.expired()) earlier_.pop_front();
  }
  // The old state may be the last to hold large indexes: it ends outside the lock.
}

void RecordCollection::Drop() {
  StateRef last;
  MutexLock lock(&mutex_);
  if (state_ == nullptr) return;
  earlier_.emplace_back(state_->version, state_);
  last.swap(state_);
}

void RecordCollection::Unload() {
  MutexLock commit(&commit_mutex_);
  const StateRef state = State();
  if (state == nullptr || indexes_ == nullptr) return;
  CollectionState next = *state;
  next.indexes = nullptr;
  SetIndexes(nullptr);
  Publish(std::move(next));
}

void RecordCollection::SetIndexes(std::shared_ptr<Indexes> indexes) {
  if (indexes_ != nullptr) indexes_->given_up().store(true);
  indexes_ = std::move(indexes);
  NoteCharge();
}

void RecordCollection::NoteCharge() {
  const uint64_t bytes = indexes_ == nullptr ? 0 : indexes_->charge().bytes();
  charged_bytes_.store(indexes_ == nullptr ? 0 : std::max<uint64_t>(1, bytes));
}

SavedIndexes RecordCollection::saved() const {
  MutexLock lock(&mutex_);
  return saved_;
}

void RecordCollection::set_saved(const SavedIndexes& saved) {
  MutexLock lock(&mutex_);
  saved_ = saved;
}

void RecordCollection::AddChanges(uint64_t count) {
  changes_.fetch_add(count);
  changed_at_.store(std::chrono::steady_clock::now().time_since_epoch().count());
}

std::chrono::steady_clock::duration RecordCollection::SinceChange() const {
  return std::chrono::steady_clock::now().time_since_epoch() -
         std::chrono::steady_clock::duration(changed_at_.load());
}

Status RecordCollectionNotFound(std::string_view name) {
  return NotFound(Reason::kCollectionNotFound,
                  "there is no record collection " + Quoted(name) + "; create it first");
}

Status RecordCollectionDropped(std::string_view name) {
  return Status(StatusCode::kAborted, Reason::kCollectionNotFound,
                "the record collection " + Quoted(name) +
                    " was dropped meanwhile; create it and write again");
}

}  // namespace ragstone::index::records
