#include "llm/piece_trie.h"

#include <algorithm>

#include "llm/tokenizer_errors.h"

namespace ragstone::llm {

PieceTrie PieceTrie::Build(const std::vector<std::pair<std::string, int32_t>>& keys) {
  PieceTrie trie;
  auto& nodes = trie.nodes_;
  nodes.resize(512);
  nodes[0].parent = 0;  // no other node has base + byte == 0, since bases begin at 1
  std::vector<bool> taken(1, true);
  struct Range {
    uint32_t node;
    size_t begin, end, depth;  // keys [begin, end) share their first `depth` bytes
  };
  std::vector<Range> open = {{0, 0, keys.size(), 0}};
  // The search for room begins at the first free place, and for nodes with several children where
  // the last long search ended: single children fill the holes it leaves.
  constexpr uint32_t kLongSearch = 64;
  uint32_t first_free = 256, branching_from = 256;  // lower places would not suit every byte
  while (!open.empty()) {
    Range range = open.back();
    open.pop_back();
    if (range.begin < range.end && keys[range.begin].first.size() == range.depth) {
      nodes[range.node].value = keys[range.begin].second;
      ++range.begin;
    }
    std::vector<std::pair<unsigned char, size_t>> children;  // byte, first key
    for (size_t i = range.begin; i < range.end; ++i) {
      const auto byte = static_cast<unsigned char>(keys[i].first[range.depth]);
      if (children.empty() || children.back().first != byte) children.emplace_back(byte, i);
    }
    if (children.empty()) {
      nodes[range.node].base = 1;
      continue;
    }
    while (first_free < taken.size() && taken[first_free]) ++first_free;
    const uint32_t lowest = children.front().first;
    const uint32_t from = children.size() > 1 ? std::max(first_free, branching_from) : first_free;
    const uint32_t first_base = from - lowest;
    uint32_t base = first_base;
    const auto fits = [&] {
      return std::all_of(children.begin(), children.end(), [&](const auto& child) {
        return base + child.first >= taken.size() || !taken[base + child.first];
      });
    };
    while (!fits()) ++base;
    if (children.size() > 1 && base - first_base > kLongSearch) branching_from = base + lowest;
    // Look-ups read up to base + 255 without a check.
    if (nodes.size() < base + 512) nodes.resize(std::max<size_t>(base + 512, nodes.size() * 2));
    taken.resize(nodes.size(), false);
    nodes[range.node].base = base;
    for (size_t i = 0; i < children.size(); ++i) {
      const uint32_t child = base + children[i].first;
      taken[child] = true;
      nodes[child].parent = range.node;
      const size_t end = i + 1 < children.size() ? children[i + 1].second : range.end;
      open.push_back({child, children[i].second, end, range.depth + 1});
    }
  }
  return trie;
}

Result<PieceTrie> TrieOf(std::vector<std::pair<std::string, int32_t>> tokens) {
  std::erase_if(tokens, [](const auto& token) { return token.first.empty(); });
  std::stable_sort(tokens.begin(), tokens.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].second < 0) {
      return CorruptTokenizer("token \"" + tokens[i].first + "\" has the negative id " +
                              std::to_string(tokens[i].second));
    }
  }
  // Of equal tokens the first counts.
  tokens.erase(std::unique(tokens.begin(), tokens.end(),
                           [](const auto& a, const auto& b) { return a.first == b.first; }),
               tokens.end());
  return PieceTrie::Build(tokens);
}

}  // namespace ragstone::llm
