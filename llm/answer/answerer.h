#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/call_context.h"
#include "base/status.h"
#include "llm/generator.h"

namespace ragstone::llm {

// A passage offered as evidence, best first.
struct EvidencePassage {
  std::string heading;
  std::string text;  // exactly as in the document
  double score = 0;
  double vector_score = 0;   // cosine with the question
  double keyword_score = 0;  // BM25
  uint64_t document = 0;     // equal for passages of one document
  uint32_t ordinal = 0;      // place in the document
};

// A citation: bytes [begin, end) of passage `passage`.
struct AnswerCitation {
  uint32_t n = 0;  // 1-based, as in the text
  uint32_t passage = 0;
  uint32_t begin = 0, end = 0;
};

struct AnswerResult {
  bool answered = false;
  std::string answer;  // with [n]; a sentence saying so if not answered
  // Verbatim from the evidence but for white space; empty unless answered.
  std::string short_answer;
  std::vector<AnswerCitation> citations;
  double confidence = 0;  // 0..1
  std::map<std::string, double> timings_ms;
  std::map<std::string, double> signals;  // what the confidence was computed from, by name
};

struct AnswerOptions {
  bool short_style = false;
  uint32_t answer_tokens_max = 256;
  double confidence_min = 0.3;  // below: "not in your documents"
};

// What the answerer needs of the rest of the system.
struct AnswerServices {
  Generator* generator = nullptr;
  // Normalised vectors of short texts, queries when `is_query`.
  std::function<Result<std::vector<std::vector<float>>>(const std::vector<std::string>& texts,
                                                        bool is_query)>
      embed;
  // idf of each word of a text in the collection asked, in order.
  std::function<Result<std::vector<std::pair<std::string, double>>>(std::string_view text)>
      term_weights;
  // Splits a text into sentences: byte ranges [begin, end).
  std::function<std::vector<std::pair<size_t, size_t>>(std::string_view text)> sentences;
};

// Receives the answer as it is made.
struct AnswerSink {
  std::function<Status(std::string_view)> token;
  std::function<Status(const AnswerCitation&)> citation;
};

// Answers `question` from the passages: selects sentences, asks the generator within its real
// context, lets it choose spans rather than write, checks every citation, abstains when the
// evidence does not hold an answer. A citation that does not resolve never gets out. Deterministic
// for equal input. INVALID_ARGUMENT: EMPTY_QUERY, QUERY_TOO_LONG.
Result<AnswerResult> Answer(std::string_view question, const std::vector<EvidencePassage>& passages,
                            const AnswerOptions& options, const AnswerServices& services,
                            const AnswerSink& sink, const CallContext& context);

}  // namespace ragstone::llm
