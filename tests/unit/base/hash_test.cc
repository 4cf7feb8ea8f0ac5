#include "base/hash.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/file.h"

namespace ragstone {
namespace {

// Test vector of FIPS 180-4 for "abc".
constexpr char kAbc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

TEST(Sha256, MatchesTheStandardsVector) { EXPECT_EQ(Sha256Of("abc").Hex(), kAbc); }

TEST(Sha256, PiecesGiveTheSameDigestAsTheWhole) {
  Sha256 hash;
  hash.Update("a");
  hash.Update("");
  hash.Update("bc");
  EXPECT_EQ(hash.Finish().Hex(), kAbc);
}

TEST(Sha256, FilesAreHashedByContent) {
  const auto path = std::filesystem::path(testing::TempDir()) / "hash_test_abc";
  ASSERT_TRUE(WriteFileAtomically(path, "abc").ok());
  EXPECT_EQ(Sha256OfFile(path)->Hex(), kAbc);
  std::filesystem::remove(path);
  EXPECT_EQ(Sha256OfFile(path).status().reason(), Reason::kFileNotFound);
}

TEST(Sha256, HexIsReadBackAndBadHexRefused) {
  EXPECT_EQ(Sha256Digest::FromHex(kAbc)->Hex(), kAbc);
  EXPECT_FALSE(Sha256Digest::FromHex("abc").ok());
  std::string bad(kAbc);
  bad[3] = 'g';
  EXPECT_FALSE(Sha256Digest::FromHex(bad).ok());
}

TEST(FastHash, PiecesGiveTheSameAsTheWhole) {
  const std::string bytes(100'000, 'x');
  FastHasher hasher;
  EXPECT_EQ(hasher.Hash(), FastHash(""));
  for (size_t begin = 0; begin < bytes.size(); begin += 777) {
    hasher.Update(std::string_view(bytes).substr(begin, 777));
    const size_t end = std::min(begin + 777, bytes.size());
    ASSERT_EQ(hasher.Hash(), FastHash(std::string_view(bytes).substr(0, end)));
  }
}

TEST(FastHash, DependsOnBytesAndSeed) {
  EXPECT_EQ(FastHash("x"), FastHash("x"));
  EXPECT_NE(FastHash("x"), FastHash("y"));
  EXPECT_NE(FastHash("x"), FastHash("x", 1));
}

}  // namespace
}  // namespace ragstone
