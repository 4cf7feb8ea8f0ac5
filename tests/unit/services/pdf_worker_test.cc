// Covers services/workers/pdf_server.cc, pdf_main.cc, pdf_colour.cc: starts the real ragstone-pdf.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "base/file.h"
#include "ragstone/worker/v1/parser.grpc.pb.h"
#include "services/workers/exit_codes.h"
#include "tests/testing/pdf_writer.h"

namespace ragstone::services {
namespace {

using ragstone::testing::PdfWriter;
using worker::v1::ParsedPage;
using worker::v1::Parser;
using worker::v1::ParseRequest;
using worker::v1::ParseResponse;

class Worker {
 public:
  explicit Worker(std::vector<std::string> more = {}) {
    std::string folder = (std::filesystem::temp_directory_path() / "ragstone-pdf-XXXXXX").string();
    CHECK(mkdtemp(folder.data()) != nullptr);
    folder_ = folder;
    int ready[2];
    CHECK(pipe(ready) == 0);
    std::vector<std::string> texts = {
        RAGSTONE_PDF_WORKER,      "--socket",   folder + "/s",           "--parent",
        std::to_string(getpid()), "--ready-fd", std::to_string(ready[1])};
    texts.insert(texts.end(), more.begin(), more.end());
    std::vector<char*> arguments;
    for (std::string& text : texts) arguments.push_back(text.data());
    arguments.push_back(nullptr);
    CHECK(posix_spawn(&pid_, RAGSTONE_PDF_WORKER, nullptr, nullptr, arguments.data(), environ) ==
          0);
    close(ready[1]);
    started_ = read(ready[0], &ready_byte_, 1) == 1;
    close(ready[0]);
    grpc::ChannelArguments channel;
    channel.SetMaxReceiveMessageSize(64 << 20);
    stub_ = Parser::NewStub(grpc::CreateCustomChannel("unix:" + folder + "/s",
                                                      grpc::InsecureChannelCredentials(), channel));
  }
  ~Worker() {
    if (!ended_) {
      kill(pid_, SIGKILL);
      Wait();
    }
    std::filesystem::remove_all(folder_);
  }

  // Returns how the process ended.
  int Wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    ended_ = true;
    return status;
  }

  Parser::Stub& stub() { return *stub_; }
  bool started() const { return started_; }
  char ready_byte() const { return ready_byte_; }
  std::string socket() const { return folder_ + "/s"; }
  pid_t pid() const { return pid_; }

