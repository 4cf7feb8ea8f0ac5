#pragma once

#include <string>
#include <vector>

#include "index/database.h"

namespace ragstone::index {

// What callers put into a Batch, in order.
struct Batch::Impl {
  struct Operation {
    Table table;
    bool is_delete = false;
    std::string key;
    std::string value;
  };
  std::vector<Operation> operations;
};

// Opens a Batch for the code that writes it.
struct BatchAccess {
  static const std::vector<Batch::Impl::Operation>& Operations(const Batch& batch);
};

}  // namespace ragstone::index
