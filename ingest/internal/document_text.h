#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ragstone::ingest::internal {

// The part of a document's text (page texts joined by "\n") that chunks may still need, addressed
// by positions in the whole.
class DocumentText {
 public:
  // Returns the position of the page's first byte.
  uint64_t AddPage(uint32_t number, std::string_view text) {
    if (!pages_.empty()) bytes_ += '\n';
    pages_.push_back({base_ + bytes_.size(), number});
    bytes_ += text;
    return pages_.back().begin;
  }

  std::string_view View(uint64_t begin, uint64_t end) const {
    return std::string_view(bytes_).substr(begin - base_, end - begin);
  }

  uint32_t PageAt(uint64_t position) const {
    const auto after =
        std::upper_bound(pages_.begin(), pages_.end(), position,
                         [](uint64_t value, const PageStart& page) { return value < page.begin; });
    return after == pages_.begin() ? pages_.front().number : (after - 1)->number;
  }

  // 1-based line; positions must not go back behind an earlier call or Drop.
  uint32_t LineAt(uint64_t position) {
    const std::string_view between = View(line_position_, position);
    line_ += static_cast<uint32_t>(std::count(between.begin(), between.end(), '\n'));
    line_position_ = position;
    return line_;
  }

  // Forgets what lies before `position`.
  void Drop(uint64_t position) {
    LineAt(position);
    bytes_.erase(0, position - base_);
    base_ = position;
    while (pages_.size() > 1 && pages_[1].begin <= position) pages_.erase(pages_.begin());
  }

 private:
  struct PageStart {
    uint64_t begin;
    uint32_t number;
  };
  std::string bytes_;
  uint64_t base_ = 0;
  std::vector<PageStart> pages_;
  uint64_t line_position_ = 0;
  uint32_t line_ = 1;
};

}  // namespace ragstone::ingest::internal
