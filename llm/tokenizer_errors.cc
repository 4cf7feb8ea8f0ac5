#include "llm/tokenizer_errors.h"

namespace ragstone::llm {

Status UnsupportedTokenizer(const std::string& what, const std::string& found) {
  return Status(StatusCode::kUnimplemented, Reason::kModelUnsupported,
                "tokeniser: " + what + " is \"" + found +
                    "\", which is not built: only BERT's WordPiece and SentencePiece's Unigram "
                    "are; use an embedding model such as all-MiniLM-L6-v2, bge-small-en-v1.5 or "
                    "multilingual-e5-small");
}

Status CorruptTokenizer(const std::string& what) {
  return Status(StatusCode::kDataLoss, Reason::kModelCorrupt,
                "tokeniser: " + what + "; fetch the model's files again");
}

}  // namespace ragstone::llm
