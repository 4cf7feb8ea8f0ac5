#include "index/internal/records_db/stored_spec.h"

#include <algorithm>
#include <set>

#include "index/filter/names.h"
#include "index/internal/coding.h"
#include "index/internal/collection_name.h"
#include "index/internal/keys.h"
#include "index/internal/keywords/languages.h"
#include "index/internal/records_db/vector_part.h"
#include "index/internal/vectors/method.h"

namespace ragstone::index::records {
namespace {

constexpr uint8_t kFormat = 1;
constexpr size_t kVectorNameMax = 64;
constexpr float kRecallMin = 0.5f;
constexpr uint64_t kHistoryMax = 10ull * 366 * 24 * 3600;

Status CheckVectorName(const std::string& name, std::set<std::string>* names) {
  if (name.size() > kVectorNameMax || !std::all_of(name.begin(), name.end(), IsNameByte)) {
    return InvalidArgument(Reason::kInvalidArgument,
                           "the vector name " + Quoted(name) +
                               " is not allowed; a name has 1 to 64 of the characters A-Z a-z 0-9 "
                               ". _ -");
  }
  if (!names->insert(name).second) {
    return InvalidArgument(Reason::kInvalidArgument,
                           "two vectors have the name " + Quoted(name) + "; give each its own");
  }
  return OkStatus();
}

Status CheckVectorField(const VectorField& field) {
  const vectors::VectorSpec spec = SpecOf(field);
  RETURN_IF_ERROR(vectors::CheckSpec(spec));
  vectors::MethodQuestion question;
  question.spec = spec;
  question.wanted = static_cast<vectors::Method>(field.method);
  RETURN_IF_ERROR(vectors::ChooseMethod(question).status());
  if (!(field.target_recall >= kRecallMin && field.target_recall <= 1)) {
    return InvalidArgument(
        Reason::kInvalidArgument,
        "target_recall is " + std::to_string(field.target_recall) + "; it must be 0.5 to 1");
  }
  return OkStatus();
}

Status CheckUnnamed(const RecordCollectionSpec& spec, const std::set<std::string>& names) {
  if (spec.vectors.size() + spec.sparse.size() <= 1 || !names.contains("")) return OkStatus();
  return InvalidArgument(Reason::kInvalidArgument,
                         "a vector has no name, which only a collection's only vector may lack; "
                         "name each of them");
}

void EncodeNumbers(const StoredSpec& stored, Encoder* out) {
  out->Varint(stored.first_rows.size());
  for (const auto& [key, row] : stored.first_rows) {
    out->String(key);
    out->Varint(row);
  }
  out->Varint(stored.text_numbers.size());
  for (const auto& [name, number] : stored.text_numbers) {
    out->String(name);
    out->Varint(number);
  }
  out->Varint(stored.next_text_number);
}

void DecodeNumbers(Decoder* in, StoredSpec* stored) {
  const size_t rows = in->Count(2);
  for (size_t i = 0; i < rows; ++i) {
    std::string key(in->String());
    stored->first_rows[std::move(key)] = in->Varint();
  }
  const size_t numbers = in->Count(2);
  for (size_t i = 0; i < numbers; ++i) {
    std::string name(in->String());
    stored->text_numbers[std::move(name)] = static_cast<uint16_t>(in->Varint32());
  }
  stored->next_text_number = static_cast<uint16_t>(in->Varint32());
}

void DecodeVectors(Decoder* in, RecordCollectionSpec* spec) {
  const size_t vectors = in->Count(9);
  for (size_t i = 0; i < vectors; ++i) {
    VectorField field;
    field.name = in->String();
    field.dimensions = in->Varint32();
    field.metric = static_cast<VectorMetric>(in->U8());
    field.storage = static_cast<VectorStorage>(in->U8());
    field.method = static_cast<VectorMethod>(in->U8());
    field.target_recall = in->F32();
    spec->vectors.push_back(std::move(field));
  }
  const size_t sparse = in->Count(1);
  for (size_t i = 0; i < sparse; ++i) spec->sparse.push_back({std::string(in->String())});
}

// Gives numbers to text fields that have none, and takes those of fields that are gone.
void NumberTexts(StoredSpec* stored) {
  std::erase_if(stored->text_numbers, [&](const auto& entry) {
    const FieldSpec* field = stored->spec.schema.Find(entry.first);
    return field == nullptr || field->type != FieldType::kText;
  });
  for (const FieldSpec& field : stored->spec.schema.fields()) {
    if (field.type != FieldType::kText || stored->text_numbers.contains(field.name)) continue;
    stored->text_numbers[field.name] = stored->next_text_number++;
  }
}

Status CheckSameVector(const VectorField& old, const VectorField& field) {
  if (old.dimensions == field.dimensions && old.metric == field.metric) return OkStatus();
  return InvalidArgument(Reason::kInvalidArgument,
                         "the dimensions and the metric of vector " + Quoted(field.name) +
                             " cannot be changed; add a vector of another name");
}

Status CheckSameField(const FieldSpec& old, const FieldSpec& field) {
  if (old.type == field.type && old.is_list == field.is_list) return OkStatus();
  return InvalidArgument(Reason::kInvalidArgument,
                         "the type of field " + Quoted(field.name) +
                             " cannot be changed; remove it first, or add a field of another name");
}

}  // namespace

std::string FieldKey(std::string_view name) { return "f" + std::string(name); }
std::string VectorKey(std::string_view name) { return "v" + std::string(name); }

const VectorField* StoredSpec::FindVector(std::string_view name) const {
  for (const VectorField& field : spec.vectors) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

const SparseField* StoredSpec::FindSparse(std::string_view name) const {
  for (const SparseField& field : spec.sparse) {
    if (field.name == name) return &field;
  }
  return nullptr;
}

bool StoredSpec::HasField(std::string_view name, RowId row) const {
  const auto first = first_rows.find(FieldKey(name));
  return first != first_rows.end() && row >= first->second;
}

bool StoredSpec::HasVector(std::string_view name, RowId row) const {
  const auto first = first_rows.find(VectorKey(name));
  return first != first_rows.end() && row >= first->second;
}

Status CheckSpec(const RecordCollectionSpec& spec) {
  RETURN_IF_ERROR(CheckCollectionName(spec.name));
  if (spec.vectors.size() + spec.sparse.size() > RecordDatabase::kVectorsMax) {
    return InvalidArgument(
        Reason::kLimitExceeded,
        "the collection has " + std::to_string(spec.vectors.size() + spec.sparse.size()) +
            " vectors; at most " + std::to_string(RecordDatabase::kVectorsMax) + " are possible");
  }
  std::set<std::string> names;
  for (const VectorField& field : spec.vectors) {
    RETURN_IF_ERROR(CheckVectorName(field.name, &names));
    RETURN_IF_ERROR(CheckVectorField(field).WithContext("vector " + Quoted(field.name)));
  }
  for (const SparseField& field : spec.sparse) RETURN_IF_ERROR(CheckVectorName(field.name, &names));
  RETURN_IF_ERROR(CheckUnnamed(spec, names));
  RETURN_IF_ERROR(keywords::Language::Parse(spec.language).status());
  if (spec.history_seconds > kHistoryMax) {
    return InvalidArgument(Reason::kLimitExceeded, "a history of " +
                                                       std::to_string(spec.history_seconds) +
                                                       " seconds is too long; at most " +
                                                       std::to_string(kHistoryMax) + " are kept");
  }
  return OkStatus();
}

StoredSpec NewStoredSpec(CollectionId id, int64_t created_ns, const RecordCollectionSpec& spec) {
  StoredSpec stored;
  stored.id = id;
  stored.created_ns = created_ns;
  stored.spec = spec;
  for (const FieldSpec& field : spec.schema.fields()) stored.first_rows[FieldKey(field.name)] = 1;
  for (const VectorField& field : spec.vectors) stored.first_rows[VectorKey(field.name)] = 1;
  for (const SparseField& field : spec.sparse) stored.first_rows[VectorKey(field.name)] = 1;
  NumberTexts(&stored);
  return stored;
}

Result<StoredSpec> AlteredSpec(const StoredSpec& old, const RecordCollectionSpec& spec,
                               RowId next_row) {
  RETURN_IF_ERROR(CheckSpec(spec));
  StoredSpec altered = old;
  altered.spec = spec;
  altered.first_rows.clear();
  const auto keep = [&](const std::string& key, bool was_there) {
    altered.first_rows[key] = was_there ? old.first_rows.at(key) : next_row;
  };
  for (const FieldSpec& field : spec.schema.fields()) {
    const FieldSpec* before = old.spec.schema.Find(field.name);
    if (before != nullptr) RETURN_IF_ERROR(CheckSameField(*before, field));
    keep(FieldKey(field.name), before != nullptr);
  }
  for (const VectorField& field : spec.vectors) {
    const VectorField* before = old.FindVector(field.name);
    if (before != nullptr) RETURN_IF_ERROR(CheckSameVector(*before, field));
    keep(VectorKey(field.name), before != nullptr);
  }
  for (const SparseField& field : spec.sparse) {
    keep(VectorKey(field.name), old.FindSparse(field.name) != nullptr);
  }
  // Words are stemmed by language: with another one the indexes are made anew, under new numbers.
  if (spec.language != old.spec.language) altered.text_numbers.clear();
  NumberTexts(&altered);
  return altered;
}

std::string EncodeStoredSpec(const StoredSpec& stored) {
  std::string bytes;
  Encoder out(&bytes);
  out.U8(kFormat);
  out.U32(stored.id);
  out.SignedVarint(stored.created_ns);
  out.String(stored.spec.name);
  out.Varint(stored.spec.vectors.size());
  for (const VectorField& field : stored.spec.vectors) {
    out.String(field.name);
    out.Varint(field.dimensions);
    out.U8(static_cast<uint8_t>(field.metric));
    out.U8(static_cast<uint8_t>(field.storage));
    out.U8(static_cast<uint8_t>(field.method));
    out.F32(field.target_recall);
  }
  out.Varint(stored.spec.sparse.size());
  for (const SparseField& field : stored.spec.sparse) out.String(field.name);
  out.String(EncodeSchema(stored.spec.schema));
  out.String(stored.spec.language);
  out.Varint(stored.spec.history_seconds);
  EncodeNumbers(stored, &out);
  return bytes;
}

Result<StoredSpec> DecodeStoredSpec(std::string_view bytes) {
  Decoder in(bytes);
  if (in.U8() != kFormat) in.Fail();
  StoredSpec stored;
  stored.id = in.U32();
  stored.created_ns = in.SignedVarint();
  stored.spec.name = in.String();
  DecodeVectors(&in, &stored.spec);
  const std::string_view schema = in.String();
  stored.spec.language = in.String();
  stored.spec.history_seconds = in.Varint();
  DecodeNumbers(&in, &stored);
  if (!in.done()) return Corrupt("description of a record collection");
  ASSIGN_OR_RETURN(stored.spec.schema, DecodeSchema(schema));
  if (!CheckSpec(stored.spec).ok()) return Corrupt("description of a record collection");
  return stored;
}

}  // namespace ragstone::index::records
