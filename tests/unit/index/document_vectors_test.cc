// Covers document_vectors.cc, records_db/part_files.cc, stable_array.h and what maintainer.cc does
// to vectors.
#include "index/internal/document_vectors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <thread>

#include "base/file.h"
#include "index/blob_store.h"
#include "index/internal/records_db/index_manifest.h"
#include "index/operations.h"
#include "tests/unit/index/test_database.h"

namespace ragstone::index {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kSealRows = 2000;
constexpr size_t kDocuments = 6;
constexpr size_t kChunks = 2000;  // of each; together more than are scanned
constexpr uint64_t kSeedStep = 100'000;

TEST(StableArrayTest, RowsDoNotMove) {
  StableArray<int> array(1000, 3);
  const int* first = array.Reserve(0);
  for (size_t row = 0; row < 1000; ++row) array.Reserve(row)[2] = static_cast<int>(row);
  EXPECT_EQ(array.Row(0), first);
  EXPECT_EQ(array.Row(777)[2], 777);
}

double Dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

class DocumentVectorsTest : public testing::Test {
 protected:
  void SetUp() override {
    Open();
    id_ = database_->CreateCollection(TestSpec("a"), Batch())->id;
  }
  void Open() {
    collection_.reset();
    database_.reset();
    DatabaseOptions options;
    options.dir = folder_.path() / "db";
    options.memory_bytes = 32 << 20;
    options.hnsw_vectors_min = kSealRows;
    options.on_storage_warning = [this](std::string_view line) { warnings_ += line; };
    Result<std::unique_ptr<Database>> opened = Database::Open(options, Clock::System());
    ASSERT_TRUE(opened.ok()) << opened.status().ToString();
    database_ = std::move(*opened);
  }
  DatabaseImpl& impl() { return *static_cast<DatabaseImpl*>(database_.get()); }
  Collection& collection() {
    if (collection_ == nullptr) collection_ = *impl().core().Find(id_);
    return *collection_;
  }
  // Vectors of document i are UnitVector(i * kSeedStep + chunk).
  DocumentInfo Put(size_t document, size_t chunks) {
    const std::vector<std::string> texts(chunks, "text");
    const auto info =
        PutDocument(database_.get(), id_, {std::to_string(document), texts, document * kSeedStep});
    EXPECT_TRUE(info.ok()) << info.status().ToString();
    return *info;
  }
  void Fill(size_t count = kDocuments) {
    for (size_t i = 0; i < count; ++i) documents_.push_back(Put(i, kChunks).id);
  }
  void Delete(size_t document) {
    ASSERT_TRUE(database_->DeleteDocument(id_, documents_[document], Batch()).ok());
  }
  std::vector<SearchHit> Search(uint64_t seed, uint32_t top_k,
                                std::vector<DocumentId> documents = {}) {
    const std::vector<float> vector = UnitVector(seed);
    SearchRequest request;
    request.mode = SearchMode::kVector;
    request.vector = vector;
    request.top_k = top_k;
    if (!documents.empty()) request.documents = std::move(documents);
    const auto hits = database_->Search(id_, request, CallContext());
    EXPECT_TRUE(hits.ok()) << hits.status().ToString();
    return hits.ok() ? *hits : std::vector<SearchHit>();
  }
  std::string Described() { return database_->GetCollection("a")->index; }
  // What happens in the background, at most two minutes.
  bool Eventually(const std::function<bool()>& happened) {
    for (int i = 0; i < 12'000 && !happened(); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return happened();
  }
  void WaitForGraph() {
    Search(1, 1);  // loads them
    EXPECT_TRUE(Eventually([&] { return Described().find("HNSW graph") != std::string::npos; }))
        << Described();
  }
  void WaitForFile() {
    EXPECT_TRUE(Eventually([&] {
      return impl().core().store().Get(Family::kMeta, records::ManifestKey(id_))->has_value();
    }));
  }
  std::vector<fs::path> Files() {
    std::vector<fs::path> files;
    std::error_code none;
    for (fs::directory_iterator it(Folder(), none), end; !none && it != end; ++it) {
      files.push_back(it->path());
    }
    return files;
  }
  fs::path Folder() const { return folder_.path() / "db" / "indexes" / std::to_string(id_); }

  static void Damage(const fs::path& file) {
    std::fstream bytes(file, std::ios::in | std::ios::out | std::ios::binary);
    bytes.seekp(static_cast<std::streamoff>(fs::file_size(file) / 2));
    bytes.put('\x5a').put('\x5a').put('\x5a');
  }

  // Of random queries, the share of the truly nearest ten among these documents that is found; each
  // search must give ten.
  double Recall(const std::vector<size_t>& among, std::vector<DocumentId> restricted = {}) {
    constexpr size_t kQueries = 20;
    std::vector<std::vector<float>> vectors;
    for (const size_t document : among) {
      for (size_t i = 0; i < kChunks; ++i) vectors.push_back(UnitVector(document * kSeedStep + i));
    }
    size_t found = 0;
    for (uint64_t seed = 9'000'000; seed < 9'000'000 + kQueries; ++seed) {
      const std::vector<float> query = UnitVector(seed);
      std::vector<double> best;
      for (const std::vector<float>& vector : vectors) best.push_back(Dot(query, vector));
      std::nth_element(best.begin(), best.begin() + 9, best.end(), std::greater<>());
      const std::vector<SearchHit> hits = Search(seed, 10, restricted);
      EXPECT_EQ(hits.size(), 10u);
      for (const SearchHit& hit : hits) found += hit.score >= best[9] - 1e-6;
    }
    return static_cast<double>(found) / (10 * kQueries);
  }

  TemporaryFolder folder_;
  std::string warnings_;
  std::unique_ptr<Database> database_;
  CollectionId id_ = 0;
  std::shared_ptr<Collection> collection_;
  std::vector<DocumentId> documents_;
};

TEST_F(DocumentVectorsTest, FewVectorsAreScannedExactly) {
  Put(0, 50);
  EXPECT_EQ(Search(17, 3)[0].score, Search(17, 50)[0].score);
  EXPECT_NEAR(Search(17, 3)[0].score, 1.0, 1e-5);
  EXPECT_EQ(Search(17, 100).size(), 50u);
  EXPECT_NE(Described().find("exact scan: 50 vectors, fewer than the 2000"), std::string::npos)
      << Described();
}

TEST_F(DocumentVectorsTest, ManyVectorsGetAGraphThatFindsThem) {
  Fill();
  Search(1, 1);
  WaitForGraph();
  EXPECT_NE(Described().find("recall@10"), std::string::npos) << Described();
  EXPECT_NE(Described().find("measured on"), std::string::npos) << Described();
  for (size_t i = 0; i < kChunks; i += 50) {
    const std::vector<SearchHit> found = Search(3 * kSeedStep + i, 1);
    ASSERT_EQ(found.size(), 1u);
    EXPECT_NEAR(found[0].score, 1.0, 1e-5);
    EXPECT_EQ(found[0].document, documents_[3]);
  }
  EXPECT_GE(Recall({0, 1, 2, 3, 4, 5}), 0.95);
  EXPECT_GE(Recall({1, 4}, {documents_[1], documents_[4]}), 0.95);
  EXPECT_EQ(Search(1, 5000, {documents_[2]}).size(), kChunks);
  EXPECT_EQ(Search(1, 10'000).size(), 10'000u);
}

TEST_F(DocumentVectorsTest, PinnedReaderSeesTheVectorsOfItsMoment) {
  documents_ = {Put(0, 5).id, Put(1, 5).id};
  ASSERT_TRUE(collection().EnsureVectors(impl().core()).ok());
  const Collection::Pin pin = collection().PinNow();
  Delete(0);
  Put(2, 5);
  const std::vector<float> vector = UnitVector(3);
  records::VectorQuery query;
  query.vector = vector.data();
  query.k = 100;
  query.version = pin.sequence();
  const auto hits = records::SearchVectors(*pin.vectors(), query, CallContext());
  ASSERT_TRUE(hits.ok());
  EXPECT_EQ(hits->size(), 10u);
  EXPECT_NEAR(-hits->front().distance, 1.0, 1e-5) << "the deleted document is seen";
  EXPECT_EQ(Search(3, 100).size(), 10u);
  EXPECT_LT(Search(3, 1)[0].score, 0.99) << "it is not seen by others";
}

TEST_F(DocumentVectorsTest, ChunksMayBePublishedInAnyOrder) {
  Search(1, 1);
  const TestDocument early{"early", std::vector<std::string>(5, "text"), 0};
  const DocumentId id = *database_->NewDocumentId();
  const auto writer = database_->BeginDocument(id_, id);
  ASSERT_TRUE(WriteRows(early, writer->get()).ok());  // smaller chunk numbers
  Put(1, 5);
  ASSERT_TRUE((*writer)->Commit(TestInfo(early), Batch()).ok());
  EXPECT_EQ(Search(2, 100).size(), 10u);
  EXPECT_EQ(Search(2, 1)[0].document, id);
  ASSERT_TRUE(database_->DeleteDocument(id_, id, Batch()).ok());
  const std::vector<SearchHit> left = Search(2, 100);
  EXPECT_EQ(left.size(), 5u);
  for (const SearchHit& hit : left) EXPECT_NE(hit.document, id);
}

TEST_F(DocumentVectorsTest, VectorsThatWereTakenBackAreNeverSeen) {
  Search(1, 1);
  const TestDocument lost{"lost", std::vector<std::string>(5, "text"), 0};
  const auto writer = database_->BeginDocument(id_, 77);
  ASSERT_TRUE(WriteRows(lost, writer->get()).ok());
  VersionState state(77, 77, kNever);
  const std::unique_ptr<StoreIterator> it = impl().core().store().NewIterator(Family::kVector);
  it->Seek(CollectionKey(id_));
  state.chunks = {{*DecodeKeySuffix(it->key()), 5}};
  {
    MutexLock commit(&collection().commit_mutex());
    ASSERT_TRUE(collection().StageVectors(impl().core().store(), state).ok());
    collection().UnstageVectors(state);
  }
  Put(1, 3);
  EXPECT_EQ(Search(2, 100).size(), 3u);
  EXPECT_EQ(impl().Counters()[4], (std::pair<std::string, uint64_t>("vectors_in_memory", 3)));
}

TEST_F(DocumentVectorsTest, MissingVectorIsDamageAndNotAShorterResult) {
  Put(0, 5);
  const std::unique_ptr<StoreIterator> it = impl().core().store().NewIterator(Family::kVector);
  it->Seek(CollectionKey(id_));
  StoreBatch batch(&impl().core().store());
  batch.Delete(Family::kVector, it->key());
  ASSERT_TRUE(impl().core().store().Write(&batch, true).ok());
  const std::vector<float> vector = UnitVector(1);
  SearchRequest request;
  request.mode = SearchMode::kVector;
  request.vector = vector;
  EXPECT_EQ(database_->Search(id_, request, CallContext()).status().reason(), Reason::kDataCorrupt);
}

TEST_F(DocumentVectorsTest, GraphIsReadFromItsFileAfterReopen) {
  Fill();
  WaitForGraph();
  WaitForFile();
  const std::vector<SearchHit> before = Search(77, 10);
  const std::string described = Described();
  Open();
  const std::vector<SearchHit> after = Search(77, 10);
  EXPECT_EQ(Described(), described) << "at once";
  ASSERT_EQ(before.size(), after.size());
  for (size_t i = 0; i < before.size(); ++i) {
    EXPECT_EQ(before[i].chunk, after[i].chunk);
    EXPECT_EQ(before[i].score, after[i].score);
  }
  EXPECT_EQ(warnings_.find("built again"), std::string::npos) << warnings_;
}

TEST_F(DocumentVectorsTest, RecallIsMeasuredByWhatIsAsked) {
  Fill();
  WaitForGraph();
  EXPECT_EQ(Described().find("asked"), std::string::npos) << Described();
  for (uint64_t i = 0; i < vectors::AskedQueries::kFirst; ++i) Search(9'000'000 + i, 10);
  EXPECT_TRUE(Eventually([&] {
    return Described().find("measured on 200 queries that were asked") != std::string::npos;
  })) << Described();
}

TEST_F(DocumentVectorsTest, GraphThatCouldNotBeStoredBeforeIsStoredAtTheEnd) {
  fs::create_directories(Folder().parent_path());
  std::ofstream(Folder()) << "in the way";
  Fill();
  WaitForGraph();
  ASSERT_TRUE(Eventually([&] { return impl().maintainer().failures() > 0; }));
  ASSERT_TRUE(Files().empty());
  fs::remove(Folder());
  collection_.reset();
  database_.reset();
  EXPECT_EQ(Files().size(), 1u);
}

TEST_F(DocumentVectorsTest, DeletedAndAddedDocumentsAreRightAfterReadingAnOldFile) {
  Fill();
  WaitForGraph();
  WaitForFile();
  Open();
  // Nothing is in memory, so no part learns of it.
  Delete(2);
  const DocumentInfo added = Put(7, 20);
  Open();
  EXPECT_EQ(Search(1, 10'000).size(), 10'000u);
  EXPECT_EQ(Search(1, 10'000, {documents_[2]}).size(), 0u);
  for (size_t i = 0; i < kChunks; i += 100) {
    for (const SearchHit& hit : Search(2 * kSeedStep + i, 20)) {
      ASSERT_NE(hit.document, documents_[2]);
    }
  }
  EXPECT_EQ(Search(7 * kSeedStep + 3, 1)[0].document, added.id);
  EXPECT_NE(Described().find("HNSW graph"), std::string::npos) << Described();
  EXPECT_GE(Recall({0, 1, 3, 4, 5}), 0.95);
}

TEST_F(DocumentVectorsTest, DamagedAndMissingFilesAreMadeAnew) {
  Fill();
  WaitForGraph();
  WaitForFile();
  for (const bool missing : {false, true}) {
    ASSERT_EQ(Files().size(), 1u);
    const fs::path file = Files()[0];
    collection_.reset();
    database_.reset();
    if (missing) {
      fs::remove(file);
    } else {
      Damage(file);
    }
    warnings_.clear();
    Open();
    EXPECT_NEAR(Search(4 * kSeedStep + 1, 1)[0].score, 1.0, 1e-5);
    EXPECT_NE(warnings_.find("built again"), std::string::npos) << warnings_;
    WaitForGraph();
    EXPECT_TRUE(Eventually([&] { return Files().size() == 1 && Files()[0] != file; }));
    WaitForFile();
  }
  EXPECT_GE(Recall({0, 1, 2, 3, 4, 5}), 0.95);
}

TEST_F(DocumentVectorsTest, VerifyFindsDamagedFilesAndTakesThemAway) {
  Fill();
  WaitForGraph();
  WaitForFile();
  Damage(Files()[0]);
  collection_.reset();
  database_.reset();
  CheckOptions options;
  options.dir = folder_.path();
  for (const bool repair : {false, true}) {
    options.repair = repair;
    const auto report = CheckData(options, {});
    ASSERT_TRUE(report.ok()) << report.status().ToString();
    ASSERT_EQ(report->count, 1u);
    EXPECT_EQ(report->findings[0].check, "indexes");
    EXPECT_EQ(report->findings[0].collection, "a");
    EXPECT_EQ(report->clean(), repair);
  }
  EXPECT_TRUE(CheckData(options, {})->count == 0);
  Open();
  EXPECT_NEAR(Search(4 * kSeedStep + 1, 1)[0].score, 1.0, 1e-5);
  EXPECT_EQ(warnings_.find("built again"), std::string::npos) << warnings_;
}

TEST_F(DocumentVectorsTest, DroppedCollectionLeavesNoFiles) {
  Fill();
  WaitForGraph();
  WaitForFile();
  EXPECT_EQ(Files().size(), 1u);
  ASSERT_TRUE(database_->DeleteCollection("a", Batch()).ok());
  Clean(database_.get());
  EXPECT_FALSE(fs::exists(Folder()));
  EXPECT_FALSE(impl().core().store().Get(Family::kMeta, records::ManifestKey(id_))->has_value());
}

TEST_F(DocumentVectorsTest, PurgeRemovesDeletedVectorsFromFiles) {
  Fill(kDocuments + 1);
  WaitForGraph();
  WaitForFile();
  const std::vector<float> vector = UnitVector(5 * kSeedStep + 11);
  const std::string planted(reinterpret_cast<const char*>(vector.data()),
                            vector.size() * sizeof(float));
  const auto holds = [&] {
    const std::vector<fs::path> files = Files();
    return std::any_of(files.begin(), files.end(), [&](const fs::path& file) {
      return ReadFile(file)->find(planted) != std::string::npos;
    });
  };
  EXPECT_TRUE(holds());
  Delete(5);
  auto blobs = BlobStore::Open(folder_.path() / "blobs", database_.get(), 1 << 20);
  ASSERT_TRUE(blobs.ok()) << blobs.status().ToString();
  const auto purged = PurgeDeleted({folder_.path(), database_.get(), nullptr, blobs->get()}, {});
  ASSERT_TRUE(purged.ok()) << purged.status().ToString();
  EXPECT_FALSE(holds());
  EXPECT_GE(Recall({0, 1, 2, 3, 4, 6}), 0.95);
  // Nor do they come back with what is sealed and stored next.
  Put(8, kChunks);
  WaitForGraph();
  WaitForFile();
  EXPECT_FALSE(Files().empty());
  EXPECT_FALSE(holds());
}

}  // namespace
}  // namespace ragstone::index
