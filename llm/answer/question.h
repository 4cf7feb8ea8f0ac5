#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "llm/answer/numbers.h"
#include "llm/answer/text_words.h"

namespace ragstone::llm {

// What kind of thing a question asks for, as far as its words tell.
enum class AnswerKind {
  kAny,
  kTime,
  kNumber,
  kMoney,
  kCode,  // a number that names something: serial, part and telephone numbers
  kName,
  kPlace
};

// Whether answers of the kind have figures or number words in them.
bool IsNumeric(AnswerKind kind);

// A question, read once.
struct Question {
  std::string text;  // white space folded
  std::vector<TextWord> words;
  std::vector<std::string> content;  // folded words that carry meaning
  AnswerKind kind = AnswerKind::kAny;
  std::vector<std::string> counted;  // what "how many" counts, folded: at most two words
};

Question ReadQuestion(std::string_view text);

// Whether the word is one of the question's own, but for its ending.
bool IsAsked(const TextWord& word, const Question& question);

// The stretches of `text` that could answer the question, in order: what lies between the
// question's own words, without function words at the ends, narrowed to dates, numbers or names
// where the question asks for those and the text has some. Never empty for a text that has a word.
struct Candidates {
  std::vector<Stretch> stretches;
  bool of_kind = false;     // whether they were narrowed
  bool only_asked = false;  // whether the text has no words but the question's and function words
};
Candidates CandidateStretches(std::string_view text, const Question& question);

// Widens a stretch that begins or ends inside a name or a quantity to the whole of it ("Osama" to
// "Osama bin Laden", "3" to "3 million"), but not over words of the question.
Stretch WholeName(std::string_view text, Stretch stretch, const Question& question);

}  // namespace ragstone::llm
