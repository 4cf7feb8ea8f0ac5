#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ragstone::services {

// "data_dir" as a flag, "--data-dir", and as a variable, "RAGSTONE_DATA_DIR".
std::string FlagName(std::string_view name);
std::string VariableName(std::string_view name);

// Texts of settings to values and back. Errors are INVALID_ARGUMENT (INVALID_SETTING) and say what
// is allowed; the caller adds which setting it was.

// "1024", "512KiB", "1.5GiB": a number with an optional suffix B, KiB, MiB, GiB or TiB.
Result<uint64_t> ParseBytes(std::string_view text);
// The largest unit that divides the number: "512MiB", "1000".
std::string FormatBytes(uint64_t bytes);

// "true", "false", "yes", "no", "on", "off", "1", "0".
Result<bool> ParseBool(std::string_view text);
Result<int64_t> ParseInteger(std::string_view text);
Result<double> ParseReal(std::string_view text);

// The name that needs the fewest changed, added, left out or swapped letters to become `name`;
// empty without candidates.
std::string Nearest(std::string_view name, const std::vector<std::string_view>& candidates);

// Bytes of memory this process may use: the machine's RAM or, if smaller, the limit of its control
// group (v2 or v1) or of one above it. `root` is "/" except in tests.
uint64_t MemoryOfMachine(const std::filesystem::path& root = "/");

}  // namespace ragstone::services
