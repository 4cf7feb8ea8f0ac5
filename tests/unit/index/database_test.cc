// Covers database.cc and internal/database_collections.cc, database_documents.cc and
// database_tables.cc.
#include "index/database.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/unit/index/test_database.h"

namespace ragstone::index {
namespace {

class DatabaseTest : public testing::Test {
 protected:
  void SetUp() override { Reopen(); }
  void Reopen() {
    database_.reset();
    database_ = OpenDatabase(folder_.path());
    ASSERT_NE(database_, nullptr);
  }
  CollectionId Create(const std::string& name) {
    const Result<CollectionInfo> info = database_->CreateCollection(TestSpec(name), Batch());
    EXPECT_TRUE(info.ok()) << info.status().ToString();
    return info->id;
  }
  DocumentInfo Put(CollectionId collection, const TestDocument& document, DocumentId id = 0) {
    Result<DocumentInfo> info = PutDocument(database_.get(), collection, document, id);
    EXPECT_TRUE(info.ok()) << info.status().ToString();
    return info.ok() ? *info : DocumentInfo();
  }
  std::vector<SearchHit> Search(CollectionId collection, const SearchRequest& request) {
    const Result<std::vector<SearchHit>> hits =
        database_->Search(collection, request, CallContext());
    EXPECT_TRUE(hits.ok()) << hits.status().ToString();
    return hits.ok() ? *hits : std::vector<SearchHit>();
  }
  std::vector<SearchHit> SearchText(CollectionId collection, const std::string& text) {
    SearchRequest request;
    request.mode = SearchMode::kKeyword;
    request.text = text;
    return Search(collection, request);
  }
  std::vector<SearchHit> SearchVector(CollectionId collection, uint64_t seed) {
    const std::vector<float> vector = UnitVector(seed);
    SearchRequest request;
    request.mode = SearchMode::kVector;
    request.vector = vector;
    return Search(collection, request);
  }

