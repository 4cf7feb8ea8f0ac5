#pragma once

#include <fmt/format.h>
#include <grpcpp/grpcpp.h>

#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "index/operations.h"
#include "services/cli/commands.h"
#include "services/cli/connection.h"
#include "services/cli/text.h"

namespace ragstone::services::cli {

// "copying 12.0 MiB of 1.5 GiB".
inline std::string FormatStep(std::string_view step, uint64_t done, uint64_t total) {
  if (total == 0) return Sanitize(step);
  return fmt::format("{} {} of {}", Sanitize(step), HumanBytes(done), HumanBytes(total));
}

// Shows the progress that a server streams of an operation; returns its outcome.
template <typename Response>
auto FollowOperation(const Connection& connection, grpc::ClientReader<Response>* reader,
                     Output* output, std::string_view operation)
    -> Result<std::decay_t<decltype(std::declval<Response>().finished())>> {
  Response response;
  std::optional<std::decay_t<decltype(response.finished())>> outcome;
  while (reader->Read(&response)) {
    if (response.has_finished()) {
      outcome = response.finished();
    } else {
      const auto& at = response.progress();
      output->Progress(FormatStep(at.step(), at.bytes_done(), at.bytes_total()));
    }
  }
  output->Progress("");
  RETURN_IF_ERROR(connection.Convert(reader->Finish()));
  if (outcome.has_value()) return *outcome;
  return Internal("the server ended the " + std::string(operation) + " without an outcome");
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
