#pragma once

#include <cstddef>
#include <vector>

#include "index/database.h"

namespace ragstone::index {

// How many of the best of each half become candidates of a hybrid search.
size_t FusionDepth(size_t top_k);

// Sets `score` of each candidate from its two exact scores, which must both be set: a convex
// combination of the cosine, between its lowest possible value and the best one found, and of BM25,
// between zero and the best found. Ranks are not used, because they throw the distances away.
void FuseScores(std::vector<SearchHit>* candidates);

// Best first, ties by chunk id, at most `top_k`.
void SortHits(size_t top_k, std::vector<SearchHit>* hits);

}  // namespace ragstone::index
