#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "index/types.h"

namespace ragstone::index {

// What a text that names a time stands for.
struct ParsedTime {
  Datetime time;           // of a date alone: its midnight UTC
  bool date_only = false;  // "2024-05-01": the day from `time` up to the next midnight
};

// Parses RFC 3339: "2024-05-01T10:20:30.5+02:00" (T may be a blank; fraction of at most nine
// digits; Z or an offset is required) or a date alone, "2024-05-01". INVALID_ARGUMENT with what is
// wrong, also for times that 64-bit nanoseconds cannot hold (before 1677-09-23, after 2262-04-09).
Result<ParsedTime> ParseTime(std::string_view text);

// INVALID_ARGUMENT for an instant that ParseTime never gives, so that what is stored can be written
// and read again.
Status CheckTime(Datetime time);

// Writes a time as RFC 3339 in UTC with as many digits of the fraction as are needed.
std::string FormatTime(Datetime time);

// The midnight after a date alone.
Datetime NextDay(Datetime day);

}  // namespace ragstone::index
