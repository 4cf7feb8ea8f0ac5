#pragma once

#include <string_view>
#include <vector>

namespace ragstone::llm {

// Texts of different subjects and lengths for measuring embedding models.
const std::vector<std::string_view>& EmbeddingProbes();

// A text of some hundred tokens for measuring language models.
std::string_view GenerationProbe();

}  // namespace ragstone::llm
