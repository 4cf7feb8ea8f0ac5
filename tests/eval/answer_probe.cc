// Runs the answering code over questions with given passages, so that it can be measured and fitted
// without a database: reads one JSON object per line
//   {"id", "question", "passages": [{"text", "heading", "vector_score", "document", "ordinal"}]}
// and prints {"id", "answered", "confidence", "short_answer", "answer", "signals", "citations",
// "timings_ms"}; with --evidence it asks no generator and prints the selected sentences and their
// signals. --corpus names a file with one JSON string per line: the texts that word rarity is
// counted in. The workers are ragstone-model processes that listen on Unix sockets.
#include <grpcpp/grpcpp.h>

#include <cmath>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "index/internal/keywords/words.h"
#include "ingest/chunker.h"
#include "llm/answer/answerer.h"
#include "llm/answer/evidence.h"
#include "llm/tokenizer.h"
#include "ragstone/worker/v1/embedder.grpc.pb.h"
#include "ragstone/worker/v1/generator.grpc.pb.h"

namespace {

namespace worker = ragstone::worker::v1;
using Json = nlohmann::json;
using ragstone::CallContext;
using ragstone::Internal;
using ragstone::OkStatus;
using ragstone::Result;
using ragstone::Status;
namespace llm = ragstone::llm;

Status FromGrpc(const grpc::Status& status) {
  return status.ok() ? OkStatus() : Internal("worker: " + status.error_message());
}

class SocketGenerator : public llm::Generator {
 public:
  explicit SocketGenerator(const std::string& address)
      : stub_(worker::Generator::NewStub(
            grpc::CreateChannel(address, grpc::InsecureChannelCredentials()))) {}

  Result<llm::GeneratorInfo> Info(const CallContext&) override {
    grpc::ClientContext context;
    worker::GetGeneratorInfoResponse response;
    RETURN_IF_ERROR(FromGrpc(stub_->GetInfo(&context, {}, &response)));
    return llm::GeneratorInfo{response.context_tokens(), response.chat_template(),
                              response.parameters(), response.device()};
  }

  Result<std::vector<uint32_t>> CountTokens(std::span<const std::string> texts,
                                            const CallContext&) override {
    grpc::ClientContext context;
    worker::CountTokensRequest request;
    for (const std::string& text : texts) request.add_texts(text);
    worker::CountTokensResponse response;
    RETURN_IF_ERROR(FromGrpc(stub_->CountTokens(&context, request, &response)));
    return std::vector<uint32_t>(response.counts().begin(), response.counts().end());
  }

  Result<llm::GenerateResult> Generate(const llm::GenerateRequest& request,
                                       const std::function<Status(std::string_view)>& on_text,
                                       const CallContext&) override {
    worker::GenerateRequest message;
    for (const auto& part : request.prompt) {
      auto& added = *message.add_prompt();
      added.set_text(part.text);
      added.set_control(part.control);
    }
    for (const auto& chat : request.messages) {
      auto& added = *message.add_messages();
      added.set_role(chat.role);
      added.set_text(chat.text);
    }
    message.set_tokens_max(request.tokens_max);
    for (const auto& text : request.span_sources) message.add_span_sources(text);
    for (const auto& text : request.alternatives) message.add_alternatives(text);
    message.set_span_words_max(request.span_words_max);
    grpc::ClientContext context;
    const auto reader = stub_->Generate(&context, message);
    llm::GenerateResult result;
    for (worker::GenerateResponse event; reader->Read(&event);) {
      if (event.has_text()) {
        RETURN_IF_ERROR(on_text(event.text()));
        continue;
      }
      const auto& done = event.done();
      result = {done.finish_reason(),    done.prompt_tokens(),      done.reused_tokens(),
                done.generated_tokens(), done.prompt_ms(),          done.generate_ms(),
                done.logprob(),          done.span_source(),        done.span_begin(),
                done.span_end(),         done.alternative_logprob()};
    }
    RETURN_IF_ERROR(FromGrpc(reader->Finish()));
    return result;
  }

 private:
  const std::unique_ptr<worker::Generator::Stub> stub_;
};

using Vectors = std::vector<std::vector<float>>;

// Vectors of texts, remembered.
class SocketEmbedder {
 public:
  SocketEmbedder(const std::string& address, const llm::Tokenizer& tokenizer)
      : tokenizer_(tokenizer),
        stub_(worker::Embedder::NewStub(
            grpc::CreateChannel(address, grpc::InsecureChannelCredentials()))) {}

  Result<Vectors> Embed(const std::vector<std::string>& texts) {
    worker::EmbedRequest request;
    std::vector<std::string> missing;
    for (const std::string& text : texts) {
      if (known_.contains(text)) continue;
      std::vector<int32_t> ids = tokenizer_.Encode(text);
      if (ids.size() > 256) ids.erase(ids.begin() + 255, ids.end() - 1);
      auto& sequence = *request.add_texts();
      sequence.mutable_ids()->Add(ids.begin(), ids.end());
      missing.push_back(text);
    }
    if (!missing.empty()) {
      grpc::ClientContext context;
      worker::EmbedResponse response;
      RETURN_IF_ERROR(FromGrpc(stub_->Embed(&context, request, &response)));
      const auto* value = response.values().data();
      for (const std::string& text : missing) {
        known_[text] = std::vector<float>(value, value + response.dimensions());
        value += response.dimensions();
      }
    }
    Vectors vectors;
    for (const std::string& text : texts) vectors.push_back(known_[text]);
    return vectors;
  }

