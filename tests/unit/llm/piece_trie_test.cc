#include "llm/piece_trie.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace ragstone::llm {
namespace {

TEST(PieceTrie, FindsWhatALinearSearchFinds) {
  constexpr uint32_t kSeed = 11;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  std::mt19937 random(kSeed);
  const auto word = [&] {
    std::string text(1 + random() % 6, 'a');
    for (char& c : text)
      c = static_cast<char>(random() % 3 == 0 ? 0x80 + random() % 128 : 'a' + random() % 3);
    return text;
  };
  std::map<std::string, int32_t> keys;
  for (int i = 0; i < 3000; ++i) keys.emplace(word(), i);
  const PieceTrie trie = PieceTrie::Build({keys.begin(), keys.end()});
  for (int i = 0; i < 5000; ++i) {
    const std::string text = word() + word();
    PieceTrie::Match expected;
    for (size_t n = 1; n <= text.size(); ++n) {
      const auto at = keys.find(text.substr(0, n));
      if (at != keys.end()) expected = {at->second, n};
    }
    const PieceTrie::Match match = trie.Longest(text);
    ASSERT_EQ(match.value, expected.value);
    ASSERT_EQ(match.length, expected.length);
  }
}

TEST(PieceTrie, GivesEveryKeyThatBeginsTheTextShortestFirst) {
  const auto trie = TrieOf({{"abc", 3}, {"a", 1}, {"", 7}, {"abd", 4}, {"ab", 2}, {"b", 5}});
  ASSERT_TRUE(trie.ok());
  std::vector<std::pair<int32_t, size_t>> found;
  trie->ForEachPrefix("abcd", [&](int32_t value, size_t size) { found.emplace_back(value, size); });
  EXPECT_EQ(found, (std::vector<std::pair<int32_t, size_t>>{{1, 1}, {2, 2}, {3, 3}}));
}

TEST(PieceTrie, FindsOnlyWholeKeys) {
  const auto trie = TrieOf({{"ab", 2}, {"abcd", 4}});
  ASSERT_TRUE(trie.ok());
  EXPECT_EQ(trie->Find("ab"), 2);
  EXPECT_EQ(trie->Find("abcd"), 4);
  for (const std::string_view text : {"", "a", "abc", "abcde", "x"}) {
    EXPECT_EQ(trie->Find(text), -1) << text;
  }
}

TEST(PieceTrie, TakesTheFirstOfEqualTokensAndRefusesNegativeIds) {
  const auto trie = TrieOf({{"b", 9}, {"a", 8}, {"b", 3}});
  ASSERT_TRUE(trie.ok());
  EXPECT_EQ(trie->Find("b"), 9);
  const Status status = TrieOf({{"b", -2}}).status();
  EXPECT_EQ(status.reason(), Reason::kModelCorrupt);
  EXPECT_NE(status.message().find("-2"), std::string::npos);
}

}  // namespace
}  // namespace ragstone::llm
