#include "index/internal/closing_list.h"

#include <fstream>

#include "tests/unit/index/test_database.h"

namespace ragstone::index {
namespace {

class ClosingListTest : public ::testing::Test {
 protected:
  void SetUp() override {
    OpenAndClose();
    ASSERT_TRUE(std::filesystem::exists(List()));
  }

  void OpenAndClose() {
    const std::unique_ptr<Database> database = OpenDatabase(dir());
    ASSERT_NE(database, nullptr);
    ASSERT_TRUE(database->CreateCollection(TestSpec("c" + std::to_string(++made_)), Batch()).ok());
  }

  const std::filesystem::path& dir() const { return folder_.path(); }
  std::filesystem::path List() const { return dir() / kClosingListFile; }

  // The largest file of RocksDB with this beginning or ending of its name.
  std::filesystem::path File(std::string_view part) const {
    std::filesystem::path found;
    for (const auto& entry : std::filesystem::directory_iterator(dir() / "rocksdb")) {
      if (entry.path().filename().string().find(part) == std::string::npos) continue;
      if (found.empty() || entry.file_size() > std::filesystem::file_size(found)) {
        found = entry.path();
      }
    }
    return found;
  }

  static void FlipLastByte(const std::filesystem::path& path) {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(-1, std::ios::end);
    const char byte = static_cast<char>(file.get() ^ 1);
    file.seekp(-1, std::ios::end);
    file.put(byte);
  }

  void ExpectRefused(const std::string& name) {
    const Status status = CheckClosingList(dir());
    EXPECT_EQ(status.code(), StatusCode::kDataLoss);
    EXPECT_EQ(status.reason(), Reason::kDataCorrupt);
    EXPECT_NE(status.message().find(name), std::string::npos) << status.message();
    EXPECT_TRUE(std::filesystem::exists(List())) << "the next start has to refuse it as well";
  }

  TemporaryFolder folder_;
  int made_ = 0;
};

TEST_F(ClosingListTest, IsTakenAwayWhileTheDatabaseIsOpen) {
  {
    const std::unique_ptr<Database> database = OpenDatabase(dir());
    ASSERT_NE(database, nullptr);
    EXPECT_FALSE(std::filesystem::exists(List()));
  }
  EXPECT_TRUE(std::filesystem::exists(List()));
  EXPECT_TRUE(CheckClosingList(dir()).ok());
  EXPECT_TRUE(CheckClosingList(dir()).ok()) << "without a list there is nothing to compare";
}

TEST_F(ClosingListTest, ALogThatLostItsEndIsRefusedByName) {
  const std::filesystem::path log = File(".log");
  ASSERT_FALSE(log.empty());
  ASSERT_GT(std::filesystem::file_size(log), 10u);
  std::filesystem::resize_file(log, std::filesystem::file_size(log) - 10);
  ExpectRefused(log.filename().string());
}

TEST_F(ClosingListTest, AListOfTablesThatChangedIsRefusedByName) {
  const std::filesystem::path manifest = File("MANIFEST");
  FlipLastByte(manifest);
  ExpectRefused(manifest.filename().string());
}

TEST_F(ClosingListTest, AFileThatIsGoneIsRefusedByName) {
  OpenAndClose();  // so that the first log has become a table
  const std::filesystem::path table = File(".sst");
  ASSERT_FALSE(table.empty());
  std::filesystem::remove(table);
  ExpectRefused(table.filename().string());
}

TEST_F(ClosingListTest, ADamagedListIsRefusedByName) {
  std::filesystem::resize_file(List(), std::filesystem::file_size(List()) / 2);
  ExpectRefused(kClosingListFile);
}

}  // namespace
}  // namespace ragstone::index
