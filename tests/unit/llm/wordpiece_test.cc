#include "llm/wordpiece.h"

#include <gtest/gtest.h>

namespace ragstone::llm {
namespace {

using Ids = std::vector<int32_t>;

WordPieceOptions Options() {
  WordPieceOptions options;
  options.vocabulary = {{"[PAD]", 0},   {"[UNK]", 1}, {"[CLS]", 2}, {"[SEP]", 3}, {"the", 4},
                        {"play", 5},    {"##ing", 6}, {"##ed", 7},  {"!", 8},     {"un", 9},
                        {"##play", 10}, {"p", 11},    {"##l", 12},  {"中", 13},   {"##a", 14}};
  options.added = {{"[CLS]", 2}, {"[SEP]", 3}, {"[UNK]", 1}};
  options.before = {2};
  options.after = {3};
  return options;
}

Ids Encode(const WordPieceOptions& options, std::string_view text) {
  const auto tokenizer = NewWordPieceTokenizer(options);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().ToString();
  Ids ids = (*tokenizer)->Encode(text);
  EXPECT_EQ(ids.size(), (*tokenizer)->Count(text) + options.before.size() + options.after.size());
  return ids;
}

TEST(WordPiece, TakesTheLongestPiecesFromTheLeft) {
  EXPECT_EQ(Encode(Options(), "The playing! unplayed"), (Ids{2, 4, 5, 6, 8, 9, 10, 7, 3}));
}

TEST(WordPiece, GivesOneUnknownForAWordThatCannotBeBuilt) {
  EXPECT_EQ(Encode(Options(), "playx the"), (Ids{2, 1, 4, 3}));
}

TEST(WordPiece, GivesOnlySpecialTokensForEmptyText) {
  EXPECT_EQ(Encode(Options(), ""), (Ids{2, 3}));
  EXPECT_EQ(Encode(Options(), " \n\t "), (Ids{2, 3}));
}

TEST(WordPiece, CountsCharactersNotBytesForTheLongestWord) {
  WordPieceOptions options = Options();
  options.vocabulary.emplace_back("##п", 15);
  options.vocabulary.emplace_back("п", 16);
  std::string word;
  for (int i = 0; i < 100; ++i) word += "п";
  EXPECT_EQ(Encode(options, word).size(), 102u);
  EXPECT_EQ(Encode(options, word + "п"), (Ids{2, 1, 3}));
}

TEST(WordPiece, RecognisesSpecialTokensInsideWordsOfTheRawText) {
  EXPECT_EQ(Encode(Options(), "the[SEP]play [cls]"), (Ids{2, 4, 3, 5, 1, 1, 1, 3}));
}

TEST(WordPiece, PrefersTheLongerOfOverlappingAddedTokens) {
  WordPieceOptions options = Options();
  options.added.push_back({"<a>", 20});
  options.added.push_back({"<a><b>", 21});
  EXPECT_EQ(Encode(options, "<a><b><a>"), (Ids{2, 21, 20, 3}));
}

TEST(WordPiece, LooksForNormalizedTokensInTheNormalForm) {
  WordPieceOptions options = Options();
  options.added.push_back({"Öl", 20, /*normalized=*/true});
  EXPECT_EQ(Encode(options, "ÖL the"), (Ids{2, 20, 4, 3}));
}

TEST(WordPiece, SwallowsSpacesWhereAnAddedTokenSaysSo) {
  WordPieceOptions options = Options();
  options.normalizer.clean_text = false;
  options.added.push_back({"<m>", 20, false, /*lstrip=*/true, /*rstrip=*/true});
  EXPECT_EQ(Encode(options, "the \xE3\x80\x80<m>  play"), (Ids{2, 4, 20, 5, 3}));
}

TEST(WordPiece, CountsAsManyTokensAsItGives) {
  WordPieceOptions options = Options();
  options.before.clear();
  options.after.clear();
  for (const std::string_view text : {"The playing! unplayed", "playx the", "the[SEP]play", "中the",
                                      "unplayx unplay", "\xFFpl"}) {
    const auto tokenizer = NewWordPieceTokenizer(options);
    ASSERT_TRUE(tokenizer.ok());
    EXPECT_EQ((*tokenizer)->Count(text), (*tokenizer)->Encode(text).size()) << text;
  }
}

TEST(WordPiece, RefusesAVocabularyWithoutTheUnknownToken) {
  WordPieceOptions options = Options();
  options.unknown = "<unk>";
  const auto tokenizer = NewWordPieceTokenizer(options);
  ASSERT_FALSE(tokenizer.ok());
  EXPECT_EQ(tokenizer.status().reason(), Reason::kModelCorrupt);
  EXPECT_NE(tokenizer.status().message().find("<unk>"), std::string::npos);
}

TEST(WordPiece, RefusesNegativeIds) {
  WordPieceOptions options = Options();
  options.vocabulary.emplace_back("bad", -7);
  EXPECT_EQ(NewWordPieceTokenizer(options).status().reason(), Reason::kModelCorrupt);
}

}  // namespace
}  // namespace ragstone::llm
