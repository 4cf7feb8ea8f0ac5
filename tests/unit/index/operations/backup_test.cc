// Tests of backup.cc, backup_folder.cc, checkpoint.cc and restore.cc.
#include <atomic>
#include <set>
#include <thread>

#include "index/internal/operations/checkpoint.h"
#include "tests/unit/index/operations/operations_fixture.h"

namespace ragstone::index {
namespace {

class BackupTest : public OperationsFixture {
 protected:
  fs::path restored() const { return folder_.path() / "restored"; }

  Result<BackupInfo> Restore(uint64_t id = 0) {
    return RestoreBackup({backups(), id}, restored(), {});
  }
  // Restores and opens, and expects so many records.
  void ExpectRestored(uint64_t id, uint64_t records) {
    fs::remove_all(restored());
    const auto info = Restore(id);
    ASSERT_TRUE(info.ok()) << info.status().ToString();
    const fs::path before = dir_;
    Open(restored());
    EXPECT_EQ(CountRecords(), records);
    const CheckReport report = Check();
    EXPECT_EQ(report.count, 0u) << (report.findings.empty() ? "" : report.findings[0].what);
    Open(before);
  }
  // The file of a backup that holds these bytes of the data directory.
  fs::path ObjectOf(const Sha256Digest& hash) const {
    return backups() / "objects" / hash.Hex().substr(0, 2) / hash.Hex();
  }
};

TEST_F(BackupTest, BackupHoldsEverythingAndIsRestored) {
  Fill();
  const BackupOutcome outcome = Backup();
  EXPECT_EQ(outcome.backup.id, 1u);
  EXPECT_TRUE(outcome.warnings.empty());
  EXPECT_EQ(outcome.new_bytes, outcome.backup.bytes);
  ASSERT_TRUE(Restore().ok());
  Open(restored());
  EXPECT_EQ(CountRecords(), 20u);
  EXPECT_EQ(database_->GetCollection("docs")->documents, 5u);
  EXPECT_EQ(database_->GetDocument(docs_, last_document_)->source, "source 4");
  EXPECT_EQ(ReadAll(*blobs_->Find(blob_)), "the bytes of an original");
  EXPECT_EQ(Check().count, 0u);
}

TEST_F(BackupTest, EachBackupIsTheStateOfItsTimeAndCopiesOnlyWhatIsNew) {
  Fill();
  const BackupOutcome first = Backup();
  const BackupOutcome same = Backup();
  // The lists of tables are written anew, the tables are not.
  EXPECT_LT(same.new_bytes, first.new_bytes / 2);
  PutRecord("later", "more");
  const BackupOutcome second = Backup();
  EXPECT_EQ(second.backup.id, 3u);
  ExpectRestored(1, 20);
  ExpectRestored(3, 21);
  ExpectRestored(0, 21);
  EXPECT_EQ(Restore(9).status().code(), StatusCode::kNotFound);
}

TEST_F(BackupTest, WritesGoOnAndAreInTheBackupWholeOrNotAtAll) {
  Fill();
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> acknowledged{20};
  std::thread writer([&] {
    // Two records a write: a backup that has one of them has both.
    for (int i = 0; !stop.load(); ++i) {
      std::vector<Record> pair(2);
      for (int k = 0; k < 2; ++k) {
        pair[k].id = "w" + std::to_string(i) + (k == 0 ? "a" : "b");
        pair[k].vectors[""] = DenseVector{1, 2, 3, 4};
      }
      if (!records_->Upsert("c", pair, {}, {}).ok()) return;
      acknowledged += 2;
    }
  });
  std::vector<uint64_t> least;
  for (int i = 0; i < 4; ++i) {
    least.push_back(acknowledged.load());
    const auto outcome = CreateBackup(Data(), {backups(), "", 0}, {});
    EXPECT_TRUE(outcome.ok()) << outcome.status().ToString();
  }
  stop = true;
  writer.join();
  Close();
  for (uint64_t id = 1; id <= 4; ++id) {
    fs::remove_all(restored());
    ASSERT_TRUE(Restore(id).ok());
    Open(restored());
    const uint64_t count = CountRecords();
    EXPECT_GE(count, least[id - 1]);
    EXPECT_EQ(count % 2, 0u);
    EXPECT_EQ(Check().count, 0u);
  }
}

TEST_F(BackupTest, OriginalThatIsDeletedMeanwhileIsInTheBackup) {
  Fill();
  Operation operation;
  bool dropped = false;
  operation.progress = [&](std::string_view step, uint64_t, uint64_t) {
    if (step == "copying" && !dropped) {
      dropped = true;
      DropBlob(blob_, "doc-1");
    }
    return OkStatus();
  };
  const auto outcome = CreateBackup(Data(), {backups(), "", 0}, operation);
  ASSERT_TRUE(outcome.ok()) << outcome.status().ToString();
  EXPECT_TRUE(dropped);
  EXPECT_TRUE(outcome->warnings.empty());
  EXPECT_FALSE(blobs_->Find(blob_).ok()) << "it is removed once the backup has ended";
  ASSERT_TRUE(Restore().ok());
  Open(restored());
  EXPECT_EQ(ReadAll(*blobs_->Find(blob_)), "the bytes of an original");
}

TEST_F(BackupTest, DamagedOrMissingOriginalIsAWarning) {
  Fill();
  WriteAll(*blobs_->Find(blob_), "the bytes of an oriGinal");
  const Sha256Digest missing = PutBlob("another", "doc-2");
  fs::remove(*blobs_->Find(missing));
  const BackupOutcome outcome = Backup();
  ASSERT_EQ(outcome.warnings.size(), 2u);
  EXPECT_NE((outcome.warnings[0] + outcome.warnings[1]).find(blob_.Hex()), std::string::npos);
  EXPECT_NE((outcome.warnings[0] + outcome.warnings[1]).find(missing.Hex()), std::string::npos);
  EXPECT_TRUE(Restore().ok());
}

TEST_F(BackupTest, DamagedTableIsRefusedAndEarlierBackupsStay) {
  Fill();
  ASSERT_TRUE(core().store().Flush().ok());
  fs::path table;
  uint64_t largest = 0;
  for (const fs::path& file : FilesBelow(dir_ / "db" / "rocksdb")) {
    if (file.extension() != ".sst" || fs::file_size(file) < largest) continue;
    table = file;
    largest = fs::file_size(file);
  }
  std::string bytes = ReadAll(table);
  bytes[20] = static_cast<char>(bytes[20] ^ 0x40);
  WriteAll(table, bytes);
  const auto outcome = CreateBackup(Data(), {backups(), "", 0}, {});
  EXPECT_EQ(outcome.status().reason(), Reason::kDataCorrupt) << outcome.status().ToString();
  EXPECT_TRUE(ListBackups(backups())->empty());
}

TEST_F(BackupTest, PlacesThatWouldDoHarmAreRefused) {
  Fill(1);
  const auto refused = [&](const fs::path& directory) {
    return CreateBackup(Data(), {directory, "", 0}, {}).status().code();
  };
  EXPECT_EQ(refused(dir_), StatusCode::kInvalidArgument);
  EXPECT_EQ(refused(dir_ / "backups"), StatusCode::kInvalidArgument);
  EXPECT_EQ(refused("relative"), StatusCode::kInvalidArgument);
  fs::create_directories(folder_.path() / "other");
  WriteAll(folder_.path() / "other" / "file", "mine");
  EXPECT_EQ(refused(folder_.path() / "other"), StatusCode::kInvalidArgument);
  EXPECT_EQ(FilesBelow(folder_.path() / "other").size(), 1u);
  fs::create_directory_symlink(dir_, folder_.path() / "link");
  EXPECT_EQ(refused(folder_.path() / "link" / "backups"), StatusCode::kInvalidArgument);
  EXPECT_EQ(ListBackups(folder_.path() / "other").status().code(), StatusCode::kNotFound);
}

TEST_F(BackupTest, OldBackupsGoWithTheFilesThatOnlyTheyHad) {
  Fill();
  Backup();
  ASSERT_TRUE(records_->DropCollection("c").ok());
  PutDocument("new", 9);
  for (size_t i = 0; i < kFamilies; ++i) {
    ASSERT_TRUE(core().store().Compact(static_cast<Family>(i)).ok());
  }
  const size_t before = FilesBelow(backups() / "objects").size();
  const BackupOutcome outcome = Backup(/*keep=*/1);
  EXPECT_EQ(outcome.removed, 1u);
  const auto list = ListBackups(backups());
  ASSERT_EQ(list->size(), 1u);
  EXPECT_EQ(list->front().id, 2u);
  std::set<fs::path> objects;
  for (const fs::path& file : FilesBelow(backups() / "objects")) objects.insert(file);
  EXPECT_LE(objects.size(), list->front().files);
  EXPECT_GT(before, 0u);
  EXPECT_TRUE(VerifyBackups(backups(), 0, {})->empty());
}

TEST_F(BackupTest, BackupThatEndsEarlyLeavesTheOthersAndIsCleanedUp) {
  Fill();
  Backup();
  PutRecord("more", "text");
  Operation operation;
  operation.progress = [&](std::string_view step, uint64_t, uint64_t) {
    return step == "copying" ? Status(StatusCode::kCancelled, Reason::kCancelled, "stop")
                             : OkStatus();
  };
  EXPECT_EQ(CreateBackup(Data(), {backups(), "", 0}, operation).status().code(),
            StatusCode::kCancelled);
  EXPECT_FALSE(fs::exists(dir_ / "db" / operations::kCheckpointFolder));
  // What a kill would leave.
  WriteAll(backups() / "tmp-copy", "half");
  const Sha256Digest unused = Sha256Of("unused");
  fs::create_directories(ObjectOf(unused).parent_path());
  WriteAll(ObjectOf(unused), "unused");
  EXPECT_EQ(ListBackups(backups())->size(), 1u);
  ExpectRestored(1, 20);
  EXPECT_EQ(Backup().backup.id, 2u);
  EXPECT_FALSE(fs::exists(backups() / "tmp-copy"));
  EXPECT_FALSE(fs::exists(ObjectOf(unused)));
  ExpectRestored(2, 21);
}

TEST_F(BackupTest, EveryDamagedFileIsFoundAndNotRestored) {
  Fill();
  Backup();
  ASSERT_TRUE(VerifyBackups(backups(), 0, {})->empty());
  size_t damaged = 0;
  for (const fs::path& file : FilesBelow(backups())) {
    const std::string name = file.filename().string();
    const std::string bytes = ReadAll(file);
    if (name == "lock" || bytes.empty()) continue;
    std::string wrong = bytes;
    wrong[wrong.size() / 2] = static_cast<char>(wrong[wrong.size() / 2] ^ 0x10);
    for (const std::string& content : {wrong, bytes.substr(0, bytes.size() - 1)}) {
      WriteAll(file, content);
      fs::remove_all(restored());
      const auto problems = VerifyBackups(backups(), 0, {});
      EXPECT_TRUE(!problems.ok() || !problems->empty()) << file;
      const auto restore = Restore();
      EXPECT_FALSE(restore.ok()) << file;
      EXPECT_FALSE(fs::exists(restored() / "db")) << file;
      EXPECT_TRUE(CheckRestored(restored()).ok()) << "an error leaves it empty";
    }
    WriteAll(file, bytes);
    ++damaged;
  }
  EXPECT_GT(damaged, 5u);
  EXPECT_TRUE(VerifyBackups(backups(), 0, {})->empty());
  // A damaged file that the data directory still has is made good by the next backup once it is
  // removed.
  fs::remove(ObjectOf(blob_));
  EXPECT_EQ(VerifyBackups(backups(), 0, {})->size(), 1u);
  Backup();
  EXPECT_TRUE(VerifyBackups(backups(), 0, {})->empty());
}

TEST_F(BackupTest, RestoreNeedsAnEmptyDirectory) {
  Fill(1);
  Backup();
  fs::create_directories(restored());
  WriteAll(restored() / "LOCK", "1 ragstone\n");
  EXPECT_TRUE(Restore().ok()) << "the lock of the caller does no harm";
  EXPECT_EQ(Restore().status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(RestoreBackup({folder_.path() / "none", 0}, restored(), {}).status().code(),
            StatusCode::kNotFound);
}

TEST_F(BackupTest, RestoreThatIsCutOffIsMarkedAndBegunAgain) {
  Fill();
  Backup();
  // What a kill leaves: the marker, and some of the files anywhere on their way.
  fs::create_directories(restored() / "restore.tmp" / "db");
  fs::create_directories(restored() / "blobs" / "00");
  WriteAll(restored() / "restore.incomplete", "backup 1\n");
  WriteAll(restored() / "restore.tmp" / "db" / "x", "half");
  const Status refused = CheckRestored(restored());
  EXPECT_EQ(refused.code(), StatusCode::kFailedPrecondition);
  EXPECT_NE(refused.message().find("ragstone restore"), std::string::npos);
  ASSERT_TRUE(Restore().ok());
  EXPECT_TRUE(CheckRestored(restored()).ok());
  EXPECT_FALSE(fs::exists(restored() / "restore.tmp"));
  Open(restored());
  EXPECT_EQ(CountRecords(), 20u);
}

TEST_F(BackupTest, TwoBackupsAtOnceAreRefused) {
  Fill(1);
  Operation operation;
  StatusCode second = StatusCode::kOk;
  operation.progress = [&](std::string_view step, uint64_t, uint64_t) {
    if (step == "copying") {
      second = CreateBackup(Data(), {backups(), "", 0}, {}).status().code();
    }
    return OkStatus();
  };
  ASSERT_TRUE(CreateBackup(Data(), {backups(), "", 0}, operation).ok());
  EXPECT_EQ(second, StatusCode::kUnavailable);
}

}  // namespace
}  // namespace ragstone::index
