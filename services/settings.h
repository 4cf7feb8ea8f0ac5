#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ragstone::services {

// All settings, after flag > RAGSTONE_* > file > default was worked out. One table in settings.cc
// declares each of them; flags, environment, file keys, `--help` and docs/CONFIGURATION.md derive
// from it.
struct Settings {
  std::filesystem::path data_dir;          // $XDG_DATA_HOME/ragstone/data
  std::filesystem::path models_dir;        // $XDG_DATA_HOME/ragstone/models
  std::filesystem::path workers_dir;       // ../libexec/ragstone of the executable
  std::string grpc_listen;                 // "127.0.0.1:7420"; empty: no TCP
  std::filesystem::path tls_cert;          // PEM
  std::filesystem::path tls_key;           // PEM
  std::vector<std::string> allowed_paths;  // over TCP, server-side paths must be under one of these
  uint64_t record_memory_limit = 0;        // bytes; 0: half of memory_limit
  uint64_t memory_limit = 0;               // bytes; default half of RAM or of the cgroup
  uint64_t disk_reserve = 0;               // bytes; nothing is added that would leave less free
  bool keep_originals = false;             // keep the bytes of documents after they were ingested
  std::string log_level;                   // "error", "warning", "info", "debug"
  std::string cpu_tier;                    // "auto", "v2", "avx2", "avx512", "amx", "cuda"
  uint32_t threads = 0;                    // of each model worker; 0: cores
  int32_t gpu_layers = -1;                 // -1: all that fit
  std::string embedding_model;             // name; empty: the default installed one
  std::string generator_model;             // name; empty: the default installed one
  uint32_t context_tokens_max = 4096;      // context given to the generator
  uint32_t worker_idle_s = 0;      // model workers stop after so many idle seconds; 0: never
  uint64_t worker_memory_max = 0;  // bytes of address space of the PDF worker
  uint32_t chunk_tokens_max = 200;
  uint64_t file_bytes_max = 0;  // 1 GiB
  uint32_t pages_max = 10'000;
  uint32_t page_time_ms_max = 20'000;
  uint32_t document_time_ms_max = 600'000;
  uint32_t jobs_queued_max = 100'000;
  uint32_t requests_max = 64;  // requests worked on or waiting at a time
  uint32_t request_threads = 16;
  uint32_t ask_top_k = 8;
  uint32_t attachments_max = 200;  // documents kept for `ask --file`
  double confidence_min = 0.3;     // below: "not in your documents"
  uint32_t hnsw_vectors_min = 20'000;
};

enum class SettingType : uint8_t { kString, kPath, kPathList, kBool, kInteger, kBytes, kReal };

// What the table says of one setting.
struct SettingInfo {
  std::string_view name;  // "grpc_listen": flag --grpc-listen, variable RAGSTONE_GRPC_LISTEN
  std::string_view text;  // for people
  SettingType type = SettingType::kString;
  std::string_view default_text;
  double min = 0, max = 0;        // of numbers
  bool restart = true;            // whether a change needs a restart
  std::string_view choices = "";  // allowed texts, separated by '|'; empty: any
};

std::span<const SettingInfo> AllSettings();

// Where values come from, strongest first. Values are texts; bytes take suffixes KiB, MiB, GiB.
struct SettingSources {
  std::map<std::string, std::string> flags;        // by setting name
  std::map<std::string, std::string> environment;  // by variable name; see ReadEnvironment
  std::optional<std::filesystem::path>
      config_file;  // TOML; default $XDG_CONFIG_HOME/ragstone/ragstone.toml
};

// The process's variables that begin with RAGSTONE_, XDG_, or are HOME.
std::map<std::string, std::string> ReadEnvironment();

// INVALID_ARGUMENT (INVALID_SETTING) names the setting, where it was set, the value, what is
// allowed; an unknown name gets the nearest known one.
Result<Settings> LoadSettings(const SettingSources& sources);

// One line a setting: its value and where it comes from ("flag", "environment", "file", "default").
struct SettingValue {
  std::string name, value, origin;
};
Result<std::vector<SettingValue>> DescribeSettings(const SettingSources& sources);

// docs/CONFIGURATION.md.
std::string SettingsMarkdown();

}  // namespace ragstone::services
