// Covers runtime_dir.cc as well.
#include "services/data_dir.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <fstream>

#include "services/runtime_dir.h"
#include "services/server.h"
#include "tests/testing/temp_folder.h"

namespace ragstone::services {
namespace {

using ::testing::HasSubstr;
using testing::TempFolder;
namespace fs = std::filesystem;

constexpr uid_t kNobody = 65534;

int ModeOf(const fs::path& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? static_cast<int>(info.st_mode & 0777) : -1;
}

// A Unix socket that accepts connections.
FileDescriptor ListenOn(const fs::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof(address.sun_path) - 1);
  FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM, 0));
  EXPECT_EQ(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(::listen(socket.get(), 4), 0);
  return socket;
}

TEST(DataDirTest, IsCreatedForItsOwnerOnly) {
  const TempFolder folder;
  const Result<DataDir> data = DataDir::Lock(folder.path() / "a/b", 0);
  ASSERT_TRUE(data.ok()) << data.status().ToString();
  EXPECT_EQ(ModeOf(folder.path() / "a/b"), 0700);
  EXPECT_EQ(ModeOf(folder.path() / "a/b/LOCK"), 0600);
}

TEST(DataDirTest, SecondLockFailsNamingTheHolderUntilItIsGivenUp) {
  const TempFolder folder;
  {
    const Result<DataDir> first = DataDir::Lock(folder.path(), 0);
    ASSERT_TRUE(first.ok());
    const Result<DataDir> second = DataDir::Lock(folder.path(), 30);
    ASSERT_FALSE(second.ok());
    EXPECT_EQ(second.status().code(), StatusCode::kUnavailable);
    EXPECT_EQ(second.status().reason(), Reason::kDataDirLocked);
    EXPECT_THAT(second.status().message(),
                HasSubstr("process " + std::to_string(::getpid()) + " ("));
  }
  EXPECT_TRUE(DataDir::Lock(folder.path(), 0).ok());
}

TEST(DataDirTest, LockOfAKilledProcessIsFree) {
  const TempFolder folder;
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const Result<DataDir> data = DataDir::Lock(folder.path(), 0);
    (void)!::write(ready[1], data.ok() ? "y" : "n", 1);
    ::pause();
    ::_exit(0);
  }
  char answer = 0;
  ASSERT_EQ(::read(ready[0], &answer, 1), 1);
  ASSERT_EQ(answer, 'y');
  EXPECT_THAT(DataDir::Lock(folder.path(), 0).status().message(),
              HasSubstr("process " + std::to_string(child)));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(DataDir::Lock(folder.path(), 5000).ok());
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(DataDirTest, FolderThatCannotBeUsedGivesTheReason) {
  const TempFolder folder;
  std::ofstream(folder.path() / "file") << "x";
  EXPECT_FALSE(DataDir::Lock(folder.path() / "file", 0).ok());
  EXPECT_FALSE(DataDir::Lock(folder.path() / "file/below", 0).ok());
  ::chmod(folder.path().c_str(), 0500);
  // Rights do not bind root, so that another user has to try.
  const pid_t child = ::fork();
  if (child == 0) {
    if (::geteuid() == 0 && ::seteuid(kNobody) != 0) ::_exit(2);
    const Status status = DataDir::Lock(folder.path() / "new", 0).status();
    ::_exit(status.reason() == Reason::kFilePermission ? 0 : 1);
  }
  int wait_status = 0;
  ASSERT_EQ(::waitpid(child, &wait_status, 0), child);
  EXPECT_EQ(wait_status, 0);
  ::chmod(folder.path().c_str(), 0700);
}

TEST(DataDirTest, TokenIsRandomPrivateAndKept) {
  const TempFolder folder;
  const TempFolder other;
  Result<DataDir> data = DataDir::Lock(folder.path(), 0);
  ASSERT_TRUE(data.ok());
  const Result<std::string> token = data->Token();
  ASSERT_TRUE(token.ok());
  EXPECT_EQ(token->size(), 64u);
  EXPECT_EQ(ModeOf(folder.path() / "token"), 0600);
  EXPECT_EQ(*data->Token(), *token);
  EXPECT_NE(*DataDir::Lock(other.path(), 0)->Token(), *token);

  ::chmod((folder.path() / "token").c_str(), 0644);
  ASSERT_TRUE(data->Token().ok());
  EXPECT_EQ(ModeOf(folder.path() / "token"), 0600);

  std::ofstream(folder.path() / "token") << "short\n";
  EXPECT_EQ(data->Token().status().reason(), Reason::kTokenInvalid);
  std::ofstream(folder.path() / "token") << "";
  EXPECT_EQ(data->Token().status().reason(), Reason::kTokenInvalid);
}

