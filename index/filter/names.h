#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// Small tools for names and texts in messages.
namespace ragstone::index {

// Whether the bytes are UTF-8 as Unicode defines it: no overlong forms, no surrogates.
bool IsUtf8(std::string_view text);

// Appends a code point below 0x110000 that is no surrogate.
void AppendUtf8(char32_t code_point, std::string* out);

// The text in double quotes for a message, cut after 40 bytes at a code point.
std::string Quoted(std::string_view text);

// Returns the candidate that `name` was probably meant to be, or "" if none is near: at most one
// edit (insertion, deletion, replacement, swap of neighbours; letter case is free) for each three
// bytes of the name, and at least one.
std::string_view NearestName(std::string_view name, const std::vector<std::string_view>& names);

// For an unknown name: `; did you mean "year"?`, or the names there are, or that there are none.
std::string NameHint(std::string_view name, const std::vector<std::string_view>& names);

}  // namespace ragstone::index
