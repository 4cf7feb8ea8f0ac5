#pragma once

#include <string>

#include "ragstone/v1/answer.pb.h"
#include "ragstone/v1/types.pb.h"
#include "services/cli/output.h"

namespace ragstone::services::cli {

// Shows text in `indent` columns, wrapped to the terminal, with a newline after each line. At most
// `lines_max` lines, the last of which then ends in "…"; 0 means all.
std::string Indented(std::string_view text, int indent, const Output& output, size_t lines_max = 0);

// "manual.pdf, p. 7 (iv)", or "notes.md, line 12" for text files.
std::string PassagePlace(const v1::Passage& passage);
std::string CitationPlace(const v1::Citation& citation);

// A numbered hit: place, score, heading and the beginning of the text.
std::string FormatHit(size_t number, const v1::Passage& passage, const Output& output);

// `[1] manual.pdf, p. 7: "…"`
std::string FormatCitation(const v1::Citation& citation, const Output& output);

// RFC 3339, or "-" for 0.
std::string FormatTimeOrDash(int64_t time_ns);

}  // namespace ragstone::services::cli
