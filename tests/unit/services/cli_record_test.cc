// `ragstone record` against a fake VectorService behind a real Unix socket. Covers
// commands_record.cc and commands_record_upsert.cc.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "ragstone/v1/vector.grpc.pb.h"
#include "services/cli/run.h"
#include "tests/testing/temp_folder.h"
#include "tests/unit/services/cli_fake_server.h"

namespace ragstone::services::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Answers with what it was asked; refuses records whose id is "bad".
class FakeVectors : public v1::VectorService::Service {
 public:
  std::vector<v1::UpsertRecordStreamRequest> batches;
  v1::CreateRecordCollectionRequest created;
  v1::DeleteRecordsRequest deleted;
  v1::SearchRecordsRequest searched;
  std::vector<v1::ScrollRecordsRequest> scrolled;

  grpc::Status CreateRecordCollection(grpc::ServerContext*,
                                      const v1::CreateRecordCollectionRequest* request,
                                      v1::CreateRecordCollectionResponse* response) override {
    created = *request;
    *response->mutable_collection()->mutable_spec() = request->spec();
    return grpc::Status::OK;
  }
  grpc::Status ListRecordCollections(grpc::ServerContext*, const v1::ListRecordCollectionsRequest*,
                                     v1::ListRecordCollectionsResponse* response) override {
    response->add_collections()->mutable_spec()->set_name("articles");
    return grpc::Status::OK;
  }
  grpc::Status GetRecordCollection(grpc::ServerContext*,
                                   const v1::GetRecordCollectionRequest* request,
                                   v1::GetRecordCollectionResponse* response) override {
    v1::RecordCollection* collection = response->mutable_collection();
    collection->mutable_spec()->set_name(request->name());
    collection->mutable_spec()->add_vectors()->set_dimensions(7);
    collection->mutable_spec()->add_sparse_vectors()->set_name("words");
    collection->mutable_spec()->add_fields()->set_name("year");
    collection->add_index("exact: few vectors\x1b[2J");
    return grpc::Status::OK;
  }
  grpc::Status DropRecordCollection(grpc::ServerContext*,
                                    const v1::DropRecordCollectionRequest* request,
                                    v1::DropRecordCollectionResponse*) override {
    if (request->name() == "articles") return grpc::Status::OK;
    return FakeError(grpc::NOT_FOUND, "COLLECTION_NOT_FOUND", "no collection is named x");
  }
  grpc::Status UpsertRecordStream(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<v1::UpsertRecordStreamResponse, v1::UpsertRecordStreamRequest>*
          stream) override {
    v1::UpsertRecordStreamRequest request;
    while (stream->Read(&request)) {
      for (int i = 0; i < request.records_size(); ++i) {
        if (request.records(i).id() == "odd") {
          return FakeError(grpc::INVALID_ARGUMENT, "INVALID_ARGUMENT", "record \"odd\": no");
        }
        if (request.records(i).id() != "bad") continue;
        return FakeError(grpc::INVALID_ARGUMENT, "INVALID_ARGUMENT",
                         "batch 0: records[" + std::to_string(i) + "] is bad");
      }
      batches.push_back(request);
      v1::UpsertRecordStreamResponse response;
      response.set_batch(batches.size() - 1);
      response.set_affected(static_cast<uint64_t>(request.records_size()));
      response.set_version(batches.size());
      stream->Write(response);
    }
    return grpc::Status::OK;
  }
  grpc::Status GetRecords(grpc::ServerContext*, const v1::GetRecordsRequest* request,
                          v1::GetRecordsResponse* response) override {
    for (const std::string& id : request->ids()) {
      if (id != "gone") response->add_records()->set_id(id);
    }
    return grpc::Status::OK;
  }
  grpc::Status DeleteRecords(grpc::ServerContext*, const v1::DeleteRecordsRequest* request,
                             v1::DeleteRecordsResponse* response) override {
    deleted = *request;
    response->set_affected(3);
    return grpc::Status::OK;
  }
  grpc::Status CountRecords(grpc::ServerContext*, const v1::CountRecordsRequest* request,
                            v1::CountRecordsResponse* response) override {
    response->set_count(request->filter().expression().size());
    return grpc::Status::OK;
  }
  grpc::Status SearchRecords(grpc::ServerContext*, const v1::SearchRecordsRequest* request,
                             v1::SearchRecordsResponse* response) override {
    searched = *request;
    v1::RecordHit* hit = response->add_hits();
    hit->mutable_record()->set_id("a\x1b[2J");
    hit->set_score(0.5);
    hit->set_group("\"en\"");
    return grpc::Status::OK;
  }
  grpc::Status ScrollRecords(grpc::ServerContext*, const v1::ScrollRecordsRequest* request,
                             v1::ScrollRecordsResponse* response) override {
    scrolled.push_back(*request);
    response->add_records()->set_id(request->page_token().empty() ? "a" : "b");
    if (request->page_token().empty()) response->set_next_page_token("next");
    return grpc::Status::OK;
  }
};

