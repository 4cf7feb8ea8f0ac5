#include "services/workers/pdf_server.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <utility>

#include "base/reason.h"
#include "services/workers/exit_codes.h"
#include "services/workers/sandbox.h"

namespace ragstone::services {
namespace {

using worker::v1::ParseRequest;
using worker::v1::ParseResponse;

constexpr uint32_t kCpuSecondsSpare = 30;
constexpr auto kCancelPoll = std::chrono::milliseconds(100);

grpc::Status ToGrpc(const Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), status.message(),
                      std::string(ReasonName(status.reason())));
}

Status ClientGone() {
  return Status(StatusCode::kCancelled, Reason::kCancelled, "the client went away");
}

void ApplyStart(const worker::v1::ParseStart& start, ingest::ParseLimits* limits) {
  const auto apply = [](uint32_t value, uint32_t* limit) {
    if (value != 0) *limit = value;
  };
  apply(start.pages_max(), &limits->pages_max);
  apply(start.page_time_ms_max(), &limits->page_time_ms_max);
  apply(start.document_time_ms_max(), &limits->document_time_ms_max);
  apply(start.page_text_bytes_max(), &limits->page_text_bytes_max);
  limits->password = start.password();
}

void FillPage(const ingest::Page& page, worker::v1::ParsedPage* out) {
  out->set_number(page.number);
  out->set_label(page.label);
  out->set_width(page.width);
  out->set_height(page.height);
  out->set_text(page.text);
  out->set_images(page.images);
  out->set_warning(page.warning);
  out->mutable_words()->Reserve(static_cast<int>(page.words.size()));
  for (const ingest::Word& word : page.words) {
    worker::v1::ParsedWord* w = out->add_words();
    w->set_begin(word.begin);
    w->set_end(word.end);
    w->set_x0(word.x0);
    w->set_y0(word.y0);
    w->set_x1(word.x1);
    w->set_y1(word.y1);
  }
  for (const ingest::Line& line : page.lines) {
    worker::v1::ParsedLine* l = out->add_lines();
    l->set_begin(line.begin);
    l->set_end(line.end);
    l->set_font_size(line.font_size);
    l->set_bold(line.bold);
    l->set_table_row(line.table_row);
  }
}

// The deadline of the call on the clock that CallContext uses.
CallContext::TimePoint Deadline(const grpc::ServerContext& context) {
  const auto deadline = context.deadline();
  if (deadline == std::chrono::system_clock::time_point::max())
    return CallContext::TimePoint::max();
  const auto left = deadline - std::chrono::system_clock::now();
  if (left > std::chrono::hours(24 * 365)) return CallContext::TimePoint::max();
  return std::chrono::steady_clock::now() +
         std::chrono::duration_cast<std::chrono::steady_clock::duration>(left);
}

}  // namespace

