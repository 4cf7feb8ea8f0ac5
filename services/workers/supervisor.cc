#include "services/workers/supervisor.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "services/logging.h"

namespace ragstone::services {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kStopGrace{1000};
constexpr milliseconds kTickInterval{1000};
// How often children are looked at on kernels without pidfd.
constexpr milliseconds kPollWithoutPidfd{20};
constexpr size_t kReportBytesMax = 4096;
constexpr size_t kLineBytesMax = 1000;
// Output taken from one child before the others get their turn.
constexpr int kReadsMax = 16;

}  // namespace

Supervisor::Supervisor(std::function<void()> tick)
    : tick_(std::move(tick)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  CHECK(wake_.valid());
  thread_ = std::thread([this] { Run(); });
}

Supervisor::~Supervisor() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  const uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof(one));
  thread_.join();
}

uint64_t Supervisor::Start(ProcessSpec spec, milliseconds time_limit, Listener listener) {
  Command command;
  command.spec = std::move(spec);
  command.time_limit = time_limit;
  command.listener = std::move(listener);
  uint64_t number = 0;
  {
    MutexLock lock(&mutex_);
    number = next_number_++;
  }
  command.number = number;
  Post(std::move(command));
  return number;
}

void Supervisor::Stop(uint64_t number) {
  Command command;
  command.kind = Command::Kind::kStop;
  command.number = number;
  Post(std::move(command));
}

void Supervisor::Kill(uint64_t number) {
  Command command;
  command.kind = Command::Kind::kKill;
  command.number = number;
  Post(std::move(command));
}

void Supervisor::Post(Command command) {
  {
    MutexLock lock(&mutex_);
    commands_.push_back(std::move(command));
  }
  const uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof(one));
}

void Supervisor::Run() {
  next_tick_ = steady_clock::now() + kTickInterval;
  while (TakeCommands()) {
    WaitForSomething();
    CheckProcesses();
    Tick();
  }
  for (auto& [number, running] : running_) {
    running.requested = true;
    ::kill(running.child.pid, SIGKILL);
  }
  for (auto& [number, running] : running_) Reap(&running, /*wait=*/true);
  running_.clear();
}

bool Supervisor::TakeCommands() {
  std::vector<Command> commands;
  bool stopping = false;
  {
    MutexLock lock(&mutex_);
    commands.swap(commands_);
    stopping = stopping_;
  }
  for (Command& command : commands) Execute(std::move(command));
  return !stopping;
}

void Supervisor::Execute(Command command) {
  if (command.kind == Command::Kind::kStart) {
    StartProcess(std::move(command));
    return;
  }
  const auto found = running_.find(command.number);
  if (found == running_.end()) return;
  Running& running = found->second;
  running.requested = true;
  running.reported = true;
  const bool kill = command.kind == Command::Kind::kKill;
  ::kill(running.child.pid, kill ? SIGKILL : SIGTERM);
  running.time_limit = kill ? Time::max() : steady_clock::now() + kStopGrace;
}

void Supervisor::StartProcess(Command command) {
  Result<Child> child = SpawnChild(command.spec);
  if (!child.ok()) {
    ProcessEvent event;
    event.status = child.status();
    command.listener(event);
    return;
  }
  LogEvent(LogLevel::kDebug, "process.start",
           {{"name", command.spec.name},
            {"executable", command.spec.executable.string()},
            {"pid", std::to_string(child->pid)}});
  Running running;
  running.spec = std::move(command.spec);
  running.listener = std::move(command.listener);
  running.child = std::move(child).value();
  running.time_limit = steady_clock::now() + command.time_limit;
  running_.emplace(command.number, std::move(running));
}

