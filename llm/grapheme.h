#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "llm/unigram_tables.h"

namespace ragstone::llm {

GraphemeKind GraphemeKindOf(uint32_t code_point);

// Returns where the extended grapheme cluster that begins at `at` ends, by Unicode Standard Annex
// 29 without the pairing of regional indicators. Requires at < text.size().
size_t GraphemeEnd(std::string_view text, size_t at);

}  // namespace ragstone::llm
