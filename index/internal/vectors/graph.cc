#include "index/internal/vectors/graph.h"

#include <algorithm>
#include <cstring>

namespace ragstone::index::vectors {

Result<Graph> Graph::Make(uint32_t links, std::vector<uint8_t> levels) {
  Graph graph;
  graph.links_ = links;
  graph.levels_ = std::move(levels);
  const size_t bytes = graph.rows() * 2 * links * sizeof(Slot);
  ASSIGN_OR_RETURN(graph.base_, HugeBuffer::Make(bytes));
  std::memset(graph.base_.data(), 0xff, bytes);
  graph.upper_begin_.reserve(graph.rows());
  uint32_t lists = 0;
  for (const uint8_t level : graph.levels_) {
    graph.upper_begin_.push_back(lists);
    lists += level;
  }
  graph.upper_.assign(size_t{lists} * links, kNoSlot);
  return graph;
}

Result<Graph> Graph::Renumbered(const std::vector<Slot>& order) const {
  std::vector<Slot> number(rows());
  std::vector<uint8_t> levels(rows());
  for (size_t i = 0; i < order.size(); ++i) {
    number[order[i]] = static_cast<Slot>(i);
    levels[i] = levels_[order[i]];
  }
  ASSIGN_OR_RETURN(Graph graph, Make(links_, std::move(levels)));
  for (size_t i = 0; i < order.size(); ++i) {
    for (int level = 0; level <= levels_[order[i]]; ++level) {
      const Slot* from = Places(order[i], level);
      Slot* to = graph.Places(static_cast<Slot>(i), level);
      for (uint32_t p = 0; p < places(level) && from[p] != kNoSlot; ++p) to[p] = number[from[p]];
    }
  }
  if (entry_ != kNoSlot) graph.entry_ = number[entry_];
  return graph;
}

Status Graph::Check() const {
  const Status damaged = Internal("the links of a vector graph are damaged");
  if (rows() == 0) return entry_ == kNoSlot ? OkStatus() : damaged;
  if (entry_ >= rows()) return damaged;
  for (Slot slot = 0; slot < rows(); ++slot) {
    if (levels_[slot] > levels_[entry_]) return damaged;
    for (int level = 0; level <= levels_[slot]; ++level) {
      const Slot* places_of = Places(slot, level);
      for (uint32_t p = 0; p < places(level) && places_of[p] != kNoSlot; ++p) {
        if (places_of[p] >= rows() || levels_[places_of[p]] < level) return damaged;
      }
    }
  }
  return OkStatus();
}

uint64_t Graph::bytes() const {
  return base_.allocated() + upper_begin_.size() * sizeof(uint32_t) + upper_.size() * sizeof(Slot) +
         levels_.size();
}

}  // namespace ragstone::index::vectors
