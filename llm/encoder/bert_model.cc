#include "llm/encoder/bert_model.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <iomanip>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>

#include "llm/float16.h"
#include "llm/gguf_file.h"
#include "llm/mapped_file.h"
#include "llm/safetensors.h"
#include "llm/sentence_transformer.h"

namespace ragstone::llm {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kNumberMax = 1 << 24;

using Shape = std::vector<uint64_t>;  // outermost first, without leading ones

Status Corrupt(const std::string& what) {
  return InvalidArgument(Reason::kModelCorrupt,
                         "BERT model: " + what + "; download the model again");
}

Status Unsupported(const std::string& what) {
  return InvalidArgument(Reason::kModelUnsupported, "BERT model: " + what);
}

// A tensor as a file has it.
struct FileTensor {
  std::optional<FloatType> type;
  std::string type_name;  // as the file says it
  Shape shape;
  std::string_view bytes;
};

using FileTensors = std::map<std::string, FileTensor>;

// What the matrices of a model point into.
struct Storage {
  explicit Storage(MappedFile mapped) : file(std::move(mapped)) {}
  MappedFile file;
  std::vector<std::unique_ptr<char[]>> copies;  // of tensors that are not aligned in the file
};

// The two families of names.
enum class Naming : uint8_t { kGguf, kTorch };

// Names of a part of the model, without ".weight" and ".bias".
struct PartName {
  const char* gguf;
  const char* torch;
};

// A place in the model that a tensor of the file fills.
struct Slot {
  std::string name;
  Shape shape;
  FloatMatrix* matrix = nullptr;
  std::vector<float>* vector = nullptr;  // where `matrix` is null
  bool optional = false;                 // there are forms of BERT without it
};

size_t BytesOf(FloatType type) { return type == FloatType::kF32 ? 4 : 2; }

Shape WithoutLeadingOnes(Shape shape) {
  const auto first = std::find_if(shape.begin(), shape.end(), [](uint64_t n) { return n != 1; });
  shape.erase(shape.begin(), first);
  return shape;
}

std::string ShapeText(const Shape& shape) {
  if (shape.empty()) return "one value";
  std::string text;
  for (const uint64_t size : shape) text += (text.empty() ? "" : " × ") + std::to_string(size);
  return text;
}

// Lists the places of a model whose configuration is known.
class SlotList {
 public:
  SlotList(Naming naming, uint32_t first_position, BertModel* model) : naming_(naming) {
    const BertConfig& config = model->config;
    const uint32_t hidden = config.hidden;
    const uint32_t wide = config.intermediate;
    AddTable({"token_embd", "embeddings.word_embeddings"}, config.vocabulary, hidden,
             &model->token_embeddings);
    AddTable({"position_embd", "embeddings.position_embeddings"}, first_position + config.positions,
             hidden, &model->position_embeddings);
    AddTable({"token_types", "embeddings.token_type_embeddings"}, config.token_types, hidden,
             &model->type_embeddings);
    slots_.back().optional = true;
    AddNorm({"token_embd_norm", "embeddings.LayerNorm"}, hidden, &model->embeddings_norm);
    for (size_t i = 0; i < model->layers.size(); ++i) {
      BertLayer& layer = model->layers[i];
      prefix_ = (naming == Naming::kGguf ? "blk." : "encoder.layer.") + std::to_string(i) + ".";
      AddLinear({"attn_q", "attention.self.query"}, hidden, hidden, &layer.query);
      AddLinear({"attn_k", "attention.self.key"}, hidden, hidden, &layer.key);
      AddLinear({"attn_v", "attention.self.value"}, hidden, hidden, &layer.value);
      AddLinear({"attn_output", "attention.output.dense"}, hidden, hidden, &layer.attention_output);
      AddNorm({"attn_output_norm", "attention.output.LayerNorm"}, hidden, &layer.attention_norm);
      AddLinear({"ffn_up", "intermediate.dense"}, wide, hidden, &layer.up);
      AddLinear({"ffn_down", "output.dense"}, hidden, wide, &layer.down);
      AddNorm({"layer_output_norm", "output.LayerNorm"}, hidden, &layer.output_norm);
    }
  }

