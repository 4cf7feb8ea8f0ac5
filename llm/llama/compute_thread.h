#pragma once

#include <cstddef>
#include <functional>
#include <list>
#include <string>
#include <thread>

#include "base/call_context.h"
#include "base/mutex.h"
#include "base/status.h"

namespace ragstone::llm {

// One thread that runs the work of many callers, one piece after the other in the order of their
// arrival. Thread-safe.
//
// A model must always be computed by the same thread: libgomp keeps a team for every thread that
// starts parallel work, and once all teams together have more threads than the machine has cores,
// a thread that waits at a barrier no longer spins but sleeps (gomp_throttled_spin_count). With a
// team for each thread of the RPC server, generation ran at 0.6 of its speed.
class ComputeThread {
 public:
  // At most `waiting_max` callers wait; `name` says in errors what they wait for.
  ComputeThread(std::string name, size_t waiting_max);
  // Must not run while a caller is in Run.
  ~ComputeThread();
  ComputeThread(const ComputeThread&) = delete;
  ComputeThread& operator=(const ComputeThread&) = delete;

  // Returns what `work` returns, once it has. Errors of its own, with `work` not begun:
  // RESOURCE_EXHAUSTED/QUEUE_FULL, CANCELLED and DEADLINE_EXCEEDED.
  Status Run(const std::function<Status()>& work, const CallContext& context);

 private:
  struct Item {
    const std::function<Status()>* work = nullptr;
    bool begun = false;
    bool done = false;
    Status status;
  };

  void Work();

  const std::string name_;
  const size_t waiting_max_;
  Mutex mutex_;
  CondVar wake_;  // work has come
  CondVar done_;  // an item is done
  std::list<Item*> waiting_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace ragstone::llm
