// Tests embed_queue.cc.
#include "llm/embed_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

namespace ragstone::llm {
namespace {

using Texts = std::vector<std::vector<int32_t>>;

EmbedQueue::Options TwoDimensions() {
  EmbedQueue::Options options;
  options.dimensions = 2;
  options.batch_tokens = 256;
  return options;
}

// The vector of a text is its length and its first id.
Status Describe(EmbedQueue::Texts texts, float* vectors) {
  for (const std::span<const int32_t> text : texts) {
    *vectors++ = static_cast<float>(text.size());
    *vectors++ = static_cast<float>(text[0]);
  }
  return OkStatus();
}

TEST(EmbedQueueTest, VectorsComeInTheOrderOfTheTexts) {
  EmbedQueue queue(TwoDimensions(), {Describe, Describe}, Describe);
  Texts texts;
  for (int32_t i = 0; i < 300; ++i) texts.emplace_back(1 + (i * 37) % 90, i);
  const auto vectors = queue.Embed(texts, CallContext());
  ASSERT_TRUE(vectors.ok());
  ASSERT_EQ(vectors->size(), 600u);
  for (size_t i = 0; i < 300; ++i) {
    EXPECT_EQ((*vectors)[2 * i], static_cast<float>(texts[i].size()));
    EXPECT_EQ((*vectors)[2 * i + 1], static_cast<float>(i));
  }
}

TEST(EmbedQueueTest, BatchesKeepToTheirTokens) {
  std::atomic<size_t> largest{0}, texts_at_once{0};
  const auto measure = [&](EmbedQueue::Texts texts, float* vectors) {
    size_t tokens = 0;
    for (const auto& text : texts) tokens += text.size();
    largest = std::max<size_t>(largest, tokens);
    texts_at_once = std::max<size_t>(texts_at_once, texts.size());
    return Describe(texts, vectors);
  };
  EmbedQueue queue(TwoDimensions(), {measure}, nullptr);
  ASSERT_TRUE(queue.Embed(Texts(100, std::vector<int32_t>(30, 1)), CallContext()).ok());
  EXPECT_EQ(largest, 240u);  // eight texts of 30
  EXPECT_EQ(texts_at_once, 8u);
  ASSERT_TRUE(queue.Embed(Texts(1, std::vector<int32_t>(500, 1)), CallContext()).ok());
  EXPECT_EQ(largest, 500u);
}

TEST(EmbedQueueTest, AQuestionIsAnsweredWhileDocumentsBlockTheWorkers) {
  std::atomic<bool> open{false};
  const auto blocked = [&](EmbedQueue::Texts texts, float* vectors) {
    while (!open) std::this_thread::yield();
    return Describe(texts, vectors);
  };
  EmbedQueue queue(TwoDimensions(), {blocked}, Describe);
  std::thread documents([&] {
    EXPECT_TRUE(queue.Embed(Texts(20, std::vector<int32_t>(200, 1)), CallContext()).ok());
  });
  // Also when the blocked worker takes the question, another one goes through.
  std::vector<std::thread> questions;
  std::atomic<int> answered{0};
  for (int i = 0; i < 2; ++i) {
    questions.emplace_back([&] {
      EXPECT_TRUE(queue.Embed(Texts{{7, 8}}, CallContext()).ok());
      ++answered;
    });
  }
  while (answered == 0) std::this_thread::yield();
  open = true;
  documents.join();
  for (std::thread& question : questions) question.join();
}

TEST(EmbedQueueTest, AnErrorOfABatchIsTheErrorOfItsRequestOnly) {
  const auto fail_on_nine = [](EmbedQueue::Texts texts, float* vectors) {
    for (const auto& text : texts) {
      if (text[0] == 9) return Internal("nine");
    }
    return Describe(texts, vectors);
  };
  EmbedQueue queue(TwoDimensions(), {fail_on_nine}, nullptr);
  EXPECT_EQ(queue.Embed(Texts{{1}, {9}}, CallContext()).status().message(), "nine");
  EXPECT_TRUE(queue.Embed(Texts{{1}}, CallContext()).ok());
}

TEST(EmbedQueueTest, ACallerThatHasGoneIsNotServed) {
  EmbedQueue queue(TwoDimensions(), {Describe}, nullptr);
  auto flag = std::make_shared<CancelFlag>();
  flag->Cancel();
  const CallContext context(CallContext::TimePoint::max(), flag);
  EXPECT_EQ(queue.Embed(Texts{{1}}, context).status().code(), StatusCode::kCancelled);
}

TEST(EmbedQueueTest, ACallerThatGoesWhileOthersAreServedDoesNotWaitForThem) {
  std::atomic<bool> entered{false}, open{false};
  std::atomic<int> computed{0};
  const auto blocked = [&](EmbedQueue::Texts texts, float* vectors) {
    entered = true;
    while (!open) std::this_thread::yield();
    ++computed;
    return Describe(texts, vectors);
  };
  EmbedQueue queue(TwoDimensions(), {blocked}, nullptr);
  std::thread first(
      [&] { EXPECT_TRUE(queue.Embed(Texts{std::vector<int32_t>(300, 1)}, {}).ok()); });
  while (!entered) std::this_thread::yield();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(20);
  const CallContext context(deadline, std::make_shared<CancelFlag>());
  const Texts many(5, std::vector<int32_t>(300, 2));
  const Status late = queue.Embed(many, context).status();
  EXPECT_EQ(late.code(), StatusCode::kDeadlineExceeded);
  open = true;
  first.join();
  EXPECT_EQ(computed, 1);
}

TEST(EmbedQueueTest, NoTextsAreNoVectors) {
  EmbedQueue queue(TwoDimensions(), {Describe}, nullptr);
  const auto vectors = queue.Embed({}, CallContext());
  ASSERT_TRUE(vectors.ok());
  EXPECT_TRUE(vectors->empty());
}

TEST(EmbedQueueTest, TooManyTextsAreRefused) {
  EmbedderInfo info;
  info.tokens_max = 4;
  info.vocabulary = 10;
  EXPECT_EQ(CheckTexts(Texts(16385, {1}), info).reason(), Reason::kLimitExceeded);
  EXPECT_TRUE(CheckTexts(Texts(16384, {1}), info).ok());
  EXPECT_EQ(CheckTexts(Texts{{-1}}, info).reason(), Reason::kInvalidArgument);
}

TEST(EmbedQueueTest, VectorsThatAreNoNumbersAreAnError) {
  std::vector<float> vector{1, std::numeric_limits<float>::quiet_NaN()};
  EXPECT_EQ(FinishVector(vector, true).code(), StatusCode::kInternal);
  std::vector<float> zero{0, 0};
  EXPECT_TRUE(FinishVector(zero, true).ok());
  EXPECT_EQ(zero[0], 0);
}

}  // namespace
}  // namespace ragstone::llm
