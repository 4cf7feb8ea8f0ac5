#include "services/logging.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <memory>

namespace ragstone::services {

namespace {

constexpr size_t kValueBytesMax = 1024;

spdlog::logger& Logger() {
  // Never destroyed: threads may log while the process ends.
  static spdlog::logger* const logger = [] {
    auto* made = new spdlog::logger("ragstone", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_formatter(std::make_unique<spdlog::pattern_formatter>(
        "%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc));
    made->set_level(spdlog::level::info);
    made->flush_on(spdlog::level::trace);
    return made;
  }();
  return *logger;
}

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kDebug:
      return spdlog::level::debug;
  }
  return spdlog::level::info;
}

bool IsPlain(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return c > ' ' && c != '"' && c != '=' && c != '\\' && c != 0x7f;
  });
}

void AppendQuoted(std::string_view text, std::string* line) {
  line->push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      line->push_back('\\');
      line->push_back(c);
    } else if (c == '\n') {
      line->append("\\n");
    } else if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) {
      line->push_back('?');
    } else {
      line->push_back(c);
    }
  }
  line->push_back('"');
}

}  // namespace

void SetLogLevel(std::string_view name) {
  spdlog::level::level_enum level = spdlog::level::info;
  if (name == "error") level = spdlog::level::err;
  if (name == "warning") level = spdlog::level::warn;
  if (name == "debug") level = spdlog::level::debug;
  Logger().set_level(level);
}

bool LogEnabled(LogLevel level) { return Logger().should_log(ToSpdlog(level)); }

std::string FormatFields(std::initializer_list<LogField> fields) {
  std::string line;
  for (const auto& [key, whole] : fields) {
    if (!line.empty()) line.push_back(' ');
    line.append(key);
    line.push_back('=');
    const std::string_view value = std::string_view(whole).substr(0, kValueBytesMax);
    if (IsPlain(value)) {
      line.append(value);
    } else {
      AppendQuoted(value, &line);
    }
    if (value.size() < whole.size()) line.append("…");
  }
  return line;
}

void LogEvent(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  if (!LogEnabled(level)) return;
  std::string line(event);
  const std::string text = FormatFields(fields);
  if (!text.empty()) line += " " + text;
  Logger().log(ToSpdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace ragstone::services
