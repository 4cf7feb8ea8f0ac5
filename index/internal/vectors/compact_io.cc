#include "index/internal/vectors/compact_io.h"

#include <faiss/impl/io.h>
#include <faiss/index_io.h>

#include "base/caught.h"
#include "index/internal/coding.h"

namespace ragstone::index::vectors {
namespace {

// FAISS ends at the first error, which is kept.
class FaissWriter : public faiss::IOWriter {
 public:
  explicit FaissWriter(PartWriter* parts) : parts_(parts) {}
  size_t operator()(const void* from, size_t size, size_t items) override {
    status_ = parts_->WriteBytes({static_cast<const char*>(from), size * items});
    return status_.ok() ? items : 0;
  }
  const Status& status() const { return status_; }

 private:
  PartWriter* const parts_;
  Status status_;
};

class FaissReader : public faiss::IOReader {
 public:
  explicit FaissReader(PartReader* parts) : parts_(parts) {}
  size_t operator()(void* to, size_t size, size_t items) override {
    status_ = parts_->ReadBytes(static_cast<char*>(to), size * items);
    return status_.ok() ? items : 0;
  }
  const Status& status() const { return status_; }

 private:
  PartReader* const parts_;
  Status status_;
};

}  // namespace

std::string EncodeCompactHeader(const CompactHeader& header) {
  std::string bytes;
  Encoder encoder(&bytes);
  encoder.U64(header.covers_seq);
  encoder.U8(static_cast<uint8_t>(header.method));
  encoder.Varint(header.spec.dimensions);
  encoder.U8(static_cast<uint8_t>(header.spec.metric));
  encoder.U8(static_cast<uint8_t>(header.spec.storage));
  encoder.Varint(header.rows);
  encoder.Varint(header.ef);
  return bytes;
}

Result<CompactHeader> DecodeCompactHeader(std::string_view bytes) {
  Decoder decoder(bytes);
  CompactHeader header;
  header.covers_seq = decoder.U64();
  header.method = static_cast<Method>(decoder.U8());
  header.spec.dimensions = decoder.Varint32();
  header.spec.metric = static_cast<Metric>(decoder.U8());
  header.spec.storage = static_cast<Storage>(decoder.U8());
  header.rows = decoder.Varint();
  header.ef = decoder.Varint();
  const bool method = header.method == Method::kIvfPq || header.method == Method::kLsh;
  if (!decoder.done() || !method || !CheckSpec(header.spec).ok() ||
      header.spec.metric == Metric::kHamming || header.rows == 0 || header.rows > kSegmentRowsMax) {
    return DamagedIndex("its header");
  }
  return header;
}

Status WriteFaiss(const faiss::Index& index, PartWriter* parts) {
  FaissWriter writer(parts);
  try {
    faiss::write_index(&index, &writer);
  } catch (const std::exception& error) {
    if (!writer.status().ok()) return writer.status();
    return StatusOf(error, "storing a compact vector index");
  }
  return OkStatus();
}

Result<std::unique_ptr<faiss::Index>> ReadFaiss(PartReader* parts) {
  FaissReader reader(parts);
  try {
    return std::unique_ptr<faiss::Index>(
        faiss::read_index(&reader, faiss::IO_FLAG_SKIP_PRECOMPUTE_TABLE));
  } catch (const std::exception& error) {
    return reader.status().ok() ? DamagedIndex(error.what()) : reader.status();
  }
}

}  // namespace ragstone::index::vectors
