// Request ids, conditional writes, history, changes of collections, and many writers at once.
// Covers record_writes.cc, group_write.cc, write_queue.cc, request_book.cc and record_worker.cc.
#include <sys/mount.h>

#include <atomic>
#include <fstream>
#include <thread>

#include "index/internal/records_db/request_book.h"
#include "tests/unit/index/records_db/records_fixture.h"

namespace ragstone::index {
namespace {

using RecordWritesTest = RecordsFixture;

constexpr int64_t kHourNs = 3600LL * 1'000'000'000;

Payload Lang(std::string lang) { return {{"lang", std::move(lang)}}; }
DenseVector Ones() { return DenseVector(8, 1.0f); }

WriteOptions WithId(std::string id) {
  WriteOptions options;
  options.request_id = std::move(id);
  return options;
}
WriteOptions IfVersions(std::vector<uint64_t> versions) {
  WriteOptions options;
  options.if_versions = std::move(versions);
  return options;
}

TEST_F(RecordWritesTest, ARepeatedRequestDoesNothingAndReturnsTheSame) {
  Create();
  const WriteResult first = Put({MakeRecord("a", Ones(), Lang("en"))}, WithId("r1"));
  Put({MakeRecord("a", Ones(), Lang("de"))});
  for (int round = 0; round < 2; ++round) {
    const WriteResult again = Put({MakeRecord("a", Ones(), Lang("en"))}, WithId("r1"));
    EXPECT_EQ(again.version, first.version);
    EXPECT_EQ(again.affected, 1u);
    EXPECT_EQ(Get({"a"})[0].payload, Lang("de"));
    Reopen();
  }
  const auto other = records_->Upsert("c", {MakeRecord("b", Ones())}, WithId("r1"), {});
  EXPECT_EQ(other.status().code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(other.status().reason(), Reason::kRequestIdReused);
  const auto deletes =
      records_->Delete("c", RecordSelector(std::vector<std::string>{"a"}), WithId("r1"), {});
  EXPECT_EQ(deletes.status().reason(), Reason::kRequestIdReused);
  EXPECT_EQ(Count(), 1u);
}

TEST_F(RecordWritesTest, RepeatedDeletesAndUpdatesByFilterDoNothingEither) {
  Create();
  Put({MakeRecord("a", Ones(), Lang("en")), MakeRecord("b", Ones(), Lang("en"))});
  const RecordSelector english = Parsed("lang = \"en\"");
  PayloadChange change;
  change.set = Lang("de");
  const auto updated = records_->UpdatePayload("c", english, change, WithId("u"), {});
  ASSERT_TRUE(updated.ok());
  Put({MakeRecord("c", Ones(), Lang("en"))});
  const auto again = records_->UpdatePayload("c", english, change, WithId("u"), {});
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->affected, 2u);
  EXPECT_EQ(Count("lang = \"en\""), 1u);
  change.set = Lang("fr");
  EXPECT_EQ(records_->UpdatePayload("c", english, change, WithId("u"), {}).status().reason(),
            Reason::kRequestIdReused);
}

TEST_F(RecordWritesTest, OutcomesAreForgottenAfterADay) {
  Create();
  Put({MakeRecord("a", Ones(), Lang("en"))}, WithId("r1"));
  clock_.AdvanceNs(23 * kHourNs);
  EXPECT_EQ(Put({MakeRecord("a", Ones(), Lang("en"))}, WithId("r1")).affected, 1u);
  const uint64_t version = Get({"a"})[0].version;
  clock_.AdvanceNs(kHourNs);
  EXPECT_GT(Put({MakeRecord("a", Ones(), Lang("en"))}, WithId("r1")).version, version);
  clock_.AdvanceNs(25 * kHourNs);
  EXPECT_EQ(Rows(Family::kRecordRequest), 2u);
  Maintain();
  EXPECT_EQ(Rows(Family::kRecordRequest), 0u);
}

TEST_F(RecordWritesTest, AFailedRequestMayBeRepeated) {
  Create();
  WriteOptions options = WithId("r1");
  options.if_versions = {7};
  EXPECT_EQ(records_->Upsert("c", {MakeRecord("a", Ones())}, options, {}).status().reason(),
            Reason::kVersionMismatch);
  options.if_versions = {0};
  EXPECT_EQ(Put({MakeRecord("a", Ones())}, options).affected, 1u);
}

TEST_F(RecordWritesTest, OutcomesAreBounded) {
  const std::unique_ptr<Store> store =
      std::move(Store::Open(folder_.path() / "store", 32 << 20)).value();
  uint64_t count = 0;
  const uint64_t wanted = records::RequestBook::kRequestsMax + 500;
  for (uint64_t i = 0; i < wanted;) {
    records::RequestBook book(*store, 1, clock_.NowNs());
    for (size_t j = 0; j < 5000 && i < wanted; ++j, ++i) book.Add(std::to_string(i), 1, "");
    std::vector<records::RequestRow> rows;
    ASSERT_TRUE(book.Write(&rows, &count).ok());
    StoreBatch batch(store.get());
    AddRows(rows, &batch);
    ASSERT_TRUE(store->Write(&batch, false).ok());
    clock_.AdvanceNs(1);
  }
  EXPECT_EQ(count, records::RequestBook::kRequestsMax);
  records::RequestBook book(*store, 1, clock_.NowNs());
  EXPECT_FALSE(book.Find("0", 1)->has_value());
  EXPECT_TRUE(book.Find(std::to_string(wanted - 1), 1)->has_value());
}

TEST_F(RecordWritesTest, ConditionalWritesNeedTheVersionsAndWriteAllOrNothing) {
  Create();
  const uint64_t a = Put({MakeRecord("a", Ones())}, IfVersions({0})).version;
  const auto taken = records_->Upsert("c", {MakeRecord("a", Ones())}, IfVersions({0}), {});
  EXPECT_EQ(taken.status().code(), StatusCode::kAborted);
  EXPECT_NE(taken.status().message().find("\"a\""), std::string::npos);
  EXPECT_NE(taken.status().message().find(std::to_string(a)), std::string::npos);
  const auto half = records_->Upsert("c", {MakeRecord("b", Ones()), MakeRecord("a", Ones())},
                                     IfVersions({0, a + 1}), {});
  EXPECT_EQ(half.status().reason(), Reason::kVersionMismatch);
  EXPECT_EQ(Count(), 1u);
  const uint64_t a2 = Put({MakeRecord("a", Ones())}, IfVersions({a})).version;
  EXPECT_GT(a2, a);
  const RecordSelector only_a = std::vector<std::string>{"a"};
  EXPECT_FALSE(records_->Delete("c", only_a, IfVersions({a}), {}).ok());
  EXPECT_TRUE(records_->Delete("c", only_a, IfVersions({a2}), {}).ok());
  EXPECT_EQ(Put({MakeRecord("a", Ones())}, IfVersions({0})).affected, 1u);
}

TEST_F(RecordWritesTest, HistoryIsReadAsOfAVersionWhileItIsKept) {
  RecordCollectionSpec spec = Spec();
  spec.history_seconds = 3600;
  Create(spec);
  const uint64_t v1 = Put({MakeRecord("a", Ones(), Lang("en")), MakeRecord("b", Ones())}).version;
  const uint64_t v2 = Put({MakeRecord("a", Ones(), Lang("de"))}).version;
  const uint64_t v3 = Delete({"b"}).version;
  const uint64_t v4 = Put({MakeRecord("b", Ones(), Lang("it")), MakeRecord("c", Ones())}).version;
  const auto as_of = [](uint64_t version) {
    ReadOptions options;
    options.as_of = version;
    return options;
  };
  for (int round = 0; round < 2; ++round) {
    Maintain();
    EXPECT_EQ(Get({"a"}, as_of(v1))[0].payload, Lang("en"));
    EXPECT_EQ(Get({"a"}, as_of(v2))[0].payload, Lang("de"));
    EXPECT_EQ(IdsOf(Scroll("", "", 10, as_of(v2))), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(IdsOf(Scroll("", "", 10, as_of(v3))), (std::vector<std::string>{"a"}));
    EXPECT_EQ(IdsOf(Scroll("", "", 10, as_of(v4))), (std::vector<std::string>{"a", "b", "c"}));
    EXPECT_EQ(IdsOf(Scroll("lang = \"en\"", "", 10, as_of(v1))), (std::vector<std::string>{"a"}));
    EXPECT_EQ(IdsOf(Scroll("", "a", 1, as_of(v1))), (std::vector<std::string>{"b"}));
    Reopen();
  }
  clock_.AdvanceNs(2 * kHourNs);
  Maintain();
  const std::vector<std::string> ids = {"a"};
  const auto gone = records_->Get("c", ids, as_of(v1));
  EXPECT_EQ(gone.status().code(), StatusCode::kFailedPrecondition);
  EXPECT_EQ(gone.status().reason(), Reason::kHistoryGone);
  EXPECT_EQ(records_->Scroll("c", {}, "", 10, as_of(v1), {}).status().reason(),
            Reason::kHistoryGone);
  EXPECT_EQ(Get({"a"}, as_of(v4)).size(), 1u);
  Reopen();
  EXPECT_EQ(records_->Get("c", ids, as_of(v1)).status().reason(), Reason::kHistoryGone);
  EXPECT_EQ(Rows(Family::kRecord), 3u);
}

TEST_F(RecordWritesTest, AlteringAddsAndRemovesFieldsAndVectors) {
  Create();
  Payload payload = Lang("en");
  payload["body"] = std::string("running dogs");
  Put({MakeRecord("a", Ones(), payload)});
  RecordCollectionSpec spec = Spec();
  std::vector<FieldSpec> fields = spec.schema.fields();
  std::erase_if(fields, [](const FieldSpec& field) { return field.name == "lang"; });
  fields.push_back({"size", FieldType::kFloat});
  spec.schema = *Schema::Create(fields);
  VectorField more;
  more.name = "more";
  more.dimensions = 4;
  spec.vectors[0].name = "";
  EXPECT_FALSE(records_
                   ->AlterCollection([&] {
                     RecordCollectionSpec two = spec;
                     two.vectors.push_back(more);
                     return two;
                   }())
                   .ok())
      << "a second vector beside one without a name";
  ASSERT_TRUE(records_->AlterCollection(spec).ok());
  EXPECT_FALSE(Get({"a"})[0].payload.contains("lang"));
  EXPECT_FALSE(records_->Count("c", Parsed("lang = \"en\""), {}).ok());
  Put({MakeRecord("b", Ones(), {{"size", 2.5}})});
  EXPECT_EQ(Count("size > 2"), 1u);
  EXPECT_EQ(Count("size is null"), 1u);
  // A field that comes back does not bring old values with it.
  ASSERT_TRUE(records_->AlterCollection(Spec()).ok());
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(Count("lang = \"en\""), 0u);
    EXPECT_FALSE(Get({"a"})[0].payload.contains("lang"));
    EXPECT_FALSE(Get({"b"})[0].payload.contains("size"));
    Reopen();
  }
  Put({MakeRecord("c", Ones(), Lang("en"))});
  EXPECT_EQ(Count("lang = \"en\""), 1u);
  spec = Spec();
  spec.vectors.clear();
  ASSERT_TRUE(records_->AlterCollection(spec).ok());
  ASSERT_TRUE(records_->AlterCollection(Spec()).ok());
  EXPECT_TRUE(Search(Nearest(Ones(), 10)).empty());
  Put({MakeRecord("d", Ones())});
  EXPECT_EQ(IdsOf(Search(Nearest(Ones(), 10))), (std::vector<std::string>{"d"}));
}

TEST_F(RecordWritesTest, AnotherLanguageStemsOldTextsAnew) {
  RecordCollectionSpec spec = Spec();
  spec.language = "none";
  Create(spec);
  Put({MakeRecord("a", Ones(), {{"body", std::string("running dogs")}})});
  RecordSearch search;
  search.text = "run dog";
  EXPECT_TRUE(Search(search).empty());
  spec.language = "en";
  ASSERT_TRUE(records_->AlterCollection(spec).ok());
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(IdsOf(Search(search)), (std::vector<std::string>{"a"}));
    Reopen();
  }
}

TEST_F(RecordWritesTest, WhatCannotBeAlteredIsRefused) {
  Create();
  RecordCollectionSpec spec = Spec();
  spec.vectors[0].dimensions = 9;
  EXPECT_EQ(records_->AlterCollection(spec).status().code(), StatusCode::kInvalidArgument);
  spec = Spec(VectorMetric::kL2);
  EXPECT_EQ(records_->AlterCollection(spec).status().code(), StatusCode::kInvalidArgument);
  spec = Spec();
  spec.schema = *Schema::Create({{"lang", FieldType::kInteger}});
  EXPECT_EQ(records_->AlterCollection(spec).status().code(), StatusCode::kInvalidArgument);
  spec = Spec();
  spec.name = "none";
  EXPECT_EQ(records_->AlterCollection(spec).status().reason(), Reason::kCollectionNotFound);
}

TEST_F(RecordWritesTest, EightThreadsReadTheirOwnWritesAndNeverHalfOfOne) {
  Create(Spec(VectorMetric::kL2));
  constexpr int kThreads = 8;
  constexpr int kRounds = 40;
  std::atomic<int> failures{0};
  const auto work = [&](int thread) {
    std::mt19937_64 random(static_cast<uint64_t>(thread));
    const std::string lang = "t" + std::to_string(thread);
    const auto ids = [&](int round) {
      return std::vector<std::string>{lang + "a" + std::to_string(round % 5),
                                      lang + "b" + std::to_string(round % 5)};
    };
    for (int round = 0; round < kRounds; ++round) {
      const DenseVector vector = RandomDense(&random, kDimensions);
      Payload payload = Lang(lang);
      payload["year"] = int64_t{round};
      const auto put = records_->Upsert(
          "c",
          {MakeRecord(ids(round)[0], vector, payload), MakeRecord(ids(round)[1], vector, payload)},
          {}, {});
      failures += !put.ok();
      // Both of a pair, and both of the same write.
      const auto mine = records_->Search("c", Nearest(vector, 2, "lang = \"" + lang + "\""), {});
      failures += !mine.ok() || mine->size() != 2 || (*mine)[0].record.version != put->version ||
                  (*mine)[1].record.version != put->version;
      const auto others =
          records_->Scroll("c", Parsed("year = " + std::to_string(round)), "", 100, {}, {});
      failures += !others.ok() || others->size() % 2 != 0;
      if (round % 4 == 3) {
        const auto gone = records_->Delete("c", RecordSelector(ids(round)), {}, {});
        failures += !gone.ok() || gone->affected != 2;
        failures += !records_->Get("c", ids(round), {})->empty();
      }
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures.load(), 0);
  const uint64_t count = Count();
  EXPECT_EQ(Scroll().size(), count);
  Reopen();
  EXPECT_EQ(Count(), count);
  EXPECT_EQ(Scroll().size(), count);
  EXPECT_EQ(impl().worker().failures(), 0u) << impl().worker().last_error();
}

TEST_F(RecordWritesTest, OfConditionalWritersOfOneVersionOneWins) {
  Create();
  uint64_t version = Put({MakeRecord("a", Ones())}).version;
  for (int round = 0; round < 10; ++round) {
    std::atomic<int> winners{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        const auto put =
            records_->Upsert("c", {MakeRecord("a", Ones())}, IfVersions({version}), {});
        winners += put.ok();
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_EQ(winners.load(), 1);
    version = Get({"a"})[0].version;
  }
}

TEST_F(RecordWritesTest, ACollectionMayBeDroppedUnderSearchesAndWrites) {
  Create();
  std::vector<Record> records;
  std::mt19937_64 random(3);
  for (int i = 0; i < 500; ++i) {
    records.push_back(MakeRecord(std::to_string(i), RandomDense(&random, kDimensions)));
  }
  Put(std::move(records));
  std::atomic<bool> ended{false};
  std::atomic<int> odd{0};
  const auto expected = [](const Status& status) {
    return status.ok() || status.reason() == Reason::kCollectionNotFound;
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; !ended; ++n) {
        const auto found = records_->Search("c", Nearest(Ones(), 20), {});
        odd += !expected(found.status()) || (found.ok() && found->size() < 20);
        odd += !expected(records_->Upsert("c", {MakeRecord("n", Ones())}, {}, {}).status());
      }
    });
  }
  usleep(20'000);
  EXPECT_TRUE(records_->DropCollection("c").ok());
  usleep(20'000);
  ended = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(odd.load(), 0);
}

// A file system of its own, small enough to fill.
TEST_F(RecordWritesTest, AFullDiskRefusesWritesAndReadsGoOn) {
  TemporaryFolder disk;
  if (geteuid() != 0 || mount("tmpfs", disk.path().c_str(), "tmpfs", 0, "size=24m") != 0) {
    GTEST_SKIP() << "needs the right to mount a tmpfs";
  }
  Open(disk.path() / "data");
  Create();
  Put({MakeRecord("kept", Ones(), Lang("en"))});
  std::ofstream(disk.path() / "ballast") << std::string(12 << 20, 'x');
  Status failed;
  uint64_t written = 1;
  for (int round = 0; round < 500 && failed.ok(); ++round) {
    std::vector<Record> records;
    for (int i = 0; i < 20; ++i) {
      Payload payload;
      payload["note"] = std::string(4000, 'a');
      records.push_back(MakeRecord(std::to_string(round * 20 + i), Ones(), std::move(payload)));
    }
    failed = records_->Upsert("c", std::move(records), {}, {}).status();
    if (failed.ok()) written += 20;
  }
  EXPECT_EQ(failed.code(), StatusCode::kResourceExhausted) << failed.ToString();
  EXPECT_EQ(failed.reason(), Reason::kDiskFull) << failed.ToString();
  EXPECT_EQ(Count(), written);
  EXPECT_EQ(IdsOf(Search(Nearest(Ones(), 5, "lang = \"en\""))), (std::vector<std::string>{"kept"}));
  EXPECT_EQ(Get({"kept"}).size(), 1u);
  std::filesystem::remove(disk.path() / "ballast");
  Status healed = failed;
  for (int i = 0; i < 300 && !healed.ok(); ++i) {
    healed = records_->Upsert("c", {MakeRecord("after", Ones())}, {}, {}).status();
    if (!healed.ok()) usleep(100'000);
  }
  EXPECT_TRUE(healed.ok()) << healed.ToString();
  EXPECT_EQ(Count(), written + 1);
  Open(disk.path() / "data");
  EXPECT_EQ(Count("lang = \"en\""), 1u);
  EXPECT_EQ(Scroll("", "", 10'000).size(), written + 1);
  Close();
  umount2(disk.path().c_str(), MNT_DETACH);
}

}  // namespace
}  // namespace ragstone::index
