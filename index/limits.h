#pragma once

#include <cstdint>

namespace ragstone::index {

inline constexpr uint32_t kDimensionsMax = 8192;  // of vectors, of documents and of records

}  // namespace ragstone::index
