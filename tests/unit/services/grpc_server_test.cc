// A gRPC server over a fake Api. Covers adapter.cc and service_bindings.cc as well.
#include "services/rpc/grpc_server.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/client_unary_call.h>
#include <grpcpp/impl/codegen/sync_stream.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <thread>

#include "ragstone/v1/admin.grpc.pb.h"
#include "ragstone/v1/answer.grpc.pb.h"
#include "ragstone/v1/collection.grpc.pb.h"
#include "ragstone/v1/document.grpc.pb.h"
#include "ragstone/v1/job.grpc.pb.h"
#include "ragstone/v1/model.grpc.pb.h"
#include "ragstone/v1/search.grpc.pb.h"
#include "ragstone/v1/vector.grpc.pb.h"
#include "services/rpc/status_convert.h"
#include "tests/testing/fake_api.h"
#include "tests/testing/temp_folder.h"

namespace ragstone::services {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

const std::string kToken(64, 't');

class GrpcServerTest : public ::testing::Test {
 protected:
  GrpcServerTest() {
    options_.socket = folder_.path() / "api.sock";
    options_.tcp = ListenAddress{"127.0.0.1", 0, true};
    options_.token = kToken;
  }

  void Start() {
    Result<std::unique_ptr<GrpcServer>> server = GrpcServer::Start(&api_, options_);
    ASSERT_TRUE(server.ok()) << server.status().ToString();
    server_ = std::move(server).value();
    socket_ = grpc::CreateChannel(server_->socket_target(), grpc::InsecureChannelCredentials());
    tcp_ = grpc::CreateChannel(server_->tcp_address(), grpc::InsecureChannelCredentials());
  }

  static Status GetStatus(const std::shared_ptr<grpc::Channel>& channel,
                          const std::string& authorization = "") {
    grpc::ClientContext context;
    if (!authorization.empty()) context.AddMetadata("authorization", authorization);
    v1::GetStatusResponse response;
    return FromGrpc(v1::AdminService::NewStub(channel)->GetStatus(&context, {}, &response));
  }

