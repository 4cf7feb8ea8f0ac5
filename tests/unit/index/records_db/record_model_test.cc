// Random operations against a map and exact search, with reopening, copies and background work.
// Covers record_loader.cc and record_state.cc.
#include <cstdlib>
#include <map>

#include "tests/unit/index/records_db/records_fixture.h"

namespace ragstone::index {
namespace {

int FromEnvironment(const char* name, int value) {
  const char* text = std::getenv(name);
  return text == nullptr ? value : std::atoi(text);
}

struct Modelled {
  DenseVector vector;
  Payload payload;
  uint64_t version = 0;
};

class RecordModelTest : public RecordsFixture {
 protected:
  using Model = std::map<std::string, Modelled>;

  std::string RandomId() { return "id" + std::to_string(random_() % 400); }
  int64_t Year() { return static_cast<int64_t>(random_() % 20); }

  Payload RandomPayload() {
    Payload payload;
    if (random_() % 4 != 0) payload["lang"] = std::string(random_() % 2 == 0 ? "en" : "de");
    payload["year"] = Year();
    if (random_() % 2 == 0) payload["note"] = std::string("n") + std::to_string(random_() % 3);
    if (random_() % 3 == 0) payload["body"] = "word" + std::to_string(random_() % 5);
    return payload;
  }

  void RandomUpsert() {
    std::map<std::string, Modelled> changed;
    for (size_t i = random_() % 12; i-- > 0;) {
      changed[RandomId()] = {RandomDense(&random_, kDimensions), RandomPayload(), 0};
    }
    std::vector<Record> records;
    for (const auto& [id, state] : changed) {
      records.push_back(MakeRecord(id, state.vector, state.payload));
    }
    const WriteResult result = Put(std::move(records));
    EXPECT_EQ(result.affected, changed.size());
    for (auto& [id, state] : changed) {
      state.version = result.version;
      model_[id] = state;
    }
  }

  void RandomDelete() {
    const std::string id = RandomId();
    EXPECT_EQ(Delete({id}).affected, model_.erase(id));
  }

  static bool YearIs(const Modelled& state, int64_t year) {
    const auto at = state.payload.find("year");
    return at != state.payload.end() && std::get<int64_t>(at->second) == year;
  }

  void DeleteByFilter() {
    const int64_t year = Year();
    const auto result = records_->Delete(
        "c", Parsed("year = " + std::to_string(year) + " and lang = \"en\""), {}, {});
    ASSERT_TRUE(result.ok());
    const size_t erased = std::erase_if(model_, [&](const auto& entry) {
      const auto lang = entry.second.payload.find("lang");
      return YearIs(entry.second, year) && lang != entry.second.payload.end() &&
             lang->second == PayloadValue(std::string("en"));
    });
    EXPECT_EQ(result->affected, erased);
  }

  void UpdateByFilter() {
    const int64_t year = Year();
    PayloadChange change;
    change.set = {{"year", Year()}, {"note", std::monostate()}};
    const auto result =
        records_->UpdatePayload("c", Parsed("year = " + std::to_string(year)), change, {}, {});
    ASSERT_TRUE(result.ok());
    uint64_t affected = 0;
    for (auto& [id, state] : model_) {
      if (!YearIs(state, year)) continue;
      state.payload["year"] = change.set["year"];
      state.payload.erase("note");
      state.version = result->version;
      ++affected;
    }
    EXPECT_EQ(result->affected, affected);
  }

  std::vector<std::string> ExactIds(const DenseVector& query, size_t k, int64_t before) const {
    std::vector<std::pair<double, std::string>> found;
    for (const auto& [id, state] : model_) {
      const auto year = state.payload.find("year");
      if (std::get<int64_t>(year->second) >= before) continue;
      double distance = 0;
      for (size_t i = 0; i < query.size(); ++i) {
        distance += std::pow(double{query[i]} - double{state.vector[i]}, 2);
      }
      found.emplace_back(distance, id);
    }
    std::sort(found.begin(), found.end());
    std::vector<std::string> ids;
    for (size_t i = 0; i < std::min(k, found.size()); ++i) ids.push_back(found[i].second);
    return ids;
  }

