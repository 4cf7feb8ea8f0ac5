#include <fmt/format.h>

#include <chrono>

#include "services/cli/commands.h"
#include "services/cli/json.h"
#include "services/cli/metadata.h"
#include "services/cli/text.h"
#include "services/cli/uploads.h"

namespace ragstone::services::cli {
namespace {

// What all files together came to.
struct Summary {
  uint64_t added = 0, unchanged = 0, failed = 0, not_accepted = 0, pages = 0, chunks = 0;
  std::vector<const UploadOutcome*> unfinished;  // safe at the server, but their end was not seen
  Status end;                                    // why the command ended early
};

Summary Summarize(const std::vector<UploadOutcome>& outcomes) {
  Summary summary;
  for (const UploadOutcome& outcome : outcomes) {
    if (!outcome.status.ok()) {
      if (outcome.cut_off && summary.end.ok()) summary.end = outcome.status;
      if (outcome.cut_off && !outcome.job_id.empty()) {
        summary.unfinished.push_back(&outcome);
      } else if (outcome.cut_off) {
        ++summary.not_accepted;
      } else {
        ++summary.failed;
      }
    } else if (outcome.unchanged) {
      ++summary.unchanged;
    } else {
      ++summary.added;
      summary.pages += outcome.document.pages();
      summary.chunks += outcome.document.chunks();
    }
  }
  return summary;
}

// Says whether the jobs go on, which depends on who runs them.
std::string WhatGoesOn(const Summary& summary, const Connection& connection) {
  if (summary.unfinished.empty()) return "";
  const std::string jobs = fmt::format("{} accepted file{}", summary.unfinished.size(),
                                       summary.unfinished.size() == 1 ? "" : "s");
  if (summary.end.reason() != Reason::kCancelled) {
    return jobs + " will be finished when the server is back (`ragstone job list`)";
  }
  if (connection.in_process()) {
    return jobs + " will be finished by the next `ragstone add` or `ragstone serve`";
  }
  return jobs + " will be finished by the server (`ragstone job list`)";
}

Json SummaryJson(const InputFiles& input, const std::vector<UploadOutcome>& outcomes,
                 const Status& end) {
  Json documents = Json::array();
  Json failed = Json::array();
  uint64_t unchanged = 0;
  for (const InputError& error : input.errors) {
    failed.push_back({{"path", error.path}, {"error", ErrorJson(error.status)}});
  }
  for (const UploadOutcome& outcome : outcomes) {
    if (outcome.status.ok()) {
      documents.push_back(DocumentJson(outcome.document));
      unchanged += outcome.unchanged ? 1 : 0;
      continue;
    }
    Json entry = {{"path", outcome.path}, {"error", ErrorJson(outcome.status)}};
    if (!outcome.job_id.empty() && outcome.cut_off) entry["job"] = outcome.job_id;
    failed.push_back(std::move(entry));
  }
  Json out = {{"documents", documents}, {"failed", failed}, {"unchanged", unchanged}};
  if (!end.ok()) out["error"] = ErrorJson(end);
  return out;
}

void PrintSkipped(const InputFiles& input, Output* output) {
  if (input.skipped_types > 0) {
    output->Message(fmt::format("skipped {} file{} of other types; name a file to try it anyway",
                                input.skipped_types, input.skipped_types == 1 ? "" : "s"));
  }
  if (input.skipped_links > 0) {
    output->Message(fmt::format("skipped {} symbolic link{} or special file{}", input.skipped_links,
                                input.skipped_links == 1 ? "" : "s",
                                input.skipped_links == 1 ? "" : "s"));
  }
}

void PrintSummary(const Summary& summary, const std::string& goes_on, double seconds,
                  Output* output) {
  std::string line = fmt::format("{} added, {} unchanged, {} failed", summary.added,
                                 summary.unchanged, summary.failed);
  if (summary.not_accepted > 0) line += fmt::format(", {} not accepted", summary.not_accepted);
  line += fmt::format("; {} pages, {} chunks in {:.1f} s", summary.pages, summary.chunks, seconds);
  output->Message(line);
  if (!summary.end.ok()) output->Error(summary.end);
  if (!goes_on.empty()) output->Message(goes_on);
}

}  // namespace

Result<int> RunAdd(const CommandContext& context) {
  const auto start = std::chrono::steady_clock::now();
  Output* output = context.output;
  UploadOptions upload{.collection = context.options.collection};
  const Status metadata = SetMetadata(context.options.metadata, &upload.metadata);
  if (!metadata.ok()) {
    output->Error(metadata);
    return kExitUsage;
  }
  const InputFiles input = CollectFiles(context.options.paths);
  if (!output->json()) {
    for (const InputError& error : input.errors) {
      output->Message(fmt::format("{}: {} ({})", Sanitize(error.path),
                                  Sanitize(error.status.message()), ErrorReason(error.status)));
    }
    PrintSkipped(input, output);
  }
  if (input.files.empty() && input.errors.empty()) {
    return InvalidArgument(Reason::kInvalidArgument,
                           "there is no PDF, text or Markdown file in what was named; name a file "
                           "itself to try another type");
  }
  std::vector<UploadOutcome> outcomes;
  std::string goes_on;
  Summary summary;
  if (!input.files.empty()) {
    ASSIGN_OR_RETURN(const auto connection, Connect(context));
    outcomes = UploadFiles(*connection, input.files, upload, output);
    summary = Summarize(outcomes);
    goes_on = WhatGoesOn(summary, *connection);
    // Jobs that an earlier command left behind are finished as well, as nobody else would.
    connection->WaitUntilIdle();
  }
  summary.failed += input.errors.size();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  if (output->json()) {
    Status end = summary.end;
    if (!end.ok() && !goes_on.empty()) {
      end = Status(end.code(), end.reason(), end.message() + "; " + goes_on);
    }
    output->Json(SummaryJson(input, outcomes, end));
  } else {
    PrintSummary(summary, goes_on, seconds.count(), output);
  }
  const bool all = summary.failed == 0 && summary.end.ok();
  return all ? kExitDone : kExitFailed;
}

}  // namespace ragstone::services::cli
