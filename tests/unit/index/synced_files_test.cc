#include "index/internal/synced_files.h"

#include <algorithm>
#include <fstream>

#include "index/internal/store.h"
#include "index/internal/testing/faulty_disk.h"
#include "tests/unit/index/test_database.h"

namespace ragstone::index {
namespace {

constexpr uint64_t kMemory = 16 << 20;
constexpr int kSyncedKeys = 20;
constexpr int kUnsyncedKeys = 20;

std::string KeyOf(int number) { return "key" + std::to_string(1000 + number); }

void Put(Store* store, int number, bool sync) {
  StoreBatch batch(store);
  batch.Put(Family::kPage, KeyOf(number), std::string(300, static_cast<char>('a' + number % 26)));
  ASSERT_TRUE(store->Write(&batch, sync).ok());
}

void Flip(const std::filesystem::path& path, uint64_t place) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(static_cast<std::streamoff>(place));
  const char byte = static_cast<char>(file.get() ^ 4);
  file.seekp(static_cast<std::streamoff>(place));
  file.put(byte);
}

// A database as a killed process leaves it: with writes in its log that were synced, and behind
// them some that were not.
class SyncedFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto store = Store::Open(folder_.path() / "open", kMemory);
    ASSERT_TRUE(store.ok()) << store.status().ToString();
    for (int i = 0; i < kSyncedKeys; ++i) Put(store->get(), i, /*sync=*/true);
    synced_bytes_ = std::filesystem::file_size(File(folder_.path() / "open", ".log"));
    for (int i = 0; i < kUnsyncedKeys; ++i) Put(store->get(), kSyncedKeys + i, /*sync=*/false);
    CopyAsAfterACrash(folder_.path() / "open", killed());
  }

  std::filesystem::path killed() const { return folder_.path() / "killed"; }
  std::filesystem::path note() const { return killed() / kSyncedFilesNote; }

  // The largest file of RocksDB with this part in its name.
  static std::filesystem::path File(const std::filesystem::path& dir, std::string_view part) {
    std::filesystem::path found;
    for (const auto& entry : std::filesystem::directory_iterator(dir / "rocksdb")) {
      if (entry.path().filename().string().find(part) == std::string::npos) continue;
      if (found.empty() || entry.file_size() > std::filesystem::file_size(found)) {
        found = entry.path();
      }
    }
    return found;
  }
  std::filesystem::path Log() const { return File(killed(), ".log"); }

  void ExpectRefused(const std::filesystem::path& file) const {
    const Status status = Store::Open(killed(), kMemory).status();
    EXPECT_EQ(status.code(), StatusCode::kDataLoss) << status.ToString();
    EXPECT_EQ(status.reason(), Reason::kDataCorrupt);
    EXPECT_NE(status.message().find(file.filename().string()), std::string::npos)
        << status.message();
  }

  // How many of the keys are there, from the first on without a gap.
  int KeysThere() const {
    auto store = Store::Open(killed(), kMemory);
    EXPECT_TRUE(store.ok()) << store.status().ToString();
    if (!store.ok()) return -1;
    int keys = 0;
    const std::unique_ptr<StoreIterator> it = (*store)->NewIterator(Family::kPage);
    for (it->Seek(""); it->Valid(); it->Next()) EXPECT_EQ(it->key(), KeyOf(keys++));
    EXPECT_TRUE(it->status().ok()) << it->status().ToString();
    return keys;
  }

  TemporaryFolder folder_;
  uint64_t synced_bytes_ = 0;
};

TEST_F(SyncedFilesTest, AKilledDatabaseOpensWithAllThatWasWritten) {
  EXPECT_EQ(KeysThere(), kSyncedKeys + kUnsyncedKeys);
  EXPECT_EQ(KeysThere(), kSyncedKeys + kUnsyncedKeys);
}

TEST_F(SyncedFilesTest, DamageAnywhereInTheSyncedPartOfALogIsRefusedByName) {
  for (uint64_t place = 0; place < synced_bytes_; place += 97) {
    Flip(Log(), place);
    ExpectRefused(Log());
    Flip(Log(), place);
  }
  Flip(Log(), synced_bytes_ - 1);
  ExpectRefused(Log());
  Flip(Log(), synced_bytes_ - 1);
  EXPECT_EQ(KeysThere(), kSyncedKeys + kUnsyncedKeys) << "refusals changed nothing";
}

