#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/status.h"
#include "llm/llama/runtime.h"

namespace ragstone::llm {

// A storage type that a model can be re-typed to.
struct StorageType {
  const char* name;
  llama_ftype ftype;
};

// Writes `input` as `output` in another type.
Status RetypeFile(const std::filesystem::path& input, const std::filesystem::path& output,
                  const StorageType& type, uint32_t threads);

// The name of the type that a loaded model is stored in, such as "Q4_1".
std::string StorageTypeName(const llama_model* model);

// Whether a model of so many parameters can be tried in a type of so many bits per weight: its size
// must be at most an eighth of the memory, since several types are held at once, and 4 GiB, so that
// an import neither fills the disk nor takes hours.
bool WorthTrying(uint64_t parameters, double bits_per_weight);

// A temporary file that is removed at the end.
class ScratchFile {
 public:
  explicit ScratchFile(std::filesystem::path path) : path_(std::move(path)) {}
  ~ScratchFile();
  ScratchFile(const ScratchFile&) = delete;
  ScratchFile& operator=(const ScratchFile&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace ragstone::llm
