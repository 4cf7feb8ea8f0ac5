#include "index/internal/vector_index.h"

#include <algorithm>
#include <cstdio>
#include <map>

namespace ragstone::index {
namespace {

// Four segments of about one size are joined, so that there are few to search and each row is
// written again only once for each fourfold growth.
constexpr size_t kJoin = 4;
constexpr size_t kJoinedRowsMax = 4'000'000;
constexpr size_t kDeadRowsMin = 256;  // fewer are not worth a rewrite

// The recall of all graphs together, by their rows.
std::string MeasuredText(const VectorIndex::List& list) {
  double sum = 0;
  size_t rows = 0;
  size_t queries = 0;
  size_t ef = 0;
  size_t k = 0;
  for (const VectorIndex::Entry& entry : list) {
    if (entry.graph == nullptr) continue;
    const HnswGraph::Measured measured = entry.graph->measured();
    if (measured.queries == 0) continue;
    sum += measured.recall * static_cast<double>(entry.segment->rows());
    rows += entry.segment->rows();
    queries += measured.queries;
    ef = std::max(ef, measured.ef);
    k = measured.k;
  }
  if (rows == 0) return "recall not measured yet";
  char text[96];
  snprintf(text, sizeof(text), "ef %zu, recall@%zu %.3f measured on %zu queries", ef, k,
           sum / static_cast<double>(rows), queries);
  return text;
}

}  // namespace

VectorIndex::VectorIndex(size_t dimensions, uint32_t hnsw_rows_min, size_t rows_expected)
    : dimensions_(dimensions), hnsw_rows_min_(std::clamp<uint32_t>(hnsw_rows_min, 64, 1 << 20)) {
  const size_t rows_max = std::max<size_t>(hnsw_rows_min_, rows_expected);
  auto list = std::make_shared<List>();
  list->push_back({std::make_shared<Segment>(dimensions, rows_max), nullptr});
  MutexLock lock(&mutex_);
  list_ = std::move(list);
}

std::shared_ptr<const VectorIndex::List> VectorIndex::Snapshot() const {
  MutexLock lock(&mutex_);
  return list_;
}

void VectorIndex::Append(ChunkId chunk, const float* vector,
                         const std::shared_ptr<const VersionState>& version) {
  std::shared_ptr<Segment> segment = growing();
  if (segment->rows_written() == segment->rows_max()) {
    segment->Publish();
    Seal();
    segment = growing();
  }
  segment->Append(chunk, vector, version);
}

void VectorIndex::PublishRows() { growing()->Publish(); }

void VectorIndex::SealIfDue(SequenceNumber sequence) {
  const std::shared_ptr<Segment> segment = growing();
  const size_t rows = segment->rows();
  const bool mostly_dead = rows >= 2 * kDeadRowsMin && segment->DeadRows(sequence) > rows / 2;
  if (rows >= hnsw_rows_min_ || mostly_dead) Seal();
}

void VectorIndex::Seal() {
  auto fresh = std::make_shared<Segment>(dimensions_, hnsw_rows_min_);
  MutexLock lock(&mutex_);
  auto list = std::make_shared<List>(*list_);
  list->push_back({std::move(fresh), nullptr});
  list_ = std::move(list);
}

Status VectorIndex::Search(const VectorQuery& query, const CallContext& context,
                           TopChunks* top) const {
  const std::shared_ptr<const List> list = Snapshot();
  const size_t all_rows = std::max<size_t>(1, rows());
  for (const Entry& entry : *list) {
    RETURN_IF_ERROR(context.Check());
    if (entry.graph != nullptr && query.limit <= HnswGraph::kLimitMax) {
      const bool all = query.allowed == nullptr;
      const size_t rows = entry.segment->rows();
      // As if they lay evenly: where they do not, a walk that comes short is followed by a scan.
      const size_t matches = all ? rows : query.allowed->count() * rows / all_rows;
      TopChunks found(query.limit);
      if (all || matches >= HnswGraph::kMatchesMin) {
        ASSIGN_OR_RETURN(const size_t count, entry.graph->Search(query, matches, &found));
        if (count >= query.limit) {
          for (const ScoredChunk& chunk : found.TakeSorted()) top->Offer(chunk);
          continue;
        }
      }
    }
    RETURN_IF_ERROR(entry.segment->Scan(query, context, top));
  }
  return OkStatus();
}

uint64_t VectorIndex::bytes() const {
  const std::shared_ptr<const List> list = Snapshot();
  uint64_t bytes = 0;
  for (const Entry& entry : *list) {
    bytes += entry.segment->bytes();
    if (entry.graph != nullptr) bytes += entry.graph->bytes();
  }
  return bytes;
}

size_t VectorIndex::rows() const {
  const std::shared_ptr<const List> list = Snapshot();
  size_t rows = 0;
  for (const Entry& entry : *list) rows += entry.segment->rows();
  return rows;
}

std::string VectorIndex::Describe() const {
  const std::shared_ptr<const List> list = Snapshot();
  size_t in_graphs = 0;
  size_t graphs = 0;
  size_t scanned = 0;
  size_t waiting = 0;
  for (size_t i = 0; i < list->size(); ++i) {
    const Entry& entry = (*list)[i];
    const size_t rows = entry.segment->rows();
    if (entry.graph != nullptr) {
      in_graphs += rows;
      ++graphs;
    } else {
      scanned += rows;
      if (i + 1 < list->size() && rows >= hnsw_rows_min_) waiting += rows;
    }
  }
  std::string text;
  if (graphs > 0) {
    text = "HNSW graphs: " + std::to_string(graphs) + " over " + std::to_string(in_graphs) +
           " vectors, " + MeasuredText(*list) + "; ";
  }
  text += "exact scan: " + std::to_string(scanned) + " vectors";
  if (waiting > 0) {
    text += ", of which " + std::to_string(waiting) + " wait for their graph to be built";
  } else if (graphs == 0) {
    text += ", fewer than the " + std::to_string(hnsw_rows_min_) + " that get a graph";
  }
  return text;
}

std::vector<std::shared_ptr<Segment>> VectorIndex::ChooseToRewrite(const List& list,
                                                                   SequenceNumber oldest) const {
  std::map<int, std::vector<std::shared_ptr<Segment>>> tiers;
  for (size_t i = 0; i + 1 < list.size(); ++i) {
    const std::shared_ptr<Segment>& segment = list[i].segment;
    const size_t rows = segment->rows();
    const size_t dead = segment->DeadRows(oldest);
    if (dead == rows || (dead >= kDeadRowsMin && dead * 5 > rows)) return {segment};
    int tier = 0;
    for (size_t size = hnsw_rows_min_; size < rows; size *= kJoin) ++tier;
    std::vector<std::shared_ptr<Segment>>& same = tiers[tier];
    same.push_back(segment);
    if (same.size() < kJoin) continue;
    size_t joined = 0;
    for (const auto& part : same) joined += part->rows();
    if (joined <= kJoinedRowsMax) return same;
  }
  return {};
}

std::shared_ptr<Segment> VectorIndex::Rewrite(const std::vector<std::shared_ptr<Segment>>& old,
                                              SequenceNumber oldest) const {
  size_t rows = 0;
  for (const auto& segment : old) rows += segment->rows();
  auto fresh = std::make_shared<Segment>(dimensions_, rows);
  for (const auto& segment : old) {
    const size_t runs = segment->run_count();
    for (size_t i = 0; i < runs; ++i) {
      const Segment::Run& run = segment->run(i);
      if (run.version->DeadAt(oldest)) continue;
      for (size_t row = run.begin; row < run.end; ++row) {
        fresh->Append(segment->chunk(row), segment->vector(row), run.version);
      }
    }
  }
  fresh->Publish();
  return fresh;
}

void VectorIndex::Replace(const std::vector<std::shared_ptr<Segment>>& old, Entry replacement) {
  MutexLock lock(&mutex_);
  auto list = std::make_shared<List>();
  if (replacement.segment->rows() > 0) list->push_back(std::move(replacement));
  for (const Entry& entry : *list_) {
    if (std::find(old.begin(), old.end(), entry.segment) == old.end()) list->push_back(entry);
  }
  list_ = std::move(list);
}

Result<bool> VectorIndex::Maintain(SequenceNumber oldest, const std::atomic<bool>& stop) {
  const std::shared_ptr<const List> list = Snapshot();
  const std::vector<std::shared_ptr<Segment>> old = ChooseToRewrite(*list, oldest);
  if (!old.empty()) {
    Replace(old, {Rewrite(old, oldest), nullptr});
    return true;
  }
  for (size_t i = 0; i + 1 < list->size(); ++i) {
    const Entry& entry = (*list)[i];
    if (entry.graph != nullptr || entry.segment->rows() < hnsw_rows_min_) continue;
    ASSIGN_OR_RETURN(std::unique_ptr<HnswGraph> graph, HnswGraph::Build(entry.segment, stop));
    if (graph == nullptr) return false;
    Replace({entry.segment}, {entry.segment, std::move(graph)});
    return true;
  }
  return false;
}

}  // namespace ragstone::index
