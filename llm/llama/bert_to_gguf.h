#pragma once

#include <filesystem>

#include "base/status.h"
#include "llm/sentence_transformer.h"

namespace ragstone::llm {

// Writes the weights in `folder`/model.safetensors as an F32 GGUF file that llama.cpp loads as
// BERT. INVALID_ARGUMENT (MODEL_CORRUPT) names a tensor that is missing or has another shape than
// the configuration says.
Status WriteBertGguf(const std::filesystem::path& folder, const SentenceTransformer& model,
                     const std::filesystem::path& output);

}  // namespace ragstone::llm
