#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace ragstone::services {

enum class LogLevel : uint8_t { kError, kWarning, kInfo, kDebug };

// Log lines go to stderr, one `key=value` line for each event:
//   2026-01-31T08:15:30.125Z info worker.start role=pdf pid=4711
// Thread-safe.

// Sets which lines are written, by the setting log_level; "info" until then. An unknown name is
// "info".
void SetLogLevel(std::string_view name);
bool LogEnabled(LogLevel level);

using LogField = std::pair<std::string_view, std::string>;

// Writes a line. Values with spaces, quotes or control characters are quoted; each is cut at 1 KiB.
void LogEvent(LogLevel level, std::string_view event, std::initializer_list<LogField> fields);

// The fields as they are written: `role=pdf message="two words"`.
std::string FormatFields(std::initializer_list<LogField> fields);

}  // namespace ragstone::services
