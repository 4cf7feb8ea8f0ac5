#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"

namespace ragstone {

// A flag that one side raises to stop work of the other. Thread-safe.
class CancelFlag {
 public:
  // Raises the flag and runs the callbacks, once.
  void Cancel();
  bool cancelled() const { return cancelled_.load(std::memory_order_acquire); }

  // Calls `callback` when the flag is raised (at once if it is already); it must not block.
  // Returns a number for RemoveCallback. After RemoveCallback returned, it is not running.
  int AddCallback(std::function<void()> callback);
  void RemoveCallback(int number);

 private:
  Mutex mutex_;
  std::atomic<bool> cancelled_{false};
  int next_ GUARDED_BY(mutex_) = 0;
  std::vector<std::pair<int, std::function<void()>>> callbacks_ GUARDED_BY(mutex_);
};

// The deadline, the cancellation and the rights of one call, passed down to wherever work is done.
// Cheap to copy; copies share the flag.
class CallContext {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // No deadline, never cancelled.
  CallContext() : flag_(std::make_shared<CancelFlag>()) {}
  CallContext(TimePoint deadline, std::shared_ptr<CancelFlag> flag)
      : deadline_(deadline), flag_(std::move(flag)) {}

  // Returns CANCELLED or DEADLINE_EXCEEDED once one of them holds, else OK.
  Status Check() const;

  bool has_deadline() const { return deadline_ != TimePoint::max(); }
  TimePoint deadline() const { return deadline_; }
  const std::shared_ptr<CancelFlag>& flag() const { return flag_; }

  // Whether the caller may name any server-side path it can read (the owner of the Unix socket).
  bool trusted_local() const { return trusted_local_; }
  void set_trusted_local(bool value) { trusted_local_ = value; }

 private:
  TimePoint deadline_ = TimePoint::max();
  std::shared_ptr<CancelFlag> flag_;
  bool trusted_local_ = false;
};

}  // namespace ragstone
