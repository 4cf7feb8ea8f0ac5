#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace ragstone {

// Wall-clock time in nanoseconds since 1970-01-01T00:00:00Z. Interface so that tests set the time.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t NowNs() const = 0;

  // Returns the system's clock, which lives as long as the process.
  static const Clock* System();
};

// A clock that stands still until it is moved. Thread-safe.
class FakeClock : public Clock {
 public:
  explicit FakeClock(int64_t now_ns) : now_ns_(now_ns) {}
  int64_t NowNs() const override { return now_ns_.load(); }
  void AdvanceNs(int64_t ns) { now_ns_ += ns; }

 private:
  std::atomic<int64_t> now_ns_;
};

// Returns RFC 3339 in UTC with milliseconds: "2026-01-31T08:15:30.125Z".
std::string FormatTime(int64_t time_ns);

}  // namespace ragstone
