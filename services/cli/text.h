#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ragstone::services::cli {

// Makes text of unknown origin (documents, paths, messages that quote them) safe for a terminal:
// control characters, bidirectional controls and bytes that are not UTF-8 become U+FFFD. Newlines
// and tabs become spaces.
std::string Sanitize(std::string_view text);

// As Sanitize, but keeps newlines and tabs.
std::string SanitizeLines(std::string_view text);

// Replaces the controls that JSON allows in strings, but a terminal acts upon, by \u escapes.
std::string EscapeJsonControls(std::string_view json);

// Whether all bytes are well-formed UTF-8.
bool IsUtf8(std::string_view text);

// Columns that a terminal needs: combining marks 0, wide East Asian characters 2.
int DisplayWidth(std::string_view text);

// Cuts the text to `width` columns, the last of which is then "…".
std::string TruncateToWidth(std::string_view text, int width);

// As TruncateToWidth, but keeps the end, which tells paths apart.
std::string TruncateFront(std::string_view text, int width);

// Breaks at white space into lines of at most `width` columns; longer words are cut.
std::vector<std::string> Wrap(std::string_view text, int width);

// Lines up columns that are given row by row, the first row being the header. The last column is
// not padded. Cells must be safe already.
std::string FormatTable(const std::vector<std::vector<std::string>>& rows);

// "1.5 GiB".
std::string HumanBytes(uint64_t bytes);

// "0:07", "12:34", "1:02:03".
std::string HumanDuration(double seconds);

// The candidate that needs the fewest edits, or "" if even that needs more than a third of the
// letters (at least two).
std::string NearestName(std::string_view name, const std::vector<std::string>& candidates);

// Joins with a separator.
std::string Join(const std::vector<std::string>& parts, std::string_view separator);

}  // namespace ragstone::services::cli
