#include "index/internal/records_db/record_search.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>

#include "index/filter/names.h"
#include "index/internal/records_db/record_checks.h"
#include "index/internal/records_db/record_filter.h"
#include "index/internal/records_db/record_reader.h"
#include "index/internal/records_db/text_search.h"

namespace ragstone::index::records {
namespace {

constexpr size_t kCheckEvery = 256;

Status Limit(std::string_view what, size_t given, size_t max) {
  return InvalidArgument(Reason::kLimitExceeded, std::string(what) + " is " +
                                                     std::to_string(given) + "; it must be 1 to " +
                                                     std::to_string(max));
}

Status CheckTexts(const StoredSpec& spec, const RecordSearch& search) {
  for (const std::string& name : search.fields) {
    const FieldSpec* field = spec.spec.schema.Find(name);
    if (field != nullptr && field->type == FieldType::kText) continue;
    return InvalidArgument(
        Reason::kInvalidArgument,
        field == nullptr
            ? "the collection has no field " + Quoted(name) +
                  NameHint(name, spec.spec.schema.Names())
            : "field " + Quoted(name) + " is not of type text, which a search by words needs");
  }
  if (search.text.empty() || !spec.text_numbers.empty()) return OkStatus();
  return InvalidArgument(Reason::kInvalidArgument,
                         "the collection has no field of type text to search by words; add one, or "
                         "search by a vector");
}

Status CheckGroups(const StoredSpec& spec, const RecordSearch& search) {
  if (search.group_size < 1 || search.group_size > RecordDatabase::kGroupSizeMax) {
    return Limit("group_size", search.group_size, RecordDatabase::kGroupSizeMax);
  }
  if (search.group_by.empty()) return OkStatus();
  const FieldSpec* field = spec.spec.schema.Find(search.group_by);
  if (field == nullptr) {
    return InvalidArgument(Reason::kInvalidArgument,
                           "the collection has no field " + Quoted(search.group_by) +
                               NameHint(search.group_by, spec.spec.schema.Names()));
  }
  const bool groups = field->type == FieldType::kKeyword || field->type == FieldType::kInteger ||
                      field->type == FieldType::kBoolean;
  if (groups && !field->is_list) return OkStatus();
  return InvalidArgument(Reason::kInvalidArgument,
                         "field " + Quoted(search.group_by) + " is " +
                             (field->is_list ? "a list of " : "") +
                             std::string(FieldTypeName(field->type)) +
                             "; groups are made by one keyword, integer or boolean");
}

double DotOf(const SparseVector& a, const SparseVector& b) {
  double sum = 0;
  for (size_t i = 0, j = 0; i < a.dimensions.size() && j < b.dimensions.size();) {
    if (a.dimensions[i] == b.dimensions[j])
      sum += double{a.weights[i++]} * double{b.weights[j++]};
    else if (a.dimensions[i] < b.dimensions[j])
      ++i;
    else
      ++j;
  }
  return sum;
}

// 1 for equal vectors, down to -1.
double LikenessOf(const BitVector& a, const BitVector& b, uint32_t dimensions) {
  double differing = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    differing += std::popcount(static_cast<uint8_t>(a[i] ^ b[i]));
  }
  return 1 - 2 * differing / dimensions;
}

// Under L2 what the squared distance is less than the squares of both lengths, in units of these:
// for vectors of one length their cosine, and as far from the scale as that.
double LikenessOf(VectorMetric metric, const DenseVector& x, const DenseVector& y) {
  double dot = 0, xx = 0, yy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    dot += double{x[i]} * double{y[i]};
    xx += double{x[i]} * double{x[i]};
    yy += double{y[i]} * double{y[i]};
  }
  if (metric == VectorMetric::kL2) return xx + yy > 0 ? 2 * dot / (xx + yy) : 1;
  return metric == VectorMetric::kCosine ? dot / std::sqrt(xx * yy) : dot;
}

}  // namespace

Status CheckSearch(const StoredSpec& spec, const RecordSearch& search) {
  if (search.top_k < 1 || search.top_k > RecordDatabase::kTopKMax) {
    return Limit("top_k", search.top_k, RecordDatabase::kTopKMax);
  }
  if (search.read.as_of != 0) {
    return InvalidArgument(Reason::kInvalidArgument,
                           "searches see what is there now; as_of is for Get and Scroll");
  }
  if (!search.vector.has_value() && search.text.empty()) {
    return InvalidArgument(Reason::kEmptyQuery,
                           "the search has neither a vector nor a text; give one, or use Scroll");
  }
  if (search.vector.has_value()) {
    RETURN_IF_ERROR(CheckVector(spec, search.vector_name, *search.vector));
  }
  RETURN_IF_ERROR(BindRecordFilter(spec, search.filter).status());
  RETURN_IF_ERROR(CheckTexts(spec, search));
  return CheckGroups(spec, search);
}

