#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace ragstone::index::records {

// The threads that all batches of searches of a database share, so that many batches at once take
// no more processors than one. They start with the first batch. Thread-safe; must not end while Run
// is running.
class SearchPool {
 public:
  // Of at most so many threads, that of Run among them; 0: as many as there are cores.
  explicit SearchPool(uint32_t threads);
  ~SearchPool();

  // Calls `work(i)` for all i below `count`, on this thread and on those of the pool that are free,
  // and returns when all have returned. `work` must not throw.
  void Run(size_t count, const std::function<void(size_t)>& work);

 private:
  struct Job {
    const std::function<void(size_t)>* work = nullptr;
    size_t count = 0;
    size_t next = 0;
    size_t done = 0;
    CondVar finished;
  };

  void Start() REQUIRES(mutex_);
  void Serve();
  // Does one piece of the job, which must have one left.
  void DoNext(const std::shared_ptr<Job>& job) REQUIRES(mutex_);

  const size_t threads_max_;
  Mutex mutex_;
  CondVar wake_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::deque<std::shared_ptr<Job>> jobs_ GUARDED_BY(mutex_);  // with pieces left
  std::vector<std::thread> threads_ GUARDED_BY(mutex_);
};

}  // namespace ragstone::index::records
