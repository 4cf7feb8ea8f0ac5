#pragma once

#include <atomic>
#include <vector>

#include "base/mutex.h"
#include "index/internal/vectors/types.h"

namespace ragstone::index::vectors {

// A random sample of the queries that were asked of rows, from which their recall can be measured:
// questions lie elsewhere than the rows that answer them. Thread-safe.
class AskedQueries {
 public:
  static constexpr size_t kSampleMax = 256;
  static constexpr uint64_t kFirst = 200;  // so many are enough to measure by

  // `ef_min`: what was found without queries; see ef_min().
  AskedQueries(size_t dimensions, size_t ef_min) : dimensions_(dimensions), ef_min_(ef_min) {}

  // True once each time that there are enough to measure by: of kFirst queries, and of ten times as
  // many as the last time.
  bool Note(const float* query);
  // Whether it was measured since.
  bool due() const { return count_.load() >= due_at_.load(); }
  void Measured();
  // Begins with what was asked of other rows.
  void TakeOver(const AskedQueries& other);
  uint64_t count() const { return count_.load(); }
  // One after the other.
  std::vector<float> Sample() const;

  uint64_t bytes() const;
  size_t dimensions() const { return dimensions_; }
  // Nothing that is measured by queries may lead to less: they may all be alike.
  size_t ef_min() const { return ef_min_; }

 private:
  const size_t dimensions_;
  const size_t ef_min_;
  std::atomic<uint64_t> count_{0};
  std::atomic<uint64_t> due_at_{kFirst};
  mutable Mutex mutex_;
  std::vector<float> sample_ GUARDED_BY(mutex_);
};

}  // namespace ragstone::index::vectors
