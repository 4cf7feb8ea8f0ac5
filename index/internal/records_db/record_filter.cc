#include "index/internal/records_db/record_filter.h"

#include "index/filter/payload_matcher.h"

namespace ragstone::index::records {
namespace {

constexpr size_t kCheckEvery = 256;

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
  fields::FieldMatches found = state.indexes->fields->Evaluate(filter, resolve);
  RETURN_IF_ERROR(status);
  if (found.unsure.empty()) return std::move(found.sure);
  ASSIGN_OR_RETURN(const PayloadMatcher matcher, PayloadMatcher::Create(filter));
  RETURN_IF_ERROR(CheckUnsure(found.unsure, matcher, context, &reader, &found.sure));
  return std::move(found.sure);
}

}  // namespace ragstone::index::records
