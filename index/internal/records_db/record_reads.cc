// The reads of RecordDatabase.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>

#include "base/caught.h"
#include "index/filter/names.h"
#include "index/filter/payload_matcher.h"
#include "index/internal/records_db/record_checks.h"
#include "index/internal/records_db/record_database_impl.h"
#include "index/internal/records_db/record_filter.h"
#include "index/internal/records_db/record_search.h"

namespace ragstone::index::records {
namespace {

constexpr size_t kCheckEvery = 256;

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

// Of a collection that was there when the call began.
Result<StateRef> StillThere(Result<StateRef> state, std::string_view name) {
  const bool gone = !state.ok() && state.status().reason() == Reason::kCollectionNotFound;
  return gone ? RecordCollectionDropped(name) : std::move(state);
}

// Records in order, until there are as many or they have as many bytes as a page may have.
class Page {
 public:
  Page(size_t limit, const ReadOptions& options) : limit_(limit), bytes_max_(options.page_bytes) {}
  void Add(Record record) {
    bytes_ += RecordBytes(record);
    records_.push_back(std::move(record));
  }
  bool full() const { return records_.size() >= limit_ || bytes_ > bytes_max_; }
  std::vector<Record> Take() { return std::move(records_); }

 private:
  const size_t limit_, bytes_max_;
  size_t bytes_ = 0;
  std::vector<Record> records_;
};

// One page of a scroll as the current state shows it.
class ScrollPage {
 public:
  ScrollPage(const Store& store, const CollectionState& state, const ReadOptions& options)
      : store_(store), state_(state), options_(options) {}

  Result<std::vector<Record>> All(std::string_view after, size_t limit,
                                  const fields::RowSet* allowed, const CallContext& context) {
    RecordReader ids(store_, *state_.spec, state_.version);
    RecordReader reader(store_, *state_.spec, state_.version);
    Page page(limit, options_);
    Status status;
    size_t seen = 0;
    RETURN_IF_ERROR(ids.VisitIds(after, [&](const std::string& /*id*/, RowId row) {
      if (++seen % kCheckEvery == 0) status = context.Check();
      if (status.ok() && (allowed == nullptr || allowed->Contains(row))) {
        status = ReadInto(row, &reader, &page);
      }
      return status.ok() && !page.full();
    }));
    RETURN_IF_ERROR(status);
    return page.Take();
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
    Page page(limit, options_);
    for (size_t i = 0; i < ids.size() && !page.full(); ++i) {
      RETURN_IF_ERROR(ReadInto(ids[i].second, &reader, &page));
    }
    return page.Take();
  }

 private:
  Status ReadInto(RowId row, RecordReader* reader, Page* page) const {
    ASSIGN_OR_RETURN(Record record, reader->ReadRow(row, PartsOf(options_)));
    page->Add(std::move(record));
    return OkStatus();
  }

  const Store& store_;
  const CollectionState& state_;
  const ReadOptions& options_;
};

// The same as of an earlier version, for which there are no indexes.
Result<std::vector<Record>> ScrollHistory(RecordReader* reader, const PayloadMatcher& matcher,
                                          std::pair<std::string_view, size_t> page,
                                          const ReadOptions& options, const CallContext& context) {
  Page found(page.second, options);
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
    found.Add(std::move(*record));
    return !found.full();
  };
  RETURN_IF_ERROR(reader->VisitIds(page.first, visit));
  RETURN_IF_ERROR(status);
  return found.Take();
}

// Adds `weight` times the mean of vectors, under cosine of their directions.
void AddMean(const std::vector<Vector>& vectors, VectorMetric metric, double weight,
             std::vector<double>* sum) {
  for (const Vector& vector : vectors) {
    const auto& dense = std::get<DenseVector>(vector);
    double squares = 0;
    for (const float value : dense) squares += double{value} * double{value};
    const double length = metric == VectorMetric::kCosine ? std::sqrt(squares) : 1;
    sum->resize(dense.size());
    for (size_t i = 0; i < dense.size(); ++i) {
      (*sum)[i] += weight * double{dense[i]} / length / static_cast<double>(vectors.size());
    }
  }
}

// The vectors of records that are examples, and their rows.
class Examples {
 public:
  Examples(const SearchCall& call, const CollectionState& state, const VectorField& field)
      : call_(call), state_(state), field_(field) {}

