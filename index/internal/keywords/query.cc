#include "index/internal/keywords/query.h"

#include <algorithm>
#include <unordered_map>

#include "index/internal/keywords/words.h"

namespace ragstone::index::keywords {
namespace {

// A question has tens of words; a text pasted as a query is cut here.
constexpr size_t kTermsMax = 1024;
constexpr size_t kSpecialsMax = 32;
// So that sums of scores stay exact; see scorer.cc.
constexpr uint32_t kCountMax = 64;
constexpr size_t kPrefixMin = 2;  // characters

// Puts one mark in the place of each kind of quotation mark.
std::string PlainQuotes(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    const std::string_view mark = text.substr(i, 3);
    if (mark == "\xe2\x80\x9c" || mark == "\xe2\x80\x9d" || mark == "\xe2\x80\x9e") {
      plain += '"';
      i += 2;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

bool IsWordByte(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         static_cast<uint8_t>(c) >= 0x80;
}

bool EndsRun(char c) { return c == ' ' || (c >= 9 && c <= 13) || c == '"' || c == '('; }

size_t Characters(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

// The beginning of terms that a run before a star stands for; empty if it stands for none.
Result<std::string> PrefixOf(const std::string& run) {
  ASSIGN_OR_RETURN(const TextTerms split, SplitTerms(run));
  if (!split.exact.empty()) return std::string(KnownPart(split.exact.front()));
  if (split.words.size() != 1 || Characters(split.words[0].folded) < kPrefixMin) {
    return std::string();
  }
  return split.words[0].folded;
}

// Takes "word*" out of the text and returns what the terms begin with.
Result<std::vector<std::string>> TakePrefixes(std::string* text) {
  std::vector<std::string> prefixes;
  for (size_t star = text->find('*'); star != std::string::npos; star = text->find('*', star + 1)) {
    const char after = star + 1 < text->size() ? (*text)[star + 1] : ' ';
    size_t begin = star;
    while (begin > 0 && !EndsRun((*text)[begin - 1])) --begin;
    const std::string run = text->substr(begin, star - begin);
    if (IsWordByte(after) || after == '*' || run.empty()) continue;
    ASSIGN_OR_RETURN(std::string prefix, PrefixOf(run));
    if (prefix.empty()) continue;
    if (prefixes.size() >= kSpecialsMax) break;
    prefixes.push_back(std::move(prefix));
    for (size_t i = begin; i <= star; ++i) (*text)[i] = ' ';
  }
  return prefixes;
}

std::vector<std::string> QuotedTexts(const std::string& text) {
  std::vector<std::string> quoted;
  for (size_t begin = text.find('"'); begin != std::string::npos;) {
    const size_t end = text.find('"', begin + 1);
    if (end == std::string::npos || quoted.size() >= kSpecialsMax) break;
    quoted.push_back(text.substr(begin + 1, end - begin - 1));
    begin = text.find('"', end + 1);
  }
  return quoted;
}

}  // namespace

Result<ParsedQuery> ParseQuery(std::string_view text, Language language) {
  ParsedQuery query;
  std::string plain = PlainQuotes(text);
  ASSIGN_OR_RETURN(query.prefixes, TakePrefixes(&plain));
  for (const std::string& quoted : QuotedTexts(plain)) {
    ASSIGN_OR_RETURN(const TextTerms split, SplitTerms(quoted, language));
    if (split.words.size() < 2) continue;
    ParsedQuery::Phrase phrase;
    for (const TextWord& word : split.words) phrase.terms.push_back(word.term);
    query.phrases.push_back(std::move(phrase));
  }
  ASSIGN_OR_RETURN(const TextTerms split, SplitTerms(plain, language));
  std::unordered_map<std::string, size_t> known;
  const auto add = [&](const std::string& term) {
    const auto it = known.find(term);
    if (it != known.end()) {
      uint32_t& count = query.terms[it->second].count;
      count = std::min(count + 1, kCountMax);
    } else if (query.terms.size() < kTermsMax) {
      known.emplace(term, query.terms.size());
      query.terms.push_back({term, 1});
    }
  };
  for (const TextWord& word : split.words) add(word.term);
  for (const TextPart& part : split.parts) add(part.part.term);
  for (const std::string& exact : split.exact) add(exact);
  return query;
}

}  // namespace ragstone::index::keywords
