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

Status CheckCount(const std::string& place, size_t count, size_t most) {
  return records_input::CheckCount(place, count, most, "send several requests");
}

Status CheckFinite(const RepeatedField<float>& values, const std::string& place) {
  for (int i = 0; i < values.size(); ++i) {
    if (!std::isfinite(values[i])) {
      return Bad(Item(place, i), "is not a finite number; vectors hold no NaN and no infinity");
    }
  }
  return OkStatus();
}

Result<index::Vector> FromDense(const v1::DenseVector& message, const std::string& place) {
  const auto& values = message.values();
  if (values.empty()) return Bad(place, "holds no numbers; leave the vector out");
  if (values.size() > static_cast<int>(index::kDimensionsMax)) {
    return OverLimit(place, "has " + std::to_string(values.size()) + " numbers, the limit is " +
                                std::to_string(index::kDimensionsMax) + " dimensions");
  }
  RETURN_IF_ERROR(CheckFinite(values, place + ".values"));
  return index::Vector(index::DenseVector(values.begin(), values.end()));
}

Result<index::Vector> FromBits(const std::string& bits, const std::string& place) {
  if (bits.empty()) return Bad(place, "holds no bits; leave the vector out");
  if (bits.size() > index::kDimensionsMax / 8) {
    return OverLimit(place, "has " + std::to_string(bits.size()) + " bytes of bits, the limit is " +
                                std::to_string(index::kDimensionsMax) + " bits");
  }
  return index::Vector(index::BitVector(bits.begin(), bits.end()));
}

Result<index::Vector> FromSparse(const v1::SparseVector& message, const std::string& place) {
  const auto& dimensions = message.dimensions();
  const auto& weights = message.weights();
  if (dimensions.size() != weights.size()) {
    return Bad(place, "has " + std::to_string(dimensions.size()) + " dimensions and " +
                          std::to_string(weights.size()) +
                          " weights; a sparse vector is made of pairs");
  }
  if (dimensions.size() > static_cast<int>(RecordDatabase::kSparsePairsMax)) {
    return OverLimit(place, "has " + std::to_string(dimensions.size()) + " pairs, the limit is " +
                                std::to_string(RecordDatabase::kSparsePairsMax) + " pairs");
  }
  RETURN_IF_ERROR(CheckFinite(weights, place + ".weights"));
  for (int i = 0; i < dimensions.size(); ++i) {
    if (i > 0 && dimensions[i] <= dimensions[i - 1]) {
      return Bad(Item(place + ".dimensions", i),
                 "is " + std::to_string(dimensions[i]) + " after " +
                     std::to_string(dimensions[i - 1]) +
                     "; send each dimension once, in ascending order");
    }
    if (weights[i] == 0) {
      return Bad(Item(place + ".weights", i), "is zero; leave the dimension out");
    }
  }
  return index::Vector(index::SparseVector{{dimensions.begin(), dimensions.end()},
                                           {weights.begin(), weights.end()}});
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

Status CheckId(const std::string& id, const std::string& place) {
  if (id.empty()) return Bad(place, "is empty; an id has 1 to 256 bytes");
  if (id.size() <= RecordDatabase::kIdBytesMax) return OkStatus();
  return OverLimit(place, "has " + std::to_string(id.size()) + " bytes, the limit is 256");
}

}  // namespace

