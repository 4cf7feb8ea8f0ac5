#include "tests/reliability/drill.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "base/file.h"

namespace ragstone::index::reliability {
namespace {

constexpr uint64_t kUnitSecondsMax = 1800;

std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      (escaped += '\\') += c;
    } else {
      escaped += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return escaped;
}

std::string Number(double value) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.10g", value);
  return text;
}

// How the program was built: a drill that passed in one build has not passed in another.
constexpr const char* kBuild =
#if defined(__SANITIZE_THREAD__)
    "thread-sanitizer";
#elif defined(__SANITIZE_ADDRESS__)
    "address-sanitizer";
#else
    "plain";
#endif

// What a line of a unit begins with; the size is part of it, because it changes what a unit is.
std::string HeadOf(const DrillOptions& options) {
  return "{\"drill\":\"" + Escaped(options.drill) + "\",\"build\":\"" + kBuild +
         "\",\"seed\":" + std::to_string(options.seed) +
         ",\"count\":" + std::to_string(options.count) +
         ",\"seconds\":" + std::to_string(options.seconds) + ",\"unit\":";
}

std::string CommandOf(const DrillOptions& options, uint64_t unit) {
  std::string command = "reliability " + options.drill + " --seed " + std::to_string(options.seed);
  if (options.count != 0) command += " --count " + std::to_string(options.count);
  if (options.seconds != 0) command += " --seconds " + std::to_string(options.seconds);
  if (options.threads != 0) command += " --threads " + std::to_string(options.threads);
  return command + " --unit " + std::to_string(unit);
}

void Send(int fd, const std::string& line) {
  WriteAll(fd, line + "\n", "the pipe to the drill").ok();
}

// Where a child of RunInChild writes to.
int note_fd = -1;

// The child's side: what it found goes through the pipe.
[[noreturn]] void Report(int fd, const std::function<Status(Figures*)>& work) {
  note_fd = fd;
  Figures figures;
  const Status status = work(&figures);
  for (const auto& [name, value] : figures) Send(fd, "F " + name + " " + Number(value));
  Send(fd, status.ok() ? "P" : "V " + Escaped(status.message()));
  std::fflush(nullptr);
  _exit(0);
}

// Reads until the child closes the pipe. False if that takes too long.
bool ReadAll(int fd, uint64_t seconds, std::string* text) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  char buffer[4096];
  for (;;) {
    if (std::chrono::steady_clock::now() > until) return false;
    pollfd wait{fd, POLLIN, 0};
    if (poll(&wait, 1, 100) <= 0) continue;
    const ssize_t size = read(fd, buffer, sizeof(buffer));
    if (size == 0) return true;
    if (size > 0) text->append(buffer, static_cast<size_t>(size));
  }
}

}  // namespace

Status Violation(std::string message) {
  return Status(StatusCode::kUnknown, Reason::kUnspecified, std::move(message));
}

Result<Results> Results::Open(const DrillOptions& options) {
  Results results(options);
  if (options.results.empty()) return results;
  const std::string head = HeadOf(options);
  std::ifstream in(options.results);
  std::string line;
  while (std::getline(in, line)) {
    if (!line.starts_with(head) || line.find("\"outcome\":\"passed\"") == std::string::npos) {
      continue;
    }
    results.passed_.insert(std::strtoull(line.c_str() + head.size(), nullptr, 10));
  }
  return results;
}

Status Results::Finish(uint64_t unit, const Status& outcome, const Figures& figures) {
  std::string line = HeadOf(options_) + std::to_string(unit) + ",\"outcome\":\"" +
                     (outcome.ok() ? "passed" : Escaped(outcome.message())) + "\"";
  for (const auto& [name, value] : figures) line += ",\"" + name + "\":" + Number(value);
  line += "}\n";
  std::fputs(line.c_str(), stdout);
  std::fflush(stdout);
  if (outcome.ok()) passed_.insert(unit);
  if (!options_.results.empty()) {
    ASSIGN_OR_RETURN(const FileDescriptor file,
                     OpenFile(options_.results, O_WRONLY | O_CREAT | O_APPEND));
    RETURN_IF_ERROR(WriteAll(file.get(), line, options_.results.string()));
    if (fsync(file.get()) != 0) return ErrnoStatus(errno, "fsync " + options_.results.string());
  }
  if (outcome.ok()) return OkStatus();
  return Violation(outcome.message() + "\nrepeat it with: " + CommandOf(options_, unit));
}

Status RunUnits(const DrillOptions& options, uint64_t units, const UnitWork& work) {
  ASSIGN_OR_RETURN(Results results, Results::Open(options));
  for (uint64_t unit = 0; unit < units; ++unit) {
    if (options.unit != UINT64_MAX ? unit != options.unit : results.Passed(unit)) continue;
    Figures figures;
    const Status outcome = RunInChild([&](Figures* made) { return work(unit, made); },
                                      kUnitSecondsMax + options.seconds * 2, &figures);
    RETURN_IF_ERROR(results.Finish(unit, outcome, figures));
  }
  return OkStatus();
}

Status RunInChild(const std::function<Status(Figures* figures)>& work, uint64_t seconds,
                  Figures* figures) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "make a pipe");
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) return ErrnoStatus(errno, "fork");
  if (child == 0) {
    close(ends[0]);
    Report(ends[1], work);
  }
  close(ends[1]);
  std::string text;
  const bool ended = ReadAll(ends[0], seconds, &text);
  close(ends[0]);
  if (!ended) kill(child, SIGKILL);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!ended) return Violation("it did not end within " + std::to_string(seconds) + " s");
  std::istringstream lines(text);
  std::string line;
  bool passed = false;
  std::string note;
  while (std::getline(lines, line)) {
    if (line.starts_with("V ")) return Violation(note + line.substr(2));
    if (line.starts_with("N ")) note = line.substr(2) + ": ";
    if (line == "P") passed = true;
    if (!line.starts_with("F ")) continue;
    const size_t space = line.rfind(' ');
    figures->emplace_back(line.substr(2, space - 2), std::strtod(line.c_str() + space, nullptr));
  }
  if (WIFSIGNALED(status)) {
    return Violation(note + "it crashed: signal " + std::to_string(WTERMSIG(status)));
  }
  if (WEXITSTATUS(status) != 0) {
    return Violation(note + "it ended with exit code " + std::to_string(WEXITSTATUS(status)));
  }
  return passed ? OkStatus() : Violation("it ended without a result");
}

void Note(const std::string& text) {
  if (note_fd >= 0) Send(note_fd, "N " + Escaped(text));
}

ScratchFolder::ScratchFolder(const std::filesystem::path& parent, std::string_view name) {
  std::string path = (parent / (std::string(name) + "-XXXXXX")).string();
  CHECK(mkdtemp(path.data()) != nullptr);
  path_ = path;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::filesystem::path FolderInMemory(const DrillOptions& options) {
  const char* folder = "/dev/shm";
  return access(folder, W_OK) == 0 ? std::filesystem::path(folder) : options.dir;
}

uint64_t BytesIn(const std::filesystem::path& folder) {
  uint64_t bytes = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder, error)) {
    // Files come and go meanwhile.
    std::error_code gone;
    const uint64_t size = entry.is_regular_file(gone) ? entry.file_size(gone) : 0;
    if (!gone) bytes += size;
  }
  return bytes;
}

uint64_t ResidentBytes() {
  std::ifstream in("/proc/self/statm");
  uint64_t pages = 0;
  in >> pages >> pages;
  return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

bool Sanitized() { return std::string_view(kBuild) != "plain"; }

}  // namespace ragstone::index::reliability
