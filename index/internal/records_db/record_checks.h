#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/status.h"
#include "index/internal/records_db/stored_spec.h"
#include "index/record_database.h"

// Checks of what callers give. INVALID_ARGUMENT names the record, the vector or field, the limit
// and the remedy.
namespace ragstone::index::records {

// A vector of a record or a query. `name` must be one of the collection's.
Status CheckVector(const StoredSpec& stored, std::string_view name, const Vector& vector);
Status CheckId(std::string_view id);
// Also brings payloads to the form that filters expect.
Status CheckRecords(const StoredSpec& stored, std::span<Record> records);
Status CheckIds(std::span<const std::string> ids);
// `records` is how many records the write names.
Status CheckWriteOptions(const WriteOptions& options, size_t records);
Status CheckChange(const StoredSpec& stored, PayloadChange* change);

// The filter with ids as texts, bound to the schema.
Result<Filter> BindRecordFilter(const StoredSpec& stored, const Filter& filter);

}  // namespace ragstone::index::records
