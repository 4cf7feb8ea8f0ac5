#include "index/filter/datetime.h"

#include <chrono>

#include "index/filter/names.h"

namespace ragstone::index {
namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;
constexpr int64_t kSecondsPerDay = 86'400;
// Days whose every instant, moved by any time zone, 64 bits of nanoseconds hold.
constexpr int64_t kDayMin = -106'750;
constexpr int64_t kDayMax = 106'749;
constexpr int64_t kNsPerDay = kSecondsPerDay * kNsPerSecond;
// The ends of what such days give: in the time zone of +23:59 the first begins so early, and in
// that of -23:59 the last ends so late, with its leap second.
constexpr int64_t kZoneNsMax = (23 * 3600 + 59 * 60) * kNsPerSecond;
constexpr int64_t kNsMin = kDayMin * kNsPerDay - kZoneNsMax;
constexpr int64_t kNsMax = (kDayMax + 1) * kNsPerDay + kNsPerSecond - 1 + kZoneNsMax;

Status Bad(std::string_view text, std::string_view what) {
  return InvalidArgument(Reason::kInvalidArgument,
                         Quoted(text) + " is no time: " + std::string(what) +
                             "; expected a date such as \"2024-05-01\" or a time such as "
                             "\"2024-05-01T10:20:30Z\" (RFC 3339)");
}

// Takes decimal digits from the front of a text.
class Digits {
 public:
  explicit Digits(std::string_view text) : rest_(text) {}

  std::string_view rest() const { return rest_; }
  bool empty() const { return rest_.empty(); }

  // Exactly `count` digits; -1 if there are fewer.
  int Number(size_t count) {
    if (rest_.size() < count) return -1;
    int value = 0;
    for (size_t i = 0; i < count; ++i) {
      if (rest_[i] < '0' || rest_[i] > '9') return -1;
      value = value * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(count);
    return value;
  }

  bool Skip(std::string_view any_of) {
    if (rest_.empty() || any_of.find(rest_[0]) == std::string_view::npos) return false;
    rest_.remove_prefix(1);
    return true;
  }

  // A fraction's digits as nanoseconds; -1 without digits or with more than nine.
  int64_t Fraction() {
    int64_t value = 0;
    int digits = 0;
    while (!rest_.empty() && rest_[0] >= '0' && rest_[0] <= '9') {
      if (++digits > 9) return -1;
      value = value * 10 + (rest_[0] - '0');
      rest_.remove_prefix(1);
    }
    if (digits == 0) return -1;
    for (; digits < 9; ++digits) value *= 10;
    return value;
  }

 private:
  std::string_view rest_;
};

// Seconds east of UTC.
Result<int64_t> ParseOffset(std::string_view text, Digits* in) {
  if (in->Skip("Zz")) return int64_t{0};
  const bool west = !in->empty() && in->rest()[0] == '-';
  if (!in->Skip("+-")) return Bad(text, "it has no time zone: end it with Z or +02:00");
  const int hours = in->Number(2);
  const bool colon = in->Skip(":");
  const int minutes = in->Number(2);
  if (hours < 0 || hours > 23 || !colon || minutes < 0 || minutes > 59) {
    return Bad(text, "the time zone is not like +02:00");
  }
  const int64_t seconds = hours * 3600 + minutes * 60;
  return west ? -seconds : seconds;
}

}  // namespace

Result<ParsedTime> ParseTime(std::string_view text) {
  Digits in(text);
  const int year = in.Number(4);
  bool whole = year >= 0 && in.Skip("-");
  const int month = whole ? in.Number(2) : -1;
  whole = month >= 0 && in.Skip("-");
  const int day = whole ? in.Number(2) : -1;
  if (day < 0) return Bad(text, "it does not begin with year-month-day");
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return Bad(text, "the calendar has no such day");
  const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  if (days < kDayMin || days > kDayMax) {
    return Bad(text, "times lie between 1677-09-23 and 2262-04-09");
  }
  ParsedTime parsed;
  parsed.date_only = in.empty();
  parsed.time.ns = days * kNsPerDay;
  if (parsed.date_only) return parsed;

  if (!in.Skip("Tt ")) return Bad(text, "the time does not follow the date after T");
  const int hour = in.Number(2);
  const bool first = in.Skip(":");
  const int minute = in.Number(2);
  const bool second_colon = in.Skip(":");
  const int second = in.Number(2);
  // A leap second, 60, is the first instant of the next minute.
  if (!first || !second_colon || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 ||
      second > 60) {
    return Bad(text, "the time of day is not like 10:20:30");
  }
  int64_t fraction = 0;
  if (in.Skip(".")) fraction = in.Fraction();
  if (fraction < 0) return Bad(text, "a fraction has one to nine digits");
  ASSIGN_OR_RETURN(const int64_t offset, ParseOffset(text, &in));
  if (!in.empty()) return Bad(text, "something follows the time zone");
  const int64_t seconds = hour * 3600 + minute * 60 + second - offset;
  parsed.time.ns += seconds * kNsPerSecond + fraction;
  return parsed;
}

Status CheckTime(Datetime time) {
  if (time.ns >= kNsMin && time.ns <= kNsMax) return OkStatus();
  return InvalidArgument(Reason::kInvalidArgument,
                         std::to_string(time.ns) +
                             " nanoseconds since 1970 are no time of the calendar; times lie "
                             "between 1677-09-22T00:01:00Z and 2262-04-10T23:59:00Z");
}

std::string FormatTime(Datetime time) {
  // By hand: the first midnight before the earliest instants has no 64-bit nanoseconds.
  int64_t day = time.ns / kNsPerDay;
  int64_t ns = time.ns % kNsPerDay;
  if (ns < 0) {
    --day;
    ns += kNsPerDay;
  }
  const std::chrono::year_month_day date{std::chrono::sys_days(std::chrono::days(day))};
  const auto two = [](int64_t value) {
    return std::string(value < 10 ? "0" : "") + std::to_string(value);
  };
  std::string out = std::to_string(static_cast<int>(date.year())) + "-" +
                    two(static_cast<unsigned>(date.month())) + "-" +
                    two(static_cast<unsigned>(date.day())) + "T";
  const int64_t second = ns / kNsPerSecond;
  ns %= kNsPerSecond;
  out += two(second / 3600) + ":" + two(second / 60 % 60) + ":" + two(second % 60);
  if (ns > 0) {
    std::string digits = std::to_string(ns);
    digits.insert(0, 9 - digits.size(), '0');
    while (digits.back() == '0') digits.pop_back();
    out += "." + digits;
  }
  return out + "Z";
}

Datetime NextDay(Datetime day) { return {day.ns + kNsPerDay}; }

}  // namespace ragstone::index
