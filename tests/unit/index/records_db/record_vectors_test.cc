// Sealed parts: graphs, compact indexes, merging, filters of every selectivity, churn. Covers
// vector_part.cc, vector_set.cc, vector_seal.cc and vector_search.cc.
#include <map>

#include "tests/unit/index/records_db/records_fixture.h"

namespace ragstone::index {
namespace {

class RecordVectorsTest : public RecordsFixture {
 protected:
  static constexpr int kRecords = 6000;
  static constexpr size_t kDims = 32;

  void Fill(VectorStorage storage, VectorMethod method) {
    seal_rows_ = 2000;
    Reopen();
    RecordCollectionSpec spec = Spec();
    spec.vectors[0].dimensions = kDims;
    spec.vectors[0].storage = storage;
    spec.vectors[0].method = method;
    Create(spec);
    for (int begin = 0; begin < kRecords; begin += 1000) {
      std::vector<Record> records;
      for (int i = begin; i < begin + 1000; ++i) {
        const std::string id = "r" + std::to_string(i);
        vectors_[id] = RandomDense(&random_, kDims);
        records.push_back(MakeRecord(id, vectors_[id], {{"year", int64_t{i}}}));
      }
      Put(std::move(records));
    }
    // Loads the indexes.
    Search(Nearest(RandomDense(&random_, kDims), 1));
    Maintain();
  }

  std::vector<std::string> Exact(const DenseVector& query, size_t k, int before) const {
    std::vector<std::pair<double, std::string>> found;
    for (const auto& [id, vector] : vectors_) {
      if (std::stoi(id.substr(1)) >= before) continue;
      double dot = 0, norm = 0;
      for (size_t i = 0; i < kDims; ++i) {
        dot += double{query[i]} * double{vector[i]};
        norm += double{vector[i]} * double{vector[i]};
      }
      found.emplace_back(-dot / std::sqrt(norm), id);
    }
    std::sort(found.begin(), found.end());
    std::vector<std::string> ids;
    for (size_t i = 0; i < std::min(k, found.size()); ++i) ids.push_back(found[i].second);
    return ids;
  }

  // Mean recall of ten nearest; every search must return min(10, matches).
  double Recall(int before, bool exact = false) {
    constexpr int kQueries = 50;
    double recall = 0;
    for (int i = 0; i < kQueries; ++i) {
      const DenseVector query = RandomDense(&random_, kDims);
      RecordSearch search = Nearest(query, 10, "year < " + std::to_string(before));
      if (before >= kRecords) search.filter = Filter();
      search.exact = exact;
      const std::vector<std::string> found = IdsOf(Search(search));
      const std::vector<std::string> truth = Exact(query, 10, before);
      EXPECT_EQ(found.size(), truth.size());
      double common = 0;
      for (const std::string& id : truth) {
        common += std::count(found.begin(), found.end(), id) == 1 ? 1 : 0;
      }
      recall += truth.empty() ? 1 : common / static_cast<double>(truth.size());
    }
    return recall / kQueries;
  }

  std::string Index() { return records_->GetCollection("c")->index.at(0); }

  std::mt19937_64 random_{11};
  std::map<std::string, DenseVector> vectors_;
};

TEST_F(RecordVectorsTest, GraphsFindTheNearestAtEverySelectivity) {
  Fill(VectorStorage::kInt8, VectorMethod::kHnsw);
  EXPECT_NE(Index().find("HNSW"), std::string::npos) << Index();
  EXPECT_NE(Index().find("measured"), std::string::npos) << Index();
  for (const int before : {kRecords, 3000, 600, 60, 6, 1, 0}) {
    EXPECT_GE(Recall(before), 0.95) << before << " " << Index();
  }
  EXPECT_EQ(Recall(kRecords, /*exact=*/true), 1.0);
}

TEST_F(RecordVectorsTest, DeletedAndReplacedRecordsAreNotFoundInSealedParts) {
  Fill(VectorStorage::kFloat32, VectorMethod::kHnsw);
  std::vector<std::string> gone;
  for (int i = 0; i < kRecords; i += 2) gone.push_back("r" + std::to_string(i));
  for (const std::string& id : gone) vectors_.erase(id);
  EXPECT_EQ(Delete(gone).affected, gone.size());
  std::vector<Record> replaced;
  for (int i = 1; i < kRecords; i += 6) {
    const std::string id = "r" + std::to_string(i);
    vectors_[id] = RandomDense(&random_, kDims);
    replaced.push_back(MakeRecord(id, vectors_[id], {{"year", int64_t{i}}}));
  }
  Put(std::move(replaced));
  for (int round = 0; round < 3; ++round) {
    EXPECT_GE(Recall(kRecords), 0.95) << round << " " << Index();
    EXPECT_GE(Recall(600), 0.95) << round;
    if (round == 0) Maintain();
    if (round == 1) Reopen();
  }
  // Every live record is found by its own vector.
  for (const auto& [id, vector] : vectors_) {
    ASSERT_EQ(IdsOf(Search(Nearest(vector, 1))), (std::vector<std::string>{id}));
  }
}

TEST_F(RecordVectorsTest, CompactIndexesAreRankedByTheVectorsAsGiven) {
  Fill(VectorStorage::kFloat32, VectorMethod::kLsh);
  EXPECT_NE(Index().find("LSH"), std::string::npos) << Index();
  for (const int before : {kRecords, 600, 6}) EXPECT_GE(Recall(before), 0.3) << before;
  EXPECT_EQ(Recall(kRecords, /*exact=*/true), 1.0);
  vectors_.erase("r7");
  Delete({"r7"});
  EXPECT_EQ(Recall(60, /*exact=*/true), 1.0);
}

TEST_F(RecordVectorsTest, TooFewRowsForIvfPqAreScanned) {
  Fill(VectorStorage::kFloat32, VectorMethod::kIvfPq);
  EXPECT_EQ(Recall(kRecords), 1.0) << Index();
}

TEST_F(RecordVectorsTest, BinaryStorageIsRankedByTheVectorsAsGiven) {
  Fill(VectorStorage::kBinary, VectorMethod::kExact);
  EXPECT_EQ(Recall(kRecords), 1.0);
  EXPECT_EQ(Recall(60), 1.0);
}

TEST_F(RecordVectorsTest, PartsAreMergedSoThatThereAreFew) {
  Fill(VectorStorage::kFloat32, VectorMethod::kExact);
  Maintain();
  const auto state = (*impl().Find("c"))->State();
  EXPECT_LE(state->indexes->vectors.at("").size(), 2u);
}

}  // namespace
}  // namespace ragstone::index
