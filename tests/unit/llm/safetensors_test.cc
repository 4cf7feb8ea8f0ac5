#include "llm/safetensors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <iostream>
#include <random>
#include <string>

namespace ragstone::llm {
namespace {

std::string File(const std::string& header, const std::string& data) {
  std::string file(8, '\0');
  const uint64_t size = header.size();
  std::memcpy(file.data(), &size, sizeof(size));
  return file + header + data;
}

std::string Floats(std::vector<float> values) {
  std::string bytes(values.size() * 4, '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

const char kHeader[] =
    R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},)"
    R"("b":{"dtype":"F16","shape":[3],"data_offsets":[16,22]},)"
    R"("c":{"dtype":"BF16","shape":[2],"data_offsets":[22,26]}})";

std::string GoodFile() {
  const std::string halves("\x00\x3C\x00\xC0\x01\x00", 6);  // 1, -2, the smallest subnormal
  const std::string brains("\x80\x3F\x20\xC1", 4);          // 1, -10
  return File(kHeader, Floats({1, 2, 3, 4}) + halves + brains);
}

TEST(SafetensorsTest, TensorsOfEachTypeAreRead) {
  const std::string file = GoodFile();
  const Result<SafeTensors> tensors = ParseSafetensors(file);
  ASSERT_TRUE(tensors.ok()) << tensors.status().ToString();
  ASSERT_EQ(tensors->size(), 3u);
  EXPECT_EQ(tensors->at("a").shape, (std::vector<uint64_t>{2, 2}));
  EXPECT_EQ(*TensorToFloats(tensors->at("a")), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(*TensorToFloats(tensors->at("b")), (std::vector<float>{1, -2, 0x1p-24f}));
  EXPECT_EQ(*TensorToFloats(tensors->at("c")), (std::vector<float>{1, -10}));
}

TEST(SafetensorsTest, HalvesOfEveryExponentAreExact) {
  SafeTensor tensor;
  tensor.type = "F16";
  for (uint32_t bits = 0; bits < 0x7C00; bits += 13) {
    const auto half = static_cast<uint16_t>(bits);
    std::string bytes(2, '\0');
    std::memcpy(bytes.data(), &half, 2);
    tensor.bytes = bytes;
    const double mantissa = (bits & 0x3FF) / 1024.0;
    const int exponent = static_cast<int>(bits >> 10);
    const double value =
        exponent == 0 ? std::ldexp(mantissa, -14) : std::ldexp(1 + mantissa, exponent - 15);
    EXPECT_EQ((*TensorToFloats(tensor))[0], static_cast<float>(value)) << bits;
  }
}

TEST(SafetensorsTest, WrongFilesAreRefusedWithAReason) {
  const std::string data(16, 'x');
  const std::pair<std::string, const char*> wrong[] = {
      {"", "shorter"},
      {std::string("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8), "claims"},
      {File("[]", data), "not a JSON object"},
      {File("{", data), "not a JSON object"},
      {File(R"({"a":1})", data), "lacks"},
      {File(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[0,17]}})", data), "ends at byte 17"},
      {File(R"({"a":{"dtype":"F32","shape":[4],"data_offsets":[8,4]}})", data), "ends at byte 4"},
      {File(R"({"a":{"dtype":"F32","shape":[5],"data_offsets":[0,16]}})", data), "asks for 20"},
      {File(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,16]}})", data), "malformed"},
      {File(R"({"a":{"dtype":"F33","shape":[4],"data_offsets":[0,16]}})", data), "F33"},
      {File(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,16]}})", data),
       "too large"},
      {File(R"({"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,4],"data_offsets":[0,16]}})", data),
       "malformed"},
  };
  for (const auto& [file, text] : wrong) {
    const Status status = ParseSafetensors(file).status();
    EXPECT_EQ(status.reason(), Reason::kModelCorrupt) << text;
    EXPECT_NE(status.message().find(text), std::string::npos) << status.message();
  }
}

TEST(SafetensorsTest, IntegersAreNoWeights) {
  SafeTensor tensor;
  tensor.type = "I64";
  EXPECT_EQ(TensorToFloats(tensor).status().reason(), Reason::kModelUnsupported);
}

// Every truncation and many random changes: an error or tensors within the file, never a crash.
TEST(SafetensorsTest, DamagedFilesNeverPointOutside) {
  const unsigned seed = std::random_device()();
  std::cout << "seed " << seed << "\n";
  std::mt19937 random(seed);
  const std::string good = GoodFile();
  for (size_t i = 0; i < good.size() + 5000; ++i) {
    std::string bad = good;
    if (i < good.size()) {
      bad.resize(i);
    } else {
      for (int k = 0; k < 4; ++k) bad[random() % bad.size()] = static_cast<char>(random());
    }
    const Result<SafeTensors> tensors = ParseSafetensors(bad);
    if (!tensors.ok()) continue;
    for (const auto& [name, tensor] : *tensors) {
      EXPECT_GE(tensor.bytes.data(), bad.data());
      EXPECT_LE(tensor.bytes.data() + tensor.bytes.size(), bad.data() + bad.size());
      static_cast<void>(TensorToFloats(tensor));
    }
  }
}

}  // namespace
}  // namespace ragstone::llm
