#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "index/blob_store.h"
#include "index/operations.h"
#include "tests/unit/index/records_db/records_fixture.h"

namespace ragstone::index {

namespace fs = std::filesystem;

inline std::string ReadAll(const fs::path& path) {
  const Result<std::string> bytes = ReadFile(path);
  EXPECT_TRUE(bytes.ok()) << bytes.status().ToString();
  return bytes.ok() ? *bytes : "";
}

inline void WriteAll(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// Every file below a folder, in order of paths.
inline std::vector<fs::path> FilesBelow(const fs::path& dir) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(dir)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// Files below a folder that hold the text.
inline std::vector<fs::path> FilesWith(const fs::path& dir, const std::string& text) {
  std::vector<fs::path> with;
  for (const fs::path& file : FilesBelow(dir)) {
    if (ReadAll(file).find(text) != std::string::npos) with.push_back(file);
  }
  return with;
}

// Random letters, which no compression makes shorter than itself in a search for them.
inline std::string RandomLetters(std::mt19937_64* random, size_t length) {
  std::string text;
  for (size_t i = 0; i < length; ++i) text += static_cast<char>('a' + (*random)() % 26);
  return text;
}

// A data directory with a database, records and originals, that can be opened again and elsewhere.
class OperationsFixture : public ::testing::Test {
 protected:
  void SetUp() override { Open(data_dir()); }
  void TearDown() override { Close(); }

  fs::path data_dir() const { return folder_.path() / "data"; }
  fs::path backups() const { return folder_.path() / "backups"; }

  void Open(const fs::path& dir) {
    Close();
    dir_ = dir;
    DatabaseOptions options;
    options.dir = dir / "db";
    options.memory_bytes = 32ull << 20;
    auto database = Database::Open(options, &clock_);
    ASSERT_TRUE(database.ok()) << database.status().ToString();
    database_ = std::move(*database);
    auto records = RecordDatabase::Open(database_.get(), &clock_);
    ASSERT_TRUE(records.ok()) << records.status().ToString();
    records_ = std::move(*records);
    auto blobs = BlobStore::Open(dir / "blobs", database_.get(), 1 << 20);
    ASSERT_TRUE(blobs.ok()) << blobs.status().ToString();
    blobs_ = std::move(*blobs);
  }
  void Close() {
    blobs_.reset();
    records_.reset();
    database_.reset();
  }

  OpenData Data() { return {dir_, database_.get(), records_.get(), blobs_.get(), Clock::System()}; }
  Core& core() { return static_cast<DatabaseImpl*>(database_.get())->core(); }
  records::RecordDatabaseImpl& impl() {
    return static_cast<records::RecordDatabaseImpl&>(*records_);
  }

  // A collection "docs" with documents, one "c" with records, and an original.
  void Fill(int documents = 5) {
    const auto info = database_->CreateCollection(TestSpec("docs"), Batch());
    ASSERT_TRUE(info.ok()) << info.status().ToString();
    docs_ = info->id;
    for (int i = 0; i < documents; ++i) PutDocument("source " + std::to_string(i), i);
    RecordCollectionSpec spec;
    spec.name = "c";
    spec.vectors.resize(1);
    spec.vectors[0].dimensions = 4;
    const Result<Schema> schema =
        Schema::Create({{"year", FieldType::kInteger}, {"body", FieldType::kText}});
    ASSERT_TRUE(schema.ok());
    spec.schema = *schema;
    const auto created = records_->CreateCollection(spec);
    ASSERT_TRUE(created.ok()) << created.status().ToString();
    for (int i = 0; i < 20; ++i) PutRecord("r" + std::to_string(i), "text of record");
    blob_ = PutBlob("the bytes of an original", "doc-1");
  }
  void PutDocument(const std::string& source, int seed) {
    TestDocument document;
    document.source = source;
    document.seed = static_cast<uint64_t>(seed) * 100;
    for (int i = 0; i < 3; ++i) {
      document.texts.push_back("chunk " + std::to_string(i) + " of " + source);
    }
    const auto info = index::PutDocument(database_.get(), docs_, document);
    ASSERT_TRUE(info.ok()) << info.status().ToString();
    last_document_ = info->id;
  }
  void PutRecord(const std::string& id, const std::string& body, const std::string& request = "") {
    Record record;
    record.id = id;
    record.vectors[""] = DenseVector{1, 2, 3, 4};
    record.payload["year"] = int64_t{2020};
    record.payload["body"] = body;
    WriteOptions options;
    options.request_id = request;
    const auto result = records_->Upsert("c", {record}, options, {});
    ASSERT_TRUE(result.ok()) << result.status().ToString();
    last_version_ = result->version;
  }
  Sha256Digest PutBlob(const std::string& bytes, const std::string& holder) {
    auto writer = blobs_->Create();
    EXPECT_TRUE(writer.ok() && (*writer)->Append(bytes).ok());
    const auto blob = (*writer)->Finish();
    EXPECT_TRUE(blob.ok());
    Batch batch;
    blobs_->AddReference(*blob, holder, &batch);
    EXPECT_TRUE(database_->Write(std::move(batch)).ok());
    return *blob;
  }
  void DropBlob(const Sha256Digest& blob, const std::string& holder) {
    Batch batch;
    blobs_->DropReference(blob, holder, &batch);
    ASSERT_TRUE(database_->Write(std::move(batch)).ok());
    ASSERT_TRUE(blobs_->RemoveIfUnreferenced(blob).ok());
  }

  BackupOutcome Backup(size_t keep = 0) {
    const auto outcome = CreateBackup(Data(), {backups(), "", keep}, {});
    EXPECT_TRUE(outcome.ok()) << outcome.status().ToString();
    return outcome.ok() ? *outcome : BackupOutcome();
  }
  CheckReport Check(bool repair = false) {
    Close();
    CheckOptions options;
    options.dir = dir_;
    options.memory_bytes = 16 << 20;
    options.repair = repair;
    const auto report = CheckData(options, {});
    EXPECT_TRUE(report.ok()) << report.status().ToString();
    return report.ok() ? *report : CheckReport();
  }
  uint64_t CountRecords() {
    const auto count = records_->Count("c", Filter(), {});
    EXPECT_TRUE(count.ok()) << count.status().ToString();
    return count.ok() ? *count : 0;
  }

  TemporaryFolder folder_;
  const Clock& clock_ = *Clock::System();
  fs::path dir_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<RecordDatabase> records_;
  std::unique_ptr<BlobStore> blobs_;
  CollectionId docs_ = 0;
  DocumentId last_document_ = 0;
  uint64_t last_version_ = 0;
  Sha256Digest blob_;
};

}  // namespace ragstone::index
