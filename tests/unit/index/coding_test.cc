#include "index/internal/coding.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

namespace ragstone::index {
namespace {

TEST(CodingTest, ReadsBackWhatWasWritten) {
  std::string bytes;
  Encoder out(&bytes);
  const uint64_t numbers[] = {0, 1, 127, 128, 300, UINT32_MAX, UINT64_MAX};
  const int64_t signed_numbers[] = {0, -1, 1, -64, 64, INT64_MIN, INT64_MAX};
  for (const uint64_t n : numbers) out.Varint(n);
  for (const int64_t n : signed_numbers) out.SignedVarint(n);
  out.U8(7);
  out.U32(0x01020304);
  out.U64(5);
  out.F32(-1.5f);
  out.F64(1e300);
  out.String("text");
  Decoder in(bytes);
  for (const uint64_t n : numbers) EXPECT_EQ(in.Varint(), n);
  for (const int64_t n : signed_numbers) EXPECT_EQ(in.SignedVarint(), n);
  EXPECT_EQ(in.U8(), 7);
  EXPECT_EQ(in.U32(), 0x01020304u);
  EXPECT_EQ(in.U64(), 5u);
  EXPECT_EQ(in.F32(), -1.5f);
  EXPECT_EQ(in.F64(), 1e300);
  EXPECT_EQ(in.String(), "text");
  EXPECT_TRUE(in.done());
}

TEST(CodingTest, ByteOrderIsNumberOrder) {
  std::string small;
  std::string large;
  Encoder(&small).U64(255);
  Encoder(&large).U64(256);
  EXPECT_LT(small, large);
}

TEST(CodingTest, EveryTruncationFails) {
  std::string bytes;
  Encoder out(&bytes);
  out.Varint(1u << 20);
  out.String("some text");
  out.U64(9);
  for (size_t size = 0; size < bytes.size(); ++size) {
    Decoder in(std::string_view(bytes).substr(0, size));
    in.Varint();
    in.String();
    in.U64();
    EXPECT_FALSE(in.ok()) << size;
  }
}

TEST(CodingTest, OverlongVarintAndHugeCountFail) {
  const std::string ones(10, '\xff');
  Decoder overlong(ones);
  overlong.Varint();
  EXPECT_FALSE(overlong.ok());
  std::string bytes;
  Encoder(&bytes).Varint(UINT64_MAX);
  Decoder count(bytes);
  EXPECT_EQ(count.Count(1), 0u);
  EXPECT_FALSE(count.ok());
  Decoder narrow(bytes);
  EXPECT_EQ(narrow.Varint32(), 0u);
  EXPECT_FALSE(narrow.ok());
}

}  // namespace
}  // namespace ragstone::index
