#include "index/internal/records_db/read_budget.h"

namespace ragstone::index {
namespace {

// What a message has beside names and values: tags, lengths and the numbers of a record.
constexpr size_t kRecordBytes = 64;
constexpr size_t kEntryBytes = 32;
constexpr size_t kScalarBytes = 16;
constexpr size_t kPairBytes = 9;  // a dimension of at most five bytes and a weight

size_t BytesOf(const Vector& vector) {
  if (const auto* dense = std::get_if<DenseVector>(&vector)) return dense->size() * sizeof(float);
  if (const auto* bits = std::get_if<BitVector>(&vector)) return bits->size();
  return std::get<SparseVector>(vector).dimensions.size() * kPairBytes;
}

size_t BytesOf(const Scalar& scalar) {
  const auto* text = std::get_if<std::string>(&scalar);
  return kScalarBytes + (text != nullptr ? text->size() : 0);
}

size_t BytesOf(const PayloadValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return text->size();
  const auto* list = std::get_if<ScalarList>(&value);
  if (list == nullptr) return kScalarBytes;
  size_t bytes = 0;
  for (const Scalar& scalar : *list) bytes += BytesOf(scalar);
  return bytes;
}

}  // namespace

size_t RecordBytes(const Record& record) {
  size_t bytes = kRecordBytes + record.id.size();
  for (const auto& [name, vector] : record.vectors) {
    bytes += kEntryBytes + name.size() + BytesOf(vector);
  }
  for (const auto& [name, value] : record.payload) {
    bytes += kEntryBytes + name.size() + BytesOf(value);
  }
  return bytes;
}

namespace records {

Status ReadBudget::Take(size_t bytes) {
  if (taken_.fetch_add(bytes) + bytes <= RecordDatabase::kReadBytesMax) return OkStatus();
  return ResourceExhausted(Reason::kLimitExceeded,
                           "the response would be larger than " +
                               std::to_string(RecordDatabase::kReadBytesMax >> 20) +
                               " MiB; ask for fewer records, or without payloads or vectors");
}

}  // namespace records
}  // namespace ragstone::index