  TemporaryFolder folder_;
  std::unique_ptr<Database> database_;
};

TEST_F(DatabaseTest, CollectionsSurviveReopenWithTheirCounts) {
  const CollectionId a = Create("a");
  const CollectionId b = Create("b");
  Put(b, {"x", {"one", "two"}, 10});
  Reopen();
  const Result<std::vector<CollectionInfo>> list = database_->ListCollections("", 10);
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->size(), 2u);
  EXPECT_EQ((*list)[0].id, a);
  EXPECT_EQ((*list)[0].documents, 0u);
  EXPECT_EQ((*list)[1].spec.fingerprint, "test-fingerprint");
  EXPECT_EQ((*list)[1].documents, 1u);
  EXPECT_EQ((*list)[1].chunks, 2u);
  EXPECT_EQ(database_->ListCollections("a", 10)->size(), 1u);
  EXPECT_EQ(database_->ListCollections("", 1)->size(), 1u);
}

TEST_F(DatabaseTest, BadCollectionsAreRefusedByReason) {
  Create("a");
  EXPECT_EQ(database_->CreateCollection(TestSpec("a"), Batch()).status().reason(),
            Reason::kCollectionExists);
  for (const std::string& name : {std::string(), std::string("a b"), std::string(129, 'x')}) {
    EXPECT_EQ(database_->CreateCollection(TestSpec(name), Batch()).status().reason(),
              Reason::kCollectionNameInvalid);
  }
  CollectionSpec wide = TestSpec("wide");
  wide.dimensions = 8193;
  EXPECT_EQ(database_->CreateCollection(wide, Batch()).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(database_->GetCollection("none").status().reason(), Reason::kCollectionNotFound);
}

TEST_F(DatabaseTest, SettingsOfACollectionAreAlteredForGood) {
  CollectionSpec spec = TestSpec("a");
  spec.settings = {SearchMode::kVector, 0.25};
  ASSERT_TRUE(database_->CreateCollection(spec, Batch()).ok());
  EXPECT_EQ(database_->GetCollection("a")->settings, spec.settings);
  const CollectionSettings other = {SearchMode::kKeyword, std::nullopt};
  Batch also;
  also.Put(Table::kSettings, "k", "v");
  const auto altered = database_->AlterCollection("a", other, std::move(also));
  ASSERT_TRUE(altered.ok()) << altered.status().ToString();
  EXPECT_EQ(altered->settings, other);
  EXPECT_TRUE(database_->Get(Table::kSettings, "k")->has_value());
  Reopen();
  EXPECT_EQ(database_->GetCollection("a")->settings, other);
  EXPECT_EQ(database_->AlterCollection("b", other, Batch()).status().reason(),
            Reason::kCollectionNotFound);
  for (const double cosine : {1.0, -1.5, std::nan("")}) {
    const Status refused =
        database_->AlterCollection("a", {SearchMode::kHybrid, cosine}, Batch()).status();
    EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument) << cosine;
  }
}

TEST_F(DatabaseTest, DocumentComesBackWhole) {
  const CollectionId collection = Create("a");
  const Result<DocumentId> id = database_->NewDocumentId();
  ASSERT_TRUE(id.ok());
  Result<std::unique_ptr<DocumentWriter>> writer = database_->BeginDocument(collection, *id);
  ASSERT_TRUE(writer.ok());
  const TestDocument document = {"/a/b.pdf", {"first text", "second text"}, 20};
  ASSERT_TRUE(WriteRows(document, writer->get()).ok());
  DocumentInfo info = TestInfo(document);
  info.metadata = {{"list", std::vector<std::string>{"x", "y"}},
                   {"n", int64_t{-5}},
                   {"real", 1.5},
                   {"yes", true},
                   {"when", Datetime{77}},
                   {"text", std::string("t")}};
  info.warnings = {"page 3 has no text"};
  Batch also;
  also.Put(Table::kJobs, "job", "done");
  ASSERT_TRUE((*writer)->Commit(info, std::move(also)).ok());
  writer->reset();
  Reopen();
  const Result<DocumentInfo> got = database_->GetDocument(collection, *id);
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->metadata, info.metadata);
  EXPECT_EQ(got->warnings, info.warnings);
  EXPECT_EQ(got->chunks, 2u);
  EXPECT_EQ(got->content, info.content);
  EXPECT_GT(got->created_ns, 0);
  const Result<std::optional<DocumentInfo>> by_source =
      database_->FindBySource(collection, "/a/b.pdf");
  ASSERT_TRUE(by_source.ok() && by_source->has_value());
  EXPECT_EQ((*by_source)->id, *id);
  const Result<PageRecord> page = database_->GetPage(collection, *id, 1);
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->text, "first text\nsecond text\n");
  EXPECT_EQ(page->label, "i");
  ASSERT_EQ(page->words.size(), 1u);
  EXPECT_EQ(page->words[0].box.y1, 4);
  EXPECT_EQ(database_->GetPage(collection, *id, 2).status().code(), StatusCode::kNotFound);
  const Result<std::vector<ChunkRecord>> chunks = database_->GetChunkRange(collection, *id, 1, 5);
  ASSERT_TRUE(chunks.ok());
  ASSERT_EQ(chunks->size(), 1u);
  EXPECT_EQ((*chunks)[0].text, "second text");
  EXPECT_EQ((*chunks)[0].document, *id);
  EXPECT_EQ(database_->Get(Table::kJobs, "job")->value(), "done");
}

TEST_F(DatabaseTest, UncommittedRowsAreNeitherSeenNorKept) {
  const CollectionId collection = Create("a");
  {
    Result<std::unique_ptr<DocumentWriter>> writer = database_->BeginDocument(collection, 99);
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE(WriteRows({"x", {"hidden words"}, 5}, writer->get()).ok());
    EXPECT_TRUE(SearchText(collection, "hidden").empty());
    EXPECT_TRUE(SearchVector(collection, 5).empty());
    EXPECT_EQ(database_->GetDocument(collection, 99).status().reason(), Reason::kDocumentNotFound);
    EXPECT_GT(CountKeys(database_.get(), Family::kChunk), 0u);
  }
  Clean(database_.get());
  EXPECT_EQ(CountAllKeys(database_.get()), std::vector<size_t>(DocumentFamilies().size(), 0));
}

