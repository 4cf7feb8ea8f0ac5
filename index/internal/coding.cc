#include "index/internal/coding.h"

namespace ragstone::index {

void Encoder::Varint(uint64_t value) {
  while (value >= 0x80) {
    U8(static_cast<uint8_t>(value) | 0x80);
    value >>= 7;
  }
  U8(static_cast<uint8_t>(value));
}

void Encoder::SignedVarint(int64_t value) {
  Varint((static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63));
}

void Encoder::F32(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  for (int shift = 0; shift < 32; shift += 8) U8(static_cast<uint8_t>(bits >> shift));
}

void Encoder::F64(double value) {
  const uint64_t bits = std::bit_cast<uint64_t>(value);
  for (int shift = 0; shift < 64; shift += 8) U8(static_cast<uint8_t>(bits >> shift));
}

uint8_t Decoder::U8() {
  const std::string_view byte = Bytes(1);
  return byte.empty() ? 0 : static_cast<uint8_t>(byte[0]);
}

uint64_t Decoder::Varint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const uint8_t byte = U8();
    if (!ok_) return 0;
    // The tenth byte has room for one bit only.
    if (shift == 63 && byte > 1) break;
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  Fail();
  return 0;
}

uint32_t Decoder::Varint32() {
  const uint64_t value = Varint();
  if (value > UINT32_MAX) {
    Fail();
    return 0;
  }
  return static_cast<uint32_t>(value);
}

int64_t Decoder::SignedVarint() {
  const uint64_t value = Varint();
  return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
}

float Decoder::F32() {
  uint32_t bits = 0;
  const std::string_view bytes = Bytes(4);
  for (size_t i = 0; i < bytes.size(); ++i) {
    bits |= static_cast<uint32_t>(static_cast<uint8_t>(bytes[i])) << (8 * i);
  }
  return std::bit_cast<float>(bits);
}

double Decoder::F64() {
  uint64_t bits = 0;
  const std::string_view bytes = Bytes(8);
  for (size_t i = 0; i < bytes.size(); ++i) {
    bits |= static_cast<uint64_t>(static_cast<uint8_t>(bytes[i])) << (8 * i);
  }
  return std::bit_cast<double>(bits);
}

std::string_view Decoder::Bytes(size_t count) {
  if (count > rest_.size()) {
    Fail();
    return {};
  }
  const std::string_view bytes = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return bytes;
}

size_t Decoder::Count(size_t bytes_min) {
  const uint64_t count = Varint();
  if (count > rest_.size() / bytes_min) {
    Fail();
    return 0;
  }
  return static_cast<size_t>(count);
}

}  // namespace ragstone::index