  Result<std::vector<Vector>> Read(const std::vector<std::string>& ids) {
    RecordReader reader(call_.store, *state_.spec, state_.version);
    std::vector<Vector> vectors;
    for (const std::string& id : ids) {
      RETURN_IF_ERROR(call_.context.Check());
      RETURN_IF_ERROR(CheckId(id));
      ASSIGN_OR_RETURN(const RecordReader::IdRow found, reader.FindRow(id));
      Record record;
      if (found.row != kNoRow) {
        ASSIGN_OR_RETURN(record, reader.ReadRow(found.row, {false, true}));
      }
      const auto vector = record.vectors.find(field_.name);
      if (vector == record.vectors.end()) {
        return InvalidArgument(Reason::kInvalidArgument,
                               "the example " + Quoted(id) + " is no record with the vector " +
                                   Quoted(field_.name) + "; name records that have it");
      }
      RETURN_IF_ERROR(CheckVector(*state_.spec, field_.name, vector->second)
                          .WithContext("the example " + Quoted(id)));
      rows_.push_back(found.row);
      vectors.push_back(std::move(vector->second));
    }
    return vectors;
  }
  // Ascending, each once.
  std::vector<RowId> TakeRows() {
    std::sort(rows_.begin(), rows_.end());
    rows_.erase(std::unique(rows_.begin(), rows_.end()), rows_.end());
    return std::move(rows_);
  }

