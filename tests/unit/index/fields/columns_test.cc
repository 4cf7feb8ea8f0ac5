#include "index/internal/fields/columns.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

namespace ragstone::index::fields {
namespace {

TEST(NumberKeyTest, KeysAreOrderedAsTheValuesAre) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const std::vector<double> numbers = {-kInfinity, -1e300, -2.5, -1,    -5e-324,  0,
                                       5e-324,     1,      2.5,  1e300, kInfinity};
  for (size_t i = 1; i < numbers.size(); ++i) {
    EXPECT_LT(*NumberKey(FieldType::kFloat, numbers[i - 1]),
              *NumberKey(FieldType::kFloat, numbers[i]));
  }
  EXPECT_EQ(NumberKey(FieldType::kFloat, -0.0), NumberKey(FieldType::kFloat, 0.0));
  EXPECT_EQ(NumberKey(FieldType::kInteger, int64_t{-7}), -7);
  EXPECT_EQ(NumberKey(FieldType::kDatetime, Datetime{9}), 9);
  EXPECT_EQ(NumberKey(FieldType::kBoolean, true), 1);
}

TEST(NumberKeyTest, ValuesOfAnotherTypeHaveNone) {
  EXPECT_FALSE(NumberKey(FieldType::kInteger, 1.0).has_value());
  EXPECT_FALSE(NumberKey(FieldType::kFloat, int64_t{1}).has_value());
  EXPECT_FALSE(NumberKey(FieldType::kBoolean, int64_t{1}).has_value());
  EXPECT_FALSE(NumberKey(FieldType::kKeyword, std::string("x")).has_value());
}

Column Keywords(const std::vector<std::string>& values) {
  ColumnBuilder builder(FieldType::kKeyword);
  std::vector<PayloadValue> payloads(values.begin(), values.end());
  for (uint32_t row = 0; row < payloads.size(); ++row) builder.Add(payloads[row], row);
  return builder.Finish();
}

TEST(ColumnTest, HitsAcrossTwoKeywordsAreNone) {
  const Column column = Keywords({"ab", "ba", "", "aba", "xab"});
  std::vector<std::string> found;
  for (const uint32_t value : column.FindContaining("ba")) found.emplace_back(column.Text(value));
  EXPECT_EQ(found, (std::vector<std::string>{"aba", "ba"}))
      << "the dictionary is ab, aba, ba, xab in one text";
  EXPECT_TRUE(column.FindContaining("abab").empty());
}

TEST(ColumnTest, PrefixesOfTheHighestBytesEndTheDictionary) {
  const Column column = Keywords({"a", "\xF4\x8F\xBF\xBF", "\xF4\x8F\xBF\xBFz"});
  EXPECT_EQ(column.FindPrefix("\xF4\x8F\xBF\xBF"), (std::pair<uint32_t, uint32_t>(1, 3)));
  EXPECT_EQ(column.FindPrefix("\xFF"), (std::pair<uint32_t, uint32_t>(3, 3)));
  EXPECT_EQ(column.FindPrefix("b"), (std::pair<uint32_t, uint32_t>(1, 1)));
}

TEST(ColumnTest, EncodedColumnsReadBack) {
  const Column column = Keywords({"b", "a", "b", ""});
  std::string bytes;
  Encoder out(&bytes);
  column.Encode(&out);
  Decoder in(bytes);
  const Column decoded = Column::Decode(&in);
  ASSERT_TRUE(in.done());
  EXPECT_EQ(decoded.values(), 3u);
  EXPECT_EQ(decoded.Text(2), "b");
  EXPECT_EQ(decoded.exists().cardinality(), 4u);
  std::string again;
  Encoder out_again(&again);
  decoded.Encode(&out_again);
  EXPECT_EQ(again, bytes);
}

// Reads everything that a column says of itself.
void ReadAll(const Column& column, const std::vector<Scalar>& wanted) {
  const std::vector<uint32_t> rows = column.postings().AllRows();
  EXPECT_EQ(rows.size(), column.type() == FieldType::kText ? 0 : column.postings().starts().back());
  for (const uint32_t value : column.FindValues(wanted)) EXPECT_LT(value, column.values());
  for (uint32_t value = 0; value < column.values(); ++value) {
    EXPECT_LE(column.postings().Union(0, value + 1).cardinality(), rows.size());
    EXPECT_LE(column.postings().Union(value, value + 1).cardinality(), rows.size());
    if (column.type() == FieldType::kKeyword) {
      EXPECT_LE(column.Text(value).size(), 1u << 20);
    } else {
      EXPECT_EQ(NumberKey(FieldType::kInteger, column.Key(value)), column.Key(value));
    }
  }
  EXPECT_LE(column.FindPrefix("k1").second, column.values());
  for (const uint32_t value : column.FindContaining("k")) EXPECT_LT(value, column.values());
  // As merging does.
  ColumnBuilder again(column.type());
  again.AddColumn(column, nullptr);
  EXPECT_LE(again.Finish().values(), column.values());
}

// Without a checksum around them, cut or changed bytes may give another column, but never one that
// reads beyond its arrays (run under AddressSanitizer).
TEST(ColumnTest, DamagedColumnsAreRefusedOrSafe) {
  for (const FieldType type : {FieldType::kInteger, FieldType::kKeyword}) {
    for (const int64_t values : {7, 401}) {
      ColumnBuilder builder(type);
      std::vector<PayloadValue> payloads;
      for (int64_t row = 0; row < 3000; ++row) {
        const int64_t value = row * row % values;
        payloads.push_back(type == FieldType::kInteger ? PayloadValue(value)
                                                       : PayloadValue("k" + std::to_string(value)));
      }
      for (uint32_t row = 0; row < payloads.size(); ++row) builder.Add(payloads[row], row);
      std::string bytes;
      Encoder out(&bytes);
      builder.Finish().Encode(&out);
      int refused = 0;
      for (size_t i = 0; i < bytes.size(); i += 41) {
        std::string damaged = bytes;
        damaged[i] = static_cast<char>(damaged[i] ^ (1 << (i % 8)));
        Decoder in(damaged);
        const Column column = Column::Decode(&in);
        if (in.done()) {
          ReadAll(column, {std::string("k1"), int64_t{1}, std::string()});
        } else {
          ++refused;
        }
      }
      EXPECT_GT(refused, 0);
    }
  }
}

}  // namespace
}  // namespace ragstone::index::fields
