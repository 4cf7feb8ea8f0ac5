#include "index/internal/records_db/text_search.h"

#include <algorithm>
#include <map>

namespace ragstone::index::records {
namespace {

constexpr uint64_t kLowRows = 1ull << 32;

// Appends the rows [first, end) that are not live; all share their high 32 bits.
void AppendHidden(const fields::RowSet& live, RowId first, RowId end,
                  std::vector<keywords::RowRange>* hidden) {
  using namespace fields;  // NOLINT: where Roaring is found
  Roaring rows;
  rows.addRange(first % kLowRows, (end - 1) % kLowRows + 1);
  const auto part = live.parts().find(HighOf(first));
  if (part != live.parts().end()) rows -= part->second;
  const RowId high = first - first % kLowRows;
  for (const uint32_t low : rows) keywords::AppendRow(high + low, hidden);
}

}  // namespace

std::vector<keywords::RowRange> StateRowView::Hidden(
    std::span<const keywords::RowRange> rows) const {
  std::vector<keywords::RowRange> hidden;
  for (const keywords::RowRange& range : rows) {
    const RowId end = range.first + range.count;
    for (RowId first = range.first; first < end;) {
      const RowId until = std::min(end, first - first % kLowRows + kLowRows);
      AppendHidden(live_, first, until, &hidden);
      first = until;
    }
  }
  return hidden;
}

StateRef StateRowKeeper::LoadedState() const {
  StateRef state = collection_->State();
  return state != nullptr && state->indexes != nullptr ? state : nullptr;
}

Result<std::unique_ptr<keywords::RowView>> StateRowKeeper::Now() const {
  StateRef state = LoadedState();
  if (state == nullptr) return Unavailable(Reason::kShuttingDown, "the collection is not loaded");
  return std::unique_ptr<keywords::RowView>(std::make_unique<StateRowView>(std::move(state)));
}

std::vector<keywords::RowRange> StateRowKeeper::Dead(
    std::span<const keywords::RowRange> rows) const {
  const StateRef state = LoadedState();
  // What the newest state hides an older one may show.
  if (state == nullptr || !Settled(rows) || collection_->Oldest() < state->version) return {};
  return StateRowView(state).Hidden(rows);
}

bool StateRowKeeper::Settled(std::span<const keywords::RowRange> rows) const {
  const StateRef state = LoadedState();
  return state != nullptr && std::all_of(rows.begin(), rows.end(), [&](const auto& range) {
           return range.first + range.count <= state->next_row;
         });
}

Result<std::vector<ScoredRow>> SearchTexts(const StateRef& state, const TextQuery& query,
                                           const CallContext& context) {
  const StateRowView view(state);
  const std::function<bool(RowId)> accept = [&](RowId row) { return query.allowed->Contains(row); };
  keywords::Query each;
  each.text = query.text;
  each.view = &view;
  each.accept = query.allowed != nullptr ? &accept : nullptr;
  each.limit = query.limit;
  std::set<RowId> rows(query.wanted.begin(), query.wanted.end());
  std::map<RowId, double> scores;
  for (const uint16_t field : query.fields) {
    each.wanted = query.wanted;
    ASSIGN_OR_RETURN(const keywords::Found found, state->texts->at(field)->Search(each, context));
    for (const keywords::ScoredRow& row : found.top) {
      rows.insert(row.row);
      scores[row.row] = row.score;
    }
    for (const keywords::ScoredRow& row : found.wanted) scores[row.row] = row.score;
  }
  if (query.fields.size() > 1) {
    // Each row's sum needs its scores in fields where it was not among the best.
    scores.clear();
    each.limit = 0;
    each.wanted.assign(rows.begin(), rows.end());
    for (const uint16_t field : query.fields) {
      ASSIGN_OR_RETURN(const keywords::Found found, state->texts->at(field)->Search(each, context));
      for (const keywords::ScoredRow& row : found.wanted) scores[row.row] += row.score;
    }
  }
  std::vector<ScoredRow> scored;
  for (const auto& [row, score] : scores) scored.push_back({row, score});
  KeepBest(scored.size(), &scored);
  return scored;
}

}  // namespace ragstone::index::records