TEST_F(DatabaseTest, ReplacementSwapsAllRowsAndLeavesNoOrphans) {
  const CollectionId collection = Create("a");
  const DocumentInfo first = Put(collection, {"x", {"old words here", "old more"}, 100});
  ASSERT_EQ(SearchVector(collection, 100).size(), 2u);  // loads the vectors
  Clean(database_.get());
  const std::vector<size_t> baseline = CountAllKeys(database_.get());
  for (int round = 0; round < 3; ++round) {
    const DocumentInfo second = Put(collection, {"x", {"new text", "other"}, 200}, first.id);
    EXPECT_EQ(second.created_ns, first.created_ns);
    EXPECT_TRUE(SearchText(collection, "old").empty());
    EXPECT_EQ(SearchText(collection, "new").size(), 1u);
    ASSERT_EQ(SearchVector(collection, 200).size(), 2u);
    EXPECT_NEAR(SearchVector(collection, 200)[0].score, 1.0, 1e-5);
    Put(collection, {"x", {"old words here", "old more"}, 100}, first.id);
  }
  Clean(database_.get());
  EXPECT_EQ(CountAllKeys(database_.get()), baseline);
  EXPECT_EQ(database_->GetCollection("a")->documents, 1u);
  ASSERT_TRUE(database_->DeleteDocument(collection, first.id, Batch()).ok());
  EXPECT_TRUE(SearchText(collection, "old").empty());
  EXPECT_TRUE(SearchVector(collection, 100).empty());
  EXPECT_EQ(database_->DeleteDocument(collection, first.id, Batch()).reason(),
            Reason::kDocumentNotFound);
  Clean(database_.get());
  EXPECT_EQ(CountAllKeys(database_.get()), std::vector<size_t>(DocumentFamilies().size(), 0));
  EXPECT_EQ(database_->GetCollection("a")->chunks, 0u);
}

