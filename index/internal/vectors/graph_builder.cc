#include "index/internal/vectors/graph_builder.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace ragstone::index::vectors {
namespace {

constexpr int kLevelMax = 15;
constexpr size_t kKeptBlock = 8;
constexpr size_t kBetweenStops = 64;  // insertions

std::vector<uint8_t> RandomLevels(size_t rows, const BuildOptions& options) {
  std::mt19937_64 random(options.seed);
  std::uniform_real_distribution<double> uniform(0.0, 1.0);
  const double factor = 1.0 / std::log(static_cast<double>(options.links));
  std::vector<uint8_t> levels(rows);
  for (uint8_t& level : levels) {
    const double height = -std::log(1.0 - uniform(random)) * factor;
    level = static_cast<uint8_t>(std::min<double>(height, kLevelMax));
  }
  return levels;
}

}  // namespace

Result<Graph> GraphBuilder::Build(const Codes& codes, const std::vector<bool>& in_graph,
                                  const BuildOptions& options, std::vector<Slot>* unreachable) {
  if (options.links < 2 || options.links > 512 || options.ef_construction < 1 ||
      options.threads < 1) {
    return InvalidArgument(Reason::kInvalidArgument,
                           "a graph needs 2 to 512 links, an ef_construction and a thread");
  }
  GraphBuilder builder(codes, in_graph, options);
  RETURN_IF_ERROR(builder.Prepare());
  if (builder.graph_.entry() == kNoSlot) return std::move(builder.graph_);
  builder.InsertAll();
  if (!builder.stopped()) builder.LinkUnreachable(unreachable);
  if (builder.stopped()) {
    return Status(StatusCode::kCancelled, Reason::kCancelled, "building the graph was stopped");
  }
  return std::move(builder.graph_);
}

Status GraphBuilder::Prepare() {
  const size_t rows = codes_.rows();
  std::vector<uint8_t> levels = RandomLevels(rows, options_);
  Slot entry = kNoSlot;
  // The entry is known from the start, so that no insertion has to replace it.
  for (Slot slot = 0; slot < rows; ++slot) {
    if (!in_graph_[slot]) {
      levels[slot] = 0;
    } else if (entry == kNoSlot || levels[slot] > levels[entry]) {
      entry = slot;
    }
  }
  ASSIGN_OR_RETURN(graph_, Graph::Make(options_.links, std::move(levels)));
  graph_.set_entry(entry);
  locks_ = std::vector<std::atomic<uint8_t>>(rows);
  distances_.resize(rows * graph_.places(0));
  return OkStatus();
}

