// Covers store.cc, batch.cc and table_check.cc.
#include "index/internal/store.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "index/internal/table_check.h"
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
  std::filesystem::remove(folder.path() / "database.closed");  // as after a crash
  const std::filesystem::path current = folder.path() / "rocksdb" / "CURRENT";
  const auto expect_refused = [&] {
    const Status status = Store::Open(folder.path(), 16 << 20).status();
    EXPECT_EQ(status.reason(), Reason::kDataCorrupt) << status.ToString();
    EXPECT_NE(status.message().find(current.string()), std::string::npos) << status.message();
  };
  for (const char* const content : {"MANIFEST-999999\n", "", "NANIFEST-000005\n"}) {
    std::ofstream(current) << content;
    expect_refused();
  }
  std::filesystem::remove(current);
  expect_refused();
}

void Put(Store* store, const std::string& key, const std::string& value) {
  StoreBatch batch(store);
  batch.Put(Family::kPage, key, value);
  ASSERT_TRUE(store->Write(&batch, /*sync=*/false).ok());
}

std::vector<std::string> KeysOf(const Store& store, Status* status) {
  std::vector<std::string> keys;
  const std::unique_ptr<StoreIterator> it = store.NewIterator(Family::kPage);
  for (it->Seek(""); it->Valid(); it->Next()) keys.emplace_back(it->key());
  *status = it->status();
  return keys;
}

// Two tables one after the other in the lowest level, each of several blocks.
void MakeTwoTables(Store* store) {
  for (const std::string first : {"a", "b"}) {
    for (int i = 100; i < 200; ++i) {
      Put(store, first + std::to_string(i), std::string(1000, static_cast<char>('0' + i % 10)));
    }
    ASSERT_TRUE(store->Flush().ok());
    rocksdb::CompactRangeOptions options;
    options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
    const std::string end = first + "~";
    const rocksdb::Slice from(first);
    const rocksdb::Slice to(end);
    ASSERT_TRUE(store->rocks()
                    ->CompactRange(options, store->handles()[static_cast<size_t>(Family::kPage)],
                                   &from, &to)
                    .ok());
  }
}

std::vector<std::filesystem::path> Tables(const std::filesystem::path& dir) {
  std::vector<std::filesystem::path> tables;
  for (const auto& entry : std::filesystem::directory_iterator(dir / "rocksdb")) {
    if (entry.path().extension() == ".sst") tables.push_back(entry.path());
  }
  std::sort(tables.begin(), tables.end());
  return tables;
}

void FlipByte(const std::filesystem::path& path, uint64_t place, int bits = 1) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(place));
  const char byte = static_cast<char>(file.get() ^ bits);
  file.seekp(static_cast<std::streamoff>(place));
  file.put(byte);
}

// RocksDB 7.8 loses the error of a damaged first block of a level's second table.
TEST(StoreTest, IterationOverADamagedBlockAnywhereEndsWithItsError) {
  const TemporaryFolder folder;
  {
    auto store = Store::Open(folder.path(), 16 << 20);
    ASSERT_TRUE(store.ok()) << store.status().ToString();
    MakeTwoTables(store->get());
  }
  constexpr uint64_t kBlock = 16 << 10;
  int damaged_places = 0;
  for (const std::filesystem::path& table : Tables(folder.path())) {
    for (uint64_t place = 100; place < 5 * kBlock; place += kBlock) {
      ++damaged_places;
      FlipByte(table, place);
      auto store = Store::Open(folder.path(), 16 << 20);
      ASSERT_TRUE(store.ok()) << store.status().ToString();
      Status status;
      const std::vector<std::string> keys = KeysOf(**store, &status);
      EXPECT_EQ(status.reason(), Reason::kDataCorrupt)
          << table << " at " << place << ": " << keys.size() << " keys, " << status.ToString();
      std::unique_ptr<StoreIterator> back = (*store)->NewIterator(Family::kPage);
      for (back->SeekToLast(); back->Valid();) back->Prev();
      EXPECT_EQ(back->status().reason(), Reason::kDataCorrupt) << table << " at " << place;
      back.reset();
      store->reset();
      FlipByte(table, place);
    }
  }
  EXPECT_EQ(damaged_places, 10);
  auto store = Store::Open(folder.path(), 16 << 20);
  Status status;
  EXPECT_EQ(KeysOf(**store, &status).size(), 200u);
  EXPECT_TRUE(status.ok()) << status.ToString();
}

