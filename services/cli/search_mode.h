#pragma once

#include <string_view>

#include "ragstone/v1/types.pb.h"

namespace ragstone::services::cli {

// The value of `--mode`; empty means the server's default.
inline v1::SearchMode SearchModeOf(std::string_view name) {
  if (name == "hybrid") return v1::SEARCH_MODE_HYBRID;
  if (name == "vector") return v1::SEARCH_MODE_VECTOR;
  if (name == "keyword") return v1::SEARCH_MODE_KEYWORD;
  return v1::SEARCH_MODE_UNSPECIFIED;
}

inline std::string_view SearchModeName(v1::SearchMode mode) {
  if (mode == v1::SEARCH_MODE_VECTOR) return "vector";
  return mode == v1::SEARCH_MODE_KEYWORD ? "keyword" : "hybrid";
}

}  // namespace ragstone::services::cli