void Supervisor::WaitForSomething() {
  std::vector<pollfd> descriptors = {{wake_.get(), POLLIN, 0}};
  Time until = running_.empty() ? Time::max() : next_tick_;
  for (const auto& [number, running] : running_) {
    for (const FileDescriptor* descriptor :
         {&running.child.exit, &running.child.ready, &running.child.output}) {
      if (descriptor->valid()) descriptors.push_back({descriptor->get(), POLLIN, 0});
    }
    until = std::min(until, running.time_limit);
    if (!running.child.exit.valid()) {
      until = std::min(until, steady_clock::now() + kPollWithoutPidfd);
    }
  }
  int timeout_ms = -1;
  if (until != Time::max()) {
    // Rounded up, so that it does not wake just before the time.
    const auto left = std::chrono::ceil<milliseconds>(until - steady_clock::now()).count();
    timeout_ms = static_cast<int>(std::clamp<int64_t>(left, 0, 60'000));
  }
  ::poll(descriptors.data(), descriptors.size(), timeout_ms);
  uint64_t ignored = 0;
  (void)!::read(wake_.get(), &ignored, sizeof(ignored));
}

void Supervisor::CheckProcesses() {
  for (auto entry = running_.begin(); entry != running_.end();) {
    Running* running = &entry->second;
    ReadReport(running);
    ReadOutput(running);
    CheckTimeLimit(running);
    if (Reap(running, /*wait=*/false)) {
      entry = running_.erase(entry);
    } else {
      ++entry;
    }
  }
}

void Supervisor::CheckTimeLimit(Running* running) {
  if (steady_clock::now() < running->time_limit) return;
  running->time_limit = Time::max();
  if (!running->reported) {
    running->reported = true;
    ProcessEvent event;
    event.kind = ProcessEvent::Kind::kRefused;
    event.pid = running->child.pid;
    event.status =
        Status(StatusCode::kUnavailable, Reason::kWorkerUnavailable,
               running->spec.executable.string() + " was not ready in time and was ended");
    running->listener(event);
  }
  ::kill(running->child.pid, SIGKILL);
}

namespace {

// "E<REASON> <message>" as a Status.
Status RefusalStatus(const std::string& report) {
  const size_t space = std::min(report.find(' '), report.size());
  const Reason reason = ReasonFromName(std::string_view(report).substr(1, space - 1));
  std::string message = report.substr(std::min(space + 1, report.size()));
  while (message.ends_with('\n')) message.pop_back();
  switch (reason) {
    case Reason::kModelCorrupt:
      return Status(StatusCode::kDataLoss, reason, std::move(message));
    case Reason::kModelUnsupported:
      return FailedPrecondition(reason, std::move(message));
    case Reason::kModelNotFound:
    case Reason::kFileNotFound:
      return NotFound(reason, std::move(message));
    case Reason::kMemoryLimit:
      return ResourceExhausted(reason, std::move(message));
    case Reason::kUnspecified:
      return Unavailable(Reason::kWorkerUnavailable, report.substr(1));
    default:
      return Unavailable(reason, std::move(message));
  }
}

}  // namespace

void Supervisor::ReadReport(Running* running) {
  if (!running->child.ready.valid()) return;
  char buffer[512];
  ssize_t got = 0;
  while ((got = ::read(running->child.ready.get(), buffer, sizeof(buffer))) > 0) {
    const size_t room = kReportBytesMax - running->report.size();
    running->report.append(buffer, std::min(room, static_cast<size_t>(got)));
  }
  const bool open = got < 0 && (errno == EAGAIN || errno == EINTR);
  const bool ready = running->report.rfind('R', 0) == 0;
  // A refusal is complete once the child has closed its end.
  if (!ready && open) return;
  if (!open) running->child.ready.Reset();
  if (running->reported || running->report.empty()) return;
  running->reported = true;
  running->time_limit = ready ? Time::max() : steady_clock::now() + kStopGrace;
  ProcessEvent event;
  event.kind = ready ? ProcessEvent::Kind::kReady : ProcessEvent::Kind::kRefused;
  event.pid = running->child.pid;
  if (!ready) event.status = RefusalStatus(running->report);
  running->listener(event);
}

void Supervisor::ReadOutput(Running* running) {
  if (!running->child.output.valid()) return;
  char buffer[4096];
  ssize_t got = 0;
  const auto end_line = [running] {
    if (running->output_line.empty()) return;
    LogEvent(LogLevel::kDebug, "process.output",
             {{"name", running->spec.name},
              {"pid", std::to_string(running->child.pid)},
              {"line", running->output_line}});
    running->last_output.swap(running->output_line);
    running->output_line.clear();
  };
  for (int reads = 0; reads < kReadsMax; ++reads) {
    got = ::read(running->child.output.get(), buffer, sizeof(buffer));
    if (got <= 0) break;
    for (const char c : std::string_view(buffer, static_cast<size_t>(got))) {
      if (c == '\n') {
        end_line();
      } else if (running->output_line.size() < kLineBytesMax) {
        running->output_line.push_back(c);
      }
    }
  }
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got > 0) return;
  end_line();
  running->child.output.Reset();
}

bool Supervisor::Reap(Running* running, bool wait) {
  int wait_status = 0;
  pid_t got = 0;
  do {
    got = ::waitpid(running->child.pid, &wait_status, wait ? 0 : WNOHANG);
  } while (got < 0 && errno == EINTR);
  if (got == 0) return false;
  // What the child wrote just before its end is still in the pipes.
  ReadReport(running);
  ReadOutput(running);
  ProcessEvent event;
  event.pid = running->child.pid;
  event.wait_status = wait_status;
  event.requested = running->requested;
  event.last_output = running->output_line.empty() ? running->last_output : running->output_line;
  LogEvent(LogLevel::kDebug, "process.exit",
           {{"name", running->spec.name},
            {"pid", std::to_string(event.pid)},
            {"how", DescribeWaitStatus(wait_status)}});
  running->listener(event);
  return true;
}

void Supervisor::Tick() {
  if (steady_clock::now() < next_tick_) return;
  next_tick_ = steady_clock::now() + kTickInterval;
  if (tick_ && !running_.empty()) tick_();
}

}  // namespace ragstone::services
