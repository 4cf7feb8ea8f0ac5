#include "index/internal/records_db/sparse_index.h"

#include <algorithm>

namespace ragstone::index::records {

void KeepBest(size_t limit, std::vector<ScoredRow>* rows) {
  const size_t count = std::min(limit, rows->size());
  std::partial_sort(rows->begin(), rows->begin() + static_cast<ptrdiff_t>(count), rows->end(),
                    [](const ScoredRow& a, const ScoredRow& b) {
                      return a.score != b.score ? a.score > b.score : a.row < b.row;
                    });
  rows->resize(count);
}

void SparseIndex::Add(RowId row, const SparseVector& vector) {
  WriterLock lock(&mutex_);
  for (size_t i = 0; i < vector.dimensions.size(); ++i) {
    lists_[vector.dimensions[i]].push_back({row, vector.weights[i]});
  }
  entries_ += vector.dimensions.size();
}

std::vector<ScoredRow> SparseIndex::Search(const SparseVector& query,
                                           const std::function<bool(RowId)>& seen) const {
  std::unordered_map<RowId, double> scores;
  {
    ReaderLock lock(&mutex_);
    for (size_t i = 0; i < query.dimensions.size(); ++i) {
      const auto list = lists_.find(query.dimensions[i]);
      if (list == lists_.end()) continue;
      for (const Entry& entry : list->second) {
        scores[entry.row] += double{query.weights[i]} * double{entry.weight};
      }
    }
  }
  std::vector<ScoredRow> rows;
  for (const auto& [row, score] : scores) {
    if (seen(row)) rows.push_back({row, score});
  }
  return rows;
}

uint64_t SparseIndex::bytes() const {
  ReaderLock lock(&mutex_);
  constexpr uint64_t kListBytes = 64;
  return entries_ * sizeof(Entry) + lists_.size() * kListBytes;
}

}  // namespace ragstone::index::records
