#include "services/cli/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <deque>
#include <map>

#include "services/cli/text.h"
#include "services/version.h"

namespace ragstone::services::cli {
namespace {

constexpr const char* kAbout =
    "Ragstone answers questions about your documents, on your own machine, with citations.";

constexpr const char* kExamples =
    "Examples:\n"
    "  ragstone add ~/manuals                      ingest a folder\n"
    "  ragstone ask \"How do I reset the pump?\"     answer from everything added\n"
    "  ragstone ask --file lease.pdf \"Who pays for repairs?\"\n"
    "  ragstone search --top-k 5 \"error E42\"       passages only\n"
    "\n"
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no answer found.\n"
    "Every setting is a flag, too: `ragstone --help-settings` lists them.";

// The values of flags that name settings, where CLI11 writes them.
struct SettingFlags {
  std::deque<std::pair<std::string, std::vector<std::string>>> values;  // deque: stable addresses
  std::string config;
};

std::string FlagName(std::string_view setting) {
  std::string name = "--" + std::string(setting);
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

// Shown by `--help`; the others only by `--help-settings`.
bool IsEverydaySetting(std::string_view name) {
  return name == "data_dir" || name == "models_dir" || name == "log_level";
}

void AddSettingFlags(CLI::App* app, SettingFlags* flags) {
  for (const SettingInfo& info : AllSettings()) {
    auto& [name, values] =
        flags->values.emplace_back(std::string(info.name), std::vector<std::string>());
    CLI::Option* option = nullptr;
    if (info.type == SettingType::kBool) {
      option = app->add_flag(FlagName(name), values, std::string(info.text));
    } else {
      option = app->add_option(FlagName(name), values, std::string(info.text));
      option->type_name("VALUE")->type_size(1)->expected(1)->allow_extra_args(false);
    }
    option->multi_option_policy(info.type == SettingType::kPathList
                                    ? CLI::MultiOptionPolicy::TakeAll
                                    : CLI::MultiOptionPolicy::Throw);
    option->group(IsEverydaySetting(name) ? "Options" : "");
  }
}

// Moves what was given on the command line into the sources of the settings.
void CollectSettings(const SettingFlags& flags, SettingSources* sources) {
  for (const auto& [name, values] : flags.values) {
    if (!values.empty()) sources->flags[name] = Join(values, ":");
  }
  if (!flags.config.empty()) sources->config_file = flags.config;
}

CLI::App* AddCommand(CLI::App* parent, const char* name, const char* text, const char* examples) {
  CLI::App* app = parent->add_subcommand(name, text);
  app->fallthrough();
  app->group("Commands");
  app->footer(std::string(examples) + (*examples == '\0' ? "" : "\n") +
              "Options of all commands: --data-dir DIR, --json, … (see `ragstone --help`)");
  return app;
}

void AddCollectionOption(CLI::App* app, Options* options) {
  app->add_option("-c,--collection", options->collection, "The collection [default]")
      ->type_name("NAME");
}

void AddSearchOptions(CLI::App* app, Options* options) {
  app->add_option("-k,--top-k", options->top_k, "Number of passages, 1 to 1000")
      ->type_name("K")
      ->check(CLI::Range(1, 1000));
  app->add_option("--mode", options->mode, "hybrid, vector (by meaning) or keyword (by words)")
      ->type_name("MODE")
      ->check(CLI::IsMember({"hybrid", "vector", "keyword"}));
}

void AddFilterOption(CLI::App* app, const char* text, Options* options) {
  app->add_option("--filter", options->filter, text)->type_name("TEXT");
}

void AddMetadataOption(CLI::App* app, Options* options) {
  app->add_option("--meta", options->metadata,
                  "Metadata for filters: a number, true, false, a date or text; may be repeated")
      ->type_name("NAME=VALUE")
      ->type_size(1)
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

constexpr const char* kDocumentFilter =
    "Only where this holds: year >= 2020 and path prefix \"manuals/\"";

void AddEverydayCommands(CLI::App* app, Options* options) {
  CLI::App* serve = AddCommand(app, "serve", "Run the server until it is told to stop",
                               "Example: ragstone serve --grpc-listen 127.0.0.1:7420");
  (void)serve;  // it has settings only
  CLI::App* add = AddCommand(app, "add", "Add files and folders, or update them",
                             "Example: ragstone add --collection manuals ~/manuals notes.md");
  AddCollectionOption(add, options);
  AddMetadataOption(add, options);
  add->add_option("PATH", options->paths, "PDF, text and Markdown files, and folders of them")
      ->required();
  CLI::App* ask = AddCommand(app, "ask", "Answer a question, with citations",
                             "Example: ragstone ask --file lease.pdf \"Who pays for repairs?\"");
  AddCollectionOption(ask, options);
  ask->add_option("-f,--file", options->files, "Ask this file only; may be repeated")
      ->type_name("FILE")
      ->type_size(1)
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->excludes(ask->get_option("--collection"));
  ask->add_option("--style", options->style, "short (the span that answers) or full (sentences)")
      ->type_name("STYLE")
      ->check(CLI::IsMember({"short", "full"}));
  AddSearchOptions(ask, options);
  AddFilterOption(ask, kDocumentFilter, options);
  ask->add_option("QUESTION", options->question, "The question")->required();
  CLI::App* search = AddCommand(app, "search", "Find passages",
                                "Example: ragstone search --mode keyword \"error E42\"");
  AddCollectionOption(search, options);
  AddSearchOptions(search, options);
  AddFilterOption(search, kDocumentFilter, options);
  search->add_option("QUERY", options->question, "The query")->required();
}

// What searches of a collection do unless they say otherwise.
void AddSearchDefaults(CLI::App* app, Options* options) {
  app->add_option("--mode", options->mode, "Default of searches: hybrid, vector or keyword")
      ->type_name("MODE")
      ->check(CLI::IsMember({"hybrid", "vector", "keyword"}));
  app->add_option("--unrelated-cosine", options->unrelated_cosine,
                  "From which cosine on hybrid searches count [measured]")
      ->type_name("COSINE")
      ->check(CLI::Range(-1.0, 1.0) | CLI::IsMember({"measured"}));
}

void AddCollectionCommands(CLI::App* app, Options* options) {
  CLI::App* group = AddCommand(app, "collection", "Sets of documents", "");
  group->require_subcommand(1);
  CLI::App* create = AddCommand(group, "create", "Create a collection", "");
  create->add_option("NAME", options->id, "Its name")->required();
  create->add_option("--model", options->embedding_model, "Embedding model [the default one]")
      ->type_name("MODEL");
  create->add_option("--language", options->language, "Of word search: de, en, … or none [auto]")
      ->type_name("CODE");
  AddSearchDefaults(create, options);
  AddCommand(group, "list", "List collections", "");
  CLI::App* alter = AddCommand(group, "alter", "Change how a collection is searched", "");
  alter->add_option("NAME", options->id, "Its name")->required();
  AddSearchDefaults(alter, options);
  CLI::App* show = AddCommand(group, "show", "Show a collection and how it is searched", "");
  show->add_option("NAME", options->id, "Its name")->required();
  CLI::App* remove = AddCommand(group, "delete", "Delete a collection and its documents", "");
  remove->add_option("NAME", options->id, "Its name")->required();
}

void AddDocumentCommands(CLI::App* app, Options* options) {
  CLI::App* group = AddCommand(app, "document", "Documents of a collection", "");
  group->require_subcommand(1);
  CLI::App* list = AddCommand(group, "list", "List documents", "");
  AddCollectionOption(list, options);
  AddFilterOption(list, kDocumentFilter, options);
  CLI::App* show = AddCommand(group, "show", "Show a document", "");
  AddCollectionOption(show, options);
  show->add_option("ID", options->id, "Its id, see `ragstone document list`")->required();
  CLI::App* update = AddCommand(group, "update", "Change the metadata of a document",
                                "Example: ragstone document update doc-7 --meta draft=false");
  AddCollectionOption(update, options);
  update->add_option("ID", options->id, "Its id")->required();
  AddMetadataOption(update, options);
  update->add_option("--unset", options->unset, "Metadata to remove; may be repeated")
      ->type_name("NAME")
      ->type_size(1)
      ->expected(1)
      ->allow_extra_args(false)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  CLI::App* remove = AddCommand(group, "delete", "Delete a document", "");
  AddCollectionOption(remove, options);
  remove->add_option("ID", options->id, "Its id")->required();
}

void AddJobCommands(CLI::App* app, Options* options) {
  CLI::App* group = AddCommand(app, "job", "Work that goes on in the background", "");
  group->require_subcommand(1);
  CLI::App* list = AddCommand(group, "list", "List jobs, newest first", "");
  list->add_flag("--active", options->active_only, "Only jobs that have not ended");
  CLI::App* show = AddCommand(group, "show", "Show a job", "");
  show->add_option("ID", options->id, "Its id")->required();
  CLI::App* cancel = AddCommand(group, "cancel", "Cancel a job", "");
  cancel->add_option("ID", options->id, "Its id")->required();
}

void AddModelCommands(CLI::App* app, Options* options) {
  CLI::App* group = AddCommand(app, "model", "Installed models", "");
  group->require_subcommand(1);
  AddCommand(group, "list", "List models", "");
  CLI::App* import = AddCommand(group, "import", "Install a model from a file or folder",
                                "Example: ragstone model import qwen2.5-7b-q4_k_m.gguf --default");
  import->add_option("PATH", options->paths, "A GGUF file or a sentence-transformers folder (BERT)")
      ->required()
      ->expected(1);
  import->add_flag("--default", options->make_default, "Use it unless told otherwise");
  import->add_option("--name", options->name, "Name to install it under [from the path]");
  import->add_option("--sha256", options->sha256, "Refuse the file unless it has this SHA-256");
  import->add_option("--query-prefix", options->query_prefix, "Put before queries");
  import->add_option("--document-prefix", options->document_prefix, "Put before passages");
  import->add_option("--license", options->license, "Licence of the weights");
  import->add_flag("--int8", options->int8,
                   "Embed in products of 8 bits: faster with VNNI, less exact (BERT family)");
  import->add_flag("--keep-type", options->keep_type, "Keep the storage type of the weights");
  CLI::App* remove = AddCommand(group, "remove", "Remove a model", "");
  remove->add_option("NAME", options->id, "Its name")->required();
}

CLI::App* AddRecordCommand(CLI::App* group, const char* name, const char* text, Options* options) {
  CLI::App* app = AddCommand(group, name, text, "");
  app->add_option("COLLECTION", options->id, "Name of the collection")->required();
  return app;
}

constexpr const char* kRecordFilter = "Only records for which this holds: year >= 2020";

void AddRecordSearch(CLI::App* group, Options* options) {
  CLI::App* search = AddRecordCommand(group, "search", "Find the nearest records", options);
  search->add_option("--vector", options->vector_file, "JSON file with the vector")
      ->type_name("FILE");
  search->add_option("--vector-name", options->vector_name, "Which vector of the collection [\"\"]")
      ->type_name("NAME");
  AddFilterOption(search, kRecordFilter, options);
  search->add_option("-k,--top-k", options->top_k, "Number of records, 1 to 10000")
      ->type_name("K")
      ->check(CLI::Range(1, 10'000));
  search->add_option("--group-by", options->group_by, "Only the best of each value of this field")
      ->type_name("FIELD");
  search->add_flag("--exact", options->exact, "Compare every vector");
  search->add_flag("--with-vectors", options->with_vectors, "Print the vectors, too");
  search->add_option("WORDS", options->question, "Words to find in fields of type text");
}

void AddRecordCommands(CLI::App* app, Options* options) {
  CLI::App* group = AddCommand(app, "record", "Records with vectors of your own",
                               "Example: ragstone record create articles.json\n"
                               "         ragstone record upsert articles records.jsonl");
  group->require_subcommand(1);
  CLI::App* create = AddCommand(group, "create", "Create a collection of records", "");
  create->add_option("SPEC", options->input, "JSON file: name, vectors, fields")->required();
  AddCommand(group, "collections", "List collections of records", "");
  AddRecordCommand(group, "show", "Show a collection and how it is searched", options);
  AddRecordCommand(group, "drop", "Delete a collection and its records", options);
  CLI::App* upsert = AddRecordCommand(group, "upsert", "Write records, a JSON line each", options);
  upsert->add_option("FILE", options->input, "JSON lines [stdin]");
  CLI::App* get = AddRecordCommand(group, "get", "Print records", options);
  get->add_option("ID", options->ids, "Their ids")->required();
  get->add_flag("--with-vectors", options->with_vectors, "Print the vectors, too");
  CLI::App* remove = AddRecordCommand(group, "delete", "Delete records", options);
  remove->add_option("ID", options->ids, "Their ids");
  AddFilterOption(remove, kRecordFilter, options);
  remove->add_flag("--all", options->all, "Delete every record");
  AddRecordSearch(group, options);
  AddFilterOption(AddRecordCommand(group, "count", "Count records", options), kRecordFilter,
                  options);
  CLI::App* out = AddRecordCommand(group, "export", "Print records, a JSON line each", options);
  AddFilterOption(out, kRecordFilter, options);
  out->add_flag("--without-vectors", options->without_vectors, "Leave the vectors out");
}

void AddDirectory(CLI::App* app, Options* options) {
  app->add_option("DIR", options->paths, "Directory of backups")->required()->expected(1);
}

void AddBackupNumber(CLI::App* app, const char* text, Options* options) {
  app->add_option("--backup", options->backup, text)
      ->type_name("ID")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1} << 62));
}

void AddCareCommands(CLI::App* app, Options* options) {
  CLI::App* backup = AddCommand(app, "backup", "Add a backup of the data to a directory",
                                "Example: ragstone backup ~/backups --keep 7");
  backup->add_option("DIR", options->paths, "Directory of backups, or an empty or new one")
      ->expected(1);
  backup->add_option("--name", options->name, "A name for it");
  backup->add_option("--keep", options->keep, "Remove older backups beyond so many")
      ->type_name("N")
      ->check(CLI::Range(1, 1'000'000));
  AddDirectory(AddCommand(backup, "list", "List backups", ""), options);
  CLI::App* check = AddCommand(backup, "verify", "Compare every byte of backups", "");
  AddDirectory(check, options);
  AddBackupNumber(check, "Only this one [all]", options);
  CLI::App* restore = AddCommand(app, "restore", "Write a backup into an empty data directory",
                                 "Example: ragstone restore ~/backups --data-dir new");
  AddDirectory(restore, options);
  AddBackupNumber(restore, "Which one, see `ragstone backup list` [the newest]", options);
  restore->add_flag("--force", options->force, "Move what is in the data directory aside");
  CLI::App* verify =
      AddCommand(app, "verify", "Check the data directory; no server may use it", "");
  verify->add_flag("--repair", options->repair, "Make anew what is made from other data");
  AddCommand(app, "purge", "Remove the bytes of what was deleted from the disk", "");
}

// "collection create": the chain of commands that was given.
std::string CommandPath(const CLI::App& app) {
  std::vector<std::string> parts;
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) {
    at = at->get_subcommands().front();
    parts.push_back(at->get_name());
  }
  return Join(parts, " ");
}

const CLI::App* DeepestCommand(const CLI::App& app) {
  const CLI::App* at = &app;
  while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
  return at;
}

void AppendOptionNames(const CLI::App& app, std::vector<std::string>* names) {
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names->push_back("--" + name);
  }
}

// What an unexpected argument may have meant.
std::string Suggestion(const CLI::App& app, const std::string& argument) {
  std::vector<std::string> candidates;
  const CLI::App* deepest = DeepestCommand(app);
  if (argument.rfind('-', 0) == 0) {
    AppendOptionNames(app, &candidates);
    if (deepest != &app) AppendOptionNames(*deepest, &candidates);
  } else {
    for (const CLI::App* command : deepest->get_subcommands({})) {
      candidates.push_back(command->get_name());
    }
  }
  const std::string nearest = NearestName(argument.substr(0, argument.find('=')), candidates);
  return nearest.empty() ? "." : fmt::format("; did you mean {}?", nearest);
}

std::string UsageMistake(const CLI::App& app, const CLI::ParseError& error) {
  const std::string path = CommandPath(app);
  const std::string help =
      fmt::format(" See `ragstone {}{}--help`.", path, path.empty() ? "" : " ");
  for (const std::string& argument : app.remaining(true)) {
    if (argument == "--") continue;
    const bool option = argument.rfind('-', 0) == 0;
    return fmt::format("unknown {} \"{}\"{}{}", option ? "option" : "command or argument",
                       Sanitize(argument), Suggestion(app, argument), help);
  }
  std::string message = error.what();
  if (message == "A subcommand is required") message = "a command is missing";
  return Sanitize(message) + "." + help;
}

std::string SettingsHelp() {
  std::string text =
      "Every setting can be given as a flag, as a variable (RAGSTONE_GRPC_LISTEN=…) or in the\n"
      "configuration file (grpc_listen = …); the first of these wins.\n\n";
  for (const SettingInfo& info : AllSettings()) {
    text += FlagName(info.name) + "\n";
    for (const std::string& line : Wrap(info.text, 76)) text += "    " + line + "\n";
    text += fmt::format("    Default: {}\n", info.default_text);
  }
  return text;
}

bool Contains(const std::vector<std::string>& args, std::string_view what) {
  const auto end = std::find(args.begin(), args.end(), "--");
  return std::find(args.begin(), end, what) != end;
}

ParseEnd EndOf(const CLI::App& app, const CLI::ParseError& error,
               const std::vector<std::string>& args) {
  const CLI::App* deepest = DeepestCommand(app);
  if (error.get_exit_code() == 0) {
    // CLI11 puts the command's own name behind what it is given.
    std::string path = "ragstone " + CommandPath(app);
    path.erase(path.find_last_of(' '));
    return {.exit_code = 0, .text = deepest->help(deepest == &app ? "" : path)};
  }
  return {.exit_code = 2, .text = UsageMistake(app, error), .json = Contains(args, "--json")};
}

}  // namespace

