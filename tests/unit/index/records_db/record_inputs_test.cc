// Bad input: the code, the reason and what the message must name. Covers record_checks.cc and
// collection_name.cc.
#include <limits>

#include "tests/unit/index/records_db/records_fixture.h"

namespace ragstone::index {
namespace {

using RecordInputsTest = RecordsFixture;

DenseVector Ones() { return DenseVector(8, 1.0f); }

void ExpectBad(const Status& status, Reason reason, const std::string& names) {
  EXPECT_EQ(status.reason(), reason) << status.ToString();
  EXPECT_NE(status.message().find(names), std::string::npos)
      << status.ToString() << " does not name " << names;
}

TEST_F(RecordInputsTest, Descriptions) {
  const auto bad = [&](const std::function<void(RecordCollectionSpec*)>& change, Reason reason,
                       const std::string& names) {
    RecordCollectionSpec spec = Spec();
    change(&spec);
    const Status status = records_->CreateCollection(spec).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << status.ToString();
    ExpectBad(status, reason, names);
  };
  using Spec = RecordCollectionSpec*;
  bad([](Spec spec) { spec->name = "a b"; }, Reason::kCollectionNameInvalid, "a b");
  bad([](Spec spec) { spec->name = ""; }, Reason::kCollectionNameInvalid, "1 to 128");
  bad([](Spec spec) { spec->vectors[0].dimensions = 0; }, Reason::kInvalidArgument, "8192");
  bad([](Spec spec) { spec->vectors[0].dimensions = 8193; }, Reason::kInvalidArgument, "8193");
  bad([](Spec spec) { spec->vectors[0].name = "a/b"; }, Reason::kInvalidArgument, "a/b");
  bad([](Spec spec) { spec->vectors.push_back(spec->vectors[0]); }, Reason::kInvalidArgument,
      "two");
  bad([](Spec spec) { spec->sparse = {{""}}; }, Reason::kInvalidArgument, "two");
  bad([](Spec spec) { spec->sparse = {{"s"}}; }, Reason::kInvalidArgument, "no name");
  bad([](Spec spec) { spec->vectors.resize(17, spec->vectors[0]); }, Reason::kLimitExceeded, "16");
  bad([](Spec spec) { spec->vectors[0].target_recall = 1.1f; }, Reason::kInvalidArgument, "recall");
  bad([](Spec spec) { spec->vectors[0].metric = VectorMetric::kHamming; }, Reason::kInvalidArgument,
      "binary");
  bad([](Spec spec) { spec->vectors[0].metric = static_cast<VectorMetric>(9); },
      Reason::kInvalidArgument, "unknown");
  bad([](Spec spec) { spec->vectors[0].method = static_cast<VectorMethod>(9); },
      Reason::kInvalidArgument, "method");
  bad([](Spec spec) { spec->language = "xx"; }, Reason::kInvalidArgument, "xx");
  bad([](Spec spec) { spec->history_seconds = UINT64_MAX; }, Reason::kLimitExceeded, "history");
  Create();
  const Status again = records_->CreateCollection(this->Spec()).status();
  EXPECT_EQ(again.code(), StatusCode::kAlreadyExists);
  ExpectBad(again, Reason::kCollectionExists, "\"c\"");
}

TEST_F(RecordInputsTest, Records) {
  RecordCollectionSpec spec = Spec();
  spec.vectors[0].name = "v";
  spec.sparse = {{"s"}};
  Create(spec);
  const float infinity = std::numeric_limits<float>::infinity();
  const auto bad = [&](const std::function<void(Record*)>& change, Reason reason,
                       const std::string& names) {
    Record record;
    record.id = "bad";
    record.vectors["v"] = Ones();
    change(&record);
    const auto result = records_->Upsert("c", {record}, {}, {});
    EXPECT_EQ(result.status().code(), StatusCode::kInvalidArgument) << result.status().ToString();
    ExpectBad(result.status(), reason, names);
  };
  const Reason invalid = Reason::kInvalidArgument;
  bad([](Record* r) { r->vectors["v"] = DenseVector(7, 1.0f); }, invalid, "7 values");
  bad([](Record* r) { r->vectors["v"] = DenseVector(8, std::nanf("")); }, invalid, "nan");
  bad([&](Record* r) { r->vectors["v"] = DenseVector(8, infinity); }, invalid, "inf");
  bad([](Record* r) { r->vectors["v"] = DenseVector(8, 0.0f); }, invalid, "zero vector");
  bad([](Record* r) { r->vectors["v"] = BitVector{1}; }, invalid, "dense");
  bad([](Record* r) { r->vectors["w"] = Ones(); }, invalid, "\"w\"");
  bad([](Record* r) { r->vectors["s"] = Ones(); }, invalid, "sparse");
  bad([](Record* r) { r->vectors["s"] = SparseVector{{1, 1}, {1, 1}}; }, invalid, "ascending");
  bad([](Record* r) { r->vectors["s"] = SparseVector{{1}, {}}; }, invalid, "weights");
  bad([](Record* r) { r->vectors["s"] = SparseVector{{1}, {0.0f}}; }, invalid, "not zero");
  bad([&](Record* r) { r->vectors["s"] = SparseVector{{1}, {infinity}}; }, invalid, "finite");
  bad([](Record* r) { r->id = ""; }, invalid, "1 to 256");
  bad([](Record* r) { r->id = std::string(257, 'x'); }, Reason::kLimitExceeded, "257");
  bad([](Record* r) { r->id = "\xff"; }, Reason::kInvalidUtf8, "UTF-8");
  bad([](Record* r) { r->payload["yeer"] = int64_t{1}; }, invalid, "year");
  bad([](Record* r) { r->payload["year"] = std::string("x"); }, invalid, "year");
  bad(
      [](Record* r) {
        r->payload["year"] = int64_t{1}, r->id = "named";
        r->payload["lang"] = 1.5;
      },
      invalid, "\"named\"");
  bad([](Record* r) { r->payload["lang"] = std::string(5000, 'x'); }, Reason::kLimitExceeded,
      "lang");
  EXPECT_EQ(Count(), 0u);
}

TEST_F(RecordInputsTest, Writes) {
  Create();
  const auto upsert = [&](std::vector<Record> records, const WriteOptions& options) {
    return records_->Upsert("c", std::move(records), options, {}).status();
  };
  ExpectBad(upsert({MakeRecord("a", Ones()), MakeRecord("a", Ones())}, {}),
            Reason::kInvalidArgument, "\"a\"");
  ExpectBad(upsert(std::vector<Record>(10'001), {}), Reason::kLimitExceeded, "10000");
  WriteOptions options;
  options.request_id = std::string(129, 'r');
  ExpectBad(upsert({MakeRecord("a", Ones())}, options), Reason::kLimitExceeded, "129");
  options = {};
  options.if_versions = {1, 2};
  ExpectBad(upsert({MakeRecord("a", Ones())}, options), Reason::kInvalidArgument, "versions");
  ExpectBad(records_->Delete("c", Parsed("year > 1"), options, {}).status(),
            Reason::kInvalidArgument, "versions");
  ExpectBad(
      records_->Delete("c", RecordSelector(std::vector<std::string>{"a", "a"}), {}, {}).status(),
      Reason::kInvalidArgument, "twice");
  ExpectBad(records_->Delete("c", Parsed("yeer > 1"), {}, {}).status(), Reason::kFilterInvalid,
            "year");
  PayloadChange change;
  change.set = {{"nope", std::monostate()}};
  ExpectBad(records_->UpdatePayload("c", Parsed(""), change, {}, {}).status(),
            Reason::kInvalidArgument, "nope");
  std::vector<Record> large;
  for (int i = 0; i < 70; ++i) {
    Payload payload;
    payload["tags"] = ScalarList(250, Scalar(std::string(4000, 'x')));
    large.push_back(MakeRecord(std::to_string(i), Ones(), std::move(payload)));
  }
  ExpectBad(upsert(std::move(large), {}), Reason::kLimitExceeded, "split");
  const auto flag = std::make_shared<CancelFlag>();
  flag->Cancel();
  const CallContext cancelled(CallContext::TimePoint::max(), flag);
  EXPECT_EQ(records_->Upsert("c", {MakeRecord("a", Ones())}, {}, cancelled).status().code(),
            StatusCode::kCancelled);
  EXPECT_EQ(Count(), 0u);
}

TEST_F(RecordInputsTest, UnknownCollections) {
  const std::vector<std::string> ids = {"a"};
  for (const Status& status :
       {records_->Upsert("x", {MakeRecord("a", Ones())}, {}, {}).status(),
        records_->Delete("x", RecordSelector(ids), {}, {}).status(),
        records_->UpdatePayload("x", RecordSelector(ids), {}, {}, {}).status(),
        records_->Get("x", ids, {}).status(), records_->Scroll("x", {}, "", 1, {}, {}).status(),
        records_->Count("x", {}, {}).status(),
        records_->Search("x", Nearest(Ones(), 1), {}).status(),
        records_->SearchBatch("x", {}, {}).status(), records_->Recommend("x", {}, {}).status(),
        records_->GetCollection("x").status(), records_->DropCollection("x")}) {
    EXPECT_EQ(status.code(), StatusCode::kNotFound) << status.ToString();
    ExpectBad(status, Reason::kCollectionNotFound, "\"x\"");
  }
}

TEST_F(RecordInputsTest, Searches) {
  Create();
  Put({MakeRecord("a", Ones())});
  const auto bad = [&](const std::function<void(RecordSearch*)>& change, Reason reason,
                       const std::string& names) {
    RecordSearch search = Nearest(Ones(), 10);
    change(&search);
    const Status status = records_->Search("c", search, {}).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << status.ToString();
    ExpectBad(status, reason, names);
    EXPECT_FALSE(records_->SearchBatch("c", {&search, 1}, {}).ok());
  };
  using S = RecordSearch*;
  bad([](S s) { s->top_k = 0; }, Reason::kLimitExceeded, "top_k");
  bad([](S s) { s->top_k = 10'001; }, Reason::kLimitExceeded, "10001");
  bad([](S s) { s->vector = DenseVector(3, 1.0f); }, Reason::kInvalidArgument, "3 values");
  bad([](S s) { s->vector = DenseVector(8, 0.0f); }, Reason::kInvalidArgument, "zero");
  bad([](S s) { s->vector_name = "w"; }, Reason::kInvalidArgument, "\"w\"");
  bad([](S s) { s->vector.reset(); }, Reason::kEmptyQuery, "neither");
  bad([](S s) { s->text = "x", s->fields = {"lang"}; }, Reason::kInvalidArgument, "lang");
  bad([](S s) { s->text = "x", s->fields = {"bodi"}; }, Reason::kInvalidArgument, "body");
  bad([](S s) { s->filter = Equals("yeer", int64_t{1}); }, Reason::kFilterInvalid, "year");
  bad([](S s) { s->filter = Equals("year", std::string("x")); }, Reason::kFilterInvalid, "year");
  bad([](S s) { s->group_by = "none"; }, Reason::kInvalidArgument, "none");
  bad([](S s) { s->group_by = "tags"; }, Reason::kInvalidArgument, "list");
  bad([](S s) { s->group_by = "body"; }, Reason::kInvalidArgument, "text");
  bad([](S s) { s->group_by = "lang", s->group_size = 0; }, Reason::kLimitExceeded, "group_size");
  bad([](S s) { s->group_by = "lang", s->group_size = 101; }, Reason::kLimitExceeded, "101");
  bad([](S s) { s->read.as_of = 1; }, Reason::kInvalidArgument, "as_of");
  ExpectBad(records_->Scroll("c", {}, "", 10'001, {}, {}).status(), Reason::kLimitExceeded,
            "10001");
  ExpectBad(records_->Get("c", std::vector<std::string>(10'001, "a"), {}).status(),
            Reason::kLimitExceeded, "10001");
  ExpectBad(records_->Count("c", Equals("yeer", int64_t{1}), {}).status(), Reason::kFilterInvalid,
            "year");
}

TEST_F(RecordInputsTest, Recommendations) {
  Create();
  Record bare;
  bare.id = "bare";
  Put({MakeRecord("a", Ones()), bare});
  const auto bad = [&](const RecommendSearch& search, const std::string& names) {
    ExpectBad(records_->Recommend("c", search, {}).status(), Reason::kInvalidArgument, names);
  };
  RecommendSearch search;
  bad(search, "positive");
  search.positive = {"none"};
  bad(search, "\"none\"");
  search.positive = {"bare"};
  bad(search, "\"bare\"");
  search.positive = {"a"};
  search.search.text = "x";
  bad(search, "neither");
  search.search.text = "";
  search.search.vector_name = "w";
  bad(search, "\"w\"");
  // Twice a vector less itself is that vector, and not zero.
  search.search.vector_name = "";
  search.negative = {"a"};
  EXPECT_TRUE(records_->Recommend("c", search, {}).ok());
  search.negative.assign(RecordDatabase::kExamplesMax, "a");
  ExpectBad(records_->Recommend("c", search, {}).status(), Reason::kLimitExceeded, "1001");
  search.negative.clear();
  search.search.group_size = 101;  // also without groups
  ExpectBad(records_->Recommend("c", search, {}).status(), Reason::kLimitExceeded, "100");
}

TEST_F(RecordInputsTest, DamagedRowsAreNamedAndNeverReturned) {
  Create();
  Put({MakeRecord("a", Ones()), MakeRecord("b", Ones())});
  Store& store = static_cast<DatabaseImpl*>(database_.get())->core().store();
  const CollectionId id = records_->GetCollection("c")->id;
  const std::string key = records::RowKey(id, 1);
  const std::string whole = **store.Get(Family::kRecord, key);
  for (size_t length = 0; length < whole.size(); ++length) {
    StoreBatch batch(&store);
    batch.Put(Family::kRecord, key, whole.substr(0, length));
    ASSERT_TRUE(store.Write(&batch, false).ok());
    ReadOptions options;
    options.vectors = true;
    const std::vector<std::string> ids = {"a"};
    EXPECT_EQ(records_->Get("c", ids, options).status().reason(), Reason::kDataCorrupt) << length;
  }
  EXPECT_EQ(records_->Search("c", Nearest(Ones(), 2), {}).status().reason(), Reason::kDataCorrupt);
  EXPECT_EQ(Get({"b"}).size(), 1u);
}

}  // namespace
}  // namespace ragstone::index
