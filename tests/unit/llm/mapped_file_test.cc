#include "llm/mapped_file.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/testing/temp_folder.h"

namespace ragstone::llm {
namespace {

TEST(MappedFileTest, HoldsTheBytesOfTheFileAfterItIsRemoved) {
  testing::TempFolder folder;
  std::ofstream(folder.path() / "f") << "some bytes";
  Result<MappedFile> file = MapModelFile(folder.path() / "f");
  ASSERT_TRUE(file.ok());
  std::filesystem::remove(folder.path() / "f");
  const MappedFile moved = std::move(file).value();
  EXPECT_EQ(moved.bytes(), "some bytes");
}

TEST(MappedFileTest, EmptyMissingAndSpecialFilesAreRefused) {
  testing::TempFolder folder;
  std::ofstream(folder.path() / "empty").flush();
  EXPECT_EQ(MapModelFile(folder.path() / "empty").status().reason(), Reason::kEmptyFile);
  EXPECT_EQ(MapModelFile(folder.path() / "none").status().code(), StatusCode::kNotFound);
  EXPECT_EQ(MapModelFile("/dev/null").status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace ragstone::llm
