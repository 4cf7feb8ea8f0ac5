#include "llm/answer/question.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <array>
#include <span>
#include <unordered_set>

#include "llm/answer/numbers.h"
#include "llm/bert_normalizer.h"

namespace ragstone::llm {
namespace {

// A kind is told by words that follow one another in the question.
struct KindCue {
  std::string_view first, second;  // `second` may be empty: any
  AnswerKind kind;
};
constexpr std::array kKindCues = {
    KindCue{"when", "", AnswerKind::kTime},
    KindCue{"what", "year", AnswerKind::kTime},
    KindCue{"which", "year", AnswerKind::kTime},
    KindCue{"what", "date", AnswerKind::kTime},
    KindCue{"what", "day", AnswerKind::kTime},
    KindCue{"what", "month", AnswerKind::kTime},
    KindCue{"what", "time", AnswerKind::kTime},
    KindCue{"what", "century", AnswerKind::kTime},
    KindCue{"what", "decade", AnswerKind::kTime},
    KindCue{"how", "many", AnswerKind::kNumber},
    KindCue{"how", "much", AnswerKind::kNumber},
    KindCue{"how", "long", AnswerKind::kNumber},
    KindCue{"how", "far", AnswerKind::kNumber},
    KindCue{"how", "tall", AnswerKind::kNumber},
    KindCue{"how", "old", AnswerKind::kNumber},
    KindCue{"how", "large", AnswerKind::kNumber},
    KindCue{"how", "big", AnswerKind::kNumber},
    KindCue{"how", "high", AnswerKind::kNumber},
    KindCue{"how", "deep", AnswerKind::kNumber},
    KindCue{"how", "heavy", AnswerKind::kNumber},
    KindCue{"how", "wide", AnswerKind::kNumber},
    KindCue{"how", "often", AnswerKind::kNumber},
    KindCue{"how", "frequently", AnswerKind::kNumber},
    KindCue{"how", "fast", AnswerKind::kNumber},
    KindCue{"how", "quickly", AnswerKind::kNumber},
    KindCue{"how", "soon", AnswerKind::kNumber},
    KindCue{"how", "late", AnswerKind::kNumber},
    KindCue{"how", "hot", AnswerKind::kNumber},
    KindCue{"how", "cold", AnswerKind::kNumber},
    KindCue{"how", "thick", AnswerKind::kNumber},
    KindCue{"how", "short", AnswerKind::kNumber},
    KindCue{"how", "small", AnswerKind::kNumber},
    KindCue{"name", "of", AnswerKind::kName},
    KindCue{"who", "", AnswerKind::kName},
    KindCue{"whom", "", AnswerKind::kName},
    KindCue{"whose", "", AnswerKind::kName},
    KindCue{"where", "", AnswerKind::kPlace},
    KindCue{"wann", "", AnswerKind::kTime},
    KindCue{"wie", "viele", AnswerKind::kNumber},
    KindCue{"wie", "viel", AnswerKind::kNumber},
    KindCue{"wer", "", AnswerKind::kAny},
    KindCue{"quand", "", AnswerKind::kTime},
    KindCue{"combien", "", AnswerKind::kNumber},
    KindCue{"qui", "", AnswerKind::kName},
    KindCue{"où", "", AnswerKind::kPlace},
    KindCue{"cuándo", "", AnswerKind::kTime},
    KindCue{"cuántos", "", AnswerKind::kNumber},
    KindCue{"cuántas", "", AnswerKind::kNumber},
    KindCue{"cuánto", "", AnswerKind::kNumber},
    KindCue{"quién", "", AnswerKind::kName},
    KindCue{"dónde", "", AnswerKind::kPlace},
};

// Nouns whose value is a number.
bool IsQuantity(std::string_view word) {
  static const std::unordered_set<std::string_view> kWords = {
      "age",        "altitude",    "amount",    "area",      "average",  "budget",     "capacity",
      "cost",       "current",     "depth",     "diameter",  "distance", "dosage",     "dose",
      "duration",   "fee",         "fraction",  "frequency", "height",   "interval",   "length",
      "limit",      "mass",        "maximum",   "minimum",   "number",   "output",     "percent",
      "percentage", "population",  "power",     "pressure",  "price",    "proportion", "quantity",
      "rate",       "ratio",       "salary",    "score",     "share",    "size",       "speed",
      "sum",        "temperature", "thickness", "threshold", "torque",   "total",      "value",
      "voltage",    "volume",      "weight",    "width"};
  return kWords.contains(word);
}

bool IsMoneyWord(std::string_view word) {
  static const std::unordered_set<std::string_view> kWords = {
      "cost",  "costs",   "pay",    "paid",    "pays",  "price", "prices", "spend",
      "spent", "salary",  "budget", "dollars", "euros", "fee",   "fees",   "money",
      "worth", "revenue", "kostet", "kosten",  "preis", "prix",  "precio", "funding"};
  return kWords.contains(word);
}

// Whether "number" stands for a count behind this word rather than for a name ("serial number").
bool MakesCount(std::string_view word) {
  return IsFunctionWord(word) || word == "total" || word == "average" || word == "maximum" ||
         word == "minimum" || word == "largest" || word == "smallest";
}

// The kind of the quantity asked for by "what pressure ..." or "what is the highest pressure of
// ...", whose head noun is the last one before a preposition; kAny if that is no quantity.
AnswerKind QuantityAsked(std::span<const TextWord> words) {
  const auto kind_of = [&](size_t i) {
    if (IsMoneyWord(words[i].folded)) return AnswerKind::kMoney;
    if (!IsQuantity(words[i].folded)) return AnswerKind::kAny;
    const bool code = words[i].folded == "number" && !MakesCount(words[i - 1].folded);
    return code ? AnswerKind::kCode : AnswerKind::kNumber;
  };
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i].folded != "what" && words[i].folded != "which") continue;
    if (IsQuantity(words[i + 1].folded)) return AnswerKind::kNumber;
    const std::string& verb = words[i + 1].folded;
    if (verb != "is" && verb != "was" && verb != "are" && verb != "were") continue;
    size_t last = i + 2;  // past an article, then up to the next function word
    while (last < words.size() && IsFunctionWord(words[last].folded)) ++last;
    while (last < words.size() && !IsFunctionWord(words[last].folded)) ++last;
    return kind_of(last - 1);
  }
  return AnswerKind::kAny;
}

