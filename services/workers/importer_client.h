#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "base/call_context.h"
#include "base/status.h"
#include "services/worker_pool.h"
#include "services/workers/process_slot.h"

namespace ragstone::services {

// Runs one import on the slot's worker. It is not sent again if the worker dies.
Result<ImportedModel> RunImport(ProcessSlot* slot, const ImportOptions& options,
                                const std::function<Status(const std::string&)>& progress,
                                const CallContext& context);

}  // namespace ragstone::services
