#pragma once

#include "index/internal/vectors/types.h"

namespace ragstone::index::vectors {

// A borrowed `bool f(Slot)`, called without allocation or virtual tables. `f` must outlive it, must
// give the same answer for a slot during one search, and may be called by several threads at once
// if searches are.
class SlotPredicate {
 public:
  template <typename F>
  explicit SlotPredicate(const F& f)
      : call_([](const void* f_of, Slot slot) { return (*static_cast<const F*>(f_of))(slot); }),
        f_(&f) {}
  bool operator()(Slot slot) const { return call_(f_, slot); }

 private:
  bool (*call_)(const void*, Slot);
  const void* f_;
};

// The same for `bool f(RowId, Slot)`, by which callers restrict a search.
class RowPredicate {
 public:
  template <typename F>
  explicit RowPredicate(const F& f)
      : call_([](const void* f_of, RowId row, Slot slot) {
          return (*static_cast<const F*>(f_of))(row, slot);
        }),
        f_(&f) {}
  bool operator()(RowId row, Slot slot) const { return call_(f_, row, slot); }

 private:
  bool (*call_)(const void*, RowId, Slot);
  const void* f_;
};

}  // namespace ragstone::index::vectors
