// Measures calls to a running model worker from C++, as `ragstone` makes them: `hop_latency SOCKET
// TOKENS COUNT` prints the milliseconds of COUNT calls of GetInfo, which compute nothing, and of
// Embed with one text of TOKENS tokens, as JSON.
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "ragstone/worker/v1/embedder.grpc.pb.h"

namespace {

namespace wire = ragstone::worker::v1;

// Pauses differ, so that the calls do not fall into step with other load.
constexpr double kPauseMillisecondsMin = 2;
constexpr double kPauseMillisecondsMax = 20;

template <typename Call>
bool Measure(const char* name, int count, const Call& call) {
  std::mt19937 random(20260101);
  std::uniform_real_distribution<double> pause(kPauseMillisecondsMin, kPauseMillisecondsMax);
  std::printf("\"%s\": [", name);
  for (int i = 0; i < count; ++i) {
    std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(pause(random)));
    const auto begin = std::chrono::steady_clock::now();
    const grpc::Status status = call();
    const std::chrono::duration<double, std::milli> taken =
        std::chrono::steady_clock::now() - begin;
    if (!status.ok()) {
      std::fprintf(stderr, "hop_latency: %s failed: %s\n", name, status.error_message().c_str());
      return false;
    }
    std::printf("%s%.4f", i == 0 ? "" : ", ", taken.count());
  }
  std::printf("]");
  return true;
}

bool Run(wire::Embedder::Stub* stub, int tokens, int count) {
  const auto info = [&] {
    grpc::ClientContext context;
    wire::GetEmbedderInfoResponse response;
    return stub->GetInfo(&context, {}, &response);
  };
  wire::EmbedRequest request;
  wire::TokenSequence* text = request.add_texts();
  for (int i = 0; i < tokens; ++i) text->add_ids(1000 + 7 * i);
  const auto embed = [&] {
    grpc::ClientContext context;
    wire::EmbedResponse response;
    return stub->Embed(&context, request, &response);
  };
  if (!info().ok() || !embed().ok()) {  // connects and warms up
    std::fprintf(stderr, "hop_latency: the worker does not answer\n");
    return false;
  }
  std::printf("{");
  if (!Measure("query", count, embed)) return false;
  std::printf(", ");
  if (!Measure("GetInfo", count, info)) return false;
  std::printf("}\n");
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const int tokens = argc == 4 ? std::atoi(argv[2]) : 0;
  const int count = argc == 4 ? std::atoi(argv[3]) : 0;
  if (tokens < 1 || tokens > 512 || count < 1) {
    std::fprintf(stderr, "usage: hop_latency SOCKET TOKENS COUNT, 1 to 512 tokens\n");
    return 2;
  }
  const auto channel =
      grpc::CreateChannel("unix:" + std::string(argv[1]), grpc::InsecureChannelCredentials());
  const auto stub = wire::Embedder::NewStub(channel);
  return Run(stub.get(), tokens, count) ? 0 : 1;
}