SearchRun::SearchRun(const SearchCall& call, StateRef state, const RecordSearch& search)
    : store_(call.store),
      state_(std::move(state)),
      spec_(*state_->spec),
      search_(search),
      context_(call.context),
      budget_(call.budget),
      on_due_(call.on_due) {
  if (!search.vector.has_value()) return;
  dense_ = spec_.FindVector(search.vector_name);
  sparse_ = spec_.FindSparse(search.vector_name);
}

bool SearchRun::by_distance() const {
  return search_.text.empty() && dense_ != nullptr &&
         (dense_->metric == VectorMetric::kL2 || dense_->metric == VectorMetric::kHamming);
}

Status SearchRun::Restrict() {
  ASSIGN_OR_RETURN(const Filter filter, BindRecordFilter(spec_, search_.filter));
  if (MatchesAll(filter)) return OkStatus();
  ASSIGN_OR_RETURN(allowed_, MatchRows(store_, *state_, filter, context_));
  restricted_ = true;
  return OkStatus();
}

Result<std::vector<RecordHit>> SearchRun::Run() {
  RETURN_IF_ERROR(context_.Check());
  RETURN_IF_ERROR(Restrict());
  return search_.group_by.empty() ? Plain() : Grouped();
}

Result<std::vector<RecordHit>> SearchRun::Plain() {
  ASSIGN_OR_RETURN(std::vector<Candidate> found,
                   Find(search_.top_k, restricted_ ? &allowed_ : nullptr));
  std::vector<RecordHit> hits;
  for (const Candidate& candidate : found) {
    ASSIGN_OR_RETURN(RecordHit hit, MakeHit(candidate, ""));
    hits.push_back(std::move(hit));
    if (hits.size() % kCheckEvery == 0) RETURN_IF_ERROR(context_.Check());
  }
  return hits;
}

Result<RecordHit> SearchRun::MakeHit(const Candidate& candidate, const std::string& group) {
  RecordReader reader(store_, spec_, state_->version);
  RecordHit hit;
  ASSIGN_OR_RETURN(hit.record,
                   reader.ReadRow(candidate.row, {search_.read.payload, search_.read.vectors}));
  hit.score = by_distance() ? candidate.order : -candidate.order;
  hit.group = group;
  RETURN_IF_ERROR(budget_->Take(RecordBytes(hit.record) + group.size()));
  return hit;
}

Result<std::vector<SearchRun::Candidate>> SearchRun::Find(size_t k, const fields::RowSet* allowed) {
  const size_t wider = k + excluded_.size();
  Result<std::vector<Candidate>> found =
      search_.text.empty()
          ? (sparse_ != nullptr ? FindBySparse(wider, allowed) : FindByVector(wider, allowed))
          : (search_.vector.has_value() ? FindByBoth(wider, allowed) : FindByText(wider, allowed));
  if (!found.ok()) return found;
  std::erase_if(*found, [&](const Candidate& candidate) {
    return std::binary_search(excluded_.begin(), excluded_.end(), candidate.row);
  });
  if (search_.score_limit.has_value()) {
    const double most = by_distance() ? *search_.score_limit : -*search_.score_limit;
    std::erase_if(*found, [&](const Candidate& candidate) { return candidate.order > most; });
  }
  if (found->size() > k) found->resize(k);
  return found;
}

Result<std::vector<SearchRun::Candidate>> SearchRun::FindByVector(size_t k,
                                                                  const fields::RowSet* allowed) {
  const RowVectorReader reader(store_, spec_, dense_->name);
  VectorQuery query;
  query.vector = DataOf(*search_.vector);
  query.k = k;
  query.ef = search_.ef;
  query.exact = search_.exact || dense_->method == VectorMethod::kExact;
  query.version = state_->version;
  query.allowed = allowed;
  query.reader = dense_->metric == VectorMetric::kHamming ? nullptr : &reader;
  query.on_due = on_due_;
  if (search_.score_limit.has_value() && search_.text.empty()) {
    query.distance_max =
        static_cast<float>(by_distance() ? *search_.score_limit : -*search_.score_limit);
  }
  ASSIGN_OR_RETURN(const std::vector<vectors::Hit> hits,
                   SearchVectors(state_->indexes->vectors.at(dense_->name), query, context_));
  std::vector<Candidate> found;
  for (const vectors::Hit& hit : hits) found.push_back({hit.row, hit.distance});
  return found;
}

