#include "llm/model_store.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <string>

#include "base/file.h"
#include "base/hash.h"
#include "tests/testing/temp_folder.h"

namespace ragstone::llm {
namespace {

namespace fs = std::filesystem;

void Write(const fs::path& file, const std::string& bytes) {
  std::ofstream(file, std::ios::binary) << bytes;
}

// A manifest that fits the files that Stage writes.
Manifest EmbeddingManifest(const std::string& name) {
  Manifest manifest;
  manifest.name = name;
  manifest.kind = ModelKind::kEmbedding;
  manifest.architecture = "bert";
  manifest.storage_type = "BF16";
  manifest.sha256 = Sha256Of("weights").Hex();
  manifest.bytes = 7;
  manifest.source_sha256 = Sha256Of("source").Hex();
  manifest.parameters = 22'000'000;
  manifest.dimensions = 384;
  manifest.context_tokens = 256;
  manifest.pooling = "mean";
  manifest.query_prefix = "query: ";
  manifest.license = "apache-2.0";
  manifest.tokenizer_sha256 = Sha256Of("tokens").Hex();
  manifest.measurements = {"BF16: fast"};
  return manifest;
}

class ModelStoreTest : public ::testing::Test {
 protected:
  fs::path Stage() {
    const Result<fs::path> staging = store_.NewStagingFolder();
    EXPECT_TRUE(staging.ok()) << staging.status().ToString();
    Write(*staging / "model.gguf", "weights");
    Write(*staging / "tokenizer.json", "tokens");
    return *staging;
  }
  void InstallModel(const std::string& name) {
    const Status status = store_.Install(Stage(), EmbeddingManifest(name));
    ASSERT_TRUE(status.ok()) << status.ToString();
  }

