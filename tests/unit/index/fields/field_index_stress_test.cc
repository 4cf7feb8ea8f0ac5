// One writer, a merging thread and readers on one FieldIndex. Rows 2k and 2k + 1 are always written
// in one call and with one value, so every consistent state shows them together.
#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <thread>

#include "index/internal/fields/field_index.h"

namespace ragstone::index::fields {
namespace {

constexpr int kReaders = 3;
constexpr int64_t kValues = 6;
constexpr RowId kPairs = 2000;

Schema StressSchema() {
  return *Schema::Create({{"value", FieldType::kInteger}, {"name", FieldType::kKeyword}});
}

void Write(FieldIndex* index, int writes) {
  std::mt19937_64 random(42);
  for (int i = 0; i < writes; ++i) {
    std::vector<RowId> removed;
    std::vector<Payload> payloads;
    std::vector<RowId> pairs;
    for (uint64_t n = random() % 30; n > 0; --n) {
      const auto value = static_cast<int64_t>(random() % kValues);
      payloads.push_back({{"value", value}, {"name", "n" + std::to_string(value)}});
      pairs.push_back(random() % kPairs);
    }
    std::vector<FieldRow> added;
    for (size_t n = 0; n < pairs.size(); ++n) {
      added.push_back({2 * pairs[n], &payloads[n]});
      added.push_back({2 * pairs[n] + 1, &payloads[n]});
    }
    for (uint64_t n = random() % 20; n > 0; --n) {
      const RowId pair = random() % kPairs;
      removed.push_back(2 * pair);
      removed.push_back(2 * pair + 1);
    }
    index->Apply(removed, added);
  }
}

// Checks one snapshot: pairs are whole, and the values divide the rows.
void Check(const FieldSnapshot& snapshot) {
  uint64_t total = 0;
  for (int64_t value = 0; value < kValues; ++value) {
    const FieldMatches found = snapshot.Evaluate(Equals("value", value), {});
    const std::vector<RowId> rows = found.sure.ToVector();
    ASSERT_EQ(rows.size() % 2, 0u);
    for (size_t i = 0; i < rows.size(); i += 2) ASSERT_EQ(rows[i] + 1, rows[i + 1]);
    const Filter by_name = Equals("name", "n" + std::to_string(value));
    ASSERT_EQ(snapshot.Evaluate(by_name, {}).sure.ToVector(), rows);
    total += rows.size();
  }
  ASSERT_EQ(total, snapshot.rows());
  ASSERT_EQ(snapshot.AllRows().Count(), snapshot.rows());
}

TEST(FieldIndexStressTest, ReadersSeeWholeWritesWhileSegmentsMerge) {
  FieldIndex index(StressSchema());
  std::atomic<bool> done = false;
  std::atomic<int> checks = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kReaders; ++i) {
    threads.emplace_back([&] {
      do {
        Check(*index.Snapshot());
        ++checks;
      } while (!done && !testing::Test::HasFatalFailure());
    });
  }
  threads.emplace_back([&] {
    while (!done) {
      if (!index.MergeOnce()) std::this_thread::yield();
    }
  });
  Write(&index, 600);
  done = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(checks, kReaders);
  Check(*index.Snapshot());
}

}  // namespace
}  // namespace ragstone::index::fields
