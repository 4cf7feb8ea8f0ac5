#pragma once

#include <string_view>
#include <vector>

#include "ingest/chunker.h"

namespace ragstone::ingest::internal {

// Splits one paragraph into sentences; single line breaks in it count as spaces. Appends them with
// `offset` added to their positions.
void SplitParagraph(std::string_view paragraph, size_t offset, std::vector<Sentence>* sentences);

// Whether a line stands for itself: an item of a list.
bool StartsListItem(std::string_view line);

// Whether a line is an entry of a table of contents: dots that lead to a page number.
bool HasDotLeader(std::string_view line);

// Whether the text ends like a finished sentence; closing quotes and brackets are looked through.
bool EndsSentence(std::string_view text);

}  // namespace ragstone::ingest::internal
