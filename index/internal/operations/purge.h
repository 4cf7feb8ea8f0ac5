#pragma once

#include <chrono>
#include <functional>

#include "base/call_context.h"
#include "base/status.h"

namespace ragstone::index::operations {

// Repeats `ready` until it returns true. CANCELLED or DEADLINE_EXCEEDED if the caller gives up.
Status WaitUntil(const CallContext& context, const std::function<Result<bool>()>& ready);

}  // namespace ragstone::index::operations
