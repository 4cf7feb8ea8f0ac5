#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ragstone::llm {

enum class ModelKind : uint8_t { kEmbedding, kGenerator };

// What is known of an installed model; `manifest.json` in its folder.
struct Manifest {
  std::string name;  // 1 to 128 of [A-Za-z0-9._-]
  ModelKind kind = ModelKind::kEmbedding;
  std::string architecture;
  std::string storage_type;
  bool int8 = false;                // vectors are computed in products of 8 bits
  std::string file = "model.gguf";  // within the folder
  std::string sha256;               // of the file, hexadecimal
  uint64_t bytes = 0;
  std::string source_sha256;  // of the file it was made from
  uint64_t parameters = 0;
  uint32_t dimensions = 0;
  uint32_t context_tokens = 0;  // longest input; the sentence-transformers limit if there is one
  std::string pooling;
  bool normalize = true;
  std::string query_prefix;
  std::string document_prefix;
  std::string license;
  std::string tokenizer_sha256;  // of tokenizer.json; empty for generators
  std::vector<std::string> measurements;
};

std::string ManifestToJson(const Manifest& manifest);
// DATA_LOSS (MODEL_CORRUPT) naming the field that is missing or wrong.
Result<Manifest> ManifestFromJson(std::string_view json);

// Identifies what vectors of this model can be compared with: weights, tokeniser, pooling,
// normalisation, prefixes and numeric class (storage type).
std::string EmbeddingFingerprint(const Manifest& manifest);

// The installed models: one folder each under `dir` (`<dir>/<name>/{manifest.json,model.gguf,…}`),
// and `defaults.json` with the default of each kind. Shared between data directories and processes;
// every change is a rename. Thread-safe.
class ModelStore {
 public:
  explicit ModelStore(std::filesystem::path dir);

  const std::filesystem::path& dir() const { return dir_; }
  // By name. Folders without a readable manifest are left out.
  Result<std::vector<Manifest>> List() const;
  // NOT_FOUND (MODEL_NOT_FOUND) with how to install one.
  Result<Manifest> Get(std::string_view name) const;
  // The default of the kind; NOT_FOUND (MODEL_NOT_FOUND) with how to install one.
  Result<Manifest> Default(ModelKind kind) const;
  Status SetDefault(ModelKind kind, std::string_view name);
  std::filesystem::path FolderOf(std::string_view name) const;
  std::filesystem::path FileOf(const Manifest& manifest) const;
  // Compares size and SHA-256 of the file with the manifest; the result is remembered by size and
  // time of the file, so that it costs once. DATA_LOSS (MODEL_CORRUPT), NOT_FOUND.
  Status Verify(const Manifest& manifest) const;

  // A new empty folder in which an import is prepared.
  Result<std::filesystem::path> NewStagingFolder() const;
  // Writes the manifest into the staging folder and renames it into place. ALREADY_EXISTS.
  Status Install(const std::filesystem::path& staging, const Manifest& manifest);
  Status Remove(std::string_view name);

 private:
  std::filesystem::path dir_;
};

}  // namespace ragstone::llm