Result<index::Vector> FromMessage(const v1::Vector& message, const std::string& place) {
  switch (message.kind_case()) {
    case v1::Vector::kDense:
      return FromDense(message.dense(), place);
    case v1::Vector::kBits:
      return FromBits(message.bits(), place);
    case v1::Vector::kSparse:
      return FromSparse(message.sparse(), place);
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
  RETURN_IF_ERROR(CheckCount(place, static_cast<size_t>(values.size()), index::kListElementsMax));
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
  RETURN_IF_ERROR(CheckCount(place, map.size(), index::kSchemaFieldsMax));
  index::Payload payload;
  for (const auto& [name, message] : map) {
    ASSIGN_OR_RETURN(index::PayloadValue value, FromMessage(message, place + Key(name)));
    payload.emplace(name, std::move(value));
  }
  return payload;
}

Result<index::Record> FromMessage(const v1::Record& message, const std::string& place) {
  index::Record record;
  RETURN_IF_ERROR(CheckId(message.id(), place + ".id"));
  record.id = message.id();
  RETURN_IF_ERROR(
      CheckCount(place + ".vectors", message.vectors().size(), RecordDatabase::kVectorsMax));
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
  RETURN_IF_ERROR(
      CheckCount("records", static_cast<size_t>(records.size()), RecordDatabase::kWriteRecordsMax));
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

Result<index::WriteOptions> MakeWriteOptions(const std::string& request_id,
                                             const RepeatedField<uint64_t>& versions,
                                             size_t written) {
  RETURN_IF_ERROR(CheckRequestId(request_id));
  if (!versions.empty() && static_cast<size_t>(versions.size()) != written) {
    return Bad("if_versions", "has " + std::to_string(versions.size()) + " elements for " +
                                  std::to_string(written) +
                                  " records; give one for each record, or none at all");
  }
  index::WriteOptions options;
  options.request_id = request_id;
  options.if_versions.assign(versions.begin(), versions.end());
  return options;
}

Result<std::vector<std::string>> CheckIds(const RepeatedPtrField<std::string>& ids,
                                          const std::string& place) {
  if (ids.empty()) return Bad(place, "is empty; give at least one id");
  RETURN_IF_ERROR(
      CheckCount(place, static_cast<size_t>(ids.size()), RecordDatabase::kWriteRecordsMax));
  for (int i = 0; i < ids.size(); ++i) RETURN_IF_ERROR(CheckId(ids[i], Item(place, i)));
  return std::vector<std::string>(ids.begin(), ids.end());
}

Result<index::RecordSelector> FromMessage(const v1::RecordSelector& message) {
  switch (message.selection_case()) {
    case v1::RecordSelector::kIds: {
      ASSIGN_OR_RETURN(auto ids, CheckIds(message.ids().ids(), "selector.ids"));
      return index::RecordSelector(std::move(ids));
    }
    case v1::RecordSelector::kFilter: {
      ASSIGN_OR_RETURN(index::Filter filter, FromMessage(message.filter(), "selector.filter"));
      if (filter != index::Filter()) return index::RecordSelector(std::move(filter));
      return InvalidArgument(Reason::kFilterInvalid,
                             "selector.filter has no condition; select all records by all = true");
    }
    case v1::RecordSelector::kAll:
      if (message.all()) return index::RecordSelector(index::Filter());
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
  RETURN_IF_ERROR(
      CheckCount(place + ".text_fields", search.fields.size(), index::kSchemaFieldsMax));
  ASSIGN_OR_RETURN(search.filter, FromMessage(message.filter(), place + ".filter"));
  search.top_k = message.top_k() == 0 ? 10 : message.top_k();
  if (search.top_k > RecordDatabase::kTopKMax) {
    return OverLimit(place + ".top_k", "is " + std::to_string(search.top_k) + ", the limit is " +
                                           std::to_string(RecordDatabase::kTopKMax) +
                                           "; scroll to read a collection");
  }
  if (message.has_score_limit()) {
    if (std::isnan(message.score_limit())) return Bad(place + ".score_limit", "is not a number");
    search.score_limit = message.score_limit();
  }
  search.group_by = message.group_by();
  search.group_size = message.group_size() == 0 ? 1 : message.group_size();
  if (search.group_size > RecordDatabase::kGroupSizeMax) {
    return OverLimit(place + ".group_size", "is " + std::to_string(search.group_size) +
                                                ", the limit is " +
                                                std::to_string(RecordDatabase::kGroupSizeMax));
  }
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
  RETURN_IF_ERROR(CheckCount("queries", static_cast<size_t>(queries.size()), kQueriesMax));
  std::vector<index::RecordSearch> searches;
  uint64_t hits = 0;
  for (int i = 0; i < queries.size(); ++i) {
    ASSIGN_OR_RETURN(index::RecordSearch search, FromMessage(queries[i], Item("queries", i)));
    hits += search.top_k * search.group_size;
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
  if (!message.negative().empty()) {
    ASSIGN_OR_RETURN(recommend.negative, CheckIds(message.negative(), "negative"));
  }
  RETURN_IF_ERROR(CheckCount("positive and negative",
                             recommend.positive.size() + recommend.negative.size(),
                             RecordDatabase::kExamplesMax));
  ASSIGN_OR_RETURN(recommend.search, FromMessage(message.query(), "query"));
  return recommend;
}

}  // namespace ragstone::services
