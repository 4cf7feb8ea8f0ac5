// Covers index/internal/vectors/method.cc.
#include "index/internal/vectors/method.h"

#include <gtest/gtest.h>

#include "index/internal/vectors/segment.h"
#include "tests/unit/index/vectors/random_vectors.h"

namespace ragstone::index::vectors {
namespace {

MethodQuestion Question(uint64_t rows) {
  MethodQuestion question;
  question.spec = {384, Metric::kCosine, Storage::kFloat32};
  question.rows = rows;
  return question;
}

TEST(MethodTest, TheChoiceFollowsFromRowsAndMemory) {
  const auto chosen = [](const MethodQuestion& question) {
    const Result<MethodChoice> choice = ChooseMethod(question);
    EXPECT_TRUE(choice.ok());
    EXPECT_FALSE(choice->reason.empty());
    EXPECT_EQ(choice->bytes, ForecastBytes(question, choice->method));
    return choice->method;
  };
  EXPECT_EQ(chosen(Question(0)), Method::kScan);
  EXPECT_EQ(chosen(Question(10'000)), Method::kScan);
  // Scans of many rows go by codes first.
  EXPECT_EQ(ChooseMethod(Question(10'000))->reason.find("exact"), std::string::npos);
  EXPECT_EQ(chosen(Question(10'001)), Method::kGraph);
  MethodQuestion bound = Question(1'000'000);
  bound.memory_bytes = uint64_t{1} << 30;
  EXPECT_EQ(chosen(bound), Method::kIvfPq);
  EXPECT_NE(ChooseMethod(bound)->reason.find("1025 MB"), std::string::npos);
  bound.memory_bytes = uint64_t{3} << 30;
  EXPECT_EQ(chosen(bound), Method::kGraph);
  bound.memory_bytes = 1 << 20;
  bound.spec = {384, Metric::kHamming, Storage::kBinary};
  EXPECT_EQ(chosen(bound), Method::kGraph);
}

TEST(MethodTest, AllSegmentsOfASetHaveToFitTogether) {
  MethodQuestion question = Question(100'000);
  question.memory_bytes = uint64_t{1} << 30;
  EXPECT_EQ(ChooseMethod(question)->method, Method::kGraph);
  question.set_rows = 1'000'000;
  EXPECT_EQ(ChooseMethod(question)->method, Method::kIvfPq);
  EXPECT_NE(ChooseMethod(question)->reason.find("1000000"), std::string::npos);
  EXPECT_EQ(ChooseMethod(question)->bytes, ForecastBytes(question, Method::kIvfPq));
}

TEST(MethodTest, ASetAtTheLimitKeepsItsMethod) {
  MethodQuestion question = Question(1'000'000);
  const uint64_t graph = ForecastBytes(question, Method::kGraph);
  const auto chosen = [&](uint64_t memory, bool compact) {
    question.memory_bytes = memory;
    question.compact = compact;
    return ChooseMethod(question)->method;
  };
  EXPECT_EQ(chosen(graph - 1, false), Method::kIvfPq);
  for (const uint64_t memory : {graph, graph + graph / 4}) {
    EXPECT_EQ(chosen(memory, false), Method::kGraph);
    EXPECT_EQ(chosen(memory, true), Method::kIvfPq);
  }
  EXPECT_EQ(chosen(graph + graph / 2, true), Method::kGraph);
}

TEST(MethodTest, WhatIsWantedIsTakenAndItsPriceSaid) {
  MethodQuestion question = Question(1'000'000);
  for (const Method method : {Method::kScan, Method::kGraph, Method::kIvfPq, Method::kLsh}) {
    question.wanted = method;
    EXPECT_EQ(ChooseMethod(question)->method, method);
    EXPECT_EQ(ChooseMethod(question)->reason, "asked for");
  }
  question.wanted = Method::kGraph;
  question.memory_bytes = 1 << 20;
  EXPECT_NE(ChooseMethod(question)->reason.find("more than the"), std::string::npos);
  question.spec = {64, Metric::kHamming, Storage::kBinary};
  question.wanted = Method::kLsh;
  EXPECT_EQ(ChooseMethod(question).status().code(), StatusCode::kInvalidArgument);
  question.wanted = static_cast<Method>(77);
  EXPECT_EQ(ChooseMethod(question).status().code(), StatusCode::kInvalidArgument);
}

TEST(MethodTest, TheForecastIsWhatASegmentTakes) {
  for (const VectorSpec& spec :
       {VectorSpec{384, Metric::kCosine, Storage::kFloat32},
        VectorSpec{32, Metric::kL2, Storage::kInt8}, VectorSpec{100, Metric::kL2, Storage::kBinary},
        VectorSpec{100, Metric::kCosine, Storage::kInt8},
        VectorSpec{512, Metric::kHamming, Storage::kBinary}}) {
    RandomRows rows(spec, 20'000, 2);
    SealOptions seal;
    seal.graph.ef_construction = 20;
    const Result<std::unique_ptr<Segment>> segment = Segment::Build(spec, rows, seal);
    ASSERT_TRUE(segment.ok());
    MethodQuestion question;
    question.spec = spec;
    question.rows = 20'000;
    const double forecast = static_cast<double>(ForecastBytes(question, Method::kGraph));
    EXPECT_NEAR(static_cast<double>((*segment)->bytes()) / forecast, 1.0, 0.2);
  }
}

}  // namespace
}  // namespace ragstone::index::vectors