TEST(FindServerTest, FindsOneThatRunsAndNoneThatIsGone) {
  const TempFolder folder;
  EXPECT_EQ(FindServer(folder.path()).status().reason(), Reason::kServerGone);
  EXPECT_EQ(FindServer(folder.path() / "missing").status().code(), StatusCode::kNotFound);

  const fs::path socket_path = folder.path() / "s";
  {
    Result<DataDir> data = DataDir::Lock(folder.path(), 0);
    ASSERT_TRUE(data.ok());
    FileDescriptor socket = ListenOn(socket_path);
    ASSERT_TRUE(data->WriteEndpoint("unix:" + socket_path.string(), "").ok());
    EXPECT_EQ(ModeOf(folder.path() / "endpoint"), 0600);
    const Result<std::string> found = FindServer(folder.path());
    ASSERT_TRUE(found.ok()) << found.status().ToString();
    EXPECT_EQ(*found, "unix:" + socket_path.string());
    // Nobody accepts any more, as after kill -9.
    socket.Reset();
    EXPECT_EQ(FindServer(folder.path()).status().reason(), Reason::kServerGone);
  }
  EXPECT_FALSE(fs::exists(folder.path() / "endpoint"));
}

TEST(FindServerTest, DamagedFileCountsAsNone) {
  const TempFolder folder;
  for (const char* text : {"", "{", "[]", "{\"target\":1}", "{\"target\":\"tcp:1\",\"pid\":1}",
                           "{\"target\":\"unix:/x\",\"pid\":\"1\"}", "null"}) {
    std::ofstream(folder.path() / "endpoint") << text;
    EXPECT_EQ(FindServer(folder.path()).status().reason(), Reason::kServerGone) << text;
  }
}

TEST(RuntimeDirTest, FolderIsPrivateAndRemovedAtTheEnd) {
  const TempFolder base;
  fs::path path;
  {
    const auto dir = RuntimeDir::CreateUnder(base.path());
    ASSERT_TRUE(dir.ok()) << dir.status().ToString();
    path = (*dir)->path();
    EXPECT_EQ(ModeOf(path), 0700);
    const fs::path a = (*dir)->NewSocketPath("embed");
    EXPECT_NE(a, (*dir)->NewSocketPath("embed"));
    EXPECT_EQ(a.parent_path(), path);
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST(RuntimeDirTest, SocketPathsFitIntoAnAddress) {
  const auto dir = RuntimeDir::Create();
  ASSERT_TRUE(dir.ok()) << dir.status().ToString();
  EXPECT_LE((*dir)->NewSocketPath("generate").string().size(), 100u);
}

TEST(RuntimeDirTest, RemovesWhatAKilledProcessLeftAndNothingElse) {
  const TempFolder base;
  const auto used = RuntimeDir::CreateUnder(base.path());
  ASSERT_TRUE(used.ok());
  for (const char* name : {"ragstone-dead", "ragstone-nolock", "other-dead", "ragstone-young"}) {
    fs::create_directory(base.path() / name);
    if (std::string(name) != "ragstone-nolock") std::ofstream(base.path() / name / "lock") << "";
  }
  const auto old = fs::file_time_type::clock::now() - std::chrono::hours(1);
  for (const char* name : {"ragstone-dead", "ragstone-nolock", "other-dead"}) {
    fs::last_write_time(base.path() / name, old);
  }
  fs::last_write_time((*used)->path(), old);
  const auto next = RuntimeDir::CreateUnder(base.path());
  ASSERT_TRUE(next.ok());
  EXPECT_FALSE(fs::exists(base.path() / "ragstone-dead"));
  EXPECT_TRUE(fs::exists(base.path() / "ragstone-nolock"));
  EXPECT_TRUE(fs::exists(base.path() / "ragstone-young"));
  EXPECT_TRUE(fs::exists(base.path() / "other-dead"));
  EXPECT_TRUE(fs::exists((*used)->path()));
}

TEST(RuntimeDirTest, FallsBackWhereTheXdgFolderIsUnsafe) {
  const TempFolder base;
  ::chmod(base.path().c_str(), 0755);
  ::setenv("XDG_RUNTIME_DIR", base.path().c_str(), 1);
  const auto fallback = RuntimeDir::Create();
  ASSERT_TRUE(fallback.ok()) << fallback.status().ToString();
  EXPECT_THAT((*fallback)->path().string(),
              HasSubstr("/tmp/ragstone-" + std::to_string(::geteuid()) + "/"));
  ::chmod(base.path().c_str(), 0700);
  const auto own = RuntimeDir::Create();
  ASSERT_TRUE(own.ok());
  EXPECT_EQ((*own)->path().parent_path(), base.path());
  ::unsetenv("XDG_RUNTIME_DIR");
}

}  // namespace
}  // namespace ragstone::services
