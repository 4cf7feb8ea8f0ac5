#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/unit/index/records_db/records_fixture.h"

namespace ragstone::index {

// A collection with sealed vectors, sparse vectors, fields and texts, and what searches of it give.
class RestartFixture : public RecordsFixture {
 protected:
  static constexpr size_t kSeal = 500;

  void SetUp() override {
    seal_rows_ = kSeal;
    on_warning_ = [this](std::string_view line) {
      MutexLock lock(&mutex_);
      warnings_.emplace_back(line);
    };
    RecordsFixture::SetUp();
  }
  void TearDown() override { Close(); }

  std::vector<std::string> Warnings() {
    MutexLock lock(&mutex_);
    return warnings_;
  }

  static RecordCollectionSpec RestartSpec() {
    RecordCollectionSpec spec = Spec(VectorMetric::kL2);
    spec.vectors[0].storage = VectorStorage::kInt8;
    spec.sparse.push_back({"words"});
    VectorField second;
    second.name = "second";
    second.dimensions = 4;
    second.storage = VectorStorage::kFloat32;
    second.method = VectorMethod::kHnsw;
    spec.vectors[0].name = "first";
    spec.vectors.push_back(second);
    return spec;
  }

  static std::string IdOf(int i) { return "r" + std::to_string(i); }
  Record Made(int i) {
    std::mt19937_64 random(static_cast<uint64_t>(i) + 1);
    Record record;
    record.id = IdOf(i);
    record.vectors["first"] = RandomDense(&random, kDimensions);
    // Not every record has every vector.
    if (i % 3 == 0) record.vectors["second"] = RandomDense(&random, 4);
    if (i % 2 == 0) {
      record.vectors["words"] = SparseVector{{static_cast<uint32_t>(i % 7), 100}, {1.5f, 0.5f}};
    }
    record.payload = {{"year", int64_t{i % 50}},
                      {"lang", std::string(i % 4 == 0 ? "de" : "en")},
                      {"body", "word" + std::to_string(i % 11)}};
    return record;
  }
  void PutRange(int begin, int end) {
    for (int at = begin; at < end; at += 500) {
      std::vector<Record> records;
      for (int i = at; i < std::min(end, at + 500); ++i) records.push_back(Made(i));
      Put(std::move(records));
    }
  }
  void DeleteRange(int begin, int end) {
    std::vector<std::string> ids;
    for (int i = begin; i < end; ++i) ids.push_back(IdOf(i));
    EXPECT_EQ(Delete(std::move(ids)).affected, static_cast<uint64_t>(end - begin));
  }
  // With sealed parts, and loaded.
  void Fill(int records) {
    Create(RestartSpec());
    Answers();
    PutRange(0, records);
    Maintain();
  }

  RecordSearch On(const std::string& vector, size_t dimensions, int seed, std::string_view filter) {
    std::mt19937_64 random(static_cast<uint64_t>(seed) + 1'000'000);
    RecordSearch search = Nearest(RandomDense(&random, dimensions), 15, filter);
    search.vector_name = vector;
    search.exact = true;
    return search;
  }
  // Ids, by what was asked; exact, so that they do not depend on how vectors lie in parts.
  std::map<std::string, std::vector<std::string>> Answers() {
    std::map<std::string, std::vector<std::string>> answers;
    for (int seed = 0; seed < 4; ++seed) {
      const std::string name = std::to_string(seed);
      answers["first" + name] = IdsOf(Search(On("first", kDimensions, seed, "")));
      answers["second" + name] = IdsOf(Search(On("second", 4, seed, "year < 40")));
      answers["filter" + name] =
          IdsOf(Search(On("first", kDimensions, seed, "year = " + name + " and lang = \"en\"")));
    }
    RecordSearch sparse;
    sparse.vector_name = "words";
    sparse.vector = SparseVector{{3, 100}, {1.0f, 0.25f}};
    sparse.top_k = 40;
    answers["sparse"] = IdsOf(Search(sparse));
    RecordSearch text;
    text.text = "word4";
    text.top_k = 1000;
    std::vector<std::string> found = IdsOf(Search(text));
    std::sort(found.begin(), found.end());
    answers["text"] = found;
    answers["counts"] = {std::to_string(Count()), std::to_string(Count("year < 25")),
                         std::to_string(Count("lang = \"de\""))};
    return answers;
  }

  // What a crash leaves now: the directory as it is, opened elsewhere.
  void Crash() {
    // Files are copied one after the other: nothing may write to them meanwhile.
    impl().worker().Stop();
    auto copy = std::make_unique<TemporaryFolder>();
    CopyAsAfterACrash(Dir(), copy->path());
    Close();
    copy_ = std::move(copy);
    Open(copy_->path());
  }
  void Restart() { Open(Dir()); }
  std::filesystem::path Dir() const { return copy_ != nullptr ? copy_->path() : folder_.path(); }

  void Save() {
    const auto found = impl().Find("c");
    ASSERT_TRUE(found.ok());
    const Status saved = impl().worker().Save(found->get());
    ASSERT_TRUE(saved.ok()) << saved.ToString();
  }
  std::vector<std::filesystem::path> IndexFiles() const {
    std::vector<std::filesystem::path> files;
    if (!std::filesystem::exists(Dir() / "indexes")) return files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(Dir() / "indexes")) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    return files;
  }
  static std::string Contents(const std::filesystem::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static void Replace(const std::filesystem::path& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  }

  std::unique_ptr<TemporaryFolder> copy_;
  Mutex mutex_;
  std::vector<std::string> warnings_ GUARDED_BY(mutex_);
};

}  // namespace ragstone::index
