#include "llm/llama/span_decoder.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "llm/llama/logits.h"

namespace ragstone::llm {
namespace {

using Place = SpanMatcher::Place;

// The beginning of a span; its places are the occurrences of these bytes in the sources.
struct Beam {
  std::vector<Place> places;
  double logprob = 0;
  uint32_t tokens = 0;
  llama_seq_id sequence = 0;
};

// A beam with one token more.
struct Step {
  size_t beam = 0;
  llama_token token = 0;
  double logprob = 0;
  std::vector<Place> places;
};

class SpanSearch {
 public:
  SpanSearch(Session* session, const TokenTable& table, const SpanMatcher& matcher,
             const SpanDecodeOptions& request)
      : session_(session), table_(table), matcher_(matcher), request_(request) {
    for (const std::string& stop : request.stop) {
      if (stop.empty()) continue;
      for (const llama_token token : table.BeginningWith(static_cast<unsigned char>(stop[0]))) {
        if (stop[0] != '\n' && table.Piece(token).starts_with(stop)) stop_tokens_.push_back(token);
      }
    }
  }

  Result<SpanChoice> Run(const CallContext& context);

 private:
  void Expand(size_t index, std::span<const float> logits, std::vector<Step>* steps);
  void Finish(const Beam& beam, std::span<const float> logits, double log_sum);
  double EndMass(const Place& place, std::span<const float> logits, double log_sum) const;
  Status Advance(std::vector<Step> steps, const CallContext& context);

  Session* session_;
  const TokenTable& table_;
  const SpanMatcher& matcher_;
  const SpanDecodeOptions& request_;
  std::vector<llama_token> stop_tokens_;
  std::vector<Beam> beams_;
  llama_seq_id bank_ = 0;  // the sequences in use: bank_ + 1 ... bank_ + kSpanBeams
  bool found_ = false;
  Place best_place_;
  double best_logprob_ = -std::numeric_limits<double>::infinity();
  uint32_t best_tokens_ = 0;
  uint32_t computed_ = 0;
};

// What the model does after a complete span: it ends the text or the line, or sets a mark that the
// source does not have there.
double SpanSearch::EndMass(const Place& place, std::span<const float> logits,
                           double log_sum) const {
  const std::string_view rest = matcher_.Rest(place);
  const char next = rest.empty() ? '\0' : rest.front();
  double mass = MassOf(logits, log_sum, table_.end_tokens()) +
                MassOf(logits, log_sum, table_.BeginningWith('\n')) +
                MassOf(logits, log_sum, stop_tokens_);
  for (const char mark : {'.', ',', ';', ':', '!', '?', ')', '"'}) {
    if (mark == next) continue;
    mass += MassOf(logits, log_sum, table_.BeginningWith(static_cast<unsigned char>(mark)));
  }
  return std::min(mass, 1.0);
}

void SpanSearch::Finish(const Beam& beam, std::span<const float> logits, double log_sum) {
  for (const Place& place : beam.places) {
    if (!matcher_.IsEnd(place)) continue;
    const double logprob = beam.logprob + std::log(EndMass(place, logits, log_sum) + 1e-12);
    if (logprob > best_logprob_) {
      found_ = true;
      best_place_ = place;
      best_logprob_ = logprob;
      best_tokens_ = beam.tokens + 1;
    }
  }
}

void SpanSearch::Expand(size_t index, std::span<const float> logits, std::vector<Step>* steps) {
  const Beam& beam = beams_[index];
  const double log_sum = LogSumExp(logits);
  Finish(beam, logits, log_sum);
  if (beam.tokens >= request_.tokens_max) return;
  std::map<llama_token, std::vector<Place>> next;
  std::string spaced;
  for (const Place& place : beam.places) {
    const std::string_view rest = matcher_.Rest(place).substr(0, table_.longest());
    spaced = " ";
    spaced += rest;
    const bool first = place.pos == place.begin;
    for (const std::string_view bytes : {rest, std::string_view(spaced)}) {
      for (size_t n = 1; n <= std::min(bytes.size(), table_.longest()); ++n) {
        const llama_token token = table_.Find(bytes.substr(0, n));
        Place moved = place;
        if (token == LLAMA_TOKEN_NULL || !matcher_.Advance(bytes.substr(0, n), &moved)) continue;
        next[token].push_back(moved);
      }
      if (!first) break;
    }
  }
  for (auto& [token, places] : next) {
    const double logprob = beam.logprob + logits[static_cast<size_t>(token)] - log_sum;
    if (logprob > best_logprob_) steps->push_back({index, token, logprob, std::move(places)});
  }
}

// Computes the best steps side by side, each in a sequence of its own.
Status SpanSearch::Advance(std::vector<Step> steps, const CallContext& context) {
  const llama_seq_id bank = bank_ == 0 ? static_cast<llama_seq_id>(kSpanBeams) : 0;
  std::vector<Beam> beams;
  std::vector<SessionToken> tokens;
  for (Step& step : steps) {
    const Beam& parent = beams_[step.beam];
    const auto sequence = bank + 1 + static_cast<llama_seq_id>(beams.size());
    session_->Fork(parent.sequence, sequence);
    tokens.push_back({step.token, static_cast<llama_pos>(request_.prompt_tokens + parent.tokens),
                      sequence, true});
    beams.push_back({std::move(step.places), step.logprob, parent.tokens + 1, sequence});
  }
  for (const Beam& beam : beams_) {
    if (beam.sequence != 0) session_->Drop(beam.sequence);
  }
  bank_ = bank;
  beams_ = std::move(beams);
  computed_ += static_cast<uint32_t>(tokens.size());
  return session_->Decode(tokens, context);
}

Result<SpanChoice> SpanSearch::Run(const CallContext& context) {
  beams_.push_back({matcher_.Starts(), 0, 0, 0});
  const size_t vocabulary = session_->vocabulary();
  std::vector<Step> steps;
  Expand(0, session_->prompt_logits(), &steps);
  while (!steps.empty()) {
    std::sort(steps.begin(), steps.end(), [](const Step& a, const Step& b) {
      if (a.logprob != b.logprob) return a.logprob > b.logprob;
      return a.beam != b.beam ? a.beam < b.beam : a.token < b.token;
    });
    if (steps.size() > kSpanBeams) steps.resize(kSpanBeams);
    RETURN_IF_ERROR(Advance(std::move(steps), context));
    steps.clear();
    for (size_t i = 0; i < beams_.size(); ++i) {
      const float* logits = session_->Logits(i);
      if (logits == nullptr) return Internal("llama.cpp returns no logits for a span");
      Expand(i, {logits, vocabulary}, &steps);
    }
    std::erase_if(steps, [&](const Step& step) { return step.logprob <= best_logprob_; });
  }
  for (const Beam& beam : beams_) {
    if (beam.sequence != 0) session_->Drop(beam.sequence);
  }
  if (!found_) {
    return FailedPrecondition(Reason::kInvalidArgument,
                              "no span of the given texts can be written with the model's tokens "
                              "within " +
                                  std::to_string(request_.tokens_max) + " tokens");
  }
  SpanChoice choice;
  choice.span = matcher_.Resolve(best_place_);
  choice.logprob = best_logprob_ / best_tokens_;
  choice.tokens = computed_;
  return choice;
}

}  // namespace

Result<SpanChoice> DecodeSpan(Session* session, const TokenTable& table, const SpanMatcher& matcher,
                              const SpanDecodeOptions& request, const CallContext& context) {
  return SpanSearch(session, table, matcher, request).Run(context);
}

}  // namespace ragstone::llm
