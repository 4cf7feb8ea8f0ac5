#include "llm/llama/importer.h"

#include <algorithm>
#include <utility>

#include "llm/encoder/bert_model.h"
#include "llm/encoder/kernel_tiers.h"
#include "llm/gguf_file.h"
#include "llm/llama/bert_to_gguf.h"
#include "llm/llama/cpu_features.h"
#include "llm/llama/llama_embedder.h"
#include "llm/llama/llama_generator.h"
#include "llm/llama/retype.h"
#include "llm/llama/retype_file.h"
#include "llm/llama/runtime.h"
#include "llm/mapped_file.h"
#include "llm/sentence_transformer.h"

namespace ragstone::llm {
namespace {

namespace fs = std::filesystem;

Status Copy(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::copy_file(from, to, fs::copy_options::overwrite_existing, error);
  if (error) return ErrnoStatus(error.value(), "copy " + from.string() + " to " + to.string());
  return OkStatus();
}

RetypeOptions RetypeOptionsOf(const ImportOptions& options, const ImportResult& result) {
  RetypeOptions retype;
  retype.model = options.output_dir / "model.gguf";
  retype.pooling = result.pooling;
  retype.tokens_max = result.kind == "embedding" ? result.context_tokens : 0;
  retype.threads = options.threads;
  return retype;
}

// Whether our encoder computes the model with 8 bits, on this machine.
Status CheckInt8(const ImportOptions& options) {
  RETURN_IF_ERROR(BertModel::Load(options.output_dir / "model.gguf").status());
  return ChooseKernels("int8", CompiledTier()).status();
}

Status Retype(const ImportOptions& options, const ImportProgress& progress,
              const CallContext& context, ImportResult* result) {
  if (options.int8) RETURN_IF_ERROR(CheckInt8(options));
  if (!options.retype) return OkStatus();
  if (result->kind == "embedding" && BertModel::Load(options.output_dir / "model.gguf").ok()) {
    result->measurements = {"kept as " + result->storage_type +
                            ": our own encoder computes it and packs the weights as it needs them"};
    return OkStatus();
  }
  const RetypeOptions retype = RetypeOptionsOf(options, *result);
  ASSIGN_OR_RETURN(RetypeResult retyped, result->kind == "embedding"
                                             ? RetypeEmbedder(retype, progress, context)
                                             : RetypeGenerator(retype, progress, context));
  result->storage_type = std::move(retyped.storage_type);
  result->measurements = std::move(retyped.measurements);
  return OkStatus();
}

Result<ImportResult> ImportFolder(const ImportOptions& options, const ImportProgress& progress,
                                  const CallContext& context) {
  RETURN_IF_ERROR(progress("converting the weights to GGUF"));
  ASSIGN_OR_RETURN(const SentenceTransformer source, ReadSentenceTransformer(options.source));
  const fs::path output = options.output_dir / "model.gguf";
  RETURN_IF_ERROR(WriteBertGguf(options.source, source, output));
  // Our tokeniser reads what the folder has.
  std::error_code error;
  if (fs::exists(options.source / "tokenizer.json", error)) {
    RETURN_IF_ERROR(Copy(options.source / "tokenizer.json", options.output_dir / "tokenizer.json"));
  } else {
    RETURN_IF_ERROR(Copy(options.source / "vocab.txt", options.output_dir / "vocab.txt"));
    if (fs::exists(options.source / "tokenizer_config.json", error)) {
      RETURN_IF_ERROR(Copy(options.source / "tokenizer_config.json",
                           options.output_dir / "tokenizer_config.json"));
    }
  }
  ImportResult result;
  result.kind = "embedding";
  result.architecture = "bert";
  result.storage_type = "F32";
  result.dimensions = source.hidden;
  result.context_tokens = source.tokens_max;
  result.pooling = source.pooling;
  result.normalize = source.normalize;
  result.license = source.license;
  {
    ASSIGN_OR_RETURN(const ModelPtr model, LoadModel(output, LoadOptions()));
    result.parameters = llama_model_n_params(model.get());
  }
  RETURN_IF_ERROR(Retype(options, progress, context, &result));
  return result;
}

// Fills in what the model says of itself once llama.cpp has loaded it.
Status Describe(const llama_model* model, const std::string& pooling_number, ImportResult* result) {
  result->parameters = llama_model_n_params(model);
  result->context_tokens = static_cast<uint32_t>(std::max(0, llama_model_n_ctx_train(model)));
  result->storage_type = StorageTypeName(model);
  if (pooling_number.empty() || pooling_number == "0") {
    result->kind = "generator";
    return OkStatus();
  }
  result->kind = "embedding";
  result->dimensions = static_cast<uint32_t>(llama_model_n_embd_out(model));
  result->normalize = true;
  if (pooling_number == "1") result->pooling = "mean";
  if (pooling_number == "2") result->pooling = "cls";
  if (pooling_number == "3") result->pooling = "last";
  if (result->pooling.empty()) {
    return InvalidArgument(
        Reason::kModelUnsupported,
        "the model's pooling is type " + pooling_number + "; mean, cls and last are supported");
  }
  return OkStatus();
}

// Tries the model once in the way in which it will be used.
Status TryOnce(const fs::path& file, const ImportResult& result, const CallContext& context) {
  if (result.kind == "embedding") {
    LlamaEmbedderOptions options;
    options.pooling = result.pooling;
    options.tokens_max = result.context_tokens;
    options.threads = 1;
    ASSIGN_OR_RETURN(const auto embedder, LlamaEmbedder::Load(file, options));
    const std::vector<std::vector<int32_t>> texts = {{0, 1, 2}};
    return embedder->Embed(texts, context).status();
  }
  LlamaGeneratorOptions options;
  options.context_tokens = 512;
  ASSIGN_OR_RETURN(const auto generator, LlamaGenerator::Load(file, options));
  GenerateRequest request;
  request.prompt = {{"Once upon a time", false}};
  request.tokens_max = 4;
  return generator
      ->Generate(
          request, [](std::string_view) { return OkStatus(); }, context)
      .status();
}

Result<ImportResult> ImportGguf(const ImportOptions& options, const ImportProgress& progress,
                                const CallContext& context) {
  RETURN_IF_ERROR(progress("checking the file"));
  ImportResult result;
  {
    ASSIGN_OR_RETURN(const MappedFile file, MapModelFile(options.source));
    ASSIGN_OR_RETURN(const GgufFacts facts, ParseGguf(file.bytes()));
    result.architecture = facts.architecture;
    const auto license = facts.texts.find("general.license");
    if (license != facts.texts.end()) result.license = license->second.substr(0, 100);
  }
  if (result.architecture == "bert") {
    // Our reader looks closer than llama.cpp's. What it only does not know is for llama.cpp.
    const Status status = BertModel::Load(options.source).status();
    if (status.reason() == Reason::kModelCorrupt) return status;
  }
  RETURN_IF_ERROR(progress("copying the file"));
  const fs::path output = options.output_dir / "model.gguf";
  RETURN_IF_ERROR(Copy(options.source, output));
  {
    ASSIGN_OR_RETURN(const ModelPtr model, LoadModel(output, LoadOptions()));
    const std::string key = result.architecture + ".pooling_type";
    RETURN_IF_ERROR(Describe(model.get(), MetadataText(model.get(), key.c_str()), &result));
  }
  if (result.kind == "embedding") {
    const fs::path tokenizer = options.source.parent_path() / "tokenizer.json";
    std::error_code error;
    if (!fs::exists(tokenizer, error)) {
      return InvalidArgument(Reason::kModelUnsupported,
                             "an embedding model needs its tokenizer.json beside the GGUF file; "
                             "there is none in " +
                                 options.source.parent_path().string());
    }
    RETURN_IF_ERROR(Copy(tokenizer, options.output_dir / "tokenizer.json"));
  }
  RETURN_IF_ERROR(progress("trying the model"));
  RETURN_IF_ERROR(TryOnce(output, result, context));
  RETURN_IF_ERROR(Retype(options, progress, context, &result));
  return result;
}

}  // namespace

Result<ImportResult> ImportModel(const ImportOptions& options, const ImportProgress& progress,
                                 const CallContext& context) {
  std::error_code error;
  if (!fs::is_directory(options.output_dir, error)) {
    return InvalidArgument(Reason::kInvalidArgument,
                           "output folder " + options.output_dir.string() + " does not exist");
  }
  if (fs::is_directory(options.source, error)) return ImportFolder(options, progress, context);
  if (!fs::exists(options.source, error)) {
    return NotFound(Reason::kFileNotFound, options.source.string() + " does not exist");
  }
  return ImportGguf(options, progress, context);
}

}  // namespace ragstone::llm
