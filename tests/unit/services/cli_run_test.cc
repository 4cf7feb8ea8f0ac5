// Whole command lines against a fake server behind a real Unix socket. Covers services/cli/run.cc,
// connection.cc, uploads.cc and commands_add.cc, commands_ask.cc, commands_collection.cc,
// commands_document.cc, commands_job.cc, commands_model.cc, commands_search.cc, commands_serve.cc.
// main.cc is covered by tests/integration/cli_commands_test.py.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>
#include <thread>

#include "services/cli/run.h"
#include "tests/unit/services/cli_fake_server.h"

namespace ragstone::services::cli {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

struct Outcome {
  int code = -1;
  std::string out, err;
  nlohmann::json json() const { return nlohmann::json::parse(out, nullptr, false); }
};

class CliRunTest : public testing::Test {
 protected:
  CliRunTest() {
    char name[] = "/tmp/ragstone-cli-XXXXXX";
    folder_ = fs::canonical(mkdtemp(name));
    server_ = std::make_unique<FakeServer>(&state_, folder_);
    hooks_.find = [this](const fs::path&) -> Result<std::string> {
      if (server_ != nullptr) return server_->socket_target();
      return NotFound(Reason::kServerGone, "no server runs");
    };
    hooks_.start = [](const Settings&, const Server::Options&) -> Result<std::unique_ptr<Server>> {
      return Unavailable(Reason::kDataDirLocked, "locked by process 1");
    };
  }
  ~CliRunTest() override {
    server_.reset();
    fs::permissions(folder_, fs::perms::owner_all);
    fs::remove_all(folder_);
  }

  Outcome Run(std::vector<std::string> args, Terminal terminal = {}) {
    std::ostringstream out, err;
    Outcome outcome;
    args.push_back("--data-dir=" + (folder_ / "data").string());
    outcome.code = RunCli(args, {.out = &out,
                                 .err = &err,
                                 .terminal = terminal,
                                 .environment = {{"HOME", folder_.string()}},
                                 .cancel = cancel_,
                                 .hooks = hooks_});
    outcome.out = out.str();
    outcome.err = err.str();
    return outcome;
  }

  std::string File(const std::string& name, const std::string& bytes) {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << bytes;
    return (folder_ / name).string();
  }

  void AddPassage() {
    v1::Passage passage;
    passage.set_document_id("d1");
    passage.set_path("/m/pump\x1b[2J.pdf");
    passage.set_page(7);
    passage.set_heading("Care > Pump");
    passage.set_text("Press the red button.");
    passage.set_score(0.75);
    state_.passages.push_back(passage);
  }

  void SetAnswer() {
    AddPassage();
    state_.tokens = {"Press ", "it [1]."};
    state_.final.set_answer("Press it [1].");
    state_.final.set_short_answer("the red button");
    state_.final.set_answered(true);
    state_.final.set_model("smol");
    v1::Citation* citation = state_.final.add_citations();
    citation->set_n(1);
    citation->set_document_id("d1");
    citation->set_path("/m/pump.pdf");
    citation->set_page(7);
    citation->set_quote("Press the red button.");
  }

