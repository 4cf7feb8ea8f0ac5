// Restarts from stored indexes: with and without a clean end, with damaged and missing files, after
// deletions, alterations and drops. Covers index_checkpoint.cc, index_files.cc, index_manifest.cc,
// index_state.cc, record_loader.cc and row_sweep.cc.
#include "index/internal/records_db/index_checkpoint.h"

#include "index/internal/records_db/record_loader.h"
#include "tests/unit/index/records_db/restart_fixture.h"

namespace ragstone::index {
namespace {

class IndexCheckpointTest : public RestartFixture {
 protected:
  // How many notes of removed rows there are for the stored state.
  size_t SweptNotes() {
    const auto found = impl().Find("c");
    if (!found.ok()) return 0;
    const std::string prefix = records::SweptPrefix((*found)->id());
    Core& core = static_cast<DatabaseImpl*>(database_.get())->core();
    const std::unique_ptr<StoreIterator> it = core.store().NewIterator(Family::kMeta);
    size_t notes = 0;
    for (it->Seek(prefix); it->ValidWithPrefix(prefix); it->Next()) ++notes;
    return notes;
  }
};

TEST_F(IndexCheckpointTest, AfterACleanEndFilesAreReadAndFewRows) {
  Fill(3000);
  const auto before = Answers();
  Close();
  EXPECT_GE(IndexFiles().size(), 3u);  // parts of two vectors, and the state
  Restart();
  EXPECT_EQ(Answers(), before);
  EXPECT_EQ(impl().loads().from_files, 1u);
  EXPECT_EQ(impl().loads().from_rows, 0u);
  EXPECT_GE(impl().loads().parts, 2u);
  EXPECT_LT(impl().loads().rows_read, 2 * kSeal);
  EXPECT_EQ(impl().loads().damaged, 0u);
}

TEST_F(IndexCheckpointTest, PartsThatCouldNotBeStoredBeforeAreStoredAtTheEnd) {
  constexpr int kFirst = kSeal - 100;
  Create(RestartSpec());
  Answers();
  PutRange(0, kFirst);
  Save();
  const std::filesystem::path indexes = Dir() / "indexes";
  std::filesystem::rename(indexes, Dir() / "aside");
  Replace(indexes, "no file can be made");
  PutRange(kFirst, kFirst + 200);  // too few for a new state
  const auto found = impl().Find("c");
  ASSERT_TRUE(found.ok());
  // Seals, if the worker has not yet; either cannot store it.
  (void)impl().worker().Maintain(found->get());
  const auto before = Answers();
  std::filesystem::remove(indexes);
  std::filesystem::rename(Dir() / "aside", indexes);
  Close();
  Restart();
  EXPECT_EQ(Answers(), before);
  EXPECT_EQ(impl().loads().from_files, 1u);
  EXPECT_EQ(impl().loads().parts, 1u);
}

TEST_F(IndexCheckpointTest, AfterACrashRowsSinceTheStateAreRead) {
  Fill(2000);
  Save();
  PutRange(1900, 2150);  // a hundred anew
  DeleteRange(10, 30);
  PayloadChange change;
  change.set = {{"year", int64_t{0}}};
  ASSERT_TRUE(records_->UpdatePayload("c", Parsed("year = 49"), change, {}, {}).ok());
  const auto before = Answers();
  Crash();
  EXPECT_EQ(Answers(), before);
  EXPECT_EQ(impl().loads().from_files, 1u);
  EXPECT_LT(impl().loads().rows_read, 2 * kSeal + 300);
  EXPECT_EQ(impl().loads().damaged, 0u) << Warnings().front();
}

TEST_F(IndexCheckpointTest, RowsThatWereRemovedNeverComeBack) {
  Fill(2000);
  Save();
  DeleteRange(100, 200);  // too few for a new state
  PutRange(500, 550);
  const auto before = Answers();
  Maintain();
  ASSERT_EQ(Rows(Family::kRecordGone), 0u) << "only the notes for the old state know them now";
  EXPECT_GT(SweptNotes(), 0u);
  Crash();
  EXPECT_EQ(Answers(), before);
  EXPECT_EQ(impl().loads().from_files, 1u);
  // A newer state takes the notes over.
  DeleteRange(551, 570);
  Maintain();
  Save();
  EXPECT_EQ(SweptNotes(), 0u);
  const auto after = Answers();
  Crash();
  EXPECT_EQ(Answers(), after);
}

TEST_F(IndexCheckpointTest, EveryKindOfDamageIsFoundAndMended) {
  Fill(1600);
  const auto before = Answers();
  Close();
  ASSERT_GE(IndexFiles().size(), 3u);
  std::mt19937_64 random(20261123);
  const std::vector<std::filesystem::path> names = IndexFiles();
  const auto damage = [&](const std::function<void(const std::filesystem::path&)>& change,
                          const std::string& what) {
    for (const std::filesystem::path& name : names) {
      TemporaryFolder copy;
      CopyAsAfterACrash(Dir(), copy.path());
      change(copy.path() / std::filesystem::relative(name, Dir()));
      Open(copy.path());
      EXPECT_EQ(Answers(), before) << what << " of " << name;
      EXPECT_EQ(impl().loads().damaged, 1u) << what << " of " << name;
      EXPECT_EQ(impl().loads().from_rows, 1u) << what << " of " << name;
      EXPECT_FALSE(Warnings().empty());
      Close();
    }
  };
  for (int region = 0; region < 12 && !HasFailure(); ++region) {
    damage(
        [&](const std::filesystem::path& path) {
          std::string bytes = Contents(path);
          const size_t at = bytes.size() * static_cast<size_t>(region) / 12 + random() % 8;
          bytes[std::min(at, bytes.size() - 1)] ^= static_cast<char>(1 << random() % 8);
          Replace(path, bytes);
        },
        "a bit in region " + std::to_string(region));
  }
  damage(
      [](const std::filesystem::path& path) {
        std::string bytes = Contents(path);
        bytes.resize(bytes.size() - 1);
        Replace(path, bytes);
      },
      "the last byte");
  damage([](const std::filesystem::path& path) { Replace(path, ""); }, "everything");
  damage([](const std::filesystem::path& path) { Replace(path, Contents(path) + "x"); }, "the end");
  damage([](const std::filesystem::path& path) { std::filesystem::remove(path); }, "the file");
}

TEST_F(IndexCheckpointTest, FilesThatStandForEachOtherAreNotTaken) {
  Fill(1200);
  const auto before = Answers();
  Close();
  const std::vector<std::filesystem::path> files = IndexFiles();
  ASSERT_GE(files.size(), 2u);
  const std::string first = Contents(files[0]);
  Replace(files[0], Contents(files[1]));
  Replace(files[1], first);
  Restart();
  EXPECT_EQ(Answers(), before);
  EXPECT_EQ(impl().loads().from_rows, 1u);
  EXPECT_GE(impl().loads().damaged, 1u);
}

TEST_F(IndexCheckpointTest, ADamagedManifestIsAsGoodAsNone) {
  Fill(1200);
  const auto before = Answers();
  Save();
  const auto found = impl().Find("c");
  ASSERT_TRUE(found.ok());
  const std::string key = records::ManifestKey((*found)->id());
  Core& core = static_cast<DatabaseImpl*>(database_.get())->core();
  const Result<std::optional<std::string>> bytes = core.store().Get(Family::kMeta, key);
  ASSERT_TRUE(bytes.ok() && bytes->has_value());
  for (size_t size = 0; size < (*bytes)->size(); ++size) {
    EXPECT_FALSE(records::DecodeManifest((*bytes)->substr(0, size)).ok());
  }
  StoreBatch batch(&core.store());
  batch.Put(Family::kMeta, key, (*bytes)->substr(0, 30));
  ASSERT_TRUE(core.store().Write(&batch, true).ok());
  Crash();
  EXPECT_TRUE(IndexFiles().empty()) << "nothing names them";
  EXPECT_EQ(Answers(), before);
  EXPECT_EQ(impl().loads().from_rows, 1u);
  EXPECT_FALSE(Warnings().empty());
}

TEST(IndexManifestTest, ComesBackAsItWasWritten) {
  records::IndexManifest manifest;
  manifest.state = {7, 1234, 99};
  manifest.fingerprint = 5;
  manifest.version = 12;
  manifest.next_row = 44;
  manifest.parts.push_back({"a", 1, {8, 5, 6}, false, 3, 1, "graph of 3"});
  manifest.parts.push_back({"", 2, {9, 6, 7}, true, 4, 0, ""});
  const auto decoded = records::DecodeManifest(records::EncodeManifest(manifest));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(*decoded, manifest);
  EXPECT_EQ(decoded->Stamps(), (std::set<uint64_t>{7, 8, 9}));
  fields::RowSet rows;
  rows.Add(5);
  rows.Add(uint64_t{1} << 40);
  const auto swept = records::DecodeSwept(records::EncodeSwept(rows));
  ASSERT_TRUE(swept.ok());
  EXPECT_TRUE(*swept == rows);
}

TEST_F(IndexCheckpointTest, ADescriptionOfAnIndexOutlivesARestart) {
  Fill(2000);
  const auto info = records_->GetCollection("c");
  ASSERT_TRUE(info.ok());
  EXPECT_NE(info->index[1].find("graph of "), std::string::npos) << info->index[1];
  EXPECT_NE(info->index[1].find("recall@10 "), std::string::npos) << info->index[1];
  Close();
  Restart();
  Answers();
  const auto again = records_->GetCollection("c");
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->index, info->index);
}

TEST_F(IndexCheckpointTest, AlteringKeepsThePartsItDoesNotTouch) {
  Fill(2000);
  Save();
  RecordCollectionSpec spec = RestartSpec();
  const auto before = Answers();
  // Nothing that is indexed changes: nothing is read again.
  spec.history_seconds = 60;
  ASSERT_TRUE(records_->AlterCollection(spec).ok());
  EXPECT_EQ(Answers(), before);
  EXPECT_EQ(impl().loads().from_rows, 1u) << "the first, of nothing";
  // A new field: rows are read again, the graphs are not built again.
  spec.schema = *Schema::Create({{"year", FieldType::kInteger},
                                 {"lang", FieldType::kKeyword},
                                 {"body", FieldType::kText},
                                 {"extra", FieldType::kKeyword}});
  ASSERT_TRUE(records_->AlterCollection(spec).ok());
  EXPECT_EQ(Answers(), before);
  EXPECT_EQ(impl().loads().from_rows, 2u);
  EXPECT_GE(impl().loads().parts, 2u);
  // Another storage of one vector: the other's parts stay.
  spec.vectors[0].storage = VectorStorage::kFloat16;
  ASSERT_TRUE(records_->AlterCollection(spec).ok());
  const uint64_t parts = impl().loads().parts;
  Answers();
  EXPECT_GE(impl().loads().parts, parts + 1);
  Maintain();
  Save();
  const auto after = Answers();
  Crash();
  EXPECT_EQ(Answers(), after);
  EXPECT_EQ(impl().loads().from_files, 1u);
  EXPECT_EQ(impl().loads().damaged, 0u) << Warnings().front();
}

TEST_F(IndexCheckpointTest, AnAlteredDescriptionDoesNotBringAnOldStateBack) {
  Fill(2000);
  Save();
  RecordCollectionSpec spec = RestartSpec();
  spec.vectors[0].storage = VectorStorage::kFloat32;
  ASSERT_TRUE(records_->AlterCollection(spec).ok());
  DeleteRange(0, 100);
  Maintain();  // removed, while no stored state is of use
  ASSERT_TRUE(records_->AlterCollection(RestartSpec()).ok());
  const auto before = Answers();
  Crash();
  EXPECT_EQ(Answers(), before);
  EXPECT_EQ(impl().loads().damaged, 0u) << Warnings().front();
}

TEST_F(IndexCheckpointTest, FilesGoWithTheirCollection) {
  Fill(1500);
  Save();
  ASSERT_FALSE(IndexFiles().empty());
  TemporaryFolder kept;
  std::filesystem::copy(Dir() / "indexes", kept.path() / "indexes",
                        std::filesystem::copy_options::recursive);
  ASSERT_TRUE(records_->DropCollection("c").ok());
  for (int i = 0; i < 2000 && impl().worker().RemovesDropped(); ++i) usleep(1000);
  EXPECT_TRUE(IndexFiles().empty());
  EXPECT_EQ(Rows(Family::kRecord), 0u);
  Close();
  // As a crash before the removal would have left them.
  std::filesystem::copy(kept.path() / "indexes", Dir() / "indexes",
                        std::filesystem::copy_options::recursive);
  Restart();
  EXPECT_TRUE(IndexFiles().empty());
}

TEST_F(IndexCheckpointTest, FilesThatNothingNamesAreRemovedAtTheStart) {
  Fill(1500);
  Save();
  const std::vector<std::filesystem::path> files = IndexFiles();
  Close();
  Replace(files[0].parent_path() / "00000000000fffff.index", "not committed");
  Replace(files[0].parent_path() / "00000000000ffffe.index.tmp", "not whole");
  std::filesystem::create_directories(Dir() / "indexes" / "777");
  Replace(Dir() / "indexes" / "777" / "0000000000000001.index", "of nobody");
  Restart();
  EXPECT_EQ(IndexFiles(), files);
  Answers();
  EXPECT_EQ(impl().loads().from_files, 1u);
}

TEST_F(IndexCheckpointTest, SmallCollectionsHaveNoFiles) {
  Create(RestartSpec());
  Answers();
  PutRange(0, 400);
  Maintain();
  const auto before = Answers();
  Close();
  EXPECT_TRUE(IndexFiles().empty());
  EXPECT_FALSE(std::filesystem::exists(Dir() / "indexes"));
  Restart();
  EXPECT_EQ(Answers(), before);
}

TEST_F(IndexCheckpointTest, EndingTheHistoryTakesRemovedValuesOutOfTheFiles) {
  const std::string planted = "planted-0b7d1c";
  Fill(1500);
  Record record = Made(1500);
  record.payload["lang"] = planted;
  Put({record});
  Maintain();
  Save();
  const auto holds = [&] {
    const std::vector<std::filesystem::path> files = IndexFiles();
    return std::any_of(files.begin(), files.end(), [&](const std::filesystem::path& path) {
      return Contents(path).find(planted) != std::string::npos;
    });
  };
  ASSERT_TRUE(holds());
  Delete({record.id});
  const auto found = impl().Find("c");
  ASSERT_TRUE(found.ok());
  const Result<bool> waits = impl().worker().EndHistory(found->get());
  ASSERT_TRUE(waits.ok()) << waits.status().ToString();
  EXPECT_FALSE(*waits);
  EXPECT_FALSE(holds());
  const auto before = Answers();
  Maintain();
  Save();
  EXPECT_FALSE(holds()) << "nor are they written again";
  Crash();
  EXPECT_EQ(Answers(), before);
}

TEST_F(IndexCheckpointTest, ManyRestartsAndChangesAgreeWithRows) {
  Fill(1000);
  std::mt19937_64 random(7);
  int next = 1000;
  for (int round = 0; round < 12 && !HasFailure(); ++round) {
    PutRange(next, next + static_cast<int>(random() % 400));
    next += 400;
    std::set<std::string> ids;
    for (int i = 0; i < 60; ++i) ids.insert(IdOf(static_cast<int>(random() % 1000)));
    Delete({ids.begin(), ids.end()});
    if (random() % 2 == 0) Maintain();
    if (random() % 2 == 0) Save();
    if (random() % 2 == 0) DeleteRange(next - 400, next - 400);
    const auto before = Answers();
    if (random() % 2 == 0) {
      Close();
      Restart();
    } else {
      Crash();
    }
    EXPECT_EQ(Answers(), before) << "round " << round;
    EXPECT_EQ(impl().worker().failures(), 0u) << impl().worker().last_error();
  }
  EXPECT_EQ(impl().loads().damaged, 0u) << Warnings().front();
}

}  // namespace
}  // namespace ragstone::index
