#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/status.h"

namespace ragstone::services::cli {

// A file to be added.
struct InputFile {
  std::string path;  // canonical; the document's source
  uint64_t bytes = 0;
  std::string media_type;  // empty: the server tells by content and name
};

// A path that cannot be added, and why.
struct InputError {
  std::string path;
  Status status;
};

// What the paths of a command line hold.
struct InputFiles {
  std::vector<InputFile> files;  // each once; those of a folder sorted by path
  std::vector<InputError> errors;
  uint64_t skipped_types = 0;  // files in folders whose ending is not known
  uint64_t skipped_links = 0;  // symbolic links and special files in folders
};

// At most so many files by one command.
inline constexpr size_t kInputFilesMax = 1'000'000;

// Walks the paths: a file that is named is always taken, folders are searched for files ending in
// .pdf, .txt, .text, .log, .md or .markdown. Symbolic links are followed when they are named, never
// inside folders, so that nothing outside of them is read by accident.
InputFiles CollectFiles(const std::vector<std::string>& paths);

}  // namespace ragstone::services::cli
