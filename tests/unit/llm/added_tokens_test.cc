#include "llm/added_tokens.h"

#include <gtest/gtest.h>

namespace ragstone::llm {
namespace {

// The stretches of `text`, added tokens in brackets.
std::vector<std::string> Split(const std::vector<AddedToken>& tokens, std::string_view text) {
  const auto added = AddedTokens::Make(tokens);
  EXPECT_TRUE(added.ok()) << added.status().ToString();
  std::vector<std::string> pieces;
  added->Split(text, [&](std::string_view piece, const AddedToken* token) {
    pieces.push_back(token == nullptr ? std::string(piece) : "[" + std::string(piece) + "]");
  });
  return pieces;
}

using Pieces = std::vector<std::string>;

TEST(AddedTokens, CutsTheTextAroundThem) {
  EXPECT_EQ(Split({{"<s>", 0}}, "a<s>b<s><s>"), (Pieces{"a", "[<s>]", "b", "[<s>]", "[<s>]"}));
  EXPECT_EQ(Split({{"<s>", 0}}, "<s"), Pieces{"<s"});
  EXPECT_EQ(Split({{"<s>", 0}}, ""), Pieces{});
}

TEST(AddedTokens, PrefersTheLeftmostThenTheLongest) {
  const std::vector<AddedToken> tokens = {{"ab", 0}, {"abc", 1}, {"bcd", 2}};
  EXPECT_EQ(Split(tokens, "xabcd"), (Pieces{"x", "[abc]", "d"}));
}

TEST(AddedTokens, SwallowWhiteSpaceBesideThem) {
  const std::vector<AddedToken> tokens = {{"<m>", 0, false, /*lstrip=*/true, /*rstrip=*/true}};
  EXPECT_EQ(Split(tokens, "a \xE3\x80\x80<m>\t b"), (Pieces{"a", "[ \xE3\x80\x80<m>]", "b"}));
  EXPECT_EQ(Split(tokens, "<m> <m>"), (Pieces{"[<m>]", "[<m>]"}));
}

TEST(AddedTokens, LeaveTextAloneWhenThereAreNone) {
  const auto added = AddedTokens::Make({});
  ASSERT_TRUE(added.ok());
  EXPECT_TRUE(added->empty());
  EXPECT_EQ(Split({}, "a<s>"), Pieces{"a<s>"});
}

TEST(AddedTokenForms, AreLookedForInTheirFormOfTheText) {
  const auto lower = [](std::string_view text) {
    std::string normal(text);
    for (char& c : normal) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return normal;
  };
  const auto forms = AddedTokenForms::Make({{"<S>", 3}, {"New", 9, /*normalized=*/true}}, lower);
  ASSERT_TRUE(forms.ok()) << forms.status().ToString();
  EXPECT_EQ(forms->vocabulary, 10u);
  const auto found = [](const AddedTokens& tokens, std::string_view text) {
    std::vector<int32_t> ids;
    tokens.Split(text, [&](std::string_view, const AddedToken* token) {
      ids.push_back(token == nullptr ? -1 : token->id);
    });
    return ids;
  };
  EXPECT_EQ(found(forms->raw, "New<S>"), (std::vector<int32_t>{-1, 3}));
  EXPECT_EQ(found(forms->normal, "new<s>New"), (std::vector<int32_t>{9, -1}));
  const auto none = AddedTokenForms::Make({}, lower);
  ASSERT_TRUE(none.ok());
  EXPECT_TRUE(none->raw.empty() && none->normal.empty());
  EXPECT_EQ(none->vocabulary, 0u);
}

}  // namespace
}  // namespace ragstone::llm
