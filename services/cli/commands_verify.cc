#include <fmt/format.h>

#include "index/operations.h"
#include "services/cli/commands.h"
#include "services/cli/json.h"
#include "services/cli/operation_progress.h"
#include "services/cli/text.h"
#include "services/data_dir.h"

namespace ragstone::services::cli {
namespace {

constexpr int kLockWaitMs = 1000;

Json ReportJson(const index::CheckReport& report) {
  Json findings = Json::array();
  for (const index::Finding& finding : report.findings) {
    findings.push_back({{"check", finding.check},
                        {"collection", finding.collection},
                        {"id", finding.id},
                        {"what", finding.what},
                        {"consequence", finding.consequence},
                        {"repairable", finding.repairable},
                        {"repaired", finding.repaired}});
  }
  return {{"clean", report.clean()},
          {"findings", findings},
          {"count", report.count},
          {"repaired", report.repaired},
          {"collections", report.collections},
          {"documents", report.documents},
          {"chunks", report.chunks},
          {"records", report.records},
          {"originals", report.blobs},
          {"bytes", report.bytes}};
}

void Print(const index::CheckReport& report, Output* output) {
  for (const index::Finding& finding : report.findings) {
    std::string place = finding.check;
    if (!finding.collection.empty()) place += " of " + finding.collection;
    if (!finding.id.empty()) place += ", " + finding.id;
    const char* mark = finding.repaired ? " [repaired]" : finding.repairable ? " [repairable]" : "";
    output->Line(fmt::format("{}: {}{}", Sanitize(place), Sanitize(finding.what), mark));
    output->Line("    " + Sanitize(finding.consequence));
  }
  if (report.count > report.findings.size()) {
    output->Line(fmt::format("and {} more", report.count - report.findings.size()));
  }
  output->Message(
      fmt::format("checked {} collections, {} documents, {} chunks, {} records, {} originals, {}",
                  report.collections, report.documents, report.chunks, report.records, report.blobs,
                  HumanBytes(report.bytes)));
  output->Message(report.count == 0
                      ? "no inconsistency was found"
                      : fmt::format("{} findings, {} repaired", report.count, report.repaired));
}

}  // namespace

Result<int> RunVerify(const CommandContext& context) {
  Output* output = context.output;
  index::CheckOptions options;
  options.dir = context.settings.data_dir;
  options.memory_bytes = context.settings.memory_limit / 8;
  options.repair = context.options.repair;
  std::error_code error;
  if (!std::filesystem::is_directory(options.dir, error)) {
    return NotFound(Reason::kFileNotFound, "there is no data directory " + options.dir.string());
  }
  ASSIGN_OR_RETURN(const DataDir lock, DataDir::Lock(options.dir, kLockWaitMs));
  ASSIGN_OR_RETURN(const index::CheckReport report,
                   index::CheckData(options, LocalOperation(context)));
  output->Progress("");
  if (output->json()) {
    output->Json(ReportJson(report));
  } else {
    Print(report, output);
  }
  return report.clean() ? kExitDone : kExitFailed;
}

}  // namespace ragstone::services::cli
