#pragma once

#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "index/internal/vectors/codes.h"

namespace ragstone::index::vectors {

// Rows for tests, with ids that are not their places. Float rows are clustered in few latent
// dimensions, as embeddings are; bit rows are noisy copies of a few.
class RandomRows : public RowSource {
 public:
  RandomRows(const VectorSpec& spec, size_t rows, uint32_t seed) : spec_(spec), random_(seed) {
    width_ = InputBytes(spec);
    for (size_t i = 0; i < kCentres; ++i) AppendTo(&centres_, Noise());
    for (size_t i = 0; i < rows; ++i) Add();
  }

  size_t rows() const override { return bytes_.size() / width_; }
  RowId id(size_t i) const override { return 1000 + 3 * ((i * 7919) % rows()); }
  VectorData vector(size_t i) const override { return bytes_.data() + i * width_; }
  const VectorSpec& spec() const { return spec_; }

  // A further vector of the same kind.
  std::vector<uint8_t> Query() {
    Add();
    std::vector<uint8_t> query(bytes_.end() - static_cast<ptrdiff_t>(width_), bytes_.end());
    bytes_.resize(bytes_.size() - width_);
    return query;
  }
  void Duplicate(size_t from, size_t times) {
    for (size_t i = 0; i < times; ++i) {
      const std::vector<uint8_t> copy(bytes_.begin() + static_cast<ptrdiff_t>(from * width_),
                                      bytes_.begin() + static_cast<ptrdiff_t>((from + 1) * width_));
      AppendTo(&bytes_, copy);
    }
  }

  // The distance in double precision, from the definition.
  double Distance(VectorData query, size_t i) const {
    if (spec_.metric == Metric::kHamming) {
      int bits = 0;
      const auto* a = static_cast<const uint8_t*>(query);
      const auto* b = static_cast<const uint8_t*>(vector(i));
      for (size_t byte = 0; byte < width_; ++byte) bits += __builtin_popcount(a[byte] ^ b[byte]);
      return bits;
    }
    const auto* a = static_cast<const float*>(query);
    const auto* b = static_cast<const float*>(vector(i));
    double dot = 0, aa = 0, bb = 0, squared = 0;
    for (uint32_t d = 0; d < spec_.dimensions; ++d) {
      dot += double{a[d]} * b[d];
      aa += double{a[d]} * a[d];
      bb += double{b[d]} * b[d];
      squared += (double{a[d]} - b[d]) * (double{a[d]} - b[d]);
    }
    if (spec_.metric == Metric::kL2) return squared;
    return spec_.metric == Metric::kCosine ? -dot / std::sqrt(aa * bb) : -dot;
  }

 private:
  static constexpr size_t kCentres = 50;
  static constexpr size_t kLatent = 24;

  static void AppendTo(std::vector<uint8_t>* to, const std::vector<uint8_t>& row) {
    to->insert(to->end(), row.begin(), row.end());
  }
  std::vector<uint8_t> Noise() {
    std::vector<uint8_t> row(width_);
    if (spec_.metric == Metric::kHamming) {
      for (uint8_t& byte : row) byte = static_cast<uint8_t>(random_());
      Trim(&row);
      return row;
    }
    if (basis_.empty()) {
      std::normal_distribution<float> normal;
      basis_.resize(kLatent * spec_.dimensions);
      for (float& value : basis_) value = normal(random_);
    }
    std::normal_distribution<float> normal;
    std::vector<float> values(spec_.dimensions);
    for (size_t l = 0; l < kLatent; ++l) {
      const float weight = normal(random_);
      for (uint32_t d = 0; d < spec_.dimensions; ++d) {
        values[d] += weight * basis_[l * spec_.dimensions + d];
      }
    }
    std::memcpy(row.data(), values.data(), width_);
    return row;
  }
  void Trim(std::vector<uint8_t>* row) const {
    if (spec_.dimensions % 8 != 0) {
      row->back() = static_cast<uint8_t>(row->back() & ((1u << spec_.dimensions % 8) - 1));
    }
  }
  void Add() {
    const uint8_t* centre = centres_.data() + random_() % kCentres * width_;
    std::vector<uint8_t> row = Noise();
    if (spec_.metric == Metric::kHamming) {
      const std::vector<uint8_t> less = Noise();
      for (size_t i = 0; i < width_; ++i) {
        row[i] = static_cast<uint8_t>(centre[i] ^ (row[i] & less[i]));
      }
    } else {
      for (size_t d = 0; d < spec_.dimensions; ++d) {
        float value, at;
        std::memcpy(&value, row.data() + 4 * d, 4);
        std::memcpy(&at, centre + 4 * d, 4);
        value = at + 0.7f * value;
        std::memcpy(row.data() + 4 * d, &value, 4);
      }
    }
    AppendTo(&bytes_, row);
  }

  const VectorSpec spec_;
  std::mt19937 random_;
  size_t width_ = 0;
  std::vector<float> basis_;
  std::vector<uint8_t> centres_;
  std::vector<uint8_t> bytes_;
};

}  // namespace ragstone::index::vectors
