#include "services/setting_values.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <sstream>

#include "base/file.h"

namespace ragstone::services {

namespace {

struct Unit {
  std::string_view suffix;
  uint64_t bytes;
};
constexpr std::array<Unit, 5> kUnits = {{{"TiB", uint64_t{1} << 40},
                                         {"GiB", uint64_t{1} << 30},
                                         {"MiB", uint64_t{1} << 20},
                                         {"KiB", uint64_t{1} << 10},
                                         {"B", 1}}};

Status Bad(std::string message) {
  return InvalidArgument(Reason::kInvalidSetting, std::move(message));
}

std::string Quoted(std::string_view text) { return "'" + std::string(text.substr(0, 200)) + "'"; }

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return lower;
}

}  // namespace

std::string FlagName(std::string_view name) {
  std::string flag = "--" + std::string(name);
  std::replace(flag.begin(), flag.end(), '_', '-');
  return flag;
}

std::string VariableName(std::string_view name) {
  std::string variable = "RAGSTONE_";
  for (const char c : name) {
    variable.push_back(static_cast<char>(std::toupper(static_cast<unsigned char>(c))));
  }
  return variable;
}

Result<uint64_t> ParseBytes(std::string_view text) {
  const Status bad = Bad(Quoted(text) +
                         " is not a number of bytes; write a number with an optional suffix KiB, "
                         "MiB, GiB or TiB, such as 512MiB");
  std::string_view number = text;
  uint64_t factor = 1;
  for (const Unit& unit : kUnits) {
    if (!number.ends_with(unit.suffix)) continue;
    number.remove_suffix(unit.suffix.size());
    factor = unit.bytes;
    break;
  }
  while (number.ends_with(' ')) number.remove_suffix(1);
  const Result<double> parsed = ParseReal(number);
  if (!parsed.ok()) return bad;
  const double bytes = *parsed * static_cast<double>(factor);
  if (bytes < 0 || bytes > 9e18) return bad;
  return static_cast<uint64_t>(std::llround(bytes));
}

std::string FormatBytes(uint64_t bytes) {
  for (const Unit& unit : kUnits) {
    if (unit.bytes > 1 && bytes >= unit.bytes && bytes % unit.bytes == 0) {
      return std::to_string(bytes / unit.bytes) + std::string(unit.suffix);
    }
  }
  return std::to_string(bytes);
}

Result<bool> ParseBool(std::string_view text) {
  const std::string lower = Lower(text);
  if (lower == "true" || lower == "yes" || lower == "on" || lower == "1") return true;
  if (lower == "false" || lower == "no" || lower == "off" || lower == "0") return false;
  return Bad(Quoted(text) + " is neither true nor false");
}

Result<int64_t> ParseInteger(std::string_view text) {
  int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end) return Bad(Quoted(text) + " is not a whole number");
  return value;
}

Result<double> ParseReal(std::string_view text) {
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || !std::isfinite(value)) {
    return Bad(Quoted(text) + " is not a number");
  }
  return value;
}

namespace {

// The restricted Damerau–Levenshtein distance: a swap of neighbours costs one.
size_t EditDistance(std::string_view a, std::string_view b) {
  const size_t width = b.size() + 1;
  std::vector<size_t> d((a.size() + 1) * width);
  for (size_t i = 0; i <= a.size(); ++i) d[i * width] = i;
  for (size_t j = 0; j <= b.size(); ++j) d[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = d[(i - 1) * width + j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      size_t best = std::min({replaced, d[(i - 1) * width + j] + 1, d[i * width + j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        best = std::min(best, d[(i - 2) * width + j - 2] + 1);
      }
      d[i * width + j] = best;
    }
  }
  return d.back();
}

}  // namespace

std::string Nearest(std::string_view name, const std::vector<std::string_view>& candidates) {
  const std::string_view bounded = name.substr(0, 200);
  std::string_view best;
  size_t best_distance = std::numeric_limits<size_t>::max();
  for (const std::string_view candidate : candidates) {
    const size_t distance = EditDistance(bounded, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return std::string(best);
}

namespace {

constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();

// A control group's limit file holds a number or "max"; v1 writes a huge number for no limit.
uint64_t ReadLimit(const std::filesystem::path& file) {
  const Result<std::string> text = ReadFile(file, 4096);
  if (!text.ok()) return kNoLimit;
  std::string_view number = *text;
  while (!number.empty() && std::isspace(static_cast<unsigned char>(number.back()))) {
    number.remove_suffix(1);
  }
  const Result<int64_t> value = ParseInteger(number);
  return value.ok() && *value > 0 ? static_cast<uint64_t>(*value) : kNoLimit;
}

// The lowest limit of the group and of those above it, up to the mount point.
uint64_t LowestLimit(const std::filesystem::path& mount, std::string_view group,
                     const char* file_name) {
  uint64_t lowest = ReadLimit(mount / file_name);
  std::filesystem::path folder = mount;
  for (const auto& part : std::filesystem::path(group).relative_path()) {
    if (part == "..") break;
    folder /= part;
    lowest = std::min(lowest, ReadLimit(folder / file_name));
  }
  return lowest;
}

uint64_t TotalRam(const std::filesystem::path& root) {
  if (root == "/") {
    const long pages = ::sysconf(_SC_PHYS_PAGES);
    const long page_bytes = ::sysconf(_SC_PAGE_SIZE);
    if (pages > 0 && page_bytes > 0) {
      return static_cast<uint64_t>(pages) * static_cast<uint64_t>(page_bytes);
    }
  }
  const Result<std::string> text = ReadFile(root / "proc/meminfo", 1 << 20);
  const size_t at = text.ok() ? text->find("MemTotal:") : std::string::npos;
  if (at == std::string::npos) return uint64_t{1} << 30;
  return std::strtoull(text->c_str() + at + 9, nullptr, 10) * 1024;
}

}  // namespace

uint64_t MemoryOfMachine(const std::filesystem::path& root) {
  uint64_t memory = TotalRam(root);
  const Result<std::string> groups = ReadFile(root / "proc/self/cgroup", 1 << 20);
  if (!groups.ok()) return memory;
  std::istringstream lines(*groups);
  // Lines are "0::/path" in v2 and "5:memory:/path" in v1.
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string group = line.substr(second + 1);
    if (controllers == ",,") {
      memory = std::min(memory, LowestLimit(root / "sys/fs/cgroup", group, "memory.max"));
    } else if (controllers.find(",memory,") != std::string::npos) {
      memory = std::min(memory,
                        LowestLimit(root / "sys/fs/cgroup/memory", group, "memory.limit_in_bytes"));
    }
  }
  return memory;
}

}  // namespace ragstone::services
