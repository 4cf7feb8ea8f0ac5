#include "services/handlers/records_convert.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "services/handlers/records_input.h"

namespace ragstone::services {

namespace {

using google::protobuf::RepeatedField;
using google::protobuf::RepeatedPtrField;
using index::RecordDatabase;
using records_input::Bad;
using records_input::Item;
using records_input::OverLimit;

// `["title"]`; a name that no field can have is cut.
std::string Key(std::string_view name) {
  return "[\"" + std::string(name.substr(0, index::kFieldNameBytesMax)) + "\"]";
}

index::Vector FromSparse(const v1::SparseVector& message) {
  return index::SparseVector{{message.dimensions().begin(), message.dimensions().end()},
                             {message.weights().begin(), message.weights().end()}};
}

Result<index::Scalar> FromScalar(const v1::PayloadValue& value, const std::string& place) {
  switch (value.kind_case()) {
    case v1::PayloadValue::kStringValue:
      return index::Scalar(value.string_value());
    case v1::PayloadValue::kIntegerValue:
      return index::Scalar(static_cast<int64_t>(value.integer_value()));
    case v1::PayloadValue::kFloatValue:
      if (!std::isfinite(value.float_value())) {
        return Bad(place, "is not a finite number; leave the value out");
      }
      return index::Scalar(value.float_value());
    case v1::PayloadValue::kBooleanValue:
      return index::Scalar(value.boolean_value());
    case v1::PayloadValue::kDatetimeNs:
      return index::Scalar(index::Datetime{value.datetime_ns()});
    case v1::PayloadValue::kList:
      return Bad(place, "is a list where one value is expected");
    case v1::PayloadValue::KIND_NOT_SET:
      break;
  }
  return Bad(place, "has no value");
}

void ToMessage(const index::Scalar& from, v1::PayloadValue* to) {
  if (const auto* text = std::get_if<std::string>(&from)) {
    to->set_string_value(*text);
  } else if (const auto* integer = std::get_if<int64_t>(&from)) {
    to->set_integer_value(*integer);
  } else if (const auto* number = std::get_if<double>(&from)) {
    to->set_float_value(*number);
  } else if (const auto* boolean = std::get_if<bool>(&from)) {
    to->set_boolean_value(*boolean);
  } else {
    to->set_datetime_ns(std::get<index::Datetime>(from).ns);
  }
}

void ToMessage(const index::PayloadValue& from, v1::PayloadValue* to) {
  std::visit(
      [to](const auto& held) {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, index::ScalarList>) {
          v1::PayloadList* list = to->mutable_list();
          for (const index::Scalar& element : held) ToMessage(element, list->add_values());
        } else if constexpr (!std::is_same_v<T, std::monostate>) {
          ToMessage(index::Scalar(held), to);
        }
      },
      from);
}

void ToMessage(const index::Vector& from, v1::Vector* to) {
  if (const auto* dense = std::get_if<index::DenseVector>(&from)) {
    to->mutable_dense()->mutable_values()->Add(dense->begin(), dense->end());
  } else if (const auto* bits = std::get_if<index::BitVector>(&from)) {
    to->set_bits(std::string(bits->begin(), bits->end()));
  } else {
    const auto& sparse = std::get<index::SparseVector>(from);
    v1::SparseVector* message = to->mutable_sparse();
    message->mutable_dimensions()->Add(sparse.dimensions.begin(), sparse.dimensions.end());
    message->mutable_weights()->Add(sparse.weights.begin(), sparse.weights.end());
  }
}

}  // namespace

Result<index::Vector> FromMessage(const v1::Vector& message, const std::string& place) {
  switch (message.kind_case()) {
    case v1::Vector::kDense: {
      const auto& values = message.dense().values();
      return index::Vector(index::DenseVector(values.begin(), values.end()));
    }
    case v1::Vector::kBits:
      return index::Vector(index::BitVector(message.bits().begin(), message.bits().end()));
    case v1::Vector::kSparse:
      return FromSparse(message.sparse());
    case v1::Vector::KIND_NOT_SET:
      break;
  }
  return Bad(place, "is neither dense nor bits nor sparse");
}

