#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace ragstone::services {

// The command line of a model worker.
struct ModelWorkerOptions {
  std::string role;    // "embed", "generate", "import" or "selftest"
  std::string socket;  // path of the Unix socket to serve on
  int64_t parent = 0;  // process id that must be the parent; 0: not checked
  int ready_fd = -1;   // where 'R' or the reason of a failed start is written
  std::string model;   // GGUF file
  std::string pooling;
  // What computes embeddings: "float" (our encoder, on the GPU or with the best kernels of the CPU;
  // llama.cpp for models that the encoder does not know), "int8" or a tier by name (our encoder on
  // the CPU, or an error), or "llama".
  std::string encoder = "float";
  bool normalize = true;
  uint32_t tokens_max = 0;
  uint32_t threads = 0;
  uint32_t context = 0;
  int32_t gpu_layers = 0;
};

// INVALID_ARGUMENT naming the option that is unknown, malformed or missing.
Result<ModelWorkerOptions> ParseModelWorkerOptions(int argc, char** argv);

}  // namespace ragstone::services
