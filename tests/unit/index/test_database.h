#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "index/database.h"
#include "index/internal/database_impl.h"
#include "index/internal/keyword.h"

namespace ragstone::index {

// A new folder that is removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string path = (std::filesystem::temp_directory_path() / "ragstone_index_XXXXXX").string();
    const char* made = mkdtemp(path.data());
    if (made == nullptr) ADD_FAILURE() << "cannot create a folder " << path;
    path_ = path;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Every file under `folder` with its size and time of change; less, if one goes meanwhile.
inline std::map<std::string, std::pair<uintmax_t, int64_t>> ListingOf(
    const std::filesystem::path& folder) {
  std::map<std::string, std::pair<uintmax_t, int64_t>> listing;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code gone;
    const uintmax_t bytes = it->is_regular_file(gone) ? it->file_size(gone) : 0;
    const auto changed = it->last_write_time(gone).time_since_epoch().count();
    if (!gone) listing[it->path().string()] = {bytes, changed};
  }
  return listing;
}

// Copies a folder that a database has open, as a crash would leave it: all files of one moment.
// RocksDB's own threads add and remove files when they like, so it is copied until none did.
inline void CopyAsAfterACrash(const std::filesystem::path& from, const std::filesystem::path& to) {
  for (int attempt = 0; attempt < 1000; ++attempt) {
    std::error_code error;
    std::filesystem::remove_all(to, error);
    const auto before = ListingOf(from);
    std::filesystem::copy(from, to, std::filesystem::copy_options::recursive, error);
    if (!error && ListingOf(from) == before) return;
    usleep(10'000);
  }
  ADD_FAILURE() << from << " never stands still";
}

inline constexpr uint32_t kTestDimensions = 32;

inline CollectionSpec TestSpec(const std::string& name) {
  CollectionSpec spec;
  spec.name = name;
  spec.embedding_model = "test-model";
  spec.fingerprint = "test-fingerprint";
  spec.dimensions = kTestDimensions;
  return spec;
}

inline std::unique_ptr<Database> OpenDatabase(const std::filesystem::path& dir,
                                              uint32_t hnsw_vectors_min = 20'000) {
  DatabaseOptions options;
  options.dir = dir;
  options.memory_bytes = 32ull << 20;
  options.hnsw_vectors_min = hnsw_vectors_min;
  Result<std::unique_ptr<Database>> database = Database::Open(options, Clock::System());
  if (!database.ok()) {
    ADD_FAILURE() << database.status().ToString();
    return nullptr;
  }
  return std::move(database).value();
}

// A unit vector that depends on the seed only.
inline std::vector<float> UnitVector(uint64_t seed, size_t dimensions = kTestDimensions) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> vector(dimensions);
  double norm = 0;
  for (float& value : vector) {
    value = normal(random);
    norm += static_cast<double>(value) * value;
  }
  for (float& value : vector) value = static_cast<float>(value / std::sqrt(norm));
  return vector;
}

// A document whose chunks have the texts given; the vector of chunk i is UnitVector(seed + i).
struct TestDocument {
  std::string source;
  std::vector<std::string> texts;
  uint64_t seed = 0;
};

inline ChunkRecord TestChunk(uint32_t ordinal, const std::string& text) {
  ChunkRecord chunk;
  chunk.ordinal = ordinal;
  chunk.end = text.size();
  chunk.tokens = 7;
  chunk.heading = "Heading";
  chunk.text = text;
  chunk.embedded = Sha256Of(text);
  return chunk;
}

inline Status WriteRows(const TestDocument& document, DocumentWriter* writer) {
  PageRecord page;
  page.number = 1;
  page.label = "i";
  std::vector<ChunkRecord> chunks;
  std::vector<float> vectors;
  for (const std::string& text : document.texts) {
    const uint32_t ordinal = static_cast<uint32_t>(chunks.size());
    chunks.push_back(TestChunk(ordinal, text));
    const std::vector<float> vector = UnitVector(document.seed + ordinal);
    vectors.insert(vectors.end(), vector.begin(), vector.end());
    page.text += text + "\n";
  }
  page.words.push_back({0, 3, {1, 2, 3, 4}});
  RETURN_IF_ERROR(writer->AddPages({&page, 1}));
  return writer->AddChunks(chunks, vectors);
}

inline DocumentInfo TestInfo(const TestDocument& document) {
  DocumentInfo info;
  info.source = document.source;
  info.content = Sha256Of(document.source);
  info.media_type = "text/plain";
  info.title = "Title of " + document.source;
  info.pages = 1;
  return info;
}

// Adds or replaces; `id` 0 takes a new one.
inline Result<DocumentInfo> PutDocument(Database* database, CollectionId collection,
                                        const TestDocument& document, DocumentId id = 0) {
  if (id == 0) {
    ASSIGN_OR_RETURN(id, database->NewDocumentId());
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<DocumentWriter> writer,
                   database->BeginDocument(collection, id));
  RETURN_IF_ERROR(WriteRows(document, writer.get()));
  return writer->Commit(TestInfo(document), Batch());
}

inline size_t CountKeys(Database* database, Family family) {
  Core& core = static_cast<DatabaseImpl*>(database)->core();
  const std::unique_ptr<StoreIterator> it = core.store().NewIterator(family);
  size_t count = 0;
  for (it->Seek(""); it->Valid(); it->Next()) ++count;
  EXPECT_TRUE(it->status().ok());
  return count;
}

// The families that only documents put rows into.
inline const std::vector<Family>& DocumentFamilies() {
  static const std::vector<Family> kFamilies = {
      Family::kDocument, Family::kSource, Family::kPending, Family::kBatch,    Family::kPage,
      Family::kChunk,    Family::kVector, Family::kPosting, Family::kEmbedding};
  return kFamilies;
}

inline std::vector<size_t> CountAllKeys(Database* database) {
  std::vector<size_t> counts;
  for (const Family family : DocumentFamilies()) counts.push_back(CountKeys(database, family));
  return counts;
}

// Removes all that can be removed, beside the background thread.
inline void Clean(Database* database) {
  Cleaner& cleaner = static_cast<DatabaseImpl*>(database)->cleaner();
  for (;;) {
    const Result<size_t> waiting = cleaner.CleanOnce();
    ASSERT_TRUE(waiting.ok()) << waiting.status().ToString();
    if (*waiting == 0) break;
    usleep(1000);
  }
  // Keywords that were merged go when they are merged again.
  Core& core = static_cast<DatabaseImpl*>(database)->core();
  for (const std::shared_ptr<Collection>& collection : core.All()) {
    ASSERT_TRUE(collection->EnsureVersions(core.store()).ok());
    const Status compacted = collection->keywords().Compact(ChunkKeeper(collection.get()));
    ASSERT_TRUE(compacted.ok()) << compacted.ToString();
  }
}

}  // namespace ragstone::index
