#pragma once

#include <memory>
#include <thread>

#include "base/call_context.h"

namespace ragstone::services::cli {

// Turns the first SIGINT or SIGTERM into a raised flag, so that a command can end in order; the
// second ends the process at once. One at a time in a process; created before other threads use
// signals, destroyed last.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  const std::shared_ptr<CancelFlag>& flag() const { return flag_; }

 private:
  void Watch();

  std::shared_ptr<CancelFlag> flag_ = std::make_shared<CancelFlag>();
  int pipe_[2] = {-1, -1};
  std::thread watcher_;
};

// Waits until the flag is raised.
void WaitFor(CancelFlag* flag);

// Sleeps; returns early, with false, once the flag is raised.
bool SleepUnless(CancelFlag* flag, std::chrono::milliseconds time);

}  // namespace ragstone::services::cli
