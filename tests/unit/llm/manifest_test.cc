#include <gtest/gtest.h>

#include <iostream>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "base/hash.h"
#include "llm/model_store.h"

namespace ragstone::llm {
namespace {

Manifest FullManifest() {
  Manifest manifest;
  manifest.name = "m";
  manifest.architecture = "bert";
  manifest.storage_type = "F32";
  manifest.int8 = true;
  manifest.sha256 = Sha256Of("a").Hex();
  manifest.bytes = 5'000'000'000;
  manifest.parameters = 7;
  manifest.dimensions = 384;
  manifest.context_tokens = 256;
  manifest.pooling = "cls";
  manifest.normalize = false;
  manifest.query_prefix = "q: \"quoted\"\n";
  manifest.document_prefix = "d: ";
  manifest.license = "mit";
  manifest.tokenizer_sha256 = Sha256Of("t").Hex();
  manifest.measurements = {"one", "two"};
  return manifest;
}

TEST(ManifestTest, EveryFieldSurvivesTheRoundTrip) {
  const Manifest manifest = FullManifest();
  const Result<Manifest> read = ManifestFromJson(ManifestToJson(manifest));
  ASSERT_TRUE(read.ok()) << read.status().ToString();
  EXPECT_EQ(ManifestToJson(*read), ManifestToJson(manifest));
  EXPECT_EQ(read->bytes, 5'000'000'000u);
  EXPECT_EQ(read->query_prefix, manifest.query_prefix);
  EXPECT_FALSE(read->normalize);
}

TEST(ManifestTest, EveryMissingFieldIsNamed) {
  const auto json = nlohmann::json::parse(ManifestToJson(FullManifest()));
  for (const auto& [key, value] : json.items()) {
    if (key == "int8") continue;  // came later; absent is false
    nlohmann::json without = json;
    without.erase(key);
    const Status status = ManifestFromJson(without.dump()).status();
    EXPECT_EQ(status.code(), StatusCode::kDataLoss) << key;
    EXPECT_EQ(status.reason(), Reason::kModelCorrupt) << key;
    EXPECT_NE(status.message().find("'" + key + "'"), std::string::npos) << status.message();
  }
}

TEST(ManifestTest, WrongValuesAreNamed) {
  const auto json = nlohmann::json::parse(ManifestToJson(FullManifest()));
  const std::pair<const char*, nlohmann::json> wrong[] = {
      {"format", 2},
      {"kind", "reranker"},
      {"sha256", "abc"},
      {"bytes", -1},
      {"bytes", 1.5},
      {"dimensions", 5000000000},
      {"dimensions", 0},
      {"context_tokens", 0},
      {"pooling", "max"},
      {"file", "../model"},
      {"file", ""},
      {"normalize", "yes"},
      {"name", 7},
      {"measurements", {1, 2}},
      {"tokenizer_sha256", ""},
  };
  for (const auto& [key, value] : wrong) {
    nlohmann::json changed = json;
    changed[key] = value;
    const Status status = ManifestFromJson(changed.dump()).status();
    EXPECT_EQ(status.code(), StatusCode::kDataLoss) << key;
    EXPECT_NE(status.message().find(key), std::string::npos) << status.message();
  }
}

// Any bytes give a manifest or an error; the seed is printed to repeat a failure.
TEST(ManifestTest, DamagedTextIsRefusedOrReadButNeverCrashes) {
  const unsigned seed = std::random_device()();
  std::cout << "seed " << seed << "\n";
  std::mt19937 random(seed);
  const std::string good = ManifestToJson(FullManifest());
  for (int i = 0; i < 3000; ++i) {
    std::string bad = good;
    for (int k = 0; k < 3; ++k) bad[random() % bad.size()] = static_cast<char>(random());
    if (random() % 2 == 0) bad.resize(random() % bad.size());
    const Result<Manifest> read = ManifestFromJson(bad);
    if (!read.ok()) {
      EXPECT_EQ(read.status().code(), StatusCode::kDataLoss);
    }
  }
}

TEST(ManifestTest, TheFingerprintChangesWithEverythingThatChangesVectors) {
  const Manifest manifest = FullManifest();
  const std::string fingerprint = EmbeddingFingerprint(manifest);
  const auto differs = [&](auto change) {
    Manifest changed = manifest;
    change(&changed);
    return EmbeddingFingerprint(changed) != fingerprint;
  };
  EXPECT_TRUE(differs([](Manifest* m) { m->sha256 = Sha256Of("b").Hex(); }));
  EXPECT_TRUE(differs([](Manifest* m) { m->tokenizer_sha256 = Sha256Of("u").Hex(); }));
  EXPECT_TRUE(differs([](Manifest* m) { m->pooling = "mean"; }));
  EXPECT_TRUE(differs([](Manifest* m) { m->normalize = true; }));
  EXPECT_TRUE(differs([](Manifest* m) { m->query_prefix = "q"; }));
  EXPECT_TRUE(differs([](Manifest* m) { m->document_prefix = "q"; }));
  EXPECT_TRUE(differs([](Manifest* m) { m->storage_type = "BF16"; }));
  EXPECT_TRUE(differs([](Manifest* m) { m->context_tokens = 512; }));
  EXPECT_TRUE(differs([](Manifest* m) { m->int8 = false; }));
  // What is moved from one prefix to the other is a change as well.
  EXPECT_TRUE(differs([](Manifest* m) { std::swap(m->query_prefix, m->document_prefix); }));
  EXPECT_FALSE(differs([](Manifest* m) { m->license = "gpl"; }));
  EXPECT_FALSE(differs([](Manifest* m) { m->name = "other"; }));
}

}  // namespace
}  // namespace ragstone::llm