  void CheckSearches() {
    const DenseVector query = RandomDense(&random_, kDimensions);
    EXPECT_EQ(IdsOf(Search(Nearest(query, 10))), ExactIds(query, 10, 100));
    const int64_t before = Year();
    EXPECT_EQ(IdsOf(Search(Nearest(query, 10, "year < " + std::to_string(before)))),
              ExactIds(query, 10, before));
    const auto counted = std::count_if(model_.begin(), model_.end(), [](const auto& entry) {
      return entry.second.payload.contains("note");
    });
    EXPECT_EQ(Count("note is not null"), static_cast<uint64_t>(counted));
  }

  void CheckAll() {
    ReadOptions options;
    options.vectors = true;
    const std::vector<Record> records = Scroll("", "", 10'000, options);
    ASSERT_EQ(records.size(), model_.size());
    EXPECT_EQ(Count(), model_.size());
    size_t i = 0;
    for (const auto& [id, state] : model_) {
      const Record& record = records[i++];
      ASSERT_EQ(record.id, id);
      EXPECT_EQ(record.payload, state.payload);
      EXPECT_EQ(record.version, state.version);
      EXPECT_EQ(std::get<DenseVector>(record.vectors.at("")), state.vector);
    }
  }

  void Step() {
    const uint64_t dice = random_() % 100;
    if (dice < 45) {
      RandomUpsert();
    } else if (dice < 65) {
      RandomDelete();
    } else if (dice < 68) {
      DeleteByFilter();
    } else if (dice < 71) {
      UpdateByFilter();
    } else if (dice < 97) {
      CheckSearches();
    } else {
      CheckAll();
    }
  }

  std::mt19937_64 random_{20261122};
  Model model_;
};

TEST_F(RecordModelTest, AgreesWithAMapOverRandomOperationsAndReopens) {
  seal_rows_ = 300;  // so that parts are sealed and merged on the way
  Reopen();
  RecordCollectionSpec spec = Spec(VectorMetric::kL2);
  spec.vectors[0].method = VectorMethod::kExact;
  Create(spec);
  const int steps = FromEnvironment("RAGSTONE_RECORD_STEPS", 4000);
  for (int step = 0; step < steps && !HasFailure(); ++step) {
    Step();
    if (step % 400 == 399) {
      Reopen();
      CheckAll();
    }
  }
  CheckAll();
  EXPECT_EQ(impl().worker().failures(), 0u) << impl().worker().last_error();
}

// What a crash leaves is the directory as it is: a copy of it must hold every acknowledged write.
TEST_F(RecordModelTest, ACopyOfTheDirectoryHoldsEveryAcknowledgedWrite) {
  Create(Spec(VectorMetric::kL2));
  for (int crash = 0; crash < 6 && !HasFailure(); ++crash) {
    for (int step = 0; step < 40; ++step) Step();
    Maintain();
    TemporaryFolder copy;
    CopyAsAfterACrash(folder_.path(), copy.path());
    Open(copy.path());
    CheckAll();
    CheckSearches();
    Reopen();
  }
}

TEST_F(RecordModelTest, SupersededRowsAreRemoved) {
  Create(Spec(VectorMetric::kL2));
  for (int step = 0; step < 300 && !HasFailure(); ++step) Step();
  // The last state is held by nobody but the collection.
  Maintain();
  EXPECT_EQ(Rows(Family::kRecord), model_.size());
  EXPECT_EQ(Rows(Family::kRecordId), model_.size());
  EXPECT_EQ(Rows(Family::kRecordGone), 0u);
  CheckAll();
}

}  // namespace
}  // namespace ragstone::index
