// The reads of RecordDatabase.
#include <algorithm>
#include <atomic>
#include <thread>

#include "index/filter/names.h"
#include "index/filter/payload_matcher.h"
#include "index/internal/records_db/record_checks.h"
#include "index/internal/records_db/record_database_impl.h"
#include "index/internal/records_db/record_filter.h"
#include "index/internal/records_db/record_search.h"

namespace ragstone::index::records {
namespace {

constexpr size_t kExamplesMax = 1000;
constexpr size_t kCheckEvery = 256;
// Up to this share of a collection, matches are sorted by id instead of looking at all ids.
constexpr uint64_t kSortedShare = 8;

RowParts PartsOf(const ReadOptions& options) { return {options.payload, options.vectors}; }

// Refuses reads as of versions that are not kept. After `reader` holds its rows.
Status CheckHistory(const RecordCollection& collection, SequenceNumber as_of) {
  const SequenceNumber horizon = collection.horizon();
  if (as_of >= horizon) return OkStatus();
  return FailedPrecondition(Reason::kHistoryGone,
                            "version " + std::to_string(as_of) +
                                " is not kept any more; the oldest that can be read is " +
                                std::to_string(horizon) + ": set the collection's history_seconds");
}

// One page of a scroll as the current state shows it.
class ScrollPage {
 public:
  ScrollPage(const Store& store, const CollectionState& state, const ReadOptions& options)
      : store_(store), state_(state), options_(options) {}

  Result<std::vector<Record>> All(std::string_view after, size_t limit,
                                  const fields::RowSet* allowed, const CallContext& context) {
    RecordReader ids(store_, *state_.spec, state_.version);
    std::vector<RowId> rows;
    Status status;
    size_t seen = 0;
    RETURN_IF_ERROR(ids.VisitIds(after, [&](const std::string& /*id*/, RowId row) {
      if (++seen % kCheckEvery == 0) status = context.Check();
      if (allowed == nullptr || allowed->Contains(row)) rows.push_back(row);
      return status.ok() && rows.size() < limit;
    }));
    RETURN_IF_ERROR(status);
    return Read(rows);
  }

  Result<std::vector<Record>> Sorted(std::string_view after, size_t limit,
                                     const fields::RowSet& allowed, const CallContext& context) {
    RecordReader reader(store_, *state_.spec, state_.version);
    std::vector<std::pair<std::string, RowId>> ids;
    for (const RowId row : allowed.ToVector()) {
      if (ids.size() % kCheckEvery == 0) RETURN_IF_ERROR(context.Check());
      ASSIGN_OR_RETURN(Record record, reader.ReadRow(row, {false, false}));
      if (record.id > after) ids.emplace_back(std::move(record.id), row);
    }
    std::sort(ids.begin(), ids.end());
    std::vector<RowId> rows;
    for (size_t i = 0; i < std::min(limit, ids.size()); ++i) rows.push_back(ids[i].second);
    return Read(rows);
  }

 private:
  Result<std::vector<Record>> Read(const std::vector<RowId>& rows) {
    RecordReader reader(store_, *state_.spec, state_.version);
    std::vector<Record> records;
    for (const RowId row : rows) {
      ASSIGN_OR_RETURN(Record record, reader.ReadRow(row, PartsOf(options_)));
      records.push_back(std::move(record));
    }
    return records;
  }

