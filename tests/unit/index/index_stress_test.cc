// Sixteen threads write, replace, delete and search for a moment. A document's chunks all carry its
// generation, so a search that saw half of a version, or two at once, would show it. Longer with
// RAGSTONE_STRESS_SECONDS; the seed is printed and can be given as RAGSTONE_STRESS_SEED.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <iostream>
#include <map>
#include <thread>

#include "tests/unit/index/test_database.h"

namespace ragstone::index {
namespace {

constexpr int kWriters = 6;
constexpr int kReaders = 8;
constexpr int kChunks = 6;

int FromEnvironment(const char* name, int value) {
  const char* text = std::getenv(name);
  return text == nullptr ? value : std::atoi(text);
}

class Stress {
 public:
  Stress(Database* database, int seconds, uint64_t seed)
      : database_(database),
        seed_(seed),
        end_(std::chrono::steady_clock::now() + std::chrono::seconds(seconds)) {
    collection_ = database->CreateCollection(TestSpec("stress"), Batch())->id;
  }

  void Run() {
    std::vector<std::thread> threads;
    for (int i = 0; i < kWriters; ++i) threads.emplace_back([this, i] { Write(i); });
    for (int i = 0; i < kReaders; ++i) threads.emplace_back([this, i] { Read(i); });
    threads.emplace_back([this] { ChurnCollections(); });
    threads.emplace_back([this] { ReadDocuments(); });
    for (std::thread& thread : threads) thread.join();
  }

  int searches() const { return searches_.load(); }
  int commits() const { return commits_.load(); }
  CollectionId collection() const { return collection_; }

 private:
  bool Running() const { return std::chrono::steady_clock::now() < end_; }

  // Every writer owns one document and replaces or deletes it.
  void Write(int number) {
    std::mt19937 random(seed_ + static_cast<uint64_t>(number));
    const Result<DocumentId> id = database_->NewDocumentId();
    ASSERT_TRUE(id.ok());
    for (int generation = 0; Running(); ++generation) {
      const std::string mark = "w" + std::to_string(number) + "g" + std::to_string(generation);
      std::vector<std::string> texts(kChunks, "everywhere " + mark);
      if (random() % 5 == 0) {  // abandoned
        const auto writer = database_->BeginDocument(collection_, *id);
        ASSERT_TRUE(writer.ok());
        ASSERT_TRUE(WriteRows({"s" + std::to_string(number), texts, 1}, writer->get()).ok());
        continue;
      }
      const auto info =
          PutDocument(database_, collection_, {"s" + std::to_string(number), texts, 1}, *id);
      ASSERT_TRUE(info.ok()) << info.status().ToString();
      ++commits_;
      if (random() % 4 == 0) {
        ASSERT_TRUE(database_->DeleteDocument(collection_, *id, Batch()).ok());
      }
    }
  }

  // All or nothing of each document: kChunks hits of it or none, in every mode.
  void Read(int number) {
    const std::vector<float> vector = UnitVector(static_cast<uint64_t>(number));
    for (int round = 0; Running(); ++round) {
      SearchRequest request;
      request.mode = static_cast<SearchMode>((round + number) % 3);
      request.text = "everywhere";
      request.vector = vector;
      request.top_k = 1000;
      const auto hits = database_->Search(collection_, request, CallContext());
      ASSERT_TRUE(hits.ok()) << hits.status().ToString();
      std::map<DocumentId, int> counts;
      for (const SearchHit& hit : *hits) ++counts[hit.document];
      for (const auto& [document, count] : counts) {
        ASSERT_EQ(count, kChunks) << "document " << document << " was seen in part";
      }
      if (!counts.empty()) {
        request.documents = {counts.begin()->first};
        const auto some = database_->Search(collection_, request, CallContext());
        ASSERT_TRUE(some.ok()) << some.status().ToString();
        ASSERT_TRUE(some->empty() || some->size() == kChunks) << some->size();
      }
      ASSERT_TRUE(database_->TermWeights(collection_, "everywhere").ok());
      ++searches_;
    }
  }

