#include "tests/testing/fake_worker_pool.h"

#include <unistd.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/hash.h"

namespace ragstone::testing {

namespace {

constexpr std::string_view kMagic = "%PDF-fake\n";

ingest::Page MakePage(uint32_t number, std::string_view text) {
  ingest::Page page;
  page.number = number;
  page.width = 600;
  page.height = 800;
  if (text.find("NOTEXT") != std::string_view::npos) {
    page.images = 1;
    return page;
  }
  page.text = text;
  for (uint32_t begin = 0; begin < text.size();) {
    const size_t found = text.find('\n', begin);
    const auto end = static_cast<uint32_t>(found == std::string_view::npos ? text.size() : found);
    page.lines.push_back({begin, end, 10, false, false});
    begin = end + 1;
  }
  float y = 10;
  for (const ingest::Line& line : page.lines) {
    for (uint32_t begin = line.begin; begin < line.end;) {
      const size_t space = std::min<size_t>(text.find(' ', begin), line.end);
      const auto end = static_cast<uint32_t>(space);
      const auto x = static_cast<float>(begin - line.begin);
      page.words.push_back({begin, end, x, y, x + static_cast<float>(end - begin), y + 10});
      begin = end + 1;
    }
    y += 12;
  }
  return page;
}

Status Crash() { return Unavailable(Reason::kWorkerCrashed, "the PDF worker ended: signal 11"); }

void Must(const Status& status) { CHECK(status.ok()); }

}  // namespace

Status FakePdfParser::Parse(std::string_view bytes, const ingest::ParseLimits& limits,
                            const ingest::PageSink& sink, const CallContext& context) {
  ++documents;
  if (bytes.substr(0, kMagic.size()) != kMagic) {
    return InvalidArgument(Reason::kPdfDamaged, "the PDF is damaged");
  }
  bytes.remove_prefix(kMagic.size());
  std::vector<std::string_view> pages;
  for (size_t end = 0; end != std::string_view::npos;) {
    end = bytes.find('\f');
    pages.push_back(bytes.substr(0, end));
    if (end != std::string_view::npos) bytes.remove_prefix(end + 1);
  }
  if (pages.size() > limits.pages_max) {
    return ResourceExhausted(Reason::kTooManyPages, "too many pages");
  }
  RETURN_IF_ERROR(sink.opened({static_cast<uint32_t>(pages.size()), "A title", ""}));
  uint32_t number = 0;
  for (const std::string_view text : pages) {
    RETURN_IF_ERROR(context.Check());
    if (text.find("CRASHONCE") != std::string_view::npos) {
      if (!crashed_once_.exchange(true)) return Crash();
    } else if (text.find("CRASH") != std::string_view::npos) {
      return Crash();
    }
    RETURN_IF_ERROR(sink.page(MakePage(++number, text)));
  }
  return OkStatus();
}

Result<llm::Embedder*> FakeWorkerPool::EmbedderFor(const llm::Manifest& /*manifest*/,
                                                   const std::filesystem::path& /*file*/) {
  return static_cast<llm::Embedder*>(&embedder);
}

Result<llm::Generator*> FakeWorkerPool::GeneratorFor(const llm::Manifest& /*manifest*/,
                                                     const std::filesystem::path& /*file*/) {
  return static_cast<llm::Generator*>(&generator);
}

Result<services::ImportedModel> FakeWorkerPool::ImportModel(
    const services::ImportOptions& import,
    const std::function<Status(const std::string&)>& progress, const CallContext& /*context*/) {
  const std::filesystem::path &source = import.source, &output_dir = import.output_dir;
  if (source.string().find("broken") != std::string::npos) {
    return InvalidArgument(Reason::kModelCorrupt, "the header is damaged at byte 8");
  }
  RETURN_IF_ERROR(progress("copying"));
  services::ImportedModel model;
  const bool folder = std::filesystem::is_directory(source);
  std::filesystem::copy_file(folder ? source / "model.safetensors" : source,
                             output_dir / "model.gguf");
  if (folder) {
    std::filesystem::copy_file(source / "tokenizer.json", output_dir / "tokenizer.json");
  }
  model.kind = folder ? "embedding" : "generator";
  model.architecture = folder ? "bert" : "llama";
  model.storage_type = "F32";
  model.dimensions = folder ? kFakeDimensions : 0;
  model.context_tokens = 256;
  model.parameters = 1;
  model.pooling = folder ? "mean" : "";
  return model;
}

std::vector<services::WorkerState> FakeWorkerPool::States() const {
  services::WorkerState state;
  state.role = "embed";
  state.pid = 1;
  return {state};
}

std::string FakePdf(const std::vector<std::string>& pages) {
  std::string bytes(kMagic);
  for (size_t i = 0; i < pages.size(); ++i) bytes += (i > 0 ? "\f" : "") + pages[i];
  return bytes;
}

std::string FakeTokenizerJson() {
  nlohmann::json vocab;
  int id = 0;
  for (const char* special : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}) vocab[special] = id++;
  for (const char c : std::string_view("abcdefghijklmnopqrstuvwxyz0123456789")) {
    vocab[std::string(1, c)] = id++;
    vocab[std::string("##") + c] = id++;
  }
  nlohmann::json json;
  json["version"] = "1.0";
  json["normalizer"] = {{"type", "BertNormalizer"},
                        {"clean_text", true},
                        {"handle_chinese_chars", true},
                        {"strip_accents", nullptr},
                        {"lowercase", true}};
  json["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
  json["post_processor"] = {{"type", "TemplateProcessing"},
                            {"single",
                             {{{"SpecialToken", {{"id", "[CLS]"}, {"type_id", 0}}}},
                              {{"Sequence", {{"id", "A"}, {"type_id", 0}}}},
                              {{"SpecialToken", {{"id", "[SEP]"}, {"type_id", 0}}}}}},
                            {"special_tokens",
                             {{"[CLS]", {{"id", "[CLS]"}, {"ids", {2}}, {"tokens", {"[CLS]"}}}},
                              {"[SEP]", {{"id", "[SEP]"}, {"ids", {3}}, {"tokens", {"[SEP]"}}}}}}};
  json["added_tokens"] = nlohmann::json::array();
  json["model"] = {{"type", "WordPiece"},
                   {"unk_token", "[UNK]"},
                   {"continuing_subword_prefix", "##"},
                   {"max_input_chars_per_word", 100},
                   {"vocab", vocab}};
  return json.dump();
}

TestHome::TestHome() {
  std::string name = (std::filesystem::temp_directory_path() / "ragstone_test_XXXXXX").string();
  CHECK(::mkdtemp(name.data()) != nullptr);
  dir_ = name;
  Must(CreateDirectories(dir_ / "models"));
  Must(CreateDirectories(dir_ / "data"));
  llm::ModelStore store(dir_ / "models");
  for (const auto kind : {llm::ModelKind::kEmbedding, llm::ModelKind::kGenerator}) {
    const bool embedding = kind == llm::ModelKind::kEmbedding;
    const auto staging = store.NewStagingFolder();
    CHECK(staging.ok());
    const std::string weights = embedding ? "embedder weights" : "generator weights";
    Must(WriteFileAtomically(*staging / "model.gguf", weights));
    llm::Manifest manifest;
    manifest.name = embedding ? "fake-embedder" : "fake-generator";
    manifest.kind = kind;
    manifest.architecture = "fake";
    manifest.storage_type = "F32";
    manifest.sha256 = Sha256Of(weights).Hex();
    manifest.source_sha256 = manifest.sha256;
    manifest.bytes = weights.size();
    manifest.parameters = 1;
    manifest.dimensions = embedding ? kFakeDimensions : 0;
    manifest.context_tokens = 256;
    manifest.pooling = embedding ? "mean" : "";
    if (embedding) {
      const std::string tokenizer = FakeTokenizerJson();
      Must(WriteFileAtomically(*staging / "tokenizer.json", tokenizer));
      manifest.tokenizer_sha256 = Sha256Of(tokenizer).Hex();
    }
    Must(store.Install(*staging, manifest));
    Must(store.SetDefault(kind, manifest.name));
  }
}

TestHome::~TestHome() { std::filesystem::remove_all(dir_); }

services::Settings TestHome::settings() const {
  services::Settings settings;
  settings.data_dir = dir_ / "data";
  settings.models_dir = dir_ / "models";
  settings.memory_limit = 512ull << 20;
  settings.file_bytes_max = 64ull << 20;
  return settings;
}

}  // namespace ragstone::testing
