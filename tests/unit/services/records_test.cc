// The handlers of VectorService over a fake database. Covers services/handlers/records.cc.
#include "services/handlers/records.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "index/filter/filter_parser.h"
#include "tests/testing/fake_records.h"
#include "tests/testing/temp_folder.h"

namespace ragstone::services {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class RecordHandlersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    index::DatabaseOptions options;
    options.dir = folder_.path() / "db";
    auto database = index::Database::Open(options, &clock_);
    ASSERT_TRUE(database.ok()) << database.status().ToString();
    database_ = std::move(database).value();
    fake_.database = database_.get();
    requests_ = index::RequestLog::Open(database_.get(), &clock_).value();
    handlers_ = std::make_unique<RecordHandlers>(RecordHandlers::Parts{&fake_, requests_.get()});
  }

  v1::CreateRecordCollectionRequest CreateRequest(const std::string& name) {
    v1::CreateRecordCollectionRequest request;
    request.mutable_spec()->set_name(name);
    request.mutable_spec()->add_vectors()->set_dimensions(2);
    v1::PayloadField* field = request.mutable_spec()->add_fields();
    field->set_name("year");
    field->set_type(v1::FIELD_TYPE_INTEGER);
    return request;
  }
  void Create(const std::string& name) {
    ASSERT_TRUE(handlers_->CreateRecordCollection(CreateRequest(name), context_).ok());
  }
  // Adds records "000", "001", … that hold texts of so many bytes.
  void Fill(int count, size_t bytes) {
    for (int i = 0; i < count; ++i) {
      index::Record record;
      record.id = std::to_string(1000 + i).substr(1);
      record.payload["text"] = std::string(bytes, 'x');
      fake_.records[record.id] = record;
    }
  }

  testing::TempFolder folder_;
  FakeClock clock_{1'000'000'000'000};
  CallContext context_;
  testing::FakeRecords fake_;
  std::unique_ptr<index::Database> database_;
  std::unique_ptr<index::RequestLog> requests_;
  std::unique_ptr<RecordHandlers> handlers_;
};

TEST_F(RecordHandlersTest, ACollectionIsCreatedOnceByOneRequest) {
  v1::CreateRecordCollectionRequest request = CreateRequest("a");
  request.set_request_id("id");
  const auto first = handlers_->CreateRecordCollection(request, context_);
  ASSERT_TRUE(first.ok()) << first.status().ToString();
  EXPECT_THAT(first->collection().index(), ElementsAre("exact: few vectors"));
  const auto again = handlers_->CreateRecordCollection(request, context_);
  ASSERT_TRUE(again.ok()) << again.status().ToString();
  EXPECT_EQ(again->SerializeAsString(), first->SerializeAsString());
  request.set_request_id("");
  EXPECT_EQ(handlers_->CreateRecordCollection(request, context_).status().reason(),
            Reason::kCollectionExists);
  request.set_request_id("id");
  request.mutable_spec()->set_name("b");
  EXPECT_EQ(handlers_->CreateRecordCollection(request, context_).status().reason(),
            Reason::kRequestIdReused);
  request.set_request_id(std::string(129, 'i'));
  EXPECT_EQ(handlers_->CreateRecordCollection(request, context_).status().reason(),
            Reason::kLimitExceeded);
}

TEST_F(RecordHandlersTest, ARepeatedDropIsDone) {
  Create("a");
  v1::DropRecordCollectionRequest request;
  request.set_name("a");
  request.set_request_id("id");
  EXPECT_TRUE(handlers_->DropRecordCollection(request, context_).ok());
  Create("a");  // another one, which the repeated request is not about
  EXPECT_TRUE(handlers_->DropRecordCollection(request, context_).ok());
  EXPECT_TRUE(fake_.collections.contains("a"));
  request.set_request_id("");
  EXPECT_TRUE(handlers_->DropRecordCollection(request, context_).ok());
  EXPECT_EQ(handlers_->DropRecordCollection(request, context_).status().reason(),
            Reason::kCollectionNotFound);
}

