// Ends the process at named places of the implementation.
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <string_view>

#include "base/crash_point.h"
#include "tests/reliability/ledger_process.h"

namespace ragstone::index::reliability {
namespace {

constexpr uint64_t kShort = 5;  // times each point
constexpr size_t kWriters = 4;
constexpr uint64_t kOperations = 25;
constexpr uint64_t kReachedWithinMs = 40'000;
// A life may leave nothing to do there for the next; the one after that has what this one wrote.
constexpr int kLivesMax = 3;
constexpr int64_t kDayNs = 25LL * 3600 * 1'000'000'000;

constexpr const char* kPoints[] = {
    "records.before-wal",     "records.after-wal",    "records.before-ack",
    "records.gone-horizon",   "records.gone-removed", "records.request-sweep",
    "records.before-seal",    "records.sealed",       "records.fields-merged",
    "records.created",        "records.alter-texts",  "records.altered",
    "records.dropped",        "records.drop-rows",    "records.load",
    "keywords.merge-written", "keywords.merge-done",  "keywords.retired",
    "records.index-written",  "records.index-named",  "records.index-listed",
    "records.index-swept",    "store.list-taken",     "store.opened",
};

// Time passes a day with every life, so that outcomes of requests expire.
class DayClock : public Clock {
 public:
  int64_t NowNs() const override { return Clock::System()->NowNs() + days_ * kDayNs; }
  void NextDay() { ++days_; }

 private:
  int64_t days_ = 0;
};

// The point at which this process is to end, and after how many times there.
std::atomic<const char*> point_wanted{nullptr};
std::atomic<int64_t> passes_left{0};

void EndHere(const char* name) {
  if (std::strcmp(name, point_wanted.load()) != 0) return;
  if (passes_left.fetch_sub(1) == 0) {
    kill(getpid(), SIGKILL);
    pause();
  }
}

Status CrashAt(const DrillOptions& options, uint64_t unit, Figures* figures) {
  const char* const point = kPoints[unit % std::size(kPoints)];
  const ScratchFolder folder(FolderInMemory(options), "crash");
  Random random(Mixed(options.seed, unit));
  Journal journal = NewJournal(random.Next(), kWriters);
  const bool days = std::strcmp(point, "records.request-sweep") == 0;
  // A request that comes again after a day is another one.
  journal.ledger.repeats = !days;
  DayClock clock;
  LifeOptions life;
  life.dir = folder.path() / "data";
  life.world.clock = &clock;
  const auto next_life = [&] {
    if (days) clock.NextDay();
    life.seed = random.Next();
  };
  next_life();
  life.operations_max = kOperations;
  RETURN_IF_ERROR(RunLife(life, {}, &journal).status());
  next_life();
  life.operations_max = 0;
  // What happens seldom in a life is met the first time.
  const std::string_view name = point;
  const bool seldom = days || name.starts_with("store.") || name == "records.load" ||
                      name.starts_with("records.index");
  const int64_t passes = seldom ? 0 : static_cast<int64_t>(random.Below(6));
  life.begin = [point, passes] {
    point_wanted = point;
    passes_left = passes;
    crash_hook = EndHere;
  };
  bool reached = false;
  for (int lives = 0; lives < kLivesMax && !reached; ++lives) {
    if (lives > 0) next_life();
    const auto begun = std::chrono::steady_clock::now();
    RETURN_IF_ERROR(RunLife(life, {kReachedWithinMs, false}, &journal).status().WithContext(point));
    reached =
        std::chrono::steady_clock::now() - begun < std::chrono::milliseconds(kReachedWithinMs);
  }
  if (!reached) return Violation(std::string(point) + " was not reached");
  life.begin = {};
  next_life();
  life.operations_max = kOperations;
  RETURN_IF_ERROR(RunLife(life, {}, &journal).status().WithContext(std::string("after ") + point));
  next_life();
  life.work = false;
  RETURN_IF_ERROR(
      RunLife(life, {}, &journal).status().WithContext(std::string("a life after ") + point));
  *figures = {{"point", static_cast<double>(unit % std::size(kPoints))},
              {"passes", static_cast<double>(passes)}};
  return OkStatus();
}

}  // namespace

Status RunCrashPoints(const DrillOptions& options) {
  const uint64_t times = options.count != 0 ? options.count : kShort;
  return RunUnits(options, times * std::size(kPoints),
                  [&](uint64_t unit, Figures* figures) { return CrashAt(options, unit, figures); });
}

}  // namespace ragstone::index::reliability
