// Also covers cpu_identity.cc.
#include "services/tiers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <memory>

#include "base/file.h"
#include "services/cpu_identity.h"
#include "tests/testing/temp_folder.h"

namespace ragstone::services {
namespace {

using ::testing::HasSubstr;
using testing::TempFolder;
namespace fs = std::filesystem;

// Model workers that are shell scripts; each notes its self-tests in the file `tests`.
class TiersTest : public ::testing::Test {
 protected:
  TiersTest() {
    settings_.workers_dir = folder_.path() / "workers";
    settings_.models_dir = folder_.path() / "models";
    settings_.cpu_tier = "auto";
    fs::create_directories(settings_.workers_dir);
  }

  fs::path Install(const std::string& tier, const std::string& script) {
    const fs::path file = settings_.workers_dir / ("ragstone-model-" + tier);
    std::ofstream(file) << "#!/bin/sh\necho " << tier << " >> " << (folder_.path() / "tests")
                        << "\n"
                        << script << "\n";
    fs::permissions(file, fs::perms::owner_all);
    return file;
  }

  std::string Tests() {
    const Result<std::string> text = ReadFile(folder_.path() / "tests");
    std::string line = text.ok() ? *text : "";
    std::replace(line.begin(), line.end(), '\n', ' ');
    return line;
  }

  // The choice of a new process that starts now.
  Result<fs::path> Choose() {
    Supervisor supervisor;
    TierChooser chooser(settings_, &supervisor);
    Result<fs::path> chosen = chooser.Executable(CallContext());
    return chosen;
  }

