#include "index/internal/segment.h"

#include <algorithm>

namespace ragstone::index {

void TopChunks::Offer(const ScoredChunk& chunk) {
  if (heap_.size() < limit_) {
    heap_.push_back(chunk);
    std::push_heap(heap_.begin(), heap_.end(), Better);
  } else if (limit_ > 0 && Better(chunk, heap_.front())) {
    std::pop_heap(heap_.begin(), heap_.end(), Better);
    heap_.back() = chunk;
    std::push_heap(heap_.begin(), heap_.end(), Better);
  }
}

std::vector<ScoredChunk> TopChunks::TakeSorted() {
  std::sort(heap_.begin(), heap_.end(), Better);
  return std::move(heap_);
}

Segment::Segment(size_t dimensions, size_t rows_max)
    : rows_max_(rows_max),
      vectors_(rows_max, dimensions),
      chunks_(rows_max),
      run_of_row_(rows_max),
      runs_(rows_max) {}

void Segment::Append(ChunkId chunk, const float* vector,
                     const std::shared_ptr<const VersionState>& version) {
  const size_t row = rows_written_++;
  std::copy(vector, vector + dimensions(), vectors_.Reserve(row));
  *chunks_.Reserve(row) = chunk;
  const bool extends = runs_written_ > run_count_.load(std::memory_order_relaxed) &&
                       runs_[runs_written_ - 1].version == version;
  if (!extends) {
    Run* run = runs_.Reserve(runs_written_++);
    run->begin = row;
    run->version = version;
  }
  runs_.Reserve(runs_written_ - 1)->end = row + 1;
  *run_of_row_.Reserve(row) = static_cast<uint32_t>(runs_written_ - 1);
}

void Segment::Publish() {
  rows_.store(rows_written_, std::memory_order_release);
  run_count_.store(runs_written_, std::memory_order_release);
}

size_t Segment::DeadRows(SequenceNumber sequence) const {
  size_t dead = 0;
  const size_t count = run_count();
  for (size_t i = 0; i < count; ++i) {
    if (run(i).version->DeadAt(sequence)) dead += run(i).end - run(i).begin;
  }
  return dead;
}

uint64_t Segment::bytes() const {
  return rows() * (vectors_.bytes_per_row() + sizeof(ChunkId) + sizeof(uint32_t)) +
         run_count() * sizeof(Run);
}

template <typename Visit>
void Segment::VisitAllowed(const Run& run, const ChunkSet& allowed, const Visit& visit) const {
  const std::vector<keywords::RowRange>& ranges = allowed.ranges();
  const auto row_of = [&](size_t begin, ChunkId chunk) {
    size_t end = run.end;  // the first row at or after the chunk lies in [begin, end]
    while (begin < end) {
      const size_t middle = begin + (end - begin) / 2;
      this->chunk(middle) < chunk ? begin = middle + 1 : end = middle;
    }
    return begin;
  };
  size_t row = run.begin;
  const ChunkId last = chunk(run.end - 1);
  for (size_t i = allowed.FirstAfter(chunk(row)); i < ranges.size() && ranges[i].first <= last;
       ++i) {
    const size_t begin = row_of(row, ranges[i].first);
    row = row_of(begin, ranges[i].first + ranges[i].count);
    if (begin < row) visit(begin, row);
  }
}

Status Segment::Scan(const VectorQuery& query, const CallContext& context, TopChunks* top) const {
  const DotFunction dot = BestDot();
  const size_t count = run_count();
  size_t until_check = 0;
  Status status;
  for (size_t i = 0; i < count && status.ok(); ++i) {
    const Run& rows = run(i);
    const VersionState& state = *rows.version;
    if (!state.VisibleAt(query.sequence)) continue;
    const auto scan = [&](size_t begin, size_t end) {
      for (size_t row = begin; row < end && status.ok(); ++row) {
        if (until_check-- == 0) {
          status = context.Check();
          until_check = 4096;
        }
        const double score = dot(query.vector, vector(row), dimensions());
        // Equal scores go on, because the smaller chunk id wins a tie.
        if (top->full() && score < top->bar()) continue;
        top->Offer({chunk(row), state.document, score});
      }
    };
    if (query.allowed == nullptr) {
      scan(rows.begin, rows.end);
    } else {
      VisitAllowed(rows, *query.allowed, scan);
    }
  }
  return status;
}

}  // namespace ragstone::index
