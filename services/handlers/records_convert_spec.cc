#include <utility>

#include "services/handlers/records_convert.h"
#include "services/handlers/records_input.h"

namespace ragstone::services {

namespace {

using records_input::Bad;
using records_input::Item;

Status UnknownEnum(const std::string& place, int number) {
  return Bad(place, "is " + std::to_string(number) + ", which this server does not know");
}

// The numbers of the wire's enums are those of the index plus one: 0 is "not given".
Status ReadMetric(const v1::VectorField& message, const std::string& place,
                  index::VectorField* field) {
  if (message.metric() == v1::VECTOR_METRIC_UNSPECIFIED) return OkStatus();  // cosine
  if (!v1::VectorMetric_IsValid(message.metric())) {
    return UnknownEnum(place + ".metric", message.metric());
  }
  field->metric = static_cast<index::VectorMetric>(message.metric() - 1);
  return OkStatus();
}

Status ReadStorage(const v1::VectorField& message, const std::string& place,
                   index::VectorField* field) {
  if (message.storage() == v1::VECTOR_STORAGE_UNSPECIFIED) {
    field->storage = field->metric == index::VectorMetric::kHamming ? index::VectorStorage::kBinary
                                                                    : index::VectorStorage::kInt8;
    return OkStatus();
  }
  if (!v1::VectorStorage_IsValid(message.storage())) {
    return UnknownEnum(place + ".storage", message.storage());
  }
  field->storage = static_cast<index::VectorStorage>(message.storage() - 1);
  return OkStatus();
}

Status ReadMethod(const v1::VectorField& message, const std::string& place,
                  index::VectorField* field) {
  if (message.method() == v1::VECTOR_METHOD_UNSPECIFIED) return OkStatus();
  if (!v1::VectorMethod_IsValid(message.method())) {
    return UnknownEnum(place + ".method", message.method());
  }
  field->method = static_cast<index::VectorMethod>(message.method() - 1);
  return OkStatus();
}

Result<index::VectorField> FromField(const v1::VectorField& message, const std::string& place) {
  index::VectorField field;
  field.name = message.name();
  field.dimensions = message.dimensions();
  RETURN_IF_ERROR(ReadMetric(message, place, &field));
  RETURN_IF_ERROR(ReadStorage(message, place, &field));
  RETURN_IF_ERROR(ReadMethod(message, place, &field));
  if (message.target_recall() != 0) field.target_recall = message.target_recall();
  return field;
}

Result<index::FieldSpec> FromPayloadField(const v1::PayloadField& message,
                                          const std::string& place) {
  index::FieldSpec field;
  field.name = message.name();
  if (message.type() == v1::FIELD_TYPE_UNSPECIFIED) {
    return Bad(place + ".type",
               "is not given; a field is a keyword, integer, float, boolean, datetime or text");
  }
  if (!v1::FieldType_IsValid(message.type())) return UnknownEnum(place + ".type", message.type());
  field.type = static_cast<index::FieldType>(message.type());
  field.is_list = message.is_list();
  field.indexed = !message.unindexed();
  return field;
}

}  // namespace

Result<index::RecordCollectionSpec> FromMessage(const v1::RecordCollectionSpec& message) {
  index::RecordCollectionSpec spec;
  if (!message.name().empty() && message.name()[0] == '.') {
    return InvalidArgument(Reason::kCollectionNameInvalid,
                           "collection names do not begin with '.': '" + message.name() + "'");
  }
  spec.name = message.name();
  for (int i = 0; i < message.vectors_size(); ++i) {
    ASSIGN_OR_RETURN(index::VectorField field,
                     FromField(message.vectors(i), Item("spec.vectors", i)));
    spec.vectors.push_back(std::move(field));
  }
  for (const v1::SparseField& field : message.sparse_vectors()) {
    spec.sparse.push_back({field.name()});
  }
  std::vector<index::FieldSpec> fields;
  for (int i = 0; i < message.fields_size(); ++i) {
    ASSIGN_OR_RETURN(index::FieldSpec field,
                     FromPayloadField(message.fields(i), Item("spec.fields", i)));
    fields.push_back(std::move(field));
  }
  auto schema = index::Schema::Create(std::move(fields));
  if (!schema.ok()) return schema.status().WithContext("spec.fields");
  spec.schema = std::move(schema).value();
  if (!message.language().empty()) spec.language = message.language();
  spec.history_seconds = message.history_seconds();
  return spec;
}

void ToMessage(const index::RecordCollectionInfo& info, v1::RecordCollection* message) {
  v1::RecordCollectionSpec* spec = message->mutable_spec();
  spec->set_name(info.spec.name);
  for (const index::VectorField& field : info.spec.vectors) {
    v1::VectorField* vector = spec->add_vectors();
    vector->set_name(field.name);
    vector->set_dimensions(field.dimensions);
    vector->set_metric(static_cast<v1::VectorMetric>(static_cast<int>(field.metric) + 1));
    vector->set_storage(static_cast<v1::VectorStorage>(static_cast<int>(field.storage) + 1));
    vector->set_method(static_cast<v1::VectorMethod>(static_cast<int>(field.method) + 1));
    vector->set_target_recall(field.target_recall);
  }
  for (const index::SparseField& field : info.spec.sparse) {
    spec->add_sparse_vectors()->set_name(field.name);
  }
  for (const index::FieldSpec& field : info.spec.schema.fields()) {
    v1::PayloadField* payload = spec->add_fields();
    payload->set_name(field.name);
    payload->set_type(static_cast<v1::FieldType>(static_cast<int>(field.type)));
    payload->set_is_list(field.is_list);
    payload->set_unindexed(!field.indexed);
  }
  spec->set_language(info.spec.language);
  spec->set_history_seconds(info.spec.history_seconds);
  message->set_created_ns(info.created_ns);
  message->set_records(info.records);
  message->set_memory_bytes(info.memory_bytes);
  for (const std::string& line : info.index) message->add_index(line);
}

}  // namespace ragstone::services
