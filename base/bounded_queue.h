#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <utility>

#include "base/mutex.h"

namespace ragstone {

// A first-in first-out queue of at most `capacity` items. Thread-safe for any number of producers
// and consumers. After Close, pushes are refused and pops drain what is left.
template <typename T>
class BoundedQueue {
 public:
  explicit BoundedQueue(size_t capacity) : capacity_(capacity) {}

  // Waits for room. Returns false, dropping the item, if the queue is or becomes closed.
  bool Push(T item) {
    MutexLock lock(&mutex_);
    while (items_.size() >= capacity_ && !closed_) room_.Wait(&mutex_);
    if (closed_) return false;
    items_.push_back(std::move(item));
    ready_.NotifyOne();
    return true;
  }

  // Returns false at once if the queue is full or closed.
  bool TryPush(T item) {
    MutexLock lock(&mutex_);
    if (closed_ || items_.size() >= capacity_) return false;
    items_.push_back(std::move(item));
    ready_.NotifyOne();
    return true;
  }

  // Waits for an item. Returns nothing once the queue is closed and empty.
  std::optional<T> Pop() {
    MutexLock lock(&mutex_);
    while (items_.empty() && !closed_) ready_.Wait(&mutex_);
    return TakeFront();
  }

  // As Pop, but also returns nothing when `until` has passed.
  std::optional<T> PopUntil(std::chrono::steady_clock::time_point until) {
    MutexLock lock(&mutex_);
    while (items_.empty() && !closed_) {
      if (!ready_.WaitUntil(&mutex_, until)) break;
    }
    return TakeFront();
  }

  void Close() {
    MutexLock lock(&mutex_);
    closed_ = true;
    ready_.NotifyAll();
    room_.NotifyAll();
  }

  bool closed() const {
    MutexLock lock(&mutex_);
    return closed_;
  }
  size_t size() const {
    MutexLock lock(&mutex_);
    return items_.size();
  }
  size_t capacity() const { return capacity_; }

 private:
  std::optional<T> TakeFront() REQUIRES(mutex_) {
    if (items_.empty()) return std::nullopt;
    std::optional<T> item(std::move(items_.front()));
    items_.pop_front();
    room_.NotifyOne();
    return item;
  }

  const size_t capacity_;
  mutable Mutex mutex_;
  CondVar ready_;
  CondVar room_;
  std::deque<T> items_ GUARDED_BY(mutex_);
  bool closed_ GUARDED_BY(mutex_) = false;
};

}  // namespace ragstone
