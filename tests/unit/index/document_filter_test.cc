// Covers document_filter.cc and document_fields.cc, through the database.
#include "index/internal/document_filter.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "index/filter/filter_parser.h"
#include "index/internal/database_impl.h"
#include "tests/unit/index/test_database.h"

namespace ragstone::index {
namespace {

using Sources = std::set<std::string>;

class DocumentFilterTest : public testing::Test {
 protected:
  void SetUp() override {
    database_ = OpenDatabase(folder_.path());
    collection_ = database_->CreateCollection(TestSpec("a"), Batch())->id;
  }

  // A document with a chunk on each page, and one that goes over the last two.
  DocumentId Put(const std::string& source, const Metadata& metadata, uint32_t pages = 1,
                 DocumentId id = 0) {
    if (id == 0) id = *database_->NewDocumentId();
    auto writer = database_->BeginDocument(collection_, id);
    EXPECT_TRUE(writer.ok());
    std::vector<ChunkRecord> chunks;
    std::vector<float> vectors;
    for (uint32_t i = 0; i < pages + (pages > 1 ? 1 : 0); ++i) {
      ChunkRecord chunk = TestChunk(i, "word" + std::to_string(i) + " all");
      chunk.page_first = i < pages ? i + 1 : pages - 1;
      chunk.page_last = i < pages ? i + 1 : pages;
      chunks.push_back(chunk);
      const std::vector<float> vector = UnitVector(++seed_);
      vectors.insert(vectors.end(), vector.begin(), vector.end());
    }
    EXPECT_TRUE((*writer)->AddChunks(chunks, vectors).ok());
    DocumentInfo info = TestInfo({source, {}, 0});
    info.media_type = source.find(".pdf") != std::string::npos ? "application/pdf" : "text/plain";
    info.pages = pages;
    info.bytes = 1000 * pages;
    info.metadata = metadata;
    const auto committed = (*writer)->Commit(info, Batch());
    EXPECT_TRUE(committed.ok()) << committed.status().ToString();
    sources_[id] = source;
    return id;
  }

  Result<std::vector<DocumentInfo>> Filtered(const std::string& text) {
    ASSIGN_OR_RETURN(const Filter filter, ParseFilter(text));
    return database_->FilterDocuments(collection_, filter, 0, 1000, CallContext());
  }
  Sources List(const std::string& text) {
    const auto found = Filtered(text);
    EXPECT_TRUE(found.ok()) << text << ": " << found.status().ToString();
    Sources sources;
    if (found.ok()) {
      for (const DocumentInfo& info : *found) sources.insert(info.source);
    }
    return sources;
  }
  std::string Error(const std::string& text) {
    const auto found = Filtered(text);
    EXPECT_EQ(found.status().code(), StatusCode::kInvalidArgument) << text;
    EXPECT_EQ(found.status().reason(), Reason::kFilterInvalid) << text;
    return found.status().message();
  }
  std::vector<SearchHit> Search(SearchMode mode, const std::string& filter, uint32_t top_k) {
    vector_ = UnitVector(77);
    SearchRequest request;
    request.mode = mode;
    request.text = "all";
    request.vector = vector_;
    request.top_k = top_k;
    request.filter = *ParseFilter(filter);
    const auto hits = database_->Search(collection_, request, CallContext());
    EXPECT_TRUE(hits.ok()) << filter << ": " << hits.status().ToString();
    return hits.ok() ? *hits : std::vector<SearchHit>();
  }