// "When" and "where" ask at the beginning or behind a preposition ("since when"); elsewhere they
// begin a clause ("gloves when opening the pump").
bool Asks(std::span<const TextWord> words, size_t i) {
  if (words[i].folded != "when" && words[i].folded != "where") return true;
  static const std::unordered_set<std::string_view> kBefore = {"since", "until", "till", "by",
                                                               "from",  "to",    "and"};
  return i == 0 || kBefore.contains(words[i - 1].folded);
}

AnswerKind CuedKind(std::span<const TextWord> words) {
  const bool money = std::any_of(words.begin(), words.end(),
                                 [](const TextWord& word) { return IsMoneyWord(word.folded); });
  for (size_t i = 0; i < words.size(); ++i) {
    for (const KindCue& cue : kKindCues) {
      if (words[i].folded != cue.first || !Asks(words, i)) continue;
      if (cue.second.empty() || (i + 1 < words.size() && words[i + 1].folded == cue.second)) {
        const bool amount = cue.second == "much" || cue.second == "viel" ||
                            cue.first == "combien" || cue.first == "cuánto";
        return amount && money ? AnswerKind::kMoney : cue.kind;
      }
    }
  }
  return AnswerKind::kAny;
}

AnswerKind KindOf(std::span<const TextWord> words) {
  const AnswerKind kind = CuedKind(words);
  return kind == AnswerKind::kAny ? QuantityAsked(words) : kind;
}

// The words behind "how many" or "how much" up to a function word, at most two.
std::vector<std::string> CountedWords(std::span<const TextWord> words) {
  std::vector<std::string> counted;
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    if (words[i].folded != "how") continue;
    if (words[i + 1].folded != "many" && words[i + 1].folded != "much") continue;
    for (size_t j = i + 2; j < words.size() && counted.size() < 2; ++j) {
      if (IsFunctionWord(words[j].folded)) break;
      counted.push_back(words[j].folded);
    }
  }
  return counted;
}

bool IsDateWord(std::string_view word) {
  static const std::unordered_set<std::string_view> kWords = {
      "january",     "february",  "march",     "april",     "may",      "june",      "july",
      "august",      "september", "october",   "november",  "december", "jan",       "feb",
      "mar",         "apr",       "jun",       "jul",       "aug",      "sep",       "sept",
      "oct",         "nov",       "dec",       "monday",    "tuesday",  "wednesday", "thursday",
      "friday",      "saturday",  "sunday",    "spring",    "summer",   "autumn",    "winter",
      "century",     "centuries", "bc",        "bce",       "ad",       "ce",        "januar",
      "februar",     "märz",      "mai",       "juni",      "juli",     "oktober",   "dezember",
      "jahrhundert", "janvier",   "février",   "mars",      "avril",    "juin",      "juillet",
      "août",        "septembre", "octobre",   "novembre",  "décembre", "siècle",    "enero",
      "febrero",     "marzo",     "abril",     "mayo",      "junio",    "julio",     "agosto",
      "septiembre",  "octubre",   "noviembre", "diciembre", "siglo"};
  return HasDigit(word) || kWords.contains(word);
}

