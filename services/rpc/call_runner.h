#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "base/call_context.h"
#include "base/mutex.h"
#include "base/status.h"

namespace ragstone::services {

enum class CallKind : uint8_t { kUnary, kStream };

// Threads for handlers, which block. Unary calls share a few threads behind a bounded queue. A
// stream has a thread of its own for as long as it is open, so that watchers and slow readers keep
// nobody waiting; their number is bounded as well. Threads are made when they are first needed.
// Thread-safe.
class CallRunner {
 public:
  struct Options {
    uint32_t unary_threads = 16;
    uint32_t unary_max = 64;  // working and waiting
    uint32_t streams_max = 64;
  };

  explicit CallRunner(const Options& options);
  ~CallRunner();  // as Stop without grace
  CallRunner(const CallRunner&) = delete;
  CallRunner& operator=(const CallRunner&) = delete;

  // Runs `work` soon on another thread; `flag` is raised when the server stops. RESOURCE_EXHAUSTED
  // (QUEUE_FULL) and UNAVAILABLE (SHUTTING_DOWN) without running it. `work` must not throw.
  Status Submit(CallKind kind, std::shared_ptr<CancelFlag> flag, std::function<void()> work);

  // Refuses new work, lets what runs end for `grace`, then raises its flags and waits for it. May
  // be called twice.
  void Stop(std::chrono::milliseconds grace);
  bool stopping() const;

 private:
  struct Task {
    std::shared_ptr<CancelFlag> flag;
    std::function<void()> work;
  };
  struct Group {
    uint32_t threads_max = 0;
    uint32_t tasks_max = 0;
    uint32_t threads = 0;
    uint32_t idle = 0;
    uint32_t tasks = 0;  // waiting and working
    std::deque<Task> waiting;
    CondVar ready;
  };

  void Work(Group* group);
  static Status FullStatus(CallKind kind, const Group& group);

  mutable Mutex mutex_;
  CondVar ended_;
  Group unary_ GUARDED_BY(mutex_);
  Group streams_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::multiset<std::shared_ptr<CancelFlag>> flags_ GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ GUARDED_BY(mutex_);
};

}  // namespace ragstone::services
