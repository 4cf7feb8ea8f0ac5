#pragma once

#include "base/status.h"
#include "llm/tokenizer_json.h"
#include "llm/unigram.h"

namespace ragstone::llm {

// Reads a tokenizer.json whose model.type is Unigram. MODEL_UNSUPPORTED names a normaliser,
// pre-tokeniser or post-processor that is not built, MODEL_CORRUPT what is wrong in the file.
Result<UnigramOptions> ReadUnigramJson(const Json& json);

}  // namespace ragstone::llm