TEST_F(SyncedFilesTest, ALogThatIsShorterThanWhatWasSyncedIsRefused) {
  std::filesystem::resize_file(Log(), synced_bytes_ - 1);
  ExpectRefused(Log());
  std::filesystem::resize_file(Log(), 0);
  ExpectRefused(Log());
}

TEST_F(SyncedFilesTest, WhatAPowerCutMayLeaveOfUnsyncedBytesIsNotRefused) {
  const std::filesystem::path log = Log();
  const uint64_t size = std::filesystem::file_size(log);
  ASSERT_GT(size, synced_bytes_ + 1000);
  Flip(log, synced_bytes_ + (size - synced_bytes_) / 2);  // a hole
  const int keys = KeysThere();
  EXPECT_GE(keys, kSyncedKeys);
  EXPECT_LT(keys, kSyncedKeys + kUnsyncedKeys);
}

TEST_F(SyncedFilesTest, ATornEndOfALogIsNotRefused) {
  std::filesystem::resize_file(Log(), synced_bytes_);
  EXPECT_EQ(KeysThere(), kSyncedKeys);
}

TEST_F(SyncedFilesTest, DamageInTheListOfTablesIsRefusedByName) {
  const std::filesystem::path manifest = File(killed(), "MANIFEST");
  for (uint64_t place = 0; place < std::filesystem::file_size(manifest); place += 31) {
    Flip(manifest, place);
    ExpectRefused(manifest);
    Flip(manifest, place);
  }
  std::filesystem::resize_file(manifest, std::filesystem::file_size(manifest) - 1);
  ExpectRefused(manifest);
}

TEST_F(SyncedFilesTest, OneDamagedCopyOfTheNoteIsEnoughToTellAndNoneIsNoError) {
  const uint64_t half = std::filesystem::file_size(note()) / 2;
  Flip(Log(), 10);
  for (const uint64_t copy : {0, 1}) {
    Flip(note(), copy * half + 40);
    EXPECT_FALSE(CheckSyncedFiles(killed()).ok()) << "copy " << copy;
    Flip(note(), copy * half + 40);
  }
  Flip(note(), 40);
  Flip(note(), half + 40);
  EXPECT_TRUE(CheckSyncedFiles(killed()).ok());
  std::filesystem::remove(note());
  EXPECT_TRUE(CheckSyncedFiles(killed()).ok());
}

TEST_F(SyncedFilesTest, LogsThatRocksDbRemovedAreForgotten) {
  {
    auto store = Store::Open(killed(), kMemory);
    ASSERT_TRUE(store.ok()) << store.status().ToString();
    for (int i = 0; i < 100; ++i) {
      Put(store->get(), kSyncedKeys + kUnsyncedKeys + i, /*sync=*/true);
      ASSERT_TRUE((*store)->Flush().ok());
    }
  }
  EXPECT_TRUE(CheckSyncedFiles(killed()).ok());
  EXPECT_EQ(KeysThere(), kSyncedKeys + kUnsyncedKeys + 100);
}

TEST_F(SyncedFilesTest, AFailedFsyncIsNotNoted) {
  const std::filesystem::path dir = folder_.path() / "failing";
  {
    FaultyDisk disk(1);
    auto store = Store::Open(dir, kMemory);
    ASSERT_TRUE(store.ok()) << store.status().ToString();
    Put(store->get(), 0, /*sync=*/true);
    disk.CutPower();
    StoreBatch batch(store->get());
    batch.Put(Family::kPage, KeyOf(1), "never durable");
    EXPECT_FALSE((*store)->Write(&batch, /*sync=*/true).ok());
    store->reset();
    disk.LoseUnsynced();
  }
  std::filesystem::remove(dir / "database.closed");
  auto store = Store::Open(dir, kMemory);
  ASSERT_TRUE(store.ok()) << store.status().ToString();
  EXPECT_TRUE((*store)->Get(Family::kPage, KeyOf(0))->has_value());
  EXPECT_FALSE((*store)->Get(Family::kPage, KeyOf(1))->has_value());
}

}  // namespace
}  // namespace ragstone::index
