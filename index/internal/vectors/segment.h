#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "index/internal/vectors/codes.h"
#include "index/internal/vectors/exact_distances.h"
#include "index/internal/vectors/graph.h"
#include "index/internal/vectors/graph_builder.h"
#include "index/internal/vectors/slot_predicate.h"
#include "index/internal/vectors/top_slots.h"
#include "index/internal/vectors/twins.h"
#include "index/internal/vectors/walk.h"

namespace ragstone::index::vectors {

struct SearchOptions {
  size_t k = 10;
  size_t ef = 0;       // candidates of a walk; 0: what calibration found
  size_t rescore = 0;  // candidates ranked by their exact distances; 0: by storage and k
  const ExactReader* reader = nullptr;  // for storage int8 and binary; may be null
  // Up to so many matches of a restriction are scanned without trying a walk.
  size_t scan_matches_max = 10'000;
  // A slot that a walk does not set foot on, as if its row were not in the graph; not its entry.
  Slot held_out = kNoSlot;
};

// Which rows a search may return. Rows that are left out are still walked over.
struct Restriction {
  RowPredicate allowed;
  size_t matches = 0;  // about how many rows of the segment pass
  // All rows that may pass, ascending, of this segment or not; empty: unknown. With it few matches
  // are found without asking for each row of the segment.
  std::span<const RowId> rows;
};

struct SealOptions {
  BuildOptions graph;
  bool with_graph = true;  // false: searched by scanning
  // Slots are numbered in the order of a breadth-first walk, so that neighbours lie near each
  // other.
  bool renumber = true;
};

// How recall was measured, and what follows from it.
struct Calibration {
  size_t ef = 0;       // for k and below
  size_t wide_ef = 0;  // for kWideHits; 0: not measured
  size_t k = 0;
  size_t queries = 0;  // 0: not measured yet
  float recall = 0;    // at `ef`
  float target = 0;
};

// Rows that do not change any more, with a graph or without. All const methods are thread-safe and
// take no lock.
class Segment {
 public:
  static constexpr size_t kEfMax = 4096;
  static constexpr size_t kEfDefault = 96;
  // Numbers of hits for which ef is measured; between and beyond them it is interpolated.
  static constexpr size_t kUsualHits = 10;
  static constexpr size_t kWideHits = 100;

  // INVALID_ARGUMENT for a spec or options that do not exist, RESOURCE_EXHAUSTED without memory,
  // CANCELLED if stopped. Vectors must have passed CheckVector.
  static Result<std::unique_ptr<Segment>> Build(const VectorSpec& spec, const RowSource& source,
                                                const SealOptions& options);

  const VectorSpec& spec() const { return spec_; }
  size_t rows() const { return row_ids_.size(); }
  RowId row_id(Slot slot) const { return row_ids_[slot]; }
  Slot Find(RowId row) const;  // kNoSlot if it is not here
  bool has_graph() const { return graph_.has_value(); }
  const Graph& graph() const { return *graph_; }
  // Slots that no walk meets, and that every search considers.
  const std::vector<Slot>& unreachable() const { return unreachable_; }
  const Twins& twins() const { return twins_; }
  uint64_t bytes() const;
  // Whether the segment itself holds vectors as precisely as they are stored.
  bool has_exact() const { return exact_.rows() == rows() || walk_is_exact(); }
  // Whether it holds of float vectors only their signs, which cannot be decoded.
  bool only_bits() const {
    return walk_.plan().kind == CodeKind::kBits && spec_.metric != Metric::kHamming;
  }
  // The vector as it is held, normalised under cosine. Not if only_bits().
  void Decode(Slot slot, float* vector) const;

  // The best min(k, matches) rows, nearest first; about the best where a graph is walked. `query`
  // must have passed CheckVector. `restriction` may be null. Errors are the reader's.
  Status Search(VectorData query, const SearchOptions& options, const Restriction* restriction,
                std::vector<Hit>* hits) const;
  // The same for many queries at once on this thread, without restriction: waits for memory of one
  // query are filled with work for others.
  Status SearchBatch(std::span<const VectorData> queries, const SearchOptions& options,
                     std::vector<std::vector<Hit>>* hits) const;
  // All rows at most `distance_max` away, nearest first, `options.k` at most; about all where a
  // graph is walked.
  Status SearchRange(VectorData query, float distance_max, const SearchOptions& options,
                     const Restriction* restriction, std::vector<Hit>* hits) const;
  // By scanning all rows with the most precise vectors there are.
  Status SearchExact(VectorData query, const SearchOptions& options, const Restriction* restriction,
                     std::vector<Hit>* hits) const;