class FakeVectorServer : public Server {
 public:
  FakeVectorServer(FakeVectors* vectors, const std::string& target) : target_(target) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(target_, grpc::InsecureServerCredentials());
    builder.RegisterService(vectors);
    server_ = builder.BuildAndStart();
  }
  ~FakeVectorServer() override { Shutdown(); }
  std::string socket_target() const override { return target_; }
  std::string tcp_address() const override { return ""; }
  bool Idle() const override { return true; }
  void Shutdown() override { server_->Shutdown(std::chrono::system_clock::now()); }

 private:
  const std::string target_;
  std::unique_ptr<grpc::Server> server_;
};

class CliRecordTest : public ::testing::Test {
 protected:
  struct Outcome {
    int code = -1;
    std::string out, err;
    nlohmann::json json() const { return nlohmann::json::parse(out, nullptr, false); }
  };

  Outcome Run(std::vector<std::string> args) {
    std::ostringstream out, err;
    args.insert(args.begin(), "record");
    args.push_back("--data-dir=" + (folder_.path() / "data").string());
    ServerHooks hooks;
    hooks.find = [this](const auto&) -> Result<std::string> { return server_.socket_target(); };
    Outcome outcome;
    outcome.code = RunCli(args, {.out = &out,
                                 .err = &err,
                                 .terminal = {},
                                 .environment = {{"HOME", folder_.path().string()}},
                                 .cancel = std::make_shared<CancelFlag>(),
                                 .hooks = hooks});
    outcome.out = out.str();
    outcome.err = err.str();
    return outcome;
  }

  std::string File(const std::string& name, const std::string& bytes) {
    std::ofstream(folder_.path() / name) << bytes;
    return (folder_.path() / name).string();
  }

  ragstone::testing::TempFolder folder_;
  FakeVectors vectors_;
  FakeVectorServer server_{&vectors_, "unix:" + (folder_.path() / "api.sock").string()};
};

TEST_F(CliRecordTest, CollectionsAreMadeShownAndDropped) {
  const std::string spec = File("spec.json", R"({"name":"articles","vectors":[{"dimensions":4}]})");
  const Outcome created = Run({"create", spec, "--json"});
  EXPECT_EQ(created.code, 0) << created.out;
  EXPECT_EQ(created.json()["collection"]["name"], "articles");
  EXPECT_EQ(vectors_.created.spec().vectors(0).dimensions(), 4u);
  EXPECT_THAT(Run({"collections"}).out, HasSubstr("articles"));
  EXPECT_EQ(Run({"collections", "--json"}).json()["collections"].size(), 1u);
  const Outcome shown = Run({"show", "articles"});
  EXPECT_THAT(shown.out, HasSubstr("7 dimensions"));
  EXPECT_THAT(shown.out, ::testing::Not(HasSubstr("\x1b")));
  EXPECT_EQ(Run({"drop", "articles", "--json"}).json()["dropped"], "articles");
  EXPECT_EQ(Run({"drop", "x", "--json"}).json()["error"]["reason"], "COLLECTION_NOT_FOUND");
  const Outcome bad = Run({"create", File("bad.json", "{"), "--json"});
  EXPECT_EQ(bad.code, 1);
  EXPECT_THAT(bad.json()["error"]["message"].get<std::string>(), HasSubstr("bad.json: this is"));
}

TEST_F(CliRecordTest, RecordsAreSentInBatches) {
  std::string lines;
  for (int i = 0; i < 2500; ++i) {
    lines += R"({"id":"r)" + std::to_string(i) + R"(","vector":[1,2]})" + "\n";
    if (i == 5) lines += "\n  \n";
  }
  const Outcome outcome = Run({"upsert", "articles", File("in.jsonl", lines), "--json"});
  EXPECT_EQ(outcome.code, 0) << outcome.out;
  EXPECT_EQ(outcome.json(), nlohmann::json::parse(R"({"written":2500,"version":3})"));
  ASSERT_EQ(vectors_.batches.size(), 3u);
  EXPECT_EQ(vectors_.batches[0].collection(), "articles");
  EXPECT_EQ(vectors_.batches[2].records_size(), 500);
  EXPECT_EQ(vectors_.batches[2].records(499).id(), "r2499");
  EXPECT_EQ(Run({"upsert", "articles", File("empty.jsonl", "")}).err, "wrote 0 records\n");
}

