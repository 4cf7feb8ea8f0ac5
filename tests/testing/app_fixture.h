#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "services/app.h"
#include "tests/testing/fake_worker_pool.h"

namespace ragstone::testing {

// An App over a temporary folder with fake workers; handlers are called directly.
class AppFixture : public ::testing::Test {
 protected:
  void SetUp() override { Open(); }
  void TearDown() override { app_.reset(); }

  // Opens the App, or opens it again as after a restart.
  void Open();

  // What AddDocument sent, and how it ended.
  struct Added {
    Status status;
    std::string job_id;
    std::string document_id;
    std::optional<v1::AddDocumentFinished> finished;
  };
  Added Add(const std::string& source, const std::string& bytes,
            const std::string& collection = "");
  Added AddStart(const v1::AddDocumentStart& start, const std::string& bytes,
                 const CallContext& context = CallContext());

  // The whole of a stream.
  struct Asked {
    Status status;
    std::vector<v1::AskResponse> events;
    v1::AskFinal final() const { return events.empty() ? v1::AskFinal() : events.back().final(); }
  };
  Asked AskQuestion(const v1::AskRequest& request);

  Result<v1::SearchResponse> SearchFor(const std::string& query, v1::SearchMode mode,
                                       const std::string& collection = "");
  std::vector<v1::Document> Documents(const std::string& collection = "");

  TestHome home_;
  std::optional<services::Settings> settings_;  // set before Open to use others
  FakeWorkerPool* workers_ = nullptr;           // owned by the App
  std::unique_ptr<services::App> app_;
};

}  // namespace ragstone::testing
