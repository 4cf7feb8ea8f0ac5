// The whole server over a fake App. Covers server_runtime.cc and, by its parts, server.cc.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/file.h"
#include "ragstone/v1/admin.grpc.pb.h"
#include "services/rpc/status_convert.h"
#include "services/server_runtime.h"
#include "tests/testing/fake_api.h"
#include "tests/testing/temp_folder.h"

namespace ragstone::services {
namespace {

using ::testing::HasSubstr;

class ServerTest : public ::testing::Test {
 protected:
  ServerTest() {
    settings_.data_dir = folder_.path() / "data";
    settings_.models_dir = folder_.path() / "models";
    settings_.workers_dir = folder_.path() / "workers";
    settings_.grpc_listen = "127.0.0.1:0";
    settings_.cpu_tier = "auto";
    options_.listen_tcp = true;
    options_.lock_wait_ms = 0;
  }

  Result<std::unique_ptr<Server>> Start() {
    return StartServer(settings_, options_,
                       [this](std::unique_ptr<WorkerPool> workers) -> Result<std::unique_ptr<App>> {
                         if (!app_status_.ok()) return app_status_;
                         workers_ = std::move(workers);
                         auto app = std::make_unique<testing::FakeApp>();
                         app_ = app.get();
                         return std::unique_ptr<App>(std::move(app));
                       });
  }

  static Status Call(const std::string& target, const std::string& token = "") {
    grpc::ClientContext context;
    if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
    v1::GetStatusResponse response;
    const auto channel = grpc::CreateChannel(target, grpc::InsecureChannelCredentials());
    return FromGrpc(v1::AdminService::NewStub(channel)->GetStatus(&context, {}, &response));
  }

  testing::TempFolder folder_;
  Settings settings_;
  Server::Options options_;
  Status app_status_;
  std::unique_ptr<WorkerPool> workers_;
  testing::FakeApp* app_ = nullptr;
};

TEST_F(ServerTest, IsFoundThroughItsDataDirectoryWhileItRuns) {
  Result<std::unique_ptr<Server>> server = Start();
  ASSERT_TRUE(server.ok()) << server.status().ToString();
  const Result<std::string> target = FindServer(settings_.data_dir);
  ASSERT_TRUE(target.ok()) << target.status().ToString();
  EXPECT_EQ(*target, (*server)->socket_target());
  EXPECT_TRUE(Call(*target).ok());
  EXPECT_TRUE((*server)->Idle());

  const std::string token = ReadFile(settings_.data_dir / "token")->substr(0, 64);
  EXPECT_EQ(Call((*server)->tcp_address()).reason(), Reason::kTokenMissing);
  EXPECT_TRUE(Call((*server)->tcp_address(), token).ok());

  (*server)->Shutdown();
  EXPECT_TRUE(app_->shut_down);
  (*server)->Shutdown();
  EXPECT_EQ(FindServer(settings_.data_dir).status().reason(), Reason::kServerGone);
  EXPECT_EQ(Call(*target).code(), StatusCode::kUnavailable);
}

TEST_F(ServerTest, SecondServerOfADataDirectoryIsRefused) {
  Result<std::unique_ptr<Server>> first = Start();
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(Start().status().reason(), Reason::kDataDirLocked);
  EXPECT_TRUE(Call((*first)->socket_target()).ok()) << "the first one was disturbed";
  *first = nullptr;
  EXPECT_TRUE(Start().ok());
}

TEST_F(ServerTest, ListensOnTcpOnlyWhenAskedTo) {
  options_.listen_tcp = false;
  Result<std::unique_ptr<Server>> server = Start();
  ASSERT_TRUE(server.ok());
  EXPECT_EQ((*server)->tcp_address(), "");
  EXPECT_FALSE(std::filesystem::exists(settings_.data_dir / "token"));
  *server = nullptr;
  options_.listen_tcp = true;
  settings_.grpc_listen = "";
  EXPECT_EQ((*Start())->tcp_address(), "");
}

TEST_F(ServerTest, ListeningBeyondLoopbackNeedsTlsAndTouchesNothing) {
  settings_.grpc_listen = "0.0.0.0:0";
  const Status refused = Start().status();
  EXPECT_EQ(refused.code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(refused.reason(), Reason::kTlsRequired);
  EXPECT_THAT(refused.message(), HasSubstr("tls_cert"));
  EXPECT_FALSE(std::filesystem::exists(settings_.data_dir));

  settings_.tls_cert = folder_.path() / "missing.pem";
  settings_.tls_key = folder_.path() / "missing.key";
  EXPECT_THAT(Start().status().message(), HasSubstr("tls_cert"));
  std::ofstream(settings_.tls_cert) << "no certificate";
  std::ofstream(settings_.tls_key) << "no key";
  EXPECT_EQ(Start().status().reason(), Reason::kInvalidSetting);
}

TEST_F(ServerTest, BadAddressIsAnInvalidSetting) {
  settings_.grpc_listen = "example.org:7420";
  EXPECT_EQ(Start().status().reason(), Reason::kInvalidSetting);
}

TEST_F(ServerTest, FailureOfTheAppIsPassedOnAndTheLockGivenUp) {
  app_status_ = Status(StatusCode::kDataLoss, Reason::kDataCorrupt, "a block is damaged");
  EXPECT_EQ(Start().status().reason(), Reason::kDataCorrupt);
  EXPECT_EQ(FindServer(settings_.data_dir).status().reason(), Reason::kServerGone);
  app_status_ = OkStatus();
  EXPECT_TRUE(Start().ok());
}

}  // namespace
}  // namespace ragstone::services
