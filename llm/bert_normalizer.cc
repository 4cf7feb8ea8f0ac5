#include "llm/bert_normalizer.h"

#include <algorithm>
#include <array>
#include <vector>

#include "llm/wordpiece_tables.h"

namespace ragstone::llm {
namespace {

constexpr uint32_t kReplacement = 0xFFFD;
constexpr uint32_t kCodePoints = 0x110000;
constexpr uint32_t kHangulFirst = 0xAC00, kHangulCount = 11172;

// Bits of a code point.
constexpr uint8_t kDropped = 1, kSpace = 2, kIdeograph = 4, kMark = 8, kPunctuation = 16,
                  kDecomposes = 32, kHasLower = 64, kCombining = 128;

// Bits of every code point in two stages: pages of 256, equal pages stored once.
class CodePointBits {
 public:
  CodePointBits() {
    std::vector<uint8_t> bits(kCodePoints, 0);
    const WordPieceTables& tables = GetWordPieceTables();
    const auto set = [&](const auto& ranges, uint8_t bit) {
      for (const auto& range : ranges) {
        for (uint32_t c = range.first; c <= range.last; ++c) bits[c] |= bit;
      }
    };
    set(tables.dropped, kDropped);
    set(tables.spaces, kSpace);
    set(tables.ideographs, kIdeograph);
    set(tables.marks, kMark);
    set(tables.punctuation, kPunctuation);
    set(tables.combining, kCombining);
    for (const LowerRange& range : tables.lower) {
      for (uint32_t c = range.first; c <= range.last; c += range.stride) bits[c] |= kHasLower;
    }
    bits[0x130] |= kHasLower;
    const auto& parts = tables.decompositions;
    for (size_t i = 0; i < parts.size(); i += 1 + parts[i] % 8) bits[parts[i] / 8] |= kDecomposes;
    for (uint32_t c = 0; c < kHangulCount; ++c) bits[kHangulFirst + c] |= kDecomposes;
    Pack(bits);
  }

  uint8_t operator[](uint32_t c) const { return stored_[pages_[c >> 8]][c & 255]; }

 private:
  using Page = std::array<uint8_t, 256>;
  void Pack(const std::vector<uint8_t>& bits) {
    for (uint32_t page = 0; page < pages_.size(); ++page) {
      Page content;
      std::copy_n(bits.begin() + page * 256, 256, content.begin());
      const auto at = std::find(stored_.begin(), stored_.end(), content);
      pages_[page] = static_cast<uint16_t>(at - stored_.begin());
      if (at == stored_.end()) stored_.push_back(content);
    }
  }
  std::array<uint16_t, kCodePoints / 256> pages_;
  std::vector<Page> stored_;
};

const CodePointBits& Bits() {
  static const CodePointBits kBits;
  return kBits;
}

// Where each decomposition begins in the table, by code point.
const std::vector<std::pair<uint32_t, uint32_t>>& DecompositionIndex() {
  static const auto kIndex = [] {
    std::vector<std::pair<uint32_t, uint32_t>> index;
    const auto& parts = GetWordPieceTables().decompositions;
    for (uint32_t i = 0; i < parts.size(); i += 1 + parts[i] % 8) {
      index.emplace_back(parts[i] / 8, i);
    }
    return index;
  }();
  return kIndex;
}

uint32_t CombiningOrder(uint32_t c) {
  const auto& ranges = GetWordPieceTables().combining;
  const auto at = std::upper_bound(
      ranges.begin(), ranges.end(), c,
      [](uint32_t value, const CombiningRange& range) { return value < range.first; });
  return (at - 1)->order;
}

void AppendLower(uint32_t c, std::string& out) {
  if (c == 0x130) {  // the only letter whose lower case is two code points
    out += "i\xCC\x87";
    return;
  }
  // Ranges of stride 2 interleave at most in pairs, so the range is one of the last that begin at
  // or before `c`.
  const auto& ranges = GetWordPieceTables().lower;
  auto at =
      std::upper_bound(ranges.begin(), ranges.end(), c,
                       [](uint32_t value, const LowerRange& range) { return value < range.first; });
  while (at != ranges.begin()) {
    --at;
    if (c <= at->last && (c - at->first) % at->stride == 0) {
      AppendCodePoint(static_cast<uint32_t>(static_cast<int32_t>(c) + at->delta), out);
      return;
    }
  }
  AppendCodePoint(c, out);
}

// The steps after clean_text and handle_chinese_chars for text that is not plain ASCII.
class Writer {
 public:
  Writer(const BertNormalizerOptions& options, std::string& out)
      : options_(options), bits_(Bits()), out_(out) {}

  void Add(uint32_t c, uint8_t bits) {
    if (!options_.strip_accents) {
      Emit(c, bits);
    } else if ((bits & kDecomposes) == 0) {
      Order(c, bits);
    } else if (c - kHangulFirst < kHangulCount) {
      AddHangul(c - kHangulFirst);
    } else {
      const auto& index = DecompositionIndex();
      const auto at = std::lower_bound(index.begin(), index.end(), std::make_pair(c, 0u));
      const uint32_t* parts = GetWordPieceTables().decompositions.data() + at->second;
      for (uint32_t i = 1; i <= parts[0] % 8; ++i) Order(parts[i], bits_[parts[i]]);
    }
  }

  void Flush() {
    if (pending_.empty()) return;
    std::stable_sort(pending_.begin(), pending_.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& [order, c] : pending_) Emit(c, bits_[c]);
    pending_.clear();
  }

