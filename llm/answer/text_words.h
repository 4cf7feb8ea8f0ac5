#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ragstone::llm {

// A word: bytes [begin, end) of the text and its case-folded form. Numbers keep their inner points
// and commas; every ideograph is a word.
struct TextWord {
  uint32_t begin = 0, end = 0;
  std::string folded;
};

std::vector<TextWord> WordsOf(std::string_view text);

// Whether two folded words are the same or differ in their ending only ("invent", "invented").
bool SameWord(std::string_view a, std::string_view b);

// Whether the folded word carries grammar rather than meaning (articles, prepositions, auxiliaries,
// pronouns, question words; English, and the commonest of German, French and Spanish).
bool IsFunctionWord(std::string_view folded);

// Whether the folded word points back to something named before ("he", "it", "these").
bool IsPronoun(std::string_view folded);

// The text with every run of white space and control characters as one space, none at the ends.
std::string FoldSpaces(std::string_view text);

// The text with white space and control bytes below 0x20 replaced by spaces, byte for byte, so that
// offsets stay what they are.
std::string SpacesForControls(std::string_view text);

// The text with bracketed numbers ("[3]", "[4, 5]") in round brackets, so that a source's own
// references cannot be taken for citations.
std::string WithoutBracketNumbers(std::string_view text);

}  // namespace ragstone::llm
