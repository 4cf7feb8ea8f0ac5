#include "ingest/internal/running_lines.h"

#include <algorithm>
#include <cctype>
#include <string_view>

namespace ragstone::ingest::internal {
namespace {

constexpr size_t kPagesAround = 4;
constexpr size_t kEdgeLines = 4;     // looked at from the top and from the bottom
constexpr float kEdgeShare = 0.14f;  // of the page's height
constexpr size_t kKeyBytesMax = 200;
constexpr size_t kRepeatsMin = 3;
constexpr double kRepeatShare = 0.4;  // heads of left and right pages often differ
constexpr double kPageShare = 0.75;   // heads and feet are less of a page than this

bool IsRoman(std::string_view text) {
  return !text.empty() && text.size() <= 6 && std::all_of(text.begin(), text.end(), [](char c) {
    return std::string_view("ivxlc").find(c) != std::string_view::npos;
  });
}

// Lower case, digits as one '#', white space and punctuation folded: what stays equal from page to
// page.
std::string MakeKey(std::string_view line) {
  std::string key;
  for (const char c : line) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isdigit(byte)) {
      if (key.empty() || key.back() != '#') key.push_back('#');
    } else if (std::isalpha(byte) || byte >= 0x80) {
      key.push_back(static_cast<char>(std::tolower(byte)));
    } else if (!key.empty() && key.back() != ' ') {
      key.push_back(' ');
    }
  }
  while (!key.empty() && key.back() == ' ') key.pop_back();
  return IsRoman(key) ? "#" : key;
}

// Whether the line stands near an edge; without boxes its place among the lines has to do.
bool NearEdge(const Page& page, const Line& line, bool top) {
  const auto word = std::lower_bound(page.words.begin(), page.words.end(), line.begin,
                                     [](const Word& w, uint32_t begin) { return w.begin < begin; });
  if (word == page.words.end() || page.height <= 0) return true;
  return top ? word->y0 < kEdgeShare * page.height : word->y1 > (1 - kEdgeShare) * page.height;
}

// Forms and slips repeat most of their lines; what is a large part of its page is its text.
void KeepLargeParts(DecidedPage* page) {
  size_t running = 0;
  size_t all = 0;
  for (size_t i = 0; i < page->lines.size(); ++i) {
    const size_t bytes = page->lines[i].end - page->lines[i].begin;
    all += bytes;
    if (page->running[i]) running += bytes;
  }
  if (static_cast<double>(running) >= kPageShare * static_cast<double>(all)) {
    page->running.assign(page->lines.size(), false);
  }
}

}  // namespace

std::vector<RunningLines::EdgeLine> RunningLines::FindEdges(const Page& page) {
  std::vector<EdgeLine> edges;
  const size_t count = page.lines.size();
  for (size_t i = 0; i < count; ++i) {
    const bool top = i < kEdgeLines;
    const bool bottom = i + kEdgeLines >= count;
    if (!top && !bottom) continue;
    const Line& line = page.lines[i];
    if (!(top && NearEdge(page, line, true)) && !(bottom && NearEdge(page, line, false))) continue;
    const std::string_view text =
        std::string_view(page.text).substr(line.begin, line.end - line.begin);
    if (text.size() > kKeyBytesMax) continue;
    std::string key = MakeKey(text);
    if (!key.empty()) edges.push_back({i, std::move(key)});
  }
  return edges;
}

void RunningLines::Add(const Page& page, std::vector<DecidedPage>* decided) {
  Entry entry;
  entry.page.number = page.number;
  entry.page.text = page.text;
  entry.page.lines = page.lines;
  entry.page.running.assign(page.lines.size(), false);
  entry.edges = FindEdges(page);
  waiting_.push_back(std::move(entry));
  if (waiting_.size() > kPagesAround) DecideNext(decided);
}

void RunningLines::Finish(std::vector<DecidedPage>* decided) {
  while (!waiting_.empty()) DecideNext(decided);
}

void RunningLines::DecideNext(std::vector<DecidedPage>* decided) {
  Entry& entry = waiting_.front();
  const size_t pages = before_.size() + waiting_.size();
  for (const EdgeLine& edge : entry.edges) {
    size_t repeats = 0;
    for (const auto& keys : before_) repeats += std::count(keys.begin(), keys.end(), edge.key) > 0;
    for (const Entry& other : waiting_) {
      repeats += std::any_of(other.edges.begin(), other.edges.end(),
                             [&](const EdgeLine& e) { return e.key == edge.key; });
    }
    const auto needed =
        std::max(kRepeatsMin, static_cast<size_t>(kRepeatShare * static_cast<double>(pages) + 0.5));
    if (repeats >= needed) entry.page.running[edge.line] = true;
  }
  KeepLargeParts(&entry.page);
  std::vector<std::string> keys;
  for (EdgeLine& edge : entry.edges) keys.push_back(std::move(edge.key));
  before_.push_back(std::move(keys));
  if (before_.size() > kPagesAround) before_.pop_front();
  decided->push_back(std::move(entry.page));
  waiting_.pop_front();
}

}  // namespace ragstone::ingest::internal
