#include "services/cli/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "services/cli/text.h"

namespace ragstone::services::cli {
namespace {

constexpr std::chrono::milliseconds kDrawEvery{100};
constexpr int kBarWidth = 20;
// An estimate from less than this is noise.
constexpr double kEstimateAfterSeconds = 2;

std::string Bar(double part) {
  const int filled = std::clamp(static_cast<int>(part * kBarWidth), 0, kBarWidth);
  return "[" + std::string(filled, '=') + std::string(kBarWidth - filled, ' ') + "]";
}

// How much of a job is done. Chunks are known only for the pages read so far, so the two multiply.
double PartDone(const v1::Job& job) {
  if (job.stage() == "done") return 1;
  const double pages = job.pages_total() == 0 ? 0.0 : 1.0 * job.pages_done() / job.pages_total();
  const double chunks =
      job.chunks_total() == 0 ? 0.0 : 1.0 * job.chunks_done() / job.chunks_total();
  return std::clamp(pages * chunks, 0.0, 1.0);
}

}  // namespace

std::string FormatProgress(const ProgressState& state, int width) {
  const double part = state.bytes_total > 0 ? state.bytes_done / state.bytes_total
                      : state.files_total > 0
                          ? static_cast<double>(state.files_done) / state.files_total
                          : 0;
  std::string line =
      fmt::format("{} {}/{} {} {:.0f}%  {} pages  {} chunks", state.verb, state.files_done,
                  state.files_total, Bar(part), part * 100, state.pages, state.chunks);
  if (state.seconds >= kEstimateAfterSeconds && state.pages > 0) {
    line += fmt::format("  {:.1f} pages/s", state.pages / state.seconds);
  }
  if (state.seconds >= kEstimateAfterSeconds && part > 0.01) {
    line += fmt::format("  {} left", HumanDuration(state.seconds * (1 - part) / part));
  }
  if (!state.note.empty()) line += "  " + state.note;
  const int room = width - DisplayWidth(line) - 2;
  if (!state.current.empty() && room >= 8) {
    const std::string name = std::filesystem::path(state.current).filename().string();
    line += "  " + TruncateFront(Sanitize(name), room);
  }
  return TruncateToWidth(line, width);
}

AddProgress::AddProgress(Output* output, Options options)
    : output_(output), options_(std::move(options)) {
  done_.verb = options_.verb;
  done_.files_total = options_.files_total;
  done_.bytes_total = static_cast<double>(options_.bytes_total);
  if (output_->terminal().err) drawer_ = std::thread([this] { Draw(); });
}

AddProgress::~AddProgress() {
  {
    MutexLock lock(&mutex_);
    stop_ = true;
    stop_changed_.NotifyAll();
  }
  if (drawer_.joinable()) drawer_.join();
  output_->Progress("");
}

void AddProgress::Begin(size_t file, const std::string& path, uint64_t bytes) {
  MutexLock lock(&mutex_);
  in_work_[file] = {.path = path, .bytes = bytes};
}

void AddProgress::Update(size_t file, const v1::Job& job) {
  MutexLock lock(&mutex_);
  File& entry = in_work_[file];
  entry.part_done = PartDone(job);
  entry.pages = job.pages_done();
  entry.chunks = job.chunks_done();
}

void AddProgress::End(size_t file, uint64_t pages, uint64_t chunks) {
  MutexLock lock(&mutex_);
  const auto entry = in_work_.find(file);
  if (entry != in_work_.end()) {
    done_.bytes_done += static_cast<double>(entry->second.bytes);
    in_work_.erase(entry);
  }
  ++done_.files_done;
  done_.pages += pages;
  done_.chunks += chunks;
}

void AddProgress::SetNote(std::string note) {
  MutexLock lock(&mutex_);
  done_.note = std::move(note);
}

ProgressState AddProgress::state() const {
  MutexLock lock(&mutex_);
  ProgressState state = done_;
  for (const auto& [number, file] : in_work_) {
    state.bytes_done += file.part_done * static_cast<double>(file.bytes);
    state.pages += file.pages;
    state.chunks += file.chunks;
  }
  if (!in_work_.empty()) state.current = in_work_.begin()->second.path;
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start_;
  state.seconds = passed.count();
  return state;
}

void AddProgress::Draw() {
  auto next = start_ + options_.show_after;
  for (;;) {
    {
      MutexLock lock(&mutex_);
      while (!stop_ && std::chrono::steady_clock::now() < next) {
        stop_changed_.WaitUntil(&mutex_, next);
      }
      if (stop_) return;
    }
    output_->Progress(FormatProgress(state(), output_->terminal().width - 1));
    next = std::chrono::steady_clock::now() + kDrawEvery;
  }
}

}  // namespace ragstone::services::cli
