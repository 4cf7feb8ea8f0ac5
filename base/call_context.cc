#include "base/call_context.h"

#include <algorithm>

namespace ragstone {

void CancelFlag::Cancel() {
  MutexLock lock(&mutex_);
  if (cancelled_.exchange(true)) return;
  for (const auto& [number, callback] : callbacks_) callback();
  callbacks_.clear();
}

int CancelFlag::AddCallback(std::function<void()> callback) {
  MutexLock lock(&mutex_);
  if (cancelled_.load()) {
    callback();
    return -1;
  }
  callbacks_.emplace_back(next_, std::move(callback));
  return next_++;
}

void CancelFlag::RemoveCallback(int number) {
  MutexLock lock(&mutex_);
  std::erase_if(callbacks_, [number](const auto& entry) { return entry.first == number; });
}

Status CallContext::Check() const {
  if (flag_->cancelled()) {
    return Status(StatusCode::kCancelled, Reason::kCancelled, "the caller cancelled the request");
  }
  if (has_deadline() && std::chrono::steady_clock::now() >= deadline_) {
    return Status(StatusCode::kDeadlineExceeded, Reason::kDeadlineExceeded,
                  "the request's deadline passed; allow more time or ask for less");
  }
  return OkStatus();
}

}  // namespace ragstone