 private:
  void AddHangul(uint32_t index) {
    Order(0x1100 + index / 588, 0);
    Order(0x1161 + index % 588 / 28, 0);
    if (index % 28 != 0) Order(0x11A7 + index % 28, 0);
  }

  // Removes marks and keeps the rest of them back until their canonical order is known. Removing
  // before sorting gives the same result as after, since the sort is stable.
  void Order(uint32_t c, uint8_t bits) {
    if ((bits & kCombining) != 0) {
      if ((bits & kMark) == 0) pending_.emplace_back(CombiningOrder(c), c);
      return;
    }
    Flush();
    if ((bits & kMark) == 0) Emit(c, bits);
  }

  void Emit(uint32_t c, uint8_t bits) {
    if (options_.lowercase && (bits & kHasLower) != 0) {
      AppendLower(c, out_);
    } else {
      AppendCodePoint(c, out_);
    }
  }

  const BertNormalizerOptions& options_;
  const CodePointBits& bits_;
  std::string& out_;
  std::vector<std::pair<uint32_t, uint32_t>> pending_;  // (order, code point)
};

// Length of the sequence that a leading byte announces and the bounds of the second byte; 0: wrong.
struct Lead {
  uint32_t length;
  unsigned char second_min, second_max;
};

Lead LeadOf(unsigned char byte) {
  if (byte >= 0xC2 && byte <= 0xDF) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte >= 0xE1 && byte <= 0xEF) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte >= 0xF1 && byte <= 0xF3) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

}  // namespace

void AppendLowerCase(uint32_t code_point, std::string& out) {
  if ((Bits()[code_point] & kHasLower) != 0) {
    AppendLower(code_point, out);
  } else {
    AppendCodePoint(code_point, out);
  }
}

bool IsUtf8(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    if (ReadCodePoint(text, at) != kReplacement) continue;
    if (text.substr(begin, at - begin) != "\xEF\xBF\xBD") return false;
  }
  return true;
}

WordBreak WordBreakOf(uint32_t code_point) {
  const uint8_t bits = Bits()[code_point];
  if ((bits & kSpace) != 0) return WordBreak::kSpace;
  return (bits & kPunctuation) != 0 ? WordBreak::kPunctuation : WordBreak::kNone;
}

uint32_t ReadCodePoint(std::string_view text, size_t& at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at++);
  if (first < 0x80) return first;
  const Lead lead = LeadOf(first);
  if (lead.length == 0) return kReplacement;
  uint32_t c = first & (0x7Fu >> lead.length);
  for (uint32_t i = 1; i < lead.length; ++i) {
    const unsigned char low = i == 1 ? lead.second_min : 0x80;
    const unsigned char high = i == 1 ? lead.second_max : 0xBF;
    if (at == text.size() || byte(at) < low || byte(at) > high) return kReplacement;
    c = c << 6 | (byte(at++) & 0x3Fu);
  }
  return c;
}

void AppendCodePoint(uint32_t c, std::string& out) {
  const auto push = [&](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (c < 0x80) {
    push(c);
  } else if (c < 0x800) {
    push(0xC0 | c >> 6), push(0x80 | (c & 63));
  } else if (c < 0x10000) {
    push(0xE0 | c >> 12), push(0x80 | (c >> 6 & 63)), push(0x80 | (c & 63));
  } else {
    push(0xF0 | c >> 18), push(0x80 | (c >> 12 & 63));
    push(0x80 | (c >> 6 & 63)), push(0x80 | (c & 63));
  }
}

BertNormalizer::BertNormalizer(const BertNormalizerOptions& options) : options_(options) {
  for (unsigned char c = 0; c < 128; ++c) {
    const uint8_t bits = Bits()[c];
    ascii_[c] = c;
    if (options.clean_text && (bits & kDropped) != 0) {
      ascii_[c] = 0xFF;
    } else if (options.clean_text && (bits & kSpace) != 0) {
      ascii_[c] = ' ';
    } else if (options.lowercase && c >= 'A' && c <= 'Z') {
      ascii_[c] = static_cast<unsigned char>(c + 32);
    }
  }
}

void BertNormalizer::Append(std::string_view text, std::string& out) const {
  const CodePointBits& bits = Bits();
  Writer writer(options_, out);
  size_t at = 0;
  const auto add_ascii = [&] {
    size_t end = at;
    while (end < text.size() && static_cast<unsigned char>(text[end]) < 0x80) ++end;
    const size_t start = out.size();
    out.resize(start + end - at);
    char* to = out.data() + start;
    for (; at < end; ++at) {
      const unsigned char mapped = ascii_[static_cast<unsigned char>(text[at])];
      *to = static_cast<char>(mapped);
      to += mapped != 0xFF;
    }
    out.resize(static_cast<size_t>(to - out.data()));
  };
  while (at < text.size()) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte < 0x80) {
      // Removed characters do not end a run of marks; everything else in ASCII does.
      if (ascii_[byte] == 0xFF) {
        ++at;
      } else {
        writer.Flush();
        add_ascii();
      }
      continue;
    }
    const uint32_t c = ReadCodePoint(text, at);
    const uint8_t flags = bits[c];
    if (options_.clean_text && (flags & (kDropped | kSpace)) != 0) {
      if ((flags & kDropped) == 0) writer.Add(' ', 0);
    } else if (options_.handle_chinese_chars && (flags & kIdeograph) != 0) {
      writer.Add(' ', 0);
      writer.Add(c, flags);
      writer.Add(' ', 0);
    } else {
      writer.Add(c, flags);
    }
  }
  writer.Flush();
}

}  // namespace ragstone::llm
