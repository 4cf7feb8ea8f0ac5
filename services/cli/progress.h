#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <thread>

#include "base/mutex.h"
#include "ragstone/v1/job.pb.h"
#include "services/cli/output.h"

namespace ragstone::services::cli {

// What has been done and what is left, for the line that shows it.
struct ProgressState {
  std::string verb = "adding";
  uint64_t files_done = 0, files_total = 0;
  double bytes_done = 0, bytes_total = 0;  // of files in work, the part that is done
  uint64_t pages = 0, chunks = 0;
  double seconds = 0;
  std::string current;  // path of the file that was begun first; may be empty
  std::string note;     // such as why nothing moves; may be empty
};

// "adding 12/49 [=====>    ] 25%  310 pages  1204 chunks  41 pages/s  0:31 left  report.pdf", in at
// most `width` columns.
std::string FormatProgress(const ProgressState& state, int width);

// Shows the state of the files that are being added, ten times a second, on a terminal; elsewhere
// it only counts. Thread-safe.
class AddProgress {
 public:
  struct Options {
    std::string verb = "adding";
    std::chrono::milliseconds show_after{300};
    uint64_t files_total = 0, bytes_total = 0;
  };
  AddProgress(Output* output, Options options);
  ~AddProgress();  // takes the line away
  AddProgress(const AddProgress&) = delete;
  AddProgress& operator=(const AddProgress&) = delete;

  void Begin(size_t file, const std::string& path, uint64_t bytes);
  void Update(size_t file, const v1::Job& job);
  // Counts the file as done, with what it gave.
  void End(size_t file, uint64_t pages, uint64_t chunks);
  void SetNote(std::string note);
  ProgressState state() const;

 private:
  struct File {
    std::string path;
    uint64_t bytes = 0;
    double part_done = 0;
    uint64_t pages = 0, chunks = 0;
  };
  void Draw();

  Output* const output_;
  const Options options_;
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  mutable Mutex mutex_;
  CondVar stop_changed_;
  bool stop_ GUARDED_BY(mutex_) = false;
  std::map<size_t, File> in_work_ GUARDED_BY(mutex_);
  ProgressState done_ GUARDED_BY(mutex_);
  std::thread drawer_;
};

}  // namespace ragstone::services::cli
