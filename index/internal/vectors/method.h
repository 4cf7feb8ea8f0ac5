#pragma once

#include <string>

#include "index/internal/vectors/types.h"

namespace ragstone::index::vectors {

// How rows are searched. Values are stored.
enum class Method : uint8_t {
  kAutomatic = 0,
  kScan = 1,
  kGraph = 2,  // HNSW
  kIvfPq = 3,  // inverted lists of product-quantised residuals
  kLsh = 4,    // signs after a random rotation; only where asked for
};

struct MethodQuestion {
  VectorSpec spec;
  uint64_t rows = 0;
  uint64_t set_rows = 0;      // of all segments that share the memory; 0: there is no other
  uint64_t memory_bytes = 0;  // that vectors and what finds them may take; 0: no limit
  // IVF-PQ was chosen for the set before: a graph takes its place only with a quarter to spare, so
  // that a set whose need lies at the limit does not change with every segment.
  bool compact = false;
  uint32_t links = 16;
  uint64_t scan_rows_max = 10'000;  // up to so many are scanned
  Method wanted = Method::kAutomatic;
};

struct MethodChoice {
  Method method = Method::kScan;
  uint64_t bytes = 0;  // what it will take
  std::string reason;  // for people
};

std::string_view MethodName(Method method);
// What a segment takes in memory with a method.
uint64_t ForecastBytes(const MethodQuestion& question, Method method);
// INVALID_ARGUMENT if the wanted method does not exist for the vectors. What is wanted is taken
// even if it needs more memory than there may be, and the reason then says so.
Result<MethodChoice> ChooseMethod(const MethodQuestion& question);

}  // namespace ragstone::index::vectors
