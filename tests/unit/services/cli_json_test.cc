#include <gtest/gtest.h>

#include "services/cli/json.h"

namespace ragstone::services::cli {
namespace {

TEST(CliJson, HitHasExactlyTheDocumentedKeys) {
  v1::Passage passage;
  passage.set_document_id("d1");
  passage.set_path("/a.pdf");
  passage.set_page(7);
  passage.set_page_label("vii");
  passage.set_chunk(12);
  passage.set_score(0.5);
  passage.set_text("text");
  EXPECT_EQ(HitJson(passage).dump(),
            R"({"document":"d1","path":"/a.pdf","page":7,"chunk":12,"score":0.5,"text":"text"})");
}

TEST(CliJson, CitationHasExactlyTheDocumentedKeys) {
  v1::Citation citation;
  citation.set_n(1);
  citation.set_document_id("d1");
  citation.set_path("/a.pdf");
  citation.set_page(7);
  citation.set_quote("quote");
  citation.add_boxes()->set_page(7);
  EXPECT_EQ(CitationJson(citation).dump(),
            R"({"n":1,"document":"d1","path":"/a.pdf","page":7,"quote":"quote"})");
}

TEST(CliJson, DocumentHasExactlyTheDocumentedKeys) {
  v1::Document document;
  document.set_id("d1");
  document.set_path("/a.pdf");
  document.set_pages(3);
  document.set_chunks(9);
  document.set_status("ready");
  EXPECT_EQ(DocumentJson(document).dump(),
            R"({"id":"d1","path":"/a.pdf","pages":3,"chunks":9,"status":"ready"})");
}

TEST(CliJson, TimingsAreSortedAndRounded) {
  v1::Timings timings;
  (*timings.mutable_ms())["search"] = 1.23456;
  (*timings.mutable_ms())["embed"] = 2;
  EXPECT_EQ(TimingsJson(timings).dump(), R"({"embed":2.0,"search":1.235})");
}

TEST(CliJson, MetadataKeepsItsTypes) {
  v1::Document document;
  auto& entries = *document.mutable_metadata()->mutable_entries();
  entries["text"].set_string_value("x");
  entries["int"].set_int_value(4);
  entries["flag"].set_bool_value(true);
  entries["list"].mutable_string_list()->add_values("a");
  entries["real"].set_double_value(0.5);
  entries["when"].set_datetime_ns(0);
  EXPECT_EQ(DocumentDetailsJson(document)["metadata"].dump(),
            R"({"flag":true,"int":4,"list":["a"],"real":0.5,"text":"x",)"
            R"("when":"1970-01-01T00:00:00.000Z"})");
}

TEST(CliJson, ErrorsWithoutAReasonGoByTheirCode) {
  EXPECT_EQ(ErrorReason(Status(StatusCode::kUnknown, Reason::kUnspecified, "x")), "UNKNOWN");
  EXPECT_EQ(ErrorReason(Internal("x")), "INTERNAL");
}

TEST(CliJson, FailedJobsCarryTheirError) {
  v1::Job job;
  job.set_state(v1::JOB_STATE_FAILED);
  EXPECT_TRUE(JobJson(job)["error"].is_null());
  job.mutable_error()->set_code(3);
  job.mutable_error()->set_reason("NOT_PDF");
  job.mutable_error()->set_message("not a PDF");
  EXPECT_EQ(JobJson(job)["state"], "failed");
  EXPECT_EQ(JobJson(job)["error"].dump(),
            R"({"code":"INVALID_ARGUMENT","reason":"NOT_PDF","message":"not a PDF"})");
}

TEST(CliJson, CollectionsAndModelsNameWhatDecides) {
  v1::Collection collection;
  collection.set_index("flat: 12 vectors");
  EXPECT_EQ(CollectionJson(collection)["index"], "flat: 12 vectors");
  EXPECT_EQ(CollectionJson(collection)["default_mode"], "hybrid");
  EXPECT_TRUE(CollectionJson(collection)["unrelated_cosine"].is_null());
  collection.set_unrelated_cosine(0.5);
  EXPECT_EQ(CollectionJson(collection)["unrelated_cosine"], 0.5);
  v1::Model model;
  model.set_is_default(true);
  EXPECT_EQ(ModelJson(model)["default"], true);
}

}  // namespace
}  // namespace ragstone::services::cli
