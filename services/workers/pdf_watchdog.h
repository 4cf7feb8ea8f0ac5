#pragma once

#include <cstdint>
#include <functional>
#include <thread>

#include "base/mutex.h"

namespace ragstone::services {

// Ends the process when a step of a parse overstays twice its limit: poppler looks at its abort
// callback only between drawing operations, and some pages never get that far. Thread-safe.
class PdfWatchdog {
 public:
  // `expired` is called on the watchdog's thread, and `tick` about every 50 ms while a step runs.
  PdfWatchdog(std::function<void()> expired, std::function<void()> tick);
  ~PdfWatchdog();

  // Begins a step (a page, or opening the document); replaces the one before.
  void Begin(uint32_t limit_ms);
  // Ends the step; nothing is watched until the next.
  void End();

 private:
  // Waits for the next look at the clock; returns false at the end.
  bool WaitForLook(bool* running, bool* late);
  void Run();

  const std::function<void()> expired_;
  const std::function<void()> tick_;
  Mutex mutex_;
  CondVar changed_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  int64_t deadline_ms_ GUARDED_BY(mutex_) = 0;  // 0: no step
  std::thread thread_;
};

}  // namespace ragstone::services
