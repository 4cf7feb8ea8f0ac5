// The pool with the fake worker in place of the real ones. Covers process_slot.cc, grpc_client.cc,
// parser_client.cc, embedder_client.cc, generator_client.cc and importer_client.cc as well, and of
// the model worker its shared half: model_embed_service.cc, model_generate_service.cc,
// model_fault.cc and model_options.cc.
#include "services/worker_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <thread>

#include "base/file.h"
#include "tests/testing/temp_folder.h"

namespace ragstone::services {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;
using testing::TempFolder;
namespace fs = std::filesystem;

class WorkerPoolTest : public ::testing::Test {
 protected:
  WorkerPoolTest() {
    settings_.workers_dir = folder_.path() / "workers";
    settings_.models_dir = folder_.path() / "models";
    settings_.cpu_tier = "fake";
    settings_.context_tokens_max = 4096;
    settings_.worker_memory_max = uint64_t{1} << 30;
    fs::create_directories(settings_.workers_dir);
    const fs::path fake = fs::path(RAGSTONE_FAKE_WORKERS_DIR) / "ragstone-model-fake";
    fs::create_symlink(fake, settings_.workers_dir / "ragstone-model-fake");
    fs::create_symlink(fake, settings_.workers_dir / "ragstone-pdf");
    // Under ThreadSanitizer only this process is examined: the worker is gRPC and a fake.
    ::setenv("TSAN_OPTIONS", "report_bugs=0", 1);
    ::setenv("RAGSTONE_TEST_FAULT_FILE", fault_file().c_str(), 1);
    ::setenv("RAGSTONE_TEST_BEGIN_FILE", begin_file().c_str(), 1);
    ::setenv("RAGSTONE_TEST_CANCEL_FILE", cancel_file().c_str(), 1);
  }
  ~WorkerPoolTest() override {
    ::unsetenv("RAGSTONE_TEST_FAULT_FILE");
    ::unsetenv("RAGSTONE_TEST_BEGIN_FILE");
    ::unsetenv("RAGSTONE_TEST_CANCEL_FILE");
    ::unsetenv("RAGSTONE_TEST_DELAY_MS");
  }

  void StartPool() {
    Result<std::unique_ptr<WorkerPool>> pool = WorkerPool::Start(settings_);
    ASSERT_TRUE(pool.ok()) << pool.status().ToString();
    pool_ = std::move(pool).value();
  }

  fs::path fault_file() const { return folder_.path() / "fault"; }
  fs::path begin_file() const { return folder_.path() / "begun"; }
  fs::path cancel_file() const { return folder_.path() / "cancelled"; }
  // The next request ends its worker.
  void AskForCrash() { std::ofstream(fault_file()) << "now"; }
  void Delay(int ms) { ::setenv("RAGSTONE_TEST_DELAY_MS", std::to_string(ms).c_str(), 1); }

  fs::path ModelFile(const std::string& text) {
    const fs::path file = folder_.path() / "model.gguf";
    std::ofstream(file) << text;
    return file;
  }

  llm::Embedder* Embedder(const std::string& model = "good", const std::string& name = "embedder") {
    llm::Manifest manifest;
    manifest.name = name;
    manifest.pooling = "mean";
    manifest.context_tokens = 256;
    manifest.sha256 = model;
    Result<llm::Embedder*> embedder = pool_->EmbedderFor(manifest, ModelFile(model));
    EXPECT_TRUE(embedder.ok());
    return *embedder;
  }

  llm::Generator* Generator() {
    llm::Manifest manifest;
    manifest.name = "generator";
    manifest.kind = llm::ModelKind::kGenerator;
    Result<llm::Generator*> generator = pool_->GeneratorFor(manifest, ModelFile("good"));
    EXPECT_TRUE(generator.ok());
    return *generator;
  }

  WorkerState StateOf(const std::string& role) {
    for (const WorkerState& state : pool_->States()) {
      if (state.role == role && state.starts > 0) return state;
    }
    return {};
  }