 private:
  std::string folder_;
  pid_t pid_ = 0;
  bool started_ = false;
  bool ended_ = false;
  char ready_byte_ = 0;
  std::unique_ptr<Parser::Stub> stub_;
};

struct Outcome {
  grpc::Status status;
  uint32_t announced = 0;
  std::vector<ParsedPage> pages;
};

Outcome Parse(Worker* worker, const std::string& bytes, const worker::v1::ParseStart& limits = {}) {
  Outcome outcome;
  grpc::ClientContext context;
  const auto stream = worker->stub().Parse(&context);
  ParseRequest request;
  *request.mutable_start() = limits;
  request.mutable_start()->set_size(bytes.size());
  bool open = stream->Write(request);
  for (size_t at = 0; open && at < bytes.size(); at += 1 << 20) {
    request.set_data(bytes.substr(at, 1 << 20));
    open = stream->Write(request);
  }
  stream->WritesDone();
  for (ParseResponse response; stream->Read(&response);) {
    if (response.has_opened()) outcome.announced = response.opened().pages();
    if (response.has_page()) outcome.pages.push_back(response.page());
  }
  outcome.status = stream->Finish();
  return outcome;
}

std::string TwoPages() {
  PdfWriter pdf;
  pdf.AddPage();
  pdf.Add(72, 100, "First page");
  pdf.AddPage();
  pdf.Add(72, 100, "Second page");
  return pdf.Finish();
}

TEST(PdfWorkerTest, SaysReadyAndServesPages) {
  Worker worker;
  ASSERT_TRUE(worker.started());
  EXPECT_EQ(worker.ready_byte(), 'R');
  const auto mode = std::filesystem::status(worker.socket()).permissions();
  EXPECT_EQ(mode, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  for (int round = 0; round < 3; ++round) {
    const Outcome outcome = Parse(&worker, TwoPages());
    ASSERT_TRUE(outcome.status.ok()) << outcome.status.error_message();
    EXPECT_EQ(outcome.announced, 2u);
    ASSERT_EQ(outcome.pages.size(), 2u);
    EXPECT_EQ(outcome.pages[1].text(), "Second page\n");
    ASSERT_EQ(outcome.pages[1].words_size(), 2);
    EXPECT_EQ(outcome.pages[1].words(1).begin(), 7u);
    EXPECT_GT(outcome.pages[1].lines(0).font_size(), 10);
  }
}

TEST(PdfWorkerTest, ErrorsCarryTheirReason) {
  Worker worker;
  const Outcome outcome = Parse(&worker, "no pdf");
  EXPECT_EQ(outcome.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(outcome.status.error_details(), "NOT_PDF");
  EXPECT_TRUE(Parse(&worker, TwoPages()).status.ok()) << "the next document is served";
}

TEST(PdfWorkerTest, LimitsOfTheRequestHold) {
  Worker worker;
  worker::v1::ParseStart limits;
  limits.set_pages_max(1);
  EXPECT_EQ(Parse(&worker, TwoPages(), limits).status.error_details(), "TOO_MANY_PAGES");
}

TEST(PdfWorkerTest, RefusesFilesBeyondTheLimit) {
  Worker worker({"--file-max", "1000"});
  EXPECT_EQ(Parse(&worker, TwoPages()).status.error_details(), "FILE_TOO_LARGE");
}

TEST(PdfWorkerTest, TheFirstMessageMustBeStart) {
  Worker worker;
  grpc::ClientContext context;
  const auto stream = worker.stub().Parse(&context);
  ParseRequest request;
  request.set_data("%PDF-1.7");
  stream->Write(request);
  stream->WritesDone();
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST(PdfWorkerTest, ACancelledCallFreesTheWorker) {
  Worker worker;
  {
    grpc::ClientContext context;
    const auto stream = worker.stub().Parse(&context);
    ParseRequest request;
    request.mutable_start()->set_size(100);
    ASSERT_TRUE(stream->Write(request));
    context.TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  EXPECT_TRUE(Parse(&worker, TwoPages()).status.ok());
}

TEST(PdfWorkerTest, TheTestFaultKillsItAtThePage) {
  ASSERT_EQ(setenv("RAGSTONE_TEST_FAULT", "segv-page-2", 1), 0);
  // A sanitizer would turn the signal into an exit.
  ASSERT_EQ(setenv("ASAN_OPTIONS", "handle_segv=0", 1), 0);
  Worker worker;
  unsetenv("RAGSTONE_TEST_FAULT");
  const Outcome outcome = Parse(&worker, TwoPages());
  EXPECT_EQ(outcome.status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(outcome.pages.size(), 1u);
  const int status = worker.Wait();
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGSEGV);
}

// Forms that show each other many times over keep poppler from looking at its abort callback.
TEST(PdfWorkerTest, TheWatchdogEndsAPageThatDoesNotEnd) {
  PdfWriter pdf;
  pdf.AddPage();
  pdf.AddNestedForms(12, 30);
  worker::v1::ParseStart limits;
  limits.set_page_time_ms_max(50);
  Worker worker;
  const Outcome outcome = Parse(&worker, pdf.Finish(), limits);
  if (outcome.status.ok()) {
    ASSERT_EQ(outcome.pages.size(), 1u);
    EXPECT_FALSE(outcome.pages[0].warning().empty());
  } else {
    EXPECT_EQ(outcome.status.error_code(), grpc::StatusCode::UNAVAILABLE);
    EXPECT_EQ(WEXITSTATUS(worker.Wait()), kTimeLimitExit);
  }
}

TEST(PdfWorkerTest, RunsWithTheFilterAndWithinTheLimits) {
  Worker worker({"--memory-max", "1073741824"});
  const std::string proc = "/proc/" + std::to_string(worker.pid());
  const std::string status = *ReadFile(proc + "/status");
  EXPECT_NE(status.find("Seccomp:\t2"), std::string::npos);
  EXPECT_NE(status.find("NoNewPrivs:\t1"), std::string::npos);
  const std::string limits = *ReadFile(proc + "/limits");
  EXPECT_NE(limits.find("Max file size             0"), std::string::npos) << limits;
  EXPECT_NE(limits.find("Max core file size        0"), std::string::npos);
  EXPECT_EQ(limits.find("Max address space         unlimited"), std::string::npos);
}

TEST(PdfWorkerTest, DoesNotTakeASocketThatExists) {
  Worker first;
  ASSERT_TRUE(first.started());
  Worker second({"--socket", first.socket()});
  EXPECT_FALSE(second.started());
  EXPECT_TRUE(WIFEXITED(second.Wait()));
  EXPECT_TRUE(Parse(&first, TwoPages()).status.ok());
}

TEST(PdfWorkerTest, WrongCommandLinesAreRefused) {
  Worker worker({"--bogus", "1"});
  EXPECT_FALSE(worker.started());
  EXPECT_EQ(WEXITSTATUS(worker.Wait()), 2);
  Worker orphan({"--parent", "1"});
  EXPECT_FALSE(orphan.started());
  EXPECT_EQ(WEXITSTATUS(orphan.Wait()), 1);
}

}  // namespace
}  // namespace ragstone::services
