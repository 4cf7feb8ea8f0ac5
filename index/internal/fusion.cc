#include "index/internal/fusion.h"

#include <algorithm>

namespace ragstone::index {
namespace {

// The share of the cosine; docs/BENCHMARKS.md has the measurements it was chosen by.
constexpr double kVectorShare = 0.8;

}  // namespace

size_t FusionDepth(size_t top_k) { return std::max<size_t>(100, 5 * top_k); }

void FuseScores(std::vector<SearchHit>* candidates) {
  double vector_max = -1;
  double keyword_max = 0;
  for (const SearchHit& hit : *candidates) {
    vector_max = std::max(vector_max, hit.vector_score);
    keyword_max = std::max(keyword_max, hit.keyword_score);
  }
  for (SearchHit& hit : *candidates) {
    const double vector = vector_max > -1 ? (hit.vector_score + 1) / (vector_max + 1) : 0;
    const double keyword = keyword_max > 0 ? hit.keyword_score / keyword_max : 0;
    hit.score = kVectorShare * vector + (1 - kVectorShare) * keyword;
  }
}

void SortHits(size_t top_k, std::vector<SearchHit>* hits) {
  std::sort(hits->begin(), hits->end(), [](const SearchHit& a, const SearchHit& b) {
    return a.score != b.score ? a.score > b.score : a.chunk < b.chunk;
  });
  if (hits->size() > top_k) hits->resize(top_k);
}

}  // namespace ragstone::index