std::variant<Options, ParseEnd> ParseOptions(const std::vector<std::string>& args) {
  Options options;
  SettingFlags flags;
  CLI::App app(kAbout, "ragstone");
  app.get_formatter()->column_width(34);
  app.get_formatter()->label("SUBCOMMAND", "COMMAND");
  app.footer(kExamples);
  app.add_flag("--json", options.json, "Print JSON");
  app.add_option("--config", flags.config, "Configuration file (TOML)")->type_name("FILE");
  bool version = false, help_settings = false;
  app.add_flag("--version", version, "Print the version");
  app.add_flag("--help-settings", help_settings, "List every setting");
  AddSettingFlags(&app, &flags);
  AddEverydayCommands(&app, &options);
  AddCollectionCommands(&app, &options);
  AddDocumentCommands(&app, &options);
  AddJobCommands(&app, &options);
  AddModelCommands(&app, &options);
  AddRecordCommands(&app, &options);
  AddCareCommands(&app, &options);
  AddCommand(&app, "doctor", "Check this machine and this installation, and explain", "");
  AddCommand(&app, "version", "Print the version", "");
  try {
    // CLI11 takes the arguments last first.
    app.parse(std::vector<std::string>(args.rbegin(), args.rend()));
  } catch (const CLI::ParseError& error) {
    return EndOf(app, error, args);
  }
  if (help_settings) return ParseEnd{.text = SettingsHelp()};
  CollectSettings(flags, &options.sources);
  options.command = version ? "version" : CommandPath(app);
  if (options.command.empty()) return ParseEnd{.exit_code = 2, .text = app.help()};
  return options;
}

}  // namespace ragstone::services::cli
