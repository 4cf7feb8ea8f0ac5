#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "services/workers/process.h"

namespace ragstone::services {

// What happens to a process: `kReady` or `kRefused` at most once, `kExited` once and last.
struct ProcessEvent {
  enum class Kind : uint8_t { kReady, kRefused, kExited };
  Kind kind = Kind::kExited;
  pid_t pid = 0;  // 0 if it could not be started
  Status status;  // kRefused: the child's own words or the time limit; kExited: if not started
  int wait_status = 0;      // kExited, if it was started
  bool requested = false;   // kExited: we ended it
  std::string last_output;  // kExited: the last line that it wrote
};

// Starts and watches processes. All of them are children of its one thread, so that they live until
// it ends: then it kills and reaps them. Thread-safe.
//
// A child reports on the ready pipe: the byte 'R' once it listens, or "E<REASON> <message>" if it
// cannot work.
class Supervisor {
 public:
  // Called on the supervisor's thread; must not block nor call back into the Supervisor while
  // holding a lock that a caller of the Supervisor holds.
  using Listener = std::function<void(const ProcessEvent&)>;

  // `tick` is called about once a second while there are processes.
  explicit Supervisor(std::function<void()> tick = nullptr);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Returns the number of the process. With a ready pipe the child must report within `time_limit`;
  // without, it must have ended by then.
  uint64_t Start(ProcessSpec spec, std::chrono::milliseconds time_limit, Listener listener);
  // Asks the process to end, and kills it a second later. No effect on one that has ended.
  void Stop(uint64_t number);
  // Kills it now.
  void Kill(uint64_t number);

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Command {
    enum class Kind : uint8_t { kStart, kStop, kKill };
    Kind kind = Kind::kStart;
    uint64_t number = 0;
    ProcessSpec spec;
    std::chrono::milliseconds time_limit{0};
    Listener listener;
  };
  struct Running {
    ProcessSpec spec;
    Listener listener;
    Child child;
    Time time_limit = Time::max();  // when it must have reported; later when it is killed
    bool reported = false;
    bool requested = false;
    std::string report;       // what came through the ready pipe
    std::string output_line;  // an unfinished line
    std::string last_output;
  };

  void Post(Command command);
  void Run();
  bool TakeCommands();
  void Execute(Command command);
  void StartProcess(Command command);
  void WaitForSomething();
  void CheckProcesses();
  void CheckTimeLimit(Running* running);
  void ReadReport(Running* running);
  void ReadOutput(Running* running);
  bool Reap(Running* running, bool wait);
  void Tick();

  const std::function<void()> tick_;
  FileDescriptor wake_;
  Time next_tick_{};
  std::map<uint64_t, Running> running_;  // of the thread only

  Mutex mutex_;
  uint64_t next_number_ GUARDED_BY(mutex_) = 1;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::vector<Command> commands_ GUARDED_BY(mutex_);
  std::thread thread_;  // last: it uses the others
};

}  // namespace ragstone::services
