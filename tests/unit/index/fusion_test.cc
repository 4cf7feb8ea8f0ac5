#include "index/internal/fusion.h"

#include <gtest/gtest.h>

namespace ragstone::index {
namespace {

SearchHit Hit(ChunkId chunk, double vector, double keyword) {
  return {chunk, 1, 0, vector, keyword};
}

TEST(FusionTest, BestInBothIsBestAndScoresOne) {
  std::vector<SearchHit> hits = {Hit(1, 0.2, 1.0), Hit(2, 0.9, 8.0), Hit(3, 0.8, 0.0)};
  FuseScores(&hits);
  SortHits(10, &hits);
  EXPECT_EQ(hits[0].chunk, 2u);
  EXPECT_NEAR(hits[0].score, 1.0, 1e-12);
  for (const SearchHit& hit : hits) {
    EXPECT_GE(hit.score, 0);
    EXPECT_LE(hit.score, 1);
  }
}

TEST(FusionTest, WithoutKeywordsTheOrderIsThatOfTheVectors) {
  std::vector<SearchHit> hits = {Hit(1, 0.2, 0), Hit(2, 0.9, 0), Hit(3, -0.5, 0)};
  FuseScores(&hits);
  SortHits(2, &hits);
  ASSERT_EQ(hits.size(), 2u);
  EXPECT_EQ(hits[0].chunk, 2u);
  EXPECT_EQ(hits[1].chunk, 1u);
}

TEST(FusionTest, AnExactWordLiftsANearPassage) {
  std::vector<SearchHit> hits = {Hit(1, 0.55, 0), Hit(2, 0.50, 9)};
  FuseScores(&hits);
  SortHits(10, &hits);
  EXPECT_EQ(hits[0].chunk, 2u);
}

TEST(FusionTest, TiesGoToTheSmallerChunk) {
  std::vector<SearchHit> hits = {Hit(5, 0.5, 1), Hit(2, 0.5, 1)};
  FuseScores(&hits);
  SortHits(10, &hits);
  EXPECT_EQ(hits[0].chunk, 2u);
}

TEST(FusionTest, DepthGrowsWithTheHitsAskedFor) {
  EXPECT_EQ(FusionDepth(5), 100u);
  EXPECT_EQ(FusionDepth(100), 500u);
}

}  // namespace
}  // namespace ragstone::index
