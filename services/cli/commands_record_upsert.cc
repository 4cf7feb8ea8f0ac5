#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <fstream>
#include <iostream>

#include "ragstone/v1/vector.grpc.pb.h"
#include "services/cli/commands.h"
#include "services/cli/record_json.h"
#include "services/cli/text.h"

namespace ragstone::services::cli {
namespace {

constexpr int kBatchRecordsMax = 1000;
constexpr size_t kBatchBytesMax = 4 << 20;  // the server takes 16 MiB
// A record has at most 1 MiB of payload and as many vectors, as text.
constexpr size_t kLineBytesMax = 64 << 20;
// Batches that the server has not acknowledged: while one is written to disk the next is on its
// way.
constexpr size_t kBatchesAhead = 2;

// Where a record of a batch stands.
struct Line {
  uint64_t number = 0;
  std::string id;
};

// A batch on its way.
struct Batch {
  v1::UpsertRecordStreamRequest request;
  std::vector<Line> lines;
};

// Reads records from JSON lines. Blank lines are skipped.
class LineReader {
 public:
  LineReader(std::istream* in, std::string name) : in_(in), name_(std::move(name)) {}

  // Fills the batch; an empty one is the end. Errors name the line.
  Status Read(Batch* batch) {
    size_t bytes = 0;
    std::string line;
    while (batch->request.records_size() < kBatchRecordsMax && bytes < kBatchBytesMax) {
      if (!std::getline(*in_, line)) break;
      ++line_;
      if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
      if (line.size() > kLineBytesMax) return At(TooLong(line.size()));
      auto record = ReadRecordJson(line);
      if (!record.ok()) return At(record.status());
      bytes += record->ByteSizeLong();
      batch->lines.push_back({line_, record->id()});
      *batch->request.add_records() = std::move(record).value();
    }
    if (in_->bad()) return Status(StatusCode::kInternal, Reason::kIo, "cannot read " + name_);
    return OkStatus();
  }

  const std::string& name() const { return name_; }

 private:
  Status At(const Status& status) const {
    return status.WithContext(fmt::format("{}, line {}", name_, line_));
  }
  static Status TooLong(size_t bytes) {
    return InvalidArgument(Reason::kLimitExceeded,
                           fmt::format("the line has {}, the limit is {}", HumanBytes(bytes),
                                       HumanBytes(kLineBytesMax)));
  }

  std::istream* const in_;
  const std::string name_;
  uint64_t line_ = 0;
};

// What the server said of `records[3]` or `record "id"` of a batch, with the line it stands in.
Status WithLine(const Status& status, const std::string& name, const std::vector<Line>& lines) {
  constexpr std::string_view kPlace = "records[";
  const std::string& message = status.message();
  const auto at_line = [&](const Line& line) {
    return status.WithContext(fmt::format("{}, line {}", name, line.number));
  };
  if (const size_t found = message.find(kPlace); found != std::string::npos) {
    const uint64_t at = std::strtoull(message.c_str() + found + kPlace.size(), nullptr, 10);
    if (at < lines.size()) return at_line(lines[at]);
  }
  for (const Line& line : lines) {
    if (message.find("record \"" + line.id + "\"") != std::string::npos) return at_line(line);
  }
  return status.WithContext(
      fmt::format("{}, lines {} to {}", name, lines.front().number, lines.back().number));
}

// One stream of batches to the server.
class Upsert {
 public:
  Upsert(const Connection& connection, Output* output)
      : connection_(connection),
        output_(output),
        call_(connection.cancel()),
        stub_(connection.channel()),
        stream_(stub_.UpsertRecordStream(call_.context())) {}

  uint64_t written() const { return written_; }
  uint64_t version() const { return version_; }

  Status Run(const std::string& collection, LineReader* reader) {
    for (bool first = true;; first = false) {
      Batch batch;
      const Status read = reader->Read(&batch);
      if (!read.ok()) {
        // What was sent before is on its way and is waited for, so that the count is right.
        const Status sent = Drain(reader->name());
        return sent.ok() ? read : sent;
      }
      if (batch.lines.empty()) return Drain(reader->name());
      if (first) batch.request.set_collection(collection);
      if (!stream_->Write(batch.request)) return Failed(reader->name());
      waiting_.push_back(std::move(batch.lines));
      while (waiting_.size() >= kBatchesAhead) {
        if (!ReadAcknowledgement()) return Failed(reader->name());
      }
    }
  }

 private:
  bool ReadAcknowledgement() {
    v1::UpsertRecordStreamResponse response;
    if (!stream_->Read(&response)) return false;
    waiting_.pop_front();
    written_ += response.affected();
    version_ = response.version();
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
    output_->Progress(fmt::format("{} records  {:.0f} records/s", written_,
                                  static_cast<double>(written_) / (seconds + 1e-9)));
    return true;
  }

  Status Drain(const std::string& name) {
    stream_->WritesDone();
    while (!waiting_.empty()) {
      if (!ReadAcknowledgement()) return Failed(name);
    }
    return connection_.Convert(stream_->Finish());
  }

  // The error of the oldest batch that was not acknowledged.
  Status Failed(const std::string& name) {
    while (!waiting_.empty() && ReadAcknowledgement()) {
    }
    const Status status = connection_.Convert(stream_->Finish());
    if (status.ok()) return Internal("the server ended the stream without an acknowledgement");
    return waiting_.empty() ? status : WithLine(status, name, waiting_.front());
  }

  const Connection& connection_;
  Output* const output_;
  Call call_;
  v1::VectorService::Stub stub_;
  std::unique_ptr<
      grpc::ClientReaderWriter<v1::UpsertRecordStreamRequest, v1::UpsertRecordStreamResponse>>
      stream_;
  std::deque<std::vector<Line>> waiting_;
  const std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  uint64_t written_ = 0, version_ = 0;
};

}  // namespace

Result<int> RunRecordUpsert(const CommandContext& context) {
  const std::string& input = context.options.input;
  const bool from_stdin = input.empty() || input == "-";
  std::ifstream file;
  if (!from_stdin) {
    file.open(input, std::ios::binary);
    if (!file) return ErrnoStatus(errno, "open " + input);
  }
  LineReader reader(from_stdin ? &std::cin : &file, from_stdin ? "stdin" : input);
  ASSIGN_OR_RETURN(const auto connection, Connect(context));
  Upsert upsert(*connection, context.output);
  const Status status = upsert.Run(context.options.id, &reader);
  context.output->Progress("");
  if (!status.ok()) {
    return Status(
        status.code(), status.reason(),
        fmt::format("{} ({} records were written before)", status.message(), upsert.written()));
  }
  if (context.output->json()) {
    context.output->Json({{"written", upsert.written()}, {"version", upsert.version()}});
  } else {
    context.output->Message(fmt::format("wrote {} records", upsert.written()));
  }
  return kExitDone;
}

}  // namespace ragstone::services::cli
