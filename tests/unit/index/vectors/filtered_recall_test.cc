// Restricted searches of every storage and method, at every selectivity, where the filter has to do
// with the vectors and where it has not. Covers segment_search.cc, walk.cc and compact_index.cc of
// index/internal/vectors.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "index/internal/vectors/calibration.h"
#include "index/internal/vectors/compact_index.h"
#include "tests/unit/index/vectors/map_reader.h"

namespace ragstone::index::vectors {
namespace {

constexpr size_t kRows = 40'000;
constexpr size_t kQueries = 20;
constexpr size_t kHits = 10;
constexpr size_t kAnchors = 25;

// Which rows pass, by place.
struct Filter {
  std::string name;
  std::vector<bool> passes;
  size_t matches = 0;
};

// The rows, queries and all their distances, and filters.
class World {
 public:
  explicit World(const VectorSpec& spec) : rows(spec, kRows, 71), reader(rows) {
    for (size_t i = 0; i < kRows; ++i) {
      if (rows.id(i) >= place_.size()) place_.resize(rows.id(i) + 1);
      place_[rows.id(i)] = i;
    }
    for (size_t q = 0; q < kQueries; ++q) {
      queries.push_back(rows.Query());
      std::vector<float>& of_query = distances_.emplace_back(kRows);
      for (size_t i = 0; i < kRows; ++i) {
        of_query[i] = static_cast<float>(rows.Distance(queries[q].data(), i));
      }
    }
    std::mt19937 random(5);
    for (size_t i = 0; i < kRows; ++i) order_.push_back(i);
    std::shuffle(order_.begin(), order_.end(), random);
    // The rows of one region after those of another.
    std::vector<size_t> anchors(order_.begin(), order_.begin() + kAnchors);
    std::vector<size_t> region(kRows);
    for (size_t i = 0; i < kRows; ++i) {
      std::vector<double> away;
      for (const size_t anchor : anchors) away.push_back(rows.Distance(rows.vector(anchor), i));
      region[i] = static_cast<size_t>(std::min_element(away.begin(), away.end()) - away.begin());
    }
    by_region_ = order_;
    std::stable_sort(by_region_.begin(), by_region_.end(),
                     [&](size_t a, size_t b) { return region[a] < region[b]; });
    // From one side of all rows to the other.
    by_side_ = order_;
    const size_t end = anchors[0];
    std::vector<double> far(kRows);
    for (size_t i = 0; i < kRows; ++i) far[i] = rows.Distance(rows.vector(end), i);
    std::stable_sort(by_side_.begin(), by_side_.end(),
                     [&](size_t a, size_t b) { return far[a] < far[b]; });
  }

  std::vector<Filter> Filters(double share) const {
    return {First("any rows", order_, share), First("whole regions", by_region_, share),
            First("one side", by_side_, share)};
  }
  size_t place(RowId row) const { return place_[row]; }

  // The share of the best rows that was found, or as near ones.
  double Recall(size_t query, const Filter& filter, const std::vector<Hit>& hits) const {
    std::vector<float> best;
    for (size_t i = 0; i < kRows; ++i) {
      if (filter.passes[i]) best.push_back(distances_[query][i]);
    }
    const size_t wanted = std::min(kHits, best.size());
    if (wanted == 0) return 1;
    std::nth_element(best.begin(), best.begin() + static_cast<ptrdiff_t>(wanted - 1), best.end());
    const float bar = best[wanted - 1];
    size_t found = 0;
    for (const Hit& hit : hits) found += distances_[query][place(hit.row)] <= bar + 1e-6f;
    return static_cast<double>(found) / static_cast<double>(wanted);
  }

  RandomRows rows;
  const MapReader reader;
  std::vector<std::vector<uint8_t>> queries;

 private:
  static Filter First(const std::string& name, const std::vector<size_t>& order, double share) {
    Filter filter{name, std::vector<bool>(kRows), static_cast<size_t>(kRows * share + 0.5)};
    for (size_t i = 0; i < filter.matches; ++i) filter.passes[order[i]] = true;
    return filter;
  }