  testing::TempFolder folder_;
  ModelStore store_{folder_.path() / "models"};
};

TEST_F(ModelStoreTest, AnEmptyStoreListsNothingAndSaysHowToInstall) {
  EXPECT_TRUE(store_.List()->empty());
  const Status status = store_.Get("all-MiniLM-L6-v2").status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_EQ(status.reason(), Reason::kModelNotFound);
  EXPECT_NE(status.message().find("ragstone model import"), std::string::npos);
  EXPECT_EQ(store_.Default(ModelKind::kGenerator).status().reason(), Reason::kModelNotFound);
}

TEST_F(ModelStoreTest, AnInstalledModelIsListedWithEveryField) {
  InstallModel("b");
  InstallModel("a");
  const Result<std::vector<Manifest>> list = store_.List();
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->size(), 2u);
  EXPECT_EQ((*list)[0].name, "a");
  EXPECT_EQ(ManifestToJson((*list)[1]), ManifestToJson(EmbeddingManifest("b")));
  EXPECT_EQ(store_.FileOf((*list)[0]), folder_.path() / "models" / "a" / "model.gguf");
}

TEST_F(ModelStoreTest, ASecondModelOfTheSameNameIsRefusedAndTheFirstStays) {
  InstallModel("m");
  const fs::path staging = Stage();
  Write(staging / "model.gguf", "other");
  const Status status = store_.Install(staging, EmbeddingManifest("m"));
  EXPECT_EQ(status.code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(status.reason(), Reason::kModelExists);
  EXPECT_EQ(*ReadFile(store_.FolderOf("m") / "model.gguf"), "weights");
}

TEST_F(ModelStoreTest, NamesThatLeaveTheFolderOrHideAreRefused) {
  for (const std::string name : {"", ".", "..", "../x", "a/b", ".hidden", "a b", "ä"}) {
    Manifest manifest = EmbeddingManifest(name);
    EXPECT_EQ(store_.Install(Stage(), manifest).code(), StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(store_.Get(name).status().code(), StatusCode::kInvalidArgument) << name;
    EXPECT_EQ(store_.Remove(name).code(), StatusCode::kInvalidArgument) << name;
  }
  EXPECT_EQ(store_.Get(std::string(129, 'a')).status().code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(store_.Get(std::string(128, 'a')).status().code(), StatusCode::kNotFound);
}

TEST_F(ModelStoreTest, TheDefaultIsRememberedUntilItsModelIsRemoved) {
  InstallModel("first");
  InstallModel("second");
  ASSERT_TRUE(store_.SetDefault(ModelKind::kEmbedding, "first").ok());
  EXPECT_EQ(ModelStore(store_.dir()).Default(ModelKind::kEmbedding)->name, "first");
  EXPECT_EQ(store_.SetDefault(ModelKind::kGenerator, "first").code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(store_.SetDefault(ModelKind::kEmbedding, "third").reason(), Reason::kModelNotFound);
  ASSERT_TRUE(store_.Remove("second").ok());
  EXPECT_TRUE(store_.Default(ModelKind::kEmbedding).ok());
  ASSERT_TRUE(store_.Remove("first").ok());
  EXPECT_EQ(store_.Default(ModelKind::kEmbedding).status().reason(), Reason::kModelNotFound);
  EXPECT_EQ(store_.Remove("first").reason(), Reason::kModelNotFound);
  EXPECT_FALSE(fs::exists(store_.FolderOf("first")));
}

TEST_F(ModelStoreTest, VerifyFindsAReplacedFileOfTheSameSize) {
  InstallModel("m");
  const Manifest manifest = *store_.Get("m");
  ASSERT_TRUE(store_.Verify(manifest).ok());
  Write(store_.FileOf(manifest), "WEIGHTS");
  // The new content must be noticed even if the clock is coarse.
  fs::last_write_time(store_.FileOf(manifest),
                      fs::file_time_type::clock::now() + std::chrono::seconds(5));
  const Status status = store_.Verify(manifest);
  EXPECT_EQ(status.code(), StatusCode::kDataLoss);
  EXPECT_EQ(status.reason(), Reason::kModelCorrupt);
}

TEST_F(ModelStoreTest, VerifyFindsATruncatedAMissingFileAndAForeignTokenizer) {
  InstallModel("m");
  const Manifest manifest = *store_.Get("m");
  Write(store_.FolderOf("m") / "tokenizer.json", "other!");
  EXPECT_EQ(store_.Verify(manifest).reason(), Reason::kModelCorrupt);
  Write(store_.FolderOf("m") / "tokenizer.json", "tokens");
  EXPECT_TRUE(store_.Verify(manifest).ok());
  Write(store_.FileOf(manifest), "weigh");
  EXPECT_EQ(store_.Verify(manifest).code(), StatusCode::kDataLoss);
  fs::remove(store_.FileOf(manifest));
  EXPECT_EQ(store_.Verify(manifest).code(), StatusCode::kNotFound);
}

// The content is changed behind the back of size and time: only a remembered result can be OK then.
TEST_F(ModelStoreTest, VerifyDoesNotHashAnUnchangedFileTwice) {
  InstallModel("m");
  const Manifest manifest = *store_.Get("m");
  ASSERT_TRUE(store_.Verify(manifest).ok());
  const auto time = fs::last_write_time(store_.FileOf(manifest));
  Write(store_.FileOf(manifest), "WEIGHTS");
  fs::last_write_time(store_.FileOf(manifest), time);
  EXPECT_TRUE(store_.Verify(manifest).ok());
}

TEST_F(ModelStoreTest, FoldersWithoutAReadableManifestAreLeftOut) {
  InstallModel("good");
  fs::create_directories(store_.dir() / "empty");
  fs::create_directories(store_.dir() / "broken");
  Write(store_.dir() / "broken" / "manifest.json", "{");
  fs::create_directories(store_.dir() / "renamed");
  Write(store_.dir() / "renamed" / "manifest.json", ManifestToJson(EmbeddingManifest("good")));
  EXPECT_EQ(store_.List()->size(), 1u);
  EXPECT_EQ(store_.Get("broken").status().reason(), Reason::kModelCorrupt);
  EXPECT_EQ(store_.Get("renamed").status().code(), StatusCode::kDataLoss);
}

TEST_F(ModelStoreTest, DamagedDefaultsAreReported) {
  InstallModel("m");
  Write(store_.dir() / "defaults.json", "[1]");
  EXPECT_EQ(store_.Default(ModelKind::kEmbedding).status().code(), StatusCode::kDataLoss);
}

TEST_F(ModelStoreTest, AStagingFolderIsHiddenAndAnOldOneIsRemoved) {
  const fs::path old = Stage();
  EXPECT_TRUE(store_.List()->empty());
  fs::last_write_time(old, fs::file_time_type::clock::now() - std::chrono::hours(25));
  const fs::path fresh = Stage();
  EXPECT_FALSE(fs::exists(old));
  EXPECT_TRUE(fs::exists(fresh));
}

TEST_F(ModelStoreTest, AModelWithoutItsFileIsNotInstalled) {
  const fs::path staging = Stage();
  fs::remove(staging / "model.gguf");
  EXPECT_EQ(store_.Install(staging, EmbeddingManifest("m")).code(), StatusCode::kNotFound);
  EXPECT_FALSE(store_.Get("m").ok());
}

}  // namespace
}  // namespace ragstone::llm
