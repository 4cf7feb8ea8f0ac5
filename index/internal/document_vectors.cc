#include "index/internal/document_vectors.h"

#include <algorithm>

#include "index/filter/names.h"
#include "index/internal/core.h"
#include "index/internal/records_db/part_files.h"

namespace ragstone::index {
namespace {

constexpr size_t kReadAtOnce = 1024;

// Reads the parts that the manifest of a collection names; one that cannot be read is left out,
// which costs time only.
class PartsReader {
 public:
  PartsReader(const Core& core, const CollectionInfo& collection)
      : core_(core), collection_(collection), folder_(core.options().dir, collection.id) {}

  Status Read(DocumentVectors* vectors, fields::RowSet* chunks) const {
    ASSIGN_OR_RETURN(const std::optional<std::string> stored,
                     core_.store().Get(Family::kMeta, records::ManifestKey(collection_.id)));
    if (!stored.has_value()) return OkStatus();
    const Result<records::IndexManifest> manifest = records::DecodeManifest(*stored);
    if (!manifest.ok()) {
      Warn(manifest.status());
      return OkStatus();
    }
    for (const records::StoredPart& described : manifest->parts) {
      const Result<std::shared_ptr<records::VectorPart>> part =
          records::LoadPart(folder_, vectors->set().field(), described, UINT64_MAX);
      if (part.ok()) {
        vectors->AddRead(*part, chunks);
      } else if (part.status().code() == StatusCode::kResourceExhausted) {
        return part.status();
      } else {
        Warn(part.status());
      }
    }
    // What a crash left there.
    folder_.KeepOnly(manifest->Stamps());
    return OkStatus();
  }

 private:
  void Warn(const Status& status) const {
    if (!core_.options().on_storage_warning) return;
    core_.options().on_storage_warning(
        "collection " + Quoted(collection_.spec.name) +
        ": a part of its vectors could not be read and is built again: " + status.ToString());
  }

  const Core& core_;
  const CollectionInfo& collection_;
  const records::IndexFolder folder_;
};

}  // namespace

Status ChunkVectorReader::Read(std::span<const vectors::RowId> chunks, float* out) const {
  const std::unique_ptr<StoreIterator> it = store_.NewIterator(Family::kVector);
  for (const ChunkId chunk : chunks) {
    const std::string key = ChunkKey(collection_, chunk);
    if (it->Valid()) it->Next();
    if (!it->Valid() || it->key() != key) it->Seek(key);
    if (!it->Valid() || it->key() != key) {
      RETURN_IF_ERROR(it->status());
      return Corrupt("vector of chunk " + std::to_string(chunk));
    }
    RETURN_IF_ERROR(DecodeVector(it->value(), dimensions_, out).status());
    out += dimensions_;
  }
  return OkStatus();
}

VectorField ChunkVectorField(uint32_t dimensions) {
  VectorField field;
  field.dimensions = dimensions;
  field.metric = VectorMetric::kInnerProduct;  // they are normalised
  field.storage = VectorStorage::kFloat32;
  return field;
}

DocumentVectors::DocumentVectors(uint32_t dimensions, size_t seal_rows)
    : set_(ChunkVectorField(dimensions), seal_rows) {}

Status DocumentVectors::Stage(const ChunkVectorReader& reader, std::span<const ChunkId> chunks) {
  const size_t dimensions = reader.dimensions();
  std::vector<float> read(std::min(kReadAtOnce, chunks.size()) * dimensions);
  Vector vector = DenseVector(dimensions);
  while (!chunks.empty()) {
    const std::span<const ChunkId> block = chunks.first(std::min(kReadAtOnce, chunks.size()));
    RETURN_IF_ERROR(reader.Read(block, read.data()));
    for (size_t i = 0; i < block.size(); ++i) {
      std::copy_n(read.data() + i * dimensions, dimensions, std::get<DenseVector>(vector).data());
      RETURN_IF_ERROR(set_.Stage(block[i], vector));
    }
    chunks = chunks.subspan(block.size());
  }
  return OkStatus();
}

void DocumentVectors::MarkGone(std::span<const ChunkRange> chunks, SequenceNumber at) {
  for (const ChunkRange& range : chunks) {
    for (uint64_t i = 0; i < range.count; ++i) set_.MarkGone(range.first + i, at);
  }
}

VectorsSeen DocumentVectors::Publish() {
  set_.Publish();
  return std::make_shared<const records::VectorView>(set_.View());
}

void DocumentVectors::AddRead(const std::shared_ptr<records::VectorPart>& part,
                              fields::RowSet* chunks) {
  fields::RowSet here;
  for (size_t slot = 0; slot < part->rows(); ++slot) {
    const ChunkId chunk = part->row_id(slot);
    if (chunks->Contains(chunk)) {
      here.Add(chunk);
    } else {
      part->MarkGone(chunk, kNeverSeen);
    }
  }
  *chunks -= here;
  set_.AddSealed(part);
}

Result<std::shared_ptr<DocumentVectors>> LoadVectors(const Core& core,
                                                     const CollectionInfo& collection,
                                                     fields::RowSet chunks) {
  const uint32_t dimensions = collection.spec.dimensions;
  auto loaded = std::make_shared<DocumentVectors>(dimensions, core.options().hnsw_vectors_min);
  RETURN_IF_ERROR(PartsReader(core, collection).Read(loaded.get(), &chunks));
  const ChunkVectorReader reader(core.store(), collection.id, dimensions);
  RETURN_IF_ERROR(loaded->Stage(reader, chunks.ToVector()));
  return loaded;
}

std::string DescribeVectors(uint32_t dimensions, const records::VectorView& seen,
                            size_t seal_rows) {
  size_t scanned = 0;
  for (const records::PartView& part : seen) {
    if (part.part->growing() == nullptr) {
      return records::DescribeVectors(ChunkVectorField(dimensions), seen);
    }
    scanned += part.rows - std::min(part.rows, part.part->gone());
  }
  std::string text = "exact scan: " + std::to_string(scanned) + " vectors, ";
  if (scanned >= seal_rows) return text + "which are being sealed for a faster search";
  return text + "fewer than the " + std::to_string(seal_rows) + " that are sealed";
}

}  // namespace ragstone::index
