#include "llm/precompiled_charsmap.h"

#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "llm/bert_normalizer.h"

namespace ragstone::llm {
namespace {

void AppendUnit(uint32_t unit, std::string& out) {
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<char>(unit >> (8 * i) & 0xFF));
}

constexpr uint32_t kUnits = 4096;
constexpr uint32_t kNothing = 0x80000000;  // no label is equal to it

// Makes the double array of a few keys: every node gets 256 units of its own.
std::string Blob(const std::vector<std::pair<std::string, std::string>>& keys) {
  std::vector<uint32_t> units(kUnits, kNothing);
  std::vector<uint32_t> bases = {0x100};  // of each node, in order of making
  std::vector<std::pair<std::string, uint32_t>> nodes = {{"", 0}};  // prefix and place
  units[0] = 0x100 << 10;
  std::string texts;
  for (const auto& [key, text] : keys) {
    size_t node = 0;
    for (size_t i = 0; i < key.size(); ++i) {
      const std::string prefix = key.substr(0, i + 1);
      size_t next = 0;
      while (next < nodes.size() && nodes[next].first != prefix) ++next;
      if (next == nodes.size()) {
        const auto byte = static_cast<unsigned char>(key[i]);
        const uint32_t at = bases[node] ^ byte;
        const auto base = static_cast<uint32_t>(bases.size() + 1) * 0x100;
        units[at] = (at ^ base) << 10 | byte;
        nodes.emplace_back(prefix, at);
        bases.push_back(base);
      }
      node = next;
    }
    units[nodes[node].second] |= 0x100;
    units[bases[node]] = static_cast<uint32_t>(texts.size()) | 0x80000000;
    texts += text + '\0';
  }
  std::string blob;
  AppendUnit(kUnits * 4, blob);
  for (const uint32_t unit : units) AppendUnit(unit, blob);
  return blob + texts;
}

std::string Apply(const std::string& blob, std::string_view text) {
  const auto map = PrecompiledCharsmap::Parse(blob);
  EXPECT_TRUE(map.ok()) << map.status().ToString();
  std::string out;
  if (map.ok()) map->Append(text, out);
  return out;
}

TEST(PrecompiledCharsmap, ReplacesCharacters) {
  const std::string blob = Blob({{"\t", " "}, {"A", "a"}, {"ﬁ", "fi"}, {"\u200b", ""}});
  EXPECT_EQ(Apply(blob, "A\tAﬁ\u200bx"), "a afix");
  EXPECT_EQ(Apply(blob, ""), "");
}

TEST(PrecompiledCharsmap, ReplacesWholeClustersBeforeCharacters) {
  const std::string blob = Blob({{"e\u0301", "é"}, {"\u0301", "!"}});
  EXPECT_EQ(Apply(blob, "xe\u0301"), "xé");
  EXPECT_EQ(Apply(blob, "x\u0301"), "x!");
}

// `tokenizers` takes the shortest key that begins a cluster and drops the rest of the cluster.
TEST(PrecompiledCharsmap, DropsWhatFollowsTheKeyInAShortCluster) {
  const std::string blob = Blob({{"Ａ", "A"}, {"\r", " "}, {"\n", "_"}});
  EXPECT_EQ(Apply(blob, "Ａ\u0301"), "A");
  EXPECT_EQ(Apply(blob, "\r\n\n\r"), " _ ");
}

TEST(PrecompiledCharsmap, TakesClustersOfSixBytesApart) {
  const std::string blob = Blob({{"Ａ", "A"}});
  EXPECT_EQ(Apply(blob, "Ａ\u20dd"), "A\u20dd");
}

TEST(PrecompiledCharsmap, EndsKeysAtZero) {
  EXPECT_EQ(Apply(Blob({{"a", "b"}}), std::string_view("\0a\0", 3)), std::string("\0b\0", 3));
}

TEST(PrecompiledCharsmap, RefusesSizesThatDoNotFit) {
  std::string blob = Blob({{"a", "b"}});
  for (const std::string& wrong : {std::string(), std::string("\1\0\0", 3), std::string(4, '\0'),
                                   std::string(8, '\xFF'), blob.substr(0, kUnits * 4)}) {
    const auto map = PrecompiledCharsmap::Parse(wrong);
    ASSERT_FALSE(map.ok()) << wrong.size();
    EXPECT_EQ(map.status().reason(), Reason::kModelCorrupt);
  }
  blob[blob.size() - 2] = '\xFF';
  EXPECT_EQ(PrecompiledCharsmap::Parse(blob).status().reason(), Reason::kModelCorrupt);
}

TEST(PrecompiledCharsmap, ReplacesNothingWhereLinksLeaveTheArray) {
  std::string blob;
  AppendUnit(8, blob);
  AppendUnit(0xFFFFFC00, blob);
  AppendUnit(0xFFFFFF61, blob);
  EXPECT_EQ(Apply(blob, "abc é"), "abc é");
}

TEST(PrecompiledCharsmap, ReplacesNothingWhereATextIsBeyondTheTextsOrInsideACharacter) {
  std::string blob = Blob({{"a", "é"}});
  EXPECT_EQ(Apply(blob, "a"), "é");
  const size_t value = 4 + 4 * 0x200;
  blob[value] = 1;
  EXPECT_EQ(Apply(blob, "a"), "a");
  blob[value] = 100;
  EXPECT_EQ(Apply(blob, "a"), "a");
}

TEST(PrecompiledCharsmap, SurvivesDamage) {
  constexpr uint32_t kSeed = 5;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  std::mt19937 random(kSeed);
  const std::string whole = Blob({{"e\u0301", "é"}, {"ﬁ", "fi"}, {"ab", "c"}, {"\r", " "}});
  uint32_t read = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string blob = whole;
    for (uint32_t changes = 1 + random() % 40; changes > 0; --changes) {
      blob[random() % (random() % 2 == 0 ? blob.size() : 8)] = static_cast<char>(random() % 256);
    }
    if (random() % 4 == 0) blob.resize(random() % blob.size());
    const auto map = PrecompiledCharsmap::Parse(blob);
    if (!map.ok()) continue;
    ++read;
    std::string out;
    map->Append("e\u0301ﬁab\r\nabé\u0301\u0302", out);
    ASSERT_TRUE(IsUtf8(out));
  }
  EXPECT_GT(read, 0u);
}

}  // namespace
}  // namespace ragstone::llm
