// Sealed parts: graphs, compact indexes, merging, filters of every selectivity, churn. Covers
// vector_part.cc, vector_set.cc, vector_seal.cc and vector_search.cc.
#include <algorithm>
#include <cstdlib>
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

// Rows lie in tight heaps, questions between them.
class AskedRecallTest : public RecordVectorsTest {
 protected:
  static constexpr size_t kHeaps = 40;

  void SetUp() override {
    RecordVectorsTest::SetUp();
    for (size_t i = 0; i < kHeaps; ++i) heaps_.push_back(RandomDense(&random_, kDims));
    seal_rows_ = 2000;
    Reopen();
    RecordCollectionSpec spec = Spec();
    spec.vectors[0].dimensions = kDims;
    spec.vectors[0].method = VectorMethod::kHnsw;
    Create(spec);
  }
  DenseVector BetweenHeaps(double share, float noise) {
    const DenseVector& one = heaps_[random_() % kHeaps];
    const DenseVector& other = heaps_[random_() % kHeaps];
    DenseVector vector = RandomDense(&random_, kDims);
    for (size_t d = 0; d < kDims; ++d) {
      vector[d] = noise * vector[d] + static_cast<float>(share) * one[d] +
                  static_cast<float>(1 - share) * other[d];
    }
    return vector;
  }
  void PutRows(int count) {
    std::vector<Record> records;
    for (int i = 0; i < count; ++i) {
      records.push_back(MakeRecord("r" + std::to_string(rows_++), BetweenHeaps(1, 0.1f)));
    }
    Put(std::move(records));
  }
  // The recall of so many questions.
  double Ask(int count) {
    double found = 0;
    for (int i = 0; i < count; ++i) {
      RecordSearch search = Nearest(BetweenHeaps(0.5, 0.5f), 10);
      const std::vector<std::string> ids = IdsOf(Search(search));
      search.exact = true;
      for (const std::string& id : IdsOf(Search(search))) {
        found += static_cast<double>(std::count(ids.begin(), ids.end(), id)) / 10.0;
      }
    }
    return found / count;
  }
  std::string Described() { return records_->GetCollection("c")->index[0]; }
  bool ByAsked() { return Described().find("queries that were asked") != std::string::npos; }
  int Ef() {
    const std::string text = Described();
    return std::atoi(text.c_str() + text.find("; ef ") + 5);
  }

 private:
  std::vector<DenseVector> heaps_;
  int rows_ = 0;
};

TEST_F(AskedRecallTest, RecallIsMeasuredByWhatIsAsked) {
  for (int i = 0; i < 6; ++i) PutRows(1000);
  Ask(1);  // loads the indexes
  Maintain();
  ASSERT_NE(Described().find("graph of 6000"), std::string::npos) << Described();
  ASSERT_FALSE(ByAsked()) << Described();
  const int by_rows = Ef();
  const double before = Ask(vectors::AskedQueries::kFirst);
  Maintain();
  EXPECT_TRUE(ByAsked()) << Described();
  EXPECT_GT(Ef(), by_rows);
  const double after = Ask(200);
  EXPECT_GT(after, before);
  EXPECT_GE(after, 0.97);
  // A part that is made from it begins with what was asked.
  const std::string measured = "graph of 6000";
  for (int i = 0; i < 30 && Described().find(measured) != std::string::npos; ++i) {
    PutRows(1000);
    Maintain();
  }
  ASSERT_EQ(Described().find(measured), std::string::npos) << Described();
  EXPECT_TRUE(ByAsked()) << Described();
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
