#include "index/internal/operations/manifest.h"

#include <gtest/gtest.h>

namespace ragstone::index::operations {
namespace {

BackupManifest Example() {
  BackupManifest manifest;
  manifest.id = 7;
  manifest.name = "before-move";
  manifest.created_ns = 1'790'000'000'000'000'000;
  manifest.files = {{"db/rocksdb/000012.sst", Sha256Of("table"), 5, "ABC/12/5"},
                    {"blobs/ab/original with blanks", Sha256Of(""), 0, ""}};
  return manifest;
}

TEST(ManifestTest, WhatWasWrittenIsRead) {
  for (const std::string& name : {std::string("before-move"), std::string()}) {
    BackupManifest manifest = Example();
    manifest.name = name;
    const auto read = DecodeManifest(EncodeManifest(manifest));
    ASSERT_TRUE(read.ok()) << read.status().ToString();
    EXPECT_EQ(read->id, 7u);
    EXPECT_EQ(read->name, name);
    EXPECT_EQ(read->created_ns, manifest.created_ns);
    ASSERT_EQ(read->files.size(), 2u);
    EXPECT_EQ(read->files[0].path, "db/rocksdb/000012.sst");
    EXPECT_EQ(read->files[0].hash, Sha256Of("table"));
    EXPECT_EQ(read->files[0].origin, "ABC/12/5");
    EXPECT_EQ(read->files[1].path, "blobs/ab/original with blanks");
    EXPECT_EQ(read->files[1].origin, "");
    EXPECT_EQ(read->bytes(), 5u);
  }
}

TEST(ManifestTest, EveryChangedByteAndEveryCutIsRefused) {
  const std::string text = EncodeManifest(Example());
  for (size_t i = 0; i < text.size(); ++i) {
    std::string damaged = text;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_FALSE(DecodeManifest(damaged).ok()) << "byte " << i;
    EXPECT_EQ(DecodeManifest(text.substr(0, i)).status().code(), StatusCode::kDataLoss);
  }
  EXPECT_FALSE(DecodeManifest(text + "x").ok());
}

TEST(ManifestTest, PathsThatLeadOutsideAreRefused) {
  for (const char* path : {"../token", "/etc/passwd", "db/../../token", ""}) {
    BackupManifest manifest = Example();
    manifest.files[0].path = path;
    EXPECT_EQ(DecodeManifest(EncodeManifest(manifest)).status().code(), StatusCode::kDataLoss)
        << path;
  }
}

TEST(ManifestTest, AnotherFormatIsNamedAsSuch) {
  std::string text = "ragstone backup 2\n";
  text += "end " + Sha256Of(text).Hex() + "\n";
  EXPECT_EQ(DecodeManifest(text).status().reason(), Reason::kDataDirVersion);
}

TEST(ManifestTest, NamesAreChecked) {
  EXPECT_TRUE(CheckBackupName("").ok());
  EXPECT_TRUE(CheckBackupName("nightly-1.2_x").ok());
  for (const std::string& name : {std::string("a b"), std::string("a\nb"), std::string("-"),
                                  std::string(65, 'a'), std::string("a/b")}) {
    EXPECT_EQ(CheckBackupName(name).code(), StatusCode::kInvalidArgument) << name;
  }
}

}  // namespace
}  // namespace ragstone::index::operations