  fs::path folder_;
  FakeState state_;
  std::unique_ptr<FakeServer> server_;
  ServerHooks hooks_;
  std::shared_ptr<CancelFlag> cancel_ = std::make_shared<CancelFlag>();
};

TEST_F(CliRunTest, SearchPrintsTheDocumentedJson) {
  AddPassage();
  const Outcome outcome = Run({"search", "--json", "--top-k", "3", "red", "button"});
  EXPECT_EQ(outcome.code, 0) << outcome.out;
  EXPECT_EQ(outcome.out,
            R"({"hits":[{"document":"d1","path":"/m/pump\u001b[2J.pdf","page":7,"chunk":0,)"
            R"("score":0.75,"text":"Press the red button."}],"timings_ms":{"total":1.5}})"
            "\n");
  EXPECT_EQ(state_.searched.query(), "red button");
  EXPECT_EQ(state_.searched.top_k(), 3u);
  EXPECT_EQ(state_.searched.collection(), "default");
  EXPECT_FALSE(state_.searched.has_filter());
  Run({"search", "--filter", "year > 2000", "q"});
  EXPECT_EQ(state_.searched.filter().expression(), "year > 2000");
}

TEST_F(CliRunTest, SearchForPeopleNeverPrintsControls) {
  AddPassage();
  const Outcome outcome = Run({"search", "x"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out,
            "1. /m/pump\uFFFD[2J.pdf, p. 7  0.750\n   Care > Pump\n   Press the red button.\n");
}

TEST_F(CliRunTest, ErrorsOfTheServerKeepCodeAndReason) {
  state_.search_status =
      FakeError(grpc::NOT_FOUND, "COLLECTION_NOT_FOUND", "no collection is named x");
  const Outcome text = Run({"search", "--collection", "x", "q"});
  EXPECT_EQ(text.code, 1);
  EXPECT_EQ(text.out, "");
  EXPECT_EQ(text.err, "error: no collection is named x (COLLECTION_NOT_FOUND)\n");
  const Outcome json = Run({"search", "--json", "--collection", "x", "q"});
  EXPECT_EQ(json.code, 1);
  EXPECT_EQ(json.err, "");
  EXPECT_EQ(json.json(),
            nlohmann::json::parse(R"({"error":{"code":"NOT_FOUND","reason":"COLLECTION_NOT_FOUND",)"
                                  R"("message":"no collection is named x"}})"));
}

TEST_F(CliRunTest, AskPrintsTheDocumentedJson) {
  SetAnswer();
  const Outcome outcome = Run({"ask", "--json", "how?"});
  EXPECT_EQ(outcome.code, 0);
  const nlohmann::json json = outcome.json();
  EXPECT_EQ(json["answer"], "Press it [1].");
  EXPECT_EQ(json["short_answer"], "the red button");
  EXPECT_EQ(json["answered"], true);
  EXPECT_EQ(json["model"], "smol");
  EXPECT_EQ(json["citations"][0]["page"], 7);
  EXPECT_EQ(json["evidence"][0]["document"], "d1");
  EXPECT_TRUE(json["timings_ms"].is_object());
  EXPECT_EQ(json.size(), 7u);
}

TEST_F(CliRunTest, AskPrintsTheAnswerOnceAndItsCitations) {
  SetAnswer();
  const std::string citation = "[1] /m/pump.pdf, p. 7: \"Press the red button.\"\n";
  EXPECT_EQ(Run({"ask", "how?"}).out, "Press it [1].\n\n" + citation);
  EXPECT_EQ(Run({"ask", "how?"}, {.out = true}).out, "Press it [1].\n\n" + citation);
}

TEST_F(CliRunTest, AskShowsTheCheckedAnswerWhenItDiffersFromTheStream) {
  SetAnswer();
  state_.tokens = {"Drink it."};
  EXPECT_THAT(Run({"ask", "how?"}, {.out = true}).out, HasSubstr("Drink it.\n\nPress it [1].\n"));
}

TEST_F(CliRunTest, NoAnswerIsExitCodeThreeWithTheNearestPassages) {
  AddPassage();
  state_.final.set_answer("Your documents do not say.");
  const Outcome text = Run({"ask", "who?"});
  EXPECT_EQ(text.code, 3);
  EXPECT_EQ(text.out, "Your documents do not say.\n");
  EXPECT_THAT(text.err, HasSubstr("Press the red button."));
  const Outcome json = Run({"ask", "--json", "who?"});
  EXPECT_EQ(json.code, 3);
  EXPECT_EQ(json.json()["answered"], false);
}

TEST_F(CliRunTest, AskWithFilesAsksOnlyThem) {
  SetAnswer();
  const std::string a = File("a.pdf", "A"), b = File("b.pdf", "B");
  const Outcome outcome = Run({"ask", "--file", a, b, "what", "now?"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(state_.asked.question(), "what now?");
  EXPECT_THAT(state_.asked.attachments(), ElementsAre("id-a.pdf", "id-b.pdf"));
  MutexLock lock(&state_.mutex);
  EXPECT_THAT(state_.collections, ElementsAre(".attachments", ".attachments"));
}

TEST_F(CliRunTest, AskWithFilesButWithoutAQuestionIsWrongUsage) {
  const std::string a = File("a.pdf", "A"), b = File("b.pdf", "B");
  EXPECT_EQ(Run({"ask", "--file", a, b}).code, 2);
  const Outcome missing = Run({"ask", "--file", "/nonexistent.pdf", "why?", "--json"});
  EXPECT_EQ(missing.code, 1);
  EXPECT_EQ(missing.json()["error"]["reason"], "FILE_NOT_FOUND");
}

TEST_F(CliRunTest, AddSendsEveryFileOfAFolder) {
  File("docs/b.md", std::string(600000, 'x'));
  File("docs/sub/a.txt", "text");
  File("docs/skip.exe", "no");
  const Outcome outcome = Run({"add", (folder_ / "docs").string()});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("skipped 1 file of other types"));
  EXPECT_THAT(outcome.err, HasSubstr("2 added, 0 unchanged, 0 failed; 4 pages, 10 chunks"));
  MutexLock lock(&state_.mutex);
  EXPECT_THAT(state_.added, testing::UnorderedElementsAre((folder_ / "docs/b.md").string(),
                                                          (folder_ / "docs/sub/a.txt").string()));
  EXPECT_THAT(state_.bytes, testing::UnorderedElementsAre(600000u, 4u));
  EXPECT_THAT(state_.collections, ElementsAre("default", "default"));
}

TEST_F(CliRunTest, AddKeepsTheOthersWhenOneFileFails) {
  File("docs/a.txt", "text");
  File("docs/empty.txt", "");
  const Outcome text = Run({"add", (folder_ / "docs").string()});
  EXPECT_EQ(text.code, 1);
  EXPECT_THAT(text.err, HasSubstr("docs/empty.txt: the file is empty (EMPTY_FILE)\n"));
  EXPECT_THAT(text.err, HasSubstr("1 added, 0 unchanged, 1 failed"));
  const Outcome json = Run({"add", "--json", (folder_ / "docs").string(), "/nonexistent"});
  EXPECT_EQ(json.code, 1);
  EXPECT_EQ(json.json()["documents"].size(), 1u);
  EXPECT_EQ(json.json()["documents"][0]["id"], "id-a.txt");
  EXPECT_EQ(json.json()["failed"].size(), 2u);
  EXPECT_EQ(json.json()["failed"][0]["error"]["reason"], "FILE_NOT_FOUND");
  EXPECT_EQ(json.json()["failed"][1]["error"]["reason"], "EMPTY_FILE");
  EXPECT_EQ(json.json()["unchanged"], 0);
}

TEST_F(CliRunTest, AddCountsUnchangedFiles) {
  state_.unchanged = true;
  const Outcome outcome = Run({"add", File("a.txt", "text")});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.err, HasSubstr("0 added, 1 unchanged, 0 failed; 0 pages"));
}

TEST_F(CliRunTest, AddTriesAgainWhileTheQueueIsFull) {
  state_.queue_full = 3;
  const Outcome outcome = Run({"add", File("a.txt", "text")});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(state_.accepted, 1);
}

TEST_F(CliRunTest, AddSaysOnceWhatMeetsEveryFile) {
  for (int i = 0; i < 40; ++i) File("docs/" + std::to_string(i) + ".txt", "text");
  const Outcome outcome = Run({"add", "--collection", "nomodel", (folder_ / "docs").string()});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("0 added, 0 unchanged, 0 failed, 40 not accepted"));
  const size_t first = outcome.err.find("MODEL_NOT_FOUND");
  EXPECT_NE(first, std::string::npos);
  EXPECT_EQ(outcome.err.find("MODEL_NOT_FOUND", first + 1), std::string::npos);
}

TEST_F(CliRunTest, AddOfNothingIsAnError) {
  fs::create_directories(folder_ / "empty");
  const Outcome outcome = Run({"add", "--json", (folder_ / "empty").string()});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.json()["error"]["reason"], "INVALID_ARGUMENT");
}

TEST_F(CliRunTest, WhenTheServerGoesAwayAddSaysWhichJobsGoOn) {
  state_.hang = true;
  const std::string path = File("a.txt", "text");
  std::thread killer([this] {
    while (state_.accepted == 0) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    server_->Shutdown();
  });
  const Outcome outcome = Run({"add", "--json", path});
  killer.join();
  EXPECT_EQ(outcome.code, 1);
  const nlohmann::json json = outcome.json();
  EXPECT_EQ(json["error"]["code"], "UNAVAILABLE");
  EXPECT_EQ(json["error"]["reason"], "SERVER_GONE");
  EXPECT_THAT(json["error"]["message"].get<std::string>(),
              HasSubstr("will be finished when the server is back"));
  EXPECT_EQ(json["failed"][0]["job"], "job-1");
}

TEST_F(CliRunTest, AnInterruptedAddSaysWhatGoesOn) {
  state_.hang = true;
  for (int i = 0; i < 20; ++i) File("docs/" + std::to_string(i) + ".txt", "text");
  std::thread user([this] {
    while (state_.accepted < 8) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    std::this_thread::sleep_for(std::chrono::milliseconds(200));  // so that most were read
    cancel_->Cancel();
  });
  const Outcome outcome = Run({"add", (folder_ / "docs").string()});
  user.join();
  EXPECT_EQ(outcome.code, 1);
  EXPECT_THAT(outcome.err, HasSubstr("accepted files will be finished by the server"));
  // Eight streams are open at a time; how many acknowledgements were read is a matter of moments.
  std::smatch left, goes_on;
  ASSERT_TRUE(std::regex_search(outcome.err, left, std::regex("(\\d+) not accepted")));
  ASSERT_TRUE(std::regex_search(outcome.err, goes_on, std::regex("(\\d+) accepted files? will")));
  EXPECT_EQ(std::stoi(left[1]) + std::stoi(goes_on[1]), 20);
  EXPECT_GE(std::stoi(left[1]), 12);
}

TEST_F(CliRunTest, ListsAreReadToTheirEnd) {
  state_.documents = 5;
  EXPECT_EQ(Run({"document", "list", "--json"}).json()["documents"].size(), 5u);
  const Outcome text = Run({"document", "list"});
  EXPECT_THAT(text.out, HasSubstr("d4"));
  const Outcome endless = Run({"job", "list", "--json"});
  EXPECT_EQ(endless.json()["error"]["code"], "INTERNAL");
}

TEST_F(CliRunTest, DocumentCommandsShowAndDelete) {
  EXPECT_THAT(Run({"document", "show", "d0"}).out, HasSubstr("Title\uFFFD[2J"));
  EXPECT_EQ(Run({"document", "show", "--json", "d0"}).json()["document"]["id"], "d0");
  const auto changed = Run({"document", "update", "d0", "--meta", "year=2022", "--meta", "lang=en",
                            "--unset", "draft", "--json"})
                           .json()["document"]["metadata"];
  EXPECT_EQ(changed.dump(), R"({"lang":"en","year":2022})");
  EXPECT_EQ(Run({"document", "update", "d0"}).code, 2);
  EXPECT_EQ(Run({"document", "update", "d0", "--meta", "year"}).code, 2);
  EXPECT_EQ(Run({"document", "delete", "d0"}).code, 0);
  EXPECT_EQ(Run({"document", "delete", "d9", "--json"}).json()["error"]["reason"],
            "DOCUMENT_NOT_FOUND");
}

TEST_F(CliRunTest, CollectionCommandsWork) {
  EXPECT_EQ(Run({"collection", "create", "x", "--json"}).json()["collection"]["name"], "x");
  EXPECT_THAT(Run({"collection", "list"}).out, HasSubstr("manuals"));
  EXPECT_THAT(Run({"collection", "show", "x"}).out, HasSubstr("flat: few vectors"));
  const auto altered =
      Run({"collection", "alter", "x", "--mode", "keyword", "--unrelated-cosine=0.7", "--json"})
          .json()["collection"];
  EXPECT_EQ(altered["default_mode"], "keyword");
  EXPECT_EQ(altered["unrelated_cosine"], 0.7);
  EXPECT_EQ(Run({"collection", "delete", "x", "--json"}).json()["documents_deleted"], 3);
}

TEST_F(CliRunTest, JobCommandsWork) {
  EXPECT_EQ(Run({"job", "show", "j1", "--json"}).json()["job"]["error"]["reason"], "NOT_PDF");
  EXPECT_THAT(Run({"job", "show", "j1"}).out, HasSubstr("failed"));
  EXPECT_EQ(Run({"job", "cancel", "j1", "--json"}).json()["job"]["state"], "cancelled");
}

TEST_F(CliRunTest, ModelCommandsWork) {
  EXPECT_THAT(Run({"model", "list"}).out, HasSubstr("minilm"));
  const std::string file = File("m.gguf", "x");
  const Outcome import = Run({"model", "import", (folder_ / "." / "m.gguf").string(), "--default"});
  EXPECT_EQ(import.code, 0);
  EXPECT_THAT(import.err, HasSubstr("reading\ninstalled minilm"));
  EXPECT_EQ(state_.imported.path(), file);
  EXPECT_TRUE(state_.imported.make_default());
  EXPECT_EQ(Run({"model", "import", "/nonexistent"}).code, 1);
  EXPECT_EQ(Run({"model", "remove", "m", "--json"}).json()["error"]["reason"], "MODEL_IN_USE");
}

TEST_F(CliRunTest, WithoutAServerOneRunsInThisProcess) {
  AddPassage();
  server_.reset();
  int started = 0;
  hooks_.start = [&](const Settings& settings,
                     const Server::Options& options) -> Result<std::unique_ptr<Server>> {
    ++started;
    EXPECT_FALSE(options.listen_tcp);
    EXPECT_EQ(settings.data_dir, folder_ / "data");
    return std::unique_ptr<Server>(std::make_unique<FakeServer>(&state_, folder_));
  };
  EXPECT_EQ(Run({"search", "--json", "q"}).json()["hits"].size(), 1u);
  EXPECT_EQ(started, 1);
}

TEST_F(CliRunTest, AServerThatAppearsWhileTheLockIsHeldIsUsed) {
  auto server = std::move(server_);
  int tries = 0;
  hooks_.start = [&](const Settings&, const Server::Options&) -> Result<std::unique_ptr<Server>> {
    if (++tries == 3) server_ = std::move(server);
    return Unavailable(Reason::kDataDirLocked, "locked by process 1");
  };
  EXPECT_EQ(Run({"search", "--json", "q"}).code, 0);
  EXPECT_EQ(tries, 3);
}

TEST_F(CliRunTest, ALockThatIsNeverReleasedIsReported) {
  server_.reset();
  const Outcome outcome = Run({"collection", "list", "--json"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_EQ(outcome.json()["error"]["reason"], "DATA_DIR_LOCKED");
}

TEST_F(CliRunTest, ServePrintsItsAddressesAndStopsWhenTold) {
  server_.reset();
  hooks_.start = [&](const Settings&,
                     const Server::Options& options) -> Result<std::unique_ptr<Server>> {
    EXPECT_TRUE(options.listen_tcp);
    return std::unique_ptr<Server>(std::make_unique<FakeServer>(&state_, folder_));
  };
  cancel_->Cancel();
  const Outcome outcome = Run({"serve", "--json"});
  EXPECT_EQ(outcome.code, 0);
  const nlohmann::json json = outcome.json();
  EXPECT_EQ(json["socket"], "unix:" + (folder_ / "api.sock").string());
  EXPECT_EQ(json["grpc"], "127.0.0.1:7420");
  EXPECT_EQ(json["token_file"], (folder_ / "data" / "token").string());
  EXPECT_EQ(json["pid"], getpid());
}

TEST_F(CliRunTest, WrongSettingsAreWrongUsageOnlyAsFlags) {
  EXPECT_EQ(Run({"search", "--ask-top-k", "many", "q"}).code, 2);
  const std::string config = File("bad.toml", "ask_top_k = \"many\"\n");
  const Outcome file = Run({"search", "--config", config, "q", "--json"});
  EXPECT_EQ(file.code, 1);
  EXPECT_EQ(file.json()["error"]["reason"], "INVALID_SETTING");
  const Outcome usage = Run({"search", "--json", "--modee", "x", "q"});
  EXPECT_EQ(usage.code, 2);
  EXPECT_EQ(usage.json()["error"]["code"], "INVALID_ARGUMENT");
}

TEST_F(CliRunTest, VersionNeedsNothing) {
  EXPECT_THAT(Run({"version"}).out, testing::StartsWith("ragstone "));
  EXPECT_TRUE(Run({"version", "--json"}).json()["version"].is_string());
}

}  // namespace
}  // namespace ragstone::services::cli
