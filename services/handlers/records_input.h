#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

// Errors of what a request of VectorService holds. Each names the place in the request, such as
// `records[3].vectors["title"]`.
namespace ragstone::services::records_input {

inline Status Bad(const std::string& place, const std::string& what) {
  return InvalidArgument(Reason::kInvalidArgument, place + " " + what);
}

inline Status OverLimit(const std::string& place, const std::string& what) {
  return InvalidArgument(Reason::kLimitExceeded, place + " " + what);
}

// `records[3]`.
inline std::string Item(std::string_view list, int at) {
  return std::string(list) + "[" + std::to_string(at) + "]";
}

inline Status CheckCount(const std::string& place, size_t count, size_t most,
                         std::string_view remedy) {
  if (count <= most) return OkStatus();
  return OverLimit(place, "has " + std::to_string(count) + " elements, the limit is " +
                              std::to_string(most) + "; " + std::string(remedy));
}

}  // namespace ragstone::services::records_input
