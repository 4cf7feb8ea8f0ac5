#include "services/workers/parser_client.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "ragstone/worker/v1/parser.grpc.pb.h"
#include "services/workers/cancel_wakeup.h"
#include "services/workers/grpc_client.h"

namespace ragstone::services {

namespace {

namespace wire = worker::v1;

constexpr size_t kPieceBytes = 1 << 20;
// Past its own time limits the worker gets so much longer to say so.
constexpr std::chrono::milliseconds kAnswerGrace{10'000};

// The worker read hostile bytes: nothing that it sends is believed without a look.
Status Broken(const std::string& what) { return Internal("the pdf worker sent " + what); }

bool ValidRange(uint32_t begin, uint32_t end, size_t size) { return begin <= end && end <= size; }

float Finite(float value) { return std::isfinite(value) ? value : 0.0f; }

Result<ingest::Page> ToPage(wire::ParsedPage* parsed) {
  ingest::Page page;
  page.number = parsed->number();
  page.label = std::move(*parsed->mutable_label());
  page.width = Finite(parsed->width());
  page.height = Finite(parsed->height());
  page.text = std::move(*parsed->mutable_text());
  page.images = parsed->images();
  page.warning = std::move(*parsed->mutable_warning());
  page.words.reserve(static_cast<size_t>(parsed->words_size()));
  for (const wire::ParsedWord& word : parsed->words()) {
    if (!ValidRange(word.begin(), word.end(), page.text.size())) {
      return Broken("a word outside the text of its page");
    }
    page.words.push_back({word.begin(), word.end(), Finite(word.x0()), Finite(word.y0()),
                          Finite(word.x1()), Finite(word.y1())});
  }
  page.lines.reserve(static_cast<size_t>(parsed->lines_size()));
  for (const wire::ParsedLine& line : parsed->lines()) {
    if (!ValidRange(line.begin(), line.end(), page.text.size())) {
      return Broken("a line outside the text of its page");
    }
    page.lines.push_back(
        {line.begin(), line.end(), Finite(line.font_size()), line.bold(), line.table_row()});
  }
  return page;
}

wire::ParseRequest StartMessage(std::string_view bytes, const ingest::ParseLimits& limits) {
  wire::ParseRequest request;
  wire::ParseStart* start = request.mutable_start();
  start->set_size(bytes.size());
  start->set_pages_max(limits.pages_max);
  start->set_page_time_ms_max(limits.page_time_ms_max);
  start->set_document_time_ms_max(limits.document_time_ms_max);
  start->set_page_text_bytes_max(limits.page_text_bytes_max);
  start->set_password(limits.password);
  return request;
}

using Stream = grpc::ClientReaderWriter<wire::ParseRequest, wire::ParseResponse>;

// Sends the document; false if the worker has ended the call.
bool SendDocument(Stream* stream, std::string_view bytes, const ingest::ParseLimits& limits) {
  if (!stream->Write(StartMessage(bytes, limits))) return false;
  wire::ParseRequest piece;
  for (size_t at = 0; at < bytes.size(); at += kPieceBytes) {
    const std::string_view part = bytes.substr(at, kPieceBytes);
    piece.set_data(part.data(), part.size());
    if (!stream->Write(piece)) return false;
  }
  return stream->WritesDone();
}

// Hands events on, checking that `opened` comes first and pages in order.
class EventReader {
 public:
  EventReader(const ingest::ParseLimits& limits, const ingest::PageSink& sink)
      : limits_(limits), sink_(sink) {}

  Status Take(wire::ParseResponse* response) {
    if (response->has_opened()) return TakeOpened(response->opened());
    if (!response->has_page()) return Broken("an empty event");
    if (response->page().number() != next_page_ || next_page_ > pages_) {
      return Broken("page " + std::to_string(response->page().number()) + " instead of page " +
                    std::to_string(next_page_) + " of " + std::to_string(pages_));
    }
    ++next_page_;
    ASSIGN_OR_RETURN(ingest::Page page, ToPage(response->mutable_page()));
    return sink_.page ? sink_.page(std::move(page)) : OkStatus();
  }

  Status CheckComplete() const {
    if (pages_ > 0 && next_page_ == pages_ + 1) return OkStatus();
    return Broken("only " + std::to_string(next_page_ - 1) + " of " + std::to_string(pages_) +
                  " pages");
  }

 private:
  Status TakeOpened(const wire::ParseOpened& opened) {
    if (pages_ != 0 || opened.pages() == 0 || opened.pages() > limits_.pages_max) {
      return Broken("a wrong number of pages: " + std::to_string(opened.pages()));
    }
    pages_ = opened.pages();
    if (!sink_.opened) return OkStatus();
    return sink_.opened({opened.pages(), opened.title(), opened.author()});
  }

  const ingest::ParseLimits& limits_;
  const ingest::PageSink& sink_;
  uint32_t pages_ = 0;
  uint32_t next_page_ = 1;
};

}  // namespace

RemoteParser::RemoteParser(std::vector<std::unique_ptr<ProcessSlot>> slots)
    : slots_(std::move(slots)) {
  MutexLock lock(&mutex_);
  for (auto slot = slots_.rbegin(); slot != slots_.rend(); ++slot) free_.push_back(slot->get());
}

Result<ProcessSlot*> RemoteParser::TakeSlot(const CallContext& context) {
  const CancelWakeup wakeup(context, &mutex_, &changed_);
  Status status;
  ProcessSlot* slot = nullptr;
  {
    MutexLock lock(&mutex_);
    while (free_.empty() && (status = context.Check()).ok()) {
      if (context.has_deadline()) {
        changed_.WaitUntil(&mutex_, context.deadline());
      } else {
        changed_.Wait(&mutex_);
      }
    }
    if (status.ok()) {
      // The one that was used last has its process running.
      slot = free_.back();
      free_.pop_back();
    }
  }
  if (slot == nullptr) return status;
  return slot;
}

void RemoteParser::GiveBack(ProcessSlot* slot) {
  MutexLock lock(&mutex_);
  free_.push_back(slot);
  changed_.NotifyAll();
}

Status RemoteParser::Parse(std::string_view bytes, const ingest::ParseLimits& limits,
                           const ingest::PageSink& sink, const CallContext& context) {
  ASSIGN_OR_RETURN(ProcessSlot* const slot, TakeSlot(context));
  EventReader reader(limits, sink);
  WorkerCallOptions options;
  options.resend = false;
  // Time counts only while we wait for the worker: the sink may be slow.
  const auto watch = [slot](uint32_t time_ms) {
    slot->Watch(std::chrono::milliseconds(time_ms) + kAnswerGrace);
  };
  Status status = CallWorker(slot, context, options, [&](Attempt* attempt) {
    const auto stub = wire::Parser::NewStub(attempt->channel);
    const auto stream = stub->Parse(&attempt->call);
    watch(limits.document_time_ms_max);
    SendDocument(stream.get(), bytes, limits);
    wire::ParseResponse response;
    while (stream->Read(&response)) {
      slot->Unwatch();
      attempt->received = true;
      const Status taken = reader.Take(&response);
      watch(limits.page_time_ms_max);
      if (taken.ok()) continue;
      attempt->own_error = taken;
      attempt->call.TryCancel();
      break;
    }
    const grpc::Status finished = stream->Finish();
    if (slot->Unwatch() && !attempt->own_error) {
      attempt->own_error = ResourceExhausted(
          Reason::kTimeLimit,
          "the pdf worker was silent for longer than its time limits allow and was ended; raise "
          "page_time_ms_max or document_time_ms_max if the document is only slow");
    }
    return finished;
  });
  GiveBack(slot);
  if (status.ok()) status = reader.CheckComplete();
  return status;
}

}  // namespace ragstone::services
