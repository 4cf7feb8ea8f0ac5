#include "ingest/poppler/page_text.h"

#include <PDFDoc.h>
#include <TextOutputDev.h>
#include <goo/GooString.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "ingest/internal/unicode_text.h"

namespace ragstone::ingest {
namespace {

using internal::IsDigit;
using internal::IsLetter;
using internal::IsRightToLeft;

constexpr double kPointsPerInch = 72;
// Poppler's layout analysis takes more than linear time, so pages beyond any real one are cut
// first.
constexpr uint32_t kPageCharsMax = 500'000;
constexpr double kDiagonalSlope = 0.3;
constexpr int kLigatureLettersMax = 8;
constexpr uint32_t kImagesMax = 1000;
constexpr int kFormDepthMax = 3;
constexpr int kFormEntriesMax = 2000;

// Poppler's text device with a limit on characters.
class LimitedTextDevice : public TextOutputDev {
 public:
  explicit LimitedTextDevice(uint32_t chars_max)
      : TextOutputDev(nullptr, /*physLayout=*/false, 0, /*rawOrder=*/false, /*append=*/false),
        chars_max_(std::min(chars_max, kPageCharsMax)) {}

  void drawChar(GfxState* state, double x, double y, double dx, double dy, double origin_x,
                double origin_y, CharCode code, int bytes, const Unicode* u, int length) override {
    if (chars_ >= chars_max_) {
      cut_ = true;
      return;
    }
    ++chars_;
    if (IsDiagonal(*state, dx, dy)) return;
    // A ligature of right-to-left letters stands in a word whose other letters come from left to
    // right as they stand; its letters must too.
    Unicode turned[kLigatureLettersMax];
    if (length > 1 && length <= kLigatureLettersMax && std::all_of(u, u + length, IsRightToLeft)) {
      std::reverse_copy(u, u + length, turned);
      u = turned;
    }
    TextOutputDev::drawChar(state, x, y, dx, dy, origin_x, origin_y, code, bytes, u, length);
  }

  // Images of XObjects are never drawn (needNonText is false); those within the content are.
  void drawImage(GfxState* state, Object* ref, Stream* stream, int width, int height,
                 GfxImageColorMap* colors, bool interpolate, const int* mask,
                 bool in_line) override {
    ++images_;
    TextOutputDev::drawImage(state, ref, stream, width, height, colors, interpolate, mask, in_line);
  }

  bool cut() const { return cut_; }

  uint32_t images() const { return images_; }

 private:
  // Watermarks and slanted column heads fall into single letters among the text. (Poppler's own
  // switch for this also loses the upright text that follows.)
  static bool IsDiagonal(const GfxState& state, double dx, double dy) {
    double x = 0, y = 0;
    state.transformDelta(dx, dy, &x, &y);
    x = std::fabs(x);
    y = std::fabs(y);
    return std::min(x, y) > kDiagonalSlope * std::max(x, y);
  }

  const uint32_t chars_max_;
  uint32_t chars_ = 0;
  uint32_t images_ = 0;
  bool cut_ = false;
};

// Counts the images among the XObjects that a page's resources name, those of its forms included.
class ImageCounter {
 public:
  uint32_t Count(Dict* resources) {
    Visit(resources, 0);
    return count_;
  }

 private:
  void Visit(Dict* resources, int depth) {
    if (resources == nullptr || depth > kFormDepthMax) return;
    const Object objects = resources->lookup("XObject");
    if (!objects.isDict()) return;
    for (int i = 0; i < objects.dictGetLength() && count_ < kImagesMax; ++i) {
      if (++entries_ > kFormEntriesMax) return;
      const Object& reference = objects.dictGetValNF(i);
      if (reference.isRef() && !seen_.insert(reference.getRefNum()).second) continue;
      const Object object = objects.dictGetVal(i);
      if (!object.isStream()) continue;
      Dict* dict = object.streamGetDict();
      const Object subtype = dict->lookup("Subtype");
      if (subtype.isName("Image")) {
        ++count_;
      } else if (subtype.isName("Form")) {
        const Object inner = dict->lookup("Resources");
        if (inner.isDict()) Visit(inner.getDict(), depth + 1);
      }
    }
  }

  uint32_t count_ = 0;
  int entries_ = 0;
  std::unordered_set<int> seen_;
};

// Poppler gives the letters from left to right as they stand on the page. Returns them in the order
// in which they are read: right-to-left letters reversed, numbers and Latin runs kept.
std::u32string ToLogicalOrder(std::u32string word) {
  if (std::none_of(word.begin(), word.end(), IsRightToLeft)) return word;
  std::reverse(word.begin(), word.end());
  const auto left_to_right = [](char32_t c) {
    return IsDigit(c) || (IsLetter(c) && !IsRightToLeft(c));
  };
  for (size_t i = 0; i < word.size();) {
    size_t j = i;
    while (j < word.size() && left_to_right(word[j])) ++j;
    std::reverse(word.begin() + static_cast<std::ptrdiff_t>(i),
                 word.begin() + static_cast<std::ptrdiff_t>(j));
    i = std::max(j, i + 1);
  }
  return word;
}

struct LineWord {
  internal::RawWord word;
  int right_to_left = 0;  // letters
  int left_to_right = 0;
};

// Brings the words of a line into the order in which they are read. Returns whether that is from
// right to left.
bool OrderLine(std::vector<LineWord>* line) {
  int right_to_left = 0, left_to_right = 0;
  for (const LineWord& word : *line) {
    right_to_left += word.right_to_left;
    left_to_right += word.left_to_right;
  }
  if (right_to_left == 0 || right_to_left < left_to_right) return false;
  // Space after a word becomes space before it once the order turns.
  for (size_t i = line->size() - 1; i > 0; --i) {
    (*line)[i].word.space_after = (*line)[i - 1].word.space_after;
  }
  line->front().word.space_after = true;
  std::reverse(line->begin(), line->end());
  const auto foreign = [](const LineWord& word) { return word.right_to_left == 0; };
  for (size_t i = 0; i < line->size();) {
    size_t j = i;
    while (j < line->size() && foreign((*line)[j])) ++j;
    if (j > i + 1) {
      std::reverse(line->begin() + static_cast<std::ptrdiff_t>(i),
                   line->begin() + static_cast<std::ptrdiff_t>(j));
      for (size_t k = i; k < j; ++k) (*line)[k].word.space_after = true;
    }
    i = std::max(j, i + 1);
  }
  // Fonts change between scripts, and PDFs often leave out the space there.
  for (size_t i = 0; i + 1 < line->size(); ++i) {
    const LineWord& a = (*line)[i];
    const LineWord& b = (*line)[i + 1];
    const bool latin_then_other =
        a.left_to_right > 0 && a.right_to_left == 0 && b.right_to_left > 0;
    const bool other_then_latin =
        b.left_to_right > 0 && b.right_to_left == 0 && a.right_to_left > 0;
    if (latin_then_other || other_then_latin) (*line)[i].word.space_after = true;
  }
  return true;
}

class WordCollector {
 public:
  explicit WordCollector(internal::RawPage* raw) : raw_(raw) {}

