#include "index/internal/vectors/exact_distances.h"

#include <algorithm>
#include <numeric>

namespace ragstone::index::vectors {

Result<ExactDistances> ExactDistances::Make(const VectorSpec& spec, VectorData query,
                                            size_t rows_max) {
  CodePlan plan;
  plan.metric = spec.metric;
  plan.dimensions = spec.dimensions;
  const size_t rows = std::min(kRowsAtOnce, rows_max);
  ExactDistances distances;
  ASSIGN_OR_RETURN(distances.codes_, Codes::Make(plan, rows));
  distances.codes_.Prepare(query, &distances.query_);
  distances.slots_.resize(rows);
  std::iota(distances.slots_.begin(), distances.slots_.end(), 0);
  distances.vectors_.resize(rows * spec.dimensions);
  return distances;
}

Status ExactDistances::Measure(const ExactReader& reader, std::span<const RowId> rows,
                               float* distances) {
  const size_t dimensions = codes_.plan().dimensions;
  for (size_t begin = 0; begin < rows.size(); begin += slots_.size()) {
    const size_t count = std::min(slots_.size(), rows.size() - begin);
    RETURN_IF_ERROR(reader.Read(rows.subspan(begin, count), vectors_.data()));
    for (size_t i = 0; i < count; ++i) codes_.Encode(slots_[i], vectors_.data() + i * dimensions);
    codes_.Distances(query_, slots_.data(), count, distances + begin);
  }
  return OkStatus();
}

Status ExactDistances::Measure(const ExactReader& reader, std::span<Hit> hits) {
  rows_.clear();
  for (const Hit& hit : hits) rows_.push_back(hit.row);
  distances_.resize(hits.size());
  RETURN_IF_ERROR(Measure(reader, rows_, distances_.data()));
  for (size_t i = 0; i < hits.size(); ++i) hits[i].distance = distances_[i];
  return OkStatus();
}

void KeepNearest(size_t most, std::vector<Hit>* hits) {
  const size_t count = std::min(most, hits->size());
  std::partial_sort(hits->begin(), hits->begin() + static_cast<ptrdiff_t>(count), hits->end(),
                    Nearer);
  hits->resize(count);
}

}  // namespace ragstone::index::vectors
