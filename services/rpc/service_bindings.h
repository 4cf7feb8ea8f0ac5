#pragma once

#include <grpcpp/impl/codegen/service_type.h>

#include <memory>
#include <vector>

#include "services/rpc/adapter.h"

namespace ragstone::services {

// The gRPC services of ragstone.v1, each method of which calls the method of that name of host.api.
std::vector<std::unique_ptr<grpc::Service>> NewRpcServices(const RpcHost& host);

}  // namespace ragstone::services
