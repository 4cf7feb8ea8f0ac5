#include "index/internal/fusion.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

namespace ragstone::index {
namespace {

// docs/BENCHMARKS.md has the measurements these two were chosen by; the results change little with
// either, from 10 to 50 and from 0.4 to 0.6.

// So many of a half's best are its list: enough that a few copies of one passage do not hide that
// it stands out, and about what a reader looks through.
constexpr size_t kListSize = 20;
// BM25 falls steeper than a cosine does, being 0 where no word matches, so it stands out more even
// when it is no surer.
constexpr double kKeywordShare = 0.5;
// Of a half whose list is all equal: it still orders what the other half leaves equal.
constexpr double kLeastWeight = 0.01;
// Of the way from an unrelated text to the same text. A best cosine below is divided by this, since
// dividing by itself would only magnify noise.
constexpr double kLeastCosine = 0.1;

struct Half {
  double best = 0;
  double weight = kLeastWeight;
};

// 1 less the ratio of the list's mean to its best: 0 if all are equal, near 1 if one stands alone.
Half Measure(std::vector<double> scores) {
  Half half;
  const size_t count = std::min(kListSize, scores.size());
  if (count == 0) return half;
  std::partial_sort(scores.begin(), scores.begin() + static_cast<ptrdiff_t>(count), scores.end(),
                    std::greater<>());
  half.best = scores[0];
  if (half.best <= 0) return half;
  double sum = 0;
  for (size_t i = 0; i < count; ++i) sum += std::max(0.0, scores[i]);
  half.weight = std::max(kLeastWeight, 1 - sum / (static_cast<double>(count) * half.best));
  return half;
}

}  // namespace

size_t FusionDepth(size_t top_k) { return std::max<size_t>(100, 5 * top_k); }

FusionWeights WeighHalves(const std::vector<SearchHit>& candidates, const FusionOptions& options) {
  std::vector<double> cosines;
  std::vector<double> keywords;
  double largest = 0;
  for (const SearchHit& hit : candidates) {
    cosines.push_back(hit.vector_score - options.unrelated_cosine);
    largest = std::max(largest, std::abs(cosines.back()));
    keywords.push_back(hit.keyword_score);
  }
  const Half vector = Measure(std::move(cosines));
  const Half keyword = Measure(std::move(keywords));
  // Without a word found, vectors alone decide.
  const double keyword_weight = keyword.best > 0 ? kKeywordShare * keyword.weight : 0;
  const double all = vector.weight + keyword_weight;
  FusionWeights weights;
  weights.vector = vector.weight / all;
  if (options.bounded) {
    weights.vector_unit = std::max(kLeastCosine * (1 - options.unrelated_cosine), vector.best);
  } else if (largest > 0) {
    weights.vector_unit = vector.best > 0 ? vector.best : largest;
  }
  if (keyword_weight > 0) {
    weights.keyword = keyword_weight / all;
    weights.keyword_unit = keyword.best;
  }
  return weights;
}

void FuseScores(const FusionWeights& weights, const FusionOptions& options,
                std::vector<SearchHit>* candidates) {
  for (SearchHit& hit : *candidates) {
    const double cosine = hit.vector_score - options.unrelated_cosine;
    hit.score = weights.vector * (cosine / weights.vector_unit);
    if (weights.keyword > 0) {
      hit.score += weights.keyword * (hit.keyword_score / weights.keyword_unit);
    }
  }
}

void FuseScores(std::vector<SearchHit>* candidates, const FusionOptions& options) {
  FuseScores(WeighHalves(*candidates, options), options, candidates);
}

void SortHits(size_t top_k, std::vector<SearchHit>* hits) {
  std::sort(hits->begin(), hits->end(), [](const SearchHit& a, const SearchHit& b) {
    return a.score != b.score ? a.score > b.score : a.chunk < b.chunk;
  });
  if (hits->size() > top_k) hits->resize(top_k);
}

}  // namespace ragstone::index
