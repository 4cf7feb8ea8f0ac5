#include "index/internal/records_db/record_checks.h"

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "index/filter/names.h"
#include "index/internal/records_db/vector_part.h"
#include "index/internal/vectors/types.h"

namespace ragstone::index::records {
namespace {

std::string Number(size_t number) { return std::to_string(number); }

Status WrongKind(std::string_view expected) {
  return InvalidArgument(Reason::kInvalidArgument,
                         "another kind of vector was given; give " + std::string(expected));
}

Status CheckSparse(const Vector& vector) {
  const auto* sparse = std::get_if<SparseVector>(&vector);
  if (sparse == nullptr) return WrongKind("a sparse vector");
  if (sparse->dimensions.size() != sparse->weights.size()) {
    return InvalidArgument(Reason::kInvalidArgument,
                           "there are " + Number(sparse->dimensions.size()) + " dimensions and " +
                               Number(sparse->weights.size()) +
                               " weights; give as many of one as of the other");
  }
  if (sparse->dimensions.size() > RecordDatabase::kSparsePairsMax) {
    return InvalidArgument(Reason::kLimitExceeded,
                           "the sparse vector has " + Number(sparse->dimensions.size()) +
                               " entries; at most " + Number(RecordDatabase::kSparsePairsMax) +
                               " are possible");
  }
  for (size_t i = 0; i < sparse->dimensions.size(); ++i) {
    if (i > 0 && sparse->dimensions[i] <= sparse->dimensions[i - 1]) {
      return InvalidArgument(Reason::kInvalidArgument,
                             "dimension " + Number(sparse->dimensions[i]) + " follows " +
                                 Number(sparse->dimensions[i - 1]) +
                                 "; give dimensions in ascending order, each once");
    }
    if (!std::isfinite(sparse->weights[i]) || sparse->weights[i] == 0) {
      return InvalidArgument(Reason::kInvalidArgument, "the weight of dimension " +
                                                           Number(sparse->dimensions[i]) + " is " +
                                                           std::to_string(sparse->weights[i]) +
                                                           "; it must be finite and not zero");
    }
  }
  return OkStatus();
}

Status CheckLength(size_t given, size_t expected, std::string_view unit) {
  if (given == expected) return OkStatus();
  return InvalidArgument(Reason::kInvalidArgument,
                         "it has " + Number(given) + " " + std::string(unit) +
                             ", the collection expects " + Number(expected));
}

Status CheckDense(const VectorField& field, const Vector& vector) {
  const vectors::VectorSpec spec = SpecOf(field);
  if (field.metric == VectorMetric::kHamming) {
    const auto* bits = std::get_if<BitVector>(&vector);
    if (bits == nullptr) return WrongKind("a bit vector");
    RETURN_IF_ERROR(CheckLength(bits->size(), vectors::InputBytes(spec), "bytes"));
    return vectors::CheckVector(spec, bits->data());
  }
  const auto* dense = std::get_if<DenseVector>(&vector);
  if (dense == nullptr) return WrongKind("a dense vector");
  RETURN_IF_ERROR(CheckLength(dense->size(), field.dimensions, "values"));
  return vectors::CheckVector(spec, dense->data());
}

void DropNulls(Payload* payload) {
  std::erase_if(*payload, [](const auto& entry) {
    return std::holds_alternative<std::monostate>(entry.second);
  });
}

Status CheckRecord(const StoredSpec& stored, Record* record) {
  for (const auto& [name, vector] : record->vectors) {
    RETURN_IF_ERROR(CheckVector(stored, name, vector));
  }
  RETURN_IF_ERROR(NormalizePayload(stored.spec.schema, &record->payload));
  DropNulls(&record->payload);
  return OkStatus();
}

Status TooMany(size_t given, std::string_view what) {
  return InvalidArgument(Reason::kLimitExceeded, "the call names " + Number(given) + " " +
                                                     std::string(what) + "; at most " +
                                                     Number(RecordDatabase::kWriteRecordsMax) +
                                                     " are possible: split it");
}

void IdsToTexts(Filter* filter) {
  for (Filter& child : filter->children) IdsToTexts(&child);
  for (PointId& id : filter->ids) {
    if (const auto* number = std::get_if<uint64_t>(&id)) id = std::to_string(*number);
  }
}

}  // namespace

Status CheckVector(const StoredSpec& stored, std::string_view name, const Vector& vector) {
  const std::string context = "vector " + Quoted(name);
  if (const VectorField* field = stored.FindVector(name)) {
    return CheckDense(*field, vector).WithContext(context);
  }
  if (stored.FindSparse(name) != nullptr) return CheckSparse(vector).WithContext(context);
  std::vector<std::string_view> names;
  for (const VectorField& field : stored.spec.vectors) names.push_back(field.name);
  for (const SparseField& field : stored.spec.sparse) names.push_back(field.name);
  return InvalidArgument(Reason::kInvalidArgument,
                         "the collection has no vector " + Quoted(name) + NameHint(name, names));
}

Status CheckId(std::string_view id) {
  if (!id.empty() && id.size() <= RecordDatabase::kIdBytesMax && IsUtf8(id)) return OkStatus();
  if (!id.empty() && id.size() <= RecordDatabase::kIdBytesMax) {
    return InvalidArgument(Reason::kInvalidUtf8, "the id of a record is not UTF-8");
  }
  const Reason reason = id.empty() ? Reason::kInvalidArgument : Reason::kLimitExceeded;
  return InvalidArgument(reason, "the id of a record has " + Number(id.size()) +
                                     " bytes; it must have 1 to " +
                                     Number(RecordDatabase::kIdBytesMax));
}

Status CheckIds(std::span<const std::string> ids) {
  if (ids.size() > RecordDatabase::kWriteRecordsMax) return TooMany(ids.size(), "records");
  std::unordered_set<std::string_view> seen;
  for (const std::string& id : ids) {
    RETURN_IF_ERROR(CheckId(id));
    if (!seen.insert(id).second) {
      return InvalidArgument(Reason::kInvalidArgument, "the id " + Quoted(id) +
                                                           " is named twice in one write; name "
                                                           "each record once");
    }
  }
  return OkStatus();
}

Status CheckRecords(const StoredSpec& stored, std::span<Record> records) {
  if (records.size() > RecordDatabase::kWriteRecordsMax) return TooMany(records.size(), "records");
  std::unordered_set<std::string_view> seen;
  for (size_t i = 0; i < records.size(); ++i) {
    RETURN_IF_ERROR(CheckId(records[i].id).WithContext("record " + Number(i)));
    const std::string context = "record " + Quoted(records[i].id);
    if (!seen.insert(records[i].id).second) {
      return InvalidArgument(Reason::kInvalidArgument,
                             context + " is in the write twice; give each record once");
    }
    RETURN_IF_ERROR(CheckRecord(stored, &records[i]).WithContext(context));
  }
  return OkStatus();
}

Status CheckWriteOptions(const WriteOptions& options, size_t records) {
  if (options.request_id.size() > RecordDatabase::kRequestIdBytesMax) {
    return InvalidArgument(Reason::kLimitExceeded,
                           "request_id has " + Number(options.request_id.size()) +
                               " bytes; at most " + Number(RecordDatabase::kRequestIdBytesMax) +
                               " are possible");
  }
  if (options.if_versions.empty() || options.if_versions.size() == records) return OkStatus();
  return InvalidArgument(Reason::kInvalidArgument,
                         "if_versions has " + Number(options.if_versions.size()) +
                             " elements for " + Number(records) +
                             " named records; give one for each record, or none");
}

Status CheckChange(const StoredSpec& stored, PayloadChange* change) {
  return NormalizePayload(stored.spec.schema, &change->set);
}

Result<Filter> BindRecordFilter(const StoredSpec& stored, const Filter& filter) {
  const auto blamed = [](const Status& status) {
    return status.reason() == Reason::kInvalidArgument
               ? InvalidArgument(Reason::kFilterInvalid, status.message())
               : status;
  };
  const Status shape = CheckShape(filter, {});
  if (!shape.ok()) return blamed(shape);
  Filter texts = filter;
  IdsToTexts(&texts);
  Result<Filter> bound = BindFilter(stored.spec.schema, texts);
  if (!bound.ok()) return blamed(bound.status());
  return bound;
}

}  // namespace ragstone::index::records
