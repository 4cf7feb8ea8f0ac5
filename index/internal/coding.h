#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>

namespace ragstone::index {

// Appends the wire forms of docs/FORMAT.md to a string: fixed-width big-endian integers for keys,
// LEB128 varints, length-prefixed strings and little-endian floats for values.
class Encoder {
 public:
  explicit Encoder(std::string* out) : out_(out) {}

  void U8(uint8_t value) { out_->push_back(static_cast<char>(value)); }
  void U32(uint32_t value) { BigEndian(value); }
  void U64(uint64_t value) { BigEndian(value); }
  void Varint(uint64_t value);
  // Zigzag, so that small negative numbers stay short.
  void SignedVarint(int64_t value);
  void F32(float value);
  void F64(double value);
  void Bytes(std::string_view bytes) { out_->append(bytes); }
  void String(std::string_view text) {
    Varint(text.size());
    out_->append(text);
  }

 private:
  template <typename T>
  void BigEndian(T value) {
    for (int shift = (sizeof(T) - 1) * 8; shift >= 0; shift -= 8) {
      U8(static_cast<uint8_t>(value >> shift));
    }
  }

  std::string* out_;
};

// Reads what Encoder wrote. Foreign bytes are safe: past the end or malformed, every read returns
// zero or an empty string and ok() becomes false for good.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  // All bytes were read and every read was good.
  bool done() const { return ok_ && rest_.empty(); }
  size_t remaining() const { return rest_.size(); }

  uint8_t U8();
  uint32_t U32() { return BigEndian<uint32_t>(); }
  uint64_t U64() { return BigEndian<uint64_t>(); }
  uint64_t Varint();
  // A varint that must fit 32 bits.
  uint32_t Varint32();
  int64_t SignedVarint();
  float F32();
  double F64();
  std::string_view Bytes(size_t count);
  std::string_view String() { return Bytes(Varint()); }
  // Reads an element count, which is bad if fewer than count × bytes_min bytes are left: so a
  // damaged count never makes a reader allocate more than the record's own size.
  size_t Count(size_t bytes_min);
  void Fail() {
    ok_ = false;
    rest_ = {};
  }

 private:
  template <typename T>
  T BigEndian() {
    T value = 0;
    const std::string_view bytes = Bytes(sizeof(T));
    for (const char byte : bytes) value = static_cast<T>(value << 8) | static_cast<uint8_t>(byte);
    return value;
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace ragstone::index
