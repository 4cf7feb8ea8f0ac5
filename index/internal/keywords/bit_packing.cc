#include "index/internal/keywords/bit_packing.h"

#include <array>
#include <bit>
#include <cstring>
#include <utility>

namespace ragstone::index::keywords {
namespace {

// Lanes are stored as they lie in memory.
static_assert(std::endian::native == std::endian::little, "postings are little-endian");

constexpr uint32_t kLanes = 4;
constexpr uint32_t kRounds = kBlockSize / kLanes;
// Vectors of the compiler: SSE2 on x86-64, NEON on ARM, plain code elsewhere.
typedef uint32_t Lanes __attribute__((vector_size(16)));

Lanes Load(const void* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof(lanes));
  return lanes;
}

void Store(Lanes lanes, void* to) { std::memcpy(to, &lanes, sizeof(lanes)); }

template <uint32_t kBits, uint32_t kRound>
inline void UnpackRound(const uint8_t* in, uint32_t* out) {
  constexpr uint32_t kBegin = kRound * kBits;
  constexpr uint32_t kWord = kBegin / 32;
  constexpr uint32_t kShift = kBegin % 32;
  Lanes value = Load(in + kWord * 16) >> kShift;
  if constexpr (kShift + kBits > 32) value |= Load(in + (kWord + 1) * 16) << (32 - kShift);
  if constexpr (kBits < 32) value &= (1u << kBits) - 1;
  Store(value, out + kRound * kLanes);
}

template <uint32_t kBits, uint32_t... kRound>
inline void UnpackRounds(const uint8_t* in, uint32_t* out,
                         std::integer_sequence<uint32_t, kRound...> /*rounds*/) {
  (UnpackRound<kBits, kRound>(in, out), ...);
}

template <uint32_t kBits>
void Unpack(const uint8_t* in, uint32_t* out) {
  if constexpr (kBits == 0) {
    std::memset(out, 0, kBlockSize * sizeof(uint32_t));
  } else {
    UnpackRounds<kBits>(in, out, std::make_integer_sequence<uint32_t, kRounds>());
  }
}

using UnpackFunction = void (*)(const uint8_t*, uint32_t*);

template <uint32_t... kBits>
constexpr std::array<UnpackFunction, sizeof...(kBits)> MakeTable(
    std::integer_sequence<uint32_t, kBits...> /*bits*/) {
  return {Unpack<kBits>...};
}

constexpr std::array<UnpackFunction, 33> kUnpack =
    MakeTable(std::make_integer_sequence<uint32_t, 33>());

}  // namespace

uint32_t BitsFor(const uint32_t* numbers) {
  uint32_t all = 0;
  for (size_t i = 0; i < kBlockSize; ++i) all |= numbers[i];
  return static_cast<uint32_t>(std::bit_width(all));
}

void PackBlock(const uint32_t* numbers, uint32_t bits, uint8_t* out) {
  if (bits == 0) return;
  Lanes word = {0, 0, 0, 0};
  uint32_t filled = 0;
  for (uint32_t round = 0; round < kRounds; ++round) {
    const Lanes value = Load(numbers + round * kLanes);
    word |= value << filled;
    filled += bits;
    if (filled < 32) continue;
    Store(word, out);
    out += 16;
    filled -= 32;
    // A shift by 32 is not defined.
    word = filled == 0 ? Lanes{0, 0, 0, 0} : value >> (bits - filled);
  }
}

void UnpackBlock(const uint8_t* in, uint32_t bits, uint32_t* out) { kUnpack[bits](in, out); }

}  // namespace ragstone::index::keywords
