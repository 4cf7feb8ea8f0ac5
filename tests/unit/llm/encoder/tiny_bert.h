#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "llm/encoder/bert_model.h"

namespace ragstone::llm {

// Encoders of random weights: what they say is nonsense, but always the same.

// Two layers of the smallest sizes that the engine takes: hidden 64, two heads of 32.
BertConfig TinyBertConfig();
// The same with rows and heads of other sizes, four times as wide inside, and 512 positions.
BertConfig TinyBertConfig(uint32_t hidden, uint32_t heads);

// Token ids of texts, of these lengths.
using TokenTexts = std::vector<std::vector<int32_t>>;
TokenTexts RandomTexts(const BertConfig& config, const std::vector<size_t>& lengths,
                       std::mt19937* random);

inline constexpr FloatType kFloatTypes[] = {FloatType::kF32, FloatType::kF16, FloatType::kBf16};

// A model of this shape with matrices of F32 and weights of full precision, in memory. The sizes of
// the weights are such that activations stay near one.
std::unique_ptr<BertModel> MakeTinyBert(const BertConfig& config, uint32_t seed);

// The same model with the values of its matrices rounded to `type`, which are still kept as F32:
// what a file of that type says.
std::unique_ptr<BertModel> RoundedTo(const BertModel& model, FloatType type);

// Rounds to the nearest value of the type, ties to even. The bits of an F16 or BF16 value.
float RoundTo(float value, FloatType type);
uint16_t BitsOf(float value, FloatType type);

// A GGUF file before it is written, so that tests can spoil it.
struct TinyGguf {
  struct Key {
    std::string name;
    uint32_t type = 0;
    std::string bytes;
  };
  struct Tensor {
    std::string name;
    uint32_t type = 0;
    std::vector<uint64_t> sizes;  // that of a row first
    std::string bytes;
  };
  std::vector<Key> keys;
  std::vector<Tensor> tensors;

  void SetText(const std::string& name, const std::string& value);
  void SetUint32(const std::string& name, uint32_t value);
  void SetFloat32(const std::string& name, float value);
  void SetBool(const std::string& name, bool value);
  void RemoveKey(const std::string& name);
  Tensor& Find(const std::string& name);
  void RemoveTensor(const std::string& name);
  std::string Bytes() const;

 private:
  void Set(const std::string& name, uint32_t type, std::string bytes);
};

// The model as a GGUF file whose matrices have this type; the other tensors are F32.
TinyGguf TinyGgufOf(const BertModel& model, FloatType type);
void WriteTinyBertGguf(const BertModel& model, FloatType type, const std::filesystem::path& file);

// The model as a sentence-transformers folder; all tensors have this type.
void WriteTinyBertFolder(const BertModel& model, FloatType type,
                         const std::filesystem::path& folder);

// The model as a folder in the form of XLM-RoBERTa's: positions begin at 2, behind rows of huge
// values, and a Unigram tokeniser of TinyPieces() is beside it. The model has one token type.
void WriteTinyXlmRobertaFolder(const BertModel& model, FloatType type,
                               const std::filesystem::path& folder);

// The pieces of that tokeniser by id: <s>, <pad>, </s>, <unk>, and beginnings and ends of words.
std::vector<std::string> TinyPieces();

}  // namespace ragstone::llm
