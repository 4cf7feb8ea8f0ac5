#include "services/cli/output.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <ostream>

#include "services/cli/json.h"
#include "services/cli/text.h"

namespace ragstone::services::cli {
namespace {

std::string_view Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

int TerminalWidth() {
  winsize size{};
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  }
  const int columns = std::atoi(std::string(Variable("COLUMNS")).c_str());
  return columns > 0 ? columns : 80;
}

}  // namespace

Terminal DetectTerminal() {
  Terminal terminal;
  const bool dumb = Variable("TERM") == "dumb";
  terminal.out = isatty(STDOUT_FILENO) == 1;
  terminal.err = isatty(STDERR_FILENO) == 1 && !dumb;
  terminal.colour = terminal.out && !dumb && Variable("NO_COLOR").empty();
  terminal.width = std::clamp(TerminalWidth(), 20, 1000);
  return terminal;
}

void Output::Write(std::string_view text) {
  MutexLock lock(&mutex_);
  ClearProgress();
  *out_ << text << std::flush;
}

void Output::Line(std::string_view text) {
  MutexLock lock(&mutex_);
  ClearProgress();
  *out_ << text << '\n' << std::flush;
}

void Output::Message(std::string_view text) {
  MutexLock lock(&mutex_);
  ClearProgress();
  *err_ << text << '\n' << std::flush;
}

void Output::Json(const nlohmann::ordered_json& value) {
  Line(EscapeJsonControls(value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
}

void Output::Error(const Status& status) {
  if (json_) {
    Json({{"error", ErrorJson(status)}});
    return;
  }
  const bool colour = terminal_.err && terminal_.colour;
  Message(fmt::format("{} {} ({})", colour ? "\x1b[31merror:\x1b[0m" : "error:",
                      SanitizeLines(status.message()), ErrorReason(status)));
}

void Output::Progress(std::string_view line) {
  if (!terminal_.err) return;
  MutexLock lock(&mutex_);
  ClearProgress();
  if (line.empty()) return;
  *err_ << TruncateToWidth(line, terminal_.width - 1) << std::flush;
  progress_shown_ = true;
}

bool Output::ok() const {
  MutexLock lock(&mutex_);
  return out_->good();
}

std::string Output::Styled(std::string_view code, std::string_view text) const {
  if (!terminal_.colour) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

void Output::ClearProgress() {
  if (!progress_shown_) return;
  *err_ << "\r\x1b[2K" << std::flush;
  progress_shown_ = false;
}

}  // namespace ragstone::services::cli
