// Covers store.cc and batch.cc.
#include "index/internal/store.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <fstream>

#include "tests/unit/index/test_database.h"

namespace ragstone::index {
namespace {

TEST(StoreTest, RocksDbErrorsGetOurCodes) {
  EXPECT_TRUE(FromRocks(rocksdb::Status::OK(), "x").ok());
  const Status full = FromRocks(rocksdb::Status::NoSpace(), "write");
  EXPECT_EQ(full.code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(full.reason(), Reason::kDiskFull);
  EXPECT_EQ(FromRocks(rocksdb::Status::Corruption("block"), "read").reason(), Reason::kDataCorrupt);
  EXPECT_EQ(FromRocks(rocksdb::Status::IOError("EIO"), "read").reason(), Reason::kIo);
}

TEST(StoreTest, BatchIsWrittenWholeAndIteratorsKeepTheirMoment) {
  const TemporaryFolder folder;
  auto store = Store::Open(folder.path(), 16 << 20);
  ASSERT_TRUE(store.ok()) << store.status().ToString();
  StoreBatch batch(store->get());
  batch.Put(Family::kPage, "a", "1");
  batch.Put(Family::kChunk, "a", "2");
  ASSERT_TRUE((*store)->Write(&batch, true).ok());
  const auto it = (*store)->NewIterator(Family::kPage);
  StoreBatch more(store->get());
  more.DeleteRange(Family::kPage, "a", "b");
  more.Put(Family::kPage, "b", "3");
  ASSERT_TRUE((*store)->Write(&more, false).ok());
  it->Seek("");
  ASSERT_TRUE(it->Valid());
  EXPECT_EQ(it->value(), "1");
  EXPECT_FALSE((*store)->Get(Family::kPage, "a")->has_value());
  EXPECT_EQ((*store)->Get(Family::kChunk, "a")->value(), "2");
}

TEST(StoreTest, DatabaseWithoutItsFormatFileIsRefused) {
  const TemporaryFolder folder;
  ASSERT_TRUE(Store::Open(folder.path(), 16 << 20).ok());
  std::filesystem::remove(folder.path() / "database.format");
  EXPECT_EQ(Store::Open(folder.path(), 16 << 20).status().reason(), Reason::kDataCorrupt);
}

TEST(StoreTest, DamagedDatabaseIsRefusedByName) {
  const TemporaryFolder folder;
  ASSERT_TRUE(Store::Open(folder.path(), 16 << 20).ok());
  std::ofstream(folder.path() / "rocksdb" / "CURRENT") << "MANIFEST-999999\n";
  const Status status = Store::Open(folder.path(), 16 << 20).status();
  EXPECT_FALSE(status.ok());
  EXPECT_NE(status.message().find(folder.path().string()), std::string::npos);
}

// A file system of its own, small enough to fill.
class SmallDisk {
 public:
  SmallDisk() {
    mounted_ =
        geteuid() == 0 && mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, "size=24m") == 0;
  }
  ~SmallDisk() {
    if (mounted_) umount2(folder_.path().c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }
  const std::filesystem::path& path() const { return folder_.path(); }

 private:
  TemporaryFolder folder_;
  bool mounted_ = false;
};

TEST(StoreTest, FullDiskIsNamedReadsWorkAndWritesHeal) {
  const SmallDisk disk;
  if (!disk.mounted()) GTEST_SKIP() << "needs the right to mount a tmpfs";
  const std::filesystem::path dir = disk.path() / "data";
  const std::unique_ptr<Database> database = OpenDatabase(dir);
  ASSERT_NE(database, nullptr);
  const CollectionId collection = database->CreateCollection(TestSpec("a"), Batch())->id;
  ASSERT_TRUE(PutDocument(database.get(), collection, {"kept", {"kept words"}, 1}).ok());

  // Half the room is taken by a stranger's file, so that healing needs no delete of ours.
  const std::filesystem::path ballast = disk.path() / "ballast";
  std::ofstream(ballast) << std::string(12 << 20, 'x');
  Status failed;
  int written = 0;
  for (; written < 500 && failed.ok(); ++written) {
    std::vector<std::string> texts;
    for (int i = 0; i < 200; ++i) texts.push_back("w" + std::to_string(written * 200 + i));
    failed = PutDocument(database.get(), collection, {"fill" + std::to_string(written), texts, 1})
                 .status();
  }
  ASSERT_FALSE(failed.ok()) << "the disk did not get full";
  EXPECT_EQ(failed.code(), StatusCode::kResourceExhausted) << failed.ToString();
  EXPECT_EQ(failed.reason(), Reason::kDiskFull) << failed.ToString();

  SearchRequest request;
  request.mode = SearchMode::kKeyword;
  request.text = "kept";
  auto hits = database->Search(collection, request, CallContext());
  ASSERT_TRUE(hits.ok()) << hits.status().ToString();
  EXPECT_EQ(hits->size(), 1u);
  EXPECT_EQ(database->ListDocuments(collection, 0, 1000)->size(), static_cast<size_t>(written));

  std::filesystem::remove(ballast);
  // RocksDB looks for room every few seconds.
  Status healed = failed;
  for (int i = 0; i < 300 && !healed.ok(); ++i) {
    healed = PutDocument(database.get(), collection, {"after", {"after words"}, 1}).status();
    if (!healed.ok()) usleep(100'000);
  }
  ASSERT_TRUE(healed.ok()) << healed.ToString();
  request.text = "after";
  hits = database->Search(collection, request, CallContext());
  EXPECT_EQ(hits->size(), 1u);
}

}  // namespace
}  // namespace ragstone::index
