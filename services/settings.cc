#include "services/settings.h"

#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <sstream>
#include <variant>

#include "base/file.h"
#include "services/setting_values.h"

namespace ragstone::services {

namespace {

using std::filesystem::path;
using Member =
    std::variant<path Settings::*, std::string Settings::*, std::vector<std::string> Settings::*,
                 bool Settings::*, uint32_t Settings::*, int32_t Settings::*, uint64_t Settings::*,
                 double Settings::*>;

struct Row {
  SettingInfo info;
  Member member;
};

using T = SettingType;
constexpr double kTiB = 1099511627776.0;

// The table. A default that begins with '$' is worked out by DefaultText.
const std::vector<Row>& Table() {
  static const std::vector<Row> rows = {
      {{"data_dir",
        "Folder of the database: documents, vectors, jobs. One process at a time uses it.",
        T::kPath, "$XDG_DATA_HOME/ragstone/data"},
       &Settings::data_dir},
      {{"models_dir", "Folder of the installed models; may be shared between data directories.",
        T::kPath, "$XDG_DATA_HOME/ragstone/models"},
       &Settings::models_dir},
      {{"workers_dir", "Folder of the worker executables ragstone-pdf and ragstone-model-*.",
        T::kPath, "$EXECUTABLE/../libexec/ragstone"},
       &Settings::workers_dir},
      {{"grpc_listen",
        "Address for gRPC over TCP, such as 127.0.0.1:7420; empty for none. Calls need the bearer "
        "token in the data directory's file `token`. Beyond loopback tls_cert and tls_key are "
        "needed as well.",
        T::kString, "127.0.0.1:7420"},
       &Settings::grpc_listen},
      {{"tls_cert", "PEM file with the server's certificate chain; needs tls_key.", T::kPath, ""},
       &Settings::tls_cert},
      {{"tls_key", "PEM file with the server's private key; needs tls_cert.", T::kPath, ""},
       &Settings::tls_key},
      {{"allowed_paths",
        "Folders, separated by ':', under which clients over TCP may name files for the server to "
        "read. Clients of the Unix socket may name any file.",
        T::kPathList, ""},
       &Settings::allowed_paths},
      {{"memory_limit",
        "Memory for all of Ragstone, split between database, caches and models. The default is "
        "half "
        "of the machine's RAM or, if smaller, of the control group's limit.",
        T::kBytes, "$HALF_OF_MEMORY", 268435456.0, 1024 * kTiB},
       &Settings::memory_limit},
      {{"disk_reserve",
        "Room that is kept free on the data directory's disk, at most a twentieth of the disk: "
        "what would leave less is refused with DISK_FULL before anything is written. Reading and "
        "deleting go on.",
        T::kBytes, "256MiB", 0, 1024 * kTiB},
       &Settings::disk_reserve},
      {{"record_memory_limit",
        "Memory for the indexes of record collections together; those least recently used are "
        "unloaded to keep it. Vectors whose graphs would not fit into their collection's fair "
        "share of it are compressed (IVF-PQ). 0 for half of memory_limit.",
        T::kBytes, "0", 0, 1024 * kTiB},
       &Settings::record_memory_limit},
      {{"keep_originals", "Whether to keep the bytes of documents after they were ingested.",
        T::kBool, "false"},
       &Settings::keep_originals},
      {{"log_level", "How much is logged to stderr: error, warning, info or debug.", T::kString,
        "info", 0, 0, true, "error|warning|info|debug"},
       &Settings::log_level},
      {{"cpu_tier",
        "Which model worker is used: auto for the best one that passes its self-test, or v2, avx2, "
        "avx512, amx, cuda, generic. `fake` is a worker without a model, for tests only.",
        T::kString, "auto", 0, 0, true, "auto|v2|avx2|avx512|amx|cuda|generic|fake"},
       &Settings::cpu_tier},
      {{"threads", "Threads of each model worker; 0 for one per core.", T::kInteger, "0", 0, 1024},
       &Settings::threads},
      {{"gpu_layers", "Layers of a model put on the GPU; -1 for all that fit.", T::kInteger, "-1",
        -1, 10'000},
       &Settings::gpu_layers},
      {{"embedding_model", "Name of the embedding model; empty for the installed default.",
        T::kString, ""},
       &Settings::embedding_model},
      {{"generator_model", "Name of the language model; empty for the installed default.",
        T::kString, ""},
       &Settings::generator_model},
      {{"context_tokens_max", "Longest context given to the language model, in tokens.",
        T::kInteger, "4096", 512, 1'048'576},
       &Settings::context_tokens_max},
      {{"worker_idle_s", "Workers stop after so many seconds without work; 0 for never.",
        T::kInteger, "900", 0, 31'536'000},
       &Settings::worker_idle_s},
      {{"worker_memory_max", "Address space of a PDF worker.", T::kBytes, "3GiB", 67108864.0, kTiB},
       &Settings::worker_memory_max},
      {{"chunk_tokens_max", "Longest chunk of a document, in tokens of the embedding model.",
        T::kInteger, "200", 16, 8192},
       &Settings::chunk_tokens_max},
      {{"file_bytes_max", "Largest document.", T::kBytes, "1GiB", 1024, kTiB},
       &Settings::file_bytes_max},
      {{"pages_max", "Most pages of a document.", T::kInteger, "10000", 1, 1'000'000},
       &Settings::pages_max},
      {{"page_time_ms_max", "Longest time to read one page, in milliseconds.", T::kInteger, "20000",
        100, 3'600'000},
       &Settings::page_time_ms_max},
      {{"document_time_ms_max", "Longest time to read one document, in milliseconds.", T::kInteger,
        "600000", 100, 86'400'000},
       &Settings::document_time_ms_max},
      {{"jobs_queued_max", "Most jobs that wait; further documents are refused with QUEUE_FULL.",
        T::kInteger, "100000", 1, 10'000'000},
       &Settings::jobs_queued_max},
      {{"requests_max",
        "Most unary requests worked on or waiting, and most streams open, at a time; further ones "
        "are refused with QUEUE_FULL.",
        T::kInteger, "64", 1, 4096},
       &Settings::requests_max},
      {{"request_threads", "Threads that work on unary requests.", T::kInteger, "16", 1, 1024},
       &Settings::request_threads},
      {{"ask_top_k", "Passages looked at for an answer.", T::kInteger, "8", 1, 100},
       &Settings::ask_top_k},
      {{"attachments_max",
        "Documents kept for `ask --file`; the least recently used ones go first.", T::kInteger,
        "200", 1, 1'000'000},
       &Settings::attachments_max},
      {{"confidence_min", "Below this confidence the answer is \"not in your documents\".",
        T::kReal, "0.3", 0, 1},
       &Settings::confidence_min},
      {{"hnsw_vectors_min",
        "So many new vectors of a collection are sealed; more than 10,000 sealed ones get an HNSW "
        "graph.",
        T::kInteger, "20000", 1, 1'000'000'000},
       &Settings::hnsw_vectors_min},
  };
  return rows;
}

const Row* FindRow(std::string_view name) {
  for (const Row& row : Table()) {
    if (row.info.name == name) return &row;
  }
  return nullptr;
}

Status Invalid(std::string message) {
  return InvalidArgument(Reason::kInvalidSetting, std::move(message));
}

std::string NearestSetting(std::string_view name) {
  std::vector<std::string_view> names;
  for (const Row& row : Table()) names.push_back(row.info.name);
  return Nearest(name, names);
}

// A value as text, where it was set ("--data-dir", "RAGSTONE_DATA_DIR", a file), and the folder
// against which a relative path is resolved.
struct RawValue {
  std::string text;
  std::string origin;  // "flag", "environment", "file", "default"
  std::string where;
  path base;
};
using RawValues = std::map<std::string, RawValue, std::less<>>;
using Environment = std::map<std::string, std::string>;

std::string Lookup(const Environment& environment, const std::string& name) {
  const auto found = environment.find(name);
  return found == environment.end() ? "" : found->second;
}

// An XDG folder; relative values are to be ignored according to the XDG specification.
Result<path> XdgFolder(const Environment& environment, const std::string& variable,
                       const char* under_home) {
  const path folder = Lookup(environment, variable);
  if (folder.is_absolute()) return folder;
  const path home = Lookup(environment, "HOME");
  if (home.is_absolute()) return home / under_home;
  return Invalid("neither " + variable + " nor HOME is set; set one of them or give the path");
}

Result<std::string> DefaultText(const Row& row, const Environment& environment) {
  const std::string text(row.info.default_text);
  if (text == "$HALF_OF_MEMORY") return std::to_string(MemoryOfMachine() / 2);
  if (text.rfind("$XDG_DATA_HOME/", 0) == 0) {
    Result<path> folder = XdgFolder(environment, "XDG_DATA_HOME", ".local/share");
    if (!folder.ok()) return folder.status().WithContext(FlagName(row.info.name));
    return (*folder / text.substr(std::strlen("$XDG_DATA_HOME/"))).string();
  }
  if (text.rfind("$EXECUTABLE/", 0) == 0) {
    std::error_code error;
    const path executable = std::filesystem::read_symlink("/proc/self/exe", error);
    if (error) return ErrnoStatus(error.value(), "read /proc/self/exe");
    return (executable.parent_path() / text.substr(std::strlen("$EXECUTABLE/")))
        .lexically_normal()
        .string();
  }
  return text;
}

Result<path> ToPath(std::string_view text, const RawValue& raw, const Environment& environment) {
  if (text.empty()) return path();
  path value = text;
  if (text == "~" || text.rfind("~/", 0) == 0) {
    const path home = Lookup(environment, "HOME");
    if (!home.is_absolute()) return Invalid("'~' cannot be resolved because HOME is not set");
    value = home / path(text.substr(std::min<size_t>(2, text.size())));
  }
  if (!value.is_absolute()) value = raw.base / value;
  return value.lexically_normal();
}

Status CheckRange(const Row& row, double value) {
  if (value >= row.info.min && value <= row.info.max) return OkStatus();
  const auto text = [&row](double bound) {
    if (row.info.type == T::kBytes) return FormatBytes(static_cast<uint64_t>(bound));
    if (row.info.type == T::kInteger) return std::to_string(static_cast<int64_t>(bound));
    std::string real = std::to_string(bound);
    real.erase(real.find_last_not_of('0') + 1);
    if (real.ends_with('.')) real.pop_back();
    return real;
  };
  return Invalid("allowed is " + text(row.info.min) + " to " + text(row.info.max));
}

Status CheckChoice(const Row& row, const std::string& value) {
  if (row.info.choices.empty()) return OkStatus();
  const std::string list = "|" + std::string(row.info.choices) + "|";
  if (value.find('|') == std::string::npos && list.find("|" + value + "|") != std::string::npos) {
    return OkStatus();
  }
  return Invalid("allowed is " + std::string(row.info.choices));
}

// Parses a text into the member; one overload for each type of member.
class Setter {
 public:
  Setter(const Row& row, const RawValue& raw, const Environment& environment, Settings* settings)
      : row_(row), raw_(raw), environment_(environment), settings_(settings) {}

  Status operator()(path Settings::*member) const {
    ASSIGN_OR_RETURN(settings_->*member, ToPath(raw_.text, raw_, environment_));
    return OkStatus();
  }
  Status operator()(std::string Settings::*member) const {
    RETURN_IF_ERROR(CheckChoice(row_, raw_.text));
    settings_->*member = raw_.text;
    return OkStatus();
  }
  Status operator()(std::vector<std::string> Settings::*member) const {
    std::vector<std::string> list;
    for (size_t begin = 0; begin <= raw_.text.size();) {
      const size_t end = std::min(raw_.text.find(':', begin), raw_.text.size());
      const std::string part = raw_.text.substr(begin, end - begin);
      begin = end + 1;
      if (part.empty()) continue;
      ASSIGN_OR_RETURN(const path value, ToPath(part, raw_, environment_));
      list.push_back(value.string());
    }
    settings_->*member = std::move(list);
    return OkStatus();
  }
  Status operator()(bool Settings::*member) const {
    ASSIGN_OR_RETURN(settings_->*member, ParseBool(raw_.text));
    return OkStatus();
  }
  Status operator()(double Settings::*member) const {
    ASSIGN_OR_RETURN(const double value, ParseReal(raw_.text));
    RETURN_IF_ERROR(CheckRange(row_, value));
    settings_->*member = value;
    return OkStatus();
  }
  Status operator()(uint64_t Settings::*member) const {
    ASSIGN_OR_RETURN(const uint64_t value, ParseBytes(raw_.text));
    RETURN_IF_ERROR(CheckRange(row_, static_cast<double>(value)));
    settings_->*member = value;
    return OkStatus();
  }
  template <typename Integer>
  Status operator()(Integer Settings::*member) const {
    ASSIGN_OR_RETURN(const int64_t value, ParseInteger(raw_.text));
    RETURN_IF_ERROR(CheckRange(row_, static_cast<double>(value)));
    settings_->*member = static_cast<Integer>(value);
    return OkStatus();
  }

 private:
  const Row& row_;
  const RawValue& raw_;
  const Environment& environment_;
  Settings* settings_;
};

Status UnknownName(const std::string& where, std::string_view name) {
  const std::string nearest = NearestSetting(name);
  return Invalid(where + ": there is no setting '" + std::string(name.substr(0, 200)) +
                 "'; the nearest is '" + nearest + "'");
}

// A TOML value as the text that a flag would have.
Result<std::string> TomlText(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  if (const auto* flag = node.as_boolean()) return std::string(flag->get() ? "true" : "false");
  if (const auto* real = node.as_floating_point()) {
    std::ostringstream text;
    text.precision(17);
    text << real->get();
    return text.str();
  }
  const auto* list = node.as_array();
  if (list == nullptr) return Invalid("a text, number, boolean or list of texts is expected");
  std::string joined;
  for (const toml::node& item : *list) {
    const auto* text = item.as_string();
    if (text == nullptr || text->get().find(':') != std::string::npos) {
      return Invalid("the list may hold only paths without ':'");
    }
    joined += (joined.empty() ? "" : ":") + text->get();
  }
  return joined;
}

Status ReadConfigFile(const path& file, RawValues* values) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(file, 1 << 20));
  toml::table table;
  try {
    table = toml::parse(text, file.string());
  } catch (const toml::parse_error& error) {
    return Invalid(file.string() + " line " + std::to_string(error.source().begin.line) + ": " +
                   std::string(error.description()));
  }
  std::error_code ignored;
  const path base = std::filesystem::absolute(file, ignored).parent_path();
  for (const auto& [key, node] : table) {
    const std::string where = file.string() + " line " + std::to_string(node.source().begin.line);
    const std::string name(key.str());
    if (FindRow(name) == nullptr) return UnknownName(where, name);
    Result<std::string> value = TomlText(node);
    if (!value.ok()) return value.status().WithContext(where + ": " + name);
    (*values)[name] = {std::move(value).value(), "file", where, base};
  }
  return OkStatus();
}

// Variables that begin with RAGSTONE_ but are not settings: the settings file, the tests' own, and
// what container orchestrators set for a service of the name "ragstone".
bool IsForeignVariable(std::string_view name) {
  for (const std::string_view prefix :
       {"RAGSTONE_CONFIG", "RAGSTONE_TEST_", "RAGSTONE_SERVICE_", "RAGSTONE_PORT"}) {
    if (name.rfind(prefix, 0) == 0) return true;
  }
  return false;
}

Status ReadVariables(const Environment& environment, const path& base, RawValues* values) {
  for (const auto& [variable, text] : environment) {
    if (variable.rfind("RAGSTONE_", 0) != 0 || IsForeignVariable(variable)) continue;
    std::string name = variable.substr(std::strlen("RAGSTONE_"));
    for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (FindRow(name) == nullptr) return UnknownName("environment variable " + variable, name);
    (*values)[name] = {text, "environment", variable, base};
  }
  return OkStatus();
}

// The settings file that is read: the one named by flag or RAGSTONE_CONFIG must exist, the one in
// the XDG folder may.
Result<std::optional<path>> ConfigFile(const SettingSources& sources) {
  if (sources.config_file) return sources.config_file;
  const std::string variable = Lookup(sources.environment, "RAGSTONE_CONFIG");
  if (!variable.empty()) return std::optional<path>(variable);
  const Result<path> folder = XdgFolder(sources.environment, "XDG_CONFIG_HOME", ".config");
  if (!folder.ok()) return std::optional<path>();
  const path file = *folder / "ragstone/ragstone.toml";
  std::error_code error;
  if (!std::filesystem::exists(file, error)) return std::optional<path>();
  return std::optional<path>(file);
}

Result<RawValues> Collect(const SettingSources& sources) {
  RawValues values;
  std::error_code error;
  const path base = std::filesystem::current_path(error);
  ASSIGN_OR_RETURN(const std::optional<path> file, ConfigFile(sources));
  if (file) RETURN_IF_ERROR(ReadConfigFile(*file, &values).WithContext("settings file"));
  RETURN_IF_ERROR(ReadVariables(sources.environment, base, &values));
  for (const auto& [name, text] : sources.flags) {
    if (FindRow(name) == nullptr) return UnknownName("flag", name);
    values[name] = {text, "flag", FlagName(name), base};
  }
  for (const Row& row : Table()) {
    if (values.count(row.info.name) != 0) continue;
    ASSIGN_OR_RETURN(std::string text, DefaultText(row, sources.environment));
    values[std::string(row.info.name)] = {std::move(text), "default", "default", base};
  }
  return values;
}

Status CheckTogether(const Settings& settings) {
  if (settings.tls_cert.empty() != settings.tls_key.empty()) {
    return Invalid("tls_cert and tls_key belong together: set both or neither");
  }
  if (settings.data_dir.empty() || settings.models_dir.empty()) {
    return Invalid("data_dir and models_dir must not be empty");
  }
  return OkStatus();
}

}  // namespace

std::span<const SettingInfo> AllSettings() {
  static const std::vector<SettingInfo> infos = [] {
    std::vector<SettingInfo> list;
    for (const Row& row : Table()) list.push_back(row.info);
    return list;
  }();
  return infos;
}

std::map<std::string, std::string> ReadEnvironment() {
  Environment environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = text.substr(0, equals);
    if (name == "HOME" || name.rfind("RAGSTONE_", 0) == 0 || name.rfind("XDG_", 0) == 0) {
      environment.emplace(name, text.substr(equals + 1));
    }
  }
  return environment;
}

