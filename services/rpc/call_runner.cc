#include "services/rpc/call_runner.h"

#include <algorithm>
#include <string>
#include <utility>

namespace ragstone::services {

CallRunner::CallRunner(const Options& options) {
  MutexLock lock(&mutex_);
  unary_.threads_max = std::max(1u, options.unary_threads);
  unary_.tasks_max = std::max(1u, options.unary_max);
  streams_.threads_max = std::max(1u, options.streams_max);
  streams_.tasks_max = streams_.threads_max;
}

CallRunner::~CallRunner() { Stop(std::chrono::milliseconds(0)); }

Status CallRunner::FullStatus(CallKind kind, const Group& group) {
  const std::string what =
      kind == CallKind::kUnary ? " requests are worked on or waiting" : " streams are open";
  return ResourceExhausted(
      Reason::kQueueFull,
      std::to_string(group.tasks) + what + ", which is the limit (requests_max); try again later");
}

Status CallRunner::Submit(CallKind kind, std::shared_ptr<CancelFlag> flag,
                          std::function<void()> work) {
  MutexLock lock(&mutex_);
  Group* group = kind == CallKind::kUnary ? &unary_ : &streams_;
  if (stopping_) {
    return Unavailable(Reason::kShuttingDown, "the server is stopping; try again later");
  }
  if (group->tasks >= group->tasks_max) return FullStatus(kind, *group);
  ++group->tasks;
  flags_.insert(flag);
  group->waiting.push_back({std::move(flag), std::move(work)});
  // Idle threads may be fewer than the tasks that already wait for them.
  if (group->waiting.size() > group->idle && group->threads < group->threads_max) {
    ++group->threads;
    threads_.emplace_back([this, group] { Work(group); });
  } else {
    group->ready.NotifyOne();
  }
  return OkStatus();
}

void CallRunner::Work(Group* group) {
  for (;;) {
    Task task;
    {
      MutexLock lock(&mutex_);
      ++group->idle;
      while (group->waiting.empty() && !stopping_) group->ready.Wait(&mutex_);
      --group->idle;
      if (group->waiting.empty()) return;
      task = std::move(group->waiting.front());
      group->waiting.pop_front();
    }
    task.work();
    MutexLock lock(&mutex_);
    --group->tasks;
    flags_.erase(flags_.find(task.flag));
    ended_.NotifyAll();
  }
}

void CallRunner::Stop(std::chrono::milliseconds grace) {
  const auto until = std::chrono::steady_clock::now() + grace;
  std::vector<std::shared_ptr<CancelFlag>> flags;
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    unary_.ready.NotifyAll();
    streams_.ready.NotifyAll();
    while (!flags_.empty() && ended_.WaitUntil(&mutex_, until)) {
    }
    flags.assign(flags_.begin(), flags_.end());
  }
  // Not under the lock: callbacks of a flag take locks of their own.
  for (const auto& flag : flags) flag->Cancel();
  std::vector<std::thread> threads;
  {
    MutexLock lock(&mutex_);
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
}

bool CallRunner::stopping() const {
  MutexLock lock(&mutex_);
  return stopping_;
}

}  // namespace ragstone::services
