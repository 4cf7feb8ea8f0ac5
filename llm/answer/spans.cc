#include "llm/answer/spans.h"

#include <algorithm>
#include <numeric>

#include "llm/answer/text_words.h"

namespace ragstone::llm {
namespace {

// How many sentences the model sees one after the other (weak) or together (strong).
constexpr size_t kWeakSentences = 3;
constexpr size_t kStrongSentences = 6;
constexpr size_t kConsidered = 8;
// Tokens kept free for the span itself, and for what a chat template adds to the messages.
constexpr uint32_t kSpanTokensMax = 48;
constexpr uint32_t kTemplateTokens = 64;
constexpr uint32_t kSpanWordsMax = 12;
// How much the model's own certainty counts beside the score of the sentence.
constexpr double kLogprobWeight = 1.0;

constexpr std::string_view kRefusal = "unanswerable";

// Shows a small model what is wanted: a few words, taken from the text.
constexpr std::string_view kExamples =
    "Answer each question with a few words copied from the text.\n\n"
    "Text: The bridge over the Aldra was opened in May 1931 by the mayor, Ida Brandt.\n"
    "Question: Who opened the bridge?\n"
    "Answer: Ida Brandt\n\n"
    "Text: Each unit weighs 14 kg and is delivered with two filters made of glass fibre.\n"
    "Question: What are the filters made of?\n"
    "Answer: glass fibre\n\n"
    "Text: The storm reached the coast on 3 October and left 40,000 homes without power.\n"
    "Question: How many homes lost power?\n"
    "Answer: 40,000\n\n";

constexpr std::string_view kInstruction =
    "You answer questions from the given text only. Reply with the shortest words of the text that "
    "answer the question, copied exactly. If the text does not hold the answer, reply "
    "\"unanswerable\".";

// Texts of the evidence in the order shown, and where their candidate stretches lie.
struct Shown {
  std::string text;                  // as the model reads it
  std::vector<std::string> sources;  // what it may copy from
  struct Origin {
    size_t sentence = 0;
    Stretch stretch;       // bytes of the passage's text
    bool of_kind = false;  // whether it begins with what the question asks for
  };
  std::vector<Origin> origins;
};

void Show(const SpanRequest& request, size_t index, Shown& shown) {
  const EvidenceSentence& sentence = request.evidence->sentences[index];
  const EvidencePassage& passage = (*request.passages)[sentence.passage];
  if (!shown.text.empty()) shown.text += "\n";
  shown.text += sentence.Text();
  const std::string text = SpacesForControls(passage.text);
  const Candidates candidates = UnitCandidates(text, sentence, *request.question);
  for (const Stretch& stretch : candidates.stretches) {
    shown.sources.push_back(text.substr(stretch.begin, stretch.end - stretch.begin));
    shown.origins.push_back({index, stretch, candidates.of_kind});
  }
}

GenerateRequest PromptFor(const SpanRequest& request, const Shown& shown) {
  GenerateRequest prompt;
  const std::string asked = "Text: " + shown.text + "\nQuestion: " + request.question->text;
  if (request.weak) {
    prompt.prompt = {{std::string(kExamples), false}, {asked + "\nAnswer:", false}};
  } else {
    prompt.messages = {{"system", std::string(kInstruction)}, {"user", asked}};
  }
  prompt.tokens_max = kSpanTokensMax;
  prompt.span_sources = shown.sources;
  prompt.span_words_max = kSpanWordsMax;
  return prompt;
}

// What the chosen bytes of a candidate stretch stand for. A cell of a table is chosen as a whole. A
// model that chose the unit means the number before it, and one that chose a part of a date the
// date; a span without meaning of its own ("a", "of the") means the stretch.
Stretch WholeAnswer(const EvidenceSentence& sentence, std::string_view text, Stretch chosen,
                    Stretch stretch, bool of_kind, const Question& question) {
  for (const Stretch cell : sentence.values) {
    if (cell.begin <= chosen.begin && chosen.end <= cell.end &&
        WordsOf(text.substr(cell.begin, cell.end - cell.begin)).size() <= kSpanWordsMax) {
      return cell;
    }
  }
  const std::vector<TextWord> words = WordsOf(text.substr(chosen.begin, chosen.end - chosen.begin));
  const bool meaningful = std::any_of(words.begin(), words.end(), [](const TextWord& word) {
    return !IsFunctionWord(word.folded);
  });
  if (!meaningful) return stretch;
  if (of_kind && question.kind == AnswerKind::kTime) return stretch;
  if (of_kind && IsNumeric(question.kind)) {
    return WholeQuantity(text, chosen, stretch);
  }
  return WholeName(text, chosen, question);
}

// Asks once with the refusal allowed; if the model takes it, once more without, because whether to
// refuse is decided from all signals together and not by the model alone.
Result<std::optional<ShortAnswer>> Choose(const SpanRequest& request, const Shown& shown,
                                          Generator& generator, const CallContext& context,
                                          ModelTime& time) {
  if (shown.sources.empty()) return std::optional<ShortAnswer>();
  GenerateRequest prompt = PromptFor(request, shown);
  prompt.alternatives = {std::string(kRefusal)};
  const auto ignore = [](std::string_view) { return OkStatus(); };
  ASSIGN_OR_RETURN(GenerateResult result, generator.Generate(prompt, ignore, context));
  const double refusal = result.alternative_logprob;
  time.prompt_ms += result.prompt_ms;
  time.generate_ms += result.generate_ms;
  if (result.span_source < 0) {
    prompt.alternatives.clear();
    ASSIGN_OR_RETURN(result, generator.Generate(prompt, ignore, context));
    time.prompt_ms += result.prompt_ms;
    time.generate_ms += result.generate_ms;
  }
  if (result.span_source < 0) return std::optional<ShortAnswer>();
  const auto source = static_cast<size_t>(result.span_source);
  // The worker is another process: what it says is checked like any input.
  if (source >= shown.sources.size() || result.span_begin >= result.span_end ||
      result.span_end > shown.sources[source].size()) {
    return Internal("answer: the generator chose bytes " + std::to_string(result.span_begin) +
                    " to " + std::to_string(result.span_end) + " of text " +
                    std::to_string(source) + ", which do not exist");
  }
  const Shown::Origin& origin = shown.origins[source];
  const EvidenceSentence& sentence = request.evidence->sentences[origin.sentence];
  const Stretch chosen = {origin.stretch.begin + result.span_begin,
                          origin.stretch.begin + result.span_end};
  const Stretch whole = WholeAnswer(sentence, (*request.passages)[sentence.passage].text, chosen,
                                    origin.stretch, origin.of_kind, *request.question);
  return std::optional(
      ShortAnswer{origin.sentence, whole.begin, whole.end, result.logprob, refusal});
}

// The sentences to show, by index, best first. Where the question asks for a time or a number,
// those that have one come before the others.
std::vector<size_t> Order(const SpanRequest& request) {
  const auto& sentences = request.evidence->sentences;
  std::vector<size_t> order(std::min(sentences.size(), kConsidered));
  std::iota(order.begin(), order.end(), size_t{0});
  const AnswerKind kind = request.question->kind;
  if (kind == AnswerKind::kTime || IsNumeric(kind)) {
    std::stable_partition(order.begin(), order.end(),
                          [&](size_t i) { return sentences[i].of_kind > 0; });
  }
  order.resize(std::min(order.size(), request.weak ? kWeakSentences : kStrongSentences));
  return order;
}

// Tokens of the fixed parts, the question and the best sentences.
struct Budget {
  uint32_t fixed = 0;
  std::vector<uint32_t> sentences;
};

Result<Budget> CountBudget(const SpanRequest& request, const std::vector<size_t>& order,
                           Generator& generator, const CallContext& context) {
  std::vector<std::string> texts = {std::string(request.weak ? kExamples : kInstruction),
                                    "Text: \nQuestion: " + request.question->text + "\nAnswer:"};
  for (const size_t i : order) {
    texts.push_back(request.evidence->sentences[i].Text());
  }
  ASSIGN_OR_RETURN(const std::vector<uint32_t> counts, generator.CountTokens(texts, context));
  if (counts.size() != texts.size()) return Internal("answer: the generator counted too few texts");
  Budget budget;
  budget.fixed = counts[0] + counts[1] + kSpanTokensMax + kTemplateTokens;
  budget.sentences.assign(counts.begin() + 2, counts.end());
  return budget;
}

}  // namespace

Result<std::optional<ShortAnswer>> ChooseSpan(const SpanRequest& request, Generator& generator,
                                              const CallContext& context, ModelTime& time) {
  const auto& sentences = request.evidence->sentences;
  const std::vector<size_t> order = Order(request);
  ASSIGN_OR_RETURN(const Budget budget, CountBudget(request, order, generator, context));
  const uint32_t context_tokens = request.model.context_tokens;
  const uint32_t shortest =
      order.empty() ? 0 : *std::min_element(budget.sentences.begin(), budget.sentences.end());
  if (budget.fixed + shortest > context_tokens) {
    return InvalidArgument(Reason::kQueryTooLong,
                           "the question needs " + std::to_string(budget.fixed) +
                               " tokens with its instructions and " + "the shortest evidence " +
                               std::to_string(shortest) + ", the model has a context of " +
                               std::to_string(context_tokens) + "; ask a shorter question");
  }
  // Whole sentences only: one that does not fit is left out, never cut.
  std::optional<ShortAnswer> best;
  double best_score = 0;
  Shown together;
  uint32_t used = budget.fixed;
  for (size_t i = 0; i < order.size(); ++i) {
    if (used + budget.sentences[i] > context_tokens) continue;
    if (!request.weak) {
      used += budget.sentences[i] + 1;
      Show(request, order[i], together);
      continue;
    }
    RETURN_IF_ERROR(context.Check());
    Shown shown;
    Show(request, order[i], shown);
    ASSIGN_OR_RETURN(const auto answer, Choose(request, shown, generator, context, time));
    if (!answer.has_value()) continue;
    const double score = sentences[order[i]].score + kLogprobWeight * answer->logprob;
    if (!best.has_value() || score > best_score) {
      best = answer;
      best_score = score;
    }
  }
  if (request.weak) return best;
  return Choose(request, together, generator, context, time);
}

}  // namespace ragstone::llm
