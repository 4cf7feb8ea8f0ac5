#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "index/operations.h"
#include "services/cli/commands.h"
#include "services/cli/text.h"

namespace ragstone::services::cli {

// "copying 12.0 MiB of 1.5 GiB".
inline std::string FormatStep(std::string_view step, uint64_t done, uint64_t total) {
  if (total == 0) return Sanitize(step);
  return fmt::format("{} {} of {}", Sanitize(step), HumanBytes(done), HumanBytes(total));
}

// An operation on a directory that this process does itself: shown on a terminal, ended when the
// user wants to stop.
inline index::Operation LocalOperation(const CommandContext& context) {
  index::Operation operation;
  operation.context = CallContext(CallContext::TimePoint::max(), context.cancel);
  operation.progress = [output = context.output](std::string_view step, uint64_t done,
                                                 uint64_t total) {
    output->Progress(FormatStep(step, done, total));
    return OkStatus();
  };
  return operation;
}

}  // namespace ragstone::services::cli
