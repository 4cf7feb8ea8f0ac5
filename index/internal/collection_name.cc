#include "index/internal/collection_name.h"

#include <algorithm>
#include <string>

#include "index/filter/names.h"

namespace ragstone::index {
namespace {

constexpr size_t kNameMax = 128;

}  // namespace

bool IsNameByte(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

Status CheckCollectionName(std::string_view name) {
  if (!name.empty() && name.size() <= kNameMax &&
      std::all_of(name.begin(), name.end(), IsNameByte)) {
    return OkStatus();
  }
  return InvalidArgument(Reason::kCollectionNameInvalid,
                         "the collection name " + Quoted(name.substr(0, kNameMax)) +
                             " is not allowed; a name has 1 to " + std::to_string(kNameMax) +
                             " of the characters A-Z a-z 0-9 . _ -");
}

}  // namespace ragstone::index
