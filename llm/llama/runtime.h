#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "base/status.h"
#include "llama.h"

// Shared by the files of this folder; nothing outside includes it, since it shows llama.cpp.
namespace ragstone::llm {

struct ModelDeleter {
  void operator()(llama_model* model) const { llama_model_free(model); }
};
struct ContextDeleter {
  void operator()(llama_context* context) const { llama_free(context); }
};
using ModelPtr = std::unique_ptr<llama_model, ModelDeleter>;
using ContextPtr = std::unique_ptr<llama_context, ContextDeleter>;

// Initialises ggml and collects its log. Called by everything here; does its work once.
void StartRuntime();

// Returns the error lines that llama.cpp has logged since the last call, as one line. llama.cpp
// returns null pointers; what was wrong is only in its log.
std::string TakeErrorLog();

struct LoadOptions {
  int32_t gpu_layers = 0;  // negative: all
  bool repack = true;      // weights may be rearranged for the fastest kernels
};

// INVALID_ARGUMENT (MODEL_CORRUPT) if llama.cpp refuses the file, with what it said.
Result<ModelPtr> LoadModel(const std::filesystem::path& file, const LoadOptions& options);

// Returns such as "CPU avx512" or "CUDA0 NVIDIA H100".
std::string DeviceName(int32_t gpu_layers);

// Returns metadata of the model file as text, empty if it has no such key.
std::string MetadataText(const llama_model* model, const char* key);

// Number of threads: `wanted`, or the cores that this process may use if it is 0.
uint32_t ThreadCount(uint32_t wanted);

}  // namespace ragstone::llm
