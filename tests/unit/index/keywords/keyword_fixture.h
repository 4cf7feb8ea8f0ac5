#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "index/internal/keywords/keyword_index.h"
#include "index/internal/keywords/words.h"
#include "tests/unit/index/test_database.h"

// A keyword index and the truth that it is held against.
namespace ragstone::index::keywords {

// Rows with their texts, when they are published and when they die: the truth that an index is held
// against.
class Model : public RowKeeper {
 public:
  struct Row {
    std::string text;
    std::map<std::string, uint32_t> terms;  // as Frequencies(text), once it was asked for
    double length = -1;
    uint64_t from = UINT64_MAX;
    uint64_t to = UINT64_MAX;
    bool SeenAt(uint64_t position) const { return from <= position && position < to; }
  };
  class View : public RowView {
   public:
    View(const Model* model, uint64_t position) : model_(model), position_(position) {
      model_->views_.insert(position_);
    }
    ~View() override { model_->views_.erase(model_->views_.find(position_)); }
    std::vector<RowRange> Hidden(std::span<const RowRange> rows) const override {
      return model_->Where(rows, [&](const Row& row) { return !row.SeenAt(position_); });
    }
    uint64_t position() const override { return position_; }
    uint64_t epoch() const override {
      return model_->last_death_ <= position_ ? model_->last_death_ + 1 : 0;
    }

   private:
    const Model* const model_;
    const uint64_t position_;
  };

  Result<std::unique_ptr<RowView>> Now() const override {
    return std::unique_ptr<RowView>(std::make_unique<View>(this, position_));
  }
  std::vector<RowRange> Dead(std::span<const RowRange> rows) const override {
    const uint64_t oldest = views_.empty() ? position_ : *views_.begin();
    return Where(rows, [&](const Row& row) { return row.to <= oldest; });
  }

  bool Settled(std::span<const RowRange> rows) const override {
    return Where(rows, [](const Row& row) { return row.from == UINT64_MAX; }).empty();
  }

  void Publish(RowId row) { rows[row].from = ++position_; }
  void Kill(RowId row) {
    rows[row].to = ++position_;
    last_death_ = position_;
  }

  std::map<RowId, Row> rows;
  uint64_t position_ = 1;

 private:
  template <typename Wanted>
  std::vector<RowRange> Where(std::span<const RowRange> ranges, const Wanted& wanted) const {
    std::vector<RowRange> found;
    for (const RowRange& range : ranges) {
      for (uint64_t i = 0; i < range.count; ++i) {
        const auto it = rows.find(range.first + i);
        if (it == rows.end() || wanted(it->second)) AppendRow(range.first + i, &found);
      }
    }
    return found;
  }
  mutable std::multiset<uint64_t> views_;
  uint64_t last_death_ = 0;
};

inline std::map<std::string, uint32_t> Frequencies(const std::string& text) {
  std::map<std::string, uint32_t> counts;
  const Result<TextTerms> split = SplitTerms(text);
  for (const TextWord& word : split->words) ++counts[word.term];
  for (const TextPart& part : split->parts) ++counts[part.part.term];
  for (const std::string& exact : split->exact) ++counts[exact];
  return counts;
}

// BM25 by its definition over all rows seen at a position.
inline std::vector<ScoredRow> Exhaustive(Model& model, const std::string& text, uint64_t position,
                                         const std::function<bool(RowId)>& accept) {
  std::map<RowId, const Model::Row*> rows;
  std::map<std::string, uint32_t> asked = Frequencies(text);
  std::map<std::string, uint64_t> holders;
  double words = 0;
  for (auto& [id, row] : model.rows) {
    if (!row.SeenAt(position)) continue;
    if (row.length < 0) {
      row.terms = Frequencies(row.text);
      row.length = static_cast<double>(SplitTerms(row.text)->words.size());
    }
    rows[id] = &row;
    for (const auto& [term, times] : asked) holders[term] += row.terms.count(term);
    words += row.length;
  }
  const double count = static_cast<double>(rows.size());
  const double mean = std::max(1.0, words / count);
  std::vector<ScoredRow> scored;
  for (const auto& [id, row] : rows) {
    if (!accept(id)) continue;
    double score = 0;
    for (const auto& [term, times] : asked) {
      const auto it = row->terms.find(term);
      if (it == row->terms.end()) continue;
      const double with = static_cast<double>(holders[term]);
      const double idf = std::log(1.0 + (count - with + 0.5) / (with + 0.5));
      score +=
          TermScore(times * idf * 2.2, it->second, 1.2 * 0.25 + 1.2 * 0.75 / mean * row->length);
    }
    if (score > 0) scored.push_back({id, score});
  }
  std::sort(scored.begin(), scored.end(), Better);
  return scored;
}

class KeywordIndexTest : public testing::Test {
 protected:
  void SetUp() override { Open(); }
  void Open(std::string_view language = "auto") {
    index_.reset();
    ids_.reset();
    store_.reset();
    store_ = std::move(Store::Open(folder_.path(), 32 << 20)).value();
    ids_ = std::move(IdAllocator::Open(store_.get(), "counter/keyword-segment", 64)).value();
    cache_ = std::make_unique<ListCache>(4 << 20);
    index_ = std::make_unique<KeywordIndex>(Shared{store_.get(), ids_.get(), cache_.get(), &work_},
                                            IndexName{3, 1}, *Language::Parse(language));
  }

