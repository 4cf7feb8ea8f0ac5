#pragma once

#include <grpcpp/support/status.h>

#include "base/status.h"

namespace ragstone::services {

// To the wire: code, message, and in the details a v1::ErrorStatus with one ErrorInfo {reason,
// domain "ragstone"}, which any client that knows google.rpc.Status can read.
grpc::Status ToGrpc(const Status& status);

// Back from the wire. Understands details of Ragstone's server (ErrorStatus) and of its workers
// (the reason's name as plain text); without either the reason is the one closest to the code.
Status FromGrpc(const grpc::Status& status);

// Whether the status was given by the other side's own code and not by the connection: it has
// details that FromGrpc understands.
bool HasReason(const grpc::Status& status);

}  // namespace ragstone::services