  void Collect(const TextFlow* flows) {
    uint32_t block_number = 0;
    for (const TextFlow* flow = flows; flow != nullptr; flow = flow->getNext()) {
      for (const TextBlock* block = flow->getBlocks(); block != nullptr; block = block->getNext()) {
        ++block_number;
        for (const TextLine* line = block->getLines(); line != nullptr; line = line->getNext()) {
          AddLine(line, block_number);
        }
      }
    }
  }

 private:
  void AddLine(const TextLine* line, uint32_t block) {
    std::vector<LineWord> words;
    uint32_t rotation = 0;
    for (const TextWord* word = line->getWords(); word != nullptr; word = word->getNext()) {
      rotation = static_cast<uint32_t>(word->getRotation()) & 3;
      AddWord(*word, &words);
    }
    if (words.empty()) return;
    internal::RawLine out;
    out.right_to_left = OrderLine(&words);
    out.begin = static_cast<uint32_t>(raw_->words.size());
    for (LineWord& word : words) raw_->words.push_back(std::move(word.word));
    out.end = static_cast<uint32_t>(raw_->words.size());
    out.block = block;
    out.rotation = rotation;
    raw_->lines.push_back(out);
  }

  void AddWord(const TextWord& word, std::vector<LineWord>* line) {
    std::u32string text;
    LineWord out;
    for (int i = 0; i < word.getLength(); ++i) {
      const char32_t c = *word.getChar(i);
      text.push_back(c);
      if (IsRightToLeft(c)) {
        ++out.right_to_left;
      } else if (IsLetter(c)) {
        ++out.left_to_right;
      }
    }
    out.word.text = internal::CleanWord(ToLogicalOrder(std::move(text)));
    out.word.space_after = word.hasSpaceAfter();
    if (out.word.text.empty()) {
      if (!line->empty() && out.word.space_after) line->back().word.space_after = true;
      return;
    }
    double x0 = 0, y0 = 0, x1 = 0, y1 = 0;
    word.getBBox(&x0, &y0, &x1, &y1);
    out.word.x0 = Finite(x0);
    out.word.y0 = Finite(y0);
    out.word.x1 = Finite(x1);
    out.word.y1 = Finite(y1);
    out.word.baseline = Finite(word.getBaseline());
    out.word.font_size = std::max(0.1f, Finite(word.getFontSize()));
    out.word.bold = IsBold(word.getFontInfo(0), word.getFontName(0));
    line->push_back(std::move(out));
  }

  // Broken matrices give values that a float cannot hold.
  static float Finite(double value) {
    return std::isfinite(value) ? static_cast<float>(std::clamp(value, -1e6, 1e6)) : 0;
  }

  bool IsBold(const TextFontInfo* font, const GooString* name) {
    const auto found = bold_.find(font);
    if (found != bold_.end()) return found->second;
    bool bold = font->isBold();
    if (name != nullptr) {
      const std::string text = name->toStr();
      for (const char* mark : {"Bold", "bold", "BOLD", "Black", "Heavy", "Demi", "-Bd", "CMBX"}) {
        bold = bold || text.find(mark) != std::string::npos;
      }
    }
    return bold_[font] = bold;
  }

  internal::RawPage* raw_;
  std::unordered_map<const TextFontInfo*, bool> bold_;
};

}  // namespace

PageText ReadPageText(PDFDoc* document, int number, const PageTextLimits& limits) {
  PageText out;
  ::Page* page = document->getPage(number);
  const bool sideways = page->getRotate() % 180 != 0;
  out.raw.width = static_cast<float>(sideways ? page->getCropHeight() : page->getCropWidth());
  out.raw.height = static_cast<float>(sideways ? page->getCropWidth() : page->getCropHeight());
  LimitedTextDevice device(limits.chars_max);
  document->displayPage(&device, number, kPointsPerInch, kPointsPerInch, 0, /*useMediaBox=*/false,
                        /*crop=*/true, /*printing=*/false, limits.should_stop, limits.state);
  out.cut = device.cut();
  WordCollector(&out.raw).Collect(device.getFlows());
  out.images = device.images() + ImageCounter().Count(page->getResourceDict());
  return out;
}

}  // namespace ragstone::ingest