TEST_F(RecordHandlersTest, CollectionsAreListedPageByPageAndAltered) {
  for (const char* name : {"a", "b", "c"}) Create(name);
  v1::ListRecordCollectionsRequest request;
  request.set_page_size(2);
  const auto first = handlers_->ListRecordCollections(request, context_);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(first->collections_size(), 2);
  request.set_page_token(first->next_page_token());
  const auto second = handlers_->ListRecordCollections(request, context_);
  ASSERT_TRUE(second.ok());
  ASSERT_EQ(second->collections_size(), 1);
  EXPECT_EQ(second->collections(0).spec().name(), "c");
  EXPECT_EQ(second->next_page_token(), "");
  request.set_page_token("documents.61");
  EXPECT_EQ(handlers_->ListRecordCollections(request, context_).status().reason(),
            Reason::kInvalidPageToken);

  v1::AlterRecordCollectionRequest alter;
  *alter.mutable_spec() = CreateRequest("b").spec();
  alter.mutable_spec()->set_language("de");
  EXPECT_EQ(handlers_->AlterRecordCollection(alter, context_)->collection().spec().language(),
            "de");
  v1::GetRecordCollectionRequest get;
  get.set_name("b");
  EXPECT_EQ(handlers_->GetRecordCollection(get, context_)->collection().spec().language(), "de");
}

TEST_F(RecordHandlersTest, AStreamAcknowledgesEachBatchAndEndsAtTheFirstError) {
  Create("a");
  std::vector<v1::UpsertRecordStreamRequest> batches(3);
  batches[0].set_collection("a");
  batches[0].add_records()->set_id("x");
  batches[0].set_request_id("first");
  batches[1].add_records()->set_id("y");
  batches[1].add_records()->set_id("z");
  batches[1].add_if_versions(0);
  batches[1].add_if_versions(3);
  (*batches[2].add_records()->mutable_vectors())["title"];
  size_t sent = 0;
  std::vector<v1::UpsertRecordStreamResponse> acknowledged;
  const Reader<v1::UpsertRecordStreamRequest> read =
      [&]() -> Result<std::optional<v1::UpsertRecordStreamRequest>> {
    // A batch is asked for only when the one before is written and acknowledged.
    EXPECT_EQ(acknowledged.size(), sent);
    if (sent == batches.size()) return std::optional<v1::UpsertRecordStreamRequest>();
    return std::optional(batches[sent++]);
  };
  const Writer<v1::UpsertRecordStreamResponse> write = [&](const auto& message) {
    acknowledged.push_back(message);
    return OkStatus();
  };
  const Status status = handlers_->UpsertRecordStream(read, write, context_);
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("batch 2: records[0].vectors[\"title\"] is neither"));
  ASSERT_EQ(acknowledged.size(), 2u);
  EXPECT_EQ(acknowledged[1].batch(), 1u);
  EXPECT_EQ(acknowledged[1].affected(), 2u);
  EXPECT_EQ(acknowledged[1].version(), 2u);
  EXPECT_THAT(fake_.write_options.if_versions, ElementsAre(0, 3));
  EXPECT_EQ(fake_.records.size(), 3u);

  batches.resize(2);
  batches[1].set_collection("b");
  sent = 0;
  acknowledged.clear();
  EXPECT_THAT(handlers_->UpsertRecordStream(read, write, context_).message(),
              HasSubstr("batch 1 is for collection 'b', the stream began with 'a'"));
  batches.resize(1);
  sent = 0;
  acknowledged.clear();
  EXPECT_TRUE(handlers_->UpsertRecordStream(read, write, context_).ok());
}

