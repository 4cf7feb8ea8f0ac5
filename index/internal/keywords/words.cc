#include "index/internal/keywords/words.h"

#include <unicode/ubrk.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

#include <algorithm>
#include <cstdio>

#include "base/hash.h"
#include "index/internal/keywords/exact_terms.h"

namespace ragstone::index::keywords {
namespace {

constexpr size_t kTextBytesMax = 1u << 28;
constexpr size_t kHashDigits = 16;  // at the end of a cut term
// A thread that splits a longer text gives back what that took.
constexpr size_t kKeptUnitsMax = 1u << 19;

// What the libraries need for each thread; none of it may be shared.
class Splitter {
 public:
  Splitter() {
    UErrorCode error = U_ZERO_ERROR;
    boundaries_ = ubrk_open(UBRK_WORD, "en", nullptr, 0, &error);
    normalizer_ = unorm2_getNFKCCasefoldInstance(&error);
    ok_ = U_SUCCESS(error) != 0;
  }
  ~Splitter() {
    if (boundaries_ != nullptr) ubrk_close(boundaries_);
  }
  Splitter(const Splitter&) = delete;
  Splitter& operator=(const Splitter&) = delete;

  Result<TextTerms> Split(std::string_view text, Language language);
  // Frees the memory of a long text.
  void Shrink();

 private:
  Status ToFolded(std::string_view text);
  bool FoldAscii(std::string_view text);
  Status FoldAny(std::string_view text);
  Status FindWords();
  std::string Utf8(Span span) const;
  TextWord WordOf(Span span, Language language);

