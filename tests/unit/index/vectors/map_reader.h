#pragma once

#include <algorithm>
#include <map>

#include "index/internal/vectors/segment.h"
#include "tests/unit/index/vectors/random_vectors.h"

namespace ragstone::index::vectors {

// Gives the rows of a test as the store would. The rows must outlive it.
class MapReader : public ExactReader {
 public:
  explicit MapReader(const RandomRows& rows) : rows_(rows) {
    for (size_t i = 0; i < rows.rows(); ++i) place_[rows.id(i)] = i;
  }
  // Of one call.
  size_t most_rows() const { return most_rows_; }
  Status Read(std::span<const RowId> ids, float* vectors) const override {
    most_rows_ = std::max(most_rows_, ids.size());
    for (const RowId id : ids) {
      const auto at = place_.find(id);
      if (at == place_.end()) return NotFound(Reason::kInternal, "no such row");
      const auto* from = static_cast<const float*>(rows_.vector(at->second));
      vectors = std::copy_n(from, rows_.spec().dimensions, vectors);
    }
    return OkStatus();
  }

 private:
  const RandomRows& rows_;
  std::map<RowId, size_t> place_;
  mutable size_t most_rows_ = 0;
};

// The ids of the best k rows for which `passes`, from the definition of the distance.
template <typename Passes>
std::vector<RowId> Truth(const RandomRows& rows, VectorData query, size_t k, const Passes& passes) {
  std::vector<std::pair<double, RowId>> all;
  for (size_t i = 0; i < rows.rows(); ++i) {
    if (passes(rows.id(i))) all.push_back({rows.Distance(query, i), rows.id(i)});
  }
  k = std::min(k, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<ptrdiff_t>(k), all.end());
  std::vector<RowId> ids;
  for (size_t i = 0; i < k; ++i) ids.push_back(all[i].second);
  return ids;
}
inline std::vector<RowId> Truth(const RandomRows& rows, VectorData query, size_t k) {
  return Truth(rows, query, k, [](RowId) { return true; });
}

// What share of the truth was found.
inline double Share(const std::vector<RowId>& truth, const std::vector<Hit>& hits) {
  if (truth.empty()) return 1;
  size_t found = 0;
  for (const Hit& hit : hits) {
    found += std::find(truth.begin(), truth.end(), hit.row) != truth.end();
  }
  return static_cast<double>(found) / static_cast<double>(truth.size());
}

}  // namespace ragstone::index::vectors