  const Store& store_;
  const CollectionState& state_;
  const ReadOptions& options_;
};

// The same as of an earlier version, for which there are no indexes.
Result<std::vector<Record>> ScrollHistory(RecordReader* reader, const Filter& filter,
                                          std::pair<std::string_view, size_t> page,
                                          const ReadOptions& options, const CallContext& context) {
  ASSIGN_OR_RETURN(const PayloadMatcher matcher, PayloadMatcher::Create(filter));
  std::vector<Record> records;
  Status status;
  size_t seen = 0;
  const auto visit = [&](const std::string& id, RowId row) {
    if (++seen % kCheckEvery == 0) status = context.Check();
    if (!status.ok()) return false;
    Result<Record> record = reader->ReadRow(row, {true, options.vectors});
    if (!record.ok()) {
      status = record.status();
      return false;
    }
    const PointId point = id;
    if (!matcher.Matches(record->payload, &point)) return true;
    if (!options.payload) record->payload.clear();
    records.push_back(std::move(*record));
    return records.size() < page.second;
  };
  RETURN_IF_ERROR(reader->VisitIds(page.first, visit));
  RETURN_IF_ERROR(status);
  return records;
}

// Adds `weight` times the mean of vectors.
Status AddMean(const std::vector<Vector>& vectors, double weight, std::vector<double>* sum) {
  for (const Vector& vector : vectors) {
    const auto& dense = std::get<DenseVector>(vector);
    sum->resize(dense.size());
    for (size_t i = 0; i < dense.size(); ++i) {
      (*sum)[i] += weight * double{dense[i]} / static_cast<double>(vectors.size());
    }
  }
  return OkStatus();
}

}  // namespace

Result<std::vector<Record>> RecordDatabaseImpl::Get(std::string_view name,
                                                    std::span<const std::string> ids,
                                                    const ReadOptions& options) const {
  ASSIGN_OR_RETURN(const CollectionRef collection, Find(name));
  const StateRef state = collection->State();
  if (state == nullptr) return RecordCollectionNotFound(name);
  if (ids.size() > kWriteRecordsMax) {
    return InvalidArgument(Reason::kLimitExceeded,
                           "the call names " + std::to_string(ids.size()) + " records; at most " +
                               std::to_string(kWriteRecordsMax) + " are possible: split it");
  }
  const bool past = options.as_of != 0 && options.as_of < state->version;
  RecordReader reader(env_.store(), *state->spec, past ? options.as_of : state->version);
  if (past) {
    reader.HoldRows();
    RETURN_IF_ERROR(CheckHistory(*collection, options.as_of));
  }
  std::vector<Record> records;
  for (const std::string& id : ids) {
    RETURN_IF_ERROR(CheckId(id));
    ASSIGN_OR_RETURN(std::optional<Record> record, reader.Read(id, PartsOf(options)));
    if (record.has_value()) records.push_back(std::move(*record));
  }
  return records;
}

Result<std::vector<Record>> RecordDatabaseImpl::Scroll(std::string_view name, const Filter& filter,
                                                       std::string_view after, size_t limit,
                                                       const ReadOptions& options,
                                                       const CallContext& context) const {
  if (limit > kTopKMax) {
    return InvalidArgument(Reason::kLimitExceeded, "the limit is " + std::to_string(limit) +
                                                       "; at most " + std::to_string(kTopKMax) +
                                                       " records are returned at once");
  }
  ASSIGN_OR_RETURN(const CollectionRef collection, Find(name));
  StateRef state = collection->State();
  if (state == nullptr) return RecordCollectionNotFound(name);
  ASSIGN_OR_RETURN(Filter bound, BindRecordFilter(*state->spec, filter));
  if (limit == 0) return std::vector<Record>();
  if (options.as_of != 0 && options.as_of < state->version) {
    RecordReader reader(env_.store(), *state->spec, options.as_of);
    reader.HoldRows();
    RETURN_IF_ERROR(CheckHistory(*collection, options.as_of));
    return ScrollHistory(&reader, bound, {after, limit}, options, context);
  }
  if (MatchesAll(bound)) {
    return ScrollPage(env_.store(), *state, options).All(after, limit, nullptr, context);
  }
  ASSIGN_OR_RETURN(state, IndexedState(name));
  ASSIGN_OR_RETURN(bound, BindRecordFilter(*state->spec, filter));
  ASSIGN_OR_RETURN(const fields::RowSet rows, MatchRows(env_.store(), *state, bound, context));
  ScrollPage page(env_.store(), *state, options);
  if (rows.Count() <= state->records / kSortedShare) {
    return page.Sorted(after, limit, rows, context);
  }
  return page.All(after, limit, &rows, context);
}

Result<uint64_t> RecordDatabaseImpl::Count(std::string_view name, const Filter& filter,
                                           const CallContext& context) const {
  ASSIGN_OR_RETURN(StateRef state, CurrentState(name));
  ASSIGN_OR_RETURN(Filter bound, BindRecordFilter(*state->spec, filter));
  if (MatchesAll(bound)) return state->records;
  ASSIGN_OR_RETURN(state, IndexedState(name));
  ASSIGN_OR_RETURN(bound, BindRecordFilter(*state->spec, filter));
  ASSIGN_OR_RETURN(const fields::RowSet rows, MatchRows(env_.store(), *state, bound, context));
  return rows.Count();
}

Result<std::vector<RecordHit>> RecordDatabaseImpl::Search(std::string_view name,
                                                          const RecordSearch& search,
                                                          const CallContext& context) const {
  ASSIGN_OR_RETURN(StateRef state, CurrentState(name));
  RETURN_IF_ERROR(CheckSearch(*state->spec, search));
  ASSIGN_OR_RETURN(state, IndexedState(name));
  RETURN_IF_ERROR(CheckSearch(*state->spec, search));
  return SearchRun(env_.store(), state, search, {}, context).Run();
}

Result<std::vector<std::vector<RecordHit>>> RecordDatabaseImpl::SearchBatch(
    std::string_view name, std::span<const RecordSearch> searches,
    const CallContext& context) const {
  ASSIGN_OR_RETURN(const StateRef state, IndexedState(name));
  for (size_t i = 0; i < searches.size(); ++i) {
    RETURN_IF_ERROR(
        CheckSearch(*state->spec, searches[i]).WithContext("search " + std::to_string(i)));
  }
  std::vector<std::vector<RecordHit>> hits(searches.size());
  std::vector<Status> statuses(searches.size());
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i = next++; i < searches.size(); i = next++) {
      Result<std::vector<RecordHit>> found =
          SearchRun(env_.store(), state, searches[i], {}, context).Run();
      statuses[i] = found.status();
      if (found.ok()) hits[i] = std::move(*found);
    }
  };
  const uint32_t asked = env_.core->options().search_threads;
  const size_t threads = std::min<size_t>(
      searches.size(), asked > 0 ? asked : std::max(1u, std::thread::hardware_concurrency()));
  std::vector<std::thread> others;
  for (size_t i = 1; i < threads; ++i) others.emplace_back(work);
  work();
  for (std::thread& other : others) other.join();
  for (const Status& status : statuses) RETURN_IF_ERROR(status);
  return hits;
}

