#include "index/internal/keywords/languages.h"

#include <gtest/gtest.h>

namespace ragstone::index::keywords {
namespace {

std::string Stem(const std::string& word, std::string_view language) {
  Stemmer stemmer;
  const Result<Language> parsed = Language::Parse(language);
  EXPECT_TRUE(parsed.ok()) << language;
  return stemmer.Stem(word, *parsed);
}

TEST(LanguagesTest, LanguageGivenStemsItsScript) {
  EXPECT_EQ(Stem("häuser", "de"), "haus");
  EXPECT_EQ(Stem("maisons", "fr"), "maison");
  EXPECT_EQ(Stem("running", "none"), "running");
  // Words of another script are still stemmed by their own.
  EXPECT_EQ(Stem("лисы", "de"), Stem("лиса", "auto"));
}

TEST(LanguagesTest, AutoGoesByTheScript) {
  EXPECT_EQ(Stem("running", "auto"), "run");
  EXPECT_EQ(Stem("быстрая", ""), "быстр");
  EXPECT_EQ(Stem("häuser", "auto"), "häuser");  // not English
  EXPECT_EQ(Stem("天气", "auto"), "天气");
}

TEST(LanguagesTest, WordsWithDigitsAndMarksStay) {
  EXPECT_EQ(Stem("cases2s", "en"), "cases2s");
  EXPECT_EQ(Stem("x.logs", "en"), "x.logs");
  EXPECT_EQ(Stem("", "en"), "");
}

TEST(LanguagesTest, RememberedStemsAreThoseWorkedOut) {
  Stemmer stemmer;
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 10000; ++i) {
      std::string word = "word";
      for (int rest = i; rest > 0; rest /= 26) word += static_cast<char>('a' + rest % 26);
      EXPECT_EQ(stemmer.Stem(word + "ing", Language()), Stemmer().Stem(word + "ing", Language()));
      if (round == 1 && i > 200) break;
      if (i > 9000) i += 300;
      if (i > 100 && i < 8900) i += 50;
    }
  }
}

TEST(LanguagesTest, UnknownLanguageIsRefusedWithTheList) {
  const Status status = Language::Parse("xx").status();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("\"xx\""), std::string::npos);
  EXPECT_NE(status.message().find(" de "), std::string::npos);
  EXPECT_EQ(Language::Parse("de")->code(), "de");
}

}  // namespace
}  // namespace ragstone::index::keywords