TEST_F(RecordHandlersTest, RecordsAreReadInTheOrderOfTheirIds) {
  Create("a");
  Fill(200, 10);
  v1::GetRecordsRequest request;
  request.set_collection("a");
  for (const char* id : {"150", "gone", "002"}) request.add_ids(id);
  request.mutable_read()->set_with_vectors(true);
  request.mutable_read()->set_as_of(4);
  const auto response = handlers_->GetRecords(request, context_);
  ASSERT_TRUE(response.ok());
  ASSERT_EQ(response->records_size(), 2);
  EXPECT_EQ(response->records(0).id(), "150");
  EXPECT_EQ(response->records(1).id(), "002");
  EXPECT_TRUE(fake_.read.vectors);
  EXPECT_EQ(fake_.read.as_of, 4u);
}

TEST_F(RecordHandlersTest, AnOutcomeIsWrittenWithItsCollectionOrNotAtAll) {
  // The write of a collection fails: its outcome must not be kept.
  v1::CreateRecordCollectionRequest request = CreateRequest("a");
  request.set_request_id("id");
  fake_.error = ResourceExhausted(Reason::kDiskFull, "the disk is full");
  EXPECT_EQ(handlers_->CreateRecordCollection(request, context_).status().reason(),
            Reason::kDiskFull);
  fake_.error = OkStatus();
  EXPECT_TRUE(handlers_->CreateRecordCollection(request, context_).ok());
  // Without the write of the collection there is no outcome either.
  fake_.database = nullptr;
  v1::DropRecordCollectionRequest drop;
  drop.set_name("a");
  drop.set_request_id("drop");
  EXPECT_TRUE(handlers_->DropRecordCollection(drop, context_).ok());
  EXPECT_EQ(handlers_->DropRecordCollection(drop, context_).status().reason(),
            Reason::kCollectionNotFound);
}

TEST_F(RecordHandlersTest, ScrollingGivesEachRecordOnceInPagesThatClientsCanRead) {
  Create("a");
  for (const auto& [count, bytes] :
       std::vector<std::pair<int, size_t>>{{130, 10}, {10, 1 << 20}, {64, 1000}, {0, 0}}) {
    fake_.records.clear();
    Fill(count, bytes);
    for (const uint32_t page_size : {1u, 64u, 65u, 1000u}) {
      v1::ScrollRecordsRequest request;
      request.set_collection("a");
      request.set_page_size(page_size);
      int seen = 0;
      for (;;) {
        const auto page = handlers_->ScrollRecords(request, context_);
        ASSERT_TRUE(page.ok()) << page.status().ToString();
        EXPECT_LE(page->records_size(), static_cast<int>(page_size));
        EXPECT_LT(page->ByteSizeLong(), 4u << 20);
        for (const v1::Record& record : page->records()) {
          EXPECT_EQ(record.id(), std::to_string(1000 + seen++).substr(1));
        }
        if (page->next_page_token().empty()) break;
        ASSERT_GT(page->records_size(), 0);
        request.set_page_token(page->next_page_token());
      }
      EXPECT_EQ(seen, count) << bytes << " bytes, pages of " << page_size;
    }
  }
}

TEST_F(RecordHandlersTest, APageIsOneReadOfBoundedSize) {
  Create("a");
  Fill(200, 200 << 10);
  v1::ScrollRecordsRequest request;
  request.set_collection("a");
  request.set_page_size(1000);
  ASSERT_TRUE(handlers_->ScrollRecords(request, context_).ok());
  EXPECT_THAT(fake_.limits, ElementsAre(1001));
  EXPECT_EQ(fake_.read.page_bytes, 3u << 20);
}

