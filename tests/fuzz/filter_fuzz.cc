// Any bytes as a filter, as a payload and as a schema: what is read must be written and read again.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "index/filter/filter_parser.h"
#include "index/filter/payload_matcher.h"

namespace {

using namespace ragstone::index;  // NOLINT: a fuzz target of this module

const Schema& FuzzSchema() {
  static const Schema schema = Schema::Create({{"a", FieldType::kInteger},
                                               {"b", FieldType::kKeyword, true},
                                               {"c", FieldType::kFloat},
                                               {"d", FieldType::kDatetime},
                                               {"e", FieldType::kBoolean},
                                               {"f", FieldType::kText}})
                                   .value();
  return schema;
}

const Payload& FuzzPayload() {
  static const Payload payload = {{"a", int64_t{5}},
                                  {"b", ScalarList{std::string("x"), std::string("y")}},
                                  {"c", 0.5},
                                  {"d", Datetime{1}},
                                  {"f", std::string("some words")}};
  return payload;
}

void FuzzFilter(std::string_view text) {
  const auto filter = ParseFilter(text);
  if (!filter.ok()) return;
  const auto again = ParseFilter(PrintFilter(*filter));
  // A canonical text is longer than its source at times, and may be over a limit for that.
  CHECK(again.ok() || again.status().reason() == ragstone::Reason::kLimitExceeded);
  if (again.ok()) CHECK(*again == *filter);
  const auto bound = BindFilter(FuzzSchema(), *filter);
  if (!bound.ok()) return;
  const auto matcher = PayloadMatcher::Create(*bound);
  if (!matcher.ok()) return;
  const auto inverse = PayloadMatcher::Create(Not(*bound));
  CHECK(inverse->Matches(FuzzPayload(), nullptr) != matcher->Matches(FuzzPayload(), nullptr));
}

void FuzzBytes(std::string_view bytes) {
  const auto payload = DecodePayload(bytes);
  if (payload.ok()) CHECK(*DecodePayload(EncodePayload(*payload)) == *payload);
  const auto schema = DecodeSchema(bytes);
  if (schema.ok()) CHECK(*DecodeSchema(EncodeSchema(*schema)) == *schema);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  FuzzFilter(bytes);
  FuzzBytes(bytes);
  return 0;
}