  // What searches without `ef` use: for kUsualHits and fewer, for kWideHits (0: as many as are
  // ranked again), and for any k. May be set while others search.
  size_t ef() const { return ef_.load(std::memory_order_relaxed); }
  size_t wide_ef() const { return wide_ef_.load(std::memory_order_relaxed); }
  size_t EfOf(size_t k) const;
  void set_ef(size_t ef, size_t wide_ef = 0) {
    ef_.store(ef, std::memory_order_relaxed);
    wide_ef_.store(wide_ef, std::memory_order_relaxed);
  }

  void UseKernels(const Kernels* kernels);

 private:
  friend class SegmentWriter;
  friend class SegmentReader;

  enum class Way : uint8_t { kScan, kWalk, kWalkTwoHops };
  struct Plan {
    Way way = Way::kScan;
    size_t ef = 0;
    size_t rescore = 0;
  };

  Segment() = default;
  Status EncodeAll(const RowSource& source);
  Status BuildGraph(const SealOptions& options);
  // After the graph: see two_hop_links_.
  void CountLinks();
  Status Renumber(const std::vector<Slot>& order);
  // Of each slot, the first slot with equal codes, which is the one with the smallest row.
  std::vector<Slot> FindEqual() const;
  // The order in which slots are numbered anew: twins after the first of them.
  std::vector<Slot> NewOrder(const std::vector<Slot>& first_equal, bool breadth_first) const;
  std::vector<Slot> BreadthFirst() const;
  void IndexRows();
  bool walk_is_exact() const {
    return walk_.plan().kind == CodeKind::kFloat32 || walk_.plan().kind == CodeKind::kFloat16 ||
           spec_.metric == Metric::kHamming;
  }
  const Codes& best_codes() const { return exact_.rows() > 0 ? exact_ : walk_; }

  Plan PlanSearch(const SearchOptions& options, const Restriction* restriction) const;
  void BeginWalk(const Plan& plan, VectorData query, const SlotPredicate* allowed, Slot held_out,
                 Walk* walk) const;
  // Walks of the graph as planned. False if what they found is not enough, or not surely the best:
  // then the rows are scanned.
  bool WalkFreely(const Plan& plan, VectorData query, const SearchOptions& options,
                  std::vector<Slot>* slots) const;
  bool WalkRestricted(Plan plan, VectorData query, const SearchOptions& options,
                      const Restriction& restriction, std::vector<Slot>* slots) const;
  bool WalkTwoHops(const Plan& plan, Walk* walk) const;
  // The plan of a wider walk over all rows for one that found `within` good rows; false if a scan
  // is shorter.
  bool Widen(size_t within, size_t wanted, Plan* plan) const;
  void TakeFound(const Walk& walk, bool restricted, size_t most, std::vector<Slot>* slots) const;
  void ScanSlots(const Codes& codes, VectorData query, const Restriction* restriction,
                 TopSlots* top) const;
  void Scan(VectorData query, size_t most, const Restriction* restriction,
            std::vector<Slot>* slots) const;
  // Ranks candidates by the most precise vectors there are.
  Status Rank(VectorData query, const std::vector<Slot>& slots, const SearchOptions& options,
              std::vector<Hit>* hits) const;
  Status Distances(VectorData query, const std::vector<Slot>& slots, const ExactReader* reader,
                   std::vector<float>* distances) const;

  VectorSpec spec_;
  std::vector<RowId> row_ids_;  // by slot
  std::vector<RowId> sorted_ids_;
  std::vector<Slot> sorted_slots_;
  Codes walk_;
  Codes exact_;  // empty where walk_ is as precise or the storage is not
  std::optional<Graph> graph_;
  std::vector<Slot> unreachable_;
  Twins twins_;
  // How many slots one or two links lead to, on average and counted as often as they are met.
  double two_hop_links_ = 0;
  std::atomic<size_t> ef_{kEfDefault};
  std::atomic<size_t> wide_ef_{0};
};

}  // namespace ragstone::index::vectors