class PdfServer::Turn {
 public:
  explicit Turn(PdfServer* server) : server_(server) {}
  ~Turn() {
    if (!held_) return;
    {
      const MutexLock lock(&server_->mutex_);
      server_->busy_ = false;
    }
    server_->free_.NotifyOne();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  Status Take(const grpc::ServerContext& context) {
    const MutexLock lock(&server_->mutex_);
    if (server_->busy_ && server_->waiting_ >= server_->options_.waiting_max) {
      return ResourceExhausted(Reason::kQueueFull,
                               "the PDF worker already has " +
                                   std::to_string(server_->options_.waiting_max) +
                                   " documents waiting; try again later");
    }
    ++server_->waiting_;
    // Woken now and then, since a cancelled call does not notify.
    while (server_->busy_ && !context.IsCancelled()) {
      server_->free_.WaitUntil(&server_->mutex_, std::chrono::steady_clock::now() + kCancelPoll);
    }
    --server_->waiting_;
    if (server_->busy_ || context.IsCancelled()) return ClientGone();
    held_ = server_->busy_ = true;
    return OkStatus();
  }

 private:
  PdfServer* server_;
  bool held_ = false;
};

PdfServer::PdfServer(const PdfServerOptions& options, ingest::DocumentParser* parser)
    : options_(options),
      parser_(parser),
      watchdog_(
          [this] {
            std::fprintf(stderr, "ragstone-pdf: page %u took twice its limit of %u ms, leaving\n",
                         page_.load(), page_time_ms_.load());
            _exit(kTimeLimitExit);
          },
          [this] { PollCancelled(); }) {}

void PdfServer::OnPage(uint32_t page) {
  page_ = page;
  watchdog_.Begin(page_time_ms_);
}

void PdfServer::PollCancelled() {
  const MutexLock lock(&active_mutex_);
  if (active_ != nullptr && active_->IsCancelled()) active_flag_->Cancel();
}

Status PdfServer::Receive(Stream* stream, ingest::ParseLimits* limits, std::string* bytes) {
  ParseRequest request;
  if (!stream->Read(&request) || !request.has_start()) {
    return InvalidArgument(Reason::kInvalidArgument,
                           "the first message of a parse must be `start`");
  }
  const uint64_t size = request.start().size();
  const auto too_large = [&](uint64_t have) {
    return ResourceExhausted(Reason::kFileTooLarge,
                             "the PDF has " + std::to_string(have) + " bytes, the limit is " +
                                 std::to_string(options_.file_bytes_max) + "; split it");
  };
  if (size > options_.file_bytes_max) return too_large(size);
  ApplyStart(request.start(), limits);
  bytes->reserve(size);
  while (stream->Read(&request)) {
    if (!request.has_data()) {
      return InvalidArgument(Reason::kInvalidArgument, "only `data` may follow `start`");
    }
    if (bytes->size() + request.data().size() > options_.file_bytes_max) {
      return too_large(bytes->size() + request.data().size());
    }
    bytes->append(request.data());
  }
  return OkStatus();
}

Status PdfServer::ParseDocument(grpc::ServerContext* context, Stream* stream) {
  Turn turn(this);
  RETURN_IF_ERROR(turn.Take(*context));
  ingest::ParseLimits limits;
  std::string bytes;
  RETURN_IF_ERROR(Receive(stream, &limits, &bytes));
  RETURN_IF_ERROR(AllowCpuSeconds(limits.document_time_ms_max / 1000 + kCpuSecondsSpare));
  const auto flag = std::make_shared<CancelFlag>();
  const CallContext call(Deadline(*context), flag);
  {
    const MutexLock lock(&active_mutex_);
    active_ = context;
    active_flag_ = flag;
  }
  // A client that reads slowly must not count as a slow page.
  const auto send = [&](const ParseResponse& response) {
    watchdog_.End();
    return stream->Write(response) ? OkStatus() : ClientGone();
  };
  ingest::PageSink sink;
  sink.opened = [&](const ingest::DocumentFacts& facts) {
    ParseResponse response;
    response.mutable_opened()->set_pages(facts.pages);
    response.mutable_opened()->set_title(facts.title);
    response.mutable_opened()->set_author(facts.author);
    return send(response);
  };
  sink.page = [&](const ingest::Page& page) {
    ParseResponse response;
    FillPage(page, response.mutable_page());
    return send(response);
  };
  page_time_ms_ = limits.page_time_ms_max;
  OnPage(0);
  const Status status = parser_->Parse(bytes, limits, sink, call);
  watchdog_.End();
  {
    const MutexLock lock(&active_mutex_);
    active_ = nullptr;
    active_flag_ = nullptr;
  }
  return status;
}

grpc::Status PdfServer::Parse(grpc::ServerContext* context, Stream* stream) {
  try {
    const Status status = ParseDocument(context, stream);
    malloc_trim(0);  // the next document may be small
    return ToGrpc(status);
  } catch (const std::bad_alloc&) {
    return ToGrpc(ResourceExhausted(Reason::kMemoryLimit,
                                    "the PDF needs more memory than the PDF worker may use"));
  }
}

}  // namespace ragstone::services
