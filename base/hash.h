#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"

namespace ragstone {

// A SHA-256 digest (FIPS 180-4).
struct Sha256Digest {
  std::array<uint8_t, 32> bytes{};

  // Returns 64 lower-case hexadecimal digits.
  std::string Hex() const;
  // INVALID_ARGUMENT unless `hex` is 64 hexadecimal digits.
  static Result<Sha256Digest> FromHex(std::string_view hex);
  // The 32 bytes as they are, for keys.
  std::string_view View() const {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  auto operator<=>(const Sha256Digest&) const = default;
};

// Hashes a stream of bytes. Not thread-safe.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void Update(std::string_view bytes);
  // Returns the digest of all bytes so far; call once.
  Sha256Digest Finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

Sha256Digest Sha256Of(std::string_view bytes);

// Hashes a file in pieces; errors as ErrnoStatus.
Result<Sha256Digest> Sha256OfFile(const std::filesystem::path& path);

// XXH3, 64 bits: fast, not for anything an attacker may choose.
uint64_t FastHash(std::string_view bytes, uint64_t seed = 0);

// FastHash of a stream of bytes. Not thread-safe.
class FastHasher {
 public:
  FastHasher();
  ~FastHasher();
  FastHasher(const FastHasher&) = delete;
  FastHasher& operator=(const FastHasher&) = delete;
  void Update(std::string_view bytes);
  // Of all bytes so far; more may follow.
  uint64_t Hash() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ragstone
