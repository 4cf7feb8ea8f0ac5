#include "index/internal/tokens.h"

#include <libstemmer.h>
#include <unicode/ubrk.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>
#include <unicode/utf16.h>

#include <cstdio>
#include <unordered_set>

#include "base/hash.h"

namespace ragstone::index {
namespace {

// What the libraries need for each thread; none of it may be shared.
class Splitter {
 public:
  Splitter() : stemmer_(sb_stemmer_new("english", "UTF_8")) {
    UErrorCode error = U_ZERO_ERROR;
    words_ = ubrk_open(UBRK_WORD, "en", nullptr, 0, &error);
    normalizer_ = unorm2_getNFKCCasefoldInstance(&error);
    ok_ = U_SUCCESS(error) && stemmer_ != nullptr;
  }
  ~Splitter() {
    if (words_ != nullptr) ubrk_close(words_);
    if (stemmer_ != nullptr) sb_stemmer_delete(stemmer_);
  }
  Splitter(const Splitter&) = delete;
  Splitter& operator=(const Splitter&) = delete;

  Result<TextTerms> Split(std::string_view text);

 private:
  Status ToFolded(std::string_view text);
  std::string Utf8(int32_t begin, int32_t end) const;
  std::string Stem(const std::string& word) const;
  void AddCompounds(TextTerms* out) const;

  bool ok_ = false;
  UBreakIterator* words_ = nullptr;
  const UNormalizer2* normalizer_ = nullptr;
  sb_stemmer* stemmer_ = nullptr;
  std::u16string wide_;
  std::u16string folded_;
};

Status IcuError(const char* what, UErrorCode error) {
  return Internal(std::string("splitting a text into words failed: ") + what + ": " +
                  u_errorName(error));
}

std::string Bounded(std::string term) {
  if (term.size() <= kTermBytesMax) return term;
  char hash[17];
  std::snprintf(hash, sizeof(hash), "%016llx", static_cast<unsigned long long>(FastHash(term)));
  size_t cut = kTermBytesMax - 16;
  while (cut > 0 && (static_cast<uint8_t>(term[cut]) & 0xc0) == 0x80) --cut;
  return term.substr(0, cut) + hash;
}

bool IsAsciiWord(const std::string& word) {
  for (const char c : word) {
    const bool letter = (c >= 'a' && c <= 'z') || c == '\'';
    if (!letter) return false;
  }
  return !word.empty();
}

// Invalid bytes become U+FFFD, which no word holds, and NUL a blank: terms hold none. Folding first
// and splitting after costs one pass and gives the same words for texts that differ in form only.
Status Splitter::ToFolded(std::string_view text) {
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

std::string Splitter::Utf8(int32_t begin, int32_t end) const {
  std::string out;
  out.resize(static_cast<size_t>(end - begin) * 3);
  int32_t size = 0;
  UErrorCode error = U_ZERO_ERROR;
  u_strToUTF8WithSub(out.data(), static_cast<int32_t>(out.size()), &size, folded_.data() + begin,
                     end - begin, 0xfffd, nullptr, &error);
  out.resize(U_SUCCESS(error) ? static_cast<size_t>(size) : 0);
  return out;
}

std::string Splitter::Stem(const std::string& word) const {
  if (!IsAsciiWord(word)) return word;  // with digits, or not English: kept as it is
  const sb_symbol* stem = sb_stemmer_stem(stemmer_, reinterpret_cast<const sb_symbol*>(word.data()),
                                          static_cast<int>(word.size()));
  if (stem == nullptr) return word;
  return {reinterpret_cast<const char*>(stem), static_cast<size_t>(sb_stemmer_length(stemmer_))};
}

// A compound is a run without blanks that holds, between its first and last letter or digit, one
// that is neither, and somewhere a digit or one of _ / \ : @ - so that "and/or" is, "end." is not.
void Splitter::AddCompounds(TextTerms* out) const {
  std::unordered_set<std::string_view> words;
  for (const TextWord& word : out->words) words.insert(word.folded);
  const int32_t size = static_cast<int32_t>(folded_.size());
  int32_t i = 0;
  while (i < size) {
    int32_t first = -1;  // of the run: its first letter or digit, and the end of its last
    int32_t last_end = -1;
    bool marked = false;
    bool inner_mark = false;
    bool pending = false;
    while (i < size) {
      UChar32 c;
      const int32_t at = i;
      U16_NEXT(folded_.data(), i, size, c);
      if (u_isUWhiteSpace(c)) break;
      if (u_isalnum(c)) {
        if (first < 0) first = at;
        if (pending) inner_mark = true;
        last_end = i;
        marked = marked || u_isdigit(c);
      } else if (first >= 0) {
        pending = true;
        marked = marked || c == '_' || c == '/' || c == '\\' || c == ':' || c == '@';
      }
    }
    if (!marked || !inner_mark) continue;
    std::string compound = Utf8(first, last_end);
    // "192.168.0.1" is one word already.
    if (words.count(compound) == 0) out->compounds.push_back(Bounded("=" + compound));
  }
}

Result<TextTerms> Splitter::Split(std::string_view text) {
  if (!ok_) return Internal("ICU's word boundaries or the English stemmer could not be loaded");
  if (text.size() > (1u << 28)) {
    return InvalidArgument(Reason::kLimitExceeded, "a text of " + std::to_string(text.size()) +
                                                       " bytes is too long for keyword search; "
                                                       "the limit is 268435456: split it");
  }
  RETURN_IF_ERROR(ToFolded(text));
  UErrorCode error = U_ZERO_ERROR;
  ubrk_setText(words_, folded_.data(), static_cast<int32_t>(folded_.size()), &error);
  if (U_FAILURE(error)) return IcuError("ubrk_setText", error);
  TextTerms out;
  int32_t begin = ubrk_first(words_);
  for (int32_t end = ubrk_next(words_); end != UBRK_DONE; begin = end, end = ubrk_next(words_)) {
    if (ubrk_getRuleStatus(words_) < UBRK_WORD_NUMBER) continue;  // blanks and punctuation
    TextWord word;
    word.folded = Utf8(begin, end);
    if (word.folded.empty()) continue;
    word.term = Bounded(Stem(word.folded));
    out.words.push_back(std::move(word));
  }
  AddCompounds(&out);
  return out;
}

}  // namespace

Result<TextTerms> SplitTerms(std::string_view text) {
  static thread_local Splitter splitter;
  return splitter.Split(text);
}

}  // namespace ragstone::index
