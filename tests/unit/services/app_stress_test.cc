// Sixteen threads of mixed work on one App with fake workers; run under TSan by the preset of that
// name. What is checked: every call ends well or with an error that the mix allows, and at the end
// each document that was acknowledged and not deleted is found.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <random>
#include <thread>

#include "tests/testing/app_fixture.h"

namespace ragstone::services {
namespace {

class AppStress : public testing::AppFixture {
 protected:
  void Work(int thread, int rounds, uint32_t seed) {
    std::mt19937 random(seed + static_cast<uint32_t>(thread));
    const std::string own = "own" + std::to_string(thread) + ".txt";
    for (int round = 0; round < rounds; ++round) {
      switch (random() % 6) {
        case 0:
        case 1: {
          const std::string text = "Thread " + std::to_string(thread) + " wrote marker" +
                                   std::to_string(thread) + " in round " + std::to_string(round) +
                                   ".";
          const Status status = Add(own, text).status;
          EXPECT_TRUE(status.ok()) << status.ToString();
          break;
        }
        case 2: {
          const std::string text = "Shared text " + std::to_string(random() % 5) + ".";
          const Status status = Add("shared.txt", text).status;
          EXPECT_TRUE(status.ok()) << status.ToString();
          break;
        }
        case 3: {
          const auto found = SearchFor("marker text round", v1::SEARCH_MODE_HYBRID);
          EXPECT_TRUE(found.ok()) << found.status().ToString();
          break;
        }
        case 4: {
          v1::AskRequest request;
          request.set_question("Which thread wrote the marker?");
          const Asked asked = AskQuestion(request);
          EXPECT_TRUE(asked.status.ok()) << asked.status.ToString();
          break;
        }
        default: {
          EXPECT_TRUE(app_->GetStatus({}, CallContext()).ok());
          EXPECT_TRUE(app_->ListJobs({}, CallContext()).ok());
          break;
        }
      }
    }
    EXPECT_TRUE(Add(own, "Last words with marker" + std::to_string(thread) + ".").status.ok());
  }
};

TEST_F(AppStress, MixedWorkOfSixteenThreadsLosesNothing) {
  const char* text = std::getenv("RAGSTONE_TEST_SEED");
  const uint32_t seed = text != nullptr ? static_cast<uint32_t>(std::atoi(text)) : 42;
  const int rounds = std::getenv("RAGSTONE_TEST_LONG") != nullptr ? 400 : 12;
  RecordProperty("seed", static_cast<int>(seed));
  std::printf("seed %u\n", seed);
  ASSERT_TRUE(Add("first.txt", "The first text.").status.ok());
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 16; ++thread) {
    threads.emplace_back([this, thread, rounds, seed] { Work(thread, rounds, seed); });
  }
  for (std::thread& thread : threads) thread.join();
  for (int thread = 0; thread < 16; ++thread) {
    const auto found = SearchFor("marker" + std::to_string(thread), v1::SEARCH_MODE_KEYWORD);
    ASSERT_TRUE(found.ok());
    ASSERT_EQ(found->passages_size(), 1) << thread;
    EXPECT_NE(found->passages(0).text().find("Last words"), std::string::npos);
  }
}

}  // namespace
}  // namespace ragstone::services
