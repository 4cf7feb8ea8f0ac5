#include "index/internal/vectors/asked_queries.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

namespace ragstone::index::vectors {
namespace {

TEST(AskedQueriesTest, IsDueOnceThereAreEnoughAndThenAtTenTimesAsMany) {
  AskedQueries asked(2, 40);
  EXPECT_EQ(asked.ef_min(), 40u);
  int told = 0;
  const auto ask = [&](uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
      const float query[2] = {static_cast<float>(i), 1};
      if (asked.Note(query)) ++told;
    }
  };
  ask(AskedQueries::kFirst - 1);
  EXPECT_FALSE(asked.due());
  EXPECT_EQ(told, 0);
  ask(1);
  EXPECT_TRUE(asked.due());
  EXPECT_EQ(told, 1);
  ask(50);
  EXPECT_EQ(told, 1) << "once";
  asked.Measured();
  EXPECT_FALSE(asked.due());
  ask(9 * asked.count());
  EXPECT_TRUE(asked.due());
  EXPECT_EQ(told, 2);
}

TEST(AskedQueriesTest, EveryQueryIsAsLikelyInTheSample) {
  AskedQueries asked(1, 1);
  constexpr int kAsked = 100'000;
  for (int i = 0; i < kAsked; ++i) {
    const float query = static_cast<float>(i);
    asked.Note(&query);
  }
  const std::vector<float> sample = asked.Sample();
  ASSERT_EQ(sample.size(), AskedQueries::kSampleMax);
  EXPECT_EQ(std::set<float>(sample.begin(), sample.end()).size(), sample.size());
  // Of 256 about 64 in each quarter; 35 is more than four deviations less.
  for (int quarter = 0; quarter < 4; ++quarter) {
    const auto inside = std::count_if(sample.begin(), sample.end(), [&](float value) {
      return static_cast<int>(value) / (kAsked / 4) == quarter;
    });
    EXPECT_GE(inside, 35) << quarter;
  }
}

TEST(AskedQueriesTest, WhatOthersWereAskedIsTakenOver) {
  AskedQueries asked(3, 7);
  for (int i = 0; i < 1000; ++i) {
    const float query[3] = {1, 2, static_cast<float>(i)};
    asked.Note(query);
  }
  AskedQueries next(3, 9);
  next.TakeOver(asked);
  EXPECT_EQ(next.Sample(), asked.Sample());
  EXPECT_EQ(next.ef_min(), 9u);
  EXPECT_TRUE(next.due());
  EXPECT_GE(next.bytes(), 3 * AskedQueries::kSampleMax * sizeof(float));
}

TEST(AskedQueriesTest, ThreadsMayAskAtOnce) {
  AskedQueries asked(16, 1);
  std::atomic<int> told{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const std::vector<float> query(16, static_cast<float>(t));
      for (int i = 0; i < 1000; ++i) told += asked.Note(query.data()) ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(told.load(), 1);
  EXPECT_EQ(asked.count(), 4000u);
  const std::vector<float> sample = asked.Sample();
  ASSERT_EQ(sample.size(), 16 * AskedQueries::kSampleMax);
  for (size_t at = 0; at < sample.size(); at += 16) {
    EXPECT_EQ(std::count(sample.begin() + static_cast<ptrdiff_t>(at),
                         sample.begin() + static_cast<ptrdiff_t>(at + 16), sample[at]),
              16)
        << "a query is whole";
  }
}

}  // namespace
}  // namespace ragstone::index::vectors
