#pragma once

#include <string_view>

#include "base/status.h"

namespace ragstone::index {

// INVALID_ARGUMENT (COLLECTION_NAME_INVALID) for what no collection, of documents or of records,
// can be called.
Status CheckCollectionName(std::string_view name);

// The characters of names of collections and vectors.
bool IsNameByte(char c);

}  // namespace ragstone::index
