#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ragstone::llm {

// Turns the pieces of generated tokens into text for a reader: whole UTF-8 characters only, and
// nothing of a stop text. Not thread-safe.
class StopFilter {
 public:
  explicit StopFilter(std::vector<std::string> stops);

  // Adds a piece and returns what can be shown now.
  std::string Push(std::string_view piece);
  // Whether a stop text has come; everything after it is dropped.
  bool stopped() const { return stopped_; }
  // Returns what was held back, at the end without a stop text. An incomplete character is dropped.
  std::string Finish();

 private:
  std::vector<std::string> stops_;
  std::string held_;
  bool stopped_ = false;
};

}  // namespace ragstone::llm