  // Adds the rows as one run, published unless told otherwise; returns its first row.
  RowId Add(const std::vector<std::string>& texts, bool publish = true) {
    RunBuilder run = index_->NewRun();
    const RowId first = next_;
    for (const std::string& text : texts) {
      const std::string_view view = text;
      EXPECT_TRUE(run.Add(next_, {&view, 1}).ok());
      model_.rows[next_].text = text;
      ++next_;
    }
    next_ += next_ % 3;  // gaps
    StoreBatch batch(store_.get());
    index_->Put(run, &batch);
    EXPECT_TRUE(store_->Write(&batch, false).ok());
    index_->Added(run);
    for (RowId row = first; publish && row < first + texts.size(); ++row) model_.Publish(row);
    return first;
  }

  Found Search(const std::string& text, size_t limit = 10) {
    const std::unique_ptr<RowView> view = std::move(model_.Now()).value();
    Query query;
    query.text = text;
    query.view = view.get();
    query.limit = limit;
    return Run(query);
  }
  Found Run(const Query& query) {
    Result<Found> found = index_->Search(query, CallContext());
    EXPECT_TRUE(found.ok()) << found.status().ToString();
    return found.ok() ? *std::move(found) : Found();
  }
  std::vector<RowId> Rows(const std::string& text) {
    std::vector<RowId> rows;
    for (const ScoredRow& row : Search(text, 1000).top) rows.push_back(row.row);
    return rows;
  }
  bool Merge() {
    const std::atomic<bool> stop{false};
    const Result<bool> merged = index_->Maintain(model_, stop);
    EXPECT_TRUE(merged.ok()) << merged.status().ToString();
    return merged.ok() && *merged;
  }
  size_t Keys() {
    const std::unique_ptr<StoreIterator> it = store_->NewIterator(Family::kPosting);
    size_t count = 0;
    for (it->Seek(""); it->Valid(); it->Next()) ++count;
    return count;
  }

  TemporaryFolder folder_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<IdAllocator> ids_;
  std::unique_ptr<ListCache> cache_;
  WorkSignal work_;
  Model model_;
  std::unique_ptr<KeywordIndex> index_;
  RowId next_ = 100;
};

// Words by Zipf's law, so that lists of all lengths and rows of all scores come.
inline std::string RandomText(size_t words, std::mt19937* random) {
  std::string text;
  for (size_t i = 0; i < words; ++i) {
    const double u = static_cast<double>((*random)() % 100000 + 1) / 100000;
    text += "w" + std::to_string(static_cast<int>(std::pow(u, -1.2))) + " ";
  }
  return text;
}

inline void ExpectSame(const std::vector<ScoredRow>& got, std::vector<ScoredRow> expected,
                       size_t limit) {
  if (expected.size() > limit) expected.resize(limit);
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_EQ(got[i].row, expected[i].row) << i;
    EXPECT_NEAR(got[i].score, expected[i].score, 1e-9) << i;
  }
}

}  // namespace ragstone::index::keywords