  TempFolder folder_;
  Settings settings_;
};

TEST_F(TiersTest, BestTierThatPassesIsChosenAndRemembered) {
  Install("avx512", "kill -ILL $$");
  const fs::path avx2 = Install("avx2", "exit 0");
  Install("v2", "exit 0");
  const Result<fs::path> chosen = Choose();
  ASSERT_TRUE(chosen.ok()) << chosen.status().ToString();
  EXPECT_EQ(*chosen, avx2);
  EXPECT_EQ(Tests(), "avx512 avx2 ");
  EXPECT_EQ(*Choose(), avx2);
  EXPECT_EQ(Tests(), "avx512 avx2 ") << "tested again although remembered";
}

TEST_F(TiersTest, NewBinaryOrOtherCpuIsTestedAgain) {
  const fs::path v2 = Install("v2", "exit 0");
  EXPECT_EQ(*Choose(), v2);
  Install("v2", "exit 0 # another build");
  EXPECT_EQ(*Choose(), v2);
  EXPECT_EQ(Tests(), "v2 v2 ");
  const fs::path file = settings_.models_dir / "tiers.json";
  std::string text = *ReadFile(file);
  text.replace(text.find(CpuIdentity()), CpuIdentity().size(), std::string(16, '0'));
  ASSERT_TRUE(WriteFileAtomically(file, text).ok());
  EXPECT_EQ(*Choose(), v2);
  EXPECT_EQ(Tests(), "v2 v2 v2 ");
}

TEST_F(TiersTest, CopyOfABinaryIsKnownByItsBytes) {
  const fs::path v2 = Install("v2", "exit 0");
  EXPECT_TRUE(Choose().ok());
  fs::last_write_time(v2, fs::file_time_type::clock::now() - std::chrono::hours(5));
  EXPECT_TRUE(Choose().ok());
  EXPECT_EQ(Tests(), "v2 ");
}

TEST_F(TiersTest, DamagedMemoryIsNoMemory) {
  Install("v2", "exit 0");
  for (const char* text :
       {"", "{", "[1]", "{\"version\":1}", "{\"version\":1,\"cpu\":3,\"tiers\":[]}"}) {
    ASSERT_TRUE(CreateDirectories(settings_.models_dir).ok());
    ASSERT_TRUE(WriteFileAtomically(settings_.models_dir / "tiers.json", text).ok());
    EXPECT_TRUE(Choose().ok()) << text;
  }
}

TEST_F(TiersTest, OrdinaryFailureIsNotRemembered) {
  Install("v2", "echo no memory >&2; exit 3");
  for (int i = 0; i < 2; ++i) {
    const Result<fs::path> none = Choose();
    EXPECT_EQ(none.status().code(), StatusCode::kUnavailable);
    EXPECT_EQ(none.status().reason(), Reason::kWorkerUnavailable);
    EXPECT_THAT(none.status().message(), HasSubstr("v2: self-test failed: exit code 3: no memory"));
  }
  EXPECT_EQ(Tests(), "v2 v2 ");
}

TEST_F(TiersTest, CudaIsTestedAtEachStart) {
  const fs::path cuda = Install("cuda", "exit 0");
  EXPECT_EQ(*Choose(), cuda);
  EXPECT_EQ(*Choose(), cuda);
  EXPECT_EQ(Tests(), "cuda cuda ");
}

TEST_F(TiersTest, SettingForcesATier) {
  Install("avx2", "exit 0");
  const fs::path v2 = Install("v2", "exit 0");
  settings_.cpu_tier = "v2";
  EXPECT_EQ(*Choose(), v2);
  EXPECT_EQ(Tests(), "v2 ");
  settings_.cpu_tier = "amx";
  EXPECT_THAT(Choose().status().message(), HasSubstr("amx: not installed"));
}

TEST_F(TiersTest, WithoutWorkersTheFolderIsNamed) {
  EXPECT_THAT(Choose().status().message(), HasSubstr(settings_.workers_dir.string()));
}

TEST_F(TiersTest, IllegalInstructionLaterMovesToTheNextTierForGood) {
  const fs::path avx2 = Install("avx2", "exit 0");
  const fs::path v2 = Install("v2", "exit 0");
  {
    Supervisor supervisor;
    TierChooser chooser(settings_, &supervisor);
    EXPECT_EQ(*chooser.Executable(CallContext()), avx2);
    EXPECT_TRUE(chooser.NoteIllegalInstruction(avx2));
    EXPECT_EQ(*chooser.Executable(CallContext()), v2);
    EXPECT_FALSE(chooser.NoteIllegalInstruction(v2));
    EXPECT_FALSE(chooser.Executable(CallContext()).ok());
  }
  EXPECT_THAT(*ReadFile(settings_.models_dir / "tiers.json"), HasSubstr("SIGILL"));
}

TEST_F(TiersTest, StatesTestEveryTierThatIsThere) {
  Install("avx2", "exit 0");
  Install("v2", "exit 1");
  Supervisor supervisor;
  TierChooser chooser(settings_, &supervisor);
  std::map<std::string, TierState> states;
  for (const TierState& state : chooser.States()) states[state.tier] = state;
  EXPECT_TRUE(states["avx2"].chosen);
  EXPECT_TRUE(states["avx2"].passed);
  EXPECT_FALSE(states["v2"].passed);
  EXPECT_THAT(states["v2"].reason, HasSubstr("exit code 1"));
  EXPECT_FALSE(states["avx512"].present);
  EXPECT_EQ(states["avx512"].reason, "not installed");
}

TEST_F(TiersTest, CallerWhoGivesUpDoesNotWaitForATest) {
  Install("v2", "sleep 600");
  auto supervisor = std::make_unique<Supervisor>();
  TierChooser chooser(settings_, supervisor.get());
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
  EXPECT_EQ(
      chooser.Executable(CallContext(deadline, std::make_shared<CancelFlag>())).status().code(),
      StatusCode::kDeadlineExceeded);
  const CallContext context;
  std::thread canceller([&context] { context.flag()->Cancel(); });
  EXPECT_EQ(chooser.Executable(context).status().code(), StatusCode::kCancelled);
  canceller.join();
  supervisor.reset();  // tells of the end of the self-test, which the chooser must outlive
}

TEST(CpuIdentityTest, IsStableAndShort) {
  EXPECT_EQ(CpuIdentity(), CpuIdentity());
  EXPECT_EQ(CpuIdentity().size(), 16u);
  EXPECT_EQ(CpuName(), CpuName());
}

}  // namespace
}  // namespace ragstone::services