void GraphBuilder::InsertAll() {
  const auto work = [this] {
    Worker worker;
    for (;;) {
      const size_t slot = next_.fetch_add(1, std::memory_order_relaxed);
      if (slot >= codes_.rows()) return;
      if (slot % kBetweenStops == 0 && stopped()) return;
      if (in_graph_[slot] && slot != graph_.entry()) Insert(static_cast<Slot>(slot), &worker);
    }
  };
  std::vector<std::thread> threads;
  for (uint32_t i = 1; i < options_.threads; ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
}

void GraphBuilder::Insert(Slot slot, Worker* worker) {
  const int top = graph_.level(slot);
  worker->walk.Begin(graph_, codes_);
  codes_.PrepareRow(slot, worker->walk.query());
  Slot seed = worker->walk.Descend(top);
  // Only when the slot has its own links on all levels is it linked to, so that no walk ends in it.
  for (int level = top; level >= 0; --level) seed = ChooseLinks(slot, level, seed, worker);
  for (int level = 0; level <= top; ++level) LinkBackAll(slot, level, worker);
}

void GraphBuilder::LinkBackAll(Slot slot, int level, Worker* worker) {
  const Slot* places = graph_.Places(slot, level);
  worker->own.clear();
  for (uint32_t p = 0; p < graph_.places(level); ++p) {
    const Slot to = Graph::Read(places + p);
    if (to == kNoSlot) break;
    worker->own.push_back({0, to});
  }
  for (Edge& edge : worker->own) {
    codes_.Distances(*worker->walk.query(), &edge.slot, 1, &edge.distance);
    LinkBack(edge.slot, {edge.distance, slot}, level, worker);
  }
}

Slot GraphBuilder::ChooseLinks(Slot slot, int level, Slot seed, Worker* worker) {
  worker->seeds.assign(1, seed);
  worker->walk.Start(level, options_.ef_construction, worker->seeds);
  worker->walk.Run();
  const Pool& found = worker->walk.found();
  worker->candidates.clear();
  for (size_t i = 0; i < found.size(); ++i) {
    if (found[i].slot() != slot) worker->candidates.push_back({found[i].distance, found[i].slot()});
  }
  Select(graph_.places(level), worker);
  Lock(slot);
  WriteKept(slot, level, *worker);
  Unlock(slot);
  return found.size() > 0 ? found[0].slot() : seed;
}

void GraphBuilder::WriteKept(Slot slot, int level, const Worker& worker) {
  Slot* places = graph_.Places(slot, level);
  float* distances = level == 0 ? &distances_[size_t{slot} * graph_.places(0)] : nullptr;
  for (uint32_t p = 0; p < graph_.places(level); ++p) {
    const bool used = p < worker.kept.size();
    Graph::Write(places + p, used ? worker.kept[p].slot : kNoSlot);
    if (used && distances != nullptr) distances[p] = worker.kept[p].distance;
  }
}

void GraphBuilder::Select(size_t most, Worker* worker) {
  worker->kept.clear();
  for (const Edge& candidate : worker->candidates) {
    if (worker->kept.size() == most) return;
    if (!IsNearerToKept(candidate, worker)) worker->kept.push_back(candidate);
  }
}

bool GraphBuilder::IsNearerToKept(const Edge& candidate, Worker* worker) {
  if (worker->kept.empty()) return false;
  codes_.PrepareRow(candidate.slot, &worker->query);
  for (size_t begin = 0; begin < worker->kept.size(); begin += kKeptBlock) {
    const size_t block = std::min(kKeptBlock, worker->kept.size() - begin);
    Slot slots[kKeptBlock];
    float distances[kKeptBlock];
    for (size_t i = 0; i < block; ++i) slots[i] = worker->kept[begin + i].slot;
    codes_.Distances(worker->query, slots, block, distances);
    for (size_t i = 0; i < block; ++i) {
      // Equal counts as nearer: of many equal rows each then links to one, and to others beside.
      if (distances[i] <= candidate.distance) return true;
    }
  }
  return false;
}

void GraphBuilder::LinkBack(Slot from, const Edge& to, int level, Worker* worker) {
  Lock(from);
  Slot* places = graph_.Places(from, level);
  const uint32_t most = graph_.places(level);
  float* distances = level == 0 ? &distances_[size_t{from} * most] : nullptr;
  worker->slots.clear();
  uint32_t count = 0;
  bool known = false;
  for (; count < most; ++count) {
    const Slot slot = Graph::Read(places + count);
    if (slot == kNoSlot) break;
    known = known || slot == to.slot;
    worker->slots.push_back(slot);
  }
  if (known) {
    Unlock(from);
    return;
  }
  if (count < most) {
    Graph::Write(places + count, to.slot);
    if (distances != nullptr) distances[count] = to.distance;
    Unlock(from);
    return;
  }
  worker->distances.resize(count);
  if (distances != nullptr) {
    std::copy_n(distances, count, worker->distances.begin());
  } else {
    codes_.PrepareRow(from, &worker->query);
    codes_.Distances(worker->query, worker->slots.data(), count, worker->distances.data());
  }
  worker->candidates.assign(1, to);
  for (uint32_t i = 0; i < count; ++i) {
    worker->candidates.push_back({worker->distances[i], worker->slots[i]});
  }
  std::sort(worker->candidates.begin(), worker->candidates.end(), [](const Edge& a, const Edge& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.slot < b.slot;
  });
  Select(most, worker);
  WriteKept(from, level, *worker);
  Unlock(from);
}

void GraphBuilder::Reach(Slot from, std::vector<bool>* reached) const {
  std::vector<Slot> stack = {from};
  (*reached)[from] = true;
  while (!stack.empty()) {
    const Slot slot = stack.back();
    stack.pop_back();
    const Slot* places = graph_.Places(slot, 0);
    for (uint32_t p = 0; p < graph_.places(0) && places[p] != kNoSlot; ++p) {
      if ((*reached)[places[p]]) continue;
      (*reached)[places[p]] = true;
      stack.push_back(places[p]);
    }
  }
}

bool GraphBuilder::LinkFromNearest(Slot slot, const std::vector<bool>& reached, Worker* worker) {
  worker->walk.Begin(graph_, codes_);
  codes_.PrepareRow(slot, worker->walk.query());
  worker->seeds.assign(1, worker->walk.Descend(0));
  worker->walk.Start(0, options_.ef_construction, worker->seeds);
  worker->walk.Run();
  const Pool& found = worker->walk.found();
  for (size_t i = 0; i < found.size(); ++i) {
    const Slot from = found[i].slot();
    if (from == slot || !reached[from]) continue;
    Slot* places = graph_.Places(from, 0);
    for (uint32_t p = 0; p < graph_.places(0); ++p) {
      if (places[p] != kNoSlot) continue;
      places[p] = slot;
      return true;
    }
  }
  return false;
}

void GraphBuilder::LinkUnreachable(std::vector<Slot>* unreachable) {
  std::vector<bool> reached(codes_.rows(), false);
  Reach(graph_.entry(), &reached);
  Worker worker;
  std::vector<Slot> lost;
  for (Slot slot = 0; slot < codes_.rows(); ++slot) {
    if (reached[slot] || !in_graph_[slot]) continue;
    if (!LinkFromNearest(slot, reached, &worker)) lost.push_back(slot);
    // Walks begin there too: what it leads to is reached.
    Reach(slot, &reached);
  }
  if (lost.empty()) return;
  // Links that were added after one was given up may lead to it.
  reached.assign(codes_.rows(), false);
  Reach(graph_.entry(), &reached);
  for (const Slot slot : lost) {
    if (reached[slot]) continue;
    unreachable->push_back(slot);
    Reach(slot, &reached);
  }
}

}  // namespace ragstone::index::vectors