  const std::vector<Slot>& slots() const { return slots_; }

 private:
  std::string Name(const PartName& part, const char* end) const {
    return prefix_ + (naming_ == Naming::kGguf ? part.gguf : part.torch) + end;
  }
  void AddTable(const PartName& part, uint32_t rows, uint32_t columns, FloatMatrix* matrix) {
    slots_.push_back(
        {Name(part, ".weight"), WithoutLeadingOnes({rows, columns}), matrix, nullptr, false});
    matrix->rows = rows;
    matrix->columns = columns;
  }
  void AddVector(std::string name, uint32_t size, std::vector<float>* vector) {
    vector->resize(size);
    slots_.push_back({std::move(name), {size}, nullptr, vector, false});
  }
  void AddLinear(const PartName& part, uint32_t rows, uint32_t columns, BertLinear* linear) {
    AddTable(part, rows, columns, &linear->weight);
    AddVector(Name(part, ".bias"), rows, &linear->bias);
    slots_.back().optional = true;
  }
  void AddNorm(const PartName& part, uint32_t size, BertNorm* norm) {
    AddVector(Name(part, ".weight"), size, &norm->gamma);
    AddVector(Name(part, ".bias"), size, &norm->beta);
  }

  Naming naming_;
  std::string prefix_;
  std::vector<Slot> slots_;
};

Status CheckSize(const char* name, uint32_t size, uint32_t step, uint32_t size_max) {
  if (size != 0 && size % step == 0 && size <= size_max) return OkStatus();
  return Unsupported("the " + std::string(name) + " is " + std::to_string(size) +
                     "; computed are multiples of " + std::to_string(step) + " up to " +
                     std::to_string(size_max));
}

Status CheckConfig(const BertConfig& config) {
  RETURN_IF_ERROR(CheckSize("number of layers", config.layers, 1, kLayersMax));
  RETURN_IF_ERROR(CheckSize("hidden size", config.hidden, kHiddenStep, kHiddenMax));
  RETURN_IF_ERROR(
      CheckSize("intermediate size", config.intermediate, kHiddenStep, kIntermediateMax));
  RETURN_IF_ERROR(CheckSize("vocabulary", config.vocabulary, 1, kNumberMax));
  RETURN_IF_ERROR(CheckSize("number of token types", config.token_types, 1, kNumberMax));
  RETURN_IF_ERROR(CheckSize("number of positions", config.positions, 1, kNumberMax));
  if (config.heads == 0 || config.hidden % config.heads != 0) {
    return Corrupt("a hidden size of " + std::to_string(config.hidden) +
                   " cannot be shared out among " + std::to_string(config.heads) + " heads");
  }
  RETURN_IF_ERROR(CheckSize("head size", config.head_size(), kHeadSizeStep, kHeadSizeMax));
  if (!(config.norm_epsilon > 0 && config.norm_epsilon < 1)) {
    return Corrupt("the epsilon of the layer norms is missing or not between 0 and 1");
  }
  return OkStatus();
}

// Heads for other tasks, which say nothing about embeddings.
bool IsOtherTask(Naming naming, const std::string& name) {
  if (naming == Naming::kGguf) return name.starts_with("cls.");
  return name == "embeddings.position_ids" ||
         !(name.starts_with("embeddings.") || name.starts_with("encoder."));
}

Status CheckNames(const std::vector<Slot>& slots, const FileTensors& tensors, Naming naming) {
  std::set<std::string_view> known;
  for (const Slot& slot : slots) known.insert(slot.name);
  for (const auto& [name, tensor] : tensors) {
    if (known.contains(name) || IsOtherTask(naming, name)) continue;
    return Unsupported("the tensor " + name +
                       " belongs to another form of BERT; computed is the original one, with "
                       "learned positions, separate query, key and value, and a plain GELU network "
                       "in each layer");
  }
  return OkStatus();
}

Status FillSlot(const Slot& slot, const FileTensors& tensors, Storage* storage) {
  const auto found = tensors.find(slot.name);
  if (found == tensors.end()) {
    if (slot.optional) return Unsupported("a BERT without the tensor " + slot.name);
    return Corrupt("the tensor " + slot.name + " is missing");
  }
  const FileTensor& tensor = found->second;
  if (!tensor.type) {
    return Unsupported("the tensor " + slot.name + " has the type " + tensor.type_name +
                       "; computed are F32, F16 and BF16. Import the model unquantised");
  }
  if (tensor.shape != slot.shape) {
    return Corrupt("the tensor " + slot.name + " is " + ShapeText(tensor.shape) +
                   ", the model's sizes ask for " + ShapeText(slot.shape));
  }
  uint64_t bytes = BytesOf(*tensor.type);
  for (const uint64_t size : slot.shape) bytes *= size;
  if (tensor.bytes.size() != bytes) {
    return Corrupt("the tensor " + slot.name + " has " + std::to_string(tensor.bytes.size()) +
                   " bytes, its shape asks for " + std::to_string(bytes));
  }
  const void* values = tensor.bytes.data();
  if (reinterpret_cast<uintptr_t>(values) % BytesOf(*tensor.type) != 0) {
    // safetensors files of old writers begin their data at any byte.
    storage->copies.push_back(std::make_unique<char[]>(bytes));
    std::memcpy(storage->copies.back().get(), values, bytes);
    values = storage->copies.back().get();
  }
  if (slot.matrix != nullptr) {
    slot.matrix->type = *tensor.type;
    slot.matrix->values = values;
    return OkStatus();
  }
  const FloatMatrix row{*tensor.type, 1, static_cast<uint32_t>(slot.vector->size()), values};
  row.ReadRow(0, slot.vector->data());
  return OkStatus();
}

struct Source {
  Naming naming = Naming::kGguf;
  BertConfig config;
  uint32_t first_position = 0;  // rows of the position table that no text reads
  FileTensors tensors;
  std::shared_ptr<Storage> storage;
};

void DropRows(uint32_t count, FloatMatrix* matrix) {
  const size_t bytes = size_t{count} * matrix->columns * BytesOf(matrix->type);
  matrix->values = static_cast<const char*>(matrix->values) + bytes;
  matrix->rows -= count;
}

Result<std::unique_ptr<BertModel>> Build(const Source& source) {
  RETURN_IF_ERROR(CheckConfig(source.config));
  auto model = std::make_unique<BertModel>();
  model->config = source.config;
  model->layers.resize(source.config.layers);
  const SlotList list(source.naming, source.first_position, model.get());
  RETURN_IF_ERROR(CheckNames(list.slots(), source.tensors, source.naming));
  for (const Slot& slot : list.slots()) {
    RETURN_IF_ERROR(FillSlot(slot, source.tensors, source.storage.get()));
  }
  DropRows(source.first_position, &model->position_embeddings);
  model->storage = source.storage;
  return model;
}

std::optional<double> NumberOf(const GgufFacts& facts, const std::string& key) {
  const auto found = facts.numbers.find(key);
  return found == facts.numbers.end() ? std::nullopt : std::optional<double>(found->second);
}

Result<uint32_t> SizeOf(const GgufFacts& facts, const std::string& key) {
  const double size = NumberOf(facts, key).value_or(0);
  if (!(size >= 1 && size <= kNumberMax) || size != std::floor(size)) {
    return Corrupt(key + " is missing or no whole number from 1 to " + std::to_string(kNumberMax));
  }
  return static_cast<uint32_t>(size);
}

// The rows of a table whose number no key must name; 1 for a missing one, which FillSlot reports.
Result<uint32_t> RowsOf(const GgufFacts& facts, const std::string& key, const FileTensors& tensors,
                        const std::string& name) {
  if (NumberOf(facts, key)) return SizeOf(facts, key);
  const auto found = tensors.find(name);
  if (found == tensors.end() || found->second.shape.size() != 2) return 1u;
  return static_cast<uint32_t>(std::min<uint64_t>(found->second.shape[0], UINT32_MAX));
}

std::string NumberText(double number) {
  std::ostringstream text;
  text << std::setprecision(15) << number;
  return text.str();
}

// Refuses what other forms of attention say.
Status CheckAttention(const GgufFacts& facts, const BertConfig& config) {
  if (NumberOf(facts, "bert.attention.causal").value_or(0) != 0) {
    return Unsupported("bert.attention.causal is set; computed is attention in both directions");
  }
  const double head_size = static_cast<double>(config.hidden) / config.heads;
  const std::pair<const char*, double> kWanted[] = {
      {"bert.attention.head_count_kv", config.heads},
      {"bert.attention.key_length", head_size},
      {"bert.attention.value_length", head_size},
  };
  for (const auto& [key, wanted] : kWanted) {
    const double number = NumberOf(facts, key).value_or(wanted);
    if (number == wanted) continue;
    return Unsupported(std::string(key) + " is " + NumberText(number) + "; computed is " +
                       NumberText(wanted) + ", by hidden size and heads");
  }
  return OkStatus();
}

Result<Pooling> PoolingOf(const GgufFacts& facts) {
  const std::optional<double> pooling = NumberOf(facts, "bert.pooling_type");
  if (pooling == 1) return Pooling::kMean;
  if (pooling == 2) return Pooling::kCls;
  return Unsupported("bert.pooling_type is " + (pooling ? NumberText(*pooling) : "missing") +
                     "; computed are 1, mean, and 2, cls");
}

// llama.cpp's converter leaves out the rows of XLM-RoBERTa's position table that no text reads; its
// tables have 2 rows more than a power of two before. A file that kept them would be read two
// positions off, and nothing else in it says so.
Status CheckPositions(const GgufFacts& facts, uint32_t positions) {
  const auto tokenizer = facts.texts.find("tokenizer.ggml.model");
  const bool unigram = tokenizer != facts.texts.end() && tokenizer->second == "t5";
  if (!unigram || positions <= 2 || !std::has_single_bit(positions - 2)) return OkStatus();
  // Not MODEL_UNSUPPORTED: another engine would read it as wrongly.
  return InvalidArgument(
      Reason::kModelCorrupt,
      "BERT model: bert.context_length is " + std::to_string(positions) +
          " with a Unigram tokeniser: the position table seems to begin with the two rows that "
          "XLM-RoBERTa never reads; import the model's sentence-transformers folder instead");
}

Result<BertConfig> ConfigOf(const GgufFacts& facts, const FileTensors& tensors) {
  BertConfig config;
  ASSIGN_OR_RETURN(config.hidden, SizeOf(facts, "bert.embedding_length"));
  ASSIGN_OR_RETURN(config.intermediate, SizeOf(facts, "bert.feed_forward_length"));
  ASSIGN_OR_RETURN(config.layers, SizeOf(facts, "bert.block_count"));
  ASSIGN_OR_RETURN(config.heads, SizeOf(facts, "bert.attention.head_count"));
  ASSIGN_OR_RETURN(config.positions, SizeOf(facts, "bert.context_length"));
  ASSIGN_OR_RETURN(config.vocabulary,
                   RowsOf(facts, "bert.vocab_size", tensors, "token_embd.weight"));
  ASSIGN_OR_RETURN(config.token_types,
                   RowsOf(facts, "tokenizer.ggml.token_type_count", tensors, "token_types.weight"));
  const double epsilon = NumberOf(facts, "bert.attention.layer_norm_epsilon").value_or(0);
  config.norm_epsilon = epsilon > 0 && epsilon < 1 ? static_cast<float>(epsilon) : 0;
  ASSIGN_OR_RETURN(config.pooling, PoolingOf(facts));
  RETURN_IF_ERROR(CheckPositions(facts, config.positions));
  RETURN_IF_ERROR(CheckAttention(facts, config));
  return config;
}

Result<Source> ReadGguf(std::shared_ptr<Storage> storage) {
  ASSIGN_OR_RETURN(const GgufFacts facts, ParseGguf(storage->file.bytes()));
  if (facts.architecture != "bert") {
    return Unsupported("the architecture is '" + facts.architecture + "', not 'bert'");
  }
  Source source;
  source.naming = Naming::kGguf;
  for (const GgufTensor& tensor : facts.tensor_table) {
    FileTensor found;
    if (tensor.type == kGgufF32) found.type = FloatType::kF32;
    if (tensor.type == kGgufF16) found.type = FloatType::kF16;
    if (tensor.type == kGgufBf16) found.type = FloatType::kBf16;
    found.type_name = std::to_string(tensor.type) + " of GGUF";
    found.shape = WithoutLeadingOnes({tensor.sizes.rbegin(), tensor.sizes.rend()});
    found.bytes = tensor.bytes;
    source.tensors.emplace(tensor.name, std::move(found));
  }
  ASSIGN_OR_RETURN(source.config, ConfigOf(facts, source.tensors));
  source.storage = std::move(storage);
  return source;
}

BertConfig ConfigOf(const SentenceTransformer& folder) {
  BertConfig config;
  config.vocabulary = folder.vocabulary;
  config.positions = folder.positions - folder.first_position;
  config.token_types = folder.token_types;
  config.hidden = folder.hidden;
  config.intermediate = folder.intermediate;
  config.layers = folder.layers;
  config.heads = folder.heads;
  config.norm_epsilon = folder.norm_epsilon;
  config.pooling = folder.pooling == "cls" ? Pooling::kCls : Pooling::kMean;
  return config;
}

Result<Source> ReadSafetensors(const SentenceTransformer& facts, std::shared_ptr<Storage> storage) {
  ASSIGN_OR_RETURN(const SafeTensors tensors, ParseSafetensors(storage->file.bytes()));
  Source source;
  source.naming = Naming::kTorch;
  source.config = ConfigOf(facts);
  source.first_position = facts.first_position;
  for (const auto& [name, tensor] : tensors) {
    FileTensor found;
    if (tensor.type == "F32") found.type = FloatType::kF32;
    if (tensor.type == "F16") found.type = FloatType::kF16;
    if (tensor.type == "BF16") found.type = FloatType::kBf16;
    found.type_name = tensor.type;
    found.shape = WithoutLeadingOnes(tensor.shape);
    found.bytes = tensor.bytes;
    const std::string plain(WithoutModelName(name));
    if (!source.tensors.emplace(plain, std::move(found)).second) {
      return Corrupt("the tensor " + plain + " comes with and without the model before its name");
    }
  }
  source.storage = std::move(storage);
  return source;
}

}  // namespace