TEST_F(DatabaseTest, SourceBelongsToOneDocument) {
  const CollectionId collection = Create("a");
  const DocumentInfo first = Put(collection, {"x", {"one"}, 1});
  const DocumentInfo second = Put(collection, {"x", {"two"}, 2});
  EXPECT_NE(first.id, second.id);
  EXPECT_EQ(database_->GetDocument(collection, first.id).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(database_->FindBySource(collection, "x")->value().id, second.id);
  EXPECT_EQ(database_->ListDocuments(collection, 0, 10)->size(), 1u);
}

TEST_F(DatabaseTest, DocumentsAreListedInPages) {
  const CollectionId collection = Create("a");
  for (int i = 0; i < 5; ++i) Put(collection, {std::to_string(i), {"t"}, 1});
  const auto first = database_->ListDocuments(collection, 0, 2);
  ASSERT_TRUE(first.ok());
  ASSERT_EQ(first->size(), 2u);
  const auto rest = database_->ListDocuments(collection, (*first)[1].id, 10);
  ASSERT_EQ(rest->size(), 3u);
  EXPECT_LT((*first)[1].id, (*rest)[0].id);
}

TEST_F(DatabaseTest, IdsAreNotGivenAgainAfterReopen) {
  const CollectionId collection = Create("a");
  const DocumentInfo first = Put(collection, {"x", {"one"}, 1});
  const ChunkId chunk = SearchText(collection, "one")[0].chunk;
  ASSERT_TRUE(database_->DeleteDocument(collection, first.id, Batch()).ok());
  ASSERT_TRUE(database_->DeleteCollection("a", Batch()).ok());
  Reopen();
  EXPECT_GT(*database_->NewDocumentId(), first.id);
  const CollectionId again = Create("a");
  EXPECT_GT(again, collection);
  Put(again, {"x", {"one"}, 1});
  EXPECT_GT(SearchText(again, "one")[0].chunk, chunk);
}

TEST_F(DatabaseTest, DeletedCollectionIsGoneAtOnceAndItsRowsSoon) {
  const CollectionId keep = Create("keep");
  Put(keep, {"k", {"kept words"}, 7});
  Clean(database_.get());
  const std::vector<size_t> baseline = CountAllKeys(database_.get());
  const CollectionId collection = Create("gone");
  for (int i = 0; i < 4; ++i) Put(collection, {std::to_string(i), {"some words"}, 1});
  EXPECT_EQ(*database_->DeleteCollection("gone", Batch()), 4u);
  EXPECT_EQ(database_->Search(collection, SearchRequest(), CallContext()).status().reason(),
            Reason::kCollectionNotFound);
  EXPECT_EQ(database_->BeginDocument(collection, 1).status().code(), StatusCode::kNotFound);
  Clean(database_.get());
  EXPECT_EQ(CountAllKeys(database_.get()), baseline);
  EXPECT_EQ(SearchText(keep, "kept").size(), 1u);
}

TEST_F(DatabaseTest, WriterOfADeletedCollectionIsAborted) {
  const CollectionId collection = Create("a");
  Result<std::unique_ptr<DocumentWriter>> writer = database_->BeginDocument(collection, 50);
  ASSERT_TRUE(writer.ok());
  const TestDocument document = {"x", {"one"}, 1};
  ASSERT_TRUE(WriteRows(document, writer->get()).ok());
  ASSERT_TRUE(database_->DeleteCollection("a", Batch()).ok());
  EXPECT_EQ((*writer)->Commit(TestInfo(document), Batch()).status().code(), StatusCode::kAborted);
  EXPECT_EQ(WriteRows(document, writer->get()).code(), StatusCode::kAborted);
  writer->reset();
  Clean(database_.get());
  EXPECT_EQ(CountAllKeys(database_.get()), std::vector<size_t>(DocumentFamilies().size(), 0));
}

TEST_F(DatabaseTest, BadVectorsAreRefusedWithAMessage) {
  const CollectionId collection = Create("a");
  Result<std::unique_ptr<DocumentWriter>> writer = database_->BeginDocument(collection, 50);
  ASSERT_TRUE(writer.ok());
  const std::vector<ChunkRecord> chunks = {TestChunk(0, "t")};
  std::vector<float> vector = UnitVector(1);
  vector[3] = std::nanf("");
  EXPECT_EQ((*writer)->AddChunks(chunks, vector).code(), StatusCode::kInvalidArgument);
  vector.pop_back();
  const Status wrong = (*writer)->AddChunks(chunks, vector);
  EXPECT_EQ(wrong.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(wrong.message().find("32"), std::string::npos);
  SearchRequest request;
  request.mode = SearchMode::kVector;
  request.vector = vector;
  EXPECT_EQ(database_->Search(collection, request, CallContext()).status().code(),
            StatusCode::kInvalidArgument);
  vector.push_back(INFINITY);
  request.vector = vector;
  EXPECT_EQ(database_->Search(collection, request, CallContext()).status().code(),
            StatusCode::kInvalidArgument);
}

TEST_F(DatabaseTest, EmbeddingsAreFoundByTextAndModelOnlyWhilePublished) {
  const CollectionId collection = Create("a");
  const DocumentInfo info = Put(collection, {"x", {"one", "two"}, 30});
  const std::vector<Sha256Digest> hashes = {Sha256Of("two"), Sha256Of("none")};
  auto found = database_->FindEmbeddings("test-fingerprint", hashes);
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found->size(), 2u);
  EXPECT_EQ((*found)[0], UnitVector(31));
  EXPECT_FALSE((*found)[1].has_value());
  EXPECT_FALSE((*database_->FindEmbeddings("other", hashes))[0].has_value());
  Result<std::unique_ptr<DocumentWriter>> writer = database_->BeginDocument(collection, 50);
  ASSERT_TRUE(WriteRows({"y", {"none"}, 1}, writer->get()).ok());
  EXPECT_FALSE((*database_->FindEmbeddings("test-fingerprint", hashes))[1].has_value());
  writer->reset();
  ASSERT_TRUE(database_->DeleteDocument(collection, info.id, Batch()).ok());
  EXPECT_FALSE((*database_->FindEmbeddings("test-fingerprint", hashes))[0].has_value());
}

TEST_F(DatabaseTest, MetadataAndAccessAreUpdated) {
  const CollectionId collection = Create("a");
  const DocumentInfo info = Put(collection, {"x", {"one"}, 30});
  const Metadata metadata = {{"k", std::string("v")}};
  ASSERT_TRUE(database_->UpdateMetadata(collection, info.id, metadata, Batch()).ok());
  ASSERT_TRUE(database_->TouchDocument(collection, info.id).ok());
  const Result<DocumentInfo> got = database_->GetDocument(collection, info.id);
  EXPECT_EQ(got->metadata, metadata);
  EXPECT_GT(got->accessed_ns, info.accessed_ns);
  EXPECT_EQ(SearchText(collection, "one").size(), 1u);
  EXPECT_EQ(database_->TouchDocument(collection, 12345).reason(), Reason::kDocumentNotFound);
}

TEST_F(DatabaseTest, ChunksOfDeletedDocumentsAreLeftOut) {
  const CollectionId collection = Create("a");
  const DocumentInfo info = Put(collection, {"x", {"one"}, 1});
  Put(collection, {"y", {"two"}, 2});
  const std::vector<ChunkId> ids = {SearchText(collection, "two")[0].chunk,
                                    SearchText(collection, "one")[0].chunk, 987654321};
  EXPECT_EQ(database_->GetChunks(collection, ids)->size(), 2u);
  ASSERT_TRUE(database_->DeleteDocument(collection, info.id, Batch()).ok());
  const auto chunks = database_->GetChunks(collection, ids);
  ASSERT_EQ(chunks->size(), 1u);
  EXPECT_EQ((*chunks)[0].text, "two");
}

TEST_F(DatabaseTest, TablesKeepKeysInOrderAndApart) {
  Batch batch;
  for (const char* key : {"b", "a", "c"}) batch.Put(Table::kJobs, key, std::string("v") + key);
  batch.Put(Table::kRequests, "a", "other");
  batch.Delete(Table::kJobs, "c");
  EXPECT_FALSE(batch.empty());
  ASSERT_TRUE(database_->Write(std::move(batch)).ok());
  Reopen();
  std::string seen;
  const auto visit = [&](std::string_view key, std::string_view value) {
    seen += std::string(key) + "=" + std::string(value) + " ";
    return true;
  };
  ASSERT_TRUE(database_->Scan(Table::kJobs, "", "", false, visit).ok());
  EXPECT_EQ(seen, "a=va b=vb ");
  seen.clear();
  ASSERT_TRUE(database_->Scan(Table::kJobs, "", "", true, visit).ok());
  EXPECT_EQ(seen, "b=vb a=va ");
  seen.clear();
  ASSERT_TRUE(database_->Scan(Table::kJobs, "a", "b", true, visit).ok());
  EXPECT_EQ(seen, "a=va ");
  EXPECT_FALSE(database_->Get(Table::kJobs, "c")->has_value());
  EXPECT_EQ(database_->Get(Table::kRequests, "a")->value(), "other");
}

TEST_F(DatabaseTest, SecondOpenIsRefusedAsLocked) {
  DatabaseOptions options;
  options.dir = folder_.path();
  const auto second = Database::Open(options, Clock::System());
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(second.status().reason(), Reason::kDataDirLocked);
}

TEST_F(DatabaseTest, OtherFormatIsRefusedNamingBoth) {
  database_.reset();
  std::ofstream(folder_.path() / "database.format") << "ragstone database format 7\n";
  DatabaseOptions options;
  options.dir = folder_.path();
  const Status status = Database::Open(options, Clock::System()).status();
  EXPECT_EQ(status.code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(status.reason(), Reason::kDataDirVersion);
  EXPECT_NE(status.message().find("format 7"), std::string::npos);
  EXPECT_NE(status.message().find("format 2"), std::string::npos);
}

TEST_F(DatabaseTest, CountersNameWhatIsHeld) {
  const CollectionId collection = Create("a");
  Put(collection, {"x", {"one"}, 1});
  SearchVector(collection, 1);
  std::map<std::string, uint64_t> counters;
  for (const auto& [name, value] : database_->Counters()) counters[name] = value;
  EXPECT_EQ(counters["documents"], 1u);
  EXPECT_EQ(counters["vectors_in_memory"], 1u);
  EXPECT_GT(counters["segment_bytes"], 0u);
}

}  // namespace
}  // namespace ragstone::index
