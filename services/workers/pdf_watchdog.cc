#include "services/workers/pdf_watchdog.h"

#include <chrono>
#include <utility>

namespace ragstone::services {
namespace {

constexpr auto kTick = std::chrono::milliseconds(50);

int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

PdfWatchdog::PdfWatchdog(std::function<void()> expired, std::function<void()> tick)
    : expired_(std::move(expired)), tick_(std::move(tick)), thread_([this] { Run(); }) {}

PdfWatchdog::~PdfWatchdog() {
  {
    const MutexLock lock(&mutex_);
    stopping_ = true;
  }
  changed_.NotifyOne();
  thread_.join();
}

void PdfWatchdog::Begin(uint32_t limit_ms) {
  bool idle = false;
  {
    const MutexLock lock(&mutex_);
    idle = deadline_ms_ == 0;
    deadline_ms_ = NowMs() + 2 * static_cast<int64_t>(limit_ms);
  }
  if (idle) changed_.NotifyOne();
}

void PdfWatchdog::End() {
  const MutexLock lock(&mutex_);
  deadline_ms_ = 0;
}

bool PdfWatchdog::WaitForLook(bool* running, bool* late) {
  const MutexLock lock(&mutex_);
  while (!stopping_ && deadline_ms_ == 0) changed_.Wait(&mutex_);
  if (!stopping_) changed_.WaitUntil(&mutex_, std::chrono::steady_clock::now() + kTick);
  *running = deadline_ms_ != 0;
  *late = *running && NowMs() > deadline_ms_;
  return !stopping_;
}

void PdfWatchdog::Run() {
  bool running = false, late = false;
  while (WaitForLook(&running, &late)) {
    if (running && tick_) tick_();
    if (late) expired_();
  }
}

}  // namespace ragstone::services
