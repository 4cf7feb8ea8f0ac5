#include "llm/answer/evidence.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "llm/answer/text_words.h"

namespace ragstone::llm {
namespace {

// Limits: what a question may cost before the language model is asked.
constexpr size_t kPassagesMax = 12;
constexpr size_t kSentencesMax = 320;
constexpr size_t kEmbeddedMax = 40;
constexpr size_t kEmbeddedTwiceMax = 20;  // the best, also behind the heading above them

// Weights of the sentence score: a softmax over the sentences of the best eight passages, fitted by
// tests/eval/fit_abstention.py on 300 questions of SQuAD v1.1 dev (does the sentence hold the gold
// answer?). Two-fold cross-validation: first sentence right for 80 %, among the first three for 92
// %.
constexpr double kCosineWeight = 3.2;
constexpr double kCoverageWeight = 4.5;
constexpr double kNearCoverageWeight = 5.9;
constexpr double kOfKindWeight = 1.3;
constexpr double kPassageWeight = 1.1;
constexpr double kRankWeight = 1.2;
// A heading, or a unit that says only what the question says, answers nothing; the text below does.
constexpr double kRepeatPenalty = 6.0;

// The question's terms as the collection's index sees them, with their rarity.
class QuestionTerms {
 public:
  static Result<QuestionTerms> Make(const Question& question, const AnswerServices& services) {
    QuestionTerms made;
    made.services_ = &services;
    ASSIGN_OR_RETURN(const auto terms, services.term_weights(question.text));
    for (const auto& [term, weight] : terms) {
      if (IsFunctionWord(term)) continue;
      // A word that no document has still counts: it is what the question is about.
      made.weights_[term] = std::max(weight, 0.1);
    }
    for (const auto& [term, weight] : made.weights_) made.total_ += weight;
    return made;
  }

  Result<std::set<std::string>> FoundIn(std::string_view text) const {
    std::set<std::string> found;
    if (weights_.empty()) return found;
    ASSIGN_OR_RETURN(const auto terms, services_->term_weights(text));
    for (const auto& [term, weight] : terms) {
      if (weights_.contains(term)) found.insert(term);
    }
    return found;
  }

  double Share(const std::set<std::string>& found) const {
    double sum = 0;
    for (const std::string& term : found) sum += weights_.at(term);
    return total_ > 0 ? sum / total_ : 0;
  }

 private:
  const AnswerServices* services_ = nullptr;
  std::map<std::string, double> weights_;
  double total_ = 0;
};

// The units of a passage.
std::vector<EvidenceSentence> SentencesOf(const EvidencePassage& passage, uint32_t index,
                                          const AnswerServices& services) {
  std::vector<EvidenceSentence> sentences;
  for (EvidenceUnit& unit : UnitsOf(passage.text, passage.heading, services.sentences)) {
    EvidenceSentence sentence;
    static_cast<EvidenceUnit&>(sentence) = std::move(unit);
    sentence.passage = index;
    sentence.place = static_cast<uint32_t>(sentences.size());
    sentences.push_back(std::move(sentence));
  }
  return sentences;
}

double Score(const EvidenceSentence& s) {
  return kCosineWeight * s.cosine + kCoverageWeight * s.coverage +
         kNearCoverageWeight * s.near_coverage + kOfKindWeight * s.of_kind +
         kPassageWeight * s.passage_score + kRankWeight * s.rank - (s.repeats ? kRepeatPenalty : 0);
}

// Best first; equal scores in the order of passages, so that the result is deterministic.
void SortByScore(std::vector<EvidenceSentence>& sentences) {
  for (EvidenceSentence& sentence : sentences) sentence.score = Score(sentence);
  std::stable_sort(sentences.begin(), sentences.end(),
                   [](const auto& a, const auto& b) { return a.score > b.score; });
}

// Everything about the sentences that needs no vectors.
Result<Evidence> ScoreWords(const Question& question, const std::vector<EvidencePassage>& passages,
                            const QuestionTerms& terms, const AnswerServices& services) {
  Evidence evidence;
  std::unordered_set<std::string>
      seen;  // the same sentence of a document, from passages that overlap
  for (uint32_t p = 0; p < std::min(passages.size(), kPassagesMax); ++p) {
    const EvidencePassage& passage = passages[p];
    std::vector<EvidenceSentence> own = SentencesOf(passage, p, services);
    ASSIGN_OR_RETURN(const std::set<std::string> heading, terms.FoundIn(passage.heading));
    std::set<std::string> everywhere = heading;
    std::vector<std::set<std::string>> found;
    for (const EvidenceSentence& s : own) {
      ASSIGN_OR_RETURN(std::set<std::string> in_sentence, terms.FoundIn(s.shown));
      everywhere.insert(in_sentence.begin(), in_sentence.end());
      found.push_back(std::move(in_sentence));
    }
    std::set<std::string> section;  // words of the heading above the unit at hand
    evidence.passage_coverage = std::max(evidence.passage_coverage, terms.Share(everywhere));
    for (size_t i = 0; i < own.size() && evidence.sentences.size() < kSentencesMax; ++i) {
      EvidenceSentence& s = own[i];
      if (i == 0 || s.section != own[i - 1].section) {
        ASSIGN_OR_RETURN(section, terms.FoundIn(s.section));
      }
      // Forms repeat their small units ("Year: 1962"), which mean something else in another
      // section.
      const std::string text = s.values.empty() ? s.shown : passage.heading + " " + s.Text();
      if (!seen.insert(std::to_string(passage.document) + " " + text).second) continue;
      std::set<std::string> near = heading;
      near.insert(section.begin(), section.end());
      for (size_t j = i > 0 ? i - 1 : 0; j < std::min(i + 2, own.size()); ++j) {
        near.insert(found[j].begin(), found[j].end());
      }
      s.coverage = terms.Share(found[i]);
      s.near_coverage = terms.Share(near);
      const Candidates candidates = UnitCandidates(passage.text, s, question);
      s.of_kind = candidates.of_kind ? 1 : 0;
      s.repeats = s.heading || candidates.only_asked;
      s.passage_score = passage.vector_score;
      s.rank = 1.0 / (1.0 + p);
      evidence.sentences.push_back(s);
    }
  }
  return evidence;
}

double Dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t d = 0; d < std::min(a.size(), b.size()); ++d) sum += static_cast<double>(a[d]) * b[d];
  return sum;
}

