#include "services/workers/process_slot.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "services/logging.h"
#include "services/workers/cancel_wakeup.h"
#include "services/workers/exit_codes.h"

namespace ragstone::services {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Wait before the start after the first, second, … failure in a row. The first crash of a process
// that had worked costs no wait, so that its request can be sent again at once.
constexpr std::array<milliseconds, 6> kBackOff = {milliseconds{0},    milliseconds{100},
                                                  milliseconds{500},  milliseconds{2000},
                                                  milliseconds{5000}, milliseconds{10000}};

// A worker that keeps failing to start answers with its error instead of making every caller wait.
constexpr milliseconds kBackOffWaitedMax{1000};

milliseconds BackOff(uint32_t failures) {
  return kBackOff[std::min<size_t>(failures, kBackOff.size()) - 1];
}

std::string DescribeExit(const ProcessEvent& event) {
  std::string text = DescribeWaitStatus(event.wait_status);
  if (!event.last_output.empty()) text += ": " + event.last_output;
  return text;
}

bool MetIllegalInstruction(const ProcessEvent& event) {
  return event.pid != 0 && WIFSIGNALED(event.wait_status) && WTERMSIG(event.wait_status) == SIGILL;
}

bool EndedByTimeLimit(const ProcessEvent& event) {
  return event.pid != 0 && WIFEXITED(event.wait_status) &&
         WEXITSTATUS(event.wait_status) == kTimeLimitExit;
}

}  // namespace

bool WorkerInstance::exited() const {
  MutexLock lock(&mutex_);
  return exited_;
}

bool WorkerInstance::WaitForExit(milliseconds at_most) const {
  const auto until = steady_clock::now() + at_most;
  MutexLock lock(&mutex_);
  while (!exited_ && changed_.WaitUntil(&mutex_, until)) {
  }
  return exited_;
}

std::string WorkerInstance::exit_text() const {
  MutexLock lock(&mutex_);
  return exit_text_;
}

bool WorkerInstance::exited_by_time_limit() const {
  MutexLock lock(&mutex_);
  return time_limit_;
}

void WorkerInstance::SetExited(std::string text, bool time_limit) {
  MutexLock lock(&mutex_);
  exited_ = true;
  time_limit_ = time_limit;
  exit_text_ = std::move(text);
  changed_.NotifyAll();
}

ProcessSlot::Lease::~Lease() {
  if (slot_ != nullptr) slot_->Release();
}

std::string ProcessSlot::Title() const {
  return options_.model.empty() ? options_.role : options_.role + " " + options_.model;
}

Result<ProcessSlot::Lease> ProcessSlot::Acquire(const CallContext& context) {
  const CancelWakeup wakeup(context, &mutex_, &changed_);
  uint64_t failed_before = 0;
  {
    MutexLock lock(&mutex_);
    failed_before = failed_starts_;
  }
  for (;;) {
    bool start = false;
    {
      MutexLock lock(&mutex_);
      if (closed_) {
        return Unavailable(Reason::kShuttingDown,
                           "the " + Title() + " worker is being stopped; try again later");
      }
      const Status status = context.Check();
      if (!status.ok()) return status;
      if (phase_ == Phase::kReady) {
        ++leases_;
        return Lease(this, instance_);
      }
      const bool failed = failed_starts_ != failed_before && !start_error_.ok();
      if (failed) return start_error_;
      const auto back_off = retry_at_ - steady_clock::now();
      if (phase_ == Phase::kStopped && !start_error_.ok() && back_off > kBackOffWaitedMax) {
        return start_error_;
      }
      start = phase_ == Phase::kStopped && back_off <= steady_clock::duration::zero();
      if (start) {
        phase_ = Phase::kStarting;
      } else {
        Time until = context.deadline();
        if (phase_ == Phase::kStopped) until = std::min(until, retry_at_);
        if (until == Time::max()) {
          changed_.Wait(&mutex_);
        } else {
          changed_.WaitUntil(&mutex_, until);
        }
      }
    }
    if (!start) continue;
    const Status status = StartProcess(context);
    if (!status.ok()) return status;
  }
}

Status ProcessSlot::StartProcess(const CallContext& context) {
  Result<Launch> launch = options_.launch(context);
  MutexLock lock(&mutex_);
  if (closed_ || !launch.ok()) {
    const Status status = closed_ ? OkStatus() : launch.status();
    // A caller that gave up says nothing about the worker: the next one in line tries.
    if (!status.ok() && context.Check().ok()) {
      FailStart(status);
    } else {
      phase_ = Phase::kStopped;
    }
    changed_.NotifyAll();
    return status;
  }
  const std::filesystem::path socket = sockets_->NewSocketPath(options_.role);
  auto instance = std::make_shared<WorkerInstance>(socket);
  ProcessSpec spec;
  spec.name = Title();
  spec.executable = launch->executable;
  spec.arguments = {"--socket",   socket.string(),
                    "--parent",   std::to_string(::getpid()),
                    "--ready-fd", std::to_string(kReadyDescriptor)};
  spec.arguments.insert(spec.arguments.begin(), launch->arguments.begin(), launch->arguments.end());
  executable_ = launch->executable;
  instance_ = instance;
  ++processes_;
  process_ =
      supervisor_->Start(std::move(spec), options_.start_time_max,
                         [this, instance](const ProcessEvent& event) { OnEvent(instance, event); });
  return OkStatus();
}

void ProcessSlot::FailStart(Status status) {
  Detach();
  ++failures_;
  ++failed_starts_;
  // A failed start is never repeated at once.
  retry_at_ = steady_clock::now() + BackOff(failures_ + 1);
  start_error_ = std::move(status);
}

