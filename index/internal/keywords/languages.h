#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace ragstone::index::keywords {

// How the words of a text are stemmed.
class Language {
 public:
  // By the script of each word: English for a to z, Russian for Cyrillic letters, and so on.
  Language() = default;
  // "auto" (or ""), "none", or an ISO 639-1 code. INVALID_ARGUMENT for another one.
  static Result<Language> Parse(std::string_view code);
  std::string_view code() const;

  friend bool operator==(Language, Language) = default;

 private:
  friend class Stemmer;
  explicit Language(uint8_t index) : index_(index) {}
  uint8_t index_ = 0;  // into the table of languages.cc
};

// Snowball's stems. A word that is not of the script of the language is stemmed by its own script's
// language; one with digits, or in a script without a stemmer, stays as it is. Not thread-safe.
class Stemmer {
 public:
  Stemmer();
  ~Stemmer();
  Stemmer(const Stemmer&) = delete;
  Stemmer& operator=(const Stemmer&) = delete;
  // `word` is folded UTF-8.
  std::string Stem(const std::string& word, Language language);

 private:
  struct Loaded;
  Loaded* const loaded_;  // one for each language of the table
};

}  // namespace ragstone::index::keywords
