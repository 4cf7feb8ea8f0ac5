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

namespace {

constexpr size_t kWiden = 4;

std::vector<ScoredRow> Sorted(const std::map<RowId, double>& scores) {
  std::vector<ScoredRow> rows;
  for (const auto& [row, score] : scores) rows.push_back({row, score});
  KeepBest(rows.size(), &rows);
  return rows;
}

// A search of several fields, whose scores are added up. The best sums need not be among the best
// of any field, so the fields' lists are made longer until no row beyond their ends could have one:
// the threshold algorithm of Fagin, Lotem and Naor (2001).
class SumSearch {
 public:
  SumSearch(const StateRef& state, const TextQuery& query, const CallContext& context)
      : texts_(*state->texts), query_(query), context_(context) {}

  Result<std::vector<ScoredRow>> Run(keywords::Query each) {
    std::set<RowId> rows(query_.wanted.begin(), query_.wanted.end());
    for (each.limit = query_.limit;; each.limit *= kWiden) {
      ASSIGN_OR_RETURN(const double others_max, AddBest(each, &rows));
      ASSIGN_OR_RETURN(std::vector<ScoredRow> sums, Sums(each, rows));
      if (others_max == 0) return sums;
      if (sums.size() >= query_.limit && sums[query_.limit - 1].score >= others_max) return sums;
    }
  }

 private:
  // Adds the best of each field; returns how large the sum of any other row can be.
  Result<double> AddBest(const keywords::Query& each, std::set<RowId>* rows) const {
    double others_max = 0;
    for (const uint16_t field : query_.fields) {
      ASSIGN_OR_RETURN(const keywords::Found found, texts_.at(field)->Search(each, context_));
      for (const keywords::ScoredRow& row : found.top) rows->insert(row.row);
      if (found.top.size() == each.limit) others_max += found.top.back().score;
    }
    return others_max;
  }

  Result<std::vector<ScoredRow>> Sums(keywords::Query each, const std::set<RowId>& rows) const {
    each.limit = 0;
    each.wanted.assign(rows.begin(), rows.end());
    std::map<RowId, double> sums;
    for (const uint16_t field : query_.fields) {
      ASSIGN_OR_RETURN(const keywords::Found found, texts_.at(field)->Search(each, context_));
      for (const keywords::ScoredRow& row : found.wanted) sums[row.row] += row.score;
    }
    return Sorted(sums);
  }

  const TextIndexes& texts_;
  const TextQuery& query_;
  const CallContext& context_;
};

}  // namespace

Result<std::vector<ScoredRow>> SearchTexts(const StateRef& state, const TextQuery& query,
                                           const CallContext& context) {
  const StateRowView view(state);
  const std::function<bool(RowId)> accept = [&](RowId row) { return query.allowed->Contains(row); };
  keywords::Query each;
  each.text = query.text;
  each.view = &view;
  each.accept = query.allowed != nullptr ? &accept : nullptr;
  if (query.fields.size() > 1) return SumSearch(state, query, context).Run(each);
  std::map<RowId, double> scores;
  for (const uint16_t field : query.fields) {
    each.limit = query.limit;
    each.wanted = query.wanted;
    ASSIGN_OR_RETURN(const keywords::Found found, state->texts->at(field)->Search(each, context));
    for (const keywords::ScoredRow& row : found.top) scores[row.row] = row.score;
    for (const keywords::ScoredRow& row : found.wanted) scores[row.row] = row.score;
  }
  return Sorted(scores);
}

}  // namespace ragstone::index::records
