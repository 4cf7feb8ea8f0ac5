// Tests of check.cc, check_blobs.cc, check_catalog.cc, check_documents.cc, check_indexes.cc,
// check_keywords.cc, check_records.cc and check_requests.cc: each damage is made by hand, found,
// and repaired where that is possible.
#include "index/internal/operations/check.h"

#include <rocksdb/db.h>

#include "index/internal/core.h"
#include "tests/unit/index/operations/operations_fixture.h"

namespace ragstone::index {
namespace {

class CheckTest : public OperationsFixture {
 protected:
  void SetUp() override {
    OperationsFixture::SetUp();
    Fill();
    PutRecord("with-request", "some text", "request-1");
    PutRecord("r3", "a newer text");
    const auto found = impl().Find("c");
    ASSERT_TRUE(found.ok());
    records_id_ = (*found)->id();
    Clean(database_.get());
  }

  using Damage = std::function<void(StoreBatch*)>;
  void Apply(const Damage& damage) {
    StoreBatch batch(&core().store());
    damage(&batch);
    ASSERT_TRUE(core().store().Write(&batch, /*sync=*/true).ok());
  }
  // The keys and values of a family that begin with a collection.
  std::vector<std::pair<std::string, std::string>> Rows(Family family, std::string_view prefix) {
    std::vector<std::pair<std::string, std::string>> rows;
    const auto it = core().store().NewIterator(family);
    for (it->Seek(prefix); it->ValidWithPrefix(prefix); it->Next()) {
      rows.emplace_back(it->key(), it->value());
    }
    return rows;
  }
  std::string Docs() const { return CollectionKey(docs_); }
  std::string RecordsKey() const { return CollectionKey(records_id_); }

  // The damage is found by this check; repairing leaves nothing to find, and what people gave.
  void ExpectRepaired(const std::string& check, const Damage& damage) {
    Apply(damage);
    const CheckReport found = Check();
    ASSERT_GT(found.count, 0u) << check;
    EXPECT_EQ(found.repaired, 0u);
    EXPECT_TRUE(Has(found, check)) << Describe(found);
    const CheckReport repaired = Check(/*repair=*/true);
    EXPECT_TRUE(repaired.clean()) << Describe(repaired);
    const CheckReport after = Check();
    EXPECT_EQ(after.count, 0u) << Describe(after);
    EXPECT_EQ(after.documents, 5u);
    EXPECT_EQ(after.records, 21u);
    Open(dir_);
  }
  // The damage is found, and repairing changes nothing of it.
  void ExpectFound(const std::string& check, const Damage& damage) {
    Apply(damage);
    const CheckReport found = Check(/*repair=*/true);
    EXPECT_TRUE(Has(found, check)) << Describe(found);
    EXPECT_FALSE(found.clean());
    const CheckReport again = Check();
    EXPECT_TRUE(Has(again, check)) << Describe(again);
    Open(dir_);
  }
  static bool Has(const CheckReport& report, const std::string& check) {
    return std::any_of(report.findings.begin(), report.findings.end(),
                       [&](const Finding& finding) { return finding.check == check; });
  }
  static std::string Describe(const CheckReport& report) {
    std::string text;
    for (const Finding& finding : report.findings) {
      text += finding.check + " " + finding.collection + " " + finding.id + ": " + finding.what +
              (finding.repaired ? " [repaired]\n" : "\n");
    }
    return text;
  }