  std::vector<size_t> place_;  // by row
  std::vector<std::vector<float>> distances_;
  std::vector<size_t> order_;
  std::vector<size_t> by_region_;
  std::vector<size_t> by_side_;
};

using SearchFunction = std::function<Status(VectorData, const Restriction&, std::vector<Hit>*)>;

// All of min(k, matches) hits pass, and they are nearly the best.
void ExpectFound(const World& world, double share, const SearchFunction& search) {
  for (const Filter& filter : world.Filters(share)) {
    const auto passes = [&](RowId row, Slot) { return bool{filter.passes[world.place(row)]}; };
    const Restriction restriction = {RowPredicate(passes), filter.matches, {}};
    double recall = 0;
    for (size_t q = 0; q < kQueries; ++q) {
      std::vector<Hit> hits;
      ASSERT_TRUE(search(world.queries[q].data(), restriction, &hits).ok());
      ASSERT_EQ(hits.size(), std::min(kHits, filter.matches)) << filter.name << " " << share;
      for (const Hit& hit : hits) ASSERT_TRUE(passes(hit.row, 0)) << filter.name << " " << share;
      recall += world.Recall(q, filter, hits) / kQueries;
    }
    EXPECT_GE(recall, 0.95) << filter.name << ", a share of " << share;
  }
}

struct Case {
  const char* name;
  VectorSpec spec;
  bool reader;
};

class FilteredGraphTest : public testing::TestWithParam<Case> {};

TEST_P(FilteredGraphTest, FindsMinOfKAndMatchesAndNearlyTheBest) {
  const World world(GetParam().spec);
  SealOptions seal;
  seal.graph.threads = 2;
  seal.graph.ef_construction = 80;
  Result<std::unique_ptr<Segment>> built = Segment::Build(GetParam().spec, world.rows, seal);
  ASSERT_TRUE(built.ok());
  CalibrateOptions calibrate;
  calibrate.queries_max = 60;
  if (GetParam().reader) calibrate.reader = &world.reader;
  const Result<Calibration> measured = Calibrate(**built, calibrate);
  ASSERT_TRUE(measured.ok());
  EXPECT_GE(measured->recall, calibrate.target_recall);
  (*built)->set_ef(measured->ef, measured->wide_ef);
  SearchOptions options;
  options.k = kHits;
  options.reader = calibrate.reader;
  const auto search = [&](VectorData query, const Restriction& restriction,
                          std::vector<Hit>* hits) {
    return (*built)->Search(query, options, &restriction, hits);
  };
  for (const double share : {0.5, 0.1, 0.01, 0.001, 0.0001}) ExpectFound(world, share, search);
  // As in a segment so large that even a hundredth of it is too much to scan.
  options.scan_matches_max = 100;
  for (const double share : {0.7, 0.5, 0.3, 0.1, 0.05, 0.02}) {
    ExpectFound(world, share, search);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, FilteredGraphTest,
    testing::Values(Case{"CosineFloat32", {96, Metric::kCosine, Storage::kFloat32}, false},
                    Case{"L2Float16", {64, Metric::kL2, Storage::kFloat16}, false},
                    Case{"InnerProductInt8", {64, Metric::kInnerProduct, Storage::kInt8}, true},
                    Case{"CosineBinary", {256, Metric::kCosine, Storage::kBinary}, true},
                    Case{"Hamming", {256, Metric::kHamming, Storage::kBinary}, false}),
    [](const auto& tested) { return tested.param.name; });

class FilteredIndexTest : public testing::TestWithParam<Method> {};

TEST_P(FilteredIndexTest, FindsMinOfKAndMatchesAndNearlyTheBest) {
  const VectorSpec spec = {64, Metric::kCosine, Storage::kFloat32};
  const World world(spec);
  CompactOptions build;
  build.method = GetParam();
  Result<std::unique_ptr<CompactIndex>> index = CompactIndex::Build(spec, world.rows, build);
  ASSERT_TRUE(index.ok());
  CalibrateOptions calibrate;
  calibrate.queries_max = 60;
  calibrate.reader = &world.reader;
  const Result<Calibration> measured = Calibrate(**index, calibrate);
  ASSERT_TRUE(measured.ok());
  EXPECT_GE(measured->recall, calibrate.target_recall);
  (*index)->set_ef(measured->ef);
  SearchOptions options;
  options.k = kHits;
  options.reader = &world.reader;
  for (const double share : {0.5, 0.1, 0.01, 0.001, 0.0001}) {
    ExpectFound(world, share,
                [&](VectorData query, const Restriction& restriction, std::vector<Hit>* hits) {
                  return (*index)->Search(query, options, &restriction, hits);
                });
  }
}

INSTANTIATE_TEST_SUITE_P(All, FilteredIndexTest, testing::Values(Method::kIvfPq, Method::kLsh),
                         [](const auto& tested) {
                           return std::string(tested.param == Method::kLsh ? "Lsh" : "IvfPq");
                         });

}  // namespace
}  // namespace ragstone::index::vectors
