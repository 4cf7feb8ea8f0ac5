#pragma once

#include <string>
#include <vector>

#include "index/database.h"
#include "index/internal/store.h"

namespace ragstone::index {

// The key of a table's row in Family::kTable.
std::string TableKey(Table table, std::string_view key);

// What callers put into a Batch, in order.
struct Batch::Impl {
  struct Operation {
    Family family;
    bool is_delete = false;
    std::string key;
    std::string value;
  };
  std::vector<Operation> operations;
};

// Opens a Batch for the code that writes it.
struct BatchAccess {
  static const std::vector<Batch::Impl::Operation>& Operations(const Batch& batch);
  // Rows of other families than that of tables.
  static void Put(Family family, std::string_view key, std::string_view value, Batch* batch);
  static void Delete(Family family, std::string_view key, Batch* batch);
};

}  // namespace ragstone::index