// Sets the cosines with the question: of the unit alone or behind its heading, whichever is nearer,
// since a heading may say what a unit is about ("Oil: fill in 2 litres") or drown it.
Status CompareByMeaning(const Question& question, const AnswerServices& services,
                        std::vector<EvidenceSentence>& sentences) {
  std::vector<std::string> texts;
  std::vector<size_t> owners;
  for (size_t i = 0; i < sentences.size(); ++i) {
    texts.push_back(sentences[i].shown);
    owners.push_back(i);
    if (sentences[i].section.empty() || i >= kEmbeddedTwiceMax) continue;
    texts.push_back(sentences[i].Text());
    owners.push_back(i);
  }
  ASSIGN_OR_RETURN(const auto asked, services.embed({question.text}, /*is_query=*/true));
  ASSIGN_OR_RETURN(const auto vectors, services.embed(texts, /*is_query=*/false));
  if (asked.size() != 1 || vectors.size() != texts.size()) {
    return Internal("answer: the embedder returned " + std::to_string(vectors.size()) +
                    " vectors for " + std::to_string(texts.size()) + " texts");
  }
  for (EvidenceSentence& sentence : sentences) sentence.cosine = -1;
  for (size_t i = 0; i < vectors.size(); ++i) {
    double& cosine = sentences[owners[i]].cosine;
    cosine = std::max(cosine, Dot(vectors[i], asked[0]));
  }
  return OkStatus();
}

}  // namespace

Result<Evidence> SelectEvidence(const Question& question,
                                const std::vector<EvidencePassage>& passages,
                                const AnswerServices& services, const CallContext& context) {
  ASSIGN_OR_RETURN(const QuestionTerms terms, QuestionTerms::Make(question, services));
  ASSIGN_OR_RETURN(Evidence evidence, ScoreWords(question, passages, terms, services));
  RETURN_IF_ERROR(context.Check());
  SortByScore(evidence.sentences);
  if (evidence.sentences.size() > kEmbeddedMax) evidence.sentences.resize(kEmbeddedMax);
  if (evidence.sentences.empty()) return evidence;

  RETURN_IF_ERROR(CompareByMeaning(question, services, evidence.sentences));
  RETURN_IF_ERROR(context.Check());
  SortByScore(evidence.sentences);
  std::set<std::string> together;
  for (size_t i = 0; i < std::min<size_t>(3, evidence.sentences.size()); ++i) {
    ASSIGN_OR_RETURN(const auto found, terms.FoundIn(evidence.sentences[i].shown));
    together.insert(found.begin(), found.end());
  }
  evidence.coverage = terms.Share(together);
  return evidence;
}

}  // namespace ragstone::llm
