#include "index/internal/table_check.h"

#include <optional>
#include <string>
#include <string_view>

#include "base/file.h"
#include "index/internal/coding.h"

namespace ragstone::index {
namespace {

// The end of a table (rocksdb/table/format.cc): a byte of the kind of checksum, two handles with
// zeros behind them, the version, the magic number.
constexpr size_t kFooterBytes = 53;
constexpr std::string_view kProperties = "rocksdb.properties";
// The last bytes of a block: the number of its restarts, and whether it has a hash index.
constexpr size_t kBlockEndBytes = 4;
constexpr unsigned char kHashIndexBit = 0x80;

std::optional<std::string_view> ReadBlock(std::string_view table, Decoder* handle) {
  const uint64_t offset = handle->Varint();
  const uint64_t size = handle->Varint();
  if (!handle->ok() || offset > table.size() || size > table.size() - offset) return std::nullopt;
  return table.substr(offset, size);
}

// The block of properties; nullopt if what leads to it is damaged, which RocksDB finds.
std::optional<std::string_view> FindProperties(std::string_view table) {
  if (table.size() < kFooterBytes) return std::nullopt;
  Decoder footer(table.substr(table.size() - kFooterBytes));
  footer.U8();
  const std::optional<std::string_view> index = ReadBlock(table, &footer);
  if (!index.has_value()) return std::nullopt;
  Decoder in(*index);
  while (in.ok() && in.remaining() > kBlockEndBytes) {
    const uint64_t shared = in.Varint();
    const uint64_t key_bytes = in.Varint();
    const uint64_t value_bytes = in.Varint();
    const std::string_view key = in.Bytes(key_bytes);
    Decoder value(in.Bytes(value_bytes));
    // Every key of this block is whole.
    if (!in.ok() || shared != 0) return std::nullopt;
    if (key == kProperties) return ReadBlock(table, &value);
  }
  return std::nullopt;
}

}  // namespace

Status CheckTableProperties(const std::filesystem::path& rocksdb) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(rocksdb, error)) {
    if (entry.path().extension() != ".sst") continue;
    ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(entry.path()));
    const std::optional<std::string_view> properties = FindProperties(file.bytes());
    if (!properties.has_value() || properties->empty()) continue;
    if ((static_cast<unsigned char>(properties->back()) & kHashIndexBit) == 0) continue;
    return Status(StatusCode::kDataLoss, Reason::kDataCorrupt,
                  "the properties of the table " + entry.path().string() +
                      " are damaged; restore the data directory from a backup");
  }
  return OkStatus();
}

}  // namespace ragstone::index
