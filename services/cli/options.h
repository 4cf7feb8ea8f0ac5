#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "services/settings.h"

namespace ragstone::services::cli {

// A command line, parsed. Fields that a command does not have keep their defaults.
struct Options {
  std::string command;  // "add", "collection create", …
  bool json = false;
  SettingSources sources;  // --config and every setting that was given as a flag

  std::string collection = "default";
  std::vector<std::string> paths;     // add, model import
  std::vector<std::string> files;     // ask --file
  std::vector<std::string> question;  // ask: the words; search: the query
  std::string style;                  // "", "short", "full"
  std::string mode;                   // "", "hybrid", "vector", "keyword"
  uint32_t top_k = 0;                 // 0: the server's default
  std::string filter;                 // ask, search, document list, record …
  std::vector<std::string> metadata;  // add, document update: NAME=VALUE
  std::vector<std::string> unset;     // document update: names
  std::string id;            // of a document or a job, or the name of a collection or model
  bool active_only = false;  // job list
  std::string embedding_model, language;  // collection create
  std::string unrelated_cosine;           // collection create and alter: a number or "measured"
  std::string name, sha256, query_prefix, document_prefix, license;  // model import
  bool make_default = false, keep_type = false, int8 = false;
  // record …: `id` is the collection.
  std::string input;  // a file, or "-" or "" for stdin
  std::vector<std::string> ids;
  std::string vector_file, vector_name, group_by;
  // backup, restore, verify: `paths` is the directory of backups, `name` that of the new one.
  uint64_t backup = 0;  // 0: the newest
  uint32_t keep = 0;
  bool force = false, repair = false;
  bool all = false, exact = false, with_vectors = false, without_vectors = false;
};

// The end of a command line that is no command: help, a version, a mistake.
struct ParseEnd {
  int exit_code = 0;
  std::string text;
  bool json = false;  // whether a mistake is to be reported as JSON
};

// Parses the arguments without the program's name. A mistake gives exit code 2 and names the
// nearest option or command.
std::variant<Options, ParseEnd> ParseOptions(const std::vector<std::string>& args);

}  // namespace ragstone::services::cli
