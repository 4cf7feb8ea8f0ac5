#pragma once

#include <atomic>
#include <thread>
#include <vector>

#include "index/internal/vectors/codes.h"
#include "index/internal/vectors/graph.h"
#include "index/internal/vectors/walk.h"

namespace ragstone::index::vectors {

struct BuildOptions {
  uint32_t links = 16;             // M: of a slot on upper levels; twice as many on level 0
  uint32_t ef_construction = 120;  // how many candidates for links are collected
  uint32_t threads = 1;
  uint64_t seed = 20261123;  // of the levels; with one thread the graph follows from it
  // Raised to give up; may be null.
  const std::atomic<bool>* stop = nullptr;
};

// Builds an HNSW graph over codes by inserting slot after slot, from several threads: a link is
// read without a lock, the links of one slot are changed under its own. Distances are those of the
// codes.
class GraphBuilder {
 public:
  // `in_graph` says of each slot whether it is to be in the graph at all. CANCELLED if stopped,
  // RESOURCE_EXHAUSTED without memory. Every slot can be reached from the entry on level 0, except
  // those appended to `unreachable` and what they lead to; they are few.
  static Result<Graph> Build(const Codes& codes, const std::vector<bool>& in_graph,
                             const BuildOptions& options, std::vector<Slot>* unreachable);

 private:
  struct Edge {
    float distance;
    Slot slot;
  };
  // What one thread works with.
  struct Worker {
    Walk walk;
    CodedQuery query;
    std::vector<Edge> candidates;
    std::vector<Edge> kept;
    std::vector<Edge> own;
    std::vector<Slot> slots;
    std::vector<float> distances;
    std::vector<Slot> seeds;
  };

  GraphBuilder(const Codes& codes, const std::vector<bool>& in_graph, const BuildOptions& options)
      : codes_(codes), in_graph_(in_graph), options_(options) {}
  Status Prepare();
  void InsertAll();
  void Insert(Slot slot, Worker* worker);
  // Finds and writes the slot's own links of a level, where nobody sees them yet; returns the
  // nearest slot found.
  Slot ChooseLinks(Slot slot, int level, Slot seed, Worker* worker);
  bool stopped() const { return options_.stop != nullptr && options_.stop->load(); }
  // Keeps of `candidates`, nearest first, those that are not nearer to one kept than to the base;
  // at most `most`, into `kept`.
  void Select(size_t most, Worker* worker);
  bool IsNearerToKept(const Edge& candidate, Worker* worker);
  // Links those to which the slot is linked back to it.
  void LinkBackAll(Slot slot, int level, Worker* worker);
  void LinkBack(Slot from, const Edge& to, int level, Worker* worker);
  // Replaces the links of a level by those kept.
  void WriteKept(Slot slot, int level, const Worker& worker);
  void LinkUnreachable(std::vector<Slot>* unreachable);
  void Reach(Slot from, std::vector<bool>* reached) const;
  bool LinkFromNearest(Slot slot, const std::vector<bool>& reached, Worker* worker);

  void Lock(Slot slot) {
    while (locks_[slot].exchange(1, std::memory_order_acquire) != 0) std::this_thread::yield();
  }
  void Unlock(Slot slot) { locks_[slot].store(0, std::memory_order_release); }

  const Codes& codes_;
  const std::vector<bool>& in_graph_;
  const BuildOptions options_;
  Graph graph_;
  std::vector<std::atomic<uint8_t>> locks_;
  // Of every place of level 0, how far its link leads: saves computing it when links are chosen
  // anew.
  std::vector<float> distances_;
  std::atomic<size_t> next_{0};
};

}  // namespace ragstone::index::vectors
