// Covers cleaner.cc, maintainer.cc, document_writer.cc and id_allocator.cc.
#include "index/internal/cleaner.h"

#include <gtest/gtest.h>

#include "index/internal/id_allocator.h"
#include "index/internal/maintainer.h"
#include "tests/unit/index/test_database.h"

namespace ragstone::index {
namespace {

TEST(CleanerTest, OpenSweepsWhatACrashLeft) {
  const TemporaryFolder folder;
  std::vector<size_t> baseline;
  CollectionId collection = 0;
  {
    const std::unique_ptr<Database> database = OpenDatabase(folder.path());
    collection = database->CreateCollection(TestSpec("a"), Batch())->id;
    ASSERT_TRUE(PutDocument(database.get(), collection, {"x", {"kept"}, 1}).ok());
    Clean(database.get());
    baseline = CountAllKeys(database.get());
    // What a writer wrote before its process died: rows of one more document under a version whose
    // pending record is there, but no commit.
    DatabaseImpl* impl = static_cast<DatabaseImpl*>(database.get());
    impl->cleaner().Stop();
    const auto writer = database->BeginDocument(collection, 70);
    ASSERT_TRUE(WriteRows({"y", std::vector<std::string>(600, "lost"), 1}, writer->get()).ok());
    EXPECT_GT(CountKeys(database.get(), Family::kChunk), 600u);
  }
  const std::unique_ptr<Database> database = OpenDatabase(folder.path());
  EXPECT_EQ(CountAllKeys(database.get()), baseline);
}

TEST(CleanerTest, DroppedCollectionIsRemovedAfterReopen) {
  const TemporaryFolder folder;
  {
    const std::unique_ptr<Database> database = OpenDatabase(folder.path());
    const CollectionId collection = database->CreateCollection(TestSpec("a"), Batch())->id;
    ASSERT_TRUE(PutDocument(database.get(), collection, {"x", {"text"}, 1}).ok());
    static_cast<DatabaseImpl*>(database.get())->cleaner().Stop();
    ASSERT_TRUE(database->DeleteCollection("a", Batch()).ok());
    EXPECT_EQ(CountKeys(database.get(), Family::kChunk), 1u);
  }
  const std::unique_ptr<Database> database = OpenDatabase(folder.path());
  Clean(database.get());
  EXPECT_EQ(CountAllKeys(database.get()), std::vector<size_t>(DocumentFamilies().size(), 0));
}

TEST(CleanerTest, EqualTextsOfOtherDocumentsKeepTheirRows) {
  const TemporaryFolder folder;
  const std::unique_ptr<Database> database = OpenDatabase(folder.path());
  const CollectionId collection = database->CreateCollection(TestSpec("a"), Batch())->id;
  const auto first = PutDocument(database.get(), collection, {"x", {"same"}, 1});
  const auto second = PutDocument(database.get(), collection, {"y", {"same"}, 1});
  ASSERT_TRUE(database->DeleteDocument(collection, first->id, Batch()).ok());
  Clean(database.get());
  const std::vector<Sha256Digest> hashes = {Sha256Of("same")};
  EXPECT_TRUE((*database->FindEmbeddings("test-fingerprint", hashes))[0].has_value());
  EXPECT_EQ(CountKeys(database.get(), Family::kChunk), 1u);
  EXPECT_TRUE(database->GetDocument(collection, second->id).ok());
}

TEST(DocumentWriterTest, ManyBatchesMakeOneDocument) {
  const TemporaryFolder folder;
  const std::unique_ptr<Database> database = OpenDatabase(folder.path());
  const CollectionId collection = database->CreateCollection(TestSpec("a"), Batch())->id;
  std::vector<std::string> texts;
  for (int i = 0; i < 700; ++i) texts.push_back("t" + std::to_string(i));
  const auto info = PutDocument(database.get(), collection, {"x", texts, 1});
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->chunks, 700u);
  const auto chunks = database->GetChunkRange(collection, info->id, 250, 520);
  ASSERT_TRUE(chunks.ok());
  ASSERT_EQ(chunks->size(), 271u);
  for (size_t i = 0; i < chunks->size(); ++i) {
    EXPECT_EQ((*chunks)[i].ordinal, 250 + i);
    EXPECT_EQ((*chunks)[i].text, "t" + std::to_string(250 + i));
  }
}

TEST(DocumentWriterTest, SecondCommitAndBadSourceAreRefused) {
  const TemporaryFolder folder;
  const std::unique_ptr<Database> database = OpenDatabase(folder.path());
  const CollectionId collection = database->CreateCollection(TestSpec("a"), Batch())->id;
  const auto writer = database->BeginDocument(collection, 5);
  EXPECT_EQ((*writer)->Commit(DocumentInfo(), Batch()).status().code(),
            StatusCode::kInvalidArgument);
  ASSERT_TRUE((*writer)->Commit(TestInfo({"x", {}, 0}), Batch()).ok());
  EXPECT_EQ((*writer)->Commit(TestInfo({"x", {}, 0}), Batch()).status().code(),
            StatusCode::kFailedPrecondition);
  EXPECT_EQ(database->GetDocument(collection, 5)->chunks, 0u);
}

TEST(IdAllocatorTest, NumbersAscendAlsoOverReopen) {
  const TemporaryFolder folder;
  uint64_t last = 0;
  for (int round = 0; round < 3; ++round) {
    auto store = Store::Open(folder.path(), 16 << 20);
    ASSERT_TRUE(store.ok());
    auto ids = IdAllocator::Open(store->get(), "counter", 10);
    ASSERT_TRUE(ids.ok());
    for (int i = 0; i < 25; ++i) {
      const Result<uint64_t> id = (*ids)->Take(i % 4 + 1);
      ASSERT_TRUE(id.ok());
      EXPECT_GT(*id, last);
      last = *id + static_cast<uint64_t>(i % 4);
    }
  }
}

}  // namespace
}  // namespace ragstone::index