bool IsCapitalised(std::string_view text, const TextWord& word) {
  size_t at = word.begin;
  return u_isupper(static_cast<UChar32>(ReadCodePoint(text, at)));
}

// Which words of a text carry the kind, and which may stand between two that do.
struct Marks {
  std::vector<bool> core, glue;
};

Marks MarkWords(std::string_view text, std::span<const TextWord> words, AnswerKind kind) {
  Marks marks{std::vector<bool>(words.size()), std::vector<bool>(words.size())};
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i].folded;
    if (kind == AnswerKind::kTime) {
      marks.core[i] = IsDateWord(word);
      marks.glue[i] =
          word == "of" || word == "the" || word == "de" || word == "and" || word == "to";
    } else if (IsNumeric(kind)) {
      marks.core[i] = kind == AnswerKind::kCode ? HasDigit(word) : IsNumberAt(text, words, i);
      if (kind == AnswerKind::kMoney && !IsMoneyAt(text, words, i)) marks.core[i] = false;
      marks.glue[i] = word == "and" || word == "to";
    } else {
      marks.core[i] = IsCapitalised(text, words[i]) && !IsFunctionWord(word);
      marks.glue[i] = word == "of" || word == "the" || word == "de" || word == "von" ||
                      word == "van" || word == "and" || word == "la";
    }
  }
  return marks;
}

// Words [first, last) as a stretch; takes in a sign before or behind that belongs to a number, and
// the rest of a code.
Stretch StretchOf(std::string_view text, std::span<const TextWord> words) {
  Stretch stretch{words.front().begin, words.back().end};
  if (HasDigit(words.front().folded) || HasDigit(words.back().folded)) {
    stretch = WholeCode(text, stretch);
  }
  for (const std::string_view sign : {"$", "€", "£", "-", "+", "~"}) {
    if (HasDigit(words.front().folded) && text.substr(0, stretch.begin).ends_with(sign)) {
      stretch.begin -= static_cast<uint32_t>(sign.size());
      break;
    }
  }
  std::string_view behind = text.substr(stretch.end);
  const bool spaced = behind.starts_with(' ');
  if (spaced) behind.remove_prefix(1);
  for (const std::string_view sign : {"%", "°", "€", "\""}) {
    if (HasDigit(words.back().folded) && behind.starts_with(sign)) {
      stretch.end += static_cast<uint32_t>(sign.size() + (spaced ? 1 : 0));
      break;
    }
  }
  return stretch;
}

// A small word that stands inside names.
bool IsParticle(std::string_view word) {
  return word == "of" || word == "bin" || word == "ibn" || word == "al" || word == "von" ||
         word == "van" || word == "de" || word == "der" || word == "da" || word == "di";
}

// Whether nothing but a space, a comma or a sign inside dates and numbers is between two words.
bool Touch(std::string_view text, const TextWord& left, const TextWord& right) {
  const std::string_view gap = text.substr(left.end, right.begin - left.end);
  return gap.size() <= 3 && gap.find_first_not_of(" ,-/.:'&%$") == std::string_view::npos;
}

// Whether a run goes on from one word of the kind to the next. A comma ends it, since "In 2004, 350
// people" holds two numbers, but for the year of a date ("May 4, 1931").
bool GoesOn(std::string_view text, const TextWord& left, const TextWord& right, AnswerKind kind) {
  if (!Touch(text, left, right)) return false;
  const bool comma = text.substr(left.end, right.begin - left.end).find(',') != std::string::npos;
  if (!comma || (kind != AnswerKind::kTime && !IsNumeric(kind))) return true;
  const bool year =
      right.folded.size() == 4 && right.folded.find_first_not_of("0123456789") == std::string::npos;
  return kind == AnswerKind::kTime && year;
}

// Runs of words that carry the kind, glue allowed inside; numbers keep up to three words behind
// them, since the unit belongs to the answer.
std::vector<Stretch> OfKind(std::string_view text, std::span<const TextWord> words,
                            AnswerKind kind) {
  std::vector<Stretch> out;
  const Marks marks = MarkWords(text, words, kind);
  for (size_t i = 0; i < words.size(); ++i) {
    if (!marks.core[i]) continue;
    size_t end = i + 1;
    for (size_t j = end; j < words.size() && GoesOn(text, words[j - 1], words[j], kind) &&
                         (marks.core[j] || marks.glue[j]);
         ++j) {
      if (marks.core[j]) end = j + 1;
    }
    size_t last = end;
    if (IsNumeric(kind)) {
      while (last < words.size() && last < end + 3 && !IsFunctionWord(words[last].folded) &&
             !marks.core[last] && Touch(text, words[last - 1], words[last])) {
        ++last;
      }
    }
    out.push_back(StretchOf(text, words.subspan(i, last - i)));
    i = last - 1;
  }
  return out;
}

