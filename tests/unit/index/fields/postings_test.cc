#include "index/internal/fields/postings.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace ragstone::index::fields {
namespace {

// Lists of random rows, as sets; `values` of them, about `entries` in all.
std::vector<std::set<uint32_t>> RandomLists(uint32_t values, uint32_t entries, bool single,
                                            std::mt19937_64* random) {
  std::vector<std::set<uint32_t>> lists(values);
  // Every value has a row, and half of all rows belong to the first quarter of the values.
  for (uint32_t i = 0; i < std::max(values, entries); ++i) {
    const uint32_t limit = (*random)() % 2 == 0 ? values / 4 + 1 : values;
    const uint32_t value = i < values ? i : static_cast<uint32_t>((*random)() % limit);
    lists[value].insert(single ? i * 2 : static_cast<uint32_t>((*random)() % (entries * 2)));
  }
  return lists;
}

Postings MakePostings(const std::vector<std::set<uint32_t>>& lists) {
  std::vector<uint32_t> starts = {0};
  std::vector<uint32_t> rows;
  for (const std::set<uint32_t>& list : lists) {
    rows.insert(rows.end(), list.begin(), list.end());
    starts.push_back(static_cast<uint32_t>(rows.size()));
  }
  return Postings(std::move(starts), std::move(rows));
}

std::vector<uint32_t> ToVector(const Roaring& rows) {
  std::vector<uint32_t> out(rows.cardinality());
  rows.toUint32Array(out.data());
  return out;
}

class PostingsTest : public testing::TestWithParam<std::tuple<uint32_t, uint32_t, bool>> {};

TEST_P(PostingsTest, UnionsAreThoseOfTheLists) {
  const auto [values, entries, single] = GetParam();
  std::mt19937_64 random(entries + values);
  const auto lists = RandomLists(values, entries, single, &random);
  const Postings postings = MakePostings(lists);
  EXPECT_TRUE(postings.single() || !single);
  for (int i = 0; i < 60; ++i) {
    auto first = static_cast<uint32_t>(random() % (values + 1));
    auto last = static_cast<uint32_t>(random() % (values + 1));
    if (i % 3 == 0) last = std::min(values, first + 1);
    if (i % 3 == 1 && first > last) std::swap(first, last);
    std::set<uint32_t> expected;
    uint64_t expected_entries = 0;
    for (uint32_t value = first; value < last; ++value) {
      expected.insert(lists[value].begin(), lists[value].end());
      expected_entries += lists[value].size();
    }
    ASSERT_EQ(ToVector(postings.Union(first, last)),
              std::vector<uint32_t>(expected.begin(), expected.end()))
        << first << " to " << last;
    ASSERT_EQ(postings.Entries(first, std::max(first, last)), expected_entries);
    std::set<uint32_t> chosen;
    for (uint64_t n = random() % 30; n > 0; --n) chosen.insert(random() % values);
    expected.clear();
    for (const uint32_t value : chosen) expected.insert(lists[value].begin(), lists[value].end());
    const std::vector<uint32_t> wanted(chosen.begin(), chosen.end());
    ASSERT_EQ(ToVector(postings.UnionOf(wanted)),
              std::vector<uint32_t>(expected.begin(), expected.end()));
  }
}

TEST_P(PostingsTest, EncodedListsReadBack) {
  const auto [values, entries, single] = GetParam();
  std::mt19937_64 random(1);
  const auto lists = RandomLists(values, entries, single, &random);
  const Postings postings = MakePostings(lists);
  std::string bytes;
  Encoder out(&bytes);
  postings.Encode(&out);
  Decoder in(bytes);
  const Postings decoded = Postings::Decode(&in);
  ASSERT_TRUE(in.done());
  EXPECT_EQ(decoded.AllRows(), postings.AllRows());
  EXPECT_EQ(decoded.starts(), postings.starts());
  std::vector<uint32_t> all;
  for (const auto& list : lists) all.insert(all.end(), list.begin(), list.end());
  EXPECT_EQ(postings.AllRows(), all);
  for (size_t size = 0; size < bytes.size(); size += 1 + bytes.size() / 50) {
    Decoder cut(std::string_view(bytes).substr(0, size));
    static_cast<void>(Postings::Decode(&cut));
    EXPECT_FALSE(cut.ok()) << size;
  }
}

// Values, entries, whether a row has one value: below and above the entries and the values from
// which there are cuts, and with values that are frequent enough for cuts of their own.
INSTANTIATE_TEST_SUITE_P(
    Shapes, PostingsTest,
    testing::Values(std::tuple(1, 1, true), std::tuple(3, 50, true), std::tuple(3, 50, false),
                    std::tuple(2, 5000, true), std::tuple(64, 5000, true),
                    std::tuple(64, 5000, false), std::tuple(65, 20'000, true),
                    std::tuple(65, 20'000, false), std::tuple(9000, 9000, true),
                    std::tuple(9000, 30'000, false), std::tuple(30'000, 100'000, true)));

// The rows of a value are a difference of two bitmaps, as many as their counts differ only if the
// first lies within the second.
TEST(DamagedPostingsTest, BitmapsThatAreNotNestedAreRefused) {
  const auto range = [](uint32_t begin, uint32_t end) {
    Roaring rows;
    rows.addRange(begin, end);
    return rows;
  };
  const auto decode = [&](const Roaring& second, const Roaring& last) {
    const std::vector<uint32_t> starts = {0, 1000, 2000, 3000};
    std::string bytes;
    Encoder out(&bytes);
    EncodeArray(std::span<const uint32_t>(starts), &out);
    EncodeArray(std::span<const uint32_t>(), &out);
    EncodeArray(std::span<const uint32_t>(starts), &out);
    out.U8(1);
    EncodeRows(range(0, 3000), &out);
    for (const Roaring& bitmap : {Roaring(), range(0, 1000), second, last}) {
      EncodeRows(bitmap, &out);
    }
    Decoder in(bytes);
    static_cast<void>(Postings::Decode(&in));
    return in.done();
  };
  EXPECT_TRUE(decode(range(0, 2000), range(0, 3000)));
  EXPECT_FALSE(decode(range(1000, 3000), range(0, 3000)));
  EXPECT_FALSE(decode(range(0, 2000), range(1, 3001)));
}

TEST(PostingsOfNothingTest, AreEmpty) {
  const Postings none;
  EXPECT_EQ(none.values(), 0u);
  EXPECT_TRUE(none.Union(0, 0).isEmpty());
  EXPECT_TRUE(none.all().isEmpty());
}

}  // namespace
}  // namespace ragstone::index::fields