  CollectionId records_id_ = 0;
};

TEST_F(CheckTest, SoundDirectoryHasNoFindings) {
  const CheckReport report = Check();
  EXPECT_EQ(report.count, 0u) << Describe(report);
  EXPECT_EQ(report.collections, 2u);
  EXPECT_EQ(report.documents, 5u);
  EXPECT_EQ(report.chunks, 15u);
  EXPECT_EQ(report.records, 21u);
  EXPECT_EQ(report.blobs, 1u);
}

TEST_F(CheckTest, CountsAreMadeAnew) {
  ExpectRepaired("documents", [&](StoreBatch* batch) {
    batch->Put(Family::kMeta, MetaStatsKey(docs_), EncodeStats({1, 2, 3}));
  });
  ExpectRepaired("records", [&](StoreBatch* batch) {
    records::RecordState state;
    state.records = 3;
    batch->Put(Family::kMeta, records::StateKey(records_id_), records::EncodeRecordState(state));
  });
  ExpectRepaired("counters", [&](StoreBatch* batch) {
    batch->Put(Family::kMeta, "counter/chunk", EncodeNumber(2));
  });
}

TEST_F(CheckTest, SourcesAndEmbeddingsAreMadeAnew) {
  const auto sources = Rows(Family::kSource, Docs());
  ASSERT_EQ(sources.size(), 5u);
  ExpectRepaired("documents", [&](StoreBatch* batch) {
    batch->Delete(Family::kSource, sources[1].first);
    batch->Put(Family::kSource, SourceKey(docs_, "of nothing"), EncodeNumber(1));
  });
  const auto embeddings = Rows(Family::kEmbedding, "");
  ExpectRepaired("documents", [&](StoreBatch* batch) {
    batch->Delete(Family::kEmbedding, embeddings[0].first);
  });
  ExpectRepaired("embeddings", [&](StoreBatch* batch) {
    batch->Put(Family::kEmbedding,
               EmbeddingKey(EmbeddingPrefix("other", Sha256Of("x")), docs_, 9999),
               EncodeOwner({1, 2}));
  });
}

TEST_F(CheckTest, OrphanedRowsAreRemoved) {
  const auto chunks = Rows(Family::kChunk, Docs());
  const auto vectors = Rows(Family::kVector, Docs());
  ExpectRepaired("documents", [&](StoreBatch* batch) {
    // Rows of a version that nothing names.
    const Result<std::pair<ChunkRecord, VersionId>> chunk = DecodeChunk(chunks[0].second);
    ASSERT_TRUE(chunk.ok());
    batch->Put(Family::kChunk, ChunkKey(docs_, 12345), EncodeChunk(chunk->first, 777));
    batch->Put(Family::kPage, PageKey(VersionKey(docs_, 1, 777), 1), "x");
    batch->Put(Family::kBatch, BatchKey(VersionKey(docs_, 1, 777), 12345), "x");
    const std::vector<float> values(kTestDimensions, 0.5f);
    batch->Put(Family::kVector, ChunkKey(docs_, 12345),
               EncodeVector({1, 777}, values.data(), values.size()));
  });
  ExpectRepaired("leftovers", [&](StoreBatch* batch) {
    batch->Put(Family::kVector, ChunkKey(4242, 1), vectors[0].second);
    batch->Put(Family::kRecord, records::RowKey(4243, 1), "x");
  });
  ExpectRepaired("collections", [&](StoreBatch* batch) {
    batch->Put(Family::kMeta, MetaStatsKey(4244), EncodeStats({}));
    batch->Put(Family::kMeta, records::NameKey("ghost"), records::EncodeIdRow(1));
    batch->Delete(Family::kMeta, records::NameKey("c"));
  });
}

TEST_F(CheckTest, LostRowsOfDocumentsAreFoundAndNotInvented) {
  const auto vectors = Rows(Family::kVector, Docs());
  ExpectFound("documents",
              [&](StoreBatch* batch) { batch->Delete(Family::kVector, vectors[3].first); });
}

TEST_F(CheckTest, DamagedRowsOfDocumentsAreFound) {
  for (const Family family : {Family::kDocument, Family::kPage, Family::kVector, Family::kBatch}) {
    const auto rows = Rows(family, Docs());
    ASSERT_FALSE(rows.empty());
    Apply([&](StoreBatch* batch) {
      batch->Put(family, rows[0].first, rows[0].second.substr(0, rows[0].second.size() / 2));
    });
    const CheckReport report = Check();
    EXPECT_TRUE(Has(report, "documents")) << FamilyName(family) << Describe(report);
    EXPECT_FALSE(report.clean());
    Open(dir_);
    Apply([&](StoreBatch* batch) { batch->Put(family, rows[0].first, rows[0].second); });
  }
}

TEST_F(CheckTest, KeywordsAreRebuilt) {
  const auto damage_all = [&](CollectionId id) {
    return [this, id](StoreBatch* batch) {
      for (const auto& [key, value] : Rows(Family::kPosting, CollectionKey(id))) {
        batch->Put(Family::kPosting, key, value.substr(0, value.size() - 1));
      }
    };
  };
  ExpectRepaired("keywords", damage_all(docs_));
  ExpectRepaired("keywords", damage_all(records_id_));
  SearchRequest request;
  request.mode = SearchMode::kKeyword;
  request.text = "source";
  request.top_k = 20;
  const auto found = database_->Search(docs_, request, {});
  ASSERT_TRUE(found.ok()) << found.status().ToString();
  EXPECT_EQ(found->size(), 15u);
}

TEST_F(CheckTest, KeywordsThatDifferFromTheTextAreFound) {
  // The lists are sound, but say something else: those of another document's batch.
  const auto postings = Rows(Family::kPosting, Docs());
  ASSERT_FALSE(postings.empty());
  ExpectRepaired("keywords", [&](StoreBatch* batch) {
    keywords::RunBuilder run;
    const std::array<std::string_view, 2> texts = {"Heading", "quite another text"};
    ASSERT_TRUE(run.Add(1, texts).ok());
    for (const auto& [key, value] : postings) batch->Delete(Family::kPosting, key);
    batch->Put(Family::kPosting, keywords::SegmentKey({docs_, 0}, keywords::KeyKind::kRunRows, 1),
               run.rows().Encode());
    batch->Put(Family::kPosting, keywords::SegmentKey({docs_, 0}, keywords::KeyKind::kRun, 1),
               run.Encode());
  });
}

TEST_F(CheckTest, DocumentsOfARebuiltIndexAreStillRemovedWhole) {
  ExpectRepaired("keywords", [&](StoreBatch* batch) {
    for (const auto& [key, value] : Rows(Family::kPosting, Docs())) {
      batch->Delete(Family::kPosting, key);
    }
  });
  const auto list = database_->ListDocuments(docs_, 0, 10);
  for (const DocumentInfo& info : *list) {
    ASSERT_TRUE(database_->DeleteDocument(docs_, info.id, Batch()).ok());
  }
  ASSERT_TRUE(PurgeDeleted(Data(), {}).ok());
  EXPECT_TRUE(Rows(Family::kPosting, Docs()).empty());
}

TEST_F(CheckTest, IdsAreMadeFromRecords) {
  const auto ids = Rows(Family::kRecordId, RecordsKey());
  ExpectRepaired("records",
                 [&](StoreBatch* batch) { batch->Delete(Family::kRecordId, ids[2].first); });
}

TEST_F(CheckTest, LostAndDamagedRecordsAreFound) {
  const auto rows = Rows(Family::kRecord, RecordsKey());
  ExpectFound("records", [&](StoreBatch* batch) { batch->Delete(Family::kRecord, rows[1].first); });
  ExpectFound("records", [&](StoreBatch* batch) {
    batch->Put(Family::kRecord, rows[2].first, rows[2].second.substr(0, 9));
  });
}

TEST_F(CheckTest, RequestsAreMatched) {
  const std::string prefix = records::RequestTimePrefix(records_id_);
  const auto times = Rows(Family::kRecordRequest, prefix);
  ASSERT_EQ(times.size(), 1u);
  ExpectRepaired("requests", [&](StoreBatch* batch) {
    batch->Delete(Family::kRecordRequest, times[0].first);
    batch->Put(Family::kRecordRequest, records::RequestTimeKey(records_id_, 5, "nobody"), "\1");
  });
}

TEST_F(CheckTest, RequestsOfServicesBelongToNoCollection) {
  const std::string key = records::RequestKey(records::kServiceRequests, "Method");
  const std::string time = records::RequestTimeKey(records::kServiceRequests, 7, "Method");
  Apply([&](StoreBatch* batch) {
    batch->Put(Family::kRecordRequest, key, records::EncodeRequest({1, 7, "outcome"}));
    batch->Put(Family::kRecordRequest, time, "\1");
  });
  const CheckReport report = Check();
  EXPECT_EQ(report.count, 0u) << Describe(report);
  Open(dir_);
  ExpectRepaired("requests",
                 [&](StoreBatch* batch) { batch->Delete(Family::kRecordRequest, key); });
}

TEST_F(CheckTest, OriginalsAreCompared) {
  const fs::path path = *blobs_->Find(blob_);
  WriteAll(path, "wrong");
  const std::string orphan = Sha256Of("orphan").Hex();
  Close();
  fs::create_directories(dir_ / "blobs" / orphan.substr(0, 2));
  WriteAll(dir_ / "blobs" / orphan.substr(0, 2) / orphan, "orphan");
  CheckReport report = Check(/*repair=*/true);
  EXPECT_EQ(report.count, 2u) << Describe(report);
  EXPECT_EQ(report.repaired, 1u) << "only what nothing needs is removed";
  EXPECT_FALSE(fs::exists(dir_ / "blobs" / orphan.substr(0, 2) / orphan));
  EXPECT_EQ(ReadAll(path), "wrong");
  fs::remove(path);
  report = Check();
  EXPECT_EQ(report.count, 1u);
  EXPECT_NE(report.findings[0].what.find("doc-1"), std::string::npos);
}

TEST_F(CheckTest, DamagedTablesAreNamed) {
  ASSERT_TRUE(core().store().Compact(Family::kVector).ok());
  Close();
  fs::path table;
  for (const fs::path& file : FilesBelow(dir_ / "db" / "rocksdb")) {
    if (file.extension() == ".sst") table = file;
  }
  std::string bytes = ReadAll(table);
  bytes[10] = static_cast<char>(bytes[10] ^ 1);
  WriteAll(table, bytes);
  const CheckReport report = Check();
  ASSERT_FALSE(report.clean());
  EXPECT_TRUE(Has(report, "tables")) << Describe(report);
  EXPECT_NE(Describe(report).find(table.filename().string()), std::string::npos)
      << Describe(report);
}

TEST_F(CheckTest, TablesThatACompactionRemovesMeanwhileAreNotMissing) {
  Store* const store = &core().store();
  ASSERT_TRUE(store->Flush().ok());
  const auto live_tables = [&] {
    std::vector<std::string> tables;
    std::vector<rocksdb::LiveFileMetaData> files;
    store->rocks()->GetLiveFilesMetaData(&files);
    for (const auto& file : files) tables.push_back(file.db_path + file.name);
    return tables;
  };
  const std::vector<std::string> before = live_tables();
  Operation operation;
  operation.progress = [&](std::string_view, uint64_t, uint64_t) {
    for (size_t i = 0; i < kFamilies; ++i) {
      RETURN_IF_ERROR(store->Compact(static_cast<Family>(i)));
    }
    // Waits for the removal that a compaction leaves to a thread.
    return FromRocks(store->rocks()->EnableFileDeletions(/*force=*/true), "remove old files");
  };
  const CheckOptions options;
  CheckReport report;
  operations::Findings findings(options, store, &report);
  operations::Steps steps(&operation);
  operations::CheckEnv env;
  env.options = &options;
  env.store = store;
  env.findings = &findings;
  env.steps = &steps;
  env.report = &report;
  ASSERT_TRUE(operations::CheckTables(&env).ok());
  EXPECT_EQ(report.count, 0u) << Describe(report);
  EXPECT_TRUE(std::any_of(before.begin(), before.end(), [](const std::string& table) {
    return !fs::exists(table);
  })) << "none was removed meanwhile";

  operation.progress = nullptr;
  ASSERT_TRUE(fs::remove(live_tables().front()));
  ASSERT_TRUE(operations::CheckTables(&env).ok());
  EXPECT_EQ(report.count, 1u) << "one that is missing is found still";
}

TEST_F(CheckTest, DirectoryWithoutADatabaseIsRefusedAndStaysEmpty) {
  Close();
  const fs::path empty = folder_.path() / "empty";
  fs::create_directories(empty);
  CheckOptions options;
  options.dir = empty;
  EXPECT_EQ(CheckData(options, {}).status().code(), StatusCode::kNotFound);
  EXPECT_TRUE(fs::is_empty(empty));
}

TEST_F(CheckTest, OnlySoManyFindingsAreKeptAndAllAreCounted) {
  Apply([&](StoreBatch* batch) {
    for (uint64_t i = 0; i < 30; ++i) {
      batch->Put(Family::kSource, SourceKey(docs_, "s" + std::to_string(i)), EncodeNumber(1));
    }
  });
  Close();
  CheckOptions options;
  options.dir = dir_;
  options.findings_max = 7;
  const auto report = CheckData(options, {});
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->count, 30u);
  EXPECT_EQ(report->findings.size(), 7u);
}

}  // namespace
}  // namespace ragstone::index
