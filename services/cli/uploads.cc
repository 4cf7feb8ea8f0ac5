#include "services/cli/uploads.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <thread>

#include "base/file.h"
#include "ragstone/v1/document.grpc.pb.h"
#include "services/cli/interrupt.h"
#include "services/cli/json.h"
#include "services/cli/progress.h"
#include "services/cli/text.h"

namespace ragstone::services::cli {
namespace {

constexpr size_t kPieceBytes = 256 << 10;
constexpr int kBackoffDoublings = 5;

using Stream = grpc::ClientReaderWriter<v1::AddDocumentRequest, v1::AddDocumentResponse>;

// Does not wait for pipes, and takes nothing but files.
Result<FileDescriptor> OpenRegular(const std::string& path) {
  ASSIGN_OR_RETURN(FileDescriptor file, OpenFile(path, O_RDONLY | O_NONBLOCK));
  struct stat info {};
  if (fstat(file.get(), &info) != 0) return ErrnoStatus(errno, "stat " + path);
  if (!S_ISREG(info.st_mode)) {
    return InvalidArgument(Reason::kInvalidArgument, path + " is not a regular file");
  }
  return file;
}

// Errors that the next file would meet as well.
bool MeetsEveryFile(const Status& status) {
  switch (status.reason()) {
    case Reason::kServerGone:
    case Reason::kShuttingDown:
    case Reason::kCollectionNameInvalid:
    case Reason::kModelNotFound:
    case Reason::kModelCorrupt:
    case Reason::kModelMismatch:
      return true;
    default:
      return false;
  }
}

class Uploader {
 public:
  Uploader(const Connection& connection, const std::vector<InputFile>& files,
           const UploadOptions& options, Output* output)
      : connection_(connection),
        files_(files),
        options_(options),
        output_(output),
        stub_(connection.channel()),
        outcomes_(files.size()),
        progress_(output, {.verb = options.verb,
                           .show_after = options.show_after,
                           .files_total = files.size(),
                           .bytes_total = TotalBytes(files)}) {}

  std::vector<UploadOutcome> Run() {
    std::vector<std::thread> threads;
    const size_t count = std::min(options_.streams, files_.size());
    for (size_t i = 0; i < count; ++i) threads.emplace_back([this] { WorkOff(); });
    for (std::thread& thread : threads) thread.join();
    for (size_t i = 0; i < files_.size(); ++i) {
      if (outcomes_[i].submitted) continue;
      outcomes_[i].path = files_[i].path;
      outcomes_[i].status = StopStatus();
      outcomes_[i].cut_off = true;
    }
    return std::move(outcomes_);
  }

 private:
  static uint64_t TotalBytes(const std::vector<InputFile>& files) {
    uint64_t total = 0;
    for (const InputFile& file : files) total += file.bytes;
    return total;
  }

  bool Interrupted() const { return connection_.cancel()->cancelled(); }
  bool Stopped() const { return stopped_ || Interrupted(); }

  // Why files were not sent.
  Status StopStatus() {
    if (Interrupted()) {
      return Status(StatusCode::kCancelled, Reason::kCancelled, "interrupted");
    }
    MutexLock lock(&mutex_);
    return stop_;
  }

  void Stop(const Status& why) {
    MutexLock lock(&mutex_);
    if (stop_.ok()) stop_ = why;
    stopped_ = true;
  }

  // Each thread takes the next file until none is left.
  void WorkOff() {
    while (!Stopped()) {
      const size_t number = next_.fetch_add(1);
      if (number >= files_.size()) return;
      outcomes_[number].submitted = true;
      outcomes_[number].path = files_[number].path;
      progress_.Begin(number, files_[number].path, files_[number].bytes);
      AddOne(number);
      Report(number);
    }
  }