Result<index::PayloadValue> FromMessage(const v1::PayloadValue& message, const std::string& place) {
  if (message.kind_case() == v1::PayloadValue::KIND_NOT_SET) return index::PayloadValue();
  if (message.kind_case() != v1::PayloadValue::kList) {
    ASSIGN_OR_RETURN(index::Scalar scalar, FromScalar(message, place));
    index::PayloadValue value;
    std::visit([&value](auto& held) { value = std::move(held); }, scalar);
    return value;
  }
  const auto& values = message.list().values();
  index::ScalarList list;
  list.reserve(static_cast<size_t>(values.size()));
  for (int i = 0; i < values.size(); ++i) {
    ASSIGN_OR_RETURN(index::Scalar element, FromScalar(values[i], Item(place, i)));
    list.push_back(std::move(element));
  }
  return index::PayloadValue(std::move(list));
}

Result<index::Payload> FromMessage(const google::protobuf::Map<std::string, v1::PayloadValue>& map,
                                   const std::string& place) {
  index::Payload payload;
  for (const auto& [name, message] : map) {
    ASSIGN_OR_RETURN(index::PayloadValue value, FromMessage(message, place + Key(name)));
    payload.emplace(name, std::move(value));
  }
  return payload;
}

Result<index::Record> FromMessage(const v1::Record& message, const std::string& place) {
  index::Record record;
  record.id = message.id();
  for (const auto& [name, vector] : message.vectors()) {
    ASSIGN_OR_RETURN(index::Vector converted, FromMessage(vector, place + ".vectors" + Key(name)));
    record.vectors.emplace(name, std::move(converted));
  }
  ASSIGN_OR_RETURN(record.payload, FromMessage(message.payload(), place + ".payload"));
  return record;
}

void ToMessage(const index::Record& record, v1::Record* message) {
  message->set_id(record.id);
  for (const auto& [name, vector] : record.vectors) {
    ToMessage(vector, &(*message->mutable_vectors())[name]);
  }
  for (const auto& [name, value] : record.payload) {
    ToMessage(value, &(*message->mutable_payload())[name]);
  }
  message->set_version(record.version);
}

void ToMessage(const index::RecordHit& hit, v1::RecordHit* message) {
  ToMessage(hit.record, message->mutable_record());
  message->set_score(hit.score);
  message->set_group(hit.group);
}

Result<std::vector<index::Record>> FromMessage(const RepeatedPtrField<v1::Record>& records) {
  if (records.empty()) return Bad("records", "is empty; send at least one record");
  std::vector<index::Record> converted;
  converted.reserve(static_cast<size_t>(records.size()));
  for (int i = 0; i < records.size(); ++i) {
    ASSIGN_OR_RETURN(index::Record record, FromMessage(records[i], Item("records", i)));
    converted.push_back(std::move(record));
  }
  return converted;
}

Status CheckRequestId(const std::string& id) {
  if (id.size() <= RecordDatabase::kRequestIdBytesMax) return OkStatus();
  return OverLimit("request_id", "has " + std::to_string(id.size()) + " bytes, the limit is " +
                                     std::to_string(RecordDatabase::kRequestIdBytesMax));
}

index::WriteOptions MakeWriteOptions(const std::string& request_id,
                                     const RepeatedField<uint64_t>& versions) {
  index::WriteOptions options;
  options.request_id = request_id;
  options.if_versions.assign(versions.begin(), versions.end());
  return options;
}

Result<std::vector<std::string>> CheckIds(const RepeatedPtrField<std::string>& ids,
                                          const std::string& place) {
  if (ids.empty()) return Bad(place, "is empty; give at least one id");
  return std::vector<std::string>(ids.begin(), ids.end());
}