TEST_F(RecordHandlersTest, DeletesAndUpdatesSayWhichRecordsAndWhat) {
  Create("a");
  v1::DeleteRecordsRequest remove;
  remove.set_collection("a");
  remove.mutable_selector()->mutable_ids()->add_ids("x");
  remove.add_if_versions(5);
  remove.set_request_id("id");
  const auto removed = handlers_->DeleteRecords(remove, context_);
  ASSERT_TRUE(removed.ok()) << removed.status().ToString();
  EXPECT_EQ(removed->affected(), 2u);
  EXPECT_EQ(removed->version(), 1u);
  EXPECT_EQ(std::get<0>(*fake_.selector), std::vector<std::string>{"x"});
  EXPECT_EQ(fake_.write_options.request_id, "id");
  EXPECT_THAT(fake_.write_options.if_versions, ElementsAre(5));
  remove.mutable_selector()->set_all(true);
  EXPECT_TRUE(handlers_->DeleteRecords(remove, context_).ok()) << "the database says what it is";

  v1::UpdatePayloadRequest update;
  update.set_collection("a");
  update.mutable_selector()->mutable_filter()->set_expression("year = 1");
  EXPECT_THAT(handlers_->UpdatePayload(update, context_).status().message(),
              HasSubstr("payload is empty"));
  (*update.mutable_payload())["year"].set_integer_value(2);
  (*update.mutable_payload())["gone"];
  ASSERT_TRUE(handlers_->UpdatePayload(update, context_).ok());
  EXPECT_EQ(std::get<1>(*fake_.selector), *index::ParseFilter("year = 1"));
  EXPECT_FALSE(fake_.change->replace);
  EXPECT_EQ(fake_.change->set,
            (index::Payload{{"gone", index::PayloadValue()}, {"year", int64_t{2}}}));
  EXPECT_EQ(handlers_->writes(), 4u);  // with the creation
}

TEST_F(RecordHandlersTest, SearchesReturnTheirHits) {
  Create("a");
  index::RecordHit hit;
  hit.record.id = "x";
  hit.score = 0.5;
  hit.group = "\"en\"";
  fake_.hits = {hit};
  v1::SearchRecordsRequest search;
  search.set_collection("a");
  search.mutable_query()->set_top_k(3);
  const auto found = handlers_->SearchRecords(search, context_);
  ASSERT_TRUE(found.ok());
  ASSERT_EQ(found->hits_size(), 1);
  EXPECT_EQ(found->hits(0).record().id(), "x");
  EXPECT_EQ(found->hits(0).score(), 0.5);
  EXPECT_EQ(found->hits(0).group(), "\"en\"");
  EXPECT_EQ(fake_.search->top_k, 3u);
  v1::SearchRecordBatchRequest batch;
  batch.set_collection("a");
  batch.add_queries();
  batch.add_queries();
  EXPECT_EQ(handlers_->SearchRecordBatch(batch, context_)->results_size(), 2);
  v1::RecommendRecordsRequest recommend;
  recommend.set_collection("a");
  recommend.add_positive("x");
  EXPECT_EQ(handlers_->RecommendRecords(recommend, context_)->hits_size(), 1);
  EXPECT_EQ(fake_.recommend->positive, std::vector<std::string>{"x"});
  v1::CountRecordsRequest count;
  count.set_collection("a");
  EXPECT_EQ(handlers_->CountRecords(count, context_)->count(), 0u);
  EXPECT_EQ(handlers_->searches(), 4u);
}

TEST_F(RecordHandlersTest, ErrorsOfTheDatabaseAreThoseOfTheCall) {
  fake_.error = ResourceExhausted(Reason::kDiskFull, "the disk is full");
  v1::UpsertRecordsRequest upsert;
  upsert.add_records()->set_id("x");
  EXPECT_EQ(handlers_->UpsertRecords(upsert, context_).status().reason(), Reason::kDiskFull);
  v1::ScrollRecordsRequest scroll;
  EXPECT_EQ(handlers_->ScrollRecords(scroll, context_).status().reason(), Reason::kDiskFull);
  v1::SearchRecordBatchRequest batch;
  batch.add_queries()->mutable_filter()->set_expression("year = 1");
  EXPECT_EQ(handlers_->SearchRecordBatch(batch, context_).status().reason(), Reason::kDiskFull);
  EXPECT_EQ(handlers_->writes(), 0u);
}

}  // namespace
}  // namespace ragstone::services
