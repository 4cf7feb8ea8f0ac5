#include "services/cli/interrupt.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace ragstone::services::cli {
namespace {

std::atomic<int> signal_pipe{-1};
std::atomic<int> signals_seen{0};

// Shells report a process that SIGINT ended as 130.
constexpr int kEndedBySignal = 130;

void OnSignal(int) {
  const int saved = errno;
  if (signals_seen.fetch_add(1) > 0) _exit(kEndedBySignal);
  const char byte = 's';
  // If the pipe is full the watcher has enough to read already.
  [[maybe_unused]] const ssize_t written = write(signal_pipe.load(), &byte, 1);
  errno = saved;
}

void SetHandler(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

}  // namespace

Interrupt::Interrupt() {
  if (pipe2(pipe_, O_CLOEXEC) != 0) return;  // then signals end the process, as by default
  signals_seen = 0;
  signal_pipe = pipe_[1];
  watcher_ = std::thread([this] { Watch(); });
  SetHandler(OnSignal);
}

Interrupt::~Interrupt() {
  if (!watcher_.joinable()) return;
  SetHandler(SIG_DFL);
  const char byte = 'q';
  [[maybe_unused]] const ssize_t written = write(pipe_[1], &byte, 1);
  watcher_.join();
  signal_pipe = -1;
  close(pipe_[0]);
  close(pipe_[1]);
}

void Interrupt::Watch() {
  for (;;) {
    char byte = 0;
    const ssize_t got = read(pipe_[0], &byte, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got != 1 || byte == 'q') return;
    flag_->Cancel();
  }
}

void WaitFor(CancelFlag* flag) {
  while (SleepUnless(flag, std::chrono::hours(1))) {
  }
}

bool SleepUnless(CancelFlag* flag, std::chrono::milliseconds time) {
  struct Waiter {
    Mutex mutex;
    CondVar raised;
  };
  const auto waiter = std::make_shared<Waiter>();
  const int number = flag->AddCallback([waiter] {
    MutexLock lock(&waiter->mutex);
    waiter->raised.NotifyAll();
  });
  const auto until = std::chrono::steady_clock::now() + time;
  {
    MutexLock lock(&waiter->mutex);
    while (!flag->cancelled() && std::chrono::steady_clock::now() < until) {
      waiter->raised.WaitUntil(&waiter->mutex, until);
    }
  }
  flag->RemoveCallback(number);
  return !flag->cancelled();
}

}  // namespace ragstone::services::cli
