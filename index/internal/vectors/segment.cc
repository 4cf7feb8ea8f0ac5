// Making a segment, and its rows. Searching is in segment_search.cc.
#include "index/internal/vectors/segment.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>

#include "base/hash.h"

namespace ragstone::index::vectors {
namespace {

constexpr Slot kCountedSlots = 2000;

}  // namespace

Result<std::unique_ptr<Segment>> Segment::Build(const VectorSpec& spec, const RowSource& source,
                                                const SealOptions& options) {
  RETURN_IF_ERROR(CheckSpec(spec));
  if (source.rows() > kSegmentRowsMax) {
    return InvalidArgument(Reason::kLimitExceeded,
                           "a segment holds at most " + std::to_string(kSegmentRowsMax) + " rows");
  }
  std::unique_ptr<Segment> segment(new Segment());
  segment->spec_ = spec;
  RETURN_IF_ERROR(segment->EncodeAll(source));
  if (options.with_graph && source.rows() > 0) RETURN_IF_ERROR(segment->BuildGraph(options));
  segment->CountLinks();
  segment->IndexRows();
  return segment;
}

Status Segment::EncodeAll(const RowSource& source) {
  const CodeKind kind = WalkKind(spec_);
  ASSIGN_OR_RETURN(walk_, Codes::Make(PlanCodes(kind, spec_, source), source.rows()));
  const bool floats = spec_.storage == Storage::kFloat32 || spec_.storage == Storage::kFloat16;
  const bool apart = floats && kind == CodeKind::kInt8;
  if (apart) {
    const CodeKind exact =
        spec_.storage == Storage::kFloat16 ? CodeKind::kFloat16 : CodeKind::kFloat32;
    ASSIGN_OR_RETURN(exact_, Codes::Make(PlanCodes(exact, spec_, source), source.rows()));
  }
  row_ids_.reserve(source.rows());
  float cut = 0;
  for (size_t i = 0; i < source.rows(); ++i) {
    const VectorData vector = source.vector(i);
    row_ids_.push_back(source.id(i));
    cut = std::max(cut, walk_.Encode(static_cast<Slot>(i), vector));
    if (apart) exact_.Encode(static_cast<Slot>(i), vector);
  }
  if (cut == 0) return OkStatus();
  // The plan was made from a sample, which had no row as long as some of these.
  ASSIGN_OR_RETURN(walk_, Codes::Make(PlanCodes(kind, spec_, source, cut), source.rows()));
  for (size_t i = 0; i < source.rows(); ++i) {
    walk_.Encode(static_cast<Slot>(i), source.vector(i));
  }
  return OkStatus();
}

Status Segment::BuildGraph(const SealOptions& options) {
  const std::vector<Slot> first_equal = FindEqual();
  std::vector<bool> in_graph(rows());
  size_t twins = 0;
  for (Slot slot = 0; slot < rows(); ++slot) {
    in_graph[slot] = first_equal[slot] == slot;
    twins += !in_graph[slot];
  }
  ASSIGN_OR_RETURN(Graph graph, GraphBuilder::Build(walk_, in_graph, options.graph, &unreachable_));
  graph_ = std::move(graph);
  if (twins == 0 && !options.renumber) return OkStatus();
  const std::vector<Slot> order = NewOrder(first_equal, options.renumber);
  RETURN_IF_ERROR(Renumber(order));
  twins_.Resize(rows());
  for (size_t i = 0; i < order.size(); ++i) {
    if (!in_graph[order[i]]) twins_.Mark(static_cast<Slot>(i));
  }
  return OkStatus();
}

void Segment::CountLinks() {
  if (!graph_ || rows() == 0) return;
  const size_t between = std::max<size_t>(1, rows() / kCountedSlots);
  size_t links = 0, slots = 0;
  for (size_t slot = 0; slot < rows(); slot += between) {
    if (twins_.IsTwin(static_cast<Slot>(slot))) continue;
    const Slot* places = graph_->Places(static_cast<Slot>(slot), 0);
    for (uint32_t p = 0; p < graph_->places(0) && places[p] != kNoSlot; ++p) ++links;
    ++slots;
  }
  if (slots == 0) return;
  const double mean = static_cast<double>(links) / static_cast<double>(slots);
  two_hop_links_ = mean + mean * mean;
}

std::vector<Slot> Segment::FindEqual() const {
  std::vector<Slot> by_row(rows());
  std::iota(by_row.begin(), by_row.end(), 0);
  std::sort(by_row.begin(), by_row.end(),
            [this](Slot a, Slot b) { return row_ids_[a] < row_ids_[b]; });
  std::unordered_map<uint64_t, Slot> first_of;
  first_of.reserve(rows());
  std::vector<Slot> first_equal(rows());
  for (const Slot slot : by_row) {
    const std::string_view codes = walk_.RowView(slot);
    const auto [at, inserted] = first_of.try_emplace(FastHash(codes), slot);
    // Different rows of one hash are only not joined with what equals them.
    first_equal[slot] = inserted || !walk_.EqualRows(at->second, slot) ? slot : at->second;
  }
  return first_equal;
}

std::vector<Slot> Segment::NewOrder(const std::vector<Slot>& first_equal,
                                    bool breadth_first) const {
  std::vector<Slot> firsts(rows());
  std::iota(firsts.begin(), firsts.end(), 0);
  if (breadth_first) firsts = BreadthFirst();
  std::vector<Slot> twins;
  for (Slot slot = 0; slot < rows(); ++slot) {
    if (first_equal[slot] != slot) twins.push_back(slot);
  }
  std::sort(twins.begin(), twins.end(), [&](Slot a, Slot b) {
    return first_equal[a] != first_equal[b] ? first_equal[a] < first_equal[b]
                                            : row_ids_[a] < row_ids_[b];
  });
  std::vector<Slot> order;
  order.reserve(rows());
  for (const Slot first : firsts) {
    if (first_equal[first] != first) continue;
    order.push_back(first);
    auto twin = std::lower_bound(twins.begin(), twins.end(), first,
                                 [&](Slot of, Slot wanted) { return first_equal[of] < wanted; });
    for (; twin != twins.end() && first_equal[*twin] == first; ++twin) order.push_back(*twin);
  }
  return order;
}

std::vector<Slot> Segment::BreadthFirst() const {
  std::vector<Slot> order = {graph_->entry()};
  std::vector<bool> seen(rows(), false);
  order.reserve(rows());
  seen[order.front()] = true;
  for (size_t i = 0; i < order.size(); ++i) {
    const Slot* places = graph_->Places(order[i], 0);
    for (uint32_t p = 0; p < graph_->places(0) && places[p] != kNoSlot; ++p) {
      if (seen[places[p]]) continue;
      seen[places[p]] = true;
      order.push_back(places[p]);
    }
  }
  for (Slot slot = 0; slot < rows(); ++slot) {
    if (!seen[slot]) order.push_back(slot);
  }
  return order;
}

Status Segment::Renumber(const std::vector<Slot>& order) {
  const auto renumbered = [&](const Codes& old) -> Result<Codes> {
    ASSIGN_OR_RETURN(Codes codes, Codes::Make(old.plan(), old.rows()));
    for (size_t i = 0; i < order.size(); ++i) codes.CopyRow(static_cast<Slot>(i), old, order[i]);
    return codes;
  };
  ASSIGN_OR_RETURN(walk_, renumbered(walk_));
  if (exact_.rows() > 0) {
    ASSIGN_OR_RETURN(exact_, renumbered(exact_));
  }
  ASSIGN_OR_RETURN(graph_, graph_->Renumbered(order));
  std::vector<RowId> ids(rows());
  std::vector<Slot> number(rows());
  for (size_t i = 0; i < order.size(); ++i) {
    ids[i] = row_ids_[order[i]];
    number[order[i]] = static_cast<Slot>(i);
  }
  row_ids_ = std::move(ids);
  for (Slot& slot : unreachable_) slot = number[slot];
  return OkStatus();
}

void Segment::IndexRows() {
  sorted_slots_.resize(rows());
  std::iota(sorted_slots_.begin(), sorted_slots_.end(), 0);
  std::sort(sorted_slots_.begin(), sorted_slots_.end(),
            [this](Slot a, Slot b) { return row_ids_[a] < row_ids_[b]; });
  sorted_ids_.resize(rows());
  for (size_t i = 0; i < rows(); ++i) sorted_ids_[i] = row_ids_[sorted_slots_[i]];
}

Slot Segment::Find(RowId row) const {
  const auto at = std::lower_bound(sorted_ids_.begin(), sorted_ids_.end(), row);
  if (at == sorted_ids_.end() || *at != row) return kNoSlot;
  return sorted_slots_[static_cast<size_t>(at - sorted_ids_.begin())];
}

void Segment::Decode(Slot slot, float* vector) const { best_codes().Decode(slot, vector); }

uint64_t Segment::bytes() const {
  return walk_.bytes() + exact_.bytes() + (graph_ ? graph_->bytes() : 0) +
         rows() * (2 * sizeof(RowId) + sizeof(Slot));
}

void Segment::UseKernels(const Kernels* kernels) {
  walk_.UseKernels(kernels);
  exact_.UseKernels(kernels);
}

}  // namespace ragstone::index::vectors