  bool ok_ = false;
  UBreakIterator* boundaries_ = nullptr;
  const UNormalizer2* normalizer_ = nullptr;
  Stemmer stemmer_;
  bool ascii_ = false;
  std::u16string wide_;
  std::u16string folded_;
  std::vector<Span> words_;
};

Status IcuError(const char* what, UErrorCode error) {
  return Internal(std::string("splitting a text into words failed: ") + what + ": " +
                  u_errorName(error));
}

// Most texts are ASCII, which folds to its lower-case letters; NUL becomes a blank.
bool Splitter::FoldAscii(std::string_view text) {
  folded_.resize(text.size());
  unsigned seen = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const unsigned char c = static_cast<unsigned char>(text[i]);
    seen |= c;
    const bool upper = c >= 'A' && c <= 'Z';
    folded_[i] = static_cast<char16_t>(c == 0 ? ' ' : upper ? c + 32 : c);
  }
  return seen < 0x80;
}

// Invalid bytes become U+FFFD, which no word holds, and NUL a blank: terms hold none.
Status Splitter::FoldAny(std::string_view text) {
  UErrorCode error = U_ZERO_ERROR;
  wide_.resize(text.size() + 1);
  int32_t size = 0;
  u_strFromUTF8WithSub(wide_.data(), static_cast<int32_t>(wide_.size()), &size, text.data(),
                       static_cast<int32_t>(text.size()), 0xfffd, nullptr, &error);
  if (U_FAILURE(error)) return IcuError("u_strFromUTF8WithSub", error);
  wide_.resize(static_cast<size_t>(size));
  for (char16_t& unit : wide_) {
    if (unit == 0) unit = u' ';
    if (unit == 0x2019) unit = u'\'';  // "don’t" is "don't"
  }
  folded_.resize(wide_.size() * 2 + 16);
  for (int attempt = 0; attempt < 2; ++attempt) {
    error = U_ZERO_ERROR;
    size = unorm2_normalize(normalizer_, wide_.data(), static_cast<int32_t>(wide_.size()),
                            folded_.data(), static_cast<int32_t>(folded_.size()), &error);
    if (error != U_BUFFER_OVERFLOW_ERROR) break;
    folded_.resize(static_cast<size_t>(size) + 1);
  }
  if (U_FAILURE(error)) return IcuError("unorm2_normalize", error);
  folded_.resize(static_cast<size_t>(size));
  return OkStatus();
}

// Folding first and splitting after costs one pass and gives the same words for texts that differ
// in form only.
Status Splitter::ToFolded(std::string_view text) {
  ascii_ = FoldAscii(text);
  return ascii_ ? OkStatus() : FoldAny(text);
}

std::string Splitter::Utf8(Span span) const {
  const size_t begin = static_cast<size_t>(span.begin);
  const size_t count = static_cast<size_t>(span.end - span.begin);
  if (ascii_) return {folded_.begin() + span.begin, folded_.begin() + span.end};
  std::string out(count * 3, '\0');
  int32_t size = 0;
  UErrorCode error = U_ZERO_ERROR;
  u_strToUTF8WithSub(out.data(), static_cast<int32_t>(out.size()), &size, folded_.data() + begin,
                     static_cast<int32_t>(count), 0xfffd, nullptr, &error);
  out.resize(U_SUCCESS(error) ? static_cast<size_t>(size) : 0);
  return out;
}

TextWord Splitter::WordOf(Span span, Language language) {
  TextWord word;
  word.folded = Utf8(span);
  word.term = BoundedTerm(stemmer_.Stem(word.folded, language));
  return word;
}

Status Splitter::FindWords() {
  words_.clear();
  UErrorCode error = U_ZERO_ERROR;
  ubrk_setText(boundaries_, folded_.data(), static_cast<int32_t>(folded_.size()), &error);
  if (U_FAILURE(error)) return IcuError("ubrk_setText", error);
  int32_t begin = ubrk_first(boundaries_);
  for (int32_t end = ubrk_next(boundaries_); end != UBRK_DONE;
       begin = end, end = ubrk_next(boundaries_)) {
    // Less are blanks and punctuation.
    if (ubrk_getRuleStatus(boundaries_) >= UBRK_WORD_NUMBER) words_.push_back({begin, end});
  }
  return OkStatus();
}

void Splitter::Shrink() {
  if (folded_.capacity() + wide_.capacity() <= kKeptUnitsMax) return;
  folded_ = std::u16string();
  wide_ = std::u16string();
  words_ = std::vector<Span>();
  // ICU holds on to the text, too.
  UErrorCode error = U_ZERO_ERROR;
  ubrk_setText(boundaries_, u"", 0, &error);
}

Result<TextTerms> Splitter::Split(std::string_view text, Language language) {
  if (!ok_) return Internal("ICU's word boundaries could not be loaded; install its data");
  if (text.size() > kTextBytesMax) {
    return InvalidArgument(Reason::kLimitExceeded, "a text of " + std::to_string(text.size()) +
                                                       " bytes is too long for keyword search; "
                                                       "the limit is 268435456: split it");
  }
  RETURN_IF_ERROR(ToFolded(text));
  RETURN_IF_ERROR(FindWords());
  TextTerms out;
  out.words.reserve(words_.size());
  for (const Span& span : words_) {
    TextWord word = WordOf(span, language);
    if (word.folded.empty()) continue;
    out.words.push_back(std::move(word));
    for (const Span& part_span : WordParts(folded_, span)) {
      TextPart part{out.words.size() - 1, WordOf(part_span, language)};
      if (!part.part.folded.empty()) out.parts.push_back(std::move(part));
    }
  }
  const auto before = [](const Span& a, const Span& b) { return a.begin < b.begin; };
  for (const Span& run : ExactRuns(folded_)) {
    // "192.168.0.1" is one word already.
    const auto word = std::lower_bound(words_.begin(), words_.end(), run, before);
    if (word != words_.end() && *word == run) continue;
    out.exact.push_back(BoundedTerm(kExactMark + Utf8(run)));
  }
  return out;
}

}  // namespace

std::string BoundedTerm(std::string term) {
  if (term.size() <= kTermBytesMax) return term;
  char hash[kHashDigits + 1];
  std::snprintf(hash, sizeof(hash), "%016llx", static_cast<unsigned long long>(FastHash(term)));
  size_t cut = kTermBytesMax - kHashDigits;
  while (cut > 0 && (static_cast<uint8_t>(term[cut]) & 0xc0) == 0x80) --cut;
  return term.substr(0, cut) + hash;
}

std::string_view KnownPart(std::string_view term) {
  if (term.size() < kTermKeptMin + kHashDigits) return term;
  const std::string_view end = term.substr(term.size() - kHashDigits);
  if (end.find_first_not_of("0123456789abcdef") != std::string_view::npos) return term;
  return term.substr(0, term.size() - kHashDigits);
}

Result<TextTerms> SplitTerms(std::string_view text, Language language) {
  static thread_local Splitter splitter;
  Result<TextTerms> split = splitter.Split(text, language);
  splitter.Shrink();
  return split;
}

}  // namespace ragstone::index::keywords
