#include "index/filter/names.h"

#include <gtest/gtest.h>

namespace ragstone::index {
namespace {

TEST(NamesTest, Utf8IsCheckedAsUnicodeDefinesIt) {
  for (const std::string_view good : {"", "a", "é", "€", "😀", "\xED\x9F\xBF", "\xF4\x8F\xBF\xBF"}) {
    EXPECT_TRUE(IsUtf8(good)) << good;
  }
  for (const std::string_view bad : {"\x80", "\xC0\x80", "\xC3", "\xE0\x80\x80", "\xED\xA0\x80",
                                     "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xFF", "a\xE2\x82"}) {
    EXPECT_FALSE(IsUtf8(bad)) << bad;
  }
}

TEST(NamesTest, CodePointsAreWrittenAsUtf8) {
  std::string out;
  for (const char32_t c : {U'a', U'é', U'€', U'😀'}) AppendUtf8(c, &out);
  EXPECT_EQ(out, "aé€😀");
}

TEST(NamesTest, QuotesAreCutAtACodePoint) {
  EXPECT_EQ(Quoted("abc"), "\"abc\"");
  EXPECT_EQ(Quoted(std::string(39, 'x') + "é"), "\"" + std::string(39, 'x') + "…\"");
}

TEST(NamesTest, NearNamesAreFoundAndFarOnesAreNot) {
  const std::vector<std::string_view> names = {"author", "lang", "year"};
  EXPECT_EQ(NearestName("yaer", names), "year");
  EXPECT_EQ(NearestName("LANG", names), "lang");
  EXPECT_EQ(NearestName("languag", {"lang", "language"}), "language");
  EXPECT_EQ(NearestName("autor", names), "author");
  EXPECT_EQ(NearestName("price", names), "");
  EXPECT_EQ(NearestName("x", {"y"}), "");
  EXPECT_EQ(NearestName("", names), "");
}

TEST(NamesTest, HintsNameTheNearestOrWhatThereIs) {
  EXPECT_EQ(NameHint("yaer", {"year"}), "; did you mean \"year\"?");
  EXPECT_EQ(NameHint("price", {"lang", "year"}), "; the fields are: lang, year");
  EXPECT_EQ(NameHint("price", {}), "; there are no fields");
}

}  // namespace
}  // namespace ragstone::index
