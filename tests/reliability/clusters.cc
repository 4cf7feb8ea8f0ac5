#include "tests/reliability/clusters.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

namespace ragstone::index::reliability {

Vector Clusters::Make(uint64_t number, uint64_t mark) const {
  Random own(Mixed(seed_, number, mark, 1));
  Random center(Mixed(seed_, own.Below(kCount), 0, 2));
  if (bits_) {
    BitVector bits(dimensions_ / 8);
    for (uint8_t& byte : bits) {
      byte = static_cast<uint8_t>(center.Next());
      // About a quarter of the bits differ from the center's.
      byte = static_cast<uint8_t>(byte ^ (own.Next() & own.Next()));
    }
    return bits;
  }
  DenseVector vector(dimensions_);
  for (float& value : vector) value = center.Normal() + 0.7f * own.Normal();
  return vector;
}

double Clusters::Likeness(const Vector& a, const Vector& b) const {
  if (bits_) {
    const auto& x = std::get<BitVector>(a);
    const auto& y = std::get<BitVector>(b);
    int differing = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      differing += std::popcount(static_cast<uint8_t>(x[i] ^ y[i]));
    }
    return -differing;
  }
  const auto& x = std::get<DenseVector>(a);
  const auto& y = std::get<DenseVector>(b);
  double xy = 0, xx = 0, yy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xy += double{x[i]} * double{y[i]};
    xx += double{x[i]} * double{x[i]};
    yy += double{y[i]} * double{y[i]};
  }
  return xy / std::sqrt(xx * yy);
}

double LikenessOfLast(const Clusters& clusters, const std::vector<Vector>& vectors,
                      const Vector& query, size_t k, const std::function<bool(size_t)>& passes) {
  std::vector<double> all;
  for (size_t i = 0; i < vectors.size(); ++i) {
    if (passes(i)) all.push_back(clusters.Likeness(query, vectors[i]));
  }
  if (all.size() < k) return -std::numeric_limits<double>::infinity();
  const auto last = all.begin() + static_cast<std::ptrdiff_t>(k) - 1;
  std::nth_element(all.begin(), last, all.end(), std::greater<>());
  return *last;
}

}  // namespace ragstone::index::reliability
