#include "ingest/internal/chunk_builder.h"

#include <gtest/gtest.h>

#include "tests/unit/ingest/counters.h"

namespace ragstone::ingest::internal {
namespace {

class ChunkBuilderTest : public ::testing::Test {
 protected:
  void Start(uint32_t tokens_max, uint32_t tokens_min) {
    ChunkerOptions options;
    options.tokens_max = tokens_max;
    options.tokens_min = tokens_min;
    builder_ = std::make_unique<ChunkBuilder>(options, &counter_, &text_);
    text_.AddPage(1, "");
    end_ = 0;
  }

  // Adds a unit as a page of its own, so that the text grows with it.
  void Add(std::string_view text, Unit::Kind kind = Unit::Kind::kSentence, uint32_t depth = 0,
           bool paragraph_end = false) {
    Unit unit;
    unit.kind = kind;
    unit.begin = text_.AddPage(++pages_, text);
    unit.end = unit.begin + text.size();
    unit.paragraph_end = paragraph_end || kind != Unit::Kind::kSentence;
    unit.style.depth = depth;
    unit.style.markdown = true;
    builder_->Add(unit, &chunks_);
  }

  std::vector<Chunk> Finish() {
    builder_->Finish(&chunks_);
    return chunks_;
  }

  WordCounter counter_;
  DocumentText text_;
  std::unique_ptr<ChunkBuilder> builder_;
  std::vector<Chunk> chunks_;
  uint32_t pages_ = 1;
  uint64_t end_ = 0;
};

TEST_F(ChunkBuilderTest, PacksSentencesUpToTheLimit) {
  Start(20, 4);
  for (int i = 0; i < 12; ++i) Add("one two three four five");
  for (const Chunk& chunk : Finish()) {
    EXPECT_LE(chunk.tokens, 20u);
    EXPECT_GE(chunk.tokens, 15u);
  }
  EXPECT_EQ(chunks_.size(), 3u);
}

TEST_F(ChunkBuilderTest, HeadingBeginsAChunkAndStandsAboveTheNext) {
  Start(20, 2);
  Add("Top", Unit::Kind::kHeading, 1);
  Add("Inner", Unit::Kind::kHeading, 2);
  for (int i = 0; i < 6; ++i) Add("one two three four five six seven");
  Finish();
  ASSERT_GE(chunks_.size(), 2u);
  EXPECT_EQ(chunks_[0].heading, "");
  EXPECT_EQ(chunks_[0].text.substr(0, 9), "Top\nInner");
  EXPECT_EQ(chunks_[1].heading, "Top > Inner");
}

TEST_F(ChunkBuilderTest, SmallSectionsOfOneRankJoin) {
  Start(60, 20);
  Add("A", Unit::Kind::kHeading, 2);
  Add("short text");
  Add("B", Unit::Kind::kHeading, 2);
  Add("short text");
  Add("Next chapter", Unit::Kind::kHeading, 1);
  Add("other text");
  Finish();
  ASSERT_EQ(chunks_.size(), 2u);
  EXPECT_EQ(chunks_[0].text, "A\nshort text\nB\nshort text");
  EXPECT_EQ(chunks_[1].text, "Next chapter\nother text");
}

TEST_F(ChunkBuilderTest, ARemovedLineEndsTheChunk) {
  Start(60, 20);
  Add("before it");
  Unit unit;
  unit.begin = text_.AddPage(9, "after it");
  unit.end = unit.begin + 8;
  unit.break_before = true;
  builder_->Add(unit, &chunks_);
  Finish();
  ASSERT_EQ(chunks_.size(), 2u);
  EXPECT_EQ(chunks_[1].page_first, 9u);
}

TEST_F(ChunkBuilderTest, RowsInTheMiddleOfATableCarryItsHead) {
  Start(24, 4);
  Add("Name | Size | Colour", Unit::Kind::kTableRow);
  for (int i = 0; i < 8; ++i) Add("Bolt | 44 | red", Unit::Kind::kTableRow);
  Finish();
  ASSERT_GE(chunks_.size(), 2u);
  EXPECT_EQ(chunks_[0].heading, "");
  EXPECT_EQ(chunks_[1].heading, "Name | Size | Colour");
  for (const Chunk& chunk : chunks_) {
    EXPECT_EQ(chunk.text.find("Bolt") != std::string::npos, true);
    EXPECT_NE(chunk.text.back(), '|') << "a row was split";
    EXPECT_LE(chunk.tokens, 24u);
  }
}

TEST_F(ChunkBuilderTest, SplitsASentenceBeyondTheLimitAtWords) {
  Start(10, 2);
  std::string text;
  for (int i = 0; i < 100; ++i) text += (i ? " word" : "word") + std::to_string(i);
  Add(text);
  Finish();
  std::string joined;
  for (const Chunk& chunk : chunks_) {
    EXPECT_LE(chunk.tokens, 10u);
    joined += (joined.empty() ? "" : " ") + chunk.text;
  }
  EXPECT_EQ(joined, text);
}

TEST_F(ChunkBuilderTest, SplitsAWordWithoutEnd) {
  const PieceCounter counter;
  ChunkerOptions options;
  options.tokens_max = 10;
  ChunkBuilder builder(options, &counter, &text_);
  Unit unit;
  unit.begin = text_.AddPage(1, std::string(3000, 'x'));
  unit.end = 3000;
  builder.Add(unit, &chunks_);
  builder.Finish(&chunks_);
  size_t bytes = 0;
  for (const Chunk& chunk : chunks_) {
    EXPECT_LE(chunk.tokens, 10u);
    bytes += chunk.text.size();
  }
  EXPECT_EQ(bytes, 3000u);
}

// Counts the bytes it is shown.
class MeteredCounter : public WordCounter {
 public:
  uint32_t Count(std::string_view text) const override {
    bytes += text.size();
    return WordCounter::Count(text);
  }
  mutable uint64_t bytes = 0;
};

TEST_F(ChunkBuilderTest, ALineOfMegabytesTakesLinearWork) {
  const MeteredCounter counter;
  ChunkBuilder builder(ChunkerOptions(), &counter, &text_);
  std::string text;
  while (text.size() < 2'000'000) text += "word ";
  Unit unit;
  unit.kind = Unit::Kind::kTableRow;
  unit.begin = text_.AddPage(1, text);
  unit.end = text.size() - 1;
  builder.Add(unit, &chunks_);
  builder.Finish(&chunks_);
  EXPECT_GE(chunks_.size(), 2000u);
  EXPECT_LT(counter.bytes, 100 * text.size());
}

TEST_F(ChunkBuilderTest, AHugeHeadingPathLeavesRoomForText) {
  Start(12, 2);
  Add("one two three four five six seven eight nine ten eleven twelve thirteen",
      Unit::Kind::kHeading, 1);
  Add("Sub", Unit::Kind::kHeading, 2);
  for (int i = 0; i < 4; ++i) Add("alpha beta gamma delta epsilon zeta");
  for (const Chunk& chunk : Finish()) EXPECT_LE(chunk.tokens, 12u);
}

}  // namespace
}  // namespace ragstone::ingest::internal
