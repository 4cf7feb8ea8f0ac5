#pragma once

#include <vector>

#include "index/internal/vectors/codes.h"
#include "index/internal/vectors/graph.h"
#include "index/internal/vectors/pool.h"
#include "index/internal/vectors/slot_predicate.h"
#include "index/internal/vectors/twins.h"
#include "index/internal/vectors/visited_set.h"

namespace ragstone::index::vectors {

// One search of a graph. A step has two halves: Gather takes the nearest slot not yet gone on from
// and asks for the codes of its neighbours, Score computes their distances. Between them other
// walks can take their halves while memory answers. Keeps its memory from search to search; not
// thread-safe.
class Walk {
 public:
  // Begins a search for `query()`, which the caller prepares before. The graph and the codes must
  // outlive the search.
  void Begin(const Graph& graph, const Codes& codes);
  CodedQuery* query() { return &query_; }
  // Before anything else: the walk does not set foot on this slot, which is not the entry.
  void HoldOut(Slot slot) { held_out_ = slot; }

  // Rows that pass are collected apart, `capacity` of them, and their twins as far as they pass.
  // Before Start. The twins must outlive the search.
  void Collect(const SlotPredicate& allowed, const Twins& twins, size_t capacity);
  // Goes down to `level` + 1, always to the nearest neighbour; returns where it ends.
  Slot Descend(int level);
  // Collects the `width` nearest of the level, beginning with the seeds.
  void Start(int level, size_t width, const std::vector<Slot>& seeds);
  // After Collect and a run: goes on with rows that pass only; what was found so far are the seeds.
  // Two links at a time are followed where the first leads to a row that does not pass (as ACORN-1:
  // Patel et al., 2024).
  void Restrict();

  // False if there is nothing left to go on from.
  bool Gather();
  void Score();
  void Run() {
    while (Gather()) Score();
  }

  // What was found, the nearest first. After Collect, rows that pass.
  const Pool& found() const { return results_on_ ? results_ : pool_; }
  // After Collect and a run over all rows: how many of what was found lie within the radius that
  // was searched. Of what lies beyond, nearer rows may have been missed.
  size_t FoundWithin() const;
  // After Collect: which share of the rows that were met passes.
  double PassingShare() const {
    return met_ == 0 ? 0 : static_cast<double>(passed_) / static_cast<double>(met_);
  }
  size_t distances() const { return distances_; }

 private:
  void GatherPlain(Slot from);
  void GatherTwoHops(Slot from);
  // Whether the row or one of its twins passes. Twins are asked about once in a search.
  bool Passes(Slot slot);
  void OfferResult(float distance, Slot slot);
  void Add(Slot slot) {
    batch_.push_back(slot);
    codes_->Prefetch(slot);
  }

  const Graph* graph_ = nullptr;
  const Codes* codes_ = nullptr;
  const SlotPredicate* allowed_ = nullptr;
  const Twins* twins_ = nullptr;
  bool two_hops_ = false;
  bool results_on_ = false;
  int level_ = 0;
  Slot held_out_ = kNoSlot;
  CodedQuery query_;
  VisitedSet visited_;
  VisitedSet rejected_;  // have twins, and none passes; their links may still be followed
  size_t met_ = 0;
  size_t passed_ = 0;
  Pool pool_;
  Pool results_;
  std::vector<Slot> batch_;
  std::vector<float> batch_distances_;
  size_t distances_ = 0;  // computed so far
};

}  // namespace ragstone::index::vectors
