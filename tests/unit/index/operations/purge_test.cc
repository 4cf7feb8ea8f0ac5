// Tests of purge.cc and purge_records.cc.
#include "index/internal/operations/purge.h"

#include <thread>

#include "tests/unit/index/operations/operations_fixture.h"

namespace ragstone::index {
namespace {

class PurgeTest : public OperationsFixture {
 protected:
  PurgeOutcome Purge() {
    const auto outcome = PurgeDeleted(Data(), {});
    EXPECT_TRUE(outcome.ok()) << outcome.status().ToString();
    return outcome.ok() ? *outcome : PurgeOutcome();
  }
  std::string Plant() {
    const std::string text = RandomLetters(&random_, 40);
    planted_.push_back(text);
    return text;
  }
  // Before: each is somewhere below the data directory, also in tables.
  void ExpectFound() {
    for (const std::string& text : planted_) {
      EXPECT_FALSE(FilesWith(dir_, text).empty()) << text << " must be there to be purged";
    }
  }
  void ExpectGone() {
    for (const std::string& text : planted_) {
      const std::vector<fs::path> files = FilesWith(dir_, text);
      EXPECT_TRUE(files.empty()) << text << " is in " << files[0];
    }
  }

  // Some families are compressed, so that their bytes cannot be searched. But what a table holds
  // beside the rows that are read from it is counted in it: nothing may be hidden there.
  void ExpectNothingHidden() {
    for (size_t i = 0; i < kFamilies; ++i) {
      const Family family = static_cast<Family>(i);
      rocksdb::TablePropertiesCollection tables;
      ASSERT_TRUE(core()
                      .store()
                      .rocks()
                      ->GetPropertiesOfAllTables(core().store().handles()[i], &tables)
                      .ok());
      uint64_t entries = 0;
      uint64_t deletions = 0;
      for (const auto& [name, table] : tables) {
        entries += table->num_entries;
        deletions += table->num_deletions + table->num_range_deletions;
      }
      EXPECT_EQ(deletions, 0u) << FamilyName(family);
      EXPECT_LE(entries, CountKeys(database_.get(), family)) << FamilyName(family);
      const auto it = core().store().NewIterator(family);
      for (it->Seek(""); it->Valid(); it->Next()) {
        for (const std::string& text : planted_) {
          EXPECT_EQ(it->key().find(text), std::string_view::npos) << FamilyName(family);
          EXPECT_EQ(it->value().find(text), std::string_view::npos) << FamilyName(family);
        }
      }
    }
  }

