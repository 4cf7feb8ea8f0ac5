// Covers services/cli/doctor.cc, doctor_install.cc and doctor_machine.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

#include "services/cli/doctor.h"

namespace ragstone::services::cli {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class CliDoctorTest : public testing::Test {
 protected:
  CliDoctorTest() {
    char name[] = "/tmp/ragstone-doctor-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~CliDoctorTest() override { fs::remove_all(folder_); }
  void File(const std::string& name, const std::string& bytes) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << bytes;
  }
  Machine machine() const { return {.root = folder_, .run_tools = false}; }

  fs::path folder_;
};

TEST_F(CliDoctorTest, AProcessorWithoutSse42IsAFailure) {
  File("proc/cpuinfo", "model name\t: Old CPU\nflags\t\t: fpu sse2\n");
  EXPECT_EQ(CheckCpu(machine()).level, CheckLevel::kOk) << "flags without any known one";
  File("proc/cpuinfo", "model name\t: Odd CPU\nflags\t\t: fpu avx2\n");
  EXPECT_EQ(CheckCpu(machine()).level, CheckLevel::kFailure);
  File("proc/cpuinfo", "model name\t: New CPU\nflags\t\t: fpu sse4_2 avx2 amx_int8\n");
  const Check check = CheckCpu(machine());
  EXPECT_EQ(check.level, CheckLevel::kOk);
  EXPECT_THAT(check.detail, HasSubstr("New CPU"));
  EXPECT_THAT(check.detail, HasSubstr("sse4_2 avx2 amx_int8"));
}

TEST_F(CliDoctorTest, AGpuWithoutAWorkerIsAWarningWithARemedy) {
  EXPECT_EQ(CheckGpu(machine(), folder_).level, CheckLevel::kOk);
  File("proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: \t\t Tesla P40\n");
  const Check unused = CheckGpu(machine(), folder_);
  EXPECT_EQ(unused.level, CheckLevel::kWarning);
  EXPECT_THAT(unused.detail, HasSubstr("Tesla P40"));
  EXPECT_THAT(unused.remedy, HasSubstr("preset cuda"));
  File("ragstone-model-cuda", "x");
  EXPECT_EQ(CheckGpu(machine(), folder_).level, CheckLevel::kOk);
}

TEST_F(CliDoctorTest, TiersSayWhyAndNoneIsAFailure) {
  const auto checks = CheckTiers({{.tier = "avx2", .chosen = true, .reason = "passed"},
                                  {.tier = "v2", .reason = "a faster one passed"}});
  ASSERT_EQ(checks.size(), 2u);
  EXPECT_EQ(checks[0].detail, "used: passed");
  EXPECT_EQ(checks[1].detail, "not used: a faster one passed");
  EXPECT_EQ(CheckTiers({{.tier = "v2", .reason = "missing"}}).back().level, CheckLevel::kFailure);
}

TEST_F(CliDoctorTest, AMissingPdfWorkerIsAFailure) {
  EXPECT_EQ(CheckWorkers(folder_).front().level, CheckLevel::kFailure);
  File("ragstone-pdf", "x");
  fs::permissions(folder_ / "ragstone-pdf", fs::perms::owner_all);
  EXPECT_EQ(CheckWorkers(folder_).front().level, CheckLevel::kOk);
}

TEST_F(CliDoctorTest, MissingModelsAreFailuresWithARemedy) {
  Settings settings;
  settings.models_dir = folder_ / "models";
  const auto checks = CheckModels(settings);
  ASSERT_GE(checks.size(), 2u);
  EXPECT_EQ(checks[0].level, CheckLevel::kFailure);
  EXPECT_THAT(checks[0].remedy, HasSubstr("ragstone model import"));
  EXPECT_EQ(checks[1].level, CheckLevel::kFailure);
}

TEST_F(CliDoctorTest, DisksAreMeasuredAtTheNearestParent) {
  EXPECT_EQ(CheckDisk("disk", folder_ / "not/yet", 1).level, CheckLevel::kOk);
  const Check full = CheckDisk("disk", folder_ / "not/yet", UINT64_MAX);
  EXPECT_EQ(full.level, CheckLevel::kWarning);
  EXPECT_NE(full.remedy, "");
}

TEST_F(CliDoctorTest, RightsOfFoldersAreChecked) {
  EXPECT_EQ(CheckRights("data", folder_).level, CheckLevel::kOk);
  EXPECT_THAT(CheckRights("data", folder_ / "new").detail, HasSubstr("does not exist yet"));
  fs::permissions(folder_, fs::perms::all);
  EXPECT_EQ(CheckRights("data", folder_).level, CheckLevel::kWarning);
  File("file", "x");  // root may write everywhere, but not below a file
  EXPECT_EQ(CheckRights("data", folder_ / "file/data").level, CheckLevel::kFailure);
}

TEST_F(CliDoctorTest, TheDataDirectoryIsMeasuredWithoutAServer) {
  File("data/blob", std::string(2048, 'x'));
  Settings settings;
  settings.data_dir = folder_ / "data";
  ServerHooks hooks;
  hooks.find = [](const fs::path&) -> Result<std::string> {
    return NotFound(Reason::kServerGone, "none");
  };
  const auto checks = CheckDataDir(settings, hooks, std::make_shared<CancelFlag>());
  ASSERT_EQ(checks.size(), 2u);
  EXPECT_THAT(checks[0].detail, HasSubstr("2.0 KiB"));
  EXPECT_THAT(checks[1].detail, HasSubstr("none is running"));
}

TEST_F(CliDoctorTest, MissingPopplerDataIsAWarning) {
  EXPECT_EQ(CheckPopplerData(machine()).level, CheckLevel::kWarning);
  File("usr/share/poppler/cMap/x", "x");
  EXPECT_EQ(CheckPopplerData(machine()).level, CheckLevel::kOk);
}

TEST_F(CliDoctorTest, AMemoryLimitBeyondTheMachineIsAWarning) {
  Settings settings;
  settings.memory_limit = 1;
  EXPECT_EQ(CheckMemory(settings).level, CheckLevel::kOk);
  settings.memory_limit = UINT64_MAX;
  EXPECT_EQ(CheckMemory(settings).level, CheckLevel::kWarning);
}

TEST_F(CliDoctorTest, SettingsOffTheirDefaultsNameTheirOrigin) {
  SettingSources sources;
  sources.environment = {{"HOME", folder_.string()}, {"RAGSTONE_ASK_TOP_K", "4"}};
  sources.flags = {{"data_dir", "/d"}};
  std::string all;
  for (const Check& check : CheckSettings(sources)) all += check.detail + "\n";
  EXPECT_THAT(all, HasSubstr("data_dir = /d (from flag)"));
  EXPECT_THAT(all, HasSubstr("ask_top_k = 4 (from environment)"));
  EXPECT_THAT(all, testing::Not(HasSubstr("models_dir")));
}

TEST_F(CliDoctorTest, TheSandboxIsExplained) {
  const auto checks = CheckSandbox();
  ASSERT_EQ(checks.size(), 2u);
  for (const Check& check : checks) {
    EXPECT_NE(check.detail, "");
    EXPECT_EQ(check.level == CheckLevel::kOk, check.remedy.empty());
  }
}

}  // namespace
}  // namespace ragstone::services::cli