  TemporaryFolder folder_;
  std::unique_ptr<Database> database_;
  CollectionId collection_ = 0;
  std::map<DocumentId, std::string> sources_;
  std::vector<float> vector_;
  uint64_t seed_ = 0;
};

TEST_F(DocumentFilterTest, BuiltInFieldsAreThoseOfTheDocument) {
  Put("/docs/lease.pdf", {}, 3);
  Put("/docs/notes.txt", {});
  EXPECT_EQ(List(""), (Sources{"/docs/lease.pdf", "/docs/notes.txt"}));
  EXPECT_EQ(List("file = \"notes.txt\""), Sources{"/docs/notes.txt"});
  EXPECT_EQ(List("path prefix \"/docs/l\""), Sources{"/docs/lease.pdf"});
  EXPECT_EQ(List("title contains \"lease\""), Sources{"/docs/lease.pdf"});
  EXPECT_EQ(List("type = \"pdf\""), Sources{"/docs/lease.pdf"});
  EXPECT_EQ(List("type in (\"text\", \"markdown\")"), Sources{"/docs/notes.txt"});
  EXPECT_EQ(List("media_type = \"application/pdf\""), Sources{"/docs/lease.pdf"});
  EXPECT_EQ(List("pages >= 2 and bytes = 3000"), Sources{"/docs/lease.pdf"});
  EXPECT_EQ(List("added > 2020-01-01 and updated > 2020-01-01").size(), 2u);
  EXPECT_TRUE(List("added > 2200-01-01").empty());
  const DocumentId notes = sources_.rbegin()->first;
  EXPECT_EQ(List("has_id (" + std::to_string(notes) + ", 999999)"), Sources{"/docs/notes.txt"});
  EXPECT_EQ(List("not has_id (" + std::to_string(notes) + ")"), Sources{"/docs/lease.pdf"});
}

TEST_F(DocumentFilterTest, MetadataIsTypedByWhatItHolds) {
  Put("a", {{"year", int64_t{2021}}, {"lang", "en"}, {"draft", false}, {"score", 0.5}});
  Put("b", {{"year", int64_t{2019}}, {"lang", "de"}, {"draft", true}, {"score", 2.0}});
  Put("c",
      {{"tags", std::vector<std::string>{"red", "blue"}}, {"when", Datetime{86'400'000'000'000}}});
  EXPECT_EQ(List("year >= 2020 and lang in (\"en\", \"de\") and not draft"), Sources{"a"});
  EXPECT_EQ(List("score > 1"), Sources{"b"});
  EXPECT_EQ(List("tags = \"red\" and tags = \"blue\""), Sources{"c"});
  EXPECT_EQ(List("when = 1970-01-02"), Sources{"c"});
  EXPECT_EQ(List("lang != \"en\""), (Sources{"b", "c"})) << "c has no lang";
  EXPECT_EQ(List("year is null or draft"), (Sources{"b", "c"}));
  EXPECT_EQ(List("false"), Sources());
}

TEST_F(DocumentFilterTest, ANameMayHoldValuesOfSeveralTypes) {
  Put("a", {{"version", int64_t{2}}});
  Put("b", {{"version", "2"}});
  Put("c", {{"version", 2.5}});
  Put("d", {{"version", true}});
  EXPECT_EQ(List("version = 2"), Sources{"a"});
  EXPECT_EQ(List("version > 1"), (Sources{"a", "c"}));
  EXPECT_EQ(List("version = \"2\""), Sources{"b"});
  EXPECT_EQ(List("version"), Sources{"d"});
  EXPECT_EQ(List("version exists"), (Sources{"a", "b", "c", "d"}));
}

TEST_F(DocumentFilterTest, MetadataWithTheNameOfABuiltInFieldIsReachedByItsPrefix) {
  Put("a", {{"type", "invoice"}, {"a`b", int64_t{1}}});
  Put("b", {});
  EXPECT_EQ(List("type = \"text\""), (Sources{"a", "b"}));
  EXPECT_EQ(List("meta.type = \"invoice\""), Sources{"a"});
}

TEST_F(DocumentFilterTest, MistakesNameThePlaceAndWhatIsExpected) {
  EXPECT_TRUE(List("type = \"pdf\"").empty()) << "built-in fields exist in an empty collection";
  Put("a", {{"year", int64_t{2021}}});
  EXPECT_EQ(Error("yaer = 2020"),
            "filter, column 1: the collection has no payload field \"yaer\"; did you mean "
            "\"year\"?");
  EXPECT_NE(Error("year = \"x\"").find("column 8"), std::string::npos);
  EXPECT_NE(Error("bytes = true").find("whole number"), std::string::npos);
  EXPECT_NE(Error("page = \"x\"").find("column 8"), std::string::npos);
  EXPECT_NE(Error("has_id (\"x\")").find("numbers as ids"), std::string::npos);
  EXPECT_NE(Error("title match \"x\"").find("contains"), std::string::npos);
}

TEST_F(DocumentFilterTest, PagesAreThoseOfTheChunk) {
  Put("a.pdf", {{"lang", "en"}}, 5);
  Put("b.pdf", {{"lang", "de"}}, 2);
  const auto pages_of = [&](const std::string& filter) {
    std::multiset<uint32_t> pages;
    std::vector<ChunkId> ids;
    for (const SearchHit& hit : Search(SearchMode::kVector, filter, 100)) ids.push_back(hit.chunk);
    const auto chunks = database_->GetChunks(collection_, ids);
    EXPECT_TRUE(chunks.ok()) << chunks.status().ToString();
    if (chunks.ok()) {
      for (const ChunkRecord& chunk : *chunks) pages.insert(chunk.page_first);
    }
    return pages;
  };
  using Pages = std::multiset<uint32_t>;
  EXPECT_EQ(pages_of("page = 2"), (Pages{1, 2, 2})) << "one chunk goes from page 1 to 2";
  EXPECT_EQ(pages_of("page >= 4"), (Pages{4, 4, 5}));
  EXPECT_EQ(pages_of("page > 4 and lang = \"en\""), (Pages{4, 5}));
  EXPECT_EQ(pages_of("page < 2 or lang = \"en\" and page in (3, 5)"), (Pages{1, 1, 1, 3, 4, 5}));
  EXPECT_EQ(pages_of("not page >= 2"), (Pages{1, 1}));
  EXPECT_EQ(pages_of("page between 2 and 3 and not lang = \"de\""), (Pages{2, 3}));
  EXPECT_EQ(pages_of("page exists").size(), 9u);
  EXPECT_EQ(List("page = 5"), Sources{"a.pdf"});
  EXPECT_EQ(List("page > 1"), (Sources{"a.pdf", "b.pdf"}));
}

TEST_F(DocumentFilterTest, EverySearchReturnsTheLimitOrAllMatches) {
  for (int i = 0; i < 200; ++i) Put(std::to_string(i), {{"n", int64_t{i}}});
  for (const SearchMode mode : {SearchMode::kVector, SearchMode::kHybrid, SearchMode::kKeyword}) {
    for (const uint32_t below : {0u, 1u, 7u, 100u, 200u}) {
      const auto hits = Search(mode, "n < " + std::to_string(below), 10);
      EXPECT_EQ(hits.size(), std::min(10u, below));
      for (const SearchHit& hit : hits) {
        EXPECT_LT(std::stoi(sources_[hit.document]), static_cast<int>(below));
      }
    }
  }
}

TEST_F(DocumentFilterTest, DocumentsAndFilterBothRestrict) {
  const DocumentId a = Put("a", {{"n", int64_t{1}}});
  const DocumentId b = Put("b", {{"n", int64_t{2}}});
  Put("c", {{"n", int64_t{2}}});
  SearchRequest request;
  request.mode = SearchMode::kKeyword;
  request.text = "all";
  request.documents = {a, b};
  request.filter = *ParseFilter("n = 2");
  const auto hits = database_->Search(collection_, request, CallContext());
  ASSERT_TRUE(hits.ok());
  ASSERT_EQ(hits->size(), 1u);
  EXPECT_EQ((*hits)[0].document, b);
}

TEST_F(DocumentFilterTest, ChangesAreSeenByTheNextFilter) {
  const DocumentId a = Put("a", {{"n", int64_t{1}}});
  EXPECT_EQ(List("n = 1"), Sources{"a"});
  Put("b", {{"n", int64_t{1}}, {"fresh", true}});
  EXPECT_EQ(List("n = 1"), (Sources{"a", "b"}));
  EXPECT_EQ(List("fresh"), Sources{"b"});
  ASSERT_TRUE(database_->UpdateMetadata(collection_, a, {{"n", int64_t{2}}}, Batch()).ok());
  EXPECT_EQ(List("n = 1"), Sources{"b"});
  EXPECT_EQ(List("n = 2"), Sources{"a"});
  Put("a", {{"n", int64_t{3}}}, 2, a);
  EXPECT_EQ(List("n < 3"), Sources{"b"});
  EXPECT_EQ(List("n = 3 and page = 2"), Sources{"a"});
  ASSERT_TRUE(database_->DeleteDocument(collection_, a, Batch()).ok());
  EXPECT_EQ(List("n exists"), Sources{"b"});
  Clean(database_.get());
  EXPECT_EQ(List("n exists"), Sources{"b"});
  database_.reset();
  database_ = OpenDatabase(folder_.path());
  EXPECT_EQ(List("n = 1 and fresh"), Sources{"b"});
}

TEST_F(DocumentFilterTest, ListsGoOnBehindADocument) {
  std::vector<DocumentId> ids;
  for (int i = 0; i < 10; ++i) ids.push_back(Put(std::to_string(i), {{"n", int64_t{i % 2}}}));
  const Filter odd = *ParseFilter("n = 1");
  const auto first = database_->FilterDocuments(collection_, odd, 0, 2, CallContext());
  ASSERT_TRUE(first.ok());
  ASSERT_EQ(first->size(), 2u);
  const auto rest = database_->FilterDocuments(collection_, odd, ids[3], 100, CallContext());
  ASSERT_TRUE(rest.ok());
  ASSERT_EQ(rest->size(), 3u);
  EXPECT_EQ((*rest)[0].id, ids[5]);
}

// Without conditions on pages too, which read nothing.
TEST_F(DocumentFilterTest, ADeadlineEndsTheEvaluation) {
  Put("a", {{"n", int64_t{1}}});
  ASSERT_EQ(List("n = 1"), Sources{"a"});
  Core& core = static_cast<DatabaseImpl*>(database_.get())->core();
  const auto collection = core.Find(collection_);
  ASSERT_TRUE(collection.ok());
  const CallContext late(std::chrono::steady_clock::now() - std::chrono::seconds(1),
                         std::make_shared<CancelFlag>());
  for (const char* text : {"n = 1", "n = 1 or n = 2", "not n = 2", "page = 1"}) {
    const Filter filter = *ParseFilter(text);
    const FilterRequest request{&filter, UINT64_MAX - 1};
    EXPECT_EQ(SelectDocuments(core.store(), **collection, request, CallContext())->size(), 1u);
    EXPECT_EQ(SelectDocuments(core.store(), **collection, request, late).status().code(),
              StatusCode::kDeadlineExceeded)
        << text;
    EXPECT_EQ(SelectChunks(core.store(), **collection, request, late).status().code(),
              StatusCode::kDeadlineExceeded)
        << text;
  }
}

// Compares with what each document says of itself, over random trees.
TEST_F(DocumentFilterTest, TreesAgreeWithEachDocument) {
  constexpr uint64_t kSeed = 7;
  std::mt19937_64 random(kSeed);
  SCOPED_TRACE(kSeed);
  struct Facts {
    int64_t n, m;
  };
  std::map<std::string, Facts> facts;
  for (int i = 0; i < 60; ++i) {
    const Facts fact{static_cast<int64_t>(random() % 5), static_cast<int64_t>(random() % 3)};
    facts[std::to_string(i)] = fact;
    Put(std::to_string(i), {{"n", fact.n}, {"m", fact.m}});
  }
  using Holds = std::function<bool(const Facts&)>;
  const std::function<std::pair<std::string, Holds>(int)> tree = [&](int depth) {
    const int64_t value = static_cast<int64_t>(random() % 5);
    const uint64_t choice = random() % (depth == 0 ? 2 : 5);
    if (choice == 0) {
      return std::pair<std::string, Holds>("n < " + std::to_string(value),
                                           [value](const Facts& f) { return f.n < value; });
    }
    if (choice == 1) {
      return std::pair<std::string, Holds>("m = " + std::to_string(value),
                                           [value](const Facts& f) { return f.m == value; });
    }
    const auto [left, left_holds] = tree(depth - 1);
    if (choice == 2) {
      return std::pair<std::string, Holds>(
          "not (" + left + ")", [held = left_holds](const Facts& f) { return !held(f); });
    }
    const auto [right, right_holds] = tree(depth - 1);
    const bool both = choice == 3;
    return std::pair<std::string, Holds>("(" + left + (both ? " and " : " or ") + right + ")",
                                         [both, a = left_holds, b = right_holds](const Facts& f) {
                                           return both ? a(f) && b(f) : a(f) || b(f);
                                         });
  };
  for (int i = 0; i < 200; ++i) {
    const auto [text, holds] = tree(3);
    Sources expected;
    for (const auto& [source, fact] : facts) {
      if (holds(fact)) expected.insert(source);
    }
    EXPECT_EQ(List(text), expected) << text;
    // Every chunk is on page 1, so this holds for the same documents, chunk by chunk.
    EXPECT_EQ(List("page = 1 and (" + text + ")"), expected) << text;
  }
}

}  // namespace
}  // namespace ragstone::index