// If some of the numbers stand before what the question counts ("38 cartridges"), drops the others.
void KeepCounted(std::span<const TextWord> words, const Question& question,
                 std::vector<Stretch>* stretches) {
  std::vector<Stretch> kept;
  for (const Stretch& stretch : *stretches) {
    const auto next = std::find_if(words.begin(), words.end(),
                                   [&](const TextWord& word) { return word.begin >= stretch.end; });
    if (next == words.end()) break;
    const bool counts =
        std::any_of(question.counted.begin(), question.counted.end(),
                    [&](const std::string& counted) { return SameWord(counted, next->folded); });
    if (counts) kept.push_back(stretch);
  }
  if (!kept.empty()) *stretches = std::move(kept);
}

}  // namespace

bool IsNumeric(AnswerKind kind) {
  return kind == AnswerKind::kNumber || kind == AnswerKind::kMoney || kind == AnswerKind::kCode;
}

Question ReadQuestion(std::string_view text) {
  Question question;
  question.text = FoldSpaces(text);
  question.words = WordsOf(question.text);
  for (const TextWord& word : question.words) {
    if (!IsFunctionWord(word.folded)) question.content.push_back(word.folded);
  }
  question.kind = KindOf(question.words);
  question.counted = CountedWords(question.words);
  return question;
}

bool IsAsked(const TextWord& word, const Question& question) {
  return std::any_of(question.content.begin(), question.content.end(),
                     [&](const std::string& own) { return SameWord(own, word.folded); });
}

Candidates CandidateStretches(std::string_view text, const Question& question) {
  Candidates candidates;
  const std::vector<TextWord> words = WordsOf(text);
  const std::span<const TextWord> all(words);
  const auto asked = [&](const TextWord& word) { return IsAsked(word, question); };
  std::vector<std::span<const TextWord>> parts;
  for (size_t begin = 0; begin < words.size();) {
    size_t end = begin;
    while (end < words.size() && !asked(words[end])) ++end;
    size_t first = begin, last = end;
    while (first < last && IsFunctionWord(words[first].folded)) ++first;
    while (last > first && IsFunctionWord(words[last - 1].folded)) --last;
    if (first < last) parts.push_back(all.subspan(first, last - first));
    begin = end + 1;
  }
  if (question.kind != AnswerKind::kAny) {
    for (const auto& part : parts) {
      for (const Stretch& stretch : OfKind(text, part, question.kind)) {
        candidates.stretches.push_back(stretch);
      }
    }
    KeepCounted(words, question, &candidates.stretches);
    candidates.of_kind = !candidates.stretches.empty();
  }
  if (candidates.stretches.empty()) {
    for (const auto& part : parts) candidates.stretches.push_back(StretchOf(text, part));
  }
  candidates.only_asked = candidates.stretches.empty();
  if (candidates.only_asked && !words.empty()) {
    candidates.stretches.push_back(StretchOf(text, all));
  }
  return candidates;
}

Stretch WholeName(std::string_view text, Stretch stretch, const Question& question) {
  const std::vector<TextWord> words = WordsOf(text);
  size_t first = 0, last = 0;  // words [first, last) lie in the stretch
  while (first < words.size() && words[first].end <= stretch.begin) ++first;
  for (last = first; last < words.size() && words[last].begin < stretch.end;) ++last;
  if (first == last) return stretch;
  const auto spaced = [&](size_t left) {
    return words[left].end + 1 == words[left + 1].begin && text[words[left].end] == ' ';
  };
  const auto named = [&](size_t i) {
    return IsCapitalised(text, words[i]) && !IsFunctionWord(words[i].folded) &&
           !IsAsked(words[i], question);
  };
  if (HasDigit(words[last - 1].folded) && last < words.size() && spaced(last - 1) &&
      IsMultiple(words[last].folded)) {
    return {stretch.begin, words[last].end};
  }
  if (named(last - 1)) {
    while (last < words.size() && spaced(last - 1)) {
      const bool over_particle = last + 1 < words.size() && IsParticle(words[last].folded) &&
                                 spaced(last) && named(last + 1);
      if (!over_particle && !named(last)) break;
      last += over_particle ? 2 : 1;
      stretch.end = words[last - 1].end;
    }
  }
  while (named(first) && first > 0 && spaced(first - 1) && named(first - 1)) {
    --first;
    stretch.begin = words[first].begin;
  }
  return stretch;
}

}  // namespace ragstone::llm
