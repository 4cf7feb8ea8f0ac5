#include "tests/reliability/ledger_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <sstream>
#include <thread>

#include "base/file.h"
#include "tests/reliability/side_collection.h"

namespace ragstone::index::reliability {
namespace {

using Clock = std::chrono::steady_clock;

// Nothing of a process should take so long; the machine may be busy.
constexpr auto kLifeMax = std::chrono::seconds(300);

// --- the process

class Life {
 public:
  Life(const LifeOptions& options, Journal journal, int fd)
      : options_(options), journal_(std::move(journal)), fd_(fd) {}

  Status Run() {
    if (options_.begin) options_.begin();
    ASSIGN_OR_RETURN(world_, OpenWorld(options_.dir, options_.world));
    RETURN_IF_ERROR(Check());
    Send("O");
    if (!options_.work) return CheckLeftovers();
    Work();
    if (options_.crash_at_end) raise(SIGKILL);
    world_.Close();
    return OkStatus();
  }

  void Send(const std::string& line) {
    if (!WriteAll(fd_, line + "\n", "the pipe").ok()) _exit(5);
  }

 private:
  Ledger& ledger() { return journal_.ledger; }

  Status Check() {
    const Result<RecordCollectionInfo> info = world_.records->GetCollection(kLedgerCollection);
    if (info.status().reason() == Reason::kCollectionNotFound && Untouched()) {
      RETURN_IF_ERROR(world_.records->CreateCollection(LedgerSpec()).status());
    }
    const SettledListener settled = [this](size_t writer, uint64_t done, uint64_t version) {
      Send("R " + std::to_string(writer) + " " + std::to_string(done) + " " +
           std::to_string(version));
    };
    RETURN_IF_ERROR(CheckLedger(world_.records.get(), &ledger(), settled));
    const SideCollection side(world_.records.get(), ledger().seed);
    ASSIGN_OR_RETURN(journal_.side_steps, side.Settle(journal_.side_steps, journal_.side_begun));
    Send("T " + std::to_string(journal_.side_steps));
    return OkStatus();
  }

  bool Untouched() const {
    return std::all_of(
        journal_.ledger.writers.begin(), journal_.ledger.writers.end(),
        [](const Writer& writer) { return writer.shelf.empty() && writer.pending.empty(); });
  }