  std::mt19937_64 random_{20261123};
  std::vector<std::string> planted_;
};

TEST_F(PurgeTest, BytesOfDeletedDocumentsRecordsAndOriginalsAreGone) {
  Fill();
  const std::string source = Plant();
  TestDocument document;
  document.source = source;
  document.texts = {"words " + Plant(), Plant()};
  const auto info = index::PutDocument(database_.get(), docs_, document);
  ASSERT_TRUE(info.ok());
  const std::string id = Plant();
  PutRecord(id, "words " + Plant());
  const std::string original = Plant();
  const Sha256Digest blob = PutBlob(original, "doc-9");
  // In the log at first, then in tables, some of which are compressed.
  ExpectFound();
  for (size_t i = 0; i < kFamilies; ++i) {
    ASSERT_TRUE(core().store().Compact(static_cast<Family>(i)).ok());
  }
  EXPECT_FALSE(FilesWith(dir_ / "db", id).empty());
  EXPECT_FALSE(FilesWith(dir_ / "db", source).empty());
  EXPECT_FALSE(FilesWith(dir_ / "blobs", original).empty());
  ASSERT_TRUE(database_->DeleteDocument(docs_, info->id, Batch()).ok());
  ASSERT_TRUE(records_->Delete("c", std::vector<std::string>{id}, {}, {}).ok());
  DropBlob(blob, "doc-9");
  const PurgeOutcome outcome = Purge();
  EXPECT_GT(outcome.bytes_before, 0u);
  EXPECT_GT(outcome.bytes_after, 0u);
  ExpectGone();
  // Nothing is written meanwhile, so all rows are in tables.
  ExpectNothingHidden();
  EXPECT_EQ(CountRecords(), 20u);
  EXPECT_EQ(database_->GetCollection("docs")->documents, 5u);
  EXPECT_EQ(Check().count, 0u);
  ExpectGone();
}

TEST_F(PurgeTest, ReplacedVersionsAndDroppedCollectionsAreGone) {
  Fill();
  PutRecord("r1", "old " + Plant());
  PutRecord("r1", "new");
  TestDocument document;
  document.source = "replaced";
  document.texts = {Plant()};
  ASSERT_TRUE(index::PutDocument(database_.get(), docs_, document).ok());
  document.texts = {"other"};
  ASSERT_TRUE(index::PutDocument(database_.get(), docs_, document).ok());
  PutRecord(Plant(), Plant());
  const auto other = database_->CreateCollection(TestSpec("other"), Batch());
  ASSERT_TRUE(other.ok());
  document.source = Plant();
  document.texts = {Plant()};
  ASSERT_TRUE(index::PutDocument(database_.get(), other->id, document).ok());
  ExpectFound();
  ASSERT_TRUE(database_->DeleteCollection("other", Batch()).ok());
  ASSERT_TRUE(records_->DropCollection("c").ok());
  Purge();
  ExpectGone();
  EXPECT_EQ(database_->GetCollection("docs")->documents, 6u);
}

TEST_F(PurgeTest, HistoryEndsAndEarlierReadsAreRefused) {
  Fill();
  RecordCollectionSpec spec = records_->GetCollection("c")->spec;
  spec.history_seconds = 3600;
  ASSERT_TRUE(records_->AlterCollection(spec).ok());
  PutRecord("h", Plant());
  const uint64_t before = last_version_;
  PutRecord("h", "new");
  ReadOptions past;
  past.as_of = before;
  const std::vector<std::string> ids = {"h"};
  ASSERT_TRUE(records_->Get("c", ids, past).ok());
  EXPECT_GE(Purge().records, 1u);
  ExpectGone();
  EXPECT_EQ(records_->Get("c", ids, past).status().reason(), Reason::kHistoryGone);
  EXPECT_EQ(records_->Get("c", ids, {})->size(), 1u);
}

TEST_F(PurgeTest, WhatAnInterruptedBackupLeftIsGone) {
  Fill();
  const std::string id = Plant();
  PutRecord(id, "body");
  for (size_t i = 0; i < kFamilies; ++i) {
    ASSERT_TRUE(core().store().Compact(static_cast<Family>(i)).ok());
  }
  // A kill during a backup leaves its checkpoint.
  const fs::path rocksdb = dir_ / "db" / "rocksdb";
  fs::create_directories(dir_ / "db" / "checkpoint.tmp");
  for (const fs::path& file : FilesBelow(rocksdb)) {
    fs::copy_file(file, dir_ / "db" / "checkpoint.tmp" / file.filename());
  }
  ASSERT_TRUE(records_->Delete("c", std::vector<std::string>{id}, {}, {}).ok());
  Purge();
  ExpectGone();
}

TEST_F(PurgeTest, WaitsForReadersAndEndsWhenTheCallerGivesUp) {
  Fill();
  const auto collection = core().FindByName("docs");
  ASSERT_TRUE(collection.ok());
  Operation operation;
  const auto flag = std::make_shared<CancelFlag>();
  operation.context = CallContext(CallContext::TimePoint::max(), flag);
  {
    const Collection::Pin pin = (*collection)->PinNow();
    ASSERT_TRUE(database_->DeleteDocument(docs_, last_document_, Batch()).ok());
    std::thread canceller([&] { flag->Cancel(); });
    EXPECT_EQ(PurgeDeleted(Data(), operation).status().code(), StatusCode::kCancelled);
    canceller.join();
  }
  Purge();
  EXPECT_EQ(CountKeys(database_.get(), Family::kPending), 0u);
}

TEST_F(PurgeTest, DiskReserveRefusesWhatWouldBeAddedAndNothingElse) {
  Fill();
  Store& store = core().store();
  EXPECT_TRUE(store.CheckRoom(1).ok());
  const Status refused = store.CheckRoom(uint64_t{1} << 60);
  EXPECT_EQ(refused.reason(), Reason::kDiskFull);
  EXPECT_EQ(refused.code(), StatusCode::kResourceExhausted);
  EXPECT_NE(refused.message().find("disk_reserve"), std::string::npos);
  EXPECT_EQ(CheckRoom(*database_, uint64_t{1} << 60).reason(), Reason::kDiskFull);
  EXPECT_TRUE(CheckRoom(*database_, 0).ok());
}

}  // namespace
}  // namespace ragstone::index