TEST_F(CliRecordTest, MistakesNameTheLine) {
  const std::string good = R"({"id":"a","vector":[1]})"
                           "\n";
  const Outcome unreadable = Run({"upsert", "c", File("in.jsonl", good + "\n{\n"), "--json"});
  EXPECT_EQ(unreadable.code, 1);
  EXPECT_THAT(unreadable.json()["error"]["message"].get<std::string>(),
              HasSubstr("in.jsonl, line 3: this is not JSON"));
  const Outcome refused =
      Run({"upsert", "c", File("in.jsonl", good + "\n" + R"({"id":"bad"})"), "--json"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_EQ(refused.json()["error"]["reason"], "INVALID_ARGUMENT");
  EXPECT_THAT(refused.json()["error"]["message"].get<std::string>(),
              HasSubstr("in.jsonl, line 3: batch 0: records[1] is bad (0 records were written"));
  EXPECT_THAT(Run({"upsert", "c", File("in.jsonl", good + R"({"id":"odd"})")}).err,
              HasSubstr("in.jsonl, line 2: record \"odd\": no"));
  EXPECT_EQ(Run({"upsert", "c", "/nowhere/x", "--json"}).json()["error"]["reason"],
            "FILE_NOT_FOUND");
}

TEST_F(CliRecordTest, RecordsAreFoundAndRead) {
  const std::string vector = File("q.json", "[1, 2]");
  const Outcome found =
      Run({"search", "c", "--vector", vector, "--vector-name", "title", "--filter", "year = 1",
           "-k", "3", "--group-by", "lang", "--exact", "--json", "oil", "pump"});
  EXPECT_EQ(found.code, 0) << found.out;
  EXPECT_EQ(found.json()["hits"][0]["group"], "\"en\"");
  const v1::RecordQuery& query = vectors_.searched.query();
  EXPECT_EQ(query.vector().dense().values_size(), 2);
  EXPECT_EQ(query.vector_name(), "title");
  EXPECT_EQ(query.text(), "oil pump");
  EXPECT_EQ(query.filter().expression(), "year = 1");
  EXPECT_EQ(query.top_k(), 3u);
  EXPECT_EQ(query.group_by(), "lang");
  EXPECT_TRUE(query.exact());
  EXPECT_THAT(Run({"search", "c", "x"}).out, HasSubstr("0.5  {\"id\":\"a\\u001b[2J\""));
  EXPECT_EQ(Run({"search", "c", "--top-k", "10001"}).code, 2);

  const Outcome got = Run({"get", "c", "a", "gone"});
  EXPECT_EQ(got.out, "{\"id\":\"a\",\"payload\":{},\"version\":0}\n");
  EXPECT_EQ(got.err, "1 of 2 records are not there\n");
  EXPECT_EQ(Run({"get", "c", "a", "gone", "--json"}).json()["records"].size(), 1u);
  EXPECT_EQ(Run({"count", "c", "--filter", "draft"}).out, "5\n");
  EXPECT_EQ(Run({"count", "c", "--json"}).json()["count"], 0);
}

TEST_F(CliRecordTest, AllPagesAreExported) {
  const Outcome out = Run({"export", "c", "--filter", "year = 1"});
  EXPECT_EQ(out.out,
            "{\"id\":\"a\",\"payload\":{},\"version\":0}\n"
            "{\"id\":\"b\",\"payload\":{},\"version\":0}\n");
  ASSERT_EQ(vectors_.scrolled.size(), 2u);
  EXPECT_TRUE(vectors_.scrolled[1].read().with_vectors());
  EXPECT_EQ(vectors_.scrolled[1].filter().expression(), "year = 1");
  Run({"export", "c", "--without-vectors"});
  EXPECT_FALSE(vectors_.scrolled.back().read().with_vectors());
}

TEST_F(CliRecordTest, DeletingNeedsOneSelection) {
  EXPECT_EQ(Run({"delete", "c", "--json", "a", "b"}).json()["deleted"], 3);
  EXPECT_THAT(vectors_.deleted.selector().ids().ids(), ElementsAre("a", "b"));
  EXPECT_EQ(Run({"delete", "c", "--filter", "draft"}).err, "deleted 3 records\n");
  EXPECT_EQ(vectors_.deleted.selector().filter().expression(), "draft");
  EXPECT_EQ(Run({"delete", "c", "--all"}).code, 0);
  EXPECT_TRUE(vectors_.deleted.selector().all());
  EXPECT_EQ(Run({"delete", "c"}).code, 2);
  EXPECT_EQ(Run({"delete", "c", "a", "--all"}).code, 2);
}

}  // namespace
}  // namespace ragstone::services::cli
