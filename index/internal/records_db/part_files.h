#pragma once

#include <functional>
#include <memory>

#include "index/internal/records_db/index_manifest.h"
#include "index/internal/records_db/vector_part.h"

// Parts of vector indexes in files of their own.
namespace ragstone::index::records {

struct PartToStore {
  VectorPart* part = nullptr;  // does not grow
  uint64_t stamp = 0;          // the file's
  SequenceNumber version = 0;  // that the part was seen by
};
// Notes the file with the part. Gives up, with CANCELLED, once `stopped`, which may be empty.
Status StorePart(const IndexFolder& folder, const PartToStore& store,
                 const std::function<bool()>& stopped);
Status StoringStopped();

// What a manifest says of a part that was stored.
StoredPart DescribePart(const VectorField& field, const VectorPart& part);

// DATA_LOSS for anything but what was stored for such a field, with rows below `rows_end`.
Result<std::shared_ptr<VectorPart>> LoadPart(const IndexFolder& folder, const VectorField& field,
                                             const StoredPart& stored, RowId rows_end);

}  // namespace ragstone::index::records
