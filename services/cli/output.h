#pragma once

#include <iosfwd>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "base/mutex.h"
#include "base/status.h"

namespace ragstone::services::cli {

// What the two streams are connected to.
struct Terminal {
  bool out = false;     // stdout is a terminal
  bool err = false;     // stderr is a terminal
  bool colour = false;  // stdout is a terminal and colour is wanted
  int width = 80;       // columns
};

// Looks at stdout and stderr, TERM, COLUMNS and NO_COLOR (https://no-color.org).
Terminal DetectTerminal();

// Where a command writes: data to stdout, messages and progress to stderr. Text from documents and
// paths must go through Sanitize first. Thread-safe.
class Output {
 public:
  Output(std::ostream* out, std::ostream* err, Terminal terminal, bool json)
      : out_(out), err_(err), terminal_(terminal), json_(json) {}

  bool json() const { return json_; }
  const Terminal& terminal() const { return terminal_; }

  // Writes to stdout as it is and flushes.
  void Write(std::string_view text);
  // Writes a line to stdout.
  void Line(std::string_view text);
  // Writes a line to stderr, above the progress line if there is one.
  void Message(std::string_view text);
  // Writes one JSON value and a newline to stdout; bytes that are not UTF-8 are replaced.
  void Json(const nlohmann::ordered_json& value);
  // Reports a failed command: `{"error":…}` on stdout with --json, else a line on stderr.
  void Error(const Status& status);
  // Shows one line on stderr that the next message or progress line replaces; "" takes it away.
  // Nothing unless stderr is a terminal.
  void Progress(std::string_view line);
  // Whether everything could be written.
  bool ok() const;

  // Marks text if colour is wanted.
  std::string Bold(std::string_view text) const { return Styled("1", text); }
  std::string Dim(std::string_view text) const { return Styled("2", text); }
  std::string Green(std::string_view text) const { return Styled("32", text); }
  std::string Yellow(std::string_view text) const { return Styled("33", text); }
  std::string Red(std::string_view text) const { return Styled("31", text); }

 private:
  std::string Styled(std::string_view code, std::string_view text) const;
  void ClearProgress() REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::ostream* const out_ GUARDED_BY(mutex_);
  std::ostream* const err_ GUARDED_BY(mutex_);
  const Terminal terminal_;
  const bool json_;
  bool progress_shown_ GUARDED_BY(mutex_) = false;
};

}  // namespace ragstone::services::cli
