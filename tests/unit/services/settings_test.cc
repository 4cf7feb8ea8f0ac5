// Covers setting_values.cc and settings_markdown.cc as well.
#include "services/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>
#include <set>

#include "base/file.h"
#include "services/setting_values.h"
#include "tests/testing/temp_folder.h"

namespace ragstone::services {
namespace {

using ::testing::HasSubstr;
using testing::TempFolder;

class SettingsTest : public ::testing::Test {
 protected:
  SettingsTest() { sources_.environment = {{"HOME", "/srv/ada"}}; }

  void WriteConfig(const std::string& text) {
    const auto file = folder_.path() / "ragstone.toml";
    std::ofstream(file) << text;
    sources_.config_file = file;
  }

  // The message of the error, which must be INVALID_ARGUMENT (INVALID_SETTING).
  std::string Failure() {
    const Result<Settings> settings = LoadSettings(sources_);
    EXPECT_EQ(settings.status().code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(settings.status().reason(), Reason::kInvalidSetting);
    return settings.status().message();
  }

  TempFolder folder_;
  SettingSources sources_;
};

TEST_F(SettingsTest, DefaultsFollowXdgFoldersAndTheExecutable) {
  const Result<Settings> settings = LoadSettings(sources_);
  ASSERT_TRUE(settings.ok()) << settings.status().ToString();
  EXPECT_EQ(settings->data_dir, "/srv/ada/.local/share/ragstone/data");
  EXPECT_EQ(settings->models_dir, "/srv/ada/.local/share/ragstone/models");
  EXPECT_EQ(settings->workers_dir.filename(), "ragstone");
  EXPECT_EQ(settings->workers_dir.parent_path().filename(), "libexec");
  EXPECT_TRUE(settings->workers_dir.is_absolute());
  EXPECT_EQ(settings->memory_limit, MemoryOfMachine() / 2);
  EXPECT_EQ(settings->grpc_listen, "127.0.0.1:7420");
  EXPECT_EQ(settings->chunk_tokens_max, 200u);
  EXPECT_DOUBLE_EQ(settings->confidence_min, 0.3);

  sources_.environment["XDG_DATA_HOME"] = "/data";
  EXPECT_EQ(LoadSettings(sources_)->data_dir, "/data/ragstone/data");
  // A relative value is to be ignored.
  sources_.environment["XDG_DATA_HOME"] = "data";
  EXPECT_EQ(LoadSettings(sources_)->data_dir, "/srv/ada/.local/share/ragstone/data");
}

TEST_F(SettingsTest, FlagBeatsVariableBeatsFileBeatsDefault) {
  WriteConfig("threads = 3\npages_max = 33\nask_top_k = 5\n");
  sources_.environment["RAGSTONE_THREADS"] = "4";
  sources_.environment["RAGSTONE_PAGES_MAX"] = "44";
  sources_.flags["threads"] = "5";
  const Result<Settings> settings = LoadSettings(sources_);
  ASSERT_TRUE(settings.ok()) << settings.status().ToString();
  EXPECT_EQ(settings->threads, 5u);
  EXPECT_EQ(settings->pages_max, 44u);
  EXPECT_EQ(settings->ask_top_k, 5u);

  const auto described = DescribeSettings(sources_);
  ASSERT_TRUE(described.ok());
  std::map<std::string, std::string> origins;
  for (const SettingValue& value : *described) origins[value.name] = value.origin;
  EXPECT_EQ(origins["threads"], "flag");
  EXPECT_EQ(origins["pages_max"], "environment");
  EXPECT_EQ(origins["ask_top_k"], "file");
  EXPECT_EQ(origins["data_dir"], "default");
  EXPECT_EQ(described->size(), AllSettings().size());
}

TEST_F(SettingsTest, FileTakesEveryTypeAndResolvesPathsAgainstItsFolder) {
  WriteConfig(
      "data_dir = \"db\"\nkeep_originals = true\nconfidence_min = 0.25\ngpu_layers = -1\n"
      "worker_memory_max = \"512MiB\"\nallowed_paths = [\"/srv/a\", \"~/docs\"]\n");
  const Result<Settings> settings = LoadSettings(sources_);
  ASSERT_TRUE(settings.ok()) << settings.status().ToString();
  EXPECT_EQ(settings->data_dir, folder_.path() / "db");
  EXPECT_TRUE(settings->keep_originals);
  EXPECT_DOUBLE_EQ(settings->confidence_min, 0.25);
  EXPECT_EQ(settings->gpu_layers, -1);
  EXPECT_EQ(settings->worker_memory_max, uint64_t{512} << 20);
  EXPECT_THAT(settings->allowed_paths, ::testing::ElementsAre("/srv/a", "/srv/ada/docs"));
}

TEST_F(SettingsTest, UnknownNamesAreErrorsThatNameTheNearest) {
  sources_.flags["data_dri"] = "/x";
  EXPECT_THAT(Failure(), HasSubstr("nearest is 'data_dir'"));
  sources_.flags.clear();
  sources_.environment["RAGSTONE_THREAD"] = "2";
  EXPECT_THAT(Failure(), AllOf(HasSubstr("RAGSTONE_THREAD"), HasSubstr("'threads'")));
  sources_.environment.erase("RAGSTONE_THREAD");
  WriteConfig("\nlog_levle = \"info\"\n");
  EXPECT_THAT(Failure(), AllOf(HasSubstr("line 2"), HasSubstr("'log_level'")));
}

TEST_F(SettingsTest, VariablesOfTestsAndOrchestratorsAreIgnored) {
  sources_.environment["RAGSTONE_TEST_DELAY_MS"] = "5";
  sources_.environment["RAGSTONE_SERVICE_HOST"] = "10.0.0.1";
  sources_.environment["RAGSTONE_PORT_7420_TCP"] = "tcp://10.0.0.1:7420";
  EXPECT_TRUE(LoadSettings(sources_).ok());
}

TEST_F(SettingsTest, BadValuesNameSettingPlaceValueAndWhatIsAllowed) {
  sources_.environment["RAGSTONE_REQUEST_THREADS"] = "0";
  EXPECT_THAT(Failure(), AllOf(HasSubstr("request_threads"), HasSubstr("RAGSTONE_REQUEST_THREADS"),
                               HasSubstr("'0'"), HasSubstr("1 to 1024")));
  sources_.environment.erase("RAGSTONE_REQUEST_THREADS");
  const std::map<std::string, std::string> bad = {
      {"threads", "many"},       {"cpu_tier", "sse"},           {"cpu_tier", "auto|v2"},
      {"log_level", ""},         {"keep_originals", "perhaps"}, {"memory_limit", "12 parsecs"},
      {"confidence_min", "1.5"}, {"confidence_min", "nan"},     {"pages_max", "-1"},
      {"tls_cert", "/cert.pem"}, {"file_bytes_max", "-1GiB"},
  };
  for (const auto& [name, value] : bad) {
    sources_.flags = {{name, value}};
    EXPECT_THAT(Failure(), HasSubstr(name)) << value;
  }
}

TEST_F(SettingsTest, FilesThatAreMissingOrNotTomlAreErrors) {
  sources_.config_file = folder_.path() / "missing.toml";
  EXPECT_EQ(LoadSettings(sources_).status().reason(), Reason::kFileNotFound);
  WriteConfig("threads = \n");
  EXPECT_THAT(Failure(), HasSubstr("line 1"));
  WriteConfig("[section]\nthreads = 1\n");
  EXPECT_THAT(Failure(), HasSubstr("'section'"));
  WriteConfig("allowed_paths = [1, 2]\n");
  EXPECT_THAT(Failure(), HasSubstr("allowed_paths"));
}

TEST_F(SettingsTest, FileOfTheXdgFolderIsReadWhereItExists) {
  std::filesystem::create_directories(folder_.path() / "ragstone");
  std::ofstream(folder_.path() / "ragstone/ragstone.toml") << "threads = 7\n";
  sources_.environment["XDG_CONFIG_HOME"] = folder_.path().string();
  EXPECT_EQ(LoadSettings(sources_)->threads, 7u);
  std::ofstream(folder_.path() / "other.toml") << "threads = 8\n";
  sources_.environment["RAGSTONE_CONFIG"] = (folder_.path() / "other.toml").string();
  EXPECT_EQ(LoadSettings(sources_)->threads, 8u);
}

TEST_F(SettingsTest, WithoutHomeTheMessageSaysWhatToSet) {
  sources_.environment.clear();
  EXPECT_THAT(Failure(), AllOf(HasSubstr("XDG_DATA_HOME"), HasSubstr("--data-dir")));
  sources_.flags = {{"data_dir", "/d"}, {"models_dir", "/m"}};
  EXPECT_TRUE(LoadSettings(sources_).ok());
}

TEST_F(SettingsTest, EnvironmentHoldsOnlyOurVariables) {
  ::setenv("RAGSTONE_TEST_VISIBLE", "a=b", 1);
  const auto environment = ReadEnvironment();
  EXPECT_EQ(environment.at("RAGSTONE_TEST_VISIBLE"), "a=b");
  EXPECT_EQ(environment.count("PATH"), 0u);
  ::unsetenv("RAGSTONE_TEST_VISIBLE");
}

TEST_F(SettingsTest, TableHasUniqueNamesTextsAndDefaultsThatAreAllowed) {
  std::set<std::string_view> names;
  for (const SettingInfo& info : AllSettings()) {
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_FALSE(info.text.empty()) << info.name;
    EXPECT_LE(info.min, info.max) << info.name;
  }
  // A fuzzed text never ends the process and is refused by name or taken.
  for (const SettingInfo& info : AllSettings()) {
    for (const char* text : {"", "\xff\xfe", "1e309", "99999999999999999999", "-", ":", "~"}) {
      sources_.flags = {{std::string(info.name), text}};
      const Result<Settings> settings = LoadSettings(sources_);
      if (!settings.ok()) {
        EXPECT_EQ(settings.status().reason(), Reason::kInvalidSetting) << info.name;
      }
    }
  }
}

// With RAGSTONE_TEST_WRITE_DOCS=1 the test writes the page instead.
TEST_F(SettingsTest, ConfigurationPageIsThatOfTheTable) {
  const std::filesystem::path file =
      std::filesystem::path(RAGSTONE_SOURCE_DIR) / "docs/CONFIGURATION.md";
  if (::getenv("RAGSTONE_TEST_WRITE_DOCS") != nullptr) {
    ASSERT_TRUE(CreateDirectories(file.parent_path(), 0755).ok());
    ASSERT_TRUE(WriteFileAtomically(file, SettingsMarkdown()).ok());
  }
  const Result<std::string> page = ReadFile(file);
  ASSERT_TRUE(page.ok()) << page.status().ToString();
  EXPECT_EQ(*page, SettingsMarkdown())
      << "write it again with RAGSTONE_TEST_WRITE_DOCS=1 and this test";
}

TEST(SettingValuesTest, BytesTakeSuffixes) {
  EXPECT_EQ(*ParseBytes("0"), 0u);
  EXPECT_EQ(*ParseBytes("1024"), 1024u);
  EXPECT_EQ(*ParseBytes("7B"), 7u);
  EXPECT_EQ(*ParseBytes("2KiB"), 2048u);
  EXPECT_EQ(*ParseBytes("1.5GiB"), uint64_t{3} << 29);
  EXPECT_EQ(*ParseBytes("3 MiB"), uint64_t{3} << 20);
  EXPECT_EQ(*ParseBytes("1TiB"), uint64_t{1} << 40);
  for (const char* bad : {"", "GiB", "1GB", "-1", "1e30", "1 2", "x", "infKiB"}) {
    EXPECT_EQ(ParseBytes(bad).status().reason(), Reason::kInvalidSetting) << bad;
  }
  EXPECT_EQ(FormatBytes(uint64_t{512} << 20), "512MiB");
  EXPECT_EQ(FormatBytes(1000), "1000");
  EXPECT_EQ(FormatBytes(0), "0");
}

TEST(SettingValuesTest, NearestCountsSwapsAsOneChange) {
  EXPECT_EQ(Nearest("dta", {"data", "date", "tad"}), "data");
  EXPECT_EQ(Nearest("lsit", {"list", "lint"}), "list");
  EXPECT_EQ(Nearest("x", {}), "");
}

class MemoryTest : public ::testing::Test {
 protected:
  void Write(const std::string& name, const std::string& text) {
    const auto file = folder_.path() / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  MemoryTest() { Write("proc/meminfo", "MemTotal:       8388608 kB\nMemFree: 1 kB\n"); }
  TempFolder folder_;
};

TEST_F(MemoryTest, IsTheMachinesRamWithoutControlGroups) {
  EXPECT_EQ(MemoryOfMachine(folder_.path()), uint64_t{8} << 30);
  EXPECT_GT(MemoryOfMachine(), uint64_t{1} << 26);
}

TEST_F(MemoryTest, IsTheLowestLimitAboveAGroupOfVersion2) {
  Write("proc/self/cgroup", "0::/user.slice/app.scope\n");
  Write("sys/fs/cgroup/user.slice/memory.max", "2147483648\n");
  Write("sys/fs/cgroup/user.slice/app.scope/memory.max", "max\n");
  EXPECT_EQ(MemoryOfMachine(folder_.path()), uint64_t{2} << 30);
  Write("sys/fs/cgroup/user.slice/app.scope/memory.max", "1073741824\n");
  EXPECT_EQ(MemoryOfMachine(folder_.path()), uint64_t{1} << 30);
}

TEST_F(MemoryTest, IsTheLimitOfAGroupOfVersion1) {
  Write("proc/self/cgroup", "12:cpu,cpuacct:/x\n5:memory:/docker/abc\n");
  // What v1 says for "no limit" is more than there is.
  Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(MemoryOfMachine(folder_.path()), uint64_t{8} << 30);
  Write("sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "536870912\n");
  EXPECT_EQ(MemoryOfMachine(folder_.path()), uint64_t{512} << 20);
}

}  // namespace
}  // namespace ragstone::services
