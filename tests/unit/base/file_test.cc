#include "base/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>

namespace ragstone {
namespace {

class FileTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::path(testing::TempDir()) /
        ("file_test_" + std::string(testing::UnitTest::GetInstance()->current_test_info()->name()));
    std::filesystem::remove_all(folder_);
    ASSERT_TRUE(CreateDirectories(folder_).ok());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path folder_;
};

TEST_F(FileTest, WrittenBytesAreReadBack) {
  const std::string bytes("a\0b", 3);
  ASSERT_TRUE(WriteFileAtomically(folder_ / "f", bytes).ok());
  EXPECT_EQ(*ReadFile(folder_ / "f"), bytes);
}

TEST_F(FileTest, ReplacingLeavesNoTemporaryFile) {
  ASSERT_TRUE(WriteFileAtomically(folder_ / "f", "one").ok());
  ASSERT_TRUE(WriteFileAtomically(folder_ / "f", "two").ok());
  EXPECT_EQ(*ReadFile(folder_ / "f"), "two");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(FileTest, ReadingRespectsTheLimit) {
  ASSERT_TRUE(WriteFileAtomically(folder_ / "f", "12345").ok());
  EXPECT_EQ(ReadFile(folder_ / "f", 4).status().reason(), Reason::kFileTooLarge);
  EXPECT_TRUE(ReadFile(folder_ / "f", 5).ok());
}

TEST_F(FileTest, ErrorsNameThePath) {
  const Status missing = ReadFile(folder_ / "none").status();
  EXPECT_EQ(missing.reason(), Reason::kFileNotFound);
  EXPECT_NE(missing.message().find("none"), std::string::npos);
  EXPECT_FALSE(ReadFile(folder_).ok());
  EXPECT_FALSE(SyncDirectory(folder_ / "none").ok());
}

TEST_F(FileTest, MappedFilesShowTheContent) {
  ASSERT_TRUE(WriteFileAtomically(folder_ / "f", "mapped").ok());
  Result<MappedFile> file = MappedFile::Open(folder_ / "f");
  ASSERT_TRUE(file.ok());
  const MappedFile moved = std::move(file).value();
  EXPECT_EQ(moved.bytes(), "mapped");
  ASSERT_TRUE(WriteFileAtomically(folder_ / "empty", "").ok());
  EXPECT_EQ(MappedFile::Open(folder_ / "empty")->bytes(), "");
  EXPECT_EQ(MappedFile::Open(folder_ / "none").status().reason(), Reason::kFileNotFound);
}

TEST_F(FileTest, CreateDirectoriesMakesParentsAndAcceptsExistingOnes) {
  EXPECT_TRUE(CreateDirectories(folder_ / "a" / "b").ok());
  EXPECT_TRUE(CreateDirectories(folder_ / "a" / "b").ok());
  ASSERT_TRUE(WriteFileAtomically(folder_ / "f", "").ok());
  EXPECT_FALSE(CreateDirectories(folder_ / "f" / "c").ok());
}

TEST_F(FileTest, DescriptorsAreClosedWhenMoved) {
  Result<FileDescriptor> file = OpenFile(folder_ / "f", O_CREAT | O_RDWR);
  ASSERT_TRUE(file.ok());
  FileDescriptor first = std::move(file).value();
  const FileDescriptor second = std::move(first);
  EXPECT_FALSE(first.valid());  // NOLINT(bugprone-use-after-move): what is tested
  EXPECT_TRUE(second.valid());
  EXPECT_TRUE(WriteAll(second.get(), "x", "f").ok());
}

}  // namespace
}  // namespace ragstone
