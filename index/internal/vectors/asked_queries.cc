#include "index/internal/vectors/asked_queries.h"

#include <algorithm>
#include <utility>

namespace ragstone::index::vectors {
namespace {

// SplitMix64 (Steele, Lea, Flood 2014): a number without order for each of a row of numbers.
uint64_t Mixed(uint64_t number) {
  uint64_t mixed = number * 0x9e3779b97f4a7c15u;
  mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9u;
  mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111ebu;
  return mixed ^ mixed >> 31;
}

}  // namespace

bool AskedQueries::Note(const float* query) {
  const uint64_t number = count_.fetch_add(1) + 1;
  // Reservoir sampling (Vitter 1985, algorithm R): each query so far is in it as likely as any.
  const uint64_t place = number <= kSampleMax ? number - 1 : Mixed(number) % number;
  if (place < kSampleMax) {
    MutexLock lock(&mutex_);
    if (sample_.size() < kSampleMax * dimensions_) {
      sample_.insert(sample_.end(), query, query + dimensions_);
    } else {
      std::copy_n(query, dimensions_,
                  sample_.begin() + static_cast<ptrdiff_t>(place * dimensions_));
    }
  }
  return number == due_at_.load();
}

void AskedQueries::Measured() { due_at_.store(10 * std::max(kFirst, count_.load())); }

uint64_t AskedQueries::bytes() const {
  MutexLock lock(&mutex_);
  return sample_.capacity() * sizeof(float);
}

void AskedQueries::TakeOver(const AskedQueries& other) {
  std::vector<float> sample = other.Sample();
  MutexLock lock(&mutex_);
  sample_ = std::move(sample);
  count_.store(sample_.size() / dimensions_);
}

std::vector<float> AskedQueries::Sample() const {
  MutexLock lock(&mutex_);
  return sample_;
}

}  // namespace ragstone::index::vectors
