#pragma once

#include <chrono>

#include "base/mutex.h"

namespace ragstone::index::keywords {

// Tells a background thread that there may be something to do. Thread-safe.
class WorkSignal {
 public:
  void Notify() {
    MutexLock lock(&mutex_);
    work_ = true;
    changed_.NotifyAll();
  }
  // Waits for a Notify since the last Wait.
  void Wait() {
    MutexLock lock(&mutex_);
    while (!work_) changed_.Wait(&mutex_);
    work_ = false;
  }
  // As Wait, but at most until then.
  void WaitUntil(std::chrono::steady_clock::time_point until) {
    MutexLock lock(&mutex_);
    while (!work_ && std::chrono::steady_clock::now() < until) changed_.WaitUntil(&mutex_, until);
    work_ = false;
  }

  // Whether there was a Notify since the last wait.
  bool pending() const {
    MutexLock lock(&mutex_);
    return work_;
  }

 private:
  mutable Mutex mutex_;
  CondVar changed_;
  bool work_ GUARDED_BY(mutex_) = false;
};

}  // namespace ragstone::index::keywords