TEST(StoreTest, ADeletedRangeIsGoneFromAllTablesAndFromMemory) {
  const TemporaryFolder folder;
  auto store = Store::Open(folder.path(), 16 << 20);
  ASSERT_TRUE(store.ok()) << store.status().ToString();
  MakeTwoTables(store->get());
  Put(store->get(), "a~", "in memory");
  Put(store->get(), "c", "kept");
  ASSERT_TRUE((*store)->DeleteRange(Family::kPage, "a", "b150").ok());
  Status status;
  std::vector<std::string> keys = KeysOf(**store, &status);
  ASSERT_EQ(keys.size(), 51u) << status.ToString();
  EXPECT_EQ(keys.front(), "b150");
  EXPECT_EQ(keys.back(), "c");

  StoreBatch batch(store->get());
  batch.DeleteRange(Family::kPage, "b150", "b199");
  batch.Put(Family::kPage, "b160", "new");
  ASSERT_TRUE((*store)->Write(&batch, /*sync=*/true).ok());
  keys = KeysOf(**store, &status);
  EXPECT_EQ(keys, (std::vector<std::string>{"b160", "b199", "c"}));
}

// One of these bits is used by RocksDB 7.8 before its checksum is compared, and ends the process.
TEST(StoreTest, ADamagedBitAtTheEndOfATableIsRefused) {
  const TemporaryFolder folder;
  {
    auto store = Store::Open(folder.path(), 16 << 20);
    ASSERT_TRUE(store.ok()) << store.status().ToString();
    Put(store->get(), "key", "value");
    ASSERT_TRUE((*store)->Flush().ok());
  }
  std::filesystem::path table;
  for (const std::filesystem::path& path : Tables(folder.path())) table = path;
  const uint64_t size = std::filesystem::file_size(table);
  int refused_early = 0;
  for (uint64_t place = size - 250; place < size - 54; ++place) {
    FlipByte(table, place, 0x80);
    const Status early = CheckTableProperties(folder.path() / "rocksdb");
    const Status status = Store::Open(folder.path(), 16 << 20).status();
    EXPECT_EQ(status.reason(), Reason::kDataCorrupt) << place << ": " << status.ToString();
    if (!early.ok()) ++refused_early;
    FlipByte(table, place, 0x80);
  }
  EXPECT_GE(refused_early, 1);
  EXPECT_TRUE(Store::Open(folder.path(), 16 << 20).ok());
}

// More keys than go into one write, in several tables, some of which hold nothing else.
TEST(StoreTest, ALargeRangeIsDeletedWithItsTables) {
  const TemporaryFolder folder;
  auto store = Store::Open(folder.path(), 16 << 20);
  ASSERT_TRUE(store.ok()) << store.status().ToString();
  constexpr int kKeys = 60'000;
  for (int i = 0; i < kKeys;) {
    StoreBatch batch(store->get());
    for (const int end = i + 1000; i < end; ++i) {
      batch.Put(Family::kPage, "key" + std::to_string(100'000 + i), "value");
    }
    ASSERT_TRUE((*store)->Write(&batch, /*sync=*/false).ok());
    if (i % 10'000 == 0) {
      ASSERT_TRUE((*store)->Flush().ok());
    }
  }
  ASSERT_TRUE((*store)->Compact(Family::kPage).ok());
  ASSERT_TRUE((*store)->DeleteRange(Family::kPage, "key100010", "key159990").ok());
  ASSERT_TRUE((*store)->DeleteRange(Family::kPage, "key100010", "key159990").ok());
  Status status;
  EXPECT_EQ(KeysOf(**store, &status).size(), 20u);
  EXPECT_TRUE(status.ok()) << status.ToString();
}

TEST(StoreTest, RangesThatEarlierProgramsDeletedStayDeleted) {
  const TemporaryFolder folder;
  {
    auto store = Store::Open(folder.path(), 16 << 20);
    ASSERT_TRUE(store.ok()) << store.status().ToString();
    MakeTwoTables(store->get());
    rocksdb::DB* const rocks = (*store)->rocks();
    ASSERT_TRUE(rocks
                    ->DeleteRange(rocksdb::WriteOptions(),
                                  (*store)->handles()[static_cast<size_t>(Family::kPage)], "a150",
                                  "b150")
                    .ok());
  }
  auto store = Store::Open(folder.path(), 16 << 20);
  ASSERT_TRUE(store.ok()) << store.status().ToString();
  Status status;
  EXPECT_EQ(KeysOf(**store, &status).size(), 100u);
  EXPECT_TRUE(status.ok()) << status.ToString();
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
