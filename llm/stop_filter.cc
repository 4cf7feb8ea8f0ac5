#include "llm/stop_filter.h"

#include <algorithm>
#include <utility>

namespace ragstone::llm {
namespace {

// Length of the longest beginning of `text` that ends with a whole character. Malformed bytes count
// as characters: only a sequence that may still be completed is held back.
size_t WholeCharacters(std::string_view text) {
  for (size_t back = 1; back <= std::min<size_t>(3, text.size()); ++back) {
    const auto c = static_cast<unsigned char>(text[text.size() - back]);
    if (c < 0x80) return text.size();
    if (c < 0xC0) continue;
    const size_t length = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
    return length > back ? text.size() - back : text.size();
  }
  return text.size();
}

// Replaces bytes that are no UTF-8, which byte tokens of a model can make, with U+FFFD.
std::string Repair(std::string_view text) {
  std::string out;
  size_t i = 0;
  while (i < text.size()) {
    const auto c = static_cast<unsigned char>(text[i]);
    const size_t length = c < 0x80    ? 1
                          : c >= 0xF5 ? 0
                          : c >= 0xF0 ? 4
                          : c >= 0xE0 ? 3
                          : c >= 0xC2 ? 2
                                      : 0;
    bool good = length > 0 && i + length <= text.size();
    for (size_t k = 1; good && k < length; ++k) {
      good = (static_cast<unsigned char>(text[i + k]) & 0xC0) == 0x80;
    }
    if (good && length == 3) {
      const auto d = static_cast<unsigned char>(text[i + 1]);
      good = !(c == 0xE0 && d < 0xA0) && !(c == 0xED && d >= 0xA0);
    } else if (good && length == 4) {
      const auto d = static_cast<unsigned char>(text[i + 1]);
      good = !(c == 0xF0 && d < 0x90) && !(c == 0xF4 && d >= 0x90);
    }
    if (good) {
      out.append(text.substr(i, length));
      i += length;
    } else {
      out += "\xEF\xBF\xBD";
      ++i;
    }
  }
  return out;
}

}  // namespace

StopFilter::StopFilter(std::vector<std::string> stops) : stops_(std::move(stops)) {
  std::erase_if(stops_, [](const std::string& stop) { return stop.empty(); });
}

std::string StopFilter::Push(std::string_view piece) {
  if (stopped_) return {};
  held_ += piece;
  size_t first = std::string::npos;
  for (const std::string& stop : stops_) first = std::min(first, held_.find(stop));
  if (first != std::string::npos) {
    stopped_ = true;
    std::string text = Repair(std::string_view(held_).substr(0, first));
    held_.clear();
    return text;
  }
  // Holds back the longest end that a stop text begins with.
  size_t keep = 0;
  for (const std::string& stop : stops_) {
    for (size_t n = std::min(stop.size() - 1, held_.size()); n > keep; --n) {
      if (std::string_view(held_).substr(held_.size() - n) == std::string_view(stop).substr(0, n)) {
        keep = n;
      }
    }
  }
  const size_t ready = WholeCharacters(std::string_view(held_).substr(0, held_.size() - keep));
  std::string text = Repair(std::string_view(held_).substr(0, ready));
  held_.erase(0, ready);
  return text;
}

std::string StopFilter::Finish() {
  if (stopped_) return {};
  const size_t ready = WholeCharacters(held_);
  std::string text = Repair(std::string_view(held_).substr(0, ready));
  held_.clear();
  stopped_ = true;
  return text;
}

}  // namespace ragstone::llm
