// ragstone-pdf: turns PDF files into pages of text, behind a Unix socket and in a sandbox. Started
// by the server; writes "R" to the ready descriptor once it serves and the sandbox is closed.

#include <grpcpp/grpcpp.h>
#include <grpcpp/server_posix.h>
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "base/file.h"
#include "ingest/poppler/poppler_parser.h"
#include "services/workers/pdf_server.h"
#include "services/workers/sandbox.h"

namespace ragstone::services {
namespace {

constexpr int kMessageBytesMax = 64 << 20;
constexpr int kThreadsMax = 32;
constexpr int64_t kMemoryMaxLeast = 64 << 20;

struct Arguments {
  std::string socket;
  int64_t parent = 0;
  int64_t ready_fd = -1;
  int64_t memory_max = 2ll << 30;  // bytes beyond what the process maps at start
  int64_t file_max = 512ll << 20;  // bytes of one document
};

bool ParseNumber(std::string_view text, int64_t* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size() && *value >= 0;
}

// Returns false and says why if the command line is not one of ours.
bool ParseArguments(int argc, char** argv, Arguments* out) {
  for (int i = 1; i < argc; i += 2) {
    const std::string_view name = argv[i];
    if (i + 1 >= argc) {
      std::fprintf(stderr, "ragstone-pdf: %s needs a value\n", argv[i]);
      return false;
    }
    const std::string_view value = argv[i + 1];
    bool good = true;
    if (name == "--socket") {
      out->socket = value;
    } else if (name == "--parent") {
      good = ParseNumber(value, &out->parent);
    } else if (name == "--ready-fd") {
      good = ParseNumber(value, &out->ready_fd);
    } else if (name == "--memory-max") {
      good = ParseNumber(value, &out->memory_max) && out->memory_max >= kMemoryMaxLeast;
    } else if (name == "--file-max") {
      good = ParseNumber(value, &out->file_max) && out->file_max >= 1;
    } else {
      std::fprintf(stderr, "ragstone-pdf: unknown option %s\n", argv[i]);
      return false;
    }
    if (!good) {
      std::fprintf(stderr, "ragstone-pdf: %s cannot be %s\n", argv[i], argv[i + 1]);
      return false;
    }
  }
  if (out->socket.empty() || out->parent == 0 || out->ready_fd < 0) {
    std::fprintf(stderr,
                 "usage: ragstone-pdf --socket PATH --parent PID --ready-fd N [--memory-max BYTES] "
                 "[--file-max BYTES]\nStarted by `ragstone`; not meant to be run by hand.\n");
    return false;
  }
  return true;
}

Result<FileDescriptor> Listen(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return InvalidArgument(Reason::kInvalidArgument,
                           "the socket path " + path + " is longer than 107 bytes");
  }
  path.copy(address.sun_path, path.size());
  FileDescriptor socket_fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket_fd.valid()) return ErrnoStatus(errno, "create a socket");
  const mode_t mask = umask(0177);
  const int bound =
      bind(socket_fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  umask(mask);
  if (bound != 0) return ErrnoStatus(errno, "bind " + path);
  if (listen(socket_fd.get(), 16) != 0) return ErrnoStatus(errno, "listen on " + path);
  return socket_fd;
}

// Poppler-data, fonts and fontconfig's files: all that a PDF may make poppler open.
std::vector<std::string> ReadableFolders() {
  return {"/usr/share/poppler",          "/usr/share/fonts", "/usr/local/share/fonts",
          "/usr/share/fontconfig",       "/etc/fonts",       "/var/cache/fontconfig",
          "/usr/share/ghostscript/fonts"};
}

// For tests only: RAGSTONE_TEST_FAULT=segv-page-N makes the worker die by SIGSEGV when page N of
// any document begins, hang-page-N makes it hang there, so that tests see what the server does.
uint32_t TestFaultPage(std::string_view prefix) {
  const char* fault = std::getenv("RAGSTONE_TEST_FAULT");
  if (fault == nullptr || !std::string_view(fault).starts_with(prefix)) return 0;
  int64_t page = 0;
  return ParseNumber(std::string_view(fault).substr(prefix.size()), &page)
             ? static_cast<uint32_t>(page)
             : 0;
}

// Hands connections to gRPC. The socket is our own so that it exists before the sandbox closes the
// door: gRPC would create it itself, and would take the path from a living server.
void AcceptForever(int listener, grpc::Server* server) {
  for (;;) {
    const int connection = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (connection >= 0) {
      grpc::AddInsecureChannelFromFd(server, connection);
    } else if (errno != EINTR && errno != ECONNABORTED) {
      // Out of descriptors, most likely; connections close by themselves.
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }
}

Status DieWithParent(int64_t parent) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
    return ErrnoStatus(errno, "ask for the parent's death");
  // The parent may have ended before the request was made.
  if (getppid() != parent) {
    return FailedPrecondition(Reason::kWorkerUnavailable,
                              "process " + std::to_string(parent) + " is not the parent any more");
  }
  return OkStatus();
}

Status Serve(const Arguments& arguments) {
  RETURN_IF_ERROR(DieWithParent(arguments.parent));
  // With no output file allowed, a log line on a redirected stderr must fail, not kill.
  signal(SIGXFSZ, SIG_IGN);
  ASSIGN_OR_RETURN(const FileDescriptor listener, Listen(arguments.socket));
  // Each arena of malloc reserves 64 MiB of the address space that is limited below.
  mallopt(M_ARENA_MAX, 2);
  tzset();
  PdfServer* server = nullptr;
  const uint32_t fault_page = TestFaultPage("segv-page-");
  const uint32_t hang_page = TestFaultPage("hang-page-");
  ingest::PopplerParser parser([&](uint32_t page) {
    server->OnPage(page);
    if (page == fault_page) raise(SIGSEGV);
    while (page == hang_page) sleep(1);
  });
  // Before the files are closed: it reads how much is mapped from /proc.
  RETURN_IF_ERROR(RestrictResources(static_cast<uint64_t>(arguments.memory_max)));
  ASSIGN_OR_RETURN(const bool landlock, RestrictFiles(ReadableFolders()));
  if (!landlock) {
    std::fprintf(stderr, "ragstone-pdf: sandbox=partial landlock=missing (kernel too old)\n");
  }
  PdfServerOptions options;
  options.file_bytes_max = static_cast<uint64_t>(arguments.file_max);
  PdfServer service(options, &parser);
  server = &service;
  grpc::ResourceQuota quota("ragstone-pdf");
  quota.SetMaxThreads(kThreadsMax);
  grpc::ServerBuilder builder;
  builder.SetResourceQuota(quota);
  builder.SetMaxReceiveMessageSize(kMessageBytesMax);
  builder.SetMaxSendMessageSize(kMessageBytesMax);
  builder.SetSyncServerOption(grpc::ServerBuilder::SyncServerOption::NUM_CQS, 1);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> grpc_server = builder.BuildAndStart();
  if (!grpc_server) return Internal("gRPC did not start");
  std::thread(AcceptForever, listener.get(), grpc_server.get()).detach();
  RETURN_IF_ERROR(RestrictSystemCalls());
  FileDescriptor ready(static_cast<int>(arguments.ready_fd));
  RETURN_IF_ERROR(WriteAll(ready.get(), "R", "the ready pipe"));
  ready.Reset();
  grpc_server->Wait();
  return OkStatus();
}

}  // namespace
}  // namespace ragstone::services

int main(int argc, char** argv) {
  ragstone::services::Arguments arguments;
  if (!ragstone::services::ParseArguments(argc, argv, &arguments)) return 2;
  const ragstone::Status status = ragstone::services::Serve(arguments);
  // Threads still run, so no destructor of a global may.
  std::fprintf(stderr, "ragstone-pdf: %s\n", status.ToString().c_str());
  _exit(1);
}
