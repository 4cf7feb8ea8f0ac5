#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace ragstone::llm {

// The fields of `BertNormalizer` in tokenizer.json.
struct BertNormalizerOptions {
  bool clean_text = true;
  bool handle_chinese_chars = true;
  bool strip_accents = true;  // null in the file means: as `lowercase`
  bool lowercase = true;
};

// How BertPreTokenizer sees a code point.
enum class WordBreak : uint8_t { kNone, kSpace, kPunctuation };
WordBreak WordBreakOf(uint32_t code_point);

// Reads the code point at text[at] and moves `at` behind it. A byte that does not begin valid UTF-8
// reads as U+FFFD, each maximal wrong prefix once. Requires at < text.size().
uint32_t ReadCodePoint(std::string_view text, size_t& at);
void AppendCodePoint(uint32_t code_point, std::string& out);
// Its lower case, as Rust's char::to_lowercase gives it.
void AppendLowerCase(uint32_t code_point, std::string& out);
bool IsUtf8(std::string_view text);

// BertNormalizer of Hugging Face's `tokenizers`. Immutable, so safe to use from several threads.
class BertNormalizer {
 public:
  explicit BertNormalizer(const BertNormalizerOptions& options);
  // Appends the normal form of `text` to `out`: exactly theirs, with U+FFFD for invalid UTF-8.
  void Append(std::string_view text, std::string& out) const;

 private:
  BertNormalizerOptions options_;
  std::array<unsigned char, 128> ascii_;  // what each ASCII byte becomes; 0xFF: removed
};

}  // namespace ragstone::llm
