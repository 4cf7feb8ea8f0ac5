#include "llm/llama/bert_to_gguf.h"

#include <algorithm>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "llm/llama/runtime.h"
#include "llm/mapped_file.h"
#include "llm/safetensors.h"

namespace ragstone::llm {
namespace {

struct GgufDeleter {
  void operator()(gguf_context* context) const { gguf_free(context); }
};
struct GgmlDeleter {
  void operator()(ggml_context* context) const { ggml_free(context); }
};

// A tensor to write: its name there, its name in PyTorch, rows and columns there (rows 0: a
// vector), and how many rows are left out.
struct Mapping {
  std::string gguf;
  std::string torch;
  uint64_t rows = 0;
  uint64_t columns = 0;
  uint64_t rows_left_out = 0;
};

std::vector<Mapping> MappingsOf(const SentenceTransformer& model) {
  const uint64_t hidden = model.hidden;
  const uint64_t wide = model.intermediate;
  std::vector<Mapping> mappings = {
      {"token_embd.weight", "embeddings.word_embeddings.weight", model.vocabulary, hidden},
      // llama.cpp's tables begin with the row of a text's first token.
      {"position_embd.weight", "embeddings.position_embeddings.weight", model.positions, hidden,
       model.first_position},
      {"token_types.weight", "embeddings.token_type_embeddings.weight", model.token_types, hidden},
      {"token_embd_norm.weight", "embeddings.LayerNorm.weight", 0, hidden},
      {"token_embd_norm.bias", "embeddings.LayerNorm.bias", 0, hidden},
  };
  struct Part {
    const char* gguf;
    const char* torch;
    uint64_t rows, columns;  // rows 0: a layer norm
  };
  const Part parts[] = {
      {"attn_q", "attention.self.query", hidden, hidden},
      {"attn_k", "attention.self.key", hidden, hidden},
      {"attn_v", "attention.self.value", hidden, hidden},
      {"attn_output", "attention.output.dense", hidden, hidden},
      {"attn_output_norm", "attention.output.LayerNorm", 0, hidden},
      {"ffn_up", "intermediate.dense", wide, hidden},
      {"ffn_down", "output.dense", hidden, wide},
      {"layer_output_norm", "output.LayerNorm", 0, hidden},
  };
  for (uint32_t layer = 0; layer < model.layers; ++layer) {
    const std::string block = "blk." + std::to_string(layer) + ".";
    const std::string prefix = "encoder.layer." + std::to_string(layer) + ".";
    for (const Part& part : parts) {
      mappings.push_back({block + part.gguf + ".weight", prefix + part.torch + ".weight", part.rows,
                          part.columns});
      mappings.push_back({block + part.gguf + ".bias", prefix + part.torch + ".bias", 0,
                          part.rows == 0 ? part.columns : part.rows});
    }
  }
  return mappings;
}

Result<const SafeTensor*> Find(const SafeTensors& tensors, const Mapping& mapping) {
  const auto found =
      std::find_if(tensors.begin(), tensors.end(), [&](const SafeTensors::value_type& tensor) {
        return WithoutModelName(tensor.first) == mapping.torch;
      });
  if (found == tensors.end()) {
    return InvalidArgument(Reason::kModelCorrupt,
                           "model.safetensors has no tensor " + mapping.torch);
  }
  const std::vector<uint64_t> shape = mapping.rows == 0
                                          ? std::vector<uint64_t>{mapping.columns}
                                          : std::vector<uint64_t>{mapping.rows, mapping.columns};
  if (found->second.shape != shape) {
    return InvalidArgument(Reason::kModelCorrupt,
                           "tensor " + mapping.torch +
                               " of model.safetensors has another shape than "
                               "config.json says");
  }
  return &found->second;
}

// llama.cpp's WordPiece marks the beginning of words, where BERT's vocabulary marks their middle.
std::string PhantomSpace(const std::string& token) {
  const bool special = token.size() > 2 && token.front() == '[' && token.back() == ']';
  if (special) return token;
  if (token.starts_with("##")) return token.substr(2);
  return "\xE2\x96\x81" + token;
}

void SetTokens(const SentenceTransformer& model, gguf_context* gguf) {
  gguf_set_val_u32(gguf, "tokenizer.ggml.token_type_count", model.token_types);
  if (model.tokenizer == TokenizerKind::kUnigram) {
    // Texts are tokenised by us, from tokenizer.json: no tokens are better than a copy that
    // llama.cpp would read otherwise.
    gguf_set_val_str(gguf, "tokenizer.ggml.model", "none");
    gguf_set_val_u32(gguf, "bert.vocab_size", model.vocabulary);
    return;
  }
  std::vector<std::string> texts;
  std::vector<int32_t> types;
  for (const std::string& token : model.tokens) {
    texts.push_back(PhantomSpace(token));
    const bool special = texts.back() == token && token.front() == '[';
    types.push_back(special ? LLAMA_TOKEN_TYPE_CONTROL : LLAMA_TOKEN_TYPE_NORMAL);
  }
  std::vector<const char*> pointers;
  for (const std::string& text : texts) pointers.push_back(text.c_str());
  gguf_set_val_str(gguf, "tokenizer.ggml.model", "bert");
  gguf_set_val_str(gguf, "tokenizer.ggml.pre", "default");
  gguf_set_arr_str(gguf, "tokenizer.ggml.tokens", pointers.data(), pointers.size());
  gguf_set_arr_data(gguf, "tokenizer.ggml.token_type", GGUF_TYPE_INT32, types.data(), types.size());
  const std::pair<const char*, const char*> kSpecial[] = {
      {"[CLS]", "tokenizer.ggml.bos_token_id"},       {"[CLS]", "tokenizer.ggml.cls_token_id"},
      {"[SEP]", "tokenizer.ggml.seperator_token_id"},  // as the format spells it
      {"[UNK]", "tokenizer.ggml.unknown_token_id"},   {"[PAD]", "tokenizer.ggml.padding_token_id"},
      {"[MASK]", "tokenizer.ggml.mask_token_id"},
  };
  for (const auto& [token, key] : kSpecial) {
    const auto found = std::find(model.tokens.begin(), model.tokens.end(), token);
    if (found == model.tokens.end()) continue;
    gguf_set_val_u32(gguf, key, static_cast<uint32_t>(found - model.tokens.begin()));
  }
}

void SetMetadata(const SentenceTransformer& model, gguf_context* gguf) {
  gguf_set_val_str(gguf, "general.architecture", "bert");
  gguf_set_val_str(gguf, "general.name", model.name.c_str());
  if (!model.license.empty()) gguf_set_val_str(gguf, "general.license", model.license.c_str());
  gguf_set_val_u32(gguf, "general.file_type", LLAMA_FTYPE_ALL_F32);
  gguf_set_val_u32(gguf, "bert.context_length", model.positions - model.first_position);
  gguf_set_val_u32(gguf, "bert.embedding_length", model.hidden);
  gguf_set_val_u32(gguf, "bert.feed_forward_length", model.intermediate);
  gguf_set_val_u32(gguf, "bert.block_count", model.layers);
  gguf_set_val_u32(gguf, "bert.attention.head_count", model.heads);
  gguf_set_val_f32(gguf, "bert.attention.layer_norm_epsilon", model.norm_epsilon);
  gguf_set_val_bool(gguf, "bert.attention.causal", false);
  gguf_set_val_u32(gguf, "bert.pooling_type",
                   model.pooling == "cls" ? LLAMA_POOLING_TYPE_CLS : LLAMA_POOLING_TYPE_MEAN);
  SetTokens(model, gguf);
}

}  // namespace

Status WriteBertGguf(const std::filesystem::path& folder, const SentenceTransformer& model,
                     const std::filesystem::path& output) {
  ASSIGN_OR_RETURN(const MappedFile file, MapModelFile(folder / "model.safetensors"));
  ASSIGN_OR_RETURN(const SafeTensors tensors, ParseSafetensors(file.bytes()));
  const std::vector<Mapping> mappings = MappingsOf(model);

  std::unique_ptr<gguf_context, GgufDeleter> gguf(gguf_init_empty());
  ggml_init_params params{};
  params.mem_size = ggml_tensor_overhead() * (mappings.size() + 1);
  params.no_alloc = true;
  std::unique_ptr<ggml_context, GgmlDeleter> ggml(ggml_init(params));
  if (gguf == nullptr || ggml == nullptr) return Internal("ggml has no memory for the conversion");
  SetMetadata(model, gguf.get());

  std::deque<std::vector<float>>
      values;  // ggml keeps pointers to the data until the file is written
  for (const Mapping& mapping : mappings) {
    ASSIGN_OR_RETURN(const SafeTensor* source, Find(tensors, mapping));
    ASSIGN_OR_RETURN(std::vector<float> floats, TensorToFloats(*source));
    floats.erase(floats.begin(), floats.begin() + static_cast<std::ptrdiff_t>(
                                                      mapping.rows_left_out * mapping.columns));
    values.push_back(std::move(floats));
    const auto columns = static_cast<int64_t>(mapping.columns);
    ggml_tensor* tensor =
        mapping.rows == 0
            ? ggml_new_tensor_1d(ggml.get(), GGML_TYPE_F32, columns)
            : ggml_new_tensor_2d(ggml.get(), GGML_TYPE_F32, columns,
                                 static_cast<int64_t>(mapping.rows - mapping.rows_left_out));
    ggml_set_name(tensor, mapping.gguf.c_str());
    tensor->data = values.back().data();
    gguf_add_tensor(gguf.get(), tensor);
  }
  if (!gguf_write_to_file(gguf.get(), output.c_str(), false)) {
    return Status(StatusCode::kInternal, Reason::kIo,
                  "cannot write " + output.string() + "; is the disk full?");
  }
  return OkStatus();
}

}  // namespace ragstone::llm
