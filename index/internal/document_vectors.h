#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "index/internal/fields/row_set.h"
#include "index/internal/records.h"
#include "index/internal/records_db/vector_set.h"
#include "index/internal/store.h"
#include "index/internal/vectors/exact_distances.h"

// The vectors of document collections: a records::VectorSet whose rows are chunks.
namespace ragstone::index {

class Core;

// Gives the vectors of chunks as they are stored; best of chunks that follow each other. DATA_LOSS
// for a chunk that has none.
class ChunkVectorReader : public vectors::ExactReader {
 public:
  ChunkVectorReader(const Store& store, CollectionId collection, uint32_t dimensions)
      : store_(store), collection_(collection), dimensions_(dimensions) {}
  Status Read(std::span<const vectors::RowId> chunks, float* out) const override;
  uint32_t dimensions() const { return dimensions_; }

 private:
  const Store& store_;
  const CollectionId collection_;
  const uint32_t dimensions_;
};

// What a search sees of them.
using VectorsSeen = std::shared_ptr<const records::VectorView>;

// The vectors of one collection in memory. Changed under the collection's commit lock only.
class DocumentVectors {
 public:
  // `seal_rows`: so many vectors that grow are sealed in the background.
  DocumentVectors(uint32_t dimensions, size_t seal_rows);

  // Adds the vectors of chunks, which nobody sees until Publish.
  Status Stage(const ChunkVectorReader& reader, std::span<const ChunkId> chunks);
  // They are not seen from sequence number `at` on.
  void MarkGone(std::span<const ChunkRange> chunks, SequenceNumber at);
  // Returns all that is to be seen now.
  VectorsSeen Publish();
  // Adds a part that was read, before all else, with marks at what is not among `chunks`; takes
  // from those what it has.
  void AddRead(const std::shared_ptr<records::VectorPart>& part, fields::RowSet* chunks);

  records::VectorSet& set() { return set_; }
  // Raised when nobody wants what is being sealed for them.
  std::atomic<bool>& given_up() { return given_up_; }

 private:
  records::VectorSet set_;
  std::atomic<bool> given_up_{false};
};

// Of rows with this mark nobody sees anything.
inline constexpr SequenceNumber kNeverSeen = 1;

// What the vectors of a collection are, for those who seal and search them.
VectorField ChunkVectorField(uint32_t dimensions);

// Reads the vectors of these chunks: sealed parts from their files where there are, the others from
// their rows.
Result<std::shared_ptr<DocumentVectors>> LoadVectors(const Core& core,
                                                     const CollectionInfo& collection,
                                                     fields::RowSet chunks);

// How they are searched, for people.
std::string DescribeVectors(uint32_t dimensions, const records::VectorView& seen, size_t seal_rows);

}  // namespace ragstone::index
