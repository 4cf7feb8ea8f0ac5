#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "base/mutex.h"
#include "base/status.h"
#include "services/runtime_dir.h"
#include "services/worker_pool.h"
#include "services/workers/supervisor.h"

namespace grpc {
class Channel;
}

namespace ragstone::services {

// One start of a worker process that became ready. Thread-safe.
class WorkerInstance {
 public:
  explicit WorkerInstance(std::filesystem::path socket) : socket_(std::move(socket)) {}

  const std::filesystem::path& socket() const { return socket_; }
  // The connection; made on first use. Several calls may share it.
  std::shared_ptr<grpc::Channel> channel();
  bool exited() const;
  // Waits until the process has ended, at most so long; returns whether it has.
  bool WaitForExit(std::chrono::milliseconds at_most) const;
  // How it ended, such as "signal 11 (Segmentation fault)"; empty while it runs.
  std::string exit_text() const;
  // Whether it ended itself because its request took too long.
  bool exited_by_time_limit() const;

 private:
  friend class ProcessSlot;
  void SetExited(std::string text, bool time_limit);

  const std::filesystem::path socket_;
  mutable Mutex mutex_;
  mutable CondVar changed_;
  std::shared_ptr<grpc::Channel> channel_ GUARDED_BY(mutex_);
  bool exited_ GUARDED_BY(mutex_) = false;
  std::string exit_text_ GUARDED_BY(mutex_);
  bool time_limit_ GUARDED_BY(mutex_) = false;
};

// Keeps one worker process: started when it is first needed, again with back-off after it died,
// stopped when it was idle. Must outlive the Supervisor's last event. Thread-safe.
class ProcessSlot {
 public:
  struct Launch {
    std::filesystem::path executable;
    std::vector<std::string> arguments;  // without socket, parent and ready descriptor
  };
  struct Options {
    std::string role;
    std::string model;  // may be empty
    // Says what to start; may wait for a self-test.
    std::function<Result<Launch>(const CallContext&)> launch;
    // Told when the process met an instruction that the CPU lacks. Returns whether `launch` will
    // now say something else, so that it is tried again at once. May be null.
    std::function<bool(const std::filesystem::path& executable)> illegal_instruction;
    std::chrono::milliseconds start_time_max{60'000};
  };

  // The right to use the running process; it is not stopped for idleness meanwhile.
  class Lease {
   public:
    Lease(ProcessSlot* slot, std::shared_ptr<WorkerInstance> instance)
        : slot_(slot), instance_(std::move(instance)) {}
    ~Lease();
    Lease(Lease&& other) noexcept : slot_(other.slot_), instance_(std::move(other.instance_)) {
      other.slot_ = nullptr;
    }
    Lease& operator=(Lease&&) = delete;
    const std::shared_ptr<WorkerInstance>& instance() const { return instance_; }

   private:
    ProcessSlot* slot_;
    std::shared_ptr<WorkerInstance> instance_;
  };

  ProcessSlot(Supervisor* supervisor, const RuntimeDir* sockets, Options options)
      : supervisor_(supervisor), sockets_(sockets), options_(std::move(options)) {}

  // Waits until the process is ready, starting it if needed. UNAVAILABLE (WORKER_UNAVAILABLE) if it
  // cannot be started, what the worker said if it refused, DEADLINE_EXCEEDED or CANCELLED by
  // context, UNAVAILABLE (SHUTTING_DOWN) after Close.
  Result<Lease> Acquire(const CallContext& context);
  // The process answered a request: the next crash is the first again.
  void NoteAnswer();
  // Ends this process, which hangs.
  void Kill(const WorkerInstance* instance);
  // From now on the process may be silent for so long; then Tick ends it. For slots that one caller
  // at a time uses.
  void Watch(std::chrono::milliseconds silence_max);
  // Ends the watch; returns whether the process was ended by it.
  bool Unwatch();
  // Called about once a second.
  void CheckWatch();
  // Ends the process if it has done nothing for so long.
  void StopIfIdle(std::chrono::seconds idle);
  // Ends the process; Acquire fails from now on.
  void Close();
  // Whether all processes have ended and their events are over, so that after Close the slot may
  // go.
  bool quiet() const;
  void SetDevice(const std::string& device);
  const std::string& role() const { return options_.role; }
  WorkerState State() const;

 private:
  using Time = std::chrono::steady_clock::time_point;
  enum class Phase : uint8_t { kStopped, kStarting, kReady };

  Status StartProcess(const CallContext& context);
  void OnEvent(const std::shared_ptr<WorkerInstance>& instance, const ProcessEvent& event);
  void OnExit(const std::shared_ptr<WorkerInstance>& instance, const ProcessEvent& event);
  void FailStart(Status status) REQUIRES(mutex_);
  void Detach() REQUIRES(mutex_);
  void Release();
  std::string Title() const;

  Supervisor* const supervisor_;
  const RuntimeDir* const sockets_;
  const Options options_;

  mutable Mutex mutex_;
  CondVar changed_;
  Phase phase_ GUARDED_BY(mutex_) = Phase::kStopped;
  bool closed_ GUARDED_BY(mutex_) = false;
  std::shared_ptr<WorkerInstance> instance_ GUARDED_BY(mutex_);  // of kStarting and kReady
  uint64_t process_ GUARDED_BY(mutex_) = 0;
  std::filesystem::path executable_ GUARDED_BY(mutex_);
  int64_t pid_ GUARDED_BY(mutex_) = 0;
  uint32_t failures_ GUARDED_BY(mutex_) = 0;  // since the last answer
  Time retry_at_ GUARDED_BY(mutex_){};
  uint64_t failed_starts_ GUARDED_BY(mutex_) = 0;
  Status start_error_ GUARDED_BY(mutex_);
  uint32_t processes_ GUARDED_BY(mutex_) = 0;  // whose last event has not come
  uint32_t leases_ GUARDED_BY(mutex_) = 0;
  Time last_used_ GUARDED_BY(mutex_){};
  Time watch_until_ GUARDED_BY(mutex_) = Time::max();
  bool overrun_ GUARDED_BY(mutex_) = false;
  uint32_t starts_ GUARDED_BY(mutex_) = 0;
  std::string last_exit_ GUARDED_BY(mutex_);
  std::string device_ GUARDED_BY(mutex_);
};

}  // namespace ragstone::services
