#pragma once

#include <vector>

#include "services/cli/connection.h"

namespace ragstone::services::cli {

inline constexpr uint32_t kListPageSize = 1000;

// Calls a List method until its last page. `items` returns the address of a response's repeated
// field. INTERNAL if the server gives the same page token twice, which would never end.
template <typename Item, typename Method, typename Request, typename Items>
Result<std::vector<Item>> ListAll(const Connection& connection, Method method, Request request,
                                  Items items) {
  std::vector<Item> all;
  request.set_page_size(kListPageSize);
  for (;;) {
    ASSIGN_OR_RETURN(const auto page, connection.Unary(method, request, Connection::kShortCall));
    const auto* field = items(page);
    all.insert(all.end(), field->begin(), field->end());
    if (page.next_page_token().empty()) return all;
    if (page.next_page_token() == request.page_token()) {
      return Internal("the server gave the same page of a list twice");
    }
    request.set_page_token(page.next_page_token());
  }
}

}  // namespace ragstone::services::cli
