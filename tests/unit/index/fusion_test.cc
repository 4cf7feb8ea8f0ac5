#include "index/internal/fusion.h"

#include <gtest/gtest.h>

#include <cmath>

namespace ragstone::index {
namespace {

SearchHit Hit(ChunkId chunk, double vector, double keyword) {
  return {chunk, 1, 0, vector, keyword};
}

// Chunks of which vectors prefer 1 and keywords prefer 2; `cosine` and `bm25` are the scores of 30
// others in the half that does not know them.
std::vector<SearchHit> Disagreement(double cosine, double bm25) {
  std::vector<SearchHit> hits = {Hit(1, 0.6, 0.0), Hit(2, 0.3, 10.0)};
  for (ChunkId chunk = 10; chunk < 40; ++chunk) hits.push_back(Hit(chunk, cosine, bm25));
  return hits;
}

ChunkId Best(std::vector<SearchHit> hits) {
  FuseScores(&hits);
  SortHits(1, &hits);
  return hits[0].chunk;
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

TEST(FusionTest, TheScoreIsTheMeanWeightedByWhatStandsOut) {
  // Vectors: mean 0.5 of best 0.8. Keywords: mean 3 of best 6, counted half.
  std::vector<SearchHit> hits = {Hit(1, 0.8, 3.0), Hit(2, 0.2, 6.0), Hit(3, 0.5, 0.0)};
  FuseScores(&hits);
  const double vector = 1 - 0.5 / 0.8;
  const double keyword = 0.5 * (1 - 3.0 / 6.0);
  EXPECT_NEAR(hits[0].score, (vector * 1 + keyword * 0.5) / (vector + keyword), 1e-12);
  EXPECT_NEAR(hits[1].score, (vector * 0.25 + keyword * 1) / (vector + keyword), 1e-12);
  EXPECT_NEAR(hits[2].score, vector * 0.625 / (vector + keyword), 1e-12);
}

TEST(FusionTest, TheHalfWhoseBestStandsOutPrevails) {
  EXPECT_EQ(Best(Disagreement(/*cosine=*/0.05, /*bm25=*/8.0)), 1u);
  EXPECT_EQ(Best(Disagreement(/*cosine=*/0.55, /*bm25=*/0.0)), 2u);
}

TEST(FusionTest, OnlyTheBestTwentyOfAHalfCount) {
  std::vector<SearchHit> few = Disagreement(0.4, 4.0);
  std::vector<SearchHit> many = few;
  for (ChunkId chunk = 100; chunk < 1000; ++chunk) many.push_back(Hit(chunk, 0.01, 0.1));
  FuseScores(&few);
  FuseScores(&many);
  for (size_t i = 0; i < few.size(); ++i) EXPECT_EQ(few[i].score, many[i].score) << i;
}

TEST(FusionTest, ScalingBm25ChangesNothing) {
  std::vector<SearchHit> hits = Disagreement(0.4, 4.0);
  std::vector<SearchHit> scaled = hits;
  for (SearchHit& hit : scaled) hit.keyword_score *= 8;
  FuseScores(&hits);
  FuseScores(&scaled);
  for (size_t i = 0; i < hits.size(); ++i) EXPECT_NEAR(hits[i].score, scaled[i].score, 1e-12) << i;
}

TEST(FusionTest, CosinesCountFromThatOfUnrelatedTexts) {
  std::vector<SearchHit> hits = Disagreement(0.4, 4.0);
  std::vector<SearchHit> shifted = hits;
  for (SearchHit& hit : shifted) hit.vector_score = 0.7 + 0.3 * hit.vector_score;
  FuseScores(&hits);
  FuseScores(&shifted, {.unrelated_cosine = 0.7});
  for (size_t i = 0; i < hits.size(); ++i) EXPECT_NEAR(hits[i].score, shifted[i].score, 1e-12) << i;
}

TEST(FusionTest, WithoutKeywordsTheOrderIsThatOfTheVectors) {
  std::vector<SearchHit> hits = {Hit(1, -0.6, 0), Hit(2, 0.9, 0), Hit(3, -0.5, 0)};
  FuseScores(&hits);
  SortHits(2, &hits);
  ASSERT_EQ(hits.size(), 2u);
  EXPECT_EQ(hits[0].chunk, 2u);
  EXPECT_NEAR(hits[0].score, 1.0, 1e-12);
  EXPECT_EQ(hits[1].chunk, 3u);
}

TEST(FusionTest, CosinesThatAreAllNegativeKeepTheirOrder) {
  std::vector<SearchHit> hits = {Hit(1, -0.6, 0), Hit(2, -0.2, 0), Hit(3, -0.4, 0)};
  FuseScores(&hits);
  SortHits(3, &hits);
  EXPECT_EQ(hits[0].chunk, 2u);
  EXPECT_EQ(hits[1].chunk, 3u);
  EXPECT_EQ(hits[2].chunk, 1u);
}

TEST(FusionTest, VectorsThatAreAllEqualLeaveTheOrderToKeywords) {
  std::vector<SearchHit> hits;
  for (ChunkId chunk = 1; chunk <= 25; ++chunk) {
    hits.push_back(Hit(chunk, 0.7, static_cast<double>(chunk)));
  }
  EXPECT_EQ(Best(hits), 25u);
}

TEST(FusionTest, KeywordScoresThatAreAllEqualLeaveTheOrderToVectors) {
  std::vector<SearchHit> hits;
  for (ChunkId chunk = 1; chunk <= 25; ++chunk) {
    hits.push_back(Hit(chunk, 0.02 * static_cast<double>(chunk), 3.0));
  }
  EXPECT_EQ(Best(hits), 25u);
}

TEST(FusionTest, ANullQueryVectorLeavesTheOrderToKeywords) {
  std::vector<SearchHit> hits = {Hit(1, 0, 1), Hit(2, 0, 4), Hit(3, 0, 0)};
  FuseScores(&hits);
  SortHits(3, &hits);
  EXPECT_EQ(hits[0].chunk, 2u);
  for (const SearchHit& hit : hits) EXPECT_TRUE(std::isfinite(hit.score)) << hit.chunk;
}

TEST(FusionTest, OneCandidateScoresOneAndNoneIsFine) {
  std::vector<SearchHit> one = {Hit(1, 0.4, 2)};
  FuseScores(&one);
  EXPECT_NEAR(one[0].score, 1.0, 1e-12);
  std::vector<SearchHit> none;
  FuseScores(&none);
  EXPECT_TRUE(none.empty());
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

TEST(FusionTest, OfScoresThatAreNotCosinesOnlyRatiosCount) {
  FusionOptions options;
  options.bounded = false;
  std::vector<SearchHit> large = {Hit(1, 8000, 0), Hit(2, 4000, 9), Hit(3, 1000, 0)};
  std::vector<SearchHit> small = large;
  for (SearchHit& hit : small) hit.vector_score /= 1 << 20;
  FuseScores(&large, options);
  FuseScores(&small, options);
  for (size_t i = 0; i < large.size(); ++i) EXPECT_EQ(large[i].score, small[i].score);
  EXPECT_GT(large[0].score, large[2].score);
  // Without one above zero the order is still that of the scores.
  std::vector<SearchHit> negative = {Hit(1, -3, 0), Hit(2, -2, 0)};
  FuseScores(&negative, options);
  EXPECT_LT(negative[0].score, negative[1].score);
}

TEST(FusionTest, TheWeightsOfAnotherSearchMakeScoresComparable) {
  std::vector<SearchHit> all = {Hit(1, 0.9, 8), Hit(2, 0.5, 0), Hit(3, 0.4, 2), Hit(4, 0.3, 0)};
  std::vector<SearchHit> some(all.begin() + 1, all.end());
  const FusionWeights weights = WeighHalves(all);
  FuseScores(&all);
  FuseScores(weights, {}, &some);
  for (size_t i = 0; i < some.size(); ++i) EXPECT_EQ(some[i].score, all[i + 1].score);
}

}  // namespace
}  // namespace ragstone::index
