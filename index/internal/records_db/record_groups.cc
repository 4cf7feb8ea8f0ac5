// Searches whose hits are grouped by a field.
#include <algorithm>
#include <unordered_map>

#include "index/internal/records_db/record_checks.h"
#include "index/internal/records_db/record_filter.h"
#include "index/internal/records_db/record_reader.h"
#include "index/internal/records_db/record_search.h"

namespace ragstone::index::records {
namespace {

constexpr size_t kFirstFactor = 2;
constexpr size_t kWiden = 4;

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

}  // namespace

Result<std::vector<RecordHit>> SearchRun::Grouped() {
  struct Group {
    Scalar value;
    std::vector<Candidate> hits;
  };
  std::vector<Group> groups;
  std::unordered_map<std::string, size_t> places;
  const fields::RowSet* const allowed = restricted_ ? &allowed_ : nullptr;
  RecordReader reader(store_, spec_, state_->version);
  size_t seen = 0;
  bool all = false;
  for (size_t k = kFirstFactor * search_.top_k * search_.group_size;
       !all && groups.size() < search_.top_k; k *= kWiden) {
    ASSIGN_OR_RETURN(const std::vector<Candidate> found, Find(k, allowed));
    all = found.size() < k;
    // A wider search may order anew what a graph's walk found: begin again.
    groups.clear();
    places.clear();
    for (const Candidate& candidate : found) {
      if (++seen % 256 == 0) RETURN_IF_ERROR(context_.Check());
      ASSIGN_OR_RETURN(const Record record, reader.ReadRow(candidate.row, {true, false}));
      const std::optional<Scalar> value = ValueOf(record.payload, search_.group_by);
      if (!value.has_value()) continue;
      const auto [place, is_new] = places.try_emplace(ScalarText(*value), groups.size());
      if (is_new && groups.size() < search_.top_k) groups.push_back({*value, {}});
      if (place->second >= groups.size()) continue;
      std::vector<Candidate>& hits = groups[place->second].hits;
      if (hits.size() < search_.group_size) hits.push_back(candidate);
    }
  }
  std::vector<RecordHit> hits;
  for (Group& group : groups) {
    if (!all && group.hits.size() < search_.group_size) {
      // More of the group may lie beyond what was searched.
      ASSIGN_OR_RETURN(const Filter filter,
                       BindRecordFilter(spec_, Equals(search_.group_by, group.value)));
      ASSIGN_OR_RETURN(fields::RowSet rows, MatchRows(store_, *state_, filter, context_));
      if (allowed != nullptr) rows &= *allowed;
      ASSIGN_OR_RETURN(group.hits, Find(search_.group_size, &rows));
    }
    for (const Candidate& candidate : group.hits) {
      ASSIGN_OR_RETURN(RecordHit hit, MakeHit(candidate));
      hit.group = ScalarText(group.value);
      hits.push_back(std::move(hit));
    }
  }
  return hits;
}

}  // namespace ragstone::index::records
