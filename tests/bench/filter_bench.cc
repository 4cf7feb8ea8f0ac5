// Speed of filters on the field index: filter_bench [rows]. Prints, for conditions of several kinds
// and selectivities, the time to evaluate (median of repetitions, one thread), then the memory, and
// the times to build, save and load.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "index/filter/filter_parser.h"
#include "index/internal/fields/field_index.h"

namespace {

using namespace ragstone::index;          // NOLINT: a benchmark of this module
using namespace ragstone::index::fields;  // NOLINT
using SteadyClock = std::chrono::steady_clock;

double MsSince(SteadyClock::time_point start) {
  return std::chrono::duration<double, std::milli>(SteadyClock::now() - start).count();
}

Schema BenchSchema() {
  return Schema::Create({{"year", FieldType::kInteger},
                         {"price", FieldType::kFloat},
                         {"created", FieldType::kDatetime},
                         {"seen", FieldType::kDatetime},
                         {"draft", FieldType::kBoolean},
                         {"group", FieldType::kKeyword},
                         {"url", FieldType::kKeyword},
                         {"tags", FieldType::kKeyword, true},
                         {"marks", FieldType::kInteger, true}})
      .value();
}

// Prices and times of reading are random, times of creation ascend with the row. Group g<k> is held
// by one row in k.
Payload MakePayload(RowId row, std::mt19937_64* random) {
  std::uniform_real_distribution<double> unit(0, 1);
  const auto pick = [random](uint64_t limit) { return (*random)() % limit; };
  Payload payload;
  payload["year"] = static_cast<int64_t>(1995 + pick(30));
  payload["price"] = unit(*random);
  payload["created"] = Datetime{static_cast<int64_t>(row) * 1'000'000'000};
  payload["seen"] = Datetime{static_cast<int64_t>(unit(*random) * 1e15)};
  payload["draft"] = pick(2) == 0;
  const uint64_t share = pick(10'000);
  payload["group"] = std::string(share < 1      ? "g10000"
                                 : share < 11   ? "g1000"
                                 : share < 111  ? "g100"
                                 : share < 1111 ? "g10"
                                 : share < 6111 ? "g2"
                                                : "rest" + std::to_string(pick(500)));
  payload["url"] = "https://example.org/" + std::to_string(pick(1000)) + "/" + std::to_string(row);
  ScalarList tags(1 + pick(4));
  for (Scalar& tag : tags) tag = "tag" + std::to_string(pick(pick(2) == 0 ? 10 : 5000));
  payload["tags"] = std::move(tags);
  payload["marks"] =
      ScalarList{static_cast<int64_t>(pick(1'000'000)), static_cast<int64_t>(pick(1'000'000))};
  return payload;
}

void Fill(uint64_t rows, FieldIndex* index) {
  std::mt19937_64 random(1);
  double apply_ms = 0;
  std::vector<Payload> payloads(65'536);
  for (RowId row = 0; row < rows;) {
    std::vector<FieldRow> batch;
    for (size_t i = 0; i < payloads.size() && row < rows; ++i, ++row) {
      payloads[i] = MakePayload(row, &random);
      batch.push_back({row, &payloads[i]});
    }
    const auto start = SteadyClock::now();
    index->Apply({}, batch);
    apply_ms += MsSince(start);
  }
  const auto start = SteadyClock::now();
  int merges = 0;
  while (index->MergeOnce()) ++merges;
  std::printf("build: %.0f ms in batches of %zu, then %d merges in %.0f ms; %zu segments\n",
              apply_ms, payloads.size(), merges, MsSince(start),
              index->Snapshot()->segments().size());
}

template <typename Run>
double MedianUs(Run run) {
  std::vector<double> times;
  for (int i = 0; i < 51; ++i) {
    const auto start = SteadyClock::now();
    run();
    times.push_back(MsSince(start) * 1000);
  }
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  return times[times.size() / 2];
}

void Measure(const FieldSnapshot& snapshot, const std::string& text) {
  const auto parsed = ParseFilter(text);
  const auto bound = parsed.ok() ? BindFilter(snapshot.schema(), *parsed) : parsed;
  if (!bound.ok()) {
    std::printf("%s\n", bound.status().ToString().c_str());
    std::exit(1);
  }
  uint64_t count = 0;
  const double evaluate_us = MedianUs([&] { count = snapshot.Evaluate(*bound, {}).sure.Count(); });
  std::printf("%9.4f %%  %9.1f us  %10llu  %s\n",
              100.0 * static_cast<double>(count) / static_cast<double>(snapshot.rows()),
              evaluate_us, static_cast<unsigned long long>(count), text.substr(0, 90).c_str());
}

std::vector<std::string> Filters(uint64_t rows) {
  std::vector<std::string> filters;
  for (const double share : {0.5, 0.1, 0.01, 0.001, 0.0001}) {
    const std::string from = std::to_string(0.3);
    filters.push_back("price range [" + from + ", " + std::to_string(0.3 + share) + ")");
    const auto seen = [share](double at) {
      return PrintFilter(Equals("x", Datetime{static_cast<int64_t>((0.3 + share * at) * 1e15)}))
          .substr(4);
    };
    filters.push_back("seen range [" + seen(0) + ", " + seen(1) + ")");
    const auto created = [rows, share](double at) {
      return PrintFilter(Equals("x", Datetime{static_cast<int64_t>((0.3 + share * at) *
                                                                   static_cast<double>(rows)) *
                                              1'000'000'000}))
          .substr(4);
    };
    filters.push_back("created range [" + created(0) + ", " + created(1) + ")");
    filters.push_back("marks between 300000 and " +
                      std::to_string(300'000 + static_cast<int>(share * 0.6e6)));
    filters.push_back("group = \"g" + std::to_string(static_cast<int>(1 / share + 0.5)) + "\"");
    filters.push_back("group = \"g" + std::to_string(static_cast<int>(1 / share + 0.5)) +
                      "\" and year >= 2010 and not draft");
  }
  for (const char* text :
       {"year = 2010", "year >= 2010", "year in (2000, 2005, 2010)", "draft", "not draft",
        "tags = \"tag3\"", "tags = \"tag4000\"", "tags in (\"tag1\", \"tag2\", \"tag300\")",
        "year >= 2020 and group in (\"g2\", \"g10\") and not draft",
        "price < 0.2 or year = 2000 or tags = \"tag7\"", "url = \"https://example.org/5/5000\"",
        "url prefix \"https://example.org/77/\"", "url contains \"/777/\"",
        "group contains \"st12\"", "group exists", "tags is null", "true"}) {
    filters.emplace_back(text);
  }
  return filters;
}

}  // namespace

int main(int argc, char** argv) {
  const uint64_t rows = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1'000'000;
  FieldIndex index(BenchSchema());
  Fill(rows, &index);
  const auto snapshot = index.Snapshot();
  std::printf("selectivity      evaluate        rows  filter\n");
  for (const std::string& filter : Filters(rows)) Measure(*snapshot, filter);

  std::printf("memory: %.1f bytes per row\n",
              static_cast<double>(snapshot->MemoryBytes()) / static_cast<double>(rows));
  for (const FieldSpec& field : snapshot->schema().fields()) {
    size_t bytes = 0;
    for (const SegmentRef& ref : snapshot->segments()) {
      bytes += ref.segment->Find(field.name)->MemoryBytes();
    }
    std::printf("  %-8s %6.2f\n", field.name.c_str(),
                static_cast<double>(bytes) / static_cast<double>(rows));
  }
  auto start = SteadyClock::now();
  const std::string bytes = snapshot->Encode();
  std::printf("save: %.0f ms, %.1f bytes per row\n", MsSince(start),
              static_cast<double>(bytes.size()) / static_cast<double>(rows));
  start = SteadyClock::now();
  const bool good = FieldIndex::Load(BenchSchema(), bytes).ok();
  std::printf("load: %.0f ms%s\n", MsSince(start), good ? "" : " FAILED");
  return good ? 0 : 1;
}
