#include "llm/answer/extract.h"

#include <algorithm>
#include <tuple>

#include "llm/answer/text_words.h"

namespace ragstone::llm {
namespace {

constexpr size_t kPiecesMax = 3;
// Another sentence is added only if its score is this close to the best one's.
constexpr double kScoreShare = 0.85;

std::vector<std::string> FoldedWords(std::string_view text) {
  std::vector<std::string> folded;
  for (TextWord& word : WordsOf(text)) folded.push_back(std::move(word.folded));
  return folded;
}

// A sentence that begins with "He" or "This" says little alone: the one before it is taken along if
// it is among the evidence and they touch.
uint32_t BeginWithReferent(const EvidenceSentence& sentence, const Evidence& evidence) {
  const std::vector<TextWord> words = WordsOf(sentence.shown);
  if (words.empty() || !IsPronoun(words[0].folded)) return sentence.begin;
  for (const EvidenceSentence& other : evidence.sentences) {
    if (other.passage == sentence.passage && other.place + 1 == sentence.place) return other.begin;
  }
  return sentence.begin;
}

AnswerPiece PieceOf(const EvidenceSentence& sentence, uint32_t begin,
                    const std::vector<EvidencePassage>& passages) {
  AnswerPiece piece;
  piece.citation.passage = sentence.passage;
  piece.citation.begin = begin;
  piece.citation.end = sentence.end;
  piece.text = WithoutBracketNumbers(
      begin == sentence.begin ? sentence.shown
                              : FoldSpaces(std::string_view(passages[sentence.passage].text)
                                               .substr(begin, sentence.end - begin)));
  return piece;
}

}  // namespace

std::vector<AnswerPiece> ExtractAnswer(const ShortAnswer& chosen, const Evidence& evidence,
                                       const std::vector<EvidencePassage>& passages) {
  const EvidenceSentence& best = evidence.sentences[chosen.sentence];
  const std::vector<std::string> span =
      FoldedWords(std::string_view(passages[best.passage].text)
                      .substr(chosen.begin, chosen.end - chosen.begin));
  std::vector<AnswerPiece> pieces = {PieceOf(best, BeginWithReferent(best, evidence), passages)};
  for (const EvidenceSentence& other : evidence.sentences) {
    if (pieces.size() == kPiecesMax || other.score < best.score * kScoreShare) break;
    const std::vector<std::string> words = FoldedWords(other.shown);
    if (std::search(words.begin(), words.end(), span.begin(), span.end()) == words.end()) continue;
    AnswerPiece piece = PieceOf(other, other.begin, passages);
    const bool repeats = std::any_of(pieces.begin(), pieces.end(), [&](const AnswerPiece& known) {
      return known.text.find(piece.text) != std::string::npos ||
             piece.text.find(known.text) != std::string::npos ||
             (known.citation.passage == piece.citation.passage &&
              known.citation.begin < piece.citation.end &&
              piece.citation.begin < known.citation.end);
    });
    if (!repeats) pieces.push_back(std::move(piece));
  }
  const auto place = [&](const AnswerPiece& piece) {
    const EvidencePassage& passage = passages[piece.citation.passage];
    // Documents in the order of their best passage, which is the order of the passages given.
    size_t first = 0;
    while (passages[first].document != passage.document) ++first;
    return std::make_tuple(first, passage.ordinal, piece.citation.begin);
  };
  std::stable_sort(pieces.begin(), pieces.end(),
                   [&](const AnswerPiece& a, const AnswerPiece& b) { return place(a) < place(b); });
  return pieces;
}

std::vector<AnswerPiece> ShortPiece(const ShortAnswer& chosen, const Evidence& evidence,
                                    const std::vector<EvidencePassage>& passages) {
  const EvidenceSentence& best = evidence.sentences[chosen.sentence];
  AnswerPiece piece = PieceOf(best, best.begin, passages);
  piece.text =
      WithoutBracketNumbers(FoldSpaces(std::string_view(passages[best.passage].text)
                                           .substr(chosen.begin, chosen.end - chosen.begin)));
  return {std::move(piece)};
}

}  // namespace ragstone::llm
