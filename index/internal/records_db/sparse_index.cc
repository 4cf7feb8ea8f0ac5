#include "index/internal/records_db/sparse_index.h"

#include <algorithm>

#include "index/internal/coding.h"

namespace ragstone::index::records {
namespace {

constexpr size_t kEntriesAtOnce = 1 << 18;  // of one list in a piece

}  // namespace

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

std::vector<uint32_t> SparseIndex::Dimensions() const {
  ReaderLock lock(&mutex_);
  std::vector<uint32_t> dimensions;
  for (const auto& [dimension, list] : lists_) dimensions.push_back(dimension);
  return dimensions;
}

Status SparseIndex::Encode(const fields::RowSet& live, size_t bytes,
                           const std::function<Status(std::string_view)>& put) const {
  std::string piece;
  std::vector<Entry> kept;
  // Writers wait for one list at a time.
  for (const uint32_t dimension : Dimensions()) {
    kept.clear();
    {
      ReaderLock lock(&mutex_);
      for (const Entry& entry : lists_.at(dimension)) {
        if (live.Contains(entry.row)) kept.push_back(entry);
      }
    }
    for (size_t begin = 0; begin < kept.size(); begin += kEntriesAtOnce) {
      const size_t end = std::min(kept.size(), begin + kEntriesAtOnce);
      Encoder out(&piece);
      out.Varint(dimension);
      out.Varint(end - begin);
      RowId previous = 0;
      for (size_t i = begin; i < end; ++i) {
        out.Varint(kept[i].row - previous);
        out.F32(kept[i].weight);
        previous = kept[i].row;
      }
      if (piece.size() < bytes) continue;
      RETURN_IF_ERROR(put(piece));
      piece.clear();
    }
  }
  return piece.empty() ? OkStatus() : put(piece);
}

bool SparseIndex::Decode(std::string_view piece) {
  WriterLock lock(&mutex_);
  Decoder in(piece);
  while (in.ok() && in.remaining() > 0) {
    const uint32_t dimension = in.Varint32();
    std::vector<Entry>& list = lists_[dimension];
    const size_t count = in.Count(1 + sizeof(float));
    list.reserve(list.size() + count);
    RowId row = 0;
    for (size_t i = 0; i < count; ++i) {
      row += in.Varint();
      list.push_back({row, in.F32()});
    }
    entries_ += count;
  }
  return in.done();
}

uint64_t SparseIndex::bytes() const {
  ReaderLock lock(&mutex_);
  constexpr uint64_t kListBytes = 64;
  return entries_ * sizeof(Entry) + lists_.size() * kListBytes;
}

}  // namespace ragstone::index::records