Result<std::vector<SearchRun::Candidate>> SearchRun::FindBySparse(size_t k,
                                                                  const fields::RowSet* allowed) {
  const fields::FieldSnapshot& all = *state_->indexes->fields;
  const auto seen = [&](RowId row) {
    return allowed != nullptr ? allowed->Contains(row) : all.Contains(row);
  };
  std::vector<ScoredRow> rows = state_->indexes->sparse.at(sparse_->name)
                                    ->Search(std::get<SparseVector>(*search_.vector), seen);
  KeepBest(k, &rows);
  std::vector<Candidate> found;
  for (const ScoredRow& row : rows) found.push_back({row.row, -row.score});
  return found;
}

std::vector<uint16_t> SearchRun::TextFields() const {
  std::vector<uint16_t> numbers;
  for (const auto& [name, number] : spec_.text_numbers) {
    if (search_.fields.empty() ||
        std::find(search_.fields.begin(), search_.fields.end(), name) != search_.fields.end()) {
      numbers.push_back(number);
    }
  }
  return numbers;
}

Result<std::vector<SearchRun::Candidate>> SearchRun::FindByText(size_t k,
                                                                const fields::RowSet* allowed) {
  TextQuery query{search_.text, TextFields(), k, allowed, {}};
  ASSIGN_OR_RETURN(const std::vector<ScoredRow> rows, SearchTexts(state_, query, context_));
  std::vector<Candidate> found;
  for (const ScoredRow& row : rows) found.push_back({row.row, -row.score});
  return found;
}

Result<double> SearchRun::Likeness(const Candidate& candidate) {
  if (dense_ == nullptr || dense_->metric == VectorMetric::kInnerProduct ||
      dense_->metric == VectorMetric::kCosine) {
    return -candidate.order;
  }
  if (dense_->metric == VectorMetric::kHamming) return 1 - 2 * candidate.order / dense_->dimensions;
  return Likeness(candidate.row);  // a distance alone does not tell on what scale it is
}

Result<double> SearchRun::Likeness(RowId row) {
  ASSIGN_OR_RETURN(const std::optional<std::string> bytes,
                   store_.Get(Family::kRecord, RowKey(spec_.id, row)));
  if (!bytes.has_value()) return Corrupt("record in row " + std::to_string(row));
  ASSIGN_OR_RETURN(const std::optional<Vector> vector,
                   DecodeRowVector(spec_, row, *bytes, search_.vector_name));
  if (!vector.has_value() || !CheckVector(spec_, search_.vector_name, *vector).ok()) return 0.0;
  const Vector& asked = *search_.vector;
  if (sparse_ != nullptr)
    return DotOf(std::get<SparseVector>(asked), std::get<SparseVector>(*vector));
  if (dense_->metric == VectorMetric::kHamming) {
    return LikenessOf(std::get<BitVector>(asked), std::get<BitVector>(*vector), dense_->dimensions);
  }
  return LikenessOf(dense_->metric, std::get<DenseVector>(asked), std::get<DenseVector>(*vector));
}

Result<std::vector<SearchRun::Candidate>> SearchRun::FindByBoth(size_t k,
                                                                const fields::RowSet* allowed) {
  const size_t depth = FusionDepth(k);
  ASSIGN_OR_RETURN(const std::vector<Candidate> near, sparse_ != nullptr
                                                          ? FindBySparse(depth, allowed)
                                                          : FindByVector(depth, allowed));
  TextQuery query{search_.text, TextFields(), depth, allowed, {}};
  std::vector<SearchHit> hits;
  std::map<RowId, size_t> places;
  for (const Candidate& candidate : near) {
    places[candidate.row] = hits.size();
    ASSIGN_OR_RETURN(const double likeness, Likeness(candidate));
    hits.push_back({candidate.row, 0, 0, likeness, 0});
    query.wanted.push_back(candidate.row);
    if (hits.size() % kCheckEvery == 0) RETURN_IF_ERROR(context_.Check());
  }
  std::sort(query.wanted.begin(), query.wanted.end());
  ASSIGN_OR_RETURN(const std::vector<ScoredRow> texts, SearchTexts(state_, query, context_));
  for (const ScoredRow& row : texts) {
    const auto place = places.find(row.row);
    if (place != places.end()) {
      hits[place->second].keyword_score = row.score;
      continue;
    }
    ASSIGN_OR_RETURN(const double likeness, Likeness(row.row));
    hits.push_back({row.row, 0, 0, likeness, row.score});
    if (hits.size() % kCheckEvery == 0) RETURN_IF_ERROR(context_.Check());
  }
  FusionOptions options;
  options.bounded = sparse_ == nullptr && dense_->metric != VectorMetric::kInnerProduct;
  if (!weights_.has_value()) weights_ = WeighHalves(hits, options);
  FuseScores(*weights_, options, &hits);
  SortHits(k, &hits);
  std::vector<Candidate> found;
  for (const SearchHit& hit : hits) found.push_back({hit.chunk, -hit.score});
  return found;
}

}  // namespace ragstone::index::records
