#include "llm/answer/text_words.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <unordered_set>

#include "llm/bert_normalizer.h"

namespace ragstone::llm {
namespace {

bool IsWordCharacter(uint32_t c) {
  const auto point = static_cast<UChar32>(c);
  return u_isalnum(point) || (U_GET_GC_MASK(point) & U_GC_M_MASK) != 0;
}

bool IsDigitAt(std::string_view text, size_t at) {
  return at < text.size() && text[at] >= '0' && text[at] <= '9';
}

bool IsControlOrSpace(char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F; }

}  // namespace

std::vector<TextWord> WordsOf(std::string_view text) {
  std::vector<TextWord> words;
  bool open = false;  // whether the last word goes on
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    const uint32_t c = ReadCodePoint(text, at);
    const bool joins_number =
        (c == '.' || c == ',') && open && IsDigitAt(text, begin - 1) && IsDigitAt(text, at);
    const bool ideograph = u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_IDEOGRAPHIC);
    if (!joins_number && !IsWordCharacter(c)) {
      open = false;
      continue;
    }
    if (!open || ideograph) words.push_back({static_cast<uint32_t>(begin), 0, ""});
    open = !ideograph;
    words.back().end = static_cast<uint32_t>(at);
    AppendCodePoint(static_cast<uint32_t>(u_foldCase(static_cast<UChar32>(c), U_FOLD_CASE_DEFAULT)),
                    words.back().folded);
  }
  return words;
}

bool SameWord(std::string_view a, std::string_view b) {
  if (a == b) return true;
  const size_t shorter = std::min(a.size(), b.size()), longer = std::max(a.size(), b.size());
  if (shorter < 4 || longer - shorter > 4) {
    // Short words only with a plural or possessive ending.
    return shorter >= 3 && longer == shorter + 1 && a.substr(0, shorter) == b.substr(0, shorter) &&
           (a.size() == longer ? a : b).back() == 's';
  }
  if (a[0] >= '0' && a[0] <= '9') return false;
  size_t common = 0;
  while (common < shorter && a[common] == b[common]) ++common;
  return common >= 4 && shorter - common <= 3 && longer - common <= 4 && common * 3 >= longer * 2;
}

bool IsFunctionWord(std::string_view folded) {
  static const std::unordered_set<std::string_view> kWords = {
      // English
      "a", "an", "the", "this", "that", "these", "those", "of", "in", "on", "at", "by", "for",
      "from", "to", "with", "into", "onto", "as", "and", "or", "but", "nor", "if", "then", "than",
      "so", "not", "no", "is", "are", "was", "were", "be", "been", "being", "am", "do", "does",
      "did", "doe", "done", "has", "have", "had", "having", "can", "could", "will", "would",
      "shall", "should", "may", "might", "must", "it", "its", "he", "she", "they", "them", "his",
      "her", "their", "theirs", "him", "we", "us", "our", "you", "your", "i", "me", "my", "who",
      "whom", "whose", "which", "what", "when", "where", "why", "how", "there", "here", "about",
      "over", "under", "up", "out", "during", "between", "per", "s", "t", "such", "also", "both",
      "each", "any", "some", "many", "much", "more", "most", "according", "please", "tell", "give",
      "name", "s'", "within", "while",
      // their stems, since indexes may hand over stems
      "dure", "accord", "pleas", "whi", "befor", "becaus", "ani", "mani", "thi", "wa", "ha",
      // German
      "der", "die", "das", "den", "dem", "des", "ein", "eine", "einen", "einem", "einer", "eines",
      "und", "oder", "ist", "sind", "war", "waren", "wird", "werden", "wurde", "wurden", "hat",
      "haben", "hatte", "von", "zu", "zum", "zur", "im", "mit", "für", "auf", "aus", "bei", "nach",
      "wer", "wen", "wem", "was", "wann", "wo", "wie", "warum", "welche", "welcher", "welches",
      "viele", "viel",
      // French
      "le", "la", "les", "un", "une", "du", "et", "ou", "est", "sont", "était", "été", "dans",
      "sur", "par", "pour", "avec", "qui", "que", "quoi", "quand", "où", "comment", "combien",
      "quel", "quelle", "quels", "quelles", "au", "aux", "ce", "cette", "de", "en", "l", "d", "qu",
      // Spanish
      "el", "los", "las", "una", "unos", "unas", "del", "al", "y", "o", "es", "son", "fue",
      "fueron", "era", "ser", "ha", "han", "por", "para", "con", "qué", "quién", "quiénes",
      "cuándo", "dónde", "cómo", "cuánto", "cuánta", "cuántos", "cuántas", "cuál", "cuáles", "se",
      "su", "sus"};
  return kWords.contains(folded);
}

bool IsPronoun(std::string_view folded) {
  static const std::unordered_set<std::string_view> kWords = {
      "he",     "she",    "it",    "they", "his", "her",   "its", "their",
      "this",   "these",  "those", "such", "er",  "sie",   "es",  "diese",
      "dieser", "dieses", "il",    "elle", "ils", "elles", "ce",  "cette"};
  return kWords.contains(folded);
}

std::string FoldSpaces(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (!IsControlOrSpace(c)) {
      out.push_back(c);
    } else if (!out.empty() && out.back() != ' ') {
      out.push_back(' ');
    }
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

std::string SpacesForControls(std::string_view text) {
  std::string out(text);
  std::replace_if(out.begin(), out.end(), IsControlOrSpace, ' ');
  return out;
}

std::string WithoutBracketNumbers(std::string_view text) {
  std::string out(text);
  for (size_t open = out.find('['); open != std::string::npos; open = out.find('[', open + 1)) {
    const size_t close = out.find_first_not_of("0123456789 ,;-", open + 1);
    if (close == std::string::npos || out[close] != ']' || close == open + 1) continue;
    out[open] = '(';
    out[close] = ')';
  }
  return out;
}

}  // namespace ragstone::llm
