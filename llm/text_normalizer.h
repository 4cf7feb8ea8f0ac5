#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/status.h"
#include "llm/precompiled_charsmap.h"

namespace ragstone::llm {

// Unicode's normalisation forms.
enum class UnicodeForm { kNfc, kNfd, kNfkc, kNfkd };

struct LowercaseStep {};
struct StripAccentsStep {};
struct StripStep {
  bool left = true, right = true;  // white space is removed there
};
// Replaces each run of at least `repeats_min` times `from`, or with 0 every single `from`.
struct ReplaceStep {
  std::string from;
  std::string to;
  uint32_t repeats_min = 0;
};

using NormalizerStep = std::variant<PrecompiledCharsmap, UnicodeForm, LowercaseStep,
                                    StripAccentsStep, StripStep, ReplaceStep>;

// A sequence of normalisers of Hugging Face's `tokenizers`. Immutable, so safe to use from several
// threads.
class TextNormalizer {
 public:
  explicit TextNormalizer(std::vector<NormalizerStep> steps) : steps_(std::move(steps)) {}
  // The normal form of `text`, which must be UTF-8, in `out`; what `out` held is lost.
  void Normalize(std::string_view text, std::string& out) const;

 private:
  std::vector<NormalizerStep> steps_;
};

}  // namespace ragstone::llm
