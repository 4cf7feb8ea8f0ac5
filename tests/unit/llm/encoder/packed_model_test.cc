// Tests packed_model.cc, and of packed_weights.cc that its layout stays what files have.
#include "llm/encoder/packed_model.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>
#include <functional>
#include <limits>
#include <set>
#include <string_view>
#include <thread>
#include <utility>

#include "base/file.h"
#include "base/hash.h"
#include "llm/encoder/encoder.h"
#include "llm/encoder/packed_weights.h"
#include "tests/testing/temp_folder.h"
#include "tests/unit/llm/encoder/tiny_bert.h"

namespace ragstone::llm {
namespace {

namespace fs = std::filesystem;

// Kernels of each product, for what they say of the layout.
std::vector<Kernels> Layouts() {
  std::vector<Kernels> all(3, PortableKernels());
  all[1].tier = "two";
  all[1].product = ProductType::kBf16;
  all[1].panel_columns = 32;
  all[2].tier = "three";
  all[2].product = ProductType::kInt8;
  all[2].panel_columns = 16;
  return all;
}

// All that a layer's products point to.
std::string BytesOf(const PackedModel::Layer& layer, const Kernels& kernels) {
  std::string all;
  const auto add = [&](const void* from, size_t bytes) {
    all.append(static_cast<const char*>(from), bytes);
  };
  const size_t weight = kernels.product == ProductType::kF32    ? 4
                        : kernels.product == ProductType::kBf16 ? 2
                                                                : 1;
  for (const PackedLinear* linear : {&layer.qkv, &layer.attention_output, &layer.up, &layer.down}) {
    add(linear->panels, linear->outputs * linear->inputs * weight);
    add(linear->bias, linear->outputs * sizeof(float));
    if (kernels.product != ProductType::kInt8) continue;
    add(linear->scales, linear->outputs * sizeof(float));
    add(linear->offsets, linear->outputs * sizeof(int32_t));
  }
  return all;
}

class PackedModelTest : public ::testing::Test {
 protected:
  fs::path dir() const { return folder_.path() / "packed"; }
  fs::path File() const { return dir() / PackedFileName(*model_, PortableKernels()); }
  // Whether a process that starts now finds the weights; whatever it finds, they are right.
  bool Starts() const { return StartsWith(*model_, PortableKernels()); }
  bool StartsWith(const BertModel& model, const Kernels& kernels) const {
    const PackedModel packed(model, kernels, dir());
    const PackedModel wanted(model, kernels, {});
    EXPECT_FALSE(wanted.mapped());
    EXPECT_EQ(packed.layers().size(), model.layers.size());
    for (size_t i = 0; i < packed.layers().size(); ++i) {
      EXPECT_TRUE(BytesOf(packed.layers()[i], kernels) == BytesOf(wanted.layers()[i], kernels));
    }
    EXPECT_TRUE(packed.status().ok());
    return packed.mapped();
  }
  std::set<std::string> FilesThere() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(dir())) {
      names.insert(entry.path().filename().string());
    }
    return names;
  }
  static void Write(const fs::path& file, const std::string& bytes) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
  }
  static void MakeOlder(const fs::path& file, std::chrono::minutes age) {
    fs::last_write_time(file, fs::file_time_type::clock::now() - age);
  }

  testing::TempFolder folder_;
  const std::shared_ptr<const BertModel> model_ = MakeTinyBert(TinyBertConfig(), 21);
};

TEST_F(PackedModelTest, TheNextProcessFindsWhatTheFirstHasPacked) {
  for (const Kernels& kernels : Layouts()) {
    EXPECT_FALSE(StartsWith(*model_, kernels)) << kernels.tier;
    EXPECT_TRUE(StartsWith(*model_, kernels)) << kernels.tier;
  }
  EXPECT_EQ(FilesThere().size(), 3u);
}

