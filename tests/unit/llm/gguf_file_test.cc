#include "llm/gguf_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <iostream>
#include <random>
#include <string>

namespace ragstone::llm {
namespace {

// Writes GGUF files, good ones and bad ones.
class Writer {
 public:
  template <typename T>
  Writer& Number(T value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
    return *this;
  }
  Writer& Text(const std::string& text) {
    Number<uint64_t>(text.size());
    bytes_ += text;
    return *this;
  }
  Writer& Raw(const std::string& text) {
    bytes_ += text;
    return *this;
  }
  Writer& KeyText(const std::string& key, const std::string& value) {
    return Text(key).Number<uint32_t>(8).Text(value);
  }
  const std::string& bytes() const { return bytes_; }
  std::string Padded(size_t data_bytes) const {
    std::string file = bytes_;
    file.resize((file.size() + 31) / 32 * 32 + data_bytes);
    return file;
  }

 private:
  std::string bytes_;
};

Writer Header(uint64_t tensors, uint64_t keys, uint32_t version = 3) {
  Writer writer;
  writer.Raw("GGUF").Number<uint32_t>(version).Number<uint64_t>(tensors).Number<uint64_t>(keys);
  return writer;
}

Writer& Tensor(Writer& writer, const std::string& name, uint64_t columns, uint32_t type,
               uint64_t offset) {
  return writer.Text(name)
      .Number<uint32_t>(2)
      .Number<uint64_t>(columns)
      .Number<uint64_t>(2)
      .Number<uint32_t>(type)
      .Number<uint64_t>(offset);
}

std::string GoodFile() {
  Writer writer = Header(2, 4);
  writer.KeyText("general.architecture", "llama").KeyText("general.license", "mit");
  writer.Text("llama.block_count").Number<uint32_t>(4).Number<uint32_t>(2);
  writer.Text("tokens").Number<uint32_t>(9).Number<uint32_t>(8).Number<uint64_t>(2).Text("a").Text(
      "b");
  Tensor(writer, "x", 32, 8, 0);  // Q8_0: 2 blocks of 34 bytes
  Tensor(writer, "y", 8, 0, 96);  // F32: 64 bytes
  return writer.Padded(160);
}

TEST(GgufFileTest, FactsOfAGoodFileAreRead) {
  const Result<GgufFacts> facts = ParseGguf(GoodFile());
  ASSERT_TRUE(facts.ok()) << facts.status().ToString();
  EXPECT_EQ(facts->version, 3u);
  EXPECT_EQ(facts->tensors, 2u);
  EXPECT_EQ(facts->parameters, 80u);
  EXPECT_EQ(facts->architecture, "llama");
  EXPECT_EQ(facts->texts.at("general.license"), "mit");
  EXPECT_EQ(facts->numbers, (std::map<std::string, double>{{"llama.block_count", 2}}));
}

TEST(GgufFileTest, NumbersOfEveryTypeAreRead) {
  Writer writer = Header(1, 13);
  writer.KeyText("general.architecture", "bert");
  writer.Text("u8").Number<uint32_t>(0).Number<uint8_t>(200);
  writer.Text("i8").Number<uint32_t>(1).Number<int8_t>(-3);
  writer.Text("u16").Number<uint32_t>(2).Number<uint16_t>(60000);
  writer.Text("i16").Number<uint32_t>(3).Number<int16_t>(-30000);
  writer.Text("u32").Number<uint32_t>(4).Number<uint32_t>(4000000000);
  writer.Text("i32").Number<uint32_t>(5).Number<int32_t>(-2000000000);
  writer.Text("f32").Number<uint32_t>(6).Number<float>(-0.5f);
  writer.Text("yes").Number<uint32_t>(7).Number<uint8_t>(1);
  writer.Text("no").Number<uint32_t>(7).Number<uint8_t>(0);
  writer.Text("u64").Number<uint32_t>(10).Number<uint64_t>(1ull << 60);
  writer.Text("i64").Number<uint32_t>(11).Number<int64_t>(-(1ll << 60));
  writer.Text("f64").Number<uint32_t>(12).Number<double>(1e300);
  const std::string file = Tensor(writer, "x", 8, 0, 0).Padded(64);
  const Result<GgufFacts> facts = ParseGguf(file);
  ASSERT_TRUE(facts.ok()) << facts.status().ToString();
  EXPECT_EQ(facts->numbers, (std::map<std::string, double>{{"u8", 200},
                                                           {"i8", -3},
                                                           {"u16", 60000},
                                                           {"i16", -30000},
                                                           {"u32", 4000000000},
                                                           {"i32", -2000000000},
                                                           {"f32", -0.5},
                                                           {"yes", 1},
                                                           {"no", 0},
                                                           {"u64", 0x1p60},
                                                           {"i64", -0x1p60},
                                                           {"f64", 1e300}}));
}

TEST(GgufFileTest, TheTableOfTensorsPointsIntoTheFile) {
  const std::string file = GoodFile();
  const Result<GgufFacts> facts = ParseGguf(file);
  ASSERT_TRUE(facts.ok()) << facts.status().ToString();
  ASSERT_EQ(facts->tensor_table.size(), 2u);
  const GgufTensor& x = facts->tensor_table[0];
  const GgufTensor& y = facts->tensor_table[1];
  EXPECT_EQ(x.name, "x");
  EXPECT_EQ(x.type, 8u);
  EXPECT_EQ(x.sizes, (std::array<uint64_t, 4>{32, 2, 1, 1}));
  EXPECT_EQ(x.bytes.data(), file.data() + file.size() - 160);
  EXPECT_EQ(x.bytes.size(), 68u);
  EXPECT_EQ(y.name, "y");
  EXPECT_EQ(y.type, kGgufF32);
  EXPECT_EQ(y.sizes, (std::array<uint64_t, 4>{8, 2, 1, 1}));
  EXPECT_EQ(y.bytes.data() + y.bytes.size(), file.data() + file.size());
  EXPECT_EQ(y.bytes.size(), 64u);
}

TEST(GgufFileTest, TheAlignmentOfTheFilePlacesTheTensors) {
  Writer writer = Header(1, 2);
  writer.KeyText("general.architecture", "bert");
  writer.Text("general.alignment").Number<uint32_t>(4).Number<uint32_t>(8);
  std::string file = Tensor(writer, "x", 8, 0, 8).Padded(0);
  file.resize((file.size() + 7) / 8 * 8 + 200);
  const Result<GgufFacts> facts = ParseGguf(file);
  ASSERT_TRUE(facts.ok()) << facts.status().ToString();
  EXPECT_EQ(facts->numbers.at("general.alignment"), 8);
  const auto at = static_cast<size_t>(facts->tensor_table[0].bytes.data() - file.data());
  EXPECT_EQ(at % 8, 0u);
  EXPECT_EQ(facts->tensor_table[0].bytes.size(), 64u);
}

TEST(GgufFileTest, TensorsOfUnknownTypesHaveNoBytes) {
  Writer writer = Header(1, 1);
  writer.KeyText("general.architecture", "bert");
  Tensor(writer, "x", 8, 12345, 0);
  // In the second file the data would begin beyond the end.
  for (const std::string& file : {writer.Padded(64), writer.bytes()}) {
    const Result<GgufFacts> facts = ParseGguf(file);
    ASSERT_TRUE(facts.ok()) << facts.status().ToString();
    EXPECT_EQ(facts->tensor_table[0].type, 12345u);
    EXPECT_TRUE(facts->tensor_table[0].bytes.empty());
  }
}

TEST(GgufFileTest, EveryTruncationIsRefused) {
  const std::string good = GoodFile();
  for (size_t size = 0; size < good.size(); ++size) {
    const Status status = ParseGguf(good.substr(0, size)).status();
    EXPECT_EQ(status.reason(), Reason::kModelCorrupt) << size;
  }
}

TEST(GgufFileTest, WrongFilesAreRefusedWithAReason) {
  const auto with_tensor = [](uint64_t columns, uint32_t type, uint64_t offset) {
    Writer writer = Header(1, 1);
    writer.KeyText("general.architecture", "llama");
    return Tensor(writer, "x", columns, type, offset).Padded(256);
  };
  Writer twice = Header(2, 1);
  twice.KeyText("general.architecture", "llama");
  Tensor(Tensor(twice, "x", 8, 0, 0), "x", 8, 0, 64);
  Writer same_key = Header(1, 2);
  same_key.KeyText("general.architecture", "llama").KeyText("general.architecture", "bert");
  Writer list = Header(1, 1);
  list.Text("tokens").Number<uint32_t>(9).Number<uint32_t>(4).Number<uint64_t>(1ull << 60);
  Writer alignment = Header(1, 1);
  alignment.Text("general.alignment").Number<uint32_t>(4).Number<uint32_t>(24);
  Writer wide_alignment = Header(1, 1);
  wide_alignment.Text("general.alignment").Number<uint32_t>(10).Number<uint64_t>(32);
  Writer unknown_key = Header(1, 1);
  unknown_key.Text("x").Number<uint32_t>(13).Number<uint64_t>(32);
  Writer dimensions = Header(1, 1);
  dimensions.KeyText("general.architecture", "llama").Text("x").Number<uint32_t>(5);
  Writer name = Header(1, 1);
  name.KeyText("general.architecture", "llama").Number<uint64_t>(UINT64_MAX);
  const std::pair<std::string, const char*> wrong[] = {
      {"%PDF-1.7 is something else", "begin with the letters GGUF"},
      {Header(0, 0).Padded(64), "0 tensors"},
      {Header(1ull << 40, 1).Padded(64), "tensors"},
      {Header(1, 1ull << 40).Padded(64), "keys"},
      {Header(1, 0).Padded(64), "general.architecture is missing"},
      {with_tensor(8, 0, 1ull << 50), "beyond the end"},
      {with_tensor(8, 0, 24), "not aligned"},
      {with_tensor(1ull << 62, 0, 0), "impossible dimensions"},
      {with_tensor(33, 8, 0), "whole number of blocks"},
      {with_tensor(1024, 0, 0), "beyond the end"},
      {twice.Padded(256), "comes twice"},
      {same_key.Padded(256), "comes twice"},
      {list.Padded(256), "claims"},
      {alignment.Padded(256), "general.alignment is 24"},
      {wide_alignment.Padded(256), "not a 32-bit number"},
      {unknown_key.Padded(256), "the key x has an unknown type"},
      {dimensions.Padded(256), "more than 4 dimensions"},
      {name.Padded(256), "claims 18446744073709551615 bytes"},
  };
  for (const auto& [file, text] : wrong) {
    const Status status = ParseGguf(file).status();
    EXPECT_EQ(status.reason(), Reason::kModelCorrupt) << text;
    EXPECT_NE(status.message().find(text), std::string::npos) << status.message();
  }
}

TEST(GgufFileTest, OtherVersionsAreUnsupported) {
  EXPECT_EQ(ParseGguf(Header(1, 1, 1).Padded(64)).status().reason(), Reason::kModelUnsupported);
  EXPECT_EQ(ParseGguf(Header(1, 1, 0x03000000).Padded(64)).status().reason(),
            Reason::kModelUnsupported);
}

TEST(GgufFileTest, DamagedFilesNeverCrash) {
  const unsigned seed = std::random_device()();
  std::cout << "seed " << seed << "\n";
  std::mt19937 random(seed);
  const std::string good = GoodFile();
  for (int i = 0; i < 20000; ++i) {
    std::string bad = good;
    for (int k = 0; k < 3; ++k) bad[random() % bad.size()] = static_cast<char>(random());
    const Result<GgufFacts> facts = ParseGguf(bad);
    if (!facts.ok()) {
      EXPECT_EQ(facts.status().code(), StatusCode::kInvalidArgument);
      continue;
    }
    for (const GgufTensor& tensor : facts->tensor_table) {
      if (tensor.bytes.empty()) continue;
      EXPECT_GE(tensor.bytes.data(), bad.data());
      EXPECT_LE(tensor.bytes.data() + tensor.bytes.size(), bad.data() + bad.size());
    }
  }
}

}  // namespace
}  // namespace ragstone::llm