Result<index::RecordSelector> FromMessage(const v1::RecordSelector& message) {
  index::RecordSelector selector;
  switch (message.selection_case()) {
    case v1::RecordSelector::kIds: {
      ASSIGN_OR_RETURN(selector, CheckIds(message.ids().ids(), "selector.ids"));
      return selector;
    }
    case v1::RecordSelector::kFilter: {
      ASSIGN_OR_RETURN(index::Filter filter, FromMessage(message.filter(), "selector.filter"));
      if (filter != index::Filter()) {
        selector = std::move(filter);
        return selector;
      }
      return InvalidArgument(Reason::kFilterInvalid,
                             "selector.filter has no condition; select all records by all = true");
    }
    case v1::RecordSelector::kAll:
      if (message.all()) {
        selector = index::Filter();
        return selector;
      }
      break;
    case v1::RecordSelector::SELECTION_NOT_SET:
      break;
  }
  return Bad("selector", "selects nothing; give ids, a filter, or all = true");
}

index::ReadOptions FromMessage(const v1::RecordReadOptions& message) {
  index::ReadOptions options;
  options.payload = !message.without_payload();
  options.vectors = message.with_vectors();
  options.as_of = message.as_of();
  return options;
}

Result<index::RecordSearch> FromMessage(const v1::RecordQuery& message, const std::string& place) {
  constexpr size_t kTextBytesMax = 32 << 10;
  constexpr uint32_t kEfMax = 10'000;
  index::RecordSearch search;
  search.vector_name = message.vector_name();
  if (message.has_vector()) {
    ASSIGN_OR_RETURN(search.vector, FromMessage(message.vector(), place + ".vector"));
  }
  if (message.text().size() > kTextBytesMax) {
    return OverLimit(place + ".text",
                     "has " + std::to_string(message.text().size()) + " bytes, the limit is 32768");
  }
  search.text = message.text();
  search.fields.assign(message.text_fields().begin(), message.text_fields().end());
  ASSIGN_OR_RETURN(search.filter, FromMessage(message.filter(), place + ".filter"));
  search.top_k = message.top_k() == 0 ? 10 : message.top_k();
  if (message.has_score_limit()) {
    if (std::isnan(message.score_limit())) return Bad(place + ".score_limit", "is not a number");
    search.score_limit = message.score_limit();
  }
  search.group_by = message.group_by();
  search.group_size = message.group_size() == 0 ? 1 : message.group_size();
  if (message.ef() > kEfMax) {
    return OverLimit(place + ".ef", "is " + std::to_string(message.ef()) + ", the limit is 10000");
  }
  search.exact = message.exact();
  search.ef = message.ef();
  search.read = FromMessage(message.read());
  return search;
}

Result<std::vector<index::RecordSearch>> FromMessage(
    const RepeatedPtrField<v1::RecordQuery>& queries) {
  if (queries.empty()) return Bad("queries", "is empty; send at least one query");
  RETURN_IF_ERROR(records_input::CheckCount("queries", static_cast<size_t>(queries.size()),
                                            kQueriesMax, "send several requests"));
  std::vector<index::RecordSearch> searches;
  uint64_t hits = 0;
  for (int i = 0; i < queries.size(); ++i) {
    ASSIGN_OR_RETURN(index::RecordSearch search, FromMessage(queries[i], Item("queries", i)));
    // What is beyond a search's own limit is refused with the search.
    hits += std::min(search.top_k, RecordDatabase::kTopKMax) *
            std::min(search.group_size, RecordDatabase::kGroupSizeMax);
    searches.push_back(std::move(search));
  }
  if (hits > kBatchHitsMax) {
    return OverLimit("queries", "ask for " + std::to_string(hits) +
                                    " hits together, the limit is " +
                                    std::to_string(kBatchHitsMax) + "; send several requests");
  }
  return searches;
}

Result<index::RecommendSearch> FromMessage(const v1::RecommendRecordsRequest& message) {
  index::RecommendSearch recommend;
  if (message.query().has_vector() || !message.query().text().empty()) {
    return Bad("query", "has a vector or a text; the examples take their place");
  }
  ASSIGN_OR_RETURN(recommend.positive, CheckIds(message.positive(), "positive"));
  recommend.negative.assign(message.negative().begin(), message.negative().end());
  ASSIGN_OR_RETURN(recommend.search, FromMessage(message.query(), "query"));
  return recommend;
}

}  // namespace ragstone::services
