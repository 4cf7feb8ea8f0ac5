// Covers posting_list.cc, bit_packing.cc, list_cursor.cc, list_cache.cc and positions.cc.
#include "index/internal/keywords/posting_list.h"

#include <gtest/gtest.h>

#include <random>

#include "index/internal/coding.h"
#include "index/internal/keywords/list_cache.h"
#include "index/internal/keywords/list_cursor.h"
#include "index/internal/keywords/positions.h"

namespace ragstone::index::keywords {
namespace {

constexpr uint32_t kRows = 1u << 31;

uint8_t TestBound(const Posting& posting) {
  return static_cast<uint8_t>(std::min<uint32_t>(255, posting.frequency));
}

std::vector<Posting> RandomPostings(size_t count, uint32_t gap_max, std::mt19937* random) {
  std::vector<Posting> postings;
  uint32_t ordinal = (*random)() % gap_max;
  for (size_t i = 0; i < count; ++i) {
    const uint32_t frequency = (*random)() % 4 == 0 ? 1 + (*random)() % 1000 : 1;
    postings.push_back({ordinal, frequency});
    ordinal += 1 + (*random)() % gap_max;
  }
  return postings;
}

PostingList ListOf(const std::vector<Posting>& postings) {
  PostingList list;
  for (size_t i = 0; i < postings.size(); i += kPartPostings) {
    const size_t count = std::min(kPartPostings, postings.size() - i);
    EXPECT_TRUE(
        list.AppendPart(EncodePart(std::span(postings).subspan(i, count), TestBound), kRows).ok());
  }
  return list;
}

TEST(BitPackingTest, EveryWidthComesBack) {
  std::mt19937 random(1);
  for (uint32_t bits = 0; bits <= 32; ++bits) {
    uint32_t numbers[kBlockSize];
    for (uint32_t& number : numbers) {
      number = bits == 0 ? 0 : static_cast<uint32_t>(random()) >> (32 - bits);
    }
    if (bits > 0) numbers[5] |= 1u << (bits - 1);
    EXPECT_EQ(BitsFor(numbers), bits);
    std::vector<uint8_t> packed(PackedBytes(bits));
    PackBlock(numbers, bits, packed.data());
    uint32_t unpacked[kBlockSize];
    UnpackBlock(packed.data(), bits, unpacked);
    for (size_t i = 0; i < kBlockSize; ++i) ASSERT_EQ(unpacked[i], numbers[i]) << bits;
  }
}

TEST(PostingListTest, ListsOfAllSizesComeBack) {
  std::mt19937 random(2);
  for (const size_t size : {1, 2, 127, 128, 129, 500, 8191, 8192, 8193, 20000}) {
    for (const uint32_t gap : {1, 3, 100000}) {
      const std::vector<Posting> postings = RandomPostings(size, gap, &random);
      const PostingList list = ListOf(postings);
      EXPECT_EQ(list.count(), size);
      std::vector<Posting> got;
      list.DecodeAll(&got);
      ASSERT_EQ(got.size(), size);
      for (size_t i = 0; i < size; ++i) {
        ASSERT_EQ(got[i].ordinal, postings[i].ordinal);
        ASSERT_EQ(got[i].frequency, postings[i].frequency);
      }
    }
  }
}

TEST(PostingListTest, BlocksKnowTheirBoundsAndEnds) {
  std::mt19937 random(3);
  const std::vector<Posting> postings = RandomPostings(1000, 20, &random);
  const PostingList list = ListOf(postings);
  ASSERT_EQ(list.blocks().size(), 8u);
  size_t i = 0;
  for (const PostingList::Block& block : list.blocks()) {
    uint8_t bound = 0;
    EXPECT_LE(block.first, postings[i].ordinal);
    for (size_t k = 0; k < block.count; ++k) bound = std::max(bound, TestBound(postings[i++]));
    EXPECT_EQ(block.bound, bound);
    EXPECT_EQ(block.last, postings[i - 1].ordinal);
  }
}

TEST(PostingListTest, CountsPostingsBetweenOrdinals) {
  std::mt19937 random(4);
  const std::vector<Posting> postings = RandomPostings(3000, 5, &random);
  const PostingList list = ListOf(postings);
  for (int round = 0; round < 500; ++round) {
    uint32_t begin = random() % 16000;
    uint32_t end = random() % 16000;
    if (begin > end) std::swap(begin, end);
    const auto inside = std::count_if(postings.begin(), postings.end(), [&](const Posting& p) {
      return p.ordinal >= begin && p.ordinal < end;
    });
    EXPECT_EQ(list.CountBetween(begin, end), inside);
  }
}

TEST(PostingListTest, DamagedBytesAreRefusedNotRead) {
  std::mt19937 random(5);
  for (const size_t size : {3, 130, 400}) {
    const std::string bytes = EncodePart(RandomPostings(size, 9, &random), TestBound);
    const auto decodes = [](std::string_view part) {
      PostingList list;
      if (!list.AppendPart(part, 5000).ok()) return false;
      // What is accepted is safe to use.
      std::vector<Posting> postings;
      list.DecodeAll(&postings);
      for (size_t i = 0; i < postings.size(); ++i) {
        EXPECT_LT(postings[i].ordinal, 5000u);
        EXPECT_GE(postings[i].frequency, 1u);
        if (i > 0) {
          EXPECT_LT(postings[i - 1].ordinal, postings[i].ordinal);
        }
      }
      return true;
    };
    EXPECT_TRUE(decodes(bytes));
    EXPECT_FALSE(decodes(bytes + "x"));
    for (size_t cut = 0; cut < bytes.size(); ++cut) {
      EXPECT_FALSE(decodes(std::string_view(bytes).substr(0, cut))) << cut;
    }
    for (int round = 0; round < 5000; ++round) {
      std::string damaged = bytes;
      for (int flips = 0; flips < 3; ++flips) {
        damaged[random() % damaged.size()] = static_cast<char>(random());
      }
      decodes(damaged);
    }
  }
}

TEST(PostingListTest, PartsOutOfOrderAreRefused) {
  std::mt19937 random(6);
  const std::string full = EncodePart(RandomPostings(kPartPostings, 2, &random), TestBound);
  const std::string tail = EncodePart(RandomPostings(10, 2, &random), TestBound);
  PostingList list;
  EXPECT_TRUE(list.AppendPart(full, kRows).ok());
  EXPECT_EQ(list.AppendPart(full, kRows).reason(), Reason::kDataCorrupt);
  PostingList second;
  EXPECT_TRUE(second.AppendPart(tail, kRows).ok());
  EXPECT_EQ(second.AppendPart(full, kRows).reason(), Reason::kDataCorrupt);
}

TEST(ListCursorTest, FindsWhatIsThereInAnyAscendingOrder) {
  std::mt19937 random(7);
  const std::vector<Posting> postings = RandomPostings(5000, 4, &random);
  const PostingList list = ListOf(postings);
  std::map<uint32_t, uint32_t> expected;
  for (const Posting& posting : postings) expected[posting.ordinal] = posting.frequency;
  for (const uint32_t step : {1u, 7u, 300u, 3000u}) {
    ListCursor cursor(&list);
    for (uint32_t ordinal = 0; ordinal < 20000; ordinal += 1 + random() % step) {
      const auto it = expected.find(ordinal);
      ASSERT_EQ(cursor.FrequencyAt(ordinal), it == expected.end() ? 0 : it->second) << ordinal;
    }
  }
}

TEST(PositionsTest, PositionsOfEachPostingComeBack) {
  std::mt19937 random(8);
  PositionEncoder encoder;
  std::vector<uint32_t> frequencies;
  std::vector<std::vector<uint32_t>> expected;
  for (int i = 0; i < 300; ++i) {
    std::string bytes;
    uint32_t last = 0;
    expected.emplace_back();
    for (uint32_t k = 0; k <= random() % 5; ++k) {
      const uint32_t gap = random() % 300;
      Encoder(&bytes).Varint(gap);
      expected.back().push_back(last += gap);
    }
    frequencies.push_back(static_cast<uint32_t>(expected.back().size()));
    encoder.Add(bytes);
  }
  const std::string part = encoder.Finish();
  const Result<PositionReader> reader = PositionReader::Open(part);
  ASSERT_TRUE(reader.ok());
  std::vector<std::string_view> encoded;
  std::vector<uint32_t> got;
  for (size_t block = 0; block < 3; ++block) {
    const size_t begin = block * kBlockSize;
    const size_t count = std::min<size_t>(kBlockSize, 300 - begin);
    ASSERT_TRUE(reader->ReadBlock(block, {frequencies.data() + begin, count}, &encoded).ok());
    for (size_t i = 0; i < count; ++i) {
      DecodePositions(encoded[i], &got);
      EXPECT_EQ(got, expected[begin + i]);
    }
  }
  EXPECT_FALSE(reader->ReadBlock(3, frequencies, &encoded).ok());
  EXPECT_FALSE(reader->ReadBlock(0, {frequencies.data(), 127}, &encoded).ok());
}

TEST(PositionsTest, DamagedBytesAreRefusedNotRead) {
  PositionEncoder encoder;
  for (int i = 0; i < 200; ++i) encoder.Add(std::string(1, static_cast<char>(i % 128)));
  const std::string bytes = encoder.Finish();
  const std::vector<uint32_t> frequencies(128, 1);
  std::mt19937 random(9);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(PositionReader::Open(std::string_view(bytes).substr(0, size)).ok());
  }
  for (int round = 0; round < 3000; ++round) {
    std::string damaged = bytes;
    damaged[random() % damaged.size()] = static_cast<char>(random());
    const Result<PositionReader> reader = PositionReader::Open(damaged);
    std::vector<std::string_view> encoded;
    if (reader.ok() && reader->ReadBlock(0, frequencies, &encoded).ok()) {
      EXPECT_EQ(encoded.size(), 128u);
    }
  }
}

TEST(ListCacheTest, KeepsWhatIsUsedWithinItsBound) {
  ListCache cache(1 << 20);
  std::mt19937 random(10);
  const auto make = [&] {
    auto list = std::make_shared<LoadedList>();
    const std::string part = EncodePart(RandomPostings(1000, 9, &random), TestBound);
    EXPECT_TRUE(list->list.AppendPart(part, kRows).ok());
    return list;
  };
  std::shared_ptr<const LoadedList> found;
  EXPECT_FALSE(cache.Find("used", &found));
  const auto used = make();
  cache.Insert("used", used);
  cache.Insert("absent", nullptr);
  EXPECT_TRUE(cache.Find("absent", &found));
  EXPECT_EQ(found, nullptr);
  for (int i = 0; i < 5000; ++i) {
    cache.Insert("list" + std::to_string(i), make());
    ASSERT_TRUE(cache.Find("used", &found)) << i;
    EXPECT_EQ(found, used);
    EXPECT_LE(cache.bytes(), 1u << 20);
  }
  EXPECT_FALSE(cache.Find("list0", &found));
}

TEST(ListCacheTest, KeepsTheLastRunsWithinAQuarterOfItsBound) {
  ListCache cache(4000);
  std::vector<std::weak_ptr<const int>> runs;
  const auto keep = [&](uint64_t bytes) {
    const auto run = std::make_shared<const int>(0);
    runs.push_back(run);
    cache.KeepRun(run, bytes);
  };
  for (int i = 0; i < 10; ++i) keep(300);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(runs[i].expired(), i < 7) << i;
  EXPECT_EQ(cache.bytes(), 900u);
  keep(5000);
  EXPECT_TRUE(runs[9].expired());
  EXPECT_FALSE(runs[10].expired());
  keep(10);
  EXPECT_EQ(cache.bytes(), 10u);
}

}  // namespace
}  // namespace ragstone::index::keywords
