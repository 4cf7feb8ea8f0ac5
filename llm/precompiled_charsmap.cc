#include "llm/precompiled_charsmap.h"

#include <algorithm>

#include "llm/bert_normalizer.h"
#include "llm/grapheme.h"
#include "llm/tokenizer_errors.h"

namespace ragstone::llm {
namespace {

// Longer clusters are replaced character by character.
constexpr size_t kClusterBytesMax = 5;

uint32_t ReadUnit(std::string_view bytes, size_t at) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) {
    value |= uint32_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
  }
  return value;
}

// The parts of a unit of the double array (Yata's Darts-clone layout).
bool HasLeaf(uint32_t unit) { return (unit >> 8 & 1) != 0; }
uint32_t Value(uint32_t unit) { return unit & 0x7FFFFFFF; }
uint32_t Label(uint32_t unit) { return unit & 0x800000FF; }
uint64_t Offset(uint32_t unit) { return uint64_t{unit >> 10} << ((unit & 0x200) >> 6); }

Status Corrupt(const std::string& what) { return CorruptTokenizer("precompiled_charsmap " + what); }

bool IsContinuation(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) == 0x80; }

}  // namespace

Result<PrecompiledCharsmap> PrecompiledCharsmap::Parse(std::string_view blob) {
  if (blob.size() < 4) {
    return Corrupt("has " + std::to_string(blob.size()) + " bytes, at least 4 are needed");
  }
  const size_t units = ReadUnit(blob, 0) / 4;
  const size_t room = (blob.size() - 4) / 4;
  if (units == 0 || units > room) {
    return Corrupt("announces " + std::to_string(units) + " units, the file has room for 1 to " +
                   std::to_string(room));
  }
  PrecompiledCharsmap map;
  map.units_.reserve(units);
  for (size_t i = 0; i < units; ++i) map.units_.push_back(ReadUnit(blob, 4 + 4 * i));
  map.texts_ = blob.substr(4 + 4 * units);
  if (!IsUtf8(map.texts_)) return Corrupt("has texts that are not UTF-8");
  for (unsigned char c = 0; c < map.ascii_.size(); ++c) {
    const char byte = static_cast<char>(c);
    const auto text = map.Replacement({&byte, 1});
    if (!text) continue;
    map.ascii_[c] = {static_cast<uint32_t>(text->data() - map.texts_.data()),
                     static_cast<uint32_t>(text->size())};
  }
  return map;
}

std::optional<std::string_view> PrecompiledCharsmap::Replacement(std::string_view chunk) const {
  uint64_t at = Offset(units_[0]);
  for (const char byte : chunk) {
    const auto c = static_cast<unsigned char>(byte);
    if (c == 0) return std::nullopt;  // zero ends keys
    at ^= c;
    if (at >= units_.size() || Label(units_[at]) != c) return std::nullopt;
    const uint32_t unit = units_[at];
    at ^= Offset(unit);
    if (!HasLeaf(unit)) continue;
    if (at >= units_.size()) return std::nullopt;
    const uint32_t begin = Value(units_[at]);
    if (begin > texts_.size()) return std::nullopt;
    if (begin < texts_.size() && IsContinuation(texts_[begin])) return std::nullopt;
    const size_t end = std::min(texts_.find('\0', begin), texts_.size());
    return std::string_view(texts_).substr(begin, end - begin);
  }
  return std::nullopt;
}

void PrecompiledCharsmap::AppendCluster(std::string_view cluster, std::string& out) const {
  if (cluster.size() <= kClusterBytesMax) {
    if (const auto text = Replacement(cluster)) {
      out += *text;
      return;
    }
  }
  for (size_t at = 0; at < cluster.size();) {
    const size_t begin = at;
    ReadCodePoint(cluster, at);
    const std::string_view character = cluster.substr(begin, at - begin);
    out += Replacement(character).value_or(character);
  }
}

void PrecompiledCharsmap::Append(std::string_view text, std::string& out) const {
  for (size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    const auto next = static_cast<unsigned char>(at + 1 < text.size() ? text[at + 1] : 0);
    // Within ASCII every character is a cluster, but for CR with LF.
    if (byte < 0x80 && next < 0x80 && !(byte == '\r' && next == '\n')) {
      if (const auto& slice = ascii_[byte]) {
        out.append(texts_, slice->begin, slice->size);
      } else {
        out.push_back(text[at]);
      }
      ++at;
      continue;
    }
    const size_t end = GraphemeEnd(text, at);
    AppendCluster(text.substr(at, end - at), out);
    at = end;
  }
}

}  // namespace ragstone::llm