  // Sends again as long as the server says that its queue is full.
  void AddOne(size_t number) {
    UploadOutcome& outcome = outcomes_[number];
    for (int attempt = 0;; ++attempt) {
      outcome.status = Send(number);
      if (outcome.status.reason() != Reason::kQueueFull || Stopped()) return;
      progress_.SetNote("the server's queue is full, waiting");
      const auto wait = options_.backoff * (1 << std::min(attempt, kBackoffDoublings));
      if (!SleepUnless(connection_.cancel(), wait)) return;
      progress_.SetNote("");
    }
  }

  Status Send(size_t number) {
    const InputFile& input = files_[number];
    ASSIGN_OR_RETURN(const FileDescriptor file, OpenRegular(input.path));
    Call call(connection_.cancel());
    const auto stream = stub_.AddDocument(call.context());
    const Status sent = SendBytes(input, file, stream.get());
    if (!sent.ok()) {
      // The server must not take what was sent so far for the whole file.
      call.context()->TryCancel();
      (void)stream->Finish();
      return sent;
    }
    const bool finished = ReadEvents(number, stream.get());
    RETURN_IF_ERROR(connection_.Convert(stream->Finish()));
    if (!finished) return Internal("the server ended the call without an outcome");
    return OkStatus();
  }

  // An error only if the file cannot be read: a broken stream tells its reason at the end.
  Status SendBytes(const InputFile& input, const FileDescriptor& file, Stream* stream) const {
    v1::AddDocumentRequest request;
    v1::AddDocumentStart* start = request.mutable_start();
    start->set_collection(options_.collection);
    start->set_create_collection(true);
    start->set_source(input.path);
    start->set_media_type(input.media_type);
    if (!options_.metadata.entries().empty()) *start->mutable_metadata() = options_.metadata;
    bool open = stream->Write(request);
    std::string piece(kPieceBytes, '\0');
    while (open) {
      const ssize_t got = read(file.get(), piece.data(), piece.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return ErrnoStatus(errno, "read " + input.path);
      if (got == 0) break;
      request.set_data(piece.data(), static_cast<size_t>(got));
      open = stream->Write(request);
    }
    stream->WritesDone();
    return OkStatus();
  }

  // Returns whether the last event came.
  bool ReadEvents(size_t number, Stream* stream) {
    UploadOutcome& outcome = outcomes_[number];
    bool finished = false;
    v1::AddDocumentResponse event;
    while (stream->Read(&event)) {
      if (event.has_accepted()) outcome.job_id = event.accepted().job_id();
      if (event.has_progress()) progress_.Update(number, event.progress());
      if (!event.has_finished()) continue;
      outcome.document = event.finished().document();
      outcome.unchanged = event.finished().unchanged();
      finished = true;
    }
    return finished;
  }

  void Report(size_t number) {
    UploadOutcome& outcome = outcomes_[number];
    const bool added = outcome.status.ok() && !outcome.unchanged;
    progress_.End(number, added ? outcome.document.pages() : 0,
                  added ? outcome.document.chunks() : 0);
    if (outcome.status.ok()) return;
    outcome.cut_off = MeetsEveryFile(outcome.status) ||
                      (Interrupted() && outcome.status.code() == StatusCode::kCancelled);
    if (outcome.cut_off) Stop(outcome.status);
    // What meets every file is said once, at the end.
    if (output_->json() || outcome.cut_off) return;
    output_->Message(fmt::format("{}: {} ({})", Sanitize(outcome.path),
                                 Sanitize(outcome.status.message()), ErrorReason(outcome.status)));
  }

  const Connection& connection_;
  const std::vector<InputFile>& files_;
  const UploadOptions& options_;
  Output* const output_;
  v1::DocumentService::Stub stub_;
  std::vector<UploadOutcome> outcomes_;  // each element has one writer
  std::atomic<size_t> next_{0};
  std::atomic<bool> stopped_{false};
  Mutex mutex_;
  Status stop_ GUARDED_BY(mutex_);
  AddProgress progress_;
};

}  // namespace

std::vector<UploadOutcome> UploadFiles(const Connection& connection,
                                       const std::vector<InputFile>& files,
                                       const UploadOptions& options, Output* output) {
  return Uploader(connection, files, options, output).Run();
}

}  // namespace ragstone::services::cli