  testing::TempFolder folder_;
  testing::FakeApp api_;
  GrpcServer::Options options_;
  std::unique_ptr<GrpcServer> server_;
  std::shared_ptr<grpc::Channel> socket_, tcp_;
};

TEST_F(GrpcServerTest, EveryMethodOfTheApiIsBound) {
  Start();
  int called = 0;
#define RAGSTONE_CALL(service, method)                                                     \
  {                                                                                        \
    grpc::ClientContext context;                                                           \
    v1::method##Response response;                                                         \
    const grpc::Status status =                                                            \
        v1::service::NewStub(socket_)->method(&context, v1::method##Request(), &response); \
    EXPECT_TRUE(status.ok()) << #method << ": " << status.error_message();                 \
    EXPECT_EQ(api_.calls, ++called) << #method;                                            \
  }
  RAGSTONE_UNARY_RPCS(RAGSTONE_CALL)
#undef RAGSTONE_CALL
  grpc::ClientContext watch, ask, import, add;
  v1::WatchJobResponse watched;
  auto watching = v1::JobService::NewStub(socket_)->WatchJob(&watch, {});
  EXPECT_FALSE(watching->Read(&watched));
  EXPECT_TRUE(watching->Finish().ok());
  v1::AskResponse answer;
  auto asking = v1::AnswerService::NewStub(socket_)->Ask(&ask, {});
  EXPECT_FALSE(asking->Read(&answer));
  EXPECT_TRUE(asking->Finish().ok());
  v1::ImportModelResponse imported;
  auto importing = v1::ModelService::NewStub(socket_)->ImportModel(&import, {});
  EXPECT_TRUE(importing->Read(&imported));
  EXPECT_EQ(imported.progress(), "converting");
  EXPECT_FALSE(importing->Read(&imported));
  EXPECT_TRUE(importing->Finish().ok());
  auto adding = v1::DocumentService::NewStub(socket_)->AddDocument(&add);
  EXPECT_TRUE(adding->WritesDone());
  EXPECT_TRUE(adding->Finish().ok());
  grpc::ClientContext upsert;
  auto upserting = v1::VectorService::NewStub(socket_)->UpsertRecordStream(&upsert);
  v1::UpsertRecordStreamRequest batch;
  batch.add_records();
  v1::UpsertRecordStreamResponse acknowledged;
  EXPECT_TRUE(upserting->Write(batch));
  EXPECT_TRUE(upserting->Read(&acknowledged));
  EXPECT_EQ(acknowledged.affected(), 1u);
  EXPECT_TRUE(upserting->WritesDone());
  EXPECT_TRUE(upserting->Finish().ok());
  EXPECT_EQ(api_.calls, called + 5);
}

TEST_F(GrpcServerTest, SocketIsPrivateAndTrusted) {
  Start();
  struct stat info {};
  ASSERT_EQ(::stat(options_.socket.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_TRUE(GetStatus(socket_).ok());
  EXPECT_TRUE(api_.trusted);
}

TEST_F(GrpcServerTest, TcpRefusesCallsWithoutTheTokenBeforeTheHandler) {
  Start();
  EXPECT_EQ(GetStatus(tcp_).code(), StatusCode::kUnauthenticated);
  EXPECT_EQ(GetStatus(tcp_).reason(), Reason::kTokenMissing);
  EXPECT_EQ(GetStatus(tcp_, "Bearer wrong").reason(), Reason::kTokenInvalid);
  grpc::ClientContext add, ask;
  auto adding = v1::DocumentService::NewStub(tcp_)->AddDocument(&add);
  v1::AddDocumentResponse added;
  EXPECT_FALSE(adding->Read(&added));
  EXPECT_EQ(FromGrpc(adding->Finish()).reason(), Reason::kTokenMissing);
  auto asking = v1::AnswerService::NewStub(tcp_)->Ask(&ask, {});
  v1::AskResponse answer;
  EXPECT_FALSE(asking->Read(&answer));
  EXPECT_EQ(FromGrpc(asking->Finish()).reason(), Reason::kTokenMissing);
  EXPECT_EQ(api_.calls, 0);
  EXPECT_TRUE(GetStatus(tcp_, "Bearer " + kToken).ok());
  EXPECT_FALSE(api_.trusted);
}

TEST_F(GrpcServerTest, ErrorsCarryCodeReasonAndMessage) {
  api_.on_unary = [](const CallContext&) {
    return NotFound(Reason::kDocumentNotFound, "no document 7");
  };
  Start();
  const Status status = GetStatus(socket_);
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_EQ(status.reason(), Reason::kDocumentNotFound);
  EXPECT_EQ(status.message(), "no document 7");
}

TEST_F(GrpcServerTest, ExceptionOfAHandlerIsInternalAndHarmless) {
  std::atomic<bool> throws{true};
  api_.on_unary = [&throws](const CallContext&) -> Status {
    if (throws) throw std::runtime_error("boom");
    return OkStatus();
  };
  api_.on_ask = [](const Writer<v1::AskResponse>&, const CallContext&) -> Status { throw 7; };
  Start();
  const Status status = GetStatus(socket_);
  EXPECT_EQ(status.code(), StatusCode::kInternal);
  EXPECT_EQ(status.reason(), Reason::kInternal);
  EXPECT_THAT(status.message(), HasSubstr("boom"));
  grpc::ClientContext context;
  v1::AskResponse response;
  auto stream = v1::AnswerService::NewStub(socket_)->Ask(&context, {});
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(FromGrpc(stream->Finish()).code(), StatusCode::kInternal);
  throws = false;
  EXPECT_TRUE(GetStatus(socket_).ok());
}

TEST_F(GrpcServerTest, DeadlineAndCancellationReachTheHandler) {
  std::atomic<bool> has_deadline{false};
  std::atomic<bool> cancelled{false};
  std::atomic<int> running{0};
  std::atomic<int> ended{0};
  api_.on_unary = [&](const CallContext& context) {
    has_deadline = context.has_deadline();
    ++running;
    while (context.Check().ok()) std::this_thread::sleep_for(milliseconds(2));
    cancelled = context.flag()->cancelled();
    ++ended;
    return context.Check();
  };
  Start();
  {
    grpc::ClientContext context;
    v1::GetStatusResponse response;
    std::thread canceller([&] {
      while (running == 0) std::this_thread::sleep_for(milliseconds(1));
      context.TryCancel();
    });
    EXPECT_EQ(v1::AdminService::NewStub(socket_)->GetStatus(&context, {}, &response).error_code(),
              grpc::StatusCode::CANCELLED);
    canceller.join();
    while (!cancelled) std::this_thread::sleep_for(milliseconds(1));
    EXPECT_FALSE(has_deadline);
  }
  // On a slow machine a short deadline passes before the handler runs.
  for (int ms = 50; running < 2; ms *= 2) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + milliseconds(ms));
    v1::GetStatusResponse response;
    EXPECT_EQ(v1::AdminService::NewStub(socket_)->GetStatus(&context, {}, &response).error_code(),
              grpc::StatusCode::DEADLINE_EXCEEDED);
  }
  EXPECT_TRUE(has_deadline);
  // A client returns at its deadline, the handler a little later.
  while (ended < running) std::this_thread::sleep_for(milliseconds(1));
}

TEST_F(GrpcServerTest, StreamsFlowBothWays) {
  api_.on_add = [](const Reader<v1::AddDocumentRequest>& read,
                   const Writer<v1::AddDocumentResponse>& write, const CallContext&) -> Status {
    size_t bytes = 0;
    for (;;) {
      ASSIGN_OR_RETURN(const std::optional<v1::AddDocumentRequest> request, read());
      if (!request) break;
      bytes += request->data().size();
    }
    // The end stays the end.
    ASSIGN_OR_RETURN(const std::optional<v1::AddDocumentRequest> again, read());
    if (again) return Internal("something after the end");
    for (int i = 0; i < 5; ++i) {
      v1::AddDocumentResponse response;
      response.mutable_accepted()->set_job_id(std::to_string(bytes + static_cast<size_t>(i)));
      RETURN_IF_ERROR(write(response));
    }
    return OkStatus();
  };
  Start();
  grpc::ClientContext context;
  auto stream = v1::DocumentService::NewStub(socket_)->AddDocument(&context);
  v1::AddDocumentRequest request;
  request.set_data(std::string(1 << 20, 'x'));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(stream->Write(request));
  ASSERT_TRUE(stream->WritesDone());
  v1::AddDocumentResponse response;
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(stream->Read(&response));
    EXPECT_EQ(response.accepted().job_id(), std::to_string((3 << 20) + i));
  }
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(GrpcServerTest, BrokenUploadIsNotTakenForAShortOne) {
  std::atomic<int> ends{0};
  std::atomic<int> errors{0};
  std::atomic<int> messages{0};
  api_.on_add = [&](const Reader<v1::AddDocumentRequest>& read,
                    const Writer<v1::AddDocumentResponse>&, const CallContext&) -> Status {
    for (;;) {
      Result<std::optional<v1::AddDocumentRequest>> request = read();
      if (!request.ok()) {
        ++errors;
        return request.status();
      }
      if (!request->has_value()) break;
      ++messages;
    }
    ++ends;
    return OkStatus();
  };
  Start();
  constexpr int kUploads = 50;
  for (int i = 0; i < kUploads; ++i) {
    grpc::ClientContext context;
    auto stream = v1::DocumentService::NewStub(socket_)->AddDocument(&context);
    v1::AddDocumentRequest request;
    request.set_data("half of it");
    stream->Write(request);
    while (messages <= i) std::this_thread::yield();
    context.TryCancel();
    EXPECT_FALSE(stream->Finish().ok());
  }
  while (ends + errors < kUploads) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_EQ(errors, kUploads);
  EXPECT_EQ(ends, 0);
}

TEST_F(GrpcServerTest, WriterStopsWhenTheClientIsGone) {
  std::atomic<bool> ended{false};
  api_.on_watch = [&](const Writer<v1::WatchJobResponse>& write, const CallContext&) {
    Status status;
    while (status.ok()) status = write(v1::WatchJobResponse());
    ended = true;
    return status;
  };
  Start();
  grpc::ClientContext context;
  auto stream = v1::JobService::NewStub(socket_)->WatchJob(&context, {});
  v1::WatchJobResponse response;
  ASSERT_TRUE(stream->Read(&response));
  context.TryCancel();
  while (stream->Read(&response)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  while (!ended) std::this_thread::sleep_for(milliseconds(1));
}

TEST_F(GrpcServerTest, TooManyRequestsAreRefusedAndWatchersDoNotBlockThem) {
  options_.request_threads = 1;
  options_.requests_max = 2;
  std::atomic<bool> open{false};
  std::atomic<int> watching{0};
  api_.on_watch = [&](const Writer<v1::WatchJobResponse>&, const CallContext&) {
    ++watching;
    while (!open) std::this_thread::sleep_for(milliseconds(1));
    return OkStatus();
  };
  Start();
  grpc::ClientContext first, second, third;
  const auto stub = v1::JobService::NewStub(socket_);
  auto a = stub->WatchJob(&first, {});
  auto b = stub->WatchJob(&second, {});
  while (watching < 2) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_TRUE(GetStatus(socket_).ok());
  auto c = stub->WatchJob(&third, {});
  v1::WatchJobResponse response;
  EXPECT_FALSE(c->Read(&response));
  const Status refused = FromGrpc(c->Finish());
  EXPECT_EQ(refused.code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(refused.reason(), Reason::kQueueFull);
  open = true;
  EXPECT_TRUE(a->Finish().ok());
  EXPECT_TRUE(b->Finish().ok());
}

TEST_F(GrpcServerTest, RequestBeyondTheSizeLimitIsRefused) {
  Start();
  grpc::ClientContext context;
  v1::SearchRequest request;
  request.set_query(std::string(17 << 20, 'x'));
  v1::SearchResponse response;
  EXPECT_EQ(v1::SearchService::NewStub(socket_)->Search(&context, request, &response).error_code(),
            grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(api_.calls, 0);
}

TEST_F(GrpcServerTest, ShutdownCancelsWhatRunsAndSaysSo) {
  std::atomic<bool> running{false};
  api_.on_watch = [&](const Writer<v1::WatchJobResponse>&, const CallContext& context) {
    running = true;
    while (context.Check().ok()) std::this_thread::sleep_for(milliseconds(1));
    return context.Check();
  };
  Start();
  grpc::ClientContext context;
  auto stream = v1::JobService::NewStub(socket_)->WatchJob(&context, {});
  while (!running) std::this_thread::sleep_for(milliseconds(1));
  std::thread stopper([this] { server_->Shutdown(); });
  v1::WatchJobResponse response;
  EXPECT_FALSE(stream->Read(&response));
  const Status status = FromGrpc(stream->Finish());
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_EQ(status.reason(), Reason::kShuttingDown);
  stopper.join();
  server_->Shutdown();
  EXPECT_EQ(GetStatus(socket_).code(), StatusCode::kUnavailable);
}

TEST_F(GrpcServerTest, PortInUseIsAnErrorThatNamesTheAddress) {
  Start();
  testing::TempFolder other;
  GrpcServer::Options options = options_;
  options.socket = other.path() / "api.sock";
  const Result<ListenAddress> taken = ParseListenAddress(server_->tcp_address());
  ASSERT_TRUE(taken.ok());
  options.tcp = *taken;
  const auto second = GrpcServer::Start(&api_, options);
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.status().reason(), Reason::kInvalidSetting);
  EXPECT_THAT(second.status().message(), HasSubstr(server_->tcp_address()));
}

std::string TextOf(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  const std::string text(data, static_cast<size_t>(size));
  BIO_free(bio);
  return text;
}

// A new key and a certificate for "localhost" that it has signed itself.
void MakeCertificate(std::string* cert_pem, std::string* key_pem) {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* cert = X509_new();
  X509_set_version(cert, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
  X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
  X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
  X509_set_pubkey(cert, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
  X509_set_issuer_name(cert, X509_get_subject_name(cert));
  X509_EXTENSION* names =
      X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:localhost");
  X509_add_ext(cert, names, -1);
  X509_EXTENSION_free(names);
  X509_sign(cert, key, EVP_sha256());
  BIO* cert_bio = BIO_new(BIO_s_mem());
  BIO* key_bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(cert_bio, cert);
  PEM_write_bio_PrivateKey(key_bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  *cert_pem = TextOf(cert_bio);
  *key_pem = TextOf(key_bio);
  X509_free(cert);
  EVP_PKEY_free(key);
}

TEST_F(GrpcServerTest, TlsIsSpokenWhereACertificateIsGivenAndStillNeedsTheToken) {
  MakeCertificate(&options_.tls_cert, &options_.tls_key);
  Start();
  EXPECT_EQ(GetStatus(tcp_, "Bearer " + kToken).code(), StatusCode::kUnavailable)
      << "without TLS nothing may be answered";
  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride("localhost");
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = options_.tls_cert;
  const auto channel =
      grpc::CreateCustomChannel(server_->tcp_address(), grpc::SslCredentials(tls), arguments);
  EXPECT_EQ(GetStatus(channel).reason(), Reason::kTokenMissing);
  const Status status = GetStatus(channel, "Bearer " + kToken);
  EXPECT_TRUE(status.ok()) << status.ToString();
}

std::string BytesOf(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  EXPECT_TRUE(buffer.Dump(&slices).ok());
  std::string bytes;
  for (const grpc::Slice& slice : slices) bytes.append(slice.begin(), slice.end());
  return bytes;
}

TEST_F(GrpcServerTest, HealthAnswersWithoutAToken) {
  Start();
  // An empty request asks for the server as a whole; field 1 of the answer is 1 (SERVING).
  grpc::ClientContext context;
  const grpc::internal::RpcMethod method("/grpc.health.v1.Health/Check",
                                         grpc::internal::RpcMethod::NORMAL_RPC);
  const grpc::Slice nothing("", 0);
  const grpc::ByteBuffer request(&nothing, 1);
  grpc::ByteBuffer response;
  const grpc::Status status = grpc::internal::BlockingUnaryCall<grpc::ByteBuffer, grpc::ByteBuffer,
                                                                grpc::ByteBuffer, grpc::ByteBuffer>(
      tcp_.get(), method, &context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(BytesOf(response), std::string("\x08\x01"));
}

TEST_F(GrpcServerTest, ReflectionListsTheServices) {
  Start();
  grpc::ClientContext context;
  const grpc::internal::RpcMethod method(
      "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
      grpc::internal::RpcMethod::BIDI_STREAMING);
  using Factory = grpc::internal::ClientReaderWriterFactory<grpc::ByteBuffer, grpc::ByteBuffer>;
  const std::unique_ptr<grpc::ClientReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>> stream(
      Factory::Create(tcp_.get(), method, &context));
  // Field 7, an empty text: list_services.
  const grpc::Slice list("\x3a\x00", 2);
  ASSERT_TRUE(stream->Write(grpc::ByteBuffer(&list, 1)));
  grpc::ByteBuffer response;
  ASSERT_TRUE(stream->Read(&response));
  const std::string names = BytesOf(response);
  for (const char* service :
       {"Collection", "Document", "Search", "Answer", "Job", "Model", "Vector", "Admin"}) {
    EXPECT_THAT(names, HasSubstr("ragstone.v1." + std::string(service) + "Service"));
  }
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

}  // namespace
}  // namespace ragstone::services
