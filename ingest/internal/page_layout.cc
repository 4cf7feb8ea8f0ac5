#include "ingest/internal/page_layout.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string_view>
#include <unordered_set>

#include "ingest/internal/tables.h"
#include "ingest/internal/unicode_text.h"

namespace ragstone::ingest::internal {
namespace {

// A line of output: cells of words. Text has one cell, a table row one or more.
struct OutLine {
  std::vector<std::vector<uint32_t>> cells;
  uint32_t block = 0;
  bool table_row = false;
};

// Text that is only the mark of a list item: a bullet, "-", "3.", "(a)", "iv)".
bool IsListMark(std::string_view text) {
  if (text.empty() || text.size() > 6) return false;
  static constexpr std::string_view kBullets[] = {"•", "◦", "▪", "■", "●", "○", "–",
                                                  "-", "*", "o", "·", "❖", "➢", "✓"};
  for (const std::string_view bullet : kBullets) {
    if (text == bullet) return true;
  }
  const char last = text.back();
  if (last != '.' && last != ')') return false;
  std::string_view core = text.substr(0, text.size() - 1);
  if (core.starts_with('(')) core.remove_prefix(1);
  if (core.empty() || core.size() > 4) return false;
  const bool digits =
      std::all_of(core.begin(), core.end(), [](char c) { return c >= '0' && c <= '9'; });
  const bool roman = std::all_of(core.begin(), core.end(), [](char c) {
    return std::string_view("ivxIVX").find(c) != std::string_view::npos;
  });
  const bool letter = core.size() == 1 && std::isalpha(static_cast<unsigned char>(core[0]));
  return digits || roman || letter;
}

// The number of a section that stands apart from its title: "2.1.1", or "4" in bold.
bool IsSectionNumber(std::string_view text, bool bold) {
  if (text.ends_with('.')) text.remove_suffix(1);
  if (text.empty() || text.size() > 9) return false;
  bool inner_dot = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    const bool dot = text[i] == '.' && i > 0 && i + 1 < text.size() && text[i - 1] != '.';
    if (!digit && !dot) return false;
    inner_dot = inner_dot || dot;
  }
  return inner_dot || bold;
}

bool StartsWithCapital(std::string_view text) {
  size_t pos = 0;
  if (text.empty()) return false;
  const std::optional<char32_t> first = NextCodePoint(text, &pos);
  return first && IsUpper(*first);
}

class PageBuilder {
 public:
  PageBuilder(const RawPage& raw, uint32_t text_bytes_max, Page* page)
      : raw_(raw), bytes_max_(text_bytes_max), page_(page) {}

  bool Build() {
    MakeSegments();
    JoinListMarks();
    JoinDropCaps();
    PlaceTables();
    CollectLines();
    return WriteLines();
  }

 private:
  // Turns a box so that its text is upright.
  void AddSegment(const RawLine& line) {
    Segment s;
    s.first = line.begin;
    s.last = line.end;
    s.block = line.block;
    s.rotation = line.rotation & 3;
    s.x0 = s.y0 = 1e9f;
    s.x1 = s.y1 = -1e9f;
    float x0 = 1e9f, y0 = 1e9f, x1 = -1e9f, y1 = -1e9f;
    for (uint32_t w = line.begin; w < line.end; ++w) {
      const RawWord& word = raw_.words[w];
      x0 = std::min(x0, word.x0);
      y0 = std::min(y0, word.y0);
      x1 = std::max(x1, word.x1);
      y1 = std::max(y1, word.y1);
      s.size = std::max(s.size, word.font_size);
      s.chars += static_cast<uint32_t>(word.text.size()) + 1;
    }
    const float base = raw_.words[line.begin].baseline;
    const float w = raw_.width, h = raw_.height;
    switch (s.rotation) {
      case 0:
        SetFrame({x0, y0, x1, y1, base}, &s);
        break;
      case 1:
        SetFrame({y0, w - x1, y1, w - x0, w - base}, &s);
        break;
      case 2:
        SetFrame({w - x1, h - y1, w - x0, h - y0, h - base}, &s);
        break;
      default:
        SetFrame({h - y1, x0, h - y0, x1, base}, &s);
        break;
    }
    segments_.push_back(s);
  }

  static void SetFrame(const std::array<float, 5>& frame, Segment* s) {
    s->x0 = frame[0];
    s->y0 = frame[1];
    s->x1 = frame[2];
    s->y1 = frame[3];
    s->baseline = frame[4];
  }

