#include "llm/grapheme.h"

#include <algorithm>
#include <array>
#include <vector>

#include "llm/bert_normalizer.h"

namespace ragstone::llm {
namespace {

using enum GraphemeKind;

constexpr uint32_t kCodePoints = 0x110000;
constexpr uint32_t kHangulFirst = 0xAC00, kHangulCount = 11172, kHangulTails = 28;

// The kind of every code point in two stages: pages of 256, equal pages stored once.
class Kinds {
 public:
  Kinds() {
    std::vector<GraphemeKind> kinds(kCodePoints, kOther);
    for (const GraphemeRange& range : GetUnigramTables().graphemes) {
      std::fill(kinds.begin() + range.first, kinds.begin() + range.last + 1, range.kind);
    }
    kinds['\r'] = kCr;
    kinds['\n'] = kLf;
    kinds[0x200D] = kJoiner;
    for (uint32_t i = 0; i < kHangulCount; ++i) {
      kinds[kHangulFirst + i] = i % kHangulTails == 0 ? kHangulLv : kHangulLvt;
    }
    for (uint32_t page = 0; page < pages_.size(); ++page) {
      Page content;
      std::copy_n(kinds.begin() + page * 256, 256, content.begin());
      const auto at = std::find(stored_.begin(), stored_.end(), content);
      pages_[page] = static_cast<uint16_t>(at - stored_.begin());
      if (at == stored_.end()) stored_.push_back(content);
    }
  }

  GraphemeKind operator[](uint32_t c) const { return stored_[pages_[c >> 8]][c & 255]; }

 private:
  using Page = std::array<GraphemeKind, 256>;
  std::array<uint16_t, kCodePoints / 256> pages_;
  std::vector<Page> stored_;
};

bool IsControl(GraphemeKind kind) { return kind == kCr || kind == kLf || kind == kControl; }

bool IsExtend(GraphemeKind kind) {
  return kind == kExtend || kind == kExtendOnly || kind == kLinker;
}

bool HangulJoins(GraphemeKind left, GraphemeKind right) {
  switch (left) {
    case kHangulL:
      return right == kHangulL || right == kHangulV || right == kHangulLv || right == kHangulLvt;
    case kHangulV:
    case kHangulLv:
      return right == kHangulV || right == kHangulT;
    case kHangulT:
    case kHangulLvt:
      return right == kHangulT;
    default:
      return false;
  }
}

// What has been read of a cluster, as far as the next boundary depends on it.
class Cluster {
 public:
  explicit Cluster(GraphemeKind first) { Add(first); }

  bool Joins(GraphemeKind next) const {
    if (last_ == kCr && next == kLf) return true;
    if (IsControl(last_) || IsControl(next)) return false;
    if (IsExtend(next) || next == kJoiner || next == kSpacingMark || last_ == kPrepend) return true;
    if (conjunct_ == Conjunct::kLinked && next == kConsonant) return true;
    if (emoji_ == Emoji::kJoined && next == kPictographic) return true;
    return HangulJoins(last_, next);
  }

  void Add(GraphemeKind next) {
    if (next == kConsonant) {
      conjunct_ = Conjunct::kConsonant;
    } else if (next == kLinker && conjunct_ != Conjunct::kNone) {
      conjunct_ = Conjunct::kLinked;
    } else if (next != kExtend && next != kJoiner && next != kLinker) {
      conjunct_ = Conjunct::kNone;
    }
    if (next == kPictographic) {
      emoji_ = Emoji::kPicture;
    } else if (next == kJoiner && emoji_ == Emoji::kPicture) {
      emoji_ = Emoji::kJoined;
    } else if (!IsExtend(next) || emoji_ == Emoji::kJoined) {
      emoji_ = Emoji::kNone;
    }
    last_ = next;
  }

 private:
  enum class Conjunct { kNone, kConsonant, kLinked };
  enum class Emoji { kNone, kPicture, kJoined };
  Conjunct conjunct_ = Conjunct::kNone;
  Emoji emoji_ = Emoji::kNone;
  GraphemeKind last_ = kOther;
};

}  // namespace

GraphemeKind GraphemeKindOf(uint32_t code_point) {
  static const Kinds kKinds;
  return kKinds[code_point];
}

size_t GraphemeEnd(std::string_view text, size_t at) {
  Cluster cluster(GraphemeKindOf(ReadCodePoint(text, at)));
  while (at < text.size()) {
    size_t next = at;
    const GraphemeKind kind = GraphemeKindOf(ReadCodePoint(text, next));
    if (!cluster.Joins(kind)) break;
    cluster.Add(kind);
    at = next;
  }
  return at;
}

}  // namespace ragstone::llm
