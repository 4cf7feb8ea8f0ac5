#pragma once

#include <cstddef>
#include <vector>

#include "index/database.h"

namespace ragstone::index {

// How many of the best of each half become candidates of a hybrid search.
size_t FusionDepth(size_t top_k);

struct FusionOptions {
  // What the cosine of two unrelated texts is, from which cosines are counted: about 0 for most
  // models; those whose vectors all point one way, as E5's, have 0.7. Below 1.
  double unrelated_cosine = 0;
  // Whether vector scores are cosines, or have their range. Of others, such as inner products, only
  // the ratios count.
  bool bounded = true;
};

// What each half counts, by how far its best stands out of its list.
struct FusionWeights {
  double vector = 1;
  double keyword = 0;
  double vector_unit = 1;  // scores are divided by these
  double keyword_unit = 1;
};
FusionWeights WeighHalves(const std::vector<SearchHit>& candidates,
                          const FusionOptions& options = {});

// Sets `score` of each candidate from its two exact scores, which must both be set: the mean of the
// cosine and of BM25, each divided by the best found, weighted by how far the best of each half
// stands out of its list for this query. A half that finds twenty passages about equally good says
// little about which is right, whatever the collection. Ranks are not used, because they throw the
// distances away. Scores are at most 1, and below 0 only where the cosine is below that of
// unrelated texts.
void FuseScores(std::vector<SearchHit>* candidates, const FusionOptions& options = {});
// The same with the weights of another search, so that the hits of both can be compared.
void FuseScores(const FusionWeights& weights, const FusionOptions& options,
                std::vector<SearchHit>* candidates);

// Best first, ties by chunk id, at most `top_k`.
void SortHits(size_t top_k, std::vector<SearchHit>* hits);

}  // namespace ragstone::index
