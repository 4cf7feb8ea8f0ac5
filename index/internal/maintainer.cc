#include "index/internal/maintainer.h"

namespace ragstone::index {

void Maintainer::Start() {
  thread_ = std::thread([this] { Loop(); });
}

void Maintainer::Stop() {
  stop_.store(true);
  Wake();
  if (thread_.joinable()) thread_.join();
}

void Maintainer::Wake() {
  MutexLock lock(&mutex_);
  work_ = true;
  wake_.NotifyAll();
}

void Maintainer::Loop() {
  while (!stop_.load()) {
    {
      MutexLock lock(&mutex_);
      while (!work_ && !stop_.load()) wake_.Wait(&mutex_);
      work_ = false;
    }
    while (!stop_.load() && MaintainAll()) {
    }
  }
}

bool Maintainer::MaintainAll() {
  bool more = false;
  for (const std::shared_ptr<Collection>& collection : core_->All()) {
    if (stop_.load()) return false;
    const std::shared_ptr<DocumentFields> fields = collection->fields();
    if (fields != nullptr && fields->MergeOnce()) more = true;
    const std::shared_ptr<VectorIndex> vectors = collection->vectors();
    if (vectors == nullptr) continue;
    const Result<bool> result = vectors->Maintain(collection->Oldest(), stop_);
    if (!result.ok()) {
      // The segment stays scanned, which is slower and right; the next wake tries again.
      ++failures_;
      continue;
    }
    more = more || *result;
  }
  return more;
}

}  // namespace ragstone::index