void FloatMatrix::ReadRow(uint32_t row, float* out) const {
  const size_t first = size_t{row} * columns;
  if (type == FloatType::kF32) {
    std::memcpy(out, static_cast<const float*>(values) + first, size_t{columns} * sizeof(float));
    return;
  }
  const uint16_t* bits = static_cast<const uint16_t*>(values) + first;
  if (type == FloatType::kF16) {
    for (uint32_t i = 0; i < columns; ++i) out[i] = FromHalf(bits[i]);
  } else {
    for (uint32_t i = 0; i < columns; ++i) out[i] = FromBfloat16(bits[i]);
  }
}

Result<std::unique_ptr<BertModel>> BertModel::Load(const fs::path& file) {
  ASSIGN_OR_RETURN(MappedFile mapped, MapModelFile(file));
  const Result<Source> source = ReadGguf(std::make_shared<Storage>(std::move(mapped)));
  if (!source.ok()) return source.status().WithContext(file.string());
  Result<std::unique_ptr<BertModel>> model = Build(*source);
  if (!model.ok()) return model.status().WithContext(file.string());
  return model;
}

Result<std::unique_ptr<BertModel>> BertModel::LoadSafetensors(const fs::path& folder) {
  ASSIGN_OR_RETURN(const SentenceTransformer facts, ReadSentenceTransformer(folder));
  const fs::path file = folder / "model.safetensors";
  ASSIGN_OR_RETURN(MappedFile mapped, MapModelFile(file));
  const Result<Source> source =
      ReadSafetensors(facts, std::make_shared<Storage>(std::move(mapped)));
  if (!source.ok()) return source.status().WithContext(file.string());
  Result<std::unique_ptr<BertModel>> model = Build(*source);
  if (!model.ok()) return model.status().WithContext(file.string());
  return model;
}

}  // namespace ragstone::llm