void ProcessSlot::Detach() {
  phase_ = Phase::kStopped;
  instance_ = nullptr;
  process_ = 0;
  pid_ = 0;
  changed_.NotifyAll();
}

void ProcessSlot::OnEvent(const std::shared_ptr<WorkerInstance>& instance,
                          const ProcessEvent& event) {
  if (event.kind == ProcessEvent::Kind::kExited) {
    OnExit(instance, event);
    return;
  }
  MutexLock lock(&mutex_);
  if (instance_ != instance || phase_ != Phase::kStarting) return;
  if (event.kind == ProcessEvent::Kind::kRefused) {
    LogEvent(LogLevel::kWarning, "worker.refused",
             {{"worker", Title()}, {"status", event.status.ToString()}});
    FailStart(event.status);
    return;
  }
  phase_ = Phase::kReady;
  pid_ = event.pid;
  start_error_ = OkStatus();
  ++starts_;
  last_used_ = steady_clock::now();
  LogEvent(LogLevel::kInfo, "worker.ready",
           {{"worker", Title()},
            {"pid", std::to_string(event.pid)},
            {"executable", executable_.filename().string()}});
  changed_.NotifyAll();
}

void ProcessSlot::OnExit(const std::shared_ptr<WorkerInstance>& instance,
                         const ProcessEvent& event) {
  std::error_code ignored;
  std::filesystem::remove(instance->socket(), ignored);
  const std::string how = event.pid == 0 ? event.status.message() : DescribeExit(event);
  std::filesystem::path executable;
  bool current = false;
  {
    MutexLock lock(&mutex_);
    executable = executable_;
    current = instance_ == instance;
  }
  const bool other_executable = current && !event.requested && MetIllegalInstruction(event) &&
                                options_.illegal_instruction &&
                                options_.illegal_instruction(executable);
  {
    MutexLock lock(&mutex_);
    last_exit_ = event.requested ? "stopped" : how;
    if (instance_ == instance) {
      const bool starting = phase_ == Phase::kStarting;
      if (event.requested || other_executable) {
        Detach();
        retry_at_ = steady_clock::now();
      } else if (starting) {
        FailStart(Unavailable(
            Reason::kWorkerUnavailable,
            "the " + Title() + " worker " + executable.string() + " could not be started: " + how));
      } else {
        Detach();
        ++failures_;
        retry_at_ = steady_clock::now() + BackOff(failures_);
      }
    }
  }
  if (!event.requested) {
    LogEvent(LogLevel::kWarning, "worker.exit",
             {{"worker", Title()}, {"pid", std::to_string(event.pid)}, {"how", how}});
  }
  instance->SetExited(how, EndedByTimeLimit(event));
  MutexLock lock(&mutex_);
  --processes_;
}

bool ProcessSlot::quiet() const {
  MutexLock lock(&mutex_);
  return processes_ == 0 && leases_ == 0;
}

void ProcessSlot::NoteAnswer() {
  MutexLock lock(&mutex_);
  failures_ = 0;
}

void ProcessSlot::Kill(const WorkerInstance* instance) {
  MutexLock lock(&mutex_);
  if (instance_.get() != instance || instance == nullptr) return;
  supervisor_->Kill(process_);
  // The next request gets a new process without waiting for the end of this one.
  Detach();
}

void ProcessSlot::Watch(milliseconds silence_max) {
  MutexLock lock(&mutex_);
  watch_until_ = steady_clock::now() + silence_max;
}

bool ProcessSlot::Unwatch() {
  MutexLock lock(&mutex_);
  watch_until_ = Time::max();
  const bool overrun = overrun_;
  overrun_ = false;
  return overrun;
}

void ProcessSlot::CheckWatch() {
  MutexLock lock(&mutex_);
  if (steady_clock::now() < watch_until_) return;
  watch_until_ = Time::max();
  overrun_ = true;
  if (process_ == 0) return;
  LogEvent(LogLevel::kWarning, "worker.hangs",
           {{"worker", Title()}, {"pid", std::to_string(pid_)}});
  supervisor_->Kill(process_);
  Detach();
}

void ProcessSlot::StopIfIdle(std::chrono::seconds idle) {
  MutexLock lock(&mutex_);
  if (phase_ != Phase::kReady || leases_ > 0 || steady_clock::now() - last_used_ < idle) return;
  LogEvent(LogLevel::kInfo, "worker.idle", {{"worker", Title()}, {"pid", std::to_string(pid_)}});
  supervisor_->Stop(process_);
  Detach();
}

void ProcessSlot::Close() {
  MutexLock lock(&mutex_);
  closed_ = true;
  if (process_ != 0) supervisor_->Stop(process_);
  Detach();
}

void ProcessSlot::Release() {
  MutexLock lock(&mutex_);
  --leases_;
  last_used_ = steady_clock::now();
}

void ProcessSlot::SetDevice(const std::string& device) {
  MutexLock lock(&mutex_);
  device_ = device;
}

WorkerState ProcessSlot::State() const {
  WorkerState state;
  {
    MutexLock lock(&mutex_);
    state.role = options_.role;
    state.model = options_.model;
    state.pid = pid_;
    state.executable = executable_.filename().string();
    state.starts = starts_;
    state.last_exit = last_exit_;
    state.device = device_;
  }
  const MemoryUse use = ReadMemoryUse(static_cast<pid_t>(state.pid));
  state.rss_bytes = use.rss_bytes;
  state.peak_rss_bytes = use.peak_rss_bytes;
  return state;
}

}  // namespace ragstone::services