  void MakeSegments() {
    std::array<uint64_t, 4> chars{};
    size_t right_to_left_lines = 0;
    for (const RawLine& line : raw_.lines) {
      if (line.begin >= line.end) continue;
      AddSegment(line);
      chars[segments_.back().rotation] += segments_.back().chars;
      right_to_left_lines += line.right_to_left;
    }
    right_to_left_ = right_to_left_lines * 2 > segments_.size();
    main_rotation_ =
        static_cast<uint32_t>(std::max_element(chars.begin(), chars.end()) - chars.begin());
    prefix_.assign(segments_.size(), std::nullopt);
    joined_.assign(segments_.size(), false);
    table_of_.assign(segments_.size(), -1);
  }

  std::string SegmentText(const Segment& segment) const {
    std::string text;
    for (uint32_t w = segment.first; w < segment.last && text.size() < 16; ++w) {
      text += raw_.words[w].text;
    }
    return text;
  }

  // The mark of a list item often is a line of its own, in reading order far from its text.
  void JoinListMarks() {
    std::vector<uint32_t> order;
    for (uint32_t i = 0; i < segments_.size(); ++i) {
      if (segments_[i].rotation == main_rotation_) order.push_back(i);
    }
    std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
      return segments_[a].baseline < segments_[b].baseline;
    });
    for (size_t k = 0; k < order.size(); ++k) {
      const Segment& mark = segments_[order[k]];
      if (mark.last - mark.first > 2) continue;
      const std::string mark_text = SegmentText(mark);
      const bool list_mark = IsListMark(mark_text);
      const bool bold = raw_.words[mark.first].bold;
      if (!list_mark && !IsSectionNumber(mark_text, bold)) continue;
      int best = -1;
      for (const int step : {-1, 1}) {
        for (int n = 1; n <= 12; ++n) {
          const auto at = static_cast<std::ptrdiff_t>(k) + step * n;
          if (at < 0 || at >= static_cast<std::ptrdiff_t>(order.size())) break;
          const Segment& other = segments_[order[at]];
          if (std::fabs(other.baseline - mark.baseline) > 0.4f * other.size) break;
          const float gap = other.x0 - mark.x1;
          if (gap < -1 || gap > 4 * other.size || joined_[order[at]]) continue;
          const RawWord& next = raw_.words[other.first];
          const bool title = next.bold == bold && StartsWithCapital(next.text) &&
                             std::fabs(other.size - mark.size) < 0.3f;
          if (!list_mark && !title) continue;
          if (best < 0 || other.x0 < segments_[best].x0) best = static_cast<int>(order[at]);
        }
      }
      if (best < 0 || prefix_[best]) continue;
      prefix_[best] = order[k];
      joined_[order[k]] = true;
    }
  }

  // A drop cap is a word of its own in large type; it belongs to the word at its upper right.
  void JoinDropCaps() {
    for (uint32_t i = 0; i < segments_.size(); ++i) {
      const Segment& cap = segments_[i];
      if (cap.rotation != main_rotation_ || cap.last - cap.first != 1 || joined_[i]) continue;
      const std::string& letter = raw_.words[cap.first].text;
      if (!StartsWithCapital(letter) || letter.size() > 2) continue;
      int best = -1;
      const uint32_t from = i > kDropCapReach ? i - kDropCapReach : 0;
      const auto to = std::min<size_t>(segments_.size(), i + kDropCapReach);
      for (uint32_t k = from; k < to; ++k) {
        const Segment& other = segments_[k];
        const float gap = other.x0 - cap.x1;
        const bool beside = k != i && other.rotation == cap.rotation &&
                            cap.size > 1.8f * other.size && gap > -1 && gap < other.size &&
                            other.baseline > cap.y0 &&
                            other.baseline < cap.baseline - 0.5f * other.size;
        const bool higher = best < 0 || other.baseline < segments_[best].baseline;
        if (beside && higher && !joined_[k] && !prefix_[k]) best = static_cast<int>(k);
      }
      if (best < 0) continue;
      prefix_[best] = i;
      joined_[i] = true;
      drop_caps_.insert(cap.first);
    }
  }

  void PlaceTables() {
    std::vector<uint32_t> candidates;
    for (uint32_t i = 0; i < segments_.size(); ++i) {
      if (segments_[i].rotation == main_rotation_ && !joined_[i]) candidates.push_back(i);
    }
    tables_ = FindTables(segments_, candidates);
    for (size_t t = 0; t < tables_.size(); ++t) {
      for (const auto& row : tables_[t].rows) {
        for (const Table::Cell& cell : row) {
          for (const uint32_t i : cell) table_of_[i] = static_cast<int>(t);
        }
      }
    }
  }

  void AppendWords(uint32_t segment, std::vector<uint32_t>* words) const {
    std::vector<uint32_t> chain = {segment};
    while (prefix_[chain.back()]) chain.push_back(*prefix_[chain.back()]);
    for (auto it = chain.rbegin(); it != chain.rend(); ++it) {
      for (uint32_t w = segments_[*it].first; w < segments_[*it].last; ++w) words->push_back(w);
    }
  }

  void CollectTable(size_t t) {
    for (const auto& row : tables_[t].rows) {
      OutLine line;
      line.table_row = row.size() > 1;
      line.block = kTableBlock + static_cast<uint32_t>(t);
      for (const Table::Cell& cell : row) {
        line.cells.emplace_back();
        for (const uint32_t i : cell) AppendWords(i, &line.cells.back());
      }
      if (right_to_left_) std::reverse(line.cells.begin(), line.cells.end());
      lines_.push_back(std::move(line));
    }
  }

  void CollectText(uint32_t i, const Segment* previous) {
    const Segment& segment = segments_[i];
    const bool same_line = previous != nullptr && previous->block == segment.block &&
                           previous->rotation == segment.rotation &&
                           std::fabs(previous->baseline - segment.baseline) < 0.3f * segment.size &&
                           segment.x0 >= previous->x1 - 1 && !lines_.empty() &&
                           !lines_.back().table_row;
    if (!same_line) {
      OutLine line;
      line.block = segment.block;
      line.cells.emplace_back();
      lines_.push_back(std::move(line));
    }
    AppendWords(i, &lines_.back().cells.back());
  }

  void CollectLines() {
    std::vector<bool> table_done(tables_.size(), false);
    for (const bool main : {true, false}) {
      const Segment* previous = nullptr;
      for (uint32_t i = 0; i < segments_.size(); ++i) {
        if ((segments_[i].rotation == main_rotation_) != main || joined_[i]) continue;
        if (const int t = table_of_[i]; t >= 0) {
          if (!table_done[t]) CollectTable(t);
          table_done[t] = true;
          previous = nullptr;
          continue;
        }
        CollectText(i, previous);
        previous = &segments_[i];
      }
    }
  }

  // --- writing

  // Keeps the hyphen if the page also writes the compound with one, drops it if the page writes the
  // joined word, and else joins: most hyphens at line ends are typesetting.
  bool KeepsHyphen(const std::string& head, const std::string& tail) {
    if (vocabulary_.empty()) {
      for (const RawWord& word : raw_.words) vocabulary_.insert(word.text);
    }
    const std::string_view tail_core = TrimPunctuation(tail);
    if (vocabulary_.contains(head + std::string(tail_core))) return true;
    const std::string joined = head.substr(0, head.size() - 1) + std::string(tail_core);
    if (vocabulary_.contains(joined)) return false;
    static constexpr std::string_view kPrefixes[] = {"non-", "self-", "well-",
                                                     "Non-", "Self-", "Well-"};
    return std::any_of(std::begin(kPrefixes), std::end(kPrefixes),
                       [&](std::string_view prefix) { return head == prefix; }) ||
           head.find('-') + 1 < head.size();
  }

  static std::string_view TrimPunctuation(std::string_view text) {
    while (!text.empty() && std::ispunct(static_cast<unsigned char>(text.back())))
      text.remove_suffix(1);
    return text;
  }

  // The first word of `next` if the last word of `line` is the first part of it.
  std::optional<uint32_t> HyphenatedRest(const OutLine& line, const OutLine& next) const {
    if (line.table_row || next.table_row || line.block != next.block) return std::nullopt;
    if (line.cells[0].empty() || next.cells[0].empty()) return std::nullopt;
    const std::string& head = raw_.words[line.cells[0].back()].text;
    const std::string& tail = raw_.words[next.cells[0].front()].text;
    if (head.size() < 2 || head.back() != '-' || tail.empty()) return std::nullopt;
    const size_t before = FloorToCodePoint(head, head.size() - 2);
    size_t pos = before;
    const std::optional<char32_t> left = NextCodePoint(head, &pos);
    pos = 0;
    const std::optional<char32_t> right = NextCodePoint(tail, &pos);
    if (!left || !right || !IsLower(*left) || !IsLower(*right)) return std::nullopt;
    return next.cells[0].front();
  }

  void WriteWord(uint32_t w) {
    const RawWord& word = raw_.words[w];
    Word out;
    out.begin = static_cast<uint32_t>(page_->text.size());
    page_->text += word.text;
    out.end = static_cast<uint32_t>(page_->text.size());
    out.x0 = word.x0;
    out.y0 = word.y0;
    out.x1 = word.x1;
    out.y1 = word.y1;
    page_->words.push_back(out);
  }

  void WriteCell(const std::vector<uint32_t>& words) {
    for (size_t k = 0; k < words.size(); ++k) {
      WriteWord(words[k]);
      if (k + 1 == words.size()) break;
      const bool neighbours = words[k] + 1 == words[k + 1];
      const bool same_segment = neighbours && !ends_line_[words[k]];
      const bool space = !same_segment || raw_.words[words[k]].space_after;
      if (space && !drop_caps_.contains(words[k])) page_->text += ' ';
    }
  }

  // Size and weight of most of the letters of a line.
  void DescribeLine(const OutLine& line, Line* out) const {
    std::vector<std::pair<float, size_t>> sizes;
    size_t bold = 0, all = 0;
    for (const auto& cell : line.cells) {
      for (const uint32_t w : cell) {
        const RawWord& word = raw_.words[w];
        const size_t chars = word.text.size();
        all += chars;
        if (word.bold) bold += chars;
        auto found = std::find_if(sizes.begin(), sizes.end(), [&](const auto& entry) {
          return std::fabs(entry.first - word.font_size) < 0.1f;
        });
        if (found != sizes.end()) {
          found->second += chars;
        } else if (sizes.size() < 16) {
          sizes.emplace_back(word.font_size, chars);
        }
      }
    }
    out->bold = bold * 2 > all;
    const auto best =
        std::max_element(sizes.begin(), sizes.end(),
                         [](const auto& a, const auto& b) { return a.second < b.second; });
    out->font_size = best == sizes.end() ? 0 : best->first;
  }

  size_t LineBytes(const OutLine& line) const {
    size_t bytes = 2;
    for (const auto& cell : line.cells) {
      bytes += 3;
      for (const uint32_t w : cell) bytes += raw_.words[w].text.size() + 1;
    }
    return bytes;
  }

  void WriteLine(size_t i) {
    OutLine& line = lines_[i];
    Line out;
    out.begin = static_cast<uint32_t>(page_->text.size());
    out.table_row = line.table_row;
    DescribeLine(line, &out);
    for (size_t c = 0; c < line.cells.size(); ++c) {
      if (c > 0) page_->text += " | ";
      WriteCell(line.cells[c]);
    }
    if (i + 1 < lines_.size()) {
      if (const std::optional<uint32_t> rest = HyphenatedRest(line, lines_[i + 1])) {
        const std::string& head = raw_.words[line.cells[0].back()].text;
        if (!KeepsHyphen(head, raw_.words[*rest].text)) {
          page_->text.pop_back();
          --page_->words.back().end;
        }
        WriteWord(*rest);
        std::vector<uint32_t>& next = lines_[i + 1].cells[0];
        next.erase(next.begin());
      }
    }
    out.end = static_cast<uint32_t>(page_->text.size());
    page_->text += '\n';
    page_->lines.push_back(out);
  }

  bool WriteLines() {
    ends_line_.assign(raw_.words.size(), false);
    for (const RawLine& line : raw_.lines) {
      if (line.begin < line.end) ends_line_[line.end - 1] = true;
    }
    const OutLine* previous = nullptr;
    for (size_t i = 0; i < lines_.size(); ++i) {
      if (lines_[i].cells[0].empty()) continue;  // its only word went to the line above
      if (page_->text.size() + 2 * LineBytes(lines_[i]) > bytes_max_) return false;
      if (previous != nullptr && previous->block != lines_[i].block) page_->text += '\n';
      WriteLine(i);
      previous = &lines_[i];
    }
    return true;
  }

  static constexpr uint32_t kDropCapReach = 64;  // segments, in reading order
  static constexpr uint32_t kTableBlock = 0x80000000u;

  const RawPage& raw_;
  const uint32_t bytes_max_;
  Page* page_;
  std::vector<Segment> segments_;
  uint32_t main_rotation_ = 0;
  bool right_to_left_ = false;                   // tables are read from the right
  std::vector<std::optional<uint32_t>> prefix_;  // the list mark before a segment
  std::vector<bool> joined_;                     // the segment is such a mark
  std::unordered_set<uint32_t> drop_caps_;       // words that the next one continues
  std::vector<int> table_of_;
  std::vector<Table> tables_;
  std::vector<OutLine> lines_;
  std::vector<bool> ends_line_;
  std::unordered_set<std::string> vocabulary_;
};

}  // namespace

bool LayOutPage(const RawPage& raw, uint32_t text_bytes_max, Page* page) {
  page->width = raw.width;
  page->height = raw.height;
  return PageBuilder(raw, text_bytes_max, page).Build();
}

}  // namespace ragstone::ingest::internal
