#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "base/hash.h"
#include "index/internal/coding.h"
#include "index/internal/vectors/segment_io.h"

namespace ragstone::index::vectors {

// Keeps the chunks of one index.
class Chunks : public ChunkSink, public ChunkSource {
 public:
  Status Put(uint32_t number, std::string_view chunk) override {
    EXPECT_EQ(number, chunks.size());
    chunks.emplace_back(chunk);
    return OkStatus();
  }
  Result<std::string> Get(uint32_t number) const override {
    if (number >= chunks.size()) {
      return Status(StatusCode::kDataLoss, Reason::kDataCorrupt, "no such chunk");
    }
    return chunks[number];
  }
  std::vector<std::string> chunks;
};

// Overwrites a value of a chunk's payload, with a checksum that fits.
template <typename T>
void Forge(std::string* chunk, size_t at, T value) {
  std::memcpy(chunk->data() + at, &value, sizeof(value));
  chunk->resize(chunk->size() - 8);
  const uint64_t hash = FastHash(*chunk);
  Encoder(chunk).U64(hash);
}

// `refused` says whether chunks are not read. Bits are flipped, chunks cut, left out and swapped.
template <typename Refused>
void ExpectDamageIsRefused(const Chunks& good, const Refused& refused) {
  std::mt19937 random(8);
  for (int i = 0; i < 100; ++i) {
    Chunks bad = good;
    std::string& chunk = bad.chunks[random() % bad.chunks.size()];
    char& byte = chunk[random() % chunk.size()];
    byte = static_cast<char>(byte ^ (1 << random() % 8));
    EXPECT_TRUE(refused(bad)) << "a flipped bit, " << i;
    bad = good;
    std::string& cut = bad.chunks[random() % bad.chunks.size()];
    cut.resize(random() % cut.size());
    EXPECT_TRUE(refused(bad)) << "a chunk that was cut, " << i;
  }
  Chunks bad = good;
  bad.chunks.pop_back();
  EXPECT_TRUE(refused(bad)) << "a missing chunk";
  bad = good;
  std::swap(bad.chunks[0], bad.chunks[1]);
  EXPECT_TRUE(refused(bad)) << "chunks out of order";
}

}  // namespace ragstone::index::vectors
