#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace ragstone::llm {

// Models of a few thousand random weights, so that everything around llama.cpp is tested without a
// download. What they say is nonsense, but always the same.

// Facts of the BERT that WriteTinyBert writes.
inline constexpr uint32_t kTinyHidden = 32;
inline constexpr uint32_t kTinyHeads = 2;
inline constexpr uint32_t kTinyWide = 64;
inline constexpr uint32_t kTinyVocabulary = 64;
inline constexpr uint32_t kTinyPositions = 48;
inline constexpr uint32_t kTinyLimit = 40;

// A sentence-transformers folder with one layer and mean pooling.
void WriteTinyBert(const std::filesystem::path& folder, uint32_t seed);

// What that model computes for a text, in double precision and by the definition of BERT.
std::vector<double> TinyBertVector(const std::filesystem::path& folder,
                                   const std::vector<int32_t>& ids);

// A Llama GGUF file of one layer whose vocabulary is single bytes and a few words. `trained` is its
// context.
void WriteTinyLlama(const std::filesystem::path& file, uint32_t seed, uint32_t trained);

}  // namespace ragstone::llm