TEST_F(PackedModelTest, VectorsAreTheSameToTheLastBit) {
  const std::vector<int32_t> text = {1, 7, 3, 22, 39, 5};
  const std::span<const int32_t> span(text);
  std::vector<std::vector<float>> vectors;
  for (const fs::path& place : {fs::path(), dir(), dir()}) {
    const Encoder encoder(model_, PortableKernels(), place);
    Encoder::Workspace workspace(encoder, text.size());
    vectors.emplace_back(model_->config.hidden);
    encoder.Encode({&span, 1}, &workspace, vectors.back().data());
  }
  EXPECT_TRUE(Starts());
  EXPECT_EQ(vectors[1], vectors[0]);
  EXPECT_EQ(vectors[2], vectors[0]);
}

TEST_F(PackedModelTest, OtherWeightsAndOtherTiersHaveFilesOfTheirOwn) {
  EXPECT_FALSE(Starts());
  EXPECT_FALSE(StartsWith(*MakeTinyBert(TinyBertConfig(), 22), PortableKernels()));
  Kernels other = PortableKernels();
  other.tier = "other";
  EXPECT_FALSE(StartsWith(*model_, other));
  BertModel changed = *model_;
  changed.layers[1].up.bias[5] += 1;
  EXPECT_FALSE(StartsWith(changed, PortableKernels()));
  EXPECT_TRUE(Starts());
  EXPECT_EQ(FilesThere().size(), 4u);
}

TEST_F(PackedModelTest, ATableOfTheSameNameButAnotherLayoutIsPackedAgain) {
  EXPECT_FALSE(Starts());
  Kernels wider = PortableKernels();
  wider.panel_columns *= 2;
  EXPECT_FALSE(StartsWith(*model_, wider));
  EXPECT_TRUE(StartsWith(*model_, wider));
  EXPECT_FALSE(Starts());
}

TEST_F(PackedModelTest, DoubtfulFilesAreMadeAgain) {
  EXPECT_FALSE(Starts());
  const std::string good = *ReadFile(File());
  const std::pair<const char*, std::function<void()>> changes[] = {
      {"empty", [&] { Write(File(), ""); }},
      {"short", [&] { Write(File(), good.substr(0, good.size() - 1)); }},
      {"long", [&] { Write(File(), good + '\0'); }},
      {"only zeros", [&] { Write(File(), std::string(good.size(), '\0')); }},
      {"writable for the group", [&] { chmod(File().c_str(), 0664); }},
      {"writable for all", [&] { chmod(File().c_str(), 0646); }},
      {"a link",
       [&] {
         fs::rename(File(), dir() / "elsewhere");
         fs::create_symlink("elsewhere", File());
       }},
      {"a pipe",
       [&] {
         fs::remove(File());
         ASSERT_EQ(mkfifo(File().c_str(), 0644), 0);
       }},
      {"of other weights",
       [&] {
         const auto other = MakeTinyBert(TinyBertConfig(), 30);
         EXPECT_FALSE(StartsWith(*other, PortableKernels()));
         fs::rename(dir() / PackedFileName(*other, PortableKernels()), File());
       }},
  };
  for (const auto& [what, change] : changes) {
    change();
    EXPECT_FALSE(Starts()) << what;
    EXPECT_TRUE(Starts()) << what;
  }
}

TEST_F(PackedModelTest, NoChangedByteIsBelieved) {
  EXPECT_FALSE(Starts());
  const std::string good = *ReadFile(File());
  for (size_t at = 0; at < good.size(); at += at < 160 ? 5 : 9973) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    Write(File(), bad);
    EXPECT_FALSE(PackedModel(*model_, PortableKernels(), dir()).mapped()) << at;
  }
  EXPECT_TRUE(Starts());
}

TEST_F(PackedModelTest, WhereNothingCanBeWrittenWeightsArePackedInMemory) {
  Write(dir(), "a file in the folder's place");
  EXPECT_FALSE(Starts());
  EXPECT_FALSE(Starts());
  fs::remove(dir());
  fs::create_directories(File() / "a folder in the file's place");
  EXPECT_FALSE(Starts());
  EXPECT_FALSE(Starts());
  EXPECT_EQ(FilesThere().size(), 1u);
}

