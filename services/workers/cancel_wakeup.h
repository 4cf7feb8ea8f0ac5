#pragma once

#include "base/call_context.h"
#include "base/mutex.h"

namespace ragstone::services {

// For as long as it lives, the cancellation of a call wakes those who wait at a condition variable.
// Made and destroyed without the mutex: cancelling locks the flag's own mutex first, then this one.
class CancelWakeup {
 public:
  CancelWakeup(const CallContext& context, Mutex* mutex, CondVar* changed)
      : flag_(context.flag()), callback_(flag_->AddCallback([mutex, changed] {
          MutexLock lock(mutex);
          changed->NotifyAll();
        })) {}
  ~CancelWakeup() { flag_->RemoveCallback(callback_); }
  CancelWakeup(const CancelWakeup&) = delete;
  CancelWakeup& operator=(const CancelWakeup&) = delete;

 private:
  const std::shared_ptr<CancelFlag> flag_;
  const int callback_;
};

}  // namespace ragstone::services
