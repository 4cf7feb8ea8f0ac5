// Searching the parts of a state.
#include <algorithm>

#include "index/internal/records_db/vector_set.h"

namespace ragstone::index::records {
namespace {

// Up to so many allowed rows are listed, so that few matches are found without asking for each row
// of a segment.
constexpr uint64_t kListedMax = 100'000;
// Of so many slots a part is asked how many pass a filter.
constexpr size_t kSampledSlots = 1024;

class PartsSearch {
 public:
  PartsSearch(const VectorQuery& query, const CallContext& context)
      : query_(query), context_(context) {
    options_.k = query.k;
    options_.ef = query.ef;
    options_.reader = query.reader;
    if (query.allowed != nullptr && query.allowed->Count() <= kListedMax) {
      listed_ = query.allowed->ToVector();
    }
  }

  Status Add(const PartView& view) {
    RETURN_IF_ERROR(context_.Check());
    const auto passes = [&](RowId row, vectors::Slot slot) {
      if (query_.allowed != nullptr) return query_.allowed->Contains(row);
      return slot < view.rows && view.part->SeenAt(slot, query_.version);
    };
    const vectors::Restriction restriction{vectors::RowPredicate(passes), Matches(view), listed_};
    const bool free =
        query_.allowed == nullptr && view.part->growing() == nullptr && view.part->gone() == 0;
    std::vector<vectors::Hit> hits;
    RETURN_IF_ERROR(SearchPart(*view.part, free ? nullptr : &restriction, &hits));
    hits_.insert(hits_.end(), hits.begin(), hits.end());
    return OkStatus();
  }

  std::vector<vectors::Hit> Take() {
    std::sort(hits_.begin(), hits_.end(), vectors::Nearer);
    if (query_.distance_max.has_value()) {
      std::erase_if(hits_,
                    [&](const vectors::Hit& hit) { return hit.distance > *query_.distance_max; });
    }
    if (hits_.size() > query_.k) hits_.resize(query_.k);
    return std::move(hits_);
  }

 private:
  Status SearchPart(const VectorPart& part, const vectors::Restriction* restriction,
                    std::vector<vectors::Hit>* hits) const {
    if (part.growing() != nullptr) {
      return part.growing()->Search(query_.vector, options_, restriction, hits);
    }
    if (part.compact() != nullptr) {
      const vectors::CompactIndex& index = *part.compact();
      if (query_.exact) return index.SearchExact(query_.vector, options_, restriction, hits);
      return index.Search(query_.vector, options_, restriction, hits);
    }
    const vectors::Segment& segment = *part.sealed();
    if (query_.exact) return segment.SearchExact(query_.vector, options_, restriction, hits);
    if (query_.distance_max.has_value()) {
      return segment.SearchRange(query_.vector, *query_.distance_max, options_, restriction, hits);
    }
    if (part.asked() != nullptr && part.asked()->Note(static_cast<const float*>(query_.vector)) &&
        query_.on_due != nullptr) {
      (*query_.on_due)();
    }
    return segment.Search(query_.vector, options_, restriction, hits);
  }

  size_t Matches(const PartView& view) const {
    const VectorPart& part = *view.part;
    if (query_.allowed == nullptr) return view.rows - std::min(view.rows, part.gone());
    if (part.growing() != nullptr) return view.rows;
    if (!listed_.empty() && listed_.size() <= kSampledSlots) {
      return static_cast<size_t>(std::count_if(listed_.begin(), listed_.end(), [&](RowId row) {
        return part.Find(row) != vectors::kNoSlot;
      }));
    }
    // Slots at equal distances from each other: their order has nothing to do with the filter.
    const size_t step = std::max<size_t>(1, view.rows / kSampledSlots);
    size_t asked = 0;
    size_t passing = 0;
    for (size_t slot = step / 2; slot < view.rows; slot += step, ++asked) {
      passing += query_.allowed->Contains(part.row_id(slot)) ? 1 : 0;
    }
    const size_t estimate = asked == 0 ? 0 : view.rows * (passing + 1) / (asked + 1);
    return std::min<size_t>(estimate, query_.allowed->Count());
  }

  const VectorQuery& query_;
  const CallContext& context_;
  vectors::SearchOptions options_;
  std::vector<RowId> listed_;
  std::vector<vectors::Hit> hits_;
};

}  // namespace

Result<std::vector<vectors::Hit>> SearchVectors(const VectorView& view, const VectorQuery& query,
                                                const CallContext& context) {
  if (query.allowed != nullptr && query.allowed->empty()) return std::vector<vectors::Hit>();
  PartsSearch search(query, context);
  for (const PartView& part : view) RETURN_IF_ERROR(search.Add(part));
  return search.Take();
}

}  // namespace ragstone::index::records
