// Covers llm/grapheme.cc and llm/unigram_tables.cc.
#include "llm/grapheme.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "llm/bert_normalizer.h"

namespace ragstone::llm {
namespace {

std::vector<std::string> Clusters(std::string_view text) {
  std::vector<std::string> clusters;
  for (size_t at = 0; at < text.size();) {
    const size_t end = GraphemeEnd(text, at);
    clusters.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return clusters;
}

struct Case {
  const char* name;
  std::string text;
  std::vector<std::string> clusters;
};

TEST(Grapheme, FollowsTheRulesOfUnicode) {
  const std::vector<Case> cases = {
      {"letters", "ab", {"a", "b"}},
      {"carriage return with line feed", "a\r\nb\n\r", {"a", "\r\n", "b", "\n", "\r"}},
      {"marks", "e\u0301\u0323x", {"e\u0301\u0323", "x"}},
      {"marks behind a control", "\n\u0301\u0301a", {"\n", "\u0301\u0301", "a"}},
      {"spacing mark", "\u0e01\u0e33\u0e01", {"\u0e01\u0e33", "\u0e01"}},
      {"prepended sign", "\u0600\u0661\u0662", {"\u0600\u0661", "\u0662"}},
      {"jamo", "\u1100\u1161\u11a8\u1100", {"\u1100\u1161\u11a8", "\u1100"}},
      {"syllable with tail", "\uac00\u11a8\uac01\u1161", {"\uac00\u11a8", "\uac01", "\u1161"}},
      {"conjunct", "\u0915\u094d\u0937\u0915", {"\u0915\u094d\u0937", "\u0915"}},
      {"no conjunct without a linker", "\u0915\u0937", {"\u0915", "\u0937"}},
      {"conjunct ended by a non-joiner",
       "\u0915\u200c\u094d\u0937",
       {"\u0915\u200c\u094d", "\u0937"}},
      {"joined emoji",
       "\U0001f468\u200d\U0001f469\U0001f468",
       {"\U0001f468\u200d\U0001f469", "\U0001f468"}},
      {"emoji with skin colour",
       "\U0001f468\U0001f3fd\u200d\U0001f4bbx",
       {"\U0001f468\U0001f3fd\u200d\U0001f4bb", "x"}},
      {"joiner without an emoji before", "a\u200d\U0001f469", {"a\u200d", "\U0001f469"}},
      {"two joiners", "\u00a9\u200d\u200d\u00a9", {"\u00a9\u200d\u200d", "\u00a9"}},
  };
  for (const Case& item : cases) EXPECT_EQ(Clusters(item.text), item.clusters) << item.name;
}

TEST(Grapheme, NamesKindsFromTheTableAndByRule) {
  EXPECT_EQ(GraphemeKindOf('a'), GraphemeKind::kOther);
  EXPECT_EQ(GraphemeKindOf('\r'), GraphemeKind::kCr);
  EXPECT_EQ(GraphemeKindOf(0x200D), GraphemeKind::kJoiner);
  EXPECT_EQ(GraphemeKindOf(0x0301), GraphemeKind::kExtend);
  EXPECT_EQ(GraphemeKindOf(0x094D), GraphemeKind::kLinker);
  EXPECT_EQ(GraphemeKindOf(0xAC00), GraphemeKind::kHangulLv);
  EXPECT_EQ(GraphemeKindOf(0xD7A3), GraphemeKind::kHangulLvt);
  EXPECT_EQ(GraphemeKindOf(0x10FFFF), GraphemeKind::kOther);
}

TEST(UnigramTables, AreSortedAndDisjoint) {
  const UnigramTables& tables = GetUnigramTables();
  ASSERT_FALSE(tables.graphemes.empty());
  for (size_t i = 1; i < tables.graphemes.size(); ++i) {
    ASSERT_GT(tables.graphemes[i].first, tables.graphemes[i - 1].last);
  }
  ASSERT_FALSE(tables.accents.empty());
  for (size_t i = 1; i < tables.accents.size(); ++i) {
    ASSERT_GT(tables.accents[i].first, tables.accents[i - 1].last);
  }
}

}  // namespace
}  // namespace ragstone::llm
