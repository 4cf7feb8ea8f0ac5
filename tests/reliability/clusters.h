#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/reliability/world.h"

namespace ragstone::index::reliability {

// Vectors in clusters, as embeddings are, with what is nearest to a query by definition.
class Clusters {
 public:
  Clusters(uint64_t seed, uint32_t dimensions, bool bits)
      : seed_(seed), dimensions_(dimensions), bits_(bits) {}
  // The vector of a number; `mark` tells versions of it apart.
  Vector Make(uint64_t number, uint64_t mark = 0) const;
  // The larger, the nearer: a cosine, or minus the number of bits that differ.
  double Likeness(const Vector& a, const Vector& b) const;

 private:
  static constexpr uint64_t kCount = 64;
  const uint64_t seed_;
  const uint32_t dimensions_;
  const bool bits_;
};

// The likeness of the k-th nearest of those that pass; a hit that is as near is right, so that ties
// do not count against it. -infinity if fewer than k pass.
double LikenessOfLast(const Clusters& clusters, const std::vector<Vector>& vectors,
                      const Vector& query, size_t k, const std::function<bool(size_t)>& passes);

}  // namespace ragstone::index::reliability
