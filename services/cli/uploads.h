#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "ragstone/v1/document.pb.h"
#include "services/cli/connection.h"
#include "services/cli/files.h"
#include "services/cli/output.h"

namespace ragstone::services::cli {

// What became of one file.
struct UploadOutcome {
  std::string path;
  Status status;          // OK: the document can be searched
  std::string job_id;     // set once the server had the file safe on disk
  v1::Document document;  // if OK
  bool unchanged = false;
  bool submitted = false;  // whether it was begun at all
  bool cut_off = false;    // not failed by itself: the user stopped, the server went away, or an
                           // error that would meet every file ended the command
};

struct UploadOptions {
  std::string collection;
  std::string verb = "adding";  // for the progress line
  v1::Metadata metadata{};      // of every file; none: what a file has stays
  std::chrono::milliseconds show_after{300};
  // Streams at a time: enough to keep every stage of the server busy, few enough to leave its
  // request threads to others.
  size_t streams = 8;
  // First wait when the server's queue is full; doubles up to 32 times that.
  std::chrono::milliseconds backoff{100};
};

// Adds the files, which are read here and sent as bytes, so that it works whatever the rights of
// the server are. Shows progress and prints the error of each file as it comes (not with --json).
// Ends early when the connection's flag is raised or the server goes away. Outcomes are in the
// order of the files.
std::vector<UploadOutcome> UploadFiles(const Connection& connection,
                                       const std::vector<InputFile>& files,
                                       const UploadOptions& options, Output* output);

}  // namespace ragstone::services::cli
