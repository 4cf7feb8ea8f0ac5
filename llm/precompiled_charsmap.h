#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace ragstone::llm {

// SentencePiece's `precompiled_charsmap`: a double array of keys, each with the text that replaces
// it. Applied as the Precompiled normaliser of Hugging Face's `tokenizers` does, which goes by
// grapheme clusters. Immutable, so safe to use from several threads.
class PrecompiledCharsmap {
 public:
  // Reads the number of bytes of the double array, the array and the texts. DATA_LOSS
  // (MODEL_CORRUPT) if the sizes do not fit or the texts are not UTF-8. Wrong links within the
  // array are found when they are followed, and then nothing is replaced.
  static Result<PrecompiledCharsmap> Parse(std::string_view blob);

  // Appends the normal form of `text`, which must be UTF-8, to `out`.
  void Append(std::string_view text, std::string& out) const;

 private:
  // What replaces `chunk` if a key begins it: by its shortest key, and the whole of it.
  std::optional<std::string_view> Replacement(std::string_view chunk) const;
  void AppendCluster(std::string_view cluster, std::string& out) const;

  std::vector<uint32_t> units_;
  std::string texts_;
  struct Slice {
    uint32_t begin, size;
  };
  std::array<std::optional<Slice>, 128> ascii_;  // in texts_
};

}  // namespace ragstone::llm