Result<std::vector<RecordHit>> RecordDatabaseImpl::Recommend(std::string_view name,
                                                             const RecommendSearch& search,
                                                             const CallContext& context) const {
  ASSIGN_OR_RETURN(const StateRef state, IndexedState(name));
  const VectorField* const field = state->spec->FindVector(search.search.vector_name);
  if (search.search.vector.has_value() || !search.search.text.empty() || search.positive.empty() ||
      search.positive.size() + search.negative.size() > kExamplesMax) {
    return InvalidArgument(Reason::kInvalidArgument,
                           "a recommendation takes 1 to 1000 examples, one of them positive, and "
                           "neither a vector nor a text");
  }
  if (field == nullptr || field->metric == VectorMetric::kHamming) {
    return InvalidArgument(Reason::kInvalidArgument,
                           "the collection has no vector of floats named " +
                               Quoted(search.search.vector_name) + ", which recommending needs");
  }
  RecordReader reader(env_.store(), *state->spec, state->version);
  std::vector<RowId> rows;
  const auto examples = [&](const std::vector<std::string>& ids) -> Result<std::vector<Vector>> {
    std::vector<Vector> vectors;
    for (const std::string& id : ids) {
      RETURN_IF_ERROR(CheckId(id));
      ASSIGN_OR_RETURN(const RecordReader::IdRow found, reader.FindRow(id));
      Record record;
      if (found.row != kNoRow) {
        ASSIGN_OR_RETURN(record, reader.ReadRow(found.row, {false, true}));
      }
      const auto vector = record.vectors.find(field->name);
      if (vector == record.vectors.end()) {
        return InvalidArgument(Reason::kInvalidArgument,
                               "the example " + Quoted(id) + " is no record with the vector " +
                                   Quoted(field->name) + "; name records that have it");
      }
      RETURN_IF_ERROR(CheckVector(*state->spec, field->name, vector->second));
      rows.push_back(found.row);
      vectors.push_back(std::move(vector->second));
    }
    return vectors;
  };
  ASSIGN_OR_RETURN(const std::vector<Vector> positive, examples(search.positive));
  ASSIGN_OR_RETURN(const std::vector<Vector> negative, examples(search.negative));
  std::vector<double> sum;
  RETURN_IF_ERROR(AddMean(positive, negative.empty() ? 1 : 2, &sum));
  RETURN_IF_ERROR(AddMean(negative, -1, &sum));
  RecordSearch by_vector = search.search;
  by_vector.vector = DenseVector(sum.begin(), sum.end());
  RETURN_IF_ERROR(CheckSearch(*state->spec, by_vector));
  std::sort(rows.begin(), rows.end());
  rows.erase(std::unique(rows.begin(), rows.end()), rows.end());
  return SearchRun(env_.store(), state, by_vector, std::move(rows), context).Run();
}

}  // namespace ragstone::index::records
