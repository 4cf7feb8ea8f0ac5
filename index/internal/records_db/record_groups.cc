// Searches whose hits are grouped by a field.
#include <algorithm>
#include <map>
#include <unordered_map>

#include "index/internal/records_db/record_checks.h"
#include "index/internal/records_db/record_filter.h"
#include "index/internal/records_db/record_reader.h"
#include "index/internal/records_db/record_search.h"

namespace ragstone::index::records {
namespace {

constexpr size_t kFirstFactor = 2;
// Rows that one round looks at, at most and, after the first, at least.
constexpr size_t kRoundRowsMax = 4096;
constexpr size_t kRoundRowsMin = 64;
constexpr size_t kCheckEvery = 256;

// The value of a field that is not a list; nullopt if the record has none.
std::optional<Scalar> ValueOf(const Payload& payload, std::string_view field) {
  const auto at = payload.find(field);
  if (at == payload.end()) return std::nullopt;
  return std::visit(
      [](const auto& value) -> std::optional<Scalar> {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::monostate> || std::is_same_v<T, ScalarList>) {
          return std::nullopt;
        } else {
          return Scalar(value);
        }
      },
      at->second);
}

// The rows of each value of a field: from its index, or, if it has none, from all payloads, which
// are read once.
class ValueRows {
 public:
  ValueRows(const SearchCall& call, const CollectionState& state, const std::string& field)
      : call_(call), state_(state), field_(field) {}

  // Of these rows, null: all; those that have a value.
  Result<fields::RowSet> Begin(const fields::RowSet* allowed) {
    if (state_.spec->spec.schema.Find(field_)->indexed) {
      ASSIGN_OR_RETURN(fields::RowSet rows, Matches(Exists(field_)));
      if (allowed != nullptr) rows &= *allowed;
      return rows;
    }
    fields::RowSet all;
    RecordReader reader(call_.store, *state_.spec, state_.version);
    const fields::RowSet live = allowed != nullptr ? *allowed : state_.indexes->fields->AllRows();
    size_t seen = 0;
    for (const RowId row : live.ToVector()) {
      if (++seen % kCheckEvery == 0) RETURN_IF_ERROR(call_.context.Check());
      ASSIGN_OR_RETURN(const Record record, reader.ReadRow(row, {true, false}));
      const std::optional<Scalar> value = ValueOf(record.payload, field_);
      if (!value.has_value()) continue;
      read_[ScalarText(*value)].Add(row);
      all.Add(row);
    }
    return all;
  }

  // After Begin. They may have rows beside those that Begin was given.
  Result<fields::RowSet> Of(const Scalar& value) const {
    if (state_.spec->spec.schema.Find(field_)->indexed) return Matches(Equals(field_, value));
    const auto rows = read_.find(ScalarText(value));
    return rows == read_.end() ? fields::RowSet() : rows->second;
  }

 private:
  Result<fields::RowSet> Matches(const Filter& filter) const {
    ASSIGN_OR_RETURN(const Filter bound, BindRecordFilter(*state_.spec, filter));
    return MatchRows(call_.store, state_, bound, call_.context);
  }

  const SearchCall& call_;
  const CollectionState& state_;
  const std::string& field_;
  std::map<std::string, fields::RowSet> read_;
};

}  // namespace

Status SearchRun::AddGroups(const std::vector<Candidate>& found, bool complete,
                            std::vector<Group>* groups) {
  RecordReader reader(store_, spec_, state_->version);
  const size_t before = groups->size();
  std::unordered_map<std::string, size_t> places;
  for (const Candidate& candidate : found) {
    if (++grouped_rows_ % kCheckEvery == 0) RETURN_IF_ERROR(context_.Check());
    ASSIGN_OR_RETURN(const Record record, reader.ReadRow(candidate.row, {true, false}));
    const std::optional<Scalar> value = ValueOf(record.payload, search_.group_by);
    if (!value.has_value()) continue;
    const auto [place, is_new] = places.try_emplace(ScalarText(*value), before + places.size());
    if (place->second >= search_.top_k) continue;
    if (is_new) groups->push_back({*value, {}, complete});
    std::vector<Candidate>& hits = (*groups)[place->second].hits;
    if (hits.size() < search_.group_size) hits.push_back(candidate);
  }
  return OkStatus();
}

// The best rows make the first groups. Each round that follows searches among the rows of no group
// yet, so that a large group does not hide others, and every round finds one at least.
Result<std::vector<SearchRun::Group>> SearchRun::FindGroups() {
  const SearchCall call{store_, context_, budget_};
  ValueRows values(call, *state_, search_.group_by);
  const fields::RowSet* rows = restricted_ ? &allowed_ : nullptr;
  std::optional<fields::RowSet> rest;
  std::vector<Group> groups;
  size_t k = std::min(kRoundRowsMax, kFirstFactor * search_.top_k * search_.group_size);
  for (;;) {
    RETURN_IF_ERROR(context_.Check());
    ASSIGN_OR_RETURN(const std::vector<Candidate> found, Find(k, rows));
    const bool all = found.size() < k;
    const size_t before = groups.size();
    RETURN_IF_ERROR(AddGroups(found, all, &groups));
    if (all || groups.size() == search_.top_k) break;
    if (!rest.has_value()) {
      ASSIGN_OR_RETURN(rest, values.Begin(rows));
    }
    for (size_t i = before; i < groups.size(); ++i) {
      ASSIGN_OR_RETURN(const fields::RowSet of_group, values.Of(groups[i].value));
      *rest -= of_group;
    }
    if (rest->empty()) break;
    rows = &*rest;
    k = std::clamp(2 * k, kRoundRowsMin, kRoundRowsMax);
  }
  for (Group& group : groups) {
    if (group.complete || group.hits.size() == search_.group_size) continue;
    // More of the group may lie beyond what was searched.
    RETURN_IF_ERROR(context_.Check());
    if (!rest.has_value()) {
      ASSIGN_OR_RETURN(rest, values.Begin(rows));
    }
    ASSIGN_OR_RETURN(fields::RowSet of_group, values.Of(group.value));
    if (restricted_) of_group &= allowed_;
    ASSIGN_OR_RETURN(std::vector<Candidate> more, Find(search_.group_size, &of_group));
    if (more.size() > group.hits.size()) group.hits = std::move(more);
  }
  return groups;
}

Result<std::vector<RecordHit>> SearchRun::Grouped() {
  ASSIGN_OR_RETURN(std::vector<Group> groups, FindGroups());
  // A walk of a graph may have met a group's best late.
  std::stable_sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) {
    return a.hits.front().order < b.hits.front().order;
  });
  std::vector<RecordHit> hits;
  for (const Group& group : groups) {
    const std::string value = ScalarText(group.value);
    for (const Candidate& candidate : group.hits) {
      if (hits.size() % kCheckEvery == 0) RETURN_IF_ERROR(context_.Check());
      ASSIGN_OR_RETURN(RecordHit hit, MakeHit(candidate, value));
      hits.push_back(std::move(hit));
    }
  }
  return hits;
}

}  // namespace ragstone::index::records
