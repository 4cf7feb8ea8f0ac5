// Keyword search by itself, for keyword_bench.py: reads texts and queries, one a line, and prints
// one JSON line.
//
//   keyword_bench TEXTS QUERIES FOLDER TOP_K RESULTS [LANGUAGE]
//
// TEXTS and QUERIES hold one text a line. The index is written to FOLDER, which must be empty, in
// batches of 256 with merges as they fall due, then merged into one segment; queries run in one
// thread, once to warm up and three times to be timed, before and after that last merge. RESULTS
// gets a line for each query: the numbers of the texts found, best first. Times of queries are the
// processor's.
#include <time.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "index/internal/keywords/keyword_index.h"

namespace ragstone::index::keywords {
namespace {

using Clock = std::chrono::steady_clock;

double Since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

double ThreadSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// All rows are seen always.
class AllRows : public RowView {
 public:
  std::vector<RowRange> Hidden(std::span<const RowRange> /*rows*/) const override { return {}; }
  uint64_t position() const override { return 1; }
  uint64_t epoch() const override { return 1; }
};

class AllKept : public RowKeeper {
 public:
  Result<std::unique_ptr<RowView>> Now() const override {
    return std::unique_ptr<RowView>(std::make_unique<AllRows>());
  }
  std::vector<RowRange> Dead(std::span<const RowRange> /*rows*/) const override { return {}; }
  bool Settled(std::span<const RowRange> /*rows*/) const override { return true; }
};

std::vector<std::string> Lines(const char* path) {
  std::vector<std::string> lines;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

uint64_t FolderBytes(const std::string& folder) {
  uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".sst") bytes += entry.file_size();
  }
  return bytes;
}

struct Timing {
  double queries_per_s = 0;
  double p50_us = 0;
  double p99_us = 0;
};

Result<Timing> TimeQueries(KeywordIndex* index, const std::vector<std::string>& queries,
                           size_t top_k, std::vector<std::vector<ScoredRow>>* results) {
  constexpr int kRounds = 4;
  const AllRows view;
  std::vector<double> times;
  double total = 0;
  for (int round = 0; round < kRounds; ++round) {
    results->clear();
    for (const std::string& text : queries) {
      Query query;
      query.text = text;
      query.view = &view;
      query.limit = top_k;
      const double begin = ThreadSeconds();
      ASSIGN_OR_RETURN(Found found, index->Search(query, CallContext()));
      const double seconds = ThreadSeconds() - begin;
      results->push_back(std::move(found.top));
      if (round == 0) continue;
      total += seconds;
      times.push_back(seconds * 1e6);
    }
  }
  std::sort(times.begin(), times.end());
  Timing timing;
  timing.queries_per_s = static_cast<double>(times.size()) / total;
  timing.p50_us = times[times.size() / 2];
  timing.p99_us = times[times.size() * 99 / 100];
  return timing;
}

Status Build(KeywordIndex* index, Store* store, const std::vector<std::string>& texts) {
  constexpr size_t kBatch = 256;
  const AllKept keeper;
  const std::atomic<bool> stop{false};
  for (size_t begin = 0; begin < texts.size(); begin += kBatch) {
    RunBuilder run = index->NewRun();
    for (size_t i = begin; i < std::min(texts.size(), begin + kBatch); ++i) {
      const std::array<std::string_view, 1> text = {texts[i]};
      RETURN_IF_ERROR(run.Add(i + 1, text).status());
    }
    StoreBatch batch(store);
    index->Put(run, &batch);
    RETURN_IF_ERROR(store->Write(&batch, /*sync=*/true));
    index->Added(run);
    for (bool more = true; more;) {
      ASSIGN_OR_RETURN(more, index->Maintain(keeper, stop));
    }
  }
  return OkStatus();
}

Status Run(char** argv, const char* language) {
  const std::vector<std::string> texts = Lines(argv[1]);
  const std::vector<std::string> queries = Lines(argv[2]);
  const std::string folder = argv[3];
  const size_t top_k = std::stoul(argv[4]);
  ASSIGN_OR_RETURN(std::unique_ptr<Store> store, Store::Open(folder, 256 << 20));
  ASSIGN_OR_RETURN(std::unique_ptr<IdAllocator> ids,
                   IdAllocator::Open(store.get(), "counter/keyword-segment", 64));
  ASSIGN_OR_RETURN(const Language parsed, Language::Parse(language));
  ListCache cache(64 << 20);
  WorkSignal work;
  const Shared shared{store.get(), ids.get(), &cache, &work};
  KeywordIndex index(shared, IndexName{1, 0}, parsed);

  const Clock::time_point begin = Clock::now();
  RETURN_IF_ERROR(Build(&index, store.get(), texts));
  const double build_s = Since(begin);
  std::vector<std::vector<ScoredRow>> results;
  ASSIGN_OR_RETURN(const Timing many, TimeQueries(&index, queries, top_k, &results));
  const size_t segments = index.segments();
  const Clock::time_point merge = Clock::now();
  RETURN_IF_ERROR(index.Compact(AllKept()));
  const double merge_s = Since(merge);
  RETURN_IF_ERROR(store->Compact(Family::kPosting));
  const uint64_t bytes = FolderBytes(folder);

  // As after a start: nothing is in memory.
  KeywordIndex fresh(shared, IndexName{1, 0}, parsed);
  const AllRows view;
  Query first;
  first.text = queries.front();
  first.view = &view;
  first.limit = top_k;
  const Clock::time_point start = Clock::now();
  RETURN_IF_ERROR(fresh.Search(first, CallContext()).status());
  const double first_ms = Since(start) * 1e3;
  ASSIGN_OR_RETURN(const Timing one, TimeQueries(&fresh, queries, top_k, &results));

  std::ofstream out(argv[5]);
  for (const std::vector<ScoredRow>& rows : results) {
    for (size_t i = 0; i < rows.size(); ++i) out << (i > 0 ? " " : "") << rows[i].row - 1;
    out << '\n';
  }
  std::printf(
      "{\"texts\": %zu, \"build_s\": %.3f, \"merge_s\": %.3f, \"segments\": %zu, "
      "\"index_bytes\": %llu, \"cache_bytes\": %llu, \"first_query_ms\": %.3f, "
      "\"qps_segments\": %.1f, \"qps\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f}\n",
      texts.size(), build_s, merge_s, segments, static_cast<unsigned long long>(bytes),
      static_cast<unsigned long long>(cache.bytes()), first_ms, many.queries_per_s,
      one.queries_per_s, one.p50_us, one.p99_us);
  return OkStatus();
}

}  // namespace
}  // namespace ragstone::index::keywords

int main(int argc, char** argv) {
  if (argc != 6 && argc != 7) {
    std::fprintf(stderr, "usage: %s TEXTS QUERIES FOLDER TOP_K RESULTS [LANGUAGE]\n", argv[0]);
    return 2;
  }
  const ragstone::Status status =
      ragstone::index::keywords::Run(argv, argc == 7 ? argv[6] : "auto");
  if (status.ok()) return 0;
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return 1;
}