 private:
  const SearchCall& call_;
  const CollectionState& state_;
  const VectorField& field_;
  std::vector<RowId> rows_;
};

Status CheckRecommend(const RecommendSearch& search, const VectorField* field) {
  const size_t examples = search.positive.size() + search.negative.size();
  if (examples > RecordDatabase::kExamplesMax) {
    return InvalidArgument(Reason::kLimitExceeded,
                           "the recommendation has " + std::to_string(examples) +
                               " examples; at most " +
                               std::to_string(RecordDatabase::kExamplesMax) + " are possible");
  }
  if (search.search.vector.has_value() || !search.search.text.empty() || search.positive.empty()) {
    return InvalidArgument(Reason::kInvalidArgument,
                           "a recommendation takes 1 to " +
                               std::to_string(RecordDatabase::kExamplesMax) +
                               " examples, one of them positive, and neither a vector nor a text");
  }
  if (field == nullptr || field->metric == VectorMetric::kHamming) {
    return InvalidArgument(Reason::kInvalidArgument,
                           "the collection has no vector of floats named " +
                               Quoted(search.search.vector_name) + ", which recommending needs");
  }
  return OkStatus();
}

Result<std::vector<RecordHit>> RunCaught(const SearchCall& call, const StateRef& state,
                                         const RecordSearch& search) {
  return Caught("the search", [&] { return SearchRun(call, state, search).Run(); });
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
  ReadBudget budget;
  std::vector<Record> records;
  for (const std::string& id : ids) {
    RETURN_IF_ERROR(CheckId(id));
    ASSIGN_OR_RETURN(std::optional<Record> record, reader.Read(id, PartsOf(options)));
    if (!record.has_value()) continue;
    RETURN_IF_ERROR(budget.Take(RecordBytes(*record)));
    records.push_back(std::move(*record));
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
    ASSIGN_OR_RETURN(const PayloadMatcher matcher,
                     PayloadMatcher::Create(bound, state->spec->spec.language));
    return ScrollHistory(&reader, matcher, {after, limit}, options, context);
  }
  if (MatchesAll(bound)) {
    return ScrollPage(env_.store(), *state, options).All(after, limit, nullptr, context);
  }
  ASSIGN_OR_RETURN(state, StillThere(IndexedState(name), name));
  ASSIGN_OR_RETURN(bound, BindRecordFilter(*state->spec, filter));
  ASSIGN_OR_RETURN(const fields::RowSet rows, MatchRows(env_.store(), *state, bound, context));
  ScrollPage page(env_.store(), *state, options);
  if (SortsMatches(rows.Count(), state->records, limit)) {
    return page.Sorted(after, limit, rows, context);
  }
  return page.All(after, limit, &rows, context);
}

Result<uint64_t> RecordDatabaseImpl::Count(std::string_view name, const Filter& filter,
                                           const CallContext& context) const {
  ASSIGN_OR_RETURN(StateRef state, CurrentState(name));
  ASSIGN_OR_RETURN(Filter bound, BindRecordFilter(*state->spec, filter));
  if (MatchesAll(bound)) return state->records;
  ASSIGN_OR_RETURN(state, StillThere(IndexedState(name), name));
  ASSIGN_OR_RETURN(bound, BindRecordFilter(*state->spec, filter));
  ASSIGN_OR_RETURN(const fields::RowSet rows, MatchRows(env_.store(), *state, bound, context));
  return rows.Count();
}

void RecordDatabaseImpl::WakeWorker(std::string_view name) const {
  const Result<CollectionRef> collection = Find(name);
  if (collection.ok()) env_.wake(*collection);
}

Result<std::vector<RecordHit>> RecordDatabaseImpl::Search(std::string_view name,
                                                          const RecordSearch& search,
                                                          const CallContext& context) const {
  ASSIGN_OR_RETURN(StateRef state, CurrentState(name));
  RETURN_IF_ERROR(CheckSearch(*state->spec, search));
  ASSIGN_OR_RETURN(state, StillThere(IndexedState(name), name));
  RETURN_IF_ERROR(CheckSearch(*state->spec, search));
  ReadBudget budget;
  const std::function<void()> on_due = [&] { WakeWorker(name); };
  return RunCaught({env_.store(), context, &budget, &on_due}, state, search);
}

Result<std::vector<std::vector<RecordHit>>> RecordDatabaseImpl::SearchBatch(
    std::string_view name, std::span<const RecordSearch> searches,
    const CallContext& context) const {
  ASSIGN_OR_RETURN(const StateRef state, IndexedState(name));
  for (size_t i = 0; i < searches.size(); ++i) {
    RETURN_IF_ERROR(
        CheckSearch(*state->spec, searches[i]).WithContext("search " + std::to_string(i)));
  }
  ReadBudget budget;
  const std::function<void()> on_due = [&] { WakeWorker(name); };
  std::vector<std::vector<RecordHit>> hits(searches.size());
  std::vector<Status> statuses(searches.size());
  std::atomic<bool> failed{false};
  search_pool_.Run(searches.size(), [&](size_t i) {
    if (failed) return;
    Result<std::vector<RecordHit>> found =
        RunCaught({env_.store(), context, &budget, &on_due}, state, searches[i]);
    if (found.ok()) {
      hits[i] = *std::move(found);
    } else {
      statuses[i] = found.status();
      failed = true;
    }
  });
  for (size_t i = 0; i < searches.size(); ++i) {
    RETURN_IF_ERROR(statuses[i].WithContext("search " + std::to_string(i)));
  }
  return hits;
}

Result<std::vector<RecordHit>> RecordDatabaseImpl::Recommend(std::string_view name,
                                                             const RecommendSearch& search,
                                                             const CallContext& context) const {
  ASSIGN_OR_RETURN(const StateRef state, IndexedState(name));
  const VectorField* const field = state->spec->FindVector(search.search.vector_name);
  RETURN_IF_ERROR(CheckRecommend(search, field));
  ReadBudget budget;
  const SearchCall call{env_.store(), context, &budget};
  Examples examples(call, *state, *field);
  ASSIGN_OR_RETURN(const std::vector<Vector> positive, examples.Read(search.positive));
  ASSIGN_OR_RETURN(const std::vector<Vector> negative, examples.Read(search.negative));
  std::vector<double> sum;
  AddMean(positive, field->metric, negative.empty() ? 1 : 2, &sum);
  AddMean(negative, field->metric, -1, &sum);
  RecordSearch by_vector = search.search;
  by_vector.vector = DenseVector(sum.begin(), sum.end());
  RETURN_IF_ERROR(CheckVector(*state->spec, field->name, *by_vector.vector)
                      .WithContext("the mean of the examples, which point different ways"));
  RETURN_IF_ERROR(CheckSearch(*state->spec, by_vector));
  return Caught("the search", [&] {
    SearchRun run(call, state, by_vector);
    run.Exclude(examples.TakeRows());
    return run.Run();
  });
}

}  // namespace ragstone::index::records