  // Once the background is done there is nothing on disk but what is there.
  Status CheckLeftovers() {
    RETURN_IF_ERROR(MaintainAll(world_, kLedgerCollection));
    uint64_t records = 0;
    for (const Writer& writer : ledger().writers) records += writer.shelf.size();
    if (journal_.side_steps % SideCollection::kStates != 0) {
      RETURN_IF_ERROR(MaintainAll(world_, "side"));
      ASSIGN_OR_RETURN(const uint64_t side, world_.records->Count("side", Everything(), {}));
      records += side;
    }
    // Rows of dropped collections go in the background.
    StoredKeys keys;
    for (int attempt = 0; attempt < 100; ++attempt) {
      ASSIGN_OR_RETURN(keys, CountStoredKeys(world_));
      if (keys.rows == records && keys.ids == records && keys.gone == 0) return OkStatus();
      usleep(100'000);
    }
    return Violation(std::to_string(records) + " records are there, and on disk " +
                     std::to_string(keys.rows) + " rows, " + std::to_string(keys.ids) +
                     " ids and " + std::to_string(keys.gone) + " superseded rows");
  }

  void Fail(const Status& status) {
    Send("X " + status.ToString());
    _exit(3);
  }

  void Work() {
    LedgerListener listener;
    listener.begun = [this](size_t writer, const Operation& operation) {
      Send("B " + std::to_string(writer) + " " + operation.ToText());
    };
    listener.done = [this](size_t writer, uint64_t version) {
      Send("A " + std::to_string(writer) + " " + std::to_string(version));
    };
    std::vector<std::thread> threads;
    for (size_t writer = 0; writer < ledger().writers.size(); ++writer) {
      threads.emplace_back([this, writer, &listener] {
        LedgerWriter work(world_.records.get(), &ledger(), writer, Mixed(options_.seed, writer));
        for (uint64_t i = 0; options_.operations_max == 0 || i < options_.operations_max; ++i) {
          const Status status = work.Step(listener);
          if (!status.ok()) Fail(status.WithContext("writer " + std::to_string(writer)));
        }
        --working_;
      });
    }
    const SideCollection side(world_.records.get(), ledger().seed);
    while (options_.operations_max == 0 || working_.load() > 0) {
      Send("SB");
      const Status status = side.Step(journal_.side_steps);
      if (!status.ok()) Fail(status.WithContext("side"));
      Send("SA");
      ++journal_.side_steps;
      const Status checked = side.Check(journal_.side_steps);
      if (!checked.ok()) Fail(checked);
    }
    for (std::thread& thread : threads) thread.join();
  }

  const LifeOptions& options_;
  Journal journal_;
  const int fd_;
  World world_;
  std::atomic<int64_t> working_{static_cast<int64_t>(journal_.ledger.writers.size())};
};

[[noreturn]] void Live(const LifeOptions& options, const Journal& journal, int fd) {
  Status status;
  {
    Life life(options, journal, fd);
    status = life.Run();
    life.Send(status.ok() ? "E" : "X " + status.ToString());
  }
  _exit(0);
}

// --- the parent

void Settle(Writer* writer, uint64_t done, uint64_t version) {
  for (size_t i = 0; i < writer->pending.size(); ++i) {
    if (done >> i & 1) writer->pending[i].Apply(version, &writer->shelf);
  }
  writer->pending.clear();
}

// Takes one line of the process into the journal.
Status Take(const std::string& line, Journal* journal, LifeOutcome* outcome) {
  std::istringstream in(line);
  std::string what;
  size_t number = 0;
  in >> what;
  if (what == "X") return Violation(line.substr(2));
  if (what == "E") return OkStatus();
  if (what == "O") {
    outcome->checked = true;
  } else if (what == "SB") {
    journal->side_begun = true;
  } else if (what == "SA") {
    ++journal->side_steps;
    journal->side_begun = false;
  } else if (what == "T") {
    in >> journal->side_steps;
    journal->side_begun = false;
  } else if (what == "B" || what == "A" || what == "R") {
    in >> number;
    Writer& writer = journal->ledger.writers.at(number);
    uint64_t done = 1;
    uint64_t version = 0;
    if (what == "B") {
      std::string text;
      std::getline(in >> std::ws, text);
      writer.pending = {Operation::FromText(text)};
      writer.next_mark = writer.pending[0].mark + 1;
      return OkStatus();
    }
    if (what == "R") in >> done;
    in >> version;
    if (what == "A") ++outcome->operations;
    Settle(&writer, done, version);
  } else {
    return Violation("a line that the process should not write: " + line);
  }
  return OkStatus();
}

// Reads from the pipe until the process has closed it, and kills the process when it is time.
Result<std::string> Collect(int fd, pid_t child, const KillTime& kill_time) {
  const auto begun = Clock::now();
  const auto never = Clock::time_point::max();
  const auto later = [&] { return Clock::now() + std::chrono::milliseconds(kill_time.after_ms); };
  const bool kills = kill_time.after_ms != UINT64_MAX;
  auto kill_at = kills && !kill_time.once_checked ? later() : never;
  bool killed = false;
  std::string text;
  std::vector<char> buffer(1 << 16);
  for (;;) {
    const auto now = Clock::now();
    if (now - begun > kLifeMax) {
      kill(child, SIGKILL);
      return Violation("the process did not end within " +
                       std::to_string(kLifeMax / std::chrono::seconds(1)) + " s");
    }
    if (!killed && now >= kill_at) {
      kill(child, SIGKILL);
      killed = true;
    }
    pollfd wait{fd, POLLIN, 0};
    if (poll(&wait, 1, killed ? 100 : 2) <= 0) continue;
    const ssize_t size = read(fd, buffer.data(), buffer.size());
    if (size == 0) return text;
    if (size > 0) text.append(buffer.data(), static_cast<size_t>(size));
    const bool checked = text.starts_with("O\n") || text.find("\nO\n") != std::string::npos;
    if (kills && kill_at == never && checked) kill_at = later();
  }
}

}  // namespace

Journal NewJournal(uint64_t seed, size_t writers) {
  Journal journal;
  journal.ledger.seed = seed;
  journal.ledger.writers.resize(writers);
  return journal;
}

Result<LifeOutcome> RunLife(const LifeOptions& options, const KillTime& kill_time,
                            Journal* journal) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "make a pipe");
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) return ErrnoStatus(errno, "fork");
  if (child == 0) {
    close(ends[0]);
    Live(options, *journal, ends[1]);
  }
  close(ends[1]);
  const Result<std::string> text = Collect(ends[0], child, kill_time);
  close(ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  RETURN_IF_ERROR(text.status());
  LifeOutcome outcome;
  std::istringstream lines(*text);
  std::string line;
  // A line that was cut off by the kill was not written: pipes take a short line whole.
  while (std::getline(lines, line)) RETURN_IF_ERROR(Take(line, journal, &outcome));
  outcome.killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  if (WIFSIGNALED(status) && !outcome.killed) {
    return Violation("the process crashed: signal " + std::to_string(WTERMSIG(status)));
  }
  if (!outcome.killed && WEXITSTATUS(status) != 0) {
    return Violation("the process ended with exit code " + std::to_string(WEXITSTATUS(status)));
  }
  return outcome;
}

}  // namespace ragstone::index::reliability
