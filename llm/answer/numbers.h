#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "llm/answer/text_words.h"

namespace ragstone::llm {

// A stretch of a text: bytes [begin, end).
struct Stretch {
  uint32_t begin = 0, end = 0;
};

bool HasDigit(std::string_view text);

// Whether the folded word is or holds a number: digits, "five", "weekly", "million".
bool IsNumberWord(std::string_view word);

// Names of powers of ten and the like, which belong to the number before them.
bool IsMultiple(std::string_view word);

// Widens a stretch to the whole of the codes and compounds that it cuts ("2030" to "OV-2030").
Stretch WholeCode(std::string_view text, Stretch stretch);

// Whether word `i` is a number ("3", "1,500", "30kg", "five") and no part of a code ("PA-22",
// "21CFR312"). `words` are those of `text`, or some of them in a row.
bool IsNumberAt(std::string_view text, std::span<const TextWord> words, size_t i);

// Whether the number `i` has a currency's sign or name beside it.
bool IsMoneyAt(std::string_view text, std::span<const TextWord> words, size_t i);

// The quantity that was chosen in part within a candidate stretch: with the number before a chosen
// unit ("minutes" to "55 minutes"), the unit behind a chosen number ("65" to "65 bar"), and the
// whole of a code.
Stretch WholeQuantity(std::string_view text, Stretch chosen, Stretch stretch);

}  // namespace ragstone::llm