  // Creates, fills, searches and deletes collections.
  void ChurnCollections() {
    while (Running()) {
      const auto info = database_->CreateCollection(TestSpec("churn"), Batch());
      ASSERT_TRUE(info.ok()) << info.status().ToString();
      std::thread reader([this, id = info->id] {
        const std::vector<float> vector = UnitVector(1);
        SearchRequest request;
        request.text = "everywhere";
        request.vector = vector;
        for (int i = 0; i < 20; ++i) {
          const auto hits = database_->Search(id, request, CallContext());
          if (!hits.ok()) {
            ASSERT_EQ(hits.status().reason(), Reason::kCollectionNotFound)
                << hits.status().ToString();
          } else {
            ASSERT_TRUE(hits->empty() || hits->size() == 3u) << hits->size();
          }
        }
      });
      const std::vector<std::string> texts(3, "everywhere");
      EXPECT_TRUE(PutDocument(database_, info->id, {"x", texts, 1}).ok());
      EXPECT_TRUE(database_->DeleteCollection("churn", Batch()).ok());
      reader.join();
    }
  }

  void ReadDocuments() {
    while (Running()) {
      const auto list = database_->ListDocuments(collection_, 0, 100);
      ASSERT_TRUE(list.ok());
      for (const DocumentInfo& info : *list) {
        const auto chunks = database_->GetChunkRange(collection_, info.id, 0, 100);
        ASSERT_TRUE(chunks.ok() || chunks.status().code() == StatusCode::kNotFound)
            << chunks.status().ToString();
        if (chunks.ok()) {
          ASSERT_EQ(chunks->size(), static_cast<size_t>(kChunks));
        }
        const auto page = database_->GetPage(collection_, info.id, 1);
        ASSERT_TRUE(page.ok() || page.status().code() == StatusCode::kNotFound);
        const Status touched = database_->TouchDocument(collection_, info.id);
        ASSERT_TRUE(touched.ok() || touched.code() == StatusCode::kNotFound);
      }
      const std::vector<Sha256Digest> hashes = {Sha256Of("everywhere")};
      ASSERT_TRUE(database_->FindEmbeddings("test-fingerprint", hashes).ok());
      database_->Counters();
    }
  }

  Database* const database_;
  const uint64_t seed_;
  const std::chrono::steady_clock::time_point end_;
  CollectionId collection_ = 0;
  std::atomic<int> searches_{0};
  std::atomic<int> commits_{0};
};

TEST(IndexStressTest, SearchesSeeAllOfAVersionOrNone) {
  const uint64_t seed = static_cast<uint64_t>(FromEnvironment("RAGSTONE_STRESS_SEED", 17));
  const int seconds = FromEnvironment("RAGSTONE_STRESS_SECONDS", 4);
  std::cout << "seed " << seed << ", " << seconds << " s\n";
  const TemporaryFolder folder;
  // A small graph limit, so that sealing, joining and graph building run beside the searches.
  const std::unique_ptr<Database> database = OpenDatabase(folder.path(), 100);
  ASSERT_NE(database, nullptr);
  Stress stress(database.get(), seconds, seed);
  stress.Run();
  std::cout << stress.commits() << " commits, " << stress.searches() << " searches\n";
  EXPECT_GT(stress.commits(), 0);
  EXPECT_GT(stress.searches(), 0);
  const auto documents = database->ListDocuments(stress.collection(), 0, 1000);
  for (const DocumentInfo& info : *documents) {
    ASSERT_TRUE(database->DeleteDocument(stress.collection(), info.id, Batch()).ok());
  }
  Clean(database.get());
  EXPECT_EQ(CountAllKeys(database.get()), std::vector<size_t>(DocumentFamilies().size(), 0));
}

}  // namespace
}  // namespace ragstone::index
