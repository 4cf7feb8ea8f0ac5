#pragma once

#include <cstddef>
#include <cstdint>

namespace ragstone::index::keywords {

// Postings come in blocks of this many; a block of numbers of b bits takes 16 × b bytes.
inline constexpr size_t kBlockSize = 128;
inline constexpr size_t PackedBytes(uint32_t bits) { return 16 * bits; }

// The bits that hold every number of the block.
uint32_t BitsFor(const uint32_t* numbers);
// Packs kBlockSize numbers below 2^bits; bits at most 32. The numbers lie in four lanes, so that
// SSE2, NEON and the like unpack four at a time (Lemire and Boytsov, "Decoding billions of integers
// per second through vectorization", 2015).
void PackBlock(const uint32_t* numbers, uint32_t bits, uint8_t* out);
// Reads PackedBytes(bits) bytes of any content; writes kBlockSize numbers.
void UnpackBlock(const uint8_t* in, uint32_t bits, uint32_t* out);

}  // namespace ragstone::index::keywords
