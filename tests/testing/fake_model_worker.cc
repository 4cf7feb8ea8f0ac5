// A worker without a model, for tests: it has the command line, the start protocol and the services
// of ragstone-model and, when it is called ragstone-pdf, those of the PDF worker. Faults are asked
// for by RAGSTONE_TEST_FAULT_FILE (die in the middle of a request, see MaybeCrashForTest),
// RAGSTONE_TEST_DELAY_MS (a request takes so long, unless it is cancelled) and
// RAGSTONE_TEST_BEGIN_FILE and RAGSTONE_TEST_CANCEL_FILE (written when a slow
// request has begun and when it was cancelled).
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>

#include "base/file.h"
#include "ragstone/worker/v1/importer.grpc.pb.h"
#include "ragstone/worker/v1/parser.grpc.pb.h"
#include "services/workers/model_options.h"
#include "services/workers/model_rpc.h"
#include "services/workers/model_services.h"
#include "tests/testing/fake_models.h"

namespace ragstone::services {
namespace {

namespace wire = ::ragstone::worker::v1;

// Writes the file that the variable names, if any.
Status Note(const char* variable, const Status& status) {
  const char* file = std::getenv(variable);
  return file == nullptr ? OkStatus() : WriteFileAtomically(file, status.ToString());
}

Status NoteCancelled(const Status& status) {
  RETURN_IF_ERROR(Note("RAGSTONE_TEST_CANCEL_FILE", status));
  return status;
}

// Waits as long as RAGSTONE_TEST_DELAY_MS says, looking for cancellation as a real worker does.
Status Delay(const CallContext& context) {
  const char* text = std::getenv("RAGSTONE_TEST_DELAY_MS");
  const int delay_ms = text == nullptr ? 0 : std::atoi(text);
  if (delay_ms > 0) RETURN_IF_ERROR(Note("RAGSTONE_TEST_BEGIN_FILE", OkStatus()));
  for (int waited = 0; waited < delay_ms; waited += 5) {
    const Status status = context.Check();
    if (!status.ok()) return NoteCancelled(status);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return OkStatus();
}

class DelayedEmbedder : public testing::FakeEmbedder {
 public:
  Result<std::vector<float>> Embed(std::span<const std::vector<int32_t>> texts,
                                   const CallContext& context) override {
    RETURN_IF_ERROR(Delay(context));
    return FakeEmbedder::Embed(texts, context);
  }
};

class DelayedGenerator : public testing::FakeGenerator {
 public:
  Result<llm::GenerateResult> Generate(const llm::GenerateRequest& request,
                                       const std::function<Status(std::string_view)>& on_text,
                                       const CallContext& context) override {
    // For tests of what happens once text has come: the text "dies" sends some and ends the worker.
    if (!request.prompt.empty() && request.prompt.back().text == "dies") {
      RETURN_IF_ERROR(on_text("some text "));
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      std::raise(SIGSEGV);
    }
    RETURN_IF_ERROR(Delay(context));
    return FakeGenerator::Generate(request, on_text, context);
  }
};

// Copies a file; its name tells the kind.
Status Import(const wire::ImportRequest& request, wire::ImportDone* done) {
  const std::filesystem::path source = request.source_path();
  const std::filesystem::path output = request.output_dir();
  const bool folder = std::filesystem::is_directory(source);
  ASSIGN_OR_RETURN(const std::string bytes,
                   ReadFile(folder ? source / "model.safetensors" : source, 64 << 20));
  if (folder) {
    ASSIGN_OR_RETURN(const std::string tokenizer, ReadFile(source / "tokenizer.json", 64 << 20));
    RETURN_IF_ERROR(WriteFileAtomically(output / "tokenizer.json", tokenizer));
  }
  if (!folder && source.extension() != ".gguf" && source.extension() != ".embedding") {
    return InvalidArgument(Reason::kModelUnsupported,
                           source.string() + " is neither .gguf nor .embedding");
  }
  if (bytes.empty()) {
    return InvalidArgument(Reason::kModelCorrupt, source.string() + " is empty");
  }
  RETURN_IF_ERROR(WriteFileAtomically(output / "model.gguf", bytes));
  const bool embedding = folder || source.extension() == ".embedding";
  done->set_kind(embedding ? "embedding" : "generator");
  done->set_architecture("fake");
  done->set_storage_type(request.retype() ? "Q8_0" : "F32");
  done->set_dimensions(embedding ? testing::kFakeDimensions : 0);
  done->set_context_tokens(256);
  done->set_pooling(embedding ? "mean" : "");
  done->set_normalize(true);
  done->add_measurements("F32: 100 tokens/s");
  return OkStatus();
}

class FakeImporterService final : public wire::Importer::CallbackService {
 public:
  grpc::ServerWriteReactor<wire::ImportResponse>* Import(
      grpc::CallbackServerContext* context, const wire::ImportRequest* request) override {
    using Call = StreamCall<wire::ImportResponse>;
    return Call::Start(&threads_, context, [request](Call* call, const CallContext& context) {
      wire::ImportResponse response;
      response.set_progress("copying");
      RETURN_IF_ERROR(call->Write(response));
      RETURN_IF_ERROR(Delay(context));
      MaybeCrashForTest();
      RETURN_IF_ERROR(services::Import(*request, response.mutable_done()));
      return call->Write(response);
    });
  }

 private:
  HandlerThreads threads_{1, 1};
};

// Reads "documents" such as "PAGES 3"; other first words ask for a fault.
class FakeParserService final : public wire::Parser::Service {
 public:
  using Stream = grpc::ServerReaderWriter<wire::ParseResponse, wire::ParseRequest>;

  grpc::Status Parse(grpc::ServerContext* context, Stream* stream) override {
    wire::ParseRequest request;
    std::string bytes;
    uint64_t size = 0;
    while (stream->Read(&request)) {
      if (request.has_start()) size = request.start().size();
      if (request.data().size() > (1 << 20)) {
        return Error(StatusCode::kInternal, Reason::kInternal, "a piece is larger than 1 MiB");
      }
      bytes += request.data();
    }
    if (bytes.size() != size) {
      return Error(StatusCode::kInternal, Reason::kInternal, "bytes are missing");
    }
    if (bytes.rfind("ENCRYPTED", 0) == 0) {
      return Error(StatusCode::kInvalidArgument, Reason::kPdfEncrypted, "it needs a password");
    }
    MaybeCrashForTest();
    return SendPages(bytes, context, stream);
  }

 private:
  static grpc::Status Error(StatusCode code, Reason reason, const std::string& message) {
    return ToGrpcStatus(Status(code, reason, message));
  }

  static grpc::Status SendPages(const std::string& bytes, grpc::ServerContext* context,
                                Stream* stream) {
    const uint32_t pages = static_cast<uint32_t>(std::atoi(bytes.substr(6, 6).c_str()));
    wire::ParseResponse response;
    response.mutable_opened()->set_pages(pages);
    response.mutable_opened()->set_title("Fake");
    stream->Write(response);
    const bool hangs = bytes.find("HANG") != std::string::npos;
    if (hangs) (void)Note("RAGSTONE_TEST_BEGIN_FILE", OkStatus()).ok();
    const bool outside = bytes.find("OUTSIDE") != std::string::npos;
    const bool short_of_one = bytes.find("SHORT") != std::string::npos;
    for (uint32_t number = 1; number + (short_of_one ? 1 : 0) <= pages; ++number) {
      if (bytes.find("CRASH") != std::string::npos && number == 2) std::raise(SIGSEGV);
      while (hangs && !context->IsCancelled()) {
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      }
      wire::ParsedPage* page = response.mutable_page();
      page->Clear();
      page->set_number(number);
      page->set_text("Page " + std::to_string(number) + "\n");
      wire::ParsedWord* word = page->add_words();
      word->set_end(outside ? 1000 : 4);
      word->set_x1(10);
      if (!stream->Write(response)) break;
    }
    if (hangs)
      return ToGrpcStatus(NoteCancelled(
          Status(StatusCode::kCancelled, Reason::kCancelled, "the parse was cancelled")));
    return grpc::Status::OK;
  }
};

Result<std::unique_ptr<grpc::Service>> NewService(const ModelWorkerOptions& options) {
  if (options.role == "pdf") {
    return std::unique_ptr<grpc::Service>(std::make_unique<FakeParserService>());
  }
  if (options.role == "import") {
    return std::unique_ptr<grpc::Service>(std::make_unique<FakeImporterService>());
  }
  ASSIGN_OR_RETURN(const std::string model, ReadFile(options.model, 64 << 20));
  if (model.rfind("corrupt", 0) == 0) {
    return Status(StatusCode::kDataLoss, Reason::kModelCorrupt,
                  options.model + " is damaged; import the model again");
  }
  if (model.rfind("dies at start", 0) == 0) std::_Exit(3);
  if (model.rfind("never ready", 0) == 0) ::pause();
  if (options.role == "embed") return NewEmbedderService(std::make_unique<DelayedEmbedder>());
  return NewGeneratorService(std::make_unique<DelayedGenerator>());
}

Status Serve(const ModelWorkerOptions& options) {
  if (options.parent != 0 &&
      (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != options.parent)) {
    return FailedPrecondition(Reason::kInvalidArgument, "the parent is another process");
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<grpc::Service> service, NewService(options));
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + options.socket, grpc::InsecureServerCredentials());
  builder.SetMaxReceiveMessageSize(64 << 20);
  builder.SetMaxSendMessageSize(64 << 20);
  builder.RegisterService(service.get());
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return Internal("cannot listen on " + options.socket);
  RETURN_IF_ERROR(WriteAll(options.ready_fd, "R", "the ready pipe"));
  ::close(options.ready_fd);
  server->Wait();
  return OkStatus();
}

// The PDF worker's command line has no role and options that model workers do not know.
Result<ModelWorkerOptions> ParseOptions(int argc, char** argv) {
  if (std::filesystem::path(argv[0]).filename() != "ragstone-pdf") {
    return ParseModelWorkerOptions(argc, argv);
  }
  ModelWorkerOptions options;
  options.role = "pdf";
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    if (name == "--socket") options.socket = argv[i + 1];
    if (name == "--parent") options.parent = std::atoll(argv[i + 1]);
    if (name == "--ready-fd") options.ready_fd = std::atoi(argv[i + 1]);
  }
  return options;
}

int Main(int argc, char** argv) {
  // Sanitizers would turn the signal, which tests look for, into an exit code.
  std::signal(SIGSEGV, SIG_DFL);
  const Result<ModelWorkerOptions> options = ParseOptions(argc, argv);
  if (options.ok() && options->role == "selftest") return 0;
  const Status status = options.ok() ? Serve(*options) : options.status();
  if (status.ok()) return 0;
  const std::string line =
      "E" + std::string(ReasonName(status.reason())) + " " + status.message() + "\n";
  const int fd = options.ok() && options->ready_fd >= 0 ? options->ready_fd : STDERR_FILENO;
  return WriteAll(fd, line, "the ready pipe").ok() ? 1 : 2;
}

}  // namespace
}  // namespace ragstone::services

int main(int argc, char** argv) { ::_exit(ragstone::services::Main(argc, argv)); }
