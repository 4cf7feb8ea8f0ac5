#include "llm/unigram.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace ragstone::llm {
namespace {

using Ids = std::vector<int32_t>;

UnigramOptions Options() {
  UnigramOptions options;
  options.vocabulary = {{"<unk>", 0},  {"a", -1},  {"b", -1},  {"ab", -1.5}, {"▁", -2},
                        {"▁ab", -1.2}, {"▁a", -3}, {"ba", -9}, {"c", -4},    {"xy", -60}};
  return options;
}

Ids Encode(const UnigramOptions& options, std::string_view text) {
  const auto tokenizer = NewUnigramTokenizer(options);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().ToString();
  if (!tokenizer.ok()) return {};
  Ids ids = (*tokenizer)->Encode(text);
  EXPECT_EQ(ids.size(), (*tokenizer)->Count(text) + options.before.size() + options.after.size());
  return ids;
}

TEST(Unigram, CutsWhereTheSumOfScoresIsHighest) {
  EXPECT_EQ(Encode(Options(), "ab"), Ids{3});
  EXPECT_EQ(Encode(Options(), "ba"), (Ids{2, 1}));
  EXPECT_EQ(Encode(Options(), "babc"), (Ids{2, 3, 8}));
  EXPECT_EQ(Encode(Options(), ""), Ids{});
}

TEST(Unigram, KeepsTheWayFoundFirstOfEqualSums) {
  UnigramOptions options;
  options.vocabulary = {{"<unk>", 0}, {"a", -1}, {"aa", -2}};
  EXPECT_EQ(Encode(options, "aa"), Ids{2});
  EXPECT_EQ(Encode(options, "aaa"), (Ids{1, 2}));
}

TEST(Unigram, TakesTheLastOfEqualPieces) {
  UnigramOptions options = Options();
  options.vocabulary.emplace_back("a", -1);
  EXPECT_EQ(Encode(options, "a"), Ids{10});
}

TEST(Unigram, JoinsNeighbouringUnknowns) {
  EXPECT_EQ(Encode(Options(), "aüööa"), (Ids{1, 0, 1}));
  EXPECT_EQ(Encode(Options(), "\xF0\x9F\x98\x80"), Ids{0});
}

// "x" and "y" are unknown and together cheaper than the piece "xy", whose id they still get.
TEST(Unigram, GivesJoinedUnknownsTheIdOfTheSamePiece) {
  UnigramOptions options = Options();
  options.vocabulary[9].second = -200;
  options.vocabulary.emplace_back("z", -90);
  EXPECT_EQ(Encode(options, "axy"), (Ids{1, 9}));
}

TEST(Unigram, SpellsUnknownsInBytesIfAllOfThemExist) {
  UnigramOptions options = Options();
  options.byte_fallback = true;
  options.vocabulary.emplace_back("<0xC3>", -1);
  options.vocabulary.emplace_back("<0xBC>", -1);
  EXPECT_EQ(Encode(options, "aüü"), (Ids{1, 10, 11, 10, 11}));
  EXPECT_EQ(Encode(options, "aö"), (Ids{1, 0}));
  options.byte_fallback = false;
  EXPECT_EQ(Encode(options, "aü"), (Ids{1, 0}));
}

TEST(Unigram, MarksSpacesAndCutsBeforeThem) {
  UnigramOptions options = Options();
  options.splitters = {Metaspace()};
  EXPECT_EQ(Encode(options, "ab a"), (Ids{5, 6}));
  EXPECT_EQ(Encode(options, " ab"), Ids{5});
  EXPECT_EQ(Encode(options, "▁ab  ab"), (Ids{5, 4, 5}));
  options.splitters = {Metaspace{"▁", Metaspace::Prepend::kNever, true}};
  EXPECT_EQ(Encode(options, "ab ab"), (Ids{3, 5}));
}

TEST(Unigram, MarksOnlyTheFirstStretchWhereAsked) {
  UnigramOptions options = Options();
  options.added = {{"<s>", 20}};
  options.splitters = {Metaspace{"▁", Metaspace::Prepend::kFirst, true}};
  EXPECT_EQ(Encode(options, "ab<s>ab"), (Ids{5, 20, 3}));
  EXPECT_EQ(Encode(options, "<s>ab"), (Ids{20, 3}));
  options.splitters = {Metaspace()};
  EXPECT_EQ(Encode(options, "ab<s>ab"), (Ids{5, 20, 5}));
}

TEST(Unigram, KeepsPiecesWithinWordsUnlessToldNotToSplit) {
  UnigramOptions options = Options();
  options.vocabulary.emplace_back("b▁a", -0.1);
  options.splitters = {Metaspace{"▁", Metaspace::Prepend::kNever, true}};
  EXPECT_EQ(Encode(options, "b a"), (Ids{2, 6}));
  options.splitters = {Metaspace{"▁", Metaspace::Prepend::kNever, false}};
  EXPECT_EQ(Encode(options, "b a"), Ids{10});
}

TEST(Unigram, LosesWhiteSpaceThatSplits) {
  UnigramOptions options = Options();
  options.splitters = {WhitespaceSplit(), Metaspace()};
  EXPECT_EQ(Encode(options, " ab\t\u3000ab\n"), (Ids{5, 5}));
  options.splitters = {WhitespaceSplit()};
  EXPECT_EQ(Encode(options, "ab a"), (Ids{3, 1}));
}

TEST(Unigram, FindsAddedTokensInTheRawOrTheNormalText) {
  UnigramOptions options = Options();
  options.normalizers = {LowercaseStep()};
  options.added = {{"AB", 20, /*normalized=*/false}, {"BA", 21, /*normalized=*/true}};
  EXPECT_EQ(Encode(options, "AB"), Ids{20});
  EXPECT_EQ(Encode(options, "aB"), Ids{3});
  EXPECT_EQ(Encode(options, "bA"), Ids{21});
}

TEST(Unigram, PutsSpecialTokensAround) {
  UnigramOptions options = Options();
  options.before = {7};
  options.after = {8, 9};
  EXPECT_EQ(Encode(options, "a"), (Ids{7, 1, 8, 9}));
  EXPECT_EQ(Encode(options, ""), (Ids{7, 8, 9}));
}

TEST(Unigram, ReadsInvalidBytesAsTheReplacementCharacter) {
  UnigramOptions options = Options();
  options.vocabulary.emplace_back("\uFFFD", -1);
  EXPECT_EQ(Encode(options,
                   "a\xFF"
                   "b\xE2\x96"),
            (Ids{1, 10, 2, 10}));
  EXPECT_EQ(Encode(options, "\xED\xA0\x80"), (Ids{10, 10, 10}));
}

TEST(Unigram, CountsAddedTokensIntoItsVocabulary) {
  UnigramOptions options = Options();
  options.added = {{"<s>", 20}};
  const auto tokenizer = NewUnigramTokenizer(options);
  ASSERT_TRUE(tokenizer.ok());
  EXPECT_EQ((*tokenizer)->vocabulary(), 21u);
}

TEST(Unigram, RefusesAnUnknownTokenOutsideTheVocabulary) {
  UnigramOptions options = Options();
  for (const int32_t unknown : {-1, 10}) {
    options.unknown = unknown;
    const Status status = NewUnigramTokenizer(options).status();
    EXPECT_EQ(status.reason(), Reason::kModelCorrupt);
    EXPECT_NE(status.message().find(std::to_string(unknown)), std::string::npos);
  }
}

}  // namespace
}  // namespace ragstone::llm