TEST_F(PackedModelTest, FilesThatNobodyReadsAnyMoreAreRemoved) {
  fs::create_directories(dir());
  const std::string name = File().filename().string();
  const std::string other = name.substr(0, name.rfind("-v")) + "-v";
  const std::set<std::string> kept = {"README", "other-" + name + ".tmp.4711.1"};
  const std::set<std::string> removed = {other + "0.packed", other + "4000000000.packed",
                                         name + ".tmp.4711.0"};
  for (const std::string& file : kept) Write(dir() / file, "x");
  for (const std::string& file : removed) Write(dir() / file, "x");
  MakeOlder(dir() / ("other-" + name + ".tmp.4711.1"), std::chrono::minutes(30));
  MakeOlder(dir() / (name + ".tmp.4711.0"), std::chrono::minutes(90));
  EXPECT_FALSE(Starts());
  std::set<std::string> wanted = kept;
  wanted.insert(name);
  EXPECT_EQ(FilesThere(), wanted);
}

TEST_F(PackedModelTest, WhatAnotherProcessIsWritingIsNotWrittenTwice) {
  fs::create_directories(dir());
  const fs::path unfinished = File().string() + ".tmp.4711.0";
  Write(unfinished, "x");
  EXPECT_FALSE(Starts());
  EXPECT_FALSE(Starts());
  EXPECT_EQ(FilesThere(), std::set<std::string>{unfinished.filename().string()});
  MakeOlder(unfinished, std::chrono::minutes(61));
  EXPECT_FALSE(Starts());
  EXPECT_TRUE(Starts());
  EXPECT_EQ(FilesThere(), std::set<std::string>{File().filename().string()});
}

TEST_F(PackedModelTest, AFolderKeepsTheNewestFiles) {
  std::vector<std::unique_ptr<BertModel>> models;
  for (uint32_t i = 0; i < kPackedFilesMax + 3; ++i) {
    models.push_back(MakeTinyBert(TinyBertConfig(), 40 + i));
    EXPECT_FALSE(StartsWith(*models.back(), PortableKernels()));
    const auto age = std::chrono::minutes(100 - i);
    MakeOlder(dir() / PackedFileName(*models.back(), PortableKernels()), age);
  }
  EXPECT_EQ(FilesThere().size(), kPackedFilesMax);
  EXPECT_TRUE(StartsWith(*models.back(), PortableKernels()));
  EXPECT_TRUE(StartsWith(*models[3], PortableKernels()));
  EXPECT_FALSE(StartsWith(*models[2], PortableKernels()));
}

TEST_F(PackedModelTest, ManyThatStartAtOnceDoNotHarmEachOther) {
  for (int round = 0; round < 5; ++round) {
    std::vector<std::thread> starts;
    for (int i = 0; i < 6; ++i) starts.emplace_back([this] { Starts(); });
    for (std::thread& start : starts) start.join();
    EXPECT_EQ(FilesThere(), std::set<std::string>{File().filename().string()});
    EXPECT_TRUE(Starts());
    fs::remove(File());
  }
}

TEST_F(PackedModelTest, WeightsThatAreNoNumbersAreNotKept) {
  BertModel model = *model_;
  FloatMatrix& weight = model.layers[1].up.weight;
  std::vector<float> values(size_t{weight.rows} * weight.columns, 0.5f);
  values[17] = std::numeric_limits<float>::infinity();
  weight.values = values.data();
  for (int start = 0; start < 2; ++start) {
    const PackedModel packed(model, PortableKernels(), dir());
    EXPECT_EQ(packed.status().reason(), Reason::kModelCorrupt);
    EXPECT_NE(packed.status().message().find("layer 1"), std::string::npos);
    EXPECT_FALSE(packed.mapped());
  }
  EXPECT_FALSE(fs::exists(dir()));
}

// Whoever changes these numbers changes what files have: kPackedVersion must be raised.
TEST_F(PackedModelTest, TheLayoutIsThatOfThisVersion) {
  ASSERT_EQ(kPackedVersion, 1u);
  std::vector<uint64_t> found;
  for (const Kernels& kernels : Layouts()) {
    EXPECT_FALSE(StartsWith(*model_, kernels));
    found.push_back(FastHash(*ReadFile(dir() / PackedFileName(*model_, kernels))));
  }
  EXPECT_EQ(found, (std::vector<uint64_t>{13240919121423556172u, 10438560687943619302u,
                                          10462066215762134460u}));
}

}  // namespace
}  // namespace ragstone::llm
