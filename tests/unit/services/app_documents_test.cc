// Covers documents.cc, add_document.cc, request_log.cc, ingest_pipeline.cc and ingest_run.cc.
#include <gtest/gtest.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/testing/app_fixture.h"

namespace ragstone::services {
namespace {

class AppDocuments : public testing::AppFixture {};

constexpr char kText[] = "The pump runs at twelve bar. The valve is red.\n";

TEST_F(AppDocuments, AnAddedDocumentIsListedAndFound) {
  const Added added = Add("notes.txt", kText);
  ASSERT_TRUE(added.status.ok()) << added.status.ToString();
  ASSERT_TRUE(added.finished.has_value());
  EXPECT_FALSE(added.finished->unchanged());
  EXPECT_EQ(added.finished->document().path(), "notes.txt");
  EXPECT_EQ(added.finished->document().pages(), 1u);
  EXPECT_GE(added.finished->document().chunks(), 1u);
  ASSERT_EQ(Documents().size(), 1u);
  EXPECT_EQ(Documents()[0].status(), "ready");
  for (const auto mode :
       {v1::SEARCH_MODE_HYBRID, v1::SEARCH_MODE_VECTOR, v1::SEARCH_MODE_KEYWORD}) {
    const auto found = SearchFor("red valve", mode);
    ASSERT_TRUE(found.ok()) << found.status().ToString();
    ASSERT_GE(found->passages_size(), 1);
    EXPECT_EQ(found->passages(0).path(), "notes.txt");
    EXPECT_EQ(found->passages(0).line(), 1u);
  }
}

TEST_F(AppDocuments, UnchangedContentIsNeitherParsedNorEmbedded) {
  ASSERT_TRUE(Add("a.pdf", testing::FakePdf({"One page of words."})).status.ok());
  const uint64_t parsed = workers_->parser.documents;
  const uint64_t embedded = workers_->embedder.texts_embedded;
  const Added again = Add("a.pdf", testing::FakePdf({"One page of words."}));
  ASSERT_TRUE(again.status.ok()) << again.status.ToString();
  EXPECT_TRUE(again.finished->unchanged());
  EXPECT_EQ(workers_->parser.documents, parsed);
  EXPECT_EQ(workers_->embedder.texts_embedded, embedded);
  EXPECT_EQ(Documents().size(), 1u);
}

TEST_F(AppDocuments, AChangedFileReplacesItsOldVersionUnderTheSameId) {
  const Added first = Add("a.txt", "The colour is green.\n");
  const Added second = Add("a.txt", "The colour is purple.\n");
  ASSERT_TRUE(second.status.ok()) << second.status.ToString();
  EXPECT_EQ(first.document_id, second.document_id);
  EXPECT_EQ(Documents().size(), 1u);
  EXPECT_EQ(SearchFor("green", v1::SEARCH_MODE_KEYWORD)->passages_size(), 0);
  EXPECT_EQ(SearchFor("purple", v1::SEARCH_MODE_KEYWORD)->passages_size(), 1);
}

TEST_F(AppDocuments, EqualChunksAreEmbeddedOnce) {
  ASSERT_TRUE(Add("a.txt", kText).status.ok());
  const uint64_t embedded = workers_->embedder.texts_embedded;
  ASSERT_TRUE(Add("b.txt", kText, "other").status.ok());
  EXPECT_EQ(workers_->embedder.texts_embedded, embedded);
}

TEST_F(AppDocuments, ContentThatCannotBeReadHasItsReason) {
  EXPECT_EQ(Add("e.txt", "").status.reason(), Reason::kEmptyFile);
  EXPECT_EQ(Add("u.txt", "abc \xff\xfe\xfd def").status.reason(), Reason::kInvalidUtf8);
  EXPECT_EQ(Add("w.txt", "  \n \n").status.reason(), Reason::kNoText);
  EXPECT_EQ(Add("d.pdf", "%PDF-1.4 nothing").status.reason(), Reason::kPdfDamaged);
  const Added scan = Add("s.pdf", testing::FakePdf({"NOTEXT", "NOTEXT"}));
  EXPECT_EQ(scan.status.reason(), Reason::kNoText);
  EXPECT_NE(scan.status.message().find("scan"), std::string::npos);
  EXPECT_TRUE(Documents().empty());
}

TEST_F(AppDocuments, InputThatEndsTheWorkerTwiceIsQuarantinedForGood) {
  const std::string bad = testing::FakePdf({"Fine.", "CRASH"});
  EXPECT_EQ(Add("bad.pdf", bad).status.reason(), Reason::kQuarantined);
  EXPECT_EQ(workers_->parser.documents, 2u);
  Open();
  EXPECT_EQ(Add("other-name.pdf", bad).status.reason(), Reason::kQuarantined);
  EXPECT_EQ(workers_->parser.documents, 0u);
}

TEST_F(AppDocuments, AWorkerThatEndsOnceCostsNothing) {
  const Added added = Add("once.pdf", testing::FakePdf({"Fine words.", "CRASHONCE here."}));
  ASSERT_TRUE(added.status.ok()) << added.status.ToString();
  EXPECT_EQ(added.finished->document().pages(), 2u);
}

TEST_F(AppDocuments, ARepeatedRequestIdReturnsTheFirstJob) {
  v1::AddDocumentStart start;
  start.set_source("a.txt");
  start.set_create_collection(true);
  start.set_request_id("r1");
  const Added first = AddStart(start, kText);
  const Added again = AddStart(start, kText);
  ASSERT_TRUE(again.status.ok()) << again.status.ToString();
  EXPECT_EQ(first.job_id, again.job_id);
  EXPECT_EQ(AddStart(start, "Other bytes.\n").status.reason(), Reason::kRequestIdReused);
}

TEST_F(AppDocuments, PathsAreReadForTheSocketsOwnerAndUnderAllowedPathsOnly) {
  const auto file = home_.dir() / "allowed" / "f.txt";
  ASSERT_TRUE(CreateDirectories(file.parent_path()).ok());
  ASSERT_TRUE(WriteFileAtomically(file, kText).ok());
  v1::AddDocumentStart start;
  start.set_path(file.string());
  start.set_create_collection(true);
  EXPECT_EQ(AddStart(start, "").status.reason(), Reason::kPathNotAllowed);
  CallContext owner;
  owner.set_trusted_local(true);
  EXPECT_TRUE(AddStart(start, "", owner).status.ok());

  settings_ = home_.settings();
  settings_->allowed_paths = {(home_.dir() / "allowed").string()};
  Open();
  EXPECT_TRUE(AddStart(start, "").status.ok());
  start.set_path((home_.dir() / "allowed" / ".." / "models" / "defaults.json").string());
  EXPECT_EQ(AddStart(start, "").status.reason(), Reason::kPathNotAllowed);
  start.set_path((home_.dir() / "allowed" / "none.txt").string());
  EXPECT_EQ(AddStart(start, "", owner).status.reason(), Reason::kFileNotFound);
  start.set_path((home_.dir() / "allowed").string());
  EXPECT_EQ(AddStart(start, "", owner).status.reason(), Reason::kUnsupportedMediaType);
}

TEST_F(AppDocuments, RequestsThatMakeNoSenseAreRefused) {
  v1::AddDocumentStart start;
  EXPECT_EQ(AddStart(start, kText).status.reason(), Reason::kInvalidArgument);
  start.set_source("a.txt");
  EXPECT_EQ(AddStart(start, kText).status.reason(), Reason::kCollectionNotFound);
  start.set_create_collection(true);
  start.set_media_type("image/png");
  EXPECT_EQ(AddStart(start, kText).status.reason(), Reason::kUnsupportedMediaType);
  start.set_media_type("");
  start.set_collection(".hidden");
  EXPECT_EQ(AddStart(start, kText).status.reason(), Reason::kCollectionNameInvalid);
}

TEST_F(AppDocuments, MetadataIsKeptUpdatedAndChecked) {
  v1::AddDocumentStart start;
  start.set_source("a.txt");
  start.set_create_collection(true);
  (*start.mutable_metadata()->mutable_entries())["year"].set_int_value(2020);
  const Added added = AddStart(start, kText);
  ASSERT_TRUE(added.status.ok());
  v1::UpdateDocumentMetadataRequest update;
  update.set_id(added.document_id);
  (*update.mutable_metadata()->mutable_entries())["year"].set_int_value(2021);
  ASSERT_TRUE(app_->UpdateDocumentMetadata(update, CallContext()).ok());
  v1::GetDocumentRequest get;
  get.set_id(added.document_id);
  const auto document = app_->GetDocument(get, CallContext());
  ASSERT_TRUE(document.ok());
  EXPECT_EQ(document->document().metadata().entries().at("year").int_value(), 2021);
}

TEST_F(AppDocuments, PagesAreShownWithTheirWords) {
  const Added added = Add("a.pdf", testing::FakePdf({"First page.", "Second page here."}));
  v1::GetDocumentPageRequest request;
  request.set_id(added.document_id);
  request.set_page(2);
  const auto page = app_->GetDocumentPage(request, CallContext());
  ASSERT_TRUE(page.ok()) << page.status().ToString();
  EXPECT_EQ(page->text(), "Second page here.");
  EXPECT_EQ(page->words_size(), 3);
  request.set_page(3);
  EXPECT_EQ(app_->GetDocumentPage(request, CallContext()).status().code(), StatusCode::kOutOfRange);
}

TEST_F(AppDocuments, DeletedDocumentsAreGone) {
  const Added added = Add("a.txt", kText);
  v1::DeleteDocumentRequest request;
  request.set_id(added.document_id);
  ASSERT_TRUE(app_->DeleteDocument(request, CallContext()).ok());
  EXPECT_TRUE(Documents().empty());
  EXPECT_EQ(SearchFor("valve", v1::SEARCH_MODE_HYBRID)->passages_size(), 0);
  EXPECT_EQ(app_->DeleteDocument(request, CallContext()).status().reason(),
            Reason::kDocumentNotFound);
}

TEST_F(AppDocuments, ListsComeInPages) {
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(
        Add("f" + std::to_string(i) + ".txt", "Text " + std::to_string(i) + ".").status.ok());
  }
  EXPECT_EQ(Documents().size(), 5u);
  v1::ListDocumentsRequest request;
  request.set_page_token("nonsense");
  EXPECT_EQ(app_->ListDocuments(request, CallContext()).status().reason(),
            Reason::kInvalidPageToken);
}

TEST_F(AppDocuments, AttachmentsAreBoundedByWhenTheyWereLastUsed) {
  settings_ = home_.settings();
  settings_->attachments_max = 2;
  Open();
  for (int i = 0; i < 4; ++i) {
    const std::string name = "f" + std::to_string(i) + ".txt";
    ASSERT_TRUE(Add(name, "Text " + std::to_string(i) + ".", ".attachments").status.ok());
  }
  const auto kept = Documents(".attachments");
  ASSERT_EQ(kept.size(), 2u);
  EXPECT_EQ(kept[0].path(), "f2.txt");
  EXPECT_EQ(kept[1].path(), "f3.txt");
  EXPECT_EQ(app_->ListCollections({}, CallContext())->collections_size(), 0);
}

TEST_F(AppDocuments, NoBlobIsLeftAfterIngestUnlessOriginalsAreKept) {
  const auto count = [this] {
    size_t files = 0;
    for (const auto& entry :
         std::filesystem::recursive_directory_iterator(home_.dir() / "data" / "blobs")) {
      files += entry.is_regular_file() ? 1 : 0;
    }
    return files;
  };
  ASSERT_TRUE(Add("a.txt", kText).status.ok());
  EXPECT_EQ(count(), 0u);
  settings_ = home_.settings();
  settings_->keep_originals = true;
  Open();
  ASSERT_TRUE(Add("b.txt", "First text.").status.ok());
  EXPECT_EQ(count(), 1u);
  const Added replaced = Add("b.txt", "Second text.");
  EXPECT_EQ(count(), 1u);
  v1::DeleteDocumentRequest request;
  request.set_id(replaced.document_id);
  ASSERT_TRUE(app_->DeleteDocument(request, CallContext()).ok());
  EXPECT_EQ(count(), 0u);
}

}  // namespace
}  // namespace ragstone::services
