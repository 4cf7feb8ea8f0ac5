#include "index/internal/records_db/part_files.h"

#include "index/internal/keys.h"
#include "index/internal/vectors/segment_io.h"

namespace ragstone::index::records {
namespace {

// Passes chunks on until stopped.
class StoppableSink : public vectors::ChunkSink {
 public:
  StoppableSink(ChunkFileWriter* file, const std::function<bool()>& stopped)
      : file_(file), stopped_(stopped) {}
  Status Put(uint32_t number, std::string_view chunk) override {
    if (stopped_ && stopped_()) return StoringStopped();
    return file_->Put(number, chunk);
  }

 private:
  ChunkFileWriter* const file_;
  const std::function<bool()>& stopped_;
};

// Whether it is what the manifest says.
template <typename Index>
Status CheckRead(const VectorField& field, const StoredPart& stored, RowId rows_end,
                 const vectors::LoadedIndex<Index>& loaded) {
  bool sound = loaded.stamp == stored.file.stamp && loaded.index->rows() == stored.rows &&
               loaded.index->spec() == SpecOf(field);
  for (vectors::Slot slot = 0; sound && slot < loaded.index->rows(); ++slot) {
    sound = loaded.index->row_id(slot) < rows_end;
  }
  return sound ? OkStatus() : Corrupt("a stored part of a vector index");
}

}  // namespace

Status StoringStopped() {
  return Status(StatusCode::kCancelled, Reason::kCancelled, "storing indexes was stopped");
}

Status StorePart(const IndexFolder& folder, const PartToStore& store,
                 const std::function<bool()>& stopped) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ChunkFileWriter> file,
                   ChunkFileWriter::Create(folder, store.stamp));
  StoppableSink sink(file.get(), stopped);
  vectors::SegmentWriteOptions options;
  // Exact vectors of int8 lie in the rows; those of fp32 and fp16 are read with the segment.
  options.with_exact = true;
  options.covers_seq = store.version;
  options.stamp = store.stamp;
  if (store.part->compact() != nullptr) {
    RETURN_IF_ERROR(store.part->compact()->Write(options, &sink));
  } else {
    RETURN_IF_ERROR(vectors::WriteSegment(*store.part->sealed(), options, &sink));
  }
  ASSIGN_OR_RETURN(const StoredFile stored, file->Finish());
  store.part->set_stored(stored);
  return OkStatus();
}

StoredPart DescribePart(const VectorField& field, const VectorPart& part) {
  StoredPart stored;
  stored.vector = field.name;
  stored.file = part.stored();
  stored.compact = part.compact() != nullptr;
  stored.rows = part.rows();
  stored.gone = part.gone();
  stored.reason = part.reason();
  return stored;
}

Result<std::shared_ptr<VectorPart>> LoadPart(const IndexFolder& folder, const VectorField& field,
                                             const StoredPart& stored, RowId rows_end) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ChunkFileReader> file,
                   ChunkFileReader::Open(folder, stored.file));
  std::shared_ptr<VectorPart> part;
  if (stored.compact) {
    ASSIGN_OR_RETURN(auto loaded, vectors::CompactIndex::Read(*file));
    RETURN_IF_ERROR(CheckRead(field, stored, rows_end, loaded));
    part = VectorPart::Compact(std::move(loaded.index), stored.reason);
  } else {
    ASSIGN_OR_RETURN(auto loaded, vectors::ReadSegment(*file, nullptr));
    RETURN_IF_ERROR(CheckRead(field, stored, rows_end, loaded));
    part = VectorPart::Sealed(std::move(loaded.index), stored.reason);
  }
  RETURN_IF_ERROR(file->Finish());
  part->set_stored(stored.file);
  return part;
}

}  // namespace ragstone::index::records
