#include "llm/answer/numbers.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <unordered_set>
#include <vector>

namespace ragstone::llm {
namespace {

// Whether the byte joins the parts of a code or a compound ("OV-2030", "12/2023").
bool JoinsParts(char c) { return c == '-' || c == '/' || c == '_'; }

}  // namespace

bool HasDigit(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool IsNumberWord(std::string_view word) {
  static const std::unordered_set<std::string_view> kWords = {
      "one",      "two",       "three",     "four",     "five",     "six",      "seven",
      "eight",    "nine",      "ten",       "eleven",   "twelve",   "thirteen", "fourteen",
      "fifteen",  "sixteen",   "seventeen", "eighteen", "nineteen", "twenty",   "thirty",
      "forty",    "fifty",     "sixty",     "seventy",  "eighty",   "ninety",   "hundred",
      "thousand", "million",   "billion",   "trillion", "dozen",    "half",     "third",
      "quarter",  "twice",     "once",      "zwei",     "drei",     "vier",     "fünf",
      "deux",     "trois",     "quatre",    "cinq",     "dos",      "tres",     "cuatro",
      "cinco",    "millionen", "millones",  "millions", "hourly",   "daily",    "weekly",
      "monthly",  "quarterly", "yearly",    "annually", "täglich",  "jährlich"};
  return HasDigit(word) || kWords.contains(word);
}

bool IsMultiple(std::string_view word) {
  return word == "hundred" || word == "thousand" || word == "million" || word == "billion" ||
         word == "trillion" || word == "percent";
}

Stretch WholeCode(std::string_view text, Stretch stretch) {
  const auto digit = [&](size_t at) { return at < text.size() && HasDigit(text.substr(at, 1)); };
  const auto inside = [&](size_t at) {  // letters, digits, and the marks inside numbers
    const auto c = static_cast<unsigned char>(text[at]);
    if (c >= 0x80 || std::isalnum(c) != 0) return true;
    return (c == '.' || c == ',') && at > 0 && digit(at - 1) && digit(at + 1);
  };
  while (stretch.begin >= 2 && JoinsParts(text[stretch.begin - 1]) && inside(stretch.begin - 2)) {
    --stretch.begin;
    while (stretch.begin > 0 && inside(stretch.begin - 1)) --stretch.begin;
  }
  while (stretch.end + 1 < text.size() && JoinsParts(text[stretch.end]) &&
         inside(stretch.end + 1)) {
    ++stretch.end;
    while (stretch.end < text.size() && inside(stretch.end)) ++stretch.end;
  }
  return stretch;
}

bool IsNumberAt(std::string_view text, std::span<const TextWord> words, size_t i) {
  const TextWord& word = words[i];
  if (!HasDigit(word.folded)) return IsNumberWord(word.folded);
  const size_t letters = word.folded.find_first_not_of("0123456789.,");
  if (letters == 0 || (letters != std::string::npos && (word.folded.size() - letters > 5 ||
                                                        HasDigit(word.folded.substr(letters))))) {
    return false;
  }
  const Stretch whole = WholeCode(text, {word.begin, word.end});
  return text[whole.begin] >= '0' && text[whole.begin] <= '9';
}

bool IsMoneyAt(std::string_view text, std::span<const TextWord> words, size_t i) {
  const std::string_view before = text.substr(0, words[i].begin);
  for (const std::string_view sign : {"$", "€", "£", "¥", "$ ", "€ ", "£ "}) {
    if (before.ends_with(sign)) return true;
  }
  const std::string_view after = text.substr(words[i].end, 24);
  for (const std::string_view sign : {" €", "€", " £", " $"}) {
    if (after.starts_with(sign)) return true;
  }
  static const std::unordered_set<std::string_view> kNames = {
      "dollars", "dollar", "usd", "euro", "euros", "eur", "pounds", "gbp", "cents", "chf", "yen"};
  if (i > 0 && kNames.contains(words[i - 1].folded)) return true;
  for (size_t next = i + 1; next < std::min(i + 4, words.size()); ++next) {
    if (kNames.contains(words[next].folded)) return true;
    if (!IsMultiple(words[next].folded)) break;
  }
  return false;
}

Stretch WholeQuantity(std::string_view text, Stretch chosen, Stretch stretch) {
  static const std::unordered_set<std::string_view> kUnits = {
      "ah",      "amperes", "bar",     "billion",  "bytes",   "cm",     "cents",   "day",
      "days",    "db",      "degrees", "dollars",  "euros",   "feet",   "foot",    "ft",
      "gallons", "gb",      "ghz",     "grams",    "hours",   "hour",   "hp",      "hundred",
      "hz",      "inch",    "inches",  "kb",       "kg",      "khz",    "km",      "knots",
      "kv",      "kw",      "kwh",     "lb",       "lbs",     "liters", "litres",  "ma",
      "mb",      "meters",  "metres",  "mg",       "mhz",     "miles",  "million", "min",
      "minute",  "minutes", "ml",      "mm",       "month",   "months", "mph",     "ms",
      "mw",      "nm",      "pa",      "percent",  "pounds",  "ppm",    "psi",     "rpm",
      "seconds", "second",  "tb",      "thousand", "times",   "tons",   "tonnes",  "trillion",
      "watts",   "week",    "weeks",   "year",     "years",   "yards",  "µm",      "μm",
      "euro",    "eur",     "usd",     "jahre",    "stunden", "tage",   "minuten", "monate",
      "ans",     "heures",  "jours",   "años",     "horas",   "días"};
  // The last number that begins in the choice or, if it has none, before it.
  const std::vector<TextWord> words =
      WordsOf(text.substr(stretch.begin, chosen.end - stretch.begin));
  uint32_t first = chosen.begin;
  for (const TextWord& word : words) {
    if (IsMultiple(word.folded) || !IsNumberWord(word.folded)) continue;
    const uint32_t begin = stretch.begin + word.begin;
    if (begin >= chosen.begin) {
      first = chosen.begin;
      break;
    }
    first = begin;
  }
  Stretch whole = WholeCode(text, {first, chosen.end});
  for (const std::string_view sign : {"$", "€", "£", "-", "~"}) {
    if (whole.begin > stretch.begin && text.substr(0, whole.begin).ends_with(sign)) {
      whole.begin -= static_cast<uint32_t>(sign.size());
    }
  }
  for (const TextWord& word : WordsOf(text.substr(whole.end, 24))) {
    const std::string_view gap = text.substr(whole.end, word.begin);
    const std::string_view raw = text.substr(whole.end + word.begin, word.end - word.begin);
    const bool letter = raw.size() == 1 && std::string_view("AVWCFKNhsgml").find(raw) != raw.npos;
    const bool near = gap.empty() || gap == " " || (gap == "\n" && !letter);
    if (!near || (!letter && !kUnits.contains(word.folded))) break;
    return {whole.begin, whole.end + word.end};
  }
  return whole;
}

}  // namespace ragstone::llm
