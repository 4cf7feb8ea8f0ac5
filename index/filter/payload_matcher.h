#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/status.h"
#include "index/filter/filter.h"
#include "index/filter/payload.h"

namespace ragstone::index {

// Evaluates one filter on one payload after another: for fields without an index, and to check what
// an index says. Immutable and thread-safe.
class PayloadMatcher {
 public:
  // `filter` comes from BindFilter; words of `match` are stemmed by the language of the collection.
  // Errors are those of an unknown language and of splitting the words.
  static Result<PayloadMatcher> Create(const Filter& filter, std::string_view language);
  // The same for the language "auto".
  static Result<PayloadMatcher> Create(const Filter& filter) { return Create(filter, "auto"); }
  PayloadMatcher(PayloadMatcher&&) noexcept;
  PayloadMatcher& operator=(PayloadMatcher&&) noexcept;
  ~PayloadMatcher();

  // `payload` is normalised (NormalizePayload). Values of a type that the filter does not compare
  // with do not match. `id` may be null: then has_id matches nothing.
  bool Matches(const Payload& payload, const PointId* id) const;

 private:
  struct Node;
  explicit PayloadMatcher(std::unique_ptr<Node> root);
  std::unique_ptr<Node> root_;
};

}  // namespace ragstone::index
