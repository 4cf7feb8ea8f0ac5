#pragma once

#include <string>

#include "base/status.h"

namespace ragstone::llm {

// UNIMPLEMENTED (MODEL_UNSUPPORTED): `what` in the tokeniser's files is `found`.
Status UnsupportedTokenizer(const std::string& what, const std::string& found);
// DATA_LOSS (MODEL_CORRUPT): `what` is wrong in the tokeniser's files.
Status CorruptTokenizer(const std::string& what);

}  // namespace ragstone::llm
