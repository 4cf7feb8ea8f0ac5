#pragma once

// clang-format off
// First: gRPC's Abseil has macros of the same names, and only a system header may redefine them.
#include "base/mutex.h"
// clang-format on

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/service_type.h>

#include <memory>

#include "base/status.h"
#include "llm/embedder.h"
#include "llm/generator.h"

namespace ragstone::services {

// The three services of ragstone.worker.v1 that a model worker can offer. Each lives until the
// server that it is registered with has been shut down.

std::unique_ptr<grpc::Service> NewEmbedderService(std::unique_ptr<llm::Embedder> embedder);
std::unique_ptr<grpc::Service> NewGeneratorService(std::unique_ptr<llm::Generator> generator);
std::unique_ptr<grpc::Service> NewImporterService();

// For tests of crash recovery: if the environment variable RAGSTONE_TEST_FAULT_FILE names an
// existing file, removes it and raises SIGSEGV. Called in the middle of every request.
void MaybeCrashForTest();

}  // namespace ragstone::services