Result<Settings> LoadSettings(const SettingSources& sources) {
  ASSIGN_OR_RETURN(const RawValues values, Collect(sources));
  Settings settings;
  for (const Row& row : Table()) {
    const RawValue& raw = values.find(row.info.name)->second;
    const Status status = std::visit(Setter(row, raw, sources.environment, &settings), row.member);
    if (status.ok()) continue;
    return Invalid("setting " + std::string(row.info.name) + " (" + raw.where + ") is '" +
                   raw.text.substr(0, 200) + "': " + status.message());
  }
  RETURN_IF_ERROR(CheckTogether(settings));
  return settings;
}

Result<std::vector<SettingValue>> DescribeSettings(const SettingSources& sources) {
  RETURN_IF_ERROR(LoadSettings(sources).status());
  ASSIGN_OR_RETURN(const RawValues values, Collect(sources));
  std::vector<SettingValue> described;
  for (const Row& row : Table()) {
    const RawValue& raw = values.find(row.info.name)->second;
    std::string text = raw.text;
    if (row.info.type == T::kBytes) {
      ASSIGN_OR_RETURN(const uint64_t bytes, ParseBytes(text));
      text = FormatBytes(bytes);
    }
    described.push_back({std::string(row.info.name), std::move(text), raw.origin});
  }
  return described;
}

}  // namespace ragstone::services
