#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "services/cli/files.h"

namespace ragstone::services::cli {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class CliFilesTest : public testing::Test {
 protected:
  CliFilesTest() {
    char name[] = "/tmp/ragstone-files-XXXXXX";
    folder_ = fs::canonical(mkdtemp(name));
  }
  ~CliFilesTest() override { fs::remove_all(folder_); }

  std::string File(const std::string& name, const std::string& bytes = "x") {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << bytes;
    return (folder_ / name).string();
  }
  static std::vector<std::string> Paths(const InputFiles& input) {
    std::vector<std::string> paths;
    for (const InputFile& file : input.files) paths.push_back(file.path);
    return paths;
  }

  fs::path folder_;
};

TEST_F(CliFilesTest, FoldersGiveKnownTypesSortedByPath) {
  const std::string b = File("b.PDF"), c = File("sub/c.md"), a = File("a.txt", "four");
  const std::string log = File("z.log");
  File("photo.jpg");
  File("noending");
  const InputFiles input = CollectFiles({folder_.string()});
  EXPECT_THAT(Paths(input), ElementsAre(a, b, log, c));
  EXPECT_EQ(input.files[0].bytes, 4u);
  EXPECT_EQ(input.files[0].media_type, "");
  EXPECT_EQ(input.files[2].media_type, "text/plain");
  EXPECT_EQ(input.skipped_types, 2u);
  EXPECT_TRUE(input.errors.empty());
}

TEST_F(CliFilesTest, NamedFilesAreTakenWhateverTheirType) {
  const std::string named = File("data.bin");
  EXPECT_THAT(Paths(CollectFiles({named})), ElementsAre(named));
}

TEST_F(CliFilesTest, AFileNamedTwiceIsTakenOnce) {
  const std::string a = File("a.txt");
  EXPECT_THAT(Paths(CollectFiles({a, folder_.string(), (folder_ / "." / "a.txt").string()})),
              ElementsAre(a));
}

TEST_F(CliFilesTest, LinksAreFollowedWhenNamedButNotInsideFolders) {
  const std::string secret = File("outside/secret.txt");
  fs::create_directories(folder_ / "in");
  fs::create_symlink(secret, folder_ / "in/link.txt");
  fs::create_directory_symlink(folder_, folder_ / "in/loop");
  const InputFiles walked = CollectFiles({(folder_ / "in").string()});
  EXPECT_TRUE(walked.files.empty());
  EXPECT_EQ(walked.skipped_links, 2u);
  EXPECT_THAT(Paths(CollectFiles({(folder_ / "in/link.txt").string()})), ElementsAre(secret));
}

TEST_F(CliFilesTest, MissingAndSpecialPathsAreErrorsAndOthersGoOn) {
  const std::string a = File("a.txt");
  ASSERT_EQ(mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  const InputFiles input =
      CollectFiles({(folder_ / "missing").string(), (folder_ / "pipe").string(), a});
  EXPECT_THAT(Paths(input), ElementsAre(a));
  ASSERT_EQ(input.errors.size(), 2u);
  EXPECT_EQ(input.errors[0].status.reason(), Reason::kFileNotFound);
  EXPECT_THAT(input.errors[0].status.message(), HasSubstr("missing"));
  EXPECT_EQ(input.errors[1].status.reason(), Reason::kInvalidArgument);
}

TEST_F(CliFilesTest, PipesInsideFoldersAreSkipped) {
  ASSERT_EQ(mkfifo((folder_ / "pipe.txt").c_str(), 0600), 0);
  EXPECT_EQ(CollectFiles({folder_.string()}).skipped_links, 1u);
}

TEST_F(CliFilesTest, AnUnreadableFolderIsAnErrorAndOthersGoOn) {
  if (geteuid() == 0) GTEST_SKIP() << "root may read everything";
  File("closed/a.txt");
  const std::string b = File("open/b.txt");
  fs::permissions(folder_ / "closed", fs::perms::none);
  const InputFiles input = CollectFiles({folder_.string()});
  fs::permissions(folder_ / "closed", fs::perms::owner_all);
  EXPECT_THAT(Paths(input), ElementsAre(b));
  ASSERT_EQ(input.errors.size(), 1u);
  EXPECT_EQ(input.errors[0].status.reason(), Reason::kFilePermission);
}

TEST_F(CliFilesTest, NamesThatAreNotUtf8AreErrors) {
  File("bad\xFF.txt");
  const InputFiles input = CollectFiles({folder_.string()});
  EXPECT_TRUE(input.files.empty());
  ASSERT_EQ(input.errors.size(), 1u);
  EXPECT_THAT(input.errors[0].status.message(), HasSubstr("rename it"));
}

}  // namespace
}  // namespace ragstone::services::cli