  Status Parse(const std::string& bytes, const CallContext& context = {}) {
    ingest::PageSink sink;
    sink.opened = [this](const ingest::DocumentFacts& facts) {
      facts_ = facts;
      return OkStatus();
    };
    sink.page = [this](ingest::Page page) {
      pages_.push_back(std::move(page));
      return on_page_ ? on_page_() : OkStatus();
    };
    pages_.clear();
    return pool_->pdf_parser()->Parse(bytes, limits_, sink, context);
  }

  static void WaitForFile(const fs::path& file) {
    while (!fs::exists(file)) std::this_thread::sleep_for(milliseconds(2));
  }

  TempFolder folder_;
  Settings settings_;
  std::unique_ptr<WorkerPool> pool_;
  ingest::ParseLimits limits_;
  ingest::DocumentFacts facts_;
  std::vector<ingest::Page> pages_;
  std::function<Status()> on_page_;
};

const std::vector<std::vector<int32_t>> kTexts = {{1, 2, 3, 4}, {1, 2, 3, 5}, {9, 8, 7, 6}};

TEST_F(WorkerPoolTest, EmbedsInAProcessThatIsStartedOnFirstUse) {
  StartPool();
  llm::Embedder* embedder = Embedder();
  EXPECT_EQ(StateOf("embed").starts, 0u);
  const auto info = embedder->Info({});
  ASSERT_TRUE(info.ok()) << info.status().ToString();
  const auto vectors = embedder->Embed(kTexts, {});
  ASSERT_TRUE(vectors.ok()) << vectors.status().ToString();
  ASSERT_EQ(vectors->size(), 3u * info->dimensions);
  EXPECT_EQ(*embedder->Embed(kTexts, {}), *vectors);
  const WorkerState state = StateOf("embed");
  EXPECT_EQ(state.starts, 1u);
  EXPECT_GT(state.pid, 0);
  EXPECT_GT(state.rss_bytes, 0u);
  EXPECT_EQ(state.executable, "ragstone-model-fake");
  EXPECT_EQ(state.model, "embedder");
  EXPECT_EQ(state.device, "fake");
  EXPECT_EQ(embedder, Embedder()) << "one worker for each model";
  EXPECT_TRUE(embedder->Embed({}, {})->empty());
}

TEST_F(WorkerPoolTest, LargeBatchesGoInPiecesInOrder) {
  StartPool();
  llm::Embedder* embedder = Embedder();
  std::vector<std::vector<int32_t>> texts;
  for (int i = 0; i < 700; ++i) texts.push_back({i, i + 1, i + 2, i + 3});
  texts.push_back(std::vector<int32_t>(40'000, 5));
  const auto together = embedder->Embed(texts, {});
  ASSERT_TRUE(together.ok()) << together.status().ToString();
  const size_t dimensions = together->size() / texts.size();
  for (const size_t i : {size_t{0}, size_t{256}, size_t{699}, size_t{700}}) {
    const auto alone = embedder->Embed(std::span(texts).subspan(i, 1), {});
    ASSERT_TRUE(alone.ok());
    EXPECT_TRUE(std::equal(alone->begin(), alone->end(),
                           together->begin() + static_cast<std::ptrdiff_t>(i * dimensions)));
  }
}

TEST_F(WorkerPoolTest, CrashInTheMiddleOfAnEmbeddingIsRepairedBySendingAgain) {
  StartPool();
  llm::Embedder* embedder = Embedder();
  const auto before = embedder->Embed(kTexts, {});
  AskForCrash();
  const auto after = embedder->Embed(kTexts, {});
  ASSERT_TRUE(after.ok()) << after.status().ToString();
  EXPECT_EQ(*after, *before);
  EXPECT_FALSE(fs::exists(fault_file()));
  EXPECT_EQ(StateOf("embed").starts, 2u);
  EXPECT_THAT(StateOf("embed").last_exit, HasSubstr("signal 11"));
}

TEST_F(WorkerPoolTest, RequestThatKillsTwoWorkersFailsAndTheNextOneWorks) {
  StartPool();
  llm::Embedder* embedder = Embedder();
  ASSERT_TRUE(embedder->Embed(kTexts, {}).ok());
  // Asks for the next crash as soon as the last one has happened.
  std::atomic<bool> done{false};
  AskForCrash();
  std::thread again([&] {
    while (fs::exists(fault_file())) std::this_thread::yield();
    AskForCrash();
    while (!done) std::this_thread::sleep_for(milliseconds(1));
  });
  const auto failed = embedder->Embed(kTexts, {});
  done = true;
  again.join();
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(failed.status().reason(), Reason::kWorkerCrashed);
  EXPECT_THAT(failed.status().message(), HasSubstr("signal 11 (Segmentation fault)"));
  EXPECT_TRUE(embedder->Embed(kTexts, {}).ok());
}

TEST_F(WorkerPoolTest, KilledWorkerIsReplacedAndThePoolLivesOn) {
  StartPool();
  llm::Embedder* embedder = Embedder();
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(embedder->Embed(kTexts, {}).ok());
    ::kill(static_cast<pid_t>(StateOf("embed").pid), SIGKILL);
    const auto vectors = embedder->Embed(kTexts, {});
    ASSERT_TRUE(vectors.ok()) << vectors.status().ToString();
  }
  EXPECT_EQ(StateOf("embed").starts, 4u);
}

TEST_F(WorkerPoolTest, CancellationReachesTheWorkerPromptly) {
  StartPool();
  llm::Embedder* embedder = Embedder();
  Delay(600'000);
  const CallContext context;
  std::thread canceller([this, &context] {
    WaitForFile(begin_file());
    context.flag()->Cancel();
  });
  EXPECT_EQ(embedder->Embed(kTexts, context).status().code(), StatusCode::kCancelled);
  canceller.join();
  WaitForFile(cancel_file());
  EXPECT_EQ(StateOf("embed").last_exit, "") << "the worker was not to be ended";
}

TEST_F(WorkerPoolTest, DeadlineReachesTheWorker) {
  StartPool();
  llm::Generator* generator = Generator();
  Delay(600'000);
  ASSERT_TRUE(generator->Info({}).ok());
  llm::GenerateRequest request;
  request.prompt = {{"hello", false}};
  // On a slow machine a short deadline passes before the worker has the request.
  for (int ms = 100; !fs::exists(begin_file()); ms *= 2) {
    const CallContext context(steady_clock::now() + milliseconds(ms),
                              std::make_shared<CancelFlag>());
    const auto result = generator->Generate(
        request, [](std::string_view) { return OkStatus(); }, context);
    EXPECT_EQ(result.status().code(), StatusCode::kDeadlineExceeded);
  }
  WaitForFile(cancel_file());
}

TEST_F(WorkerPoolTest, GeneratorStreamsTextAndResult) {
  StartPool();
  llm::Generator* generator = Generator();
  llm::GenerateRequest request;
  request.prompt = {{"Which colour has the sky?", false}};
  request.span_sources = {"Grass is green all year.", "The sky has a blue colour by day."};
  std::string text;
  const auto result = generator->Generate(request,
                                          [&text](std::string_view piece) {
                                            text += piece;
                                            return OkStatus();
                                          },
                                          {});
  ASSERT_TRUE(result.ok()) << result.status().ToString();
  EXPECT_EQ(result->span_source, 1);
  EXPECT_EQ(text, request.span_sources[1].substr(result->span_begin,
                                                 result->span_end - result->span_begin));
  EXPECT_EQ(result->finish_reason, "span");
  const auto counts = generator->CountTokens(std::vector<std::string>{"a", "many words here"}, {});
  ASSERT_TRUE(counts.ok());
  EXPECT_EQ(counts->size(), 2u);
  EXPECT_LT((*counts)[0], (*counts)[1]);
}

TEST_F(WorkerPoolTest, CrashBeforeAnyTextIsRepairedAfterTextItIsTold) {
  StartPool();
  llm::Generator* generator = Generator();
  llm::GenerateRequest request;
  request.prompt = {{"hello", false}};
  const auto ignore = [](std::string_view) { return OkStatus(); };
  ASSERT_TRUE(generator->Generate(request, ignore, {}).ok());
  AskForCrash();
  EXPECT_TRUE(generator->Generate(request, ignore, {}).ok());
  EXPECT_FALSE(fs::exists(fault_file()));

  request.prompt = {{"dies", false}};
  std::string text;
  const auto result = generator->Generate(request,
                                          [&text](std::string_view piece) {
                                            text += piece;
                                            return OkStatus();
                                          },
                                          {});
  EXPECT_EQ(result.status().reason(), Reason::kWorkerCrashed);
  EXPECT_EQ(text, "some text ") << "text must not be sent twice";
}

TEST_F(WorkerPoolTest, ErrorOfTheReceiverEndsTheGeneration) {
  StartPool();
  llm::GenerateRequest request;
  request.prompt = {{"hello", false}};
  const auto result = Generator()->Generate(
      request, [](std::string_view) { return Internal("the reader had enough"); }, {});
  EXPECT_EQ(result.status().message(), "the reader had enough");
}

TEST_F(WorkerPoolTest, ModelThatTheWorkerRefusesIsReportedAsTheWorkerSays) {
  StartPool();
  const auto vectors = Embedder("corrupt")->Embed(kTexts, {});
  EXPECT_EQ(vectors.status().code(), StatusCode::kDataLoss);
  EXPECT_EQ(vectors.status().reason(), Reason::kModelCorrupt);
  EXPECT_THAT(vectors.status().message(), HasSubstr("import the model again"));
}

TEST_F(WorkerPoolTest, WorkerThatDiesAtStartIsUnavailableWithHowItEnded) {
  StartPool();
  const auto vectors = Embedder("dies at start")->Embed(kTexts, {});
  EXPECT_EQ(vectors.status().reason(), Reason::kWorkerUnavailable);
  EXPECT_THAT(vectors.status().message(), HasSubstr("exit code 3"));
  // The model was repaired: the next start works after the back-off.
  EXPECT_TRUE(Embedder("good")->Embed(kTexts, {}).ok());
}

TEST_F(WorkerPoolTest, MissingExecutableNamesTheFolder) {
  fs::remove(settings_.workers_dir / "ragstone-model-fake");
  fs::remove(settings_.workers_dir / "ragstone-pdf");
  StartPool();
  const Status embed = Embedder()->Embed(kTexts, {}).status();
  EXPECT_EQ(embed.reason(), Reason::kWorkerUnavailable);
  EXPECT_THAT(embed.message(), HasSubstr(settings_.workers_dir.string()));
  const Status parse = Parse("PAGES 1");
  EXPECT_EQ(parse.reason(), Reason::kWorkerUnavailable);
  EXPECT_THAT(parse.message(), HasSubstr("ragstone-pdf"));
}

TEST_F(WorkerPoolTest, WaitingForAStartRespectsTheDeadline) {
  StartPool();
  const CallContext context(steady_clock::now() + milliseconds(50), std::make_shared<CancelFlag>());
  EXPECT_EQ(Embedder("never ready")->Embed(kTexts, context).status().code(),
            StatusCode::kDeadlineExceeded);
}

TEST_F(WorkerPoolTest, IllegalInstructionAtStartFallsToTheNextTier) {
  settings_.cpu_tier = "auto";
  fs::create_symlink(fs::path(RAGSTONE_FAKE_WORKERS_DIR) / "ragstone-model-fake",
                     settings_.workers_dir / "ragstone-model-v2");
  const fs::path avx2 = settings_.workers_dir / "ragstone-model-avx2";
  std::ofstream(avx2) << "#!/bin/sh\n[ \"$2\" = selftest ] || kill -ILL $$\n";
  fs::permissions(avx2, fs::perms::owner_all);
  StartPool();
  const auto vectors = Embedder()->Embed(kTexts, {});
  ASSERT_TRUE(vectors.ok()) << vectors.status().ToString();
  EXPECT_EQ(StateOf("embed").executable, "ragstone-model-v2");
  for (const TierState& tier : pool_->Tiers()) {
    EXPECT_EQ(tier.chosen, tier.tier == "v2") << tier.tier;
  }
}

TEST_F(WorkerPoolTest, IdleWorkersStopAndStartAgain) {
  settings_.worker_idle_s = 1;
  StartPool();
  llm::Embedder* embedder = Embedder();
  ASSERT_TRUE(embedder->Embed(kTexts, {}).ok());
  while (StateOf("embed").pid != 0) std::this_thread::sleep_for(milliseconds(20));
  while (StateOf("embed").last_exit.empty()) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_EQ(StateOf("embed").last_exit, "stopped");
  EXPECT_TRUE(embedder->Embed(kTexts, {}).ok());
  EXPECT_EQ(StateOf("embed").starts, 2u);
}

TEST_F(WorkerPoolTest, StoppedModelIsRefusedAndAFreshOneServed) {
  StartPool();
  llm::Embedder* old = Embedder();
  ASSERT_TRUE(old->Embed(kTexts, {}).ok());
  pool_->StopModel("embedder");
  EXPECT_EQ(old->Embed(kTexts, {}).status().reason(), Reason::kShuttingDown);
  EXPECT_TRUE(Embedder()->Embed(kTexts, {}).ok());
  // Another model under the same name replaces the worker.
  llm::Embedder* replaced = Embedder();
  llm::Embedder* other = Embedder("good, but other weights");
  EXPECT_NE(replaced, other);
  EXPECT_TRUE(other->Embed(kTexts, {}).ok());
}

TEST_F(WorkerPoolTest, ParserHandsPagesOnInOrder) {
  StartPool();
  const Status status = Parse("PAGES 3" + std::string(3 << 20, 'x'));
  ASSERT_TRUE(status.ok()) << status.ToString();
  EXPECT_EQ(facts_.pages, 3u);
  EXPECT_EQ(facts_.title, "Fake");
  ASSERT_EQ(pages_.size(), 3u);
  EXPECT_EQ(pages_[2].number, 3u);
  EXPECT_EQ(pages_[2].text, "Page 3\n");
  EXPECT_EQ(pages_[0].words.size(), 1u);
}

TEST_F(WorkerPoolTest, ParserReportsTheWorkersErrorsAsTheyAre) {
  StartPool();
  const Status status = Parse("ENCRYPTED");
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(status.reason(), Reason::kPdfEncrypted);
  EXPECT_TRUE(Parse("PAGES 1").ok());
}

TEST_F(WorkerPoolTest, ParserNeverSendsADocumentAgain) {
  StartPool();
  ASSERT_TRUE(Parse("PAGES 1").ok());
  const Status crashed = Parse("PAGES 3 CRASH");
  EXPECT_EQ(crashed.code(), StatusCode::kUnavailable);
  EXPECT_EQ(crashed.reason(), Reason::kWorkerCrashed);
  EXPECT_THAT(crashed.message(), HasSubstr("signal 11"));
  AskForCrash();
  EXPECT_EQ(Parse("PAGES 1").reason(), Reason::kWorkerCrashed);
  EXPECT_TRUE(Parse("PAGES 1").ok());
}

TEST_F(WorkerPoolTest, ParserBelievesNothingThatTheWorkerSays) {
  StartPool();
  EXPECT_EQ(Parse("PAGES 1 OUTSIDE").code(), StatusCode::kInternal);
  EXPECT_EQ(Parse("PAGES 3 SHORT").code(), StatusCode::kInternal);
  EXPECT_EQ(Parse("PAGES 0").code(), StatusCode::kInternal);
  limits_.pages_max = 2;
  EXPECT_EQ(Parse("PAGES 3").code(), StatusCode::kInternal);
}

TEST_F(WorkerPoolTest, SinkEndsTheParseWithItsError) {
  StartPool();
  on_page_ = [] { return ResourceExhausted(Reason::kDiskFull, "no room"); };
  EXPECT_EQ(Parse("PAGES 3").reason(), Reason::kDiskFull);
  EXPECT_EQ(pages_.size(), 1u);
}

TEST_F(WorkerPoolTest, ParseIsCancelledDownToTheWorker) {
  StartPool();
  const CallContext context;
  std::thread canceller([this, &context] {
    WaitForFile(begin_file());
    context.flag()->Cancel();
  });
  EXPECT_EQ(Parse("PAGES 2 HANG", context).code(), StatusCode::kCancelled);
  canceller.join();
  WaitForFile(cancel_file());
}

TEST_F(WorkerPoolTest, DocumentsAreParsedByProcessesOfTheirOwn) {
  StartPool();
  std::atomic<int> crashed{0};
  std::atomic<int> good{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([this, i, &crashed, &good] {
      ingest::PageSink sink;
      const std::string bytes = i % 2 == 0 ? "PAGES 40" : "PAGES 3 CRASH";
      const Status status = pool_->pdf_parser()->Parse(bytes, {}, sink, {});
      if (status.ok()) ++good;
      if (status.reason() == Reason::kWorkerCrashed) ++crashed;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 4) << "a crash must cost only the document that caused it";
  EXPECT_EQ(crashed, 4);
}

TEST_F(WorkerPoolTest, ImportRunsInAProcessThatEndsWithIt) {
  StartPool();
  const fs::path source = folder_.path() / "a.embedding";
  std::ofstream(source) << "weights";
  fs::create_directory(folder_.path() / "out");
  std::vector<std::string> progress;
  const auto note = [&progress](const std::string& line) {
    progress.push_back(line);
    return OkStatus();
  };
  const auto model = pool_->ImportModel({source, folder_.path() / "out", true}, note, {});
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  EXPECT_EQ(model->kind, "embedding");
  EXPECT_EQ(model->storage_type, "Q8_0");
  EXPECT_THAT(progress, ::testing::ElementsAre("copying"));
  EXPECT_EQ(*ReadFile(folder_.path() / "out/model.gguf"), "weights");
  EXPECT_EQ(StateOf("import").pid, 0);

  AskForCrash();
  EXPECT_EQ(pool_->ImportModel({source, folder_.path() / "out", true}, note, {}).status().reason(),
            Reason::kWorkerCrashed);
  std::ofstream(folder_.path() / "b.txt") << "x";
  EXPECT_EQ(pool_->ImportModel({folder_.path() / "b.txt", folder_.path() / "out", true}, note, {})
                .status()
                .reason(),
            Reason::kModelUnsupported);
}

TEST_F(WorkerPoolTest, SixteenThreadsWhileWorkersAreKilled) {
  StartPool();
  llm::Embedder* embedder = Embedder();
  llm::Generator* generator = Generator();
  std::atomic<bool> stop{false};
  std::atomic<int> good{0};
  std::atomic<int> wrong{0};
  // A request may meet two kills in a row; what it must never do is fail in another way.
  const auto count = [&](const Status& status) {
    if (status.ok()) {
      ++good;
    } else if (status.code() != StatusCode::kUnavailable) {
      ++wrong;
      ADD_FAILURE() << status.ToString();
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&, i] {
      for (int n = 0; n < 20; ++n) {
        if (i % 4 == 0) {
          llm::GenerateRequest request;
          request.prompt = {{"hello", false}};
          count(generator->Generate(request, [](std::string_view) { return OkStatus(); }, {})
                    .status());
        } else if (i % 4 == 1) {
          count(pool_->pdf_parser()->Parse("PAGES 2", {}, {}, {}));
        } else {
          count(embedder->Embed(kTexts, {}).status());
        }
      }
    });
  }
  std::thread killer([&] {
    while (!stop) {
      for (const WorkerState& state : pool_->States()) {
        if (state.pid > 0) ::kill(static_cast<pid_t>(state.pid), SIGKILL);
      }
      std::this_thread::sleep_for(milliseconds(150));
    }
  });
  for (std::thread& thread : threads) thread.join();
  stop = true;
  killer.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(good, 0);
  EXPECT_TRUE(embedder->Embed(kTexts, {}).ok());
}

TEST_F(WorkerPoolTest, WorkersAndSocketsAreGoneWithThePool) {
  StartPool();
  ASSERT_TRUE(Embedder()->Embed(kTexts, {}).ok());
  const pid_t pid = static_cast<pid_t>(StateOf("embed").pid);
  pool_.reset();
  EXPECT_NE(::kill(pid, 0), 0);
}

}  // namespace
}  // namespace ragstone::services
