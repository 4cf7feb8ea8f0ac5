#include "index/internal/keyword_merger.h"

#include <algorithm>
#include <chrono>

#include "index/internal/keyword.h"

namespace ragstone::index {
namespace {

constexpr auto kWaitForReaders = std::chrono::milliseconds(10);

}  // namespace

void KeywordMerger::Start() {
  thread_ = std::thread([this] { Loop(); });
}

void KeywordMerger::Stop() {
  stop_.store(true);
  core_->keyword_work().Notify();
  if (thread_.joinable()) thread_.join();
}

void KeywordMerger::Loop() {
  bool waiting = false;
  while (!stop_.load()) {
    const auto began = std::chrono::steady_clock::now();
    if (waiting) {
      core_->keyword_work().WaitUntil(began + kWaitForReaders);
    } else if (AnyScattered()) {
      core_->keyword_work().WaitUntil(began + idle_);
      if (!stop_.load() && std::chrono::steady_clock::now() >= began + idle_) CompactAll();
    } else {
      core_->keyword_work().Wait();
    }
    if (!stop_.load()) waiting = MergeAll();
  }
}

bool KeywordMerger::MergeAll() {
  bool waiting = false;
  for (const std::shared_ptr<Collection>& collection : core_->All()) {
    if (stop_.load()) return false;
    // Runs stay as they are, which is slower and right; the next signal tries again.
    if (!collection->keywords().Due()) continue;
    if (!Merge(collection.get()).ok()) {
      ++failures_;
    } else if (collection->keywords().WaitsForReaders()) {
      waiting = true;
    }
  }
  return waiting;
}

bool KeywordMerger::AnyScattered() const {
  const std::vector<std::shared_ptr<Collection>> all = core_->All();
  return std::any_of(all.begin(), all.end(), [](const std::shared_ptr<Collection>& collection) {
    return collection->keywords().Scattered();
  });
}

void KeywordMerger::CompactAll() {
  // What comes meanwhile goes first: compaction is tried again when nothing does.
  const auto stopped = [this] { return stop_.load() || core_->keyword_work().pending(); };
  for (const std::shared_ptr<Collection>& collection : core_->All()) {
    if (stopped()) return;
    if (!collection->keywords().Scattered()) continue;
    Status status = collection->EnsureVersions(core_->store());
    if (status.ok())
      status = collection->keywords().Compact(ChunkKeeper(collection.get()), stopped);
    if (!status.ok()) ++failures_;
  }
}

Status KeywordMerger::Merge(Collection* collection) {
  RETURN_IF_ERROR(collection->EnsureVersions(core_->store()));
  const ChunkKeeper keeper(collection);
  for (bool more = true; more && !stop_.load();) {
    ASSIGN_OR_RETURN(more, collection->keywords().Maintain(keeper, stop_));
  }
  return OkStatus();
}

}  // namespace ragstone::index
