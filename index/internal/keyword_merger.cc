#include "index/internal/keyword_merger.h"

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
    if (waiting) {
      core_->keyword_work().WaitUntil(std::chrono::steady_clock::now() + kWaitForReaders);
    } else {
      core_->keyword_work().Wait();
    }
    waiting = false;
    for (const std::shared_ptr<Collection>& collection : core_->All()) {
      if (stop_.load()) return;
      // Runs stay as they are, which is slower and right; the next signal tries again.
      if (!collection->keywords().Due()) continue;
      if (!Merge(collection.get()).ok()) {
        ++failures_;
      } else if (collection->keywords().WaitsForReaders()) {
        waiting = true;
      }
    }
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
