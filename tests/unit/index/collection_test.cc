// Covers collection.cc, core.cc and publisher.cc.
#include "index/internal/collection.h"

#include <gtest/gtest.h>

#include "tests/unit/index/test_database.h"

namespace ragstone::index {
namespace {

class CollectionTest : public testing::Test {
 protected:
  void SetUp() override {
    database_ = OpenDatabase(folder_.path());
    id_ = database_->CreateCollection(TestSpec("a"), Batch())->id;
    collection_ = *core().Find(id_);
  }
  Core& core() { return static_cast<DatabaseImpl*>(database_.get())->core(); }
  DocumentInfo Put(const std::string& text, DocumentId id = 0) {
    const auto info = PutDocument(database_.get(), id_, {"x", {text}, 1}, id);
    EXPECT_TRUE(info.ok()) << info.status().ToString();
    return *info;
  }

  TemporaryFolder folder_;
  std::unique_ptr<Database> database_;
  CollectionId id_ = 0;
  std::shared_ptr<Collection> collection_;
};

TEST_F(CollectionTest, PinnedReaderKeepsTheVersionItSaw) {
  const DocumentInfo info = Put("old");
  ASSERT_TRUE(collection_->EnsureVersions(core().store()).ok());
  auto pinned = std::make_unique<Collection::Pin>(collection_->PinNow());
  const SequenceNumber sequence = pinned->sequence();
  const std::vector<VersionId> old = collection_->VersionsOf({info.id});
  ASSERT_EQ(old.size(), 1u);
  Put("new", info.id);
  EXPECT_EQ(collection_->AllVersions().size(), 2u);
  ASSERT_EQ(collection_->SeenVersions(collection_->AllVersions(), sequence).size(), 1u);
  EXPECT_EQ(collection_->SeenVersions(old, sequence)[0]->version, old[0]);
  EXPECT_EQ(collection_->Oldest(), sequence);
  Cleaner& cleaner = static_cast<DatabaseImpl*>(database_.get())->cleaner();
  EXPECT_EQ(*cleaner.CleanOnce(), 1u) << "the old version must wait for the reader";
  EXPECT_EQ(CountKeys(database_.get(), Family::kChunk), 2u);
  pinned.reset();
  EXPECT_GT(collection_->Oldest(), sequence);
  Clean(database_.get());
  EXPECT_EQ(CountKeys(database_.get(), Family::kChunk), 1u);
  EXPECT_TRUE(collection_->SeenVersions(old, sequence).empty());
}

TEST_F(CollectionTest, VectorsAreLoadedOnceAndThenKeptUpToDate) {
  Put("one");
  EXPECT_EQ(collection_->vectors(), nullptr);
  EXPECT_EQ(collection_->PinNow().vectors(), nullptr);
  ASSERT_TRUE(collection_->EnsureVectors(core()).ok());
  const std::shared_ptr<DocumentVectors> vectors = collection_->vectors();
  const Collection::Pin before = collection_->PinNow();
  EXPECT_EQ(before.vectors()->at(0).rows, 1u);
  ASSERT_TRUE(collection_->EnsureVectors(core()).ok());
  EXPECT_EQ(collection_->vectors(), vectors);
  ASSERT_TRUE(PutDocument(database_.get(), id_, {"y", {"a", "b"}, 5}).ok());
  EXPECT_EQ(collection_->PinNow().vectors()->at(0).rows, 3u);
  EXPECT_EQ(before.vectors()->at(0).rows, 1u);
}

TEST_F(CollectionTest, StatsCountPublishedDocumentsOnly) {
  const DocumentInfo info = Put("three words here");
  EXPECT_EQ(collection_->stats().documents, 1u);
  EXPECT_EQ(collection_->stats().words, 4u);  // with the heading
  Put("one", info.id);
  EXPECT_EQ(collection_->stats().documents, 1u);
  EXPECT_EQ(collection_->stats().words, 2u);
  ASSERT_TRUE(database_->DeleteDocument(id_, info.id, Batch()).ok());
  EXPECT_EQ(collection_->stats().words, 0u);
}

TEST_F(CollectionTest, DescriptionSaysHowVectorsAreSearched) {
  EXPECT_NE(collection_->Describe(100).index.find("exact scan"), std::string::npos);
  Put("one");
  EXPECT_NE(collection_->Describe(1).index.find("HNSW"), std::string::npos);
}

}  // namespace
}  // namespace ragstone::index
