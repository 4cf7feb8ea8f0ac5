#include "index/internal/records_db/record_filter.h"

#include <algorithm>

#include "index/filter/payload_matcher.h"

namespace ragstone::index::records {
namespace {

constexpr size_t kCheckEvery = 256;
// To read a record by its row takes about as long as to look at so many ids in order.
constexpr double kReadCost = 8;

Status CheckUnsure(const fields::RowSet& unsure, const PayloadMatcher& matcher,
                   const CallContext& context, RecordReader* reader, fields::RowSet* matches) {
  size_t count = 0;
  for (const RowId row : unsure.ToVector()) {
    if (count++ % kCheckEvery == 0) RETURN_IF_ERROR(context.Check());
    ASSIGN_OR_RETURN(const Record record, reader->ReadRow(row, {true, false}));
    const PointId id = record.id;
    if (matcher.Matches(record.payload, &id)) matches->Add(row);
  }
  return OkStatus();
}

// The rows whose text holds all words, by the keyword index of the field; nullopt without one.
Result<std::optional<fields::TextRows>> FindWords(const CollectionState& state, const Filter& match,
                                                  const CallContext& context) {
  const auto number = state.spec->text_numbers.find(match.field);
  if (state.texts == nullptr || number == state.spec->text_numbers.end())
    return std::optional<fields::TextRows>();
  const auto index = state.texts->find(number->second);
  if (index == state.texts->end()) return std::optional<fields::TextRows>();
  ASSIGN_OR_RETURN(const std::vector<keywords::RowRange> ranges,
                   index->second->RowsWithAll(match.text, context));
  fields::TextRows known;
  for (const keywords::RowRange& range : ranges) known.rows.AddRange(range.first, range.count);
  // Of a list one element must hold all of them, and the index knows them together.
  const FieldSpec* const field = state.spec->spec.schema.Find(match.field);
  known.exact = field != nullptr && !field->is_list;
  return std::optional<fields::TextRows>(std::move(known));
}

}  // namespace

Result<fields::RowSet> MatchRows(const Store& store, const CollectionState& state,
                                 const Filter& filter, const CallContext& context) {
  RecordReader reader(store, *state.spec, state.version);
  Status status;
  const auto resolve = [&](const PointId& id) -> std::optional<RowId> {
    const Result<RecordReader::IdRow> found = reader.FindRow(std::get<std::string>(id));
    if (!found.ok()) status = found.status();
    if (!found.ok() || found->row == kNoRow) return std::nullopt;
    return found->row;
  };
  const auto find_words = [&](const Filter& match) { return FindWords(state, match, context); };
  ASSIGN_OR_RETURN(fields::FieldMatches found,
                   state.indexes->fields->FindMatches(filter, {resolve, find_words, context}));
  RETURN_IF_ERROR(status);
  if (found.unsure.empty()) return std::move(found.sure);
  ASSIGN_OR_RETURN(const PayloadMatcher matcher,
                   PayloadMatcher::Create(filter, state.spec->spec.language));
  RETURN_IF_ERROR(CheckUnsure(found.unsure, matcher, context, &reader, &found.sure));
  return std::move(found.sure);
}

bool SortsMatches(uint64_t matches, uint64_t records, size_t limit) {
  // Sorting reads all matches again for each page; looking at ids passes each id once.
  const double pages = std::max(1.0, static_cast<double>(matches) / static_cast<double>(limit));
  return kReadCost * static_cast<double>(matches) * pages < static_cast<double>(records);
}

}  // namespace ragstone::index::records