 private:
  const llm::Tokenizer& tokenizer_;
  const std::unique_ptr<worker::Embedder::Stub> stub_;
  std::map<std::string, std::vector<float>> known_;
};

// Rarity of words in the corpus, as the keyword index computes it.
class Rarity {
 public:
  void Add(const std::string& text) {
    std::set<std::string> terms;
    const auto split = ragstone::index::keywords::SplitTerms(text);
    if (!split.ok()) return;
    for (const auto& word : split->words) terms.insert(word.term);
    for (const std::string& term : terms) ++documents_[term];
    ++count_;
  }
  Result<std::vector<std::pair<std::string, double>>> Weights(std::string_view text) const {
    ASSIGN_OR_RETURN(const auto split, ragstone::index::keywords::SplitTerms(text));
    std::vector<std::pair<std::string, double>> weights;
    for (const auto& word : split.words) {
      const auto at = documents_.find(word.term);
      const double n = at == documents_.end() ? 0 : at->second;
      weights.emplace_back(word.term, std::log(1 + (count_ - n + 0.5) / (n + 0.5)));
    }
    return weights;
  }

 private:
  std::map<std::string, double> documents_;
  double count_ = 0;
};

std::vector<llm::EvidencePassage> PassagesOf(const Json& request) {
  std::vector<llm::EvidencePassage> passages;
  for (const Json& item : request.at("passages")) {
    llm::EvidencePassage passage;
    passage.text = item.at("text");
    passage.heading = item.value("heading", "");
    passage.vector_score = item.value("vector_score", 0.0);
    passage.score = passage.vector_score;
    passage.document = item.value("document", uint64_t{0});
    passage.ordinal = item.value("ordinal", 0u);
    passages.push_back(std::move(passage));
  }
  return passages;
}

Result<Json> EvidenceOf(const Json& request, const llm::AnswerServices& services) {
  const auto passages = PassagesOf(request);
  const auto question = llm::ReadQuestion(request.at("question").get<std::string>());
  ASSIGN_OR_RETURN(const auto evidence,
                   llm::SelectEvidence(question, passages, services, CallContext()));
  Json sentences = Json::array();
  for (const auto& s : evidence.sentences) {
    sentences.push_back({{"text", s.shown},
                         {"passage", s.passage},
                         {"cosine", s.cosine},
                         {"coverage", s.coverage},
                         {"near_coverage", s.near_coverage},
                         {"of_kind", s.of_kind},
                         {"passage_score", s.passage_score},
                         {"rank", s.rank},
                         {"score", s.score}});
  }
  return Json{{"id", request.at("id")}, {"sentences", std::move(sentences)}};
}

Result<Json> AnswerOf(const Json& request, const llm::AnswerServices& services) {
  const auto passages = PassagesOf(request);
  llm::AnswerOptions options;
  options.confidence_min = 0;  // the caller compares confidences itself
  ASSIGN_OR_RETURN(const auto answer, llm::Answer(request.at("question").get<std::string>(),
                                                  passages, options, services, {}, CallContext()));
  Json citations = Json::array();
  for (const auto& c : answer.citations) {
    citations.push_back({{"n", c.n}, {"passage", c.passage}, {"begin", c.begin}, {"end", c.end}});
  }
  return Json{{"id", request.at("id")},
              {"answered", answer.answered},
              {"confidence", answer.confidence},
              {"short_answer", answer.short_answer},
              {"answer", answer.answer},
              {"signals", answer.signals},
              {"citations", std::move(citations)},
              {"timings_ms", answer.timings_ms}};
}

int Run(const std::map<std::string, std::string>& options, bool evidence_only) {
  const auto tokenizer = llm::LoadTokenizer(options.at("--tokenizer"));
  if (!tokenizer.ok()) {
    std::cerr << "answer_probe: " << tokenizer.status().ToString() << "\n";
    return 1;
  }
  SocketEmbedder embedder(options.at("--embedder"), **tokenizer);
  std::unique_ptr<SocketGenerator> generator;
  if (!evidence_only) generator = std::make_unique<SocketGenerator>(options.at("--generator"));
  Rarity rarity;
  std::ifstream corpus(options.at("--corpus"));
  for (std::string line; std::getline(corpus, line);) rarity.Add(Json::parse(line));

  llm::AnswerServices services;
  services.generator = generator.get();
  services.embed = [&](const std::vector<std::string>& texts, bool) {
    return embedder.Embed(texts);
  };
  services.term_weights = [&](std::string_view text) { return rarity.Weights(text); };
  services.sentences = [](std::string_view text) {
    std::vector<std::pair<size_t, size_t>> ranges;
    for (const auto& s : ragstone::ingest::SplitSentences(text))
      ranges.emplace_back(s.begin, s.end);
    return ranges;
  };
  for (std::string line; std::getline(std::cin, line);) {
    const Json request = Json::parse(line);
    const auto result = evidence_only ? EvidenceOf(request, services) : AnswerOf(request, services);
    if (!result.ok()) {
      std::cerr << "answer_probe: " << result.status().ToString() << "\n";
      return 1;
    }
    std::cout << result->dump(-1, ' ', false, Json::error_handler_t::replace) << std::endl;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::map<std::string, std::string> options;
  bool evidence_only = false;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    if (name == "--evidence") {
      evidence_only = true;
    } else if (i + 1 < argc) {
      options[name] = argv[++i];
    }
  }
  for (const char* name : {"--tokenizer", "--embedder", "--corpus"}) {
    if (!options.contains(name)) {
      std::cerr << "usage: answer_probe --tokenizer FOLDER --embedder unix:PATH --corpus FILE "
                   "(--generator unix:PATH | --evidence) < QUESTIONS\n";
      return 2;
    }
  }
  if (!evidence_only && !options.contains("--generator")) {
    std::cerr << "answer_probe: --generator is missing\n";
    return 2;
  }
  return Run(options, evidence_only);
}
