#include "index/internal/keywords/languages.h"

#include <libstemmer.h>
#include <unicode/uchar.h>
#include <unicode/uscript.h>
#include <unicode/utf8.h>

#include <array>
#include <unordered_map>

namespace ragstone::index::keywords {
namespace {

struct Entry {
  std::string_view code;
  const char* algorithm;  // null: words are not stemmed
  UScriptCode script;
};

constexpr size_t kAuto = 0;
constexpr size_t kNone = 1;
constexpr std::array<Entry, 34> kLanguages = {{
    {"auto", nullptr, USCRIPT_COMMON},   {"none", nullptr, USCRIPT_COMMON},
    {"ar", "arabic", USCRIPT_ARABIC},    {"ca", "catalan", USCRIPT_LATIN},
    {"da", "danish", USCRIPT_LATIN},     {"de", "german", USCRIPT_LATIN},
    {"el", "greek", USCRIPT_GREEK},      {"en", "english", USCRIPT_LATIN},
    {"es", "spanish", USCRIPT_LATIN},    {"eu", "basque", USCRIPT_LATIN},
    {"fi", "finnish", USCRIPT_LATIN},    {"fr", "french", USCRIPT_LATIN},
    {"ga", "irish", USCRIPT_LATIN},      {"hi", "hindi", USCRIPT_DEVANAGARI},
    {"hu", "hungarian", USCRIPT_LATIN},  {"hy", "armenian", USCRIPT_ARMENIAN},
    {"id", "indonesian", USCRIPT_LATIN}, {"it", "italian", USCRIPT_LATIN},
    {"lt", "lithuanian", USCRIPT_LATIN}, {"ne", "nepali", USCRIPT_DEVANAGARI},
    {"nl", "dutch", USCRIPT_LATIN},      {"no", "norwegian", USCRIPT_LATIN},
    {"pt", "portuguese", USCRIPT_LATIN}, {"ro", "romanian", USCRIPT_LATIN},
    {"ru", "russian", USCRIPT_CYRILLIC}, {"sr", "serbian", USCRIPT_CYRILLIC},
    {"sv", "swedish", USCRIPT_LATIN},    {"ta", "tamil", USCRIPT_TAMIL},
    {"tr", "turkish", USCRIPT_LATIN},    {"yi", "yiddish", USCRIPT_HEBREW},
    {"ja", nullptr, USCRIPT_HIRAGANA},   {"ko", nullptr, USCRIPT_HANGUL},
    {"th", nullptr, USCRIPT_THAI},       {"zh", nullptr, USCRIPT_HAN},
}};

// Stems that were worked out are remembered; a text repeats its words.
constexpr size_t kRememberedMax = 8192;

size_t IndexOf(std::string_view code) {
  for (size_t i = 0; i < kLanguages.size(); ++i) {
    if (kLanguages[i].code == code) return i;
  }
  return kLanguages.size();
}

// Which language a word of this script has when nobody says.
size_t UsualOf(UScriptCode script) {
  switch (script) {
    case USCRIPT_LATIN:
      return IndexOf("en");
    case USCRIPT_CYRILLIC:
      return IndexOf("ru");
    case USCRIPT_DEVANAGARI:
      return IndexOf("hi");
    default:
      for (size_t i = kNone + 1; i < kLanguages.size(); ++i) {
        if (kLanguages[i].script == script) return i;
      }
      return kNone;
  }
}

// The script of a word's first letter; COMMON if it holds a digit or another character that no
// stemmer knows.
UScriptCode ScriptOf(const std::string& word, bool* ascii) {
  UScriptCode script = USCRIPT_COMMON;
  *ascii = true;
  const int32_t size = static_cast<int32_t>(word.size());
  for (int32_t i = 0; i < size;) {
    UChar32 c;
    U8_NEXT(word.data(), i, size, c);
    if (c == '\'') continue;
    if (c >= 'a' && c <= 'z') {
      if (script == USCRIPT_COMMON) script = USCRIPT_LATIN;
      continue;
    }
    if (c < 0x80) return USCRIPT_COMMON;
    *ascii = false;
    if (!u_isalpha(c) || script != USCRIPT_COMMON) continue;
    UErrorCode error = U_ZERO_ERROR;
    script = uscript_getScript(c, &error);
  }
  return script;
}

}  // namespace

Result<Language> Language::Parse(std::string_view code) {
  if (code.empty()) return Language();
  const size_t index = IndexOf(code);
  if (index < kLanguages.size()) return Language(static_cast<uint8_t>(index));
  std::string known;
  for (const Entry& entry : kLanguages)
    known += (known.empty() ? "" : " ") + std::string(entry.code);
  return InvalidArgument(Reason::kInvalidArgument, "the language \"" +
                                                       std::string(code.substr(0, 32)) +
                                                       "\" is not known; choose one of: " + known);
}

std::string_view Language::code() const { return kLanguages[index_].code; }

struct Stemmer::Loaded {
  sb_stemmer* stemmer = nullptr;
  std::unordered_map<std::string, std::string> remembered;
};

Stemmer::Stemmer() : loaded_(new Loaded[kLanguages.size()]) {}

Stemmer::~Stemmer() {
  for (size_t i = 0; i < kLanguages.size(); ++i) {
    if (loaded_[i].stemmer != nullptr) sb_stemmer_delete(loaded_[i].stemmer);
  }
  delete[] loaded_;
}

std::string Stemmer::Stem(const std::string& word, Language language) {
  if (language.index_ == kNone || word.empty()) return word;
  bool ascii = true;
  const UScriptCode script = ScriptOf(word, &ascii);
  if (script == USCRIPT_COMMON) return word;
  size_t index = language.index_;
  if (index == kAuto || kLanguages[index].script != script) {
    index = UsualOf(script);
    // "Größe" is a word of some other language than English.
    if (script == USCRIPT_LATIN && !ascii) return word;
  }
  if (kLanguages[index].algorithm == nullptr) return word;
  Loaded& loaded = loaded_[index];
  const auto known = loaded.remembered.find(word);
  if (known != loaded.remembered.end()) return known->second;
  if (loaded.stemmer == nullptr) {
    loaded.stemmer = sb_stemmer_new(kLanguages[index].algorithm, "UTF_8");
    if (loaded.stemmer == nullptr) return word;  // not in this build of the library
  }
  const sb_symbol* stem =
      sb_stemmer_stem(loaded.stemmer, reinterpret_cast<const sb_symbol*>(word.data()),
                      static_cast<int>(word.size()));
  if (stem == nullptr) return word;
  std::string result(reinterpret_cast<const char*>(stem),
                     static_cast<size_t>(sb_stemmer_length(loaded.stemmer)));
  if (result.empty()) result = word;
  if (loaded.remembered.size() >= kRememberedMax) loaded.remembered.clear();
  loaded.remembered.emplace(word, result);
  return result;
}

}  // namespace ragstone::index::keywords
