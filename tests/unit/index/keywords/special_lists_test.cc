// Covers special_lists.cc and query.cc.
#include "index/internal/keywords/special_lists.h"

#include "index/internal/keywords/merge.h"
#include "index/internal/keywords/query.h"
#include "tests/unit/index/keywords/keyword_fixture.h"

namespace ragstone::index::keywords {
namespace {

// What a query asks for, to be held against texts word by word.
struct Asked {
  std::string text;
  std::vector<std::string> terms;   // stems
  std::vector<std::string> phrase;  // stems, one after the other; or none
  std::string prefix;               // or none
};

// How often a text has each of the things asked for.
std::vector<uint32_t> Counts(const TextTerms& text, const Asked& asked) {
  std::vector<uint32_t> counts;
  for (const std::string& term : asked.terms) {
    counts.push_back(static_cast<uint32_t>(
        std::count_if(text.words.begin(), text.words.end(),
                      [&](const TextWord& word) { return word.term == term; })));
  }
  if (!asked.phrase.empty()) {
    uint32_t count = 0;
    for (size_t i = 0; i + asked.phrase.size() <= text.words.size(); ++i) {
      bool all = true;
      for (size_t k = 0; k < asked.phrase.size(); ++k) {
        all = all && text.words[i + k].term == asked.phrase[k];
      }
      count += all ? 1 : 0;
    }
    counts.push_back(count);
  }
  if (!asked.prefix.empty()) {
    uint32_t stems = 0;
    uint32_t written = 0;
    for (const TextWord& word : text.words) {
      stems += word.term.rfind(asked.prefix, 0) == 0 ? 1 : 0;
      written += word.folded != word.term && word.folded.rfind(asked.prefix, 0) == 0 ? 1 : 0;
    }
    counts.push_back(std::max(stems, written));
  }
  return counts;
}

// BM25 by its definition, phrases and prefixes being terms of their own.
std::vector<ScoredRow> BruteForce(const Model& model, const Asked& asked) {
  std::map<RowId, std::pair<std::vector<uint32_t>, double>> rows;
  std::vector<double> holders;
  double words = 0;
  for (const auto& [id, row] : model.rows) {
    if (!row.SeenAt(model.position_)) continue;
    const TextTerms split = *SplitTerms(row.text);
    const double length = static_cast<double>(split.words.size());
    const auto& counts = rows.emplace(id, std::pair(Counts(split, asked), length)).first->second;
    holders.resize(counts.first.size());
    for (size_t i = 0; i < holders.size(); ++i) holders[i] += counts.first[i] > 0 ? 1 : 0;
    words += length;
  }
  const double count = static_cast<double>(rows.size());
  const double mean = std::max(1.0, words / count);
  std::vector<ScoredRow> scored;
  for (const auto& [id, row] : rows) {
    double score = 0;
    for (size_t i = 0; i < holders.size(); ++i) {
      if (row.first[i] == 0) continue;
      const double idf = std::log(1.0 + (count - holders[i] + 0.5) / (holders[i] + 0.5));
      score += TermScore(idf * 2.2, row.first[i], 1.2 * 0.25 + 1.2 * 0.75 / mean * row.second);
    }
    if (score > 0) scored.push_back({id, score});
  }
  std::sort(scored.begin(), scored.end(), Better);
  return scored;
}

class SpecialListsTest : public KeywordIndexTest {
 protected:
  std::string Text(size_t words) {
    static const std::vector<std::string> kWords = {
        "connect", "connection", "connections", "connected", "refuse", "refused",
        "reply",   "replies",    "replica",     "log",       "logs",   "rare"};
    std::string text;
    for (size_t i = 0; i < words; ++i) {
      const size_t word = random_() % (random_() % 20 == 0 ? kWords.size() : kWords.size() - 1);
      text += kWords[word] + " ";
    }
    return text;
  }
  Asked RandomQuery() {
    Asked asked;
    const TextTerms split = *SplitTerms(Text(2 + random_() % 2));
    const size_t kind = random_() % 3;
    if (kind != 1) {
      for (const TextWord& word : split.words) asked.phrase.push_back(word.term);
      asked.text = "\"";
      for (const TextWord& word : split.words) {
        asked.text += word.folded + " ";
        if (std::count(asked.terms.begin(), asked.terms.end(), word.term) == 0) {
          asked.terms.push_back(word.term);
        }
      }
      asked.text += "\" ";
      // A term that the query has twice weighs twice.
      if (asked.terms.size() < split.words.size()) return RandomQuery();
    }
    if (kind != 0) {
      const std::string& word = split.words[0].folded;
      asked.prefix = word.substr(0, 2 + random_() % (word.size() - 1));
      asked.text += asked.prefix + "*";
    }
    return asked;
  }
  void Check() {
    for (int i = 0; i < 12; ++i) {
      const Asked asked = RandomQuery();
      SCOPED_TRACE(asked.text);
      const std::vector<ScoredRow> all = BruteForce(model_, asked);
      ExpectSame(Search(asked.text, 15).top, all, 15);
      ExpectPhrases(asked);
    }
  }
  // The same rows if phrases are required.
  void ExpectPhrases(const Asked& asked) {
    if (asked.phrase.empty()) return;
    const std::unique_ptr<RowView> view = std::move(model_.Now()).value();
    Query query{asked.text, view.get(), 100'000, nullptr, nullptr, true, {}};
    std::vector<RowId> found;
    for (const ScoredRow& row : Run(query).top) found.push_back(row.row);
    std::sort(found.begin(), found.end());
    std::vector<RowId> expected;
    for (const auto& [id, row] : model_.rows) {
      if (!row.SeenAt(model_.position_)) continue;
      if (Counts(*SplitTerms(row.text), {{}, {}, asked.phrase, {}})[0] > 0) expected.push_back(id);
    }
    EXPECT_EQ(found, expected);
  }

  std::mt19937 random_{21};
};

// Adds, kills, merges and reopens at random; phrases and prefixes must give what counting them in
// every text gives.
TEST_F(SpecialListsTest, PhrasesAndPrefixesAreExactUnderChangesAndMerges) {
  for (int step = 0; step < 24; ++step) {
    std::vector<std::string> texts(1 + random_() % 60);
    for (std::string& text : texts) text = Text(1 + random_() % 12);
    Add(texts);
    for (int i = 0; i < 12; ++i) {
      auto it = model_.rows.lower_bound(100 + random_() % (next_ - 100));
      if (it != model_.rows.end() && it->second.to == UINT64_MAX) model_.Kill(it->first);
    }
    if (random_() % 3 == 0) Merge();
    if (random_() % 6 == 0) {
      ASSERT_TRUE(index_->Compact(model_).ok());
    }
    if (random_() % 8 == 0) Open();
    Check();
    if (HasFailure()) return;
  }
}

TEST_F(SpecialListsTest, RowsWithAllWordsAreThoseOfTheTexts) {
  for (int step = 0; step < 12; ++step) {
    std::vector<std::string> texts(40);
    for (std::string& text : texts) text = Text(1 + random_() % 8) + (step == 3 ? "x.log" : "");
    Add(texts);
    if (random_() % 3 == 0) Merge();
    for (const std::string text : {"connections", "refusing logs", "log log", "rare reply", "no"}) {
      std::vector<RowRange> expected;
      const std::map<std::string, uint32_t> asked = Frequencies(text);
      for (const auto& [id, row] : model_.rows) {
        const std::map<std::string, uint32_t> held = Frequencies(row.text);
        if (std::all_of(asked.begin(), asked.end(),
                        [&](const auto& term) { return held.count(term.first) > 0; })) {
          AppendRow(id, &expected);
        }
      }
      const auto found = index_->RowsWithAll(text, CallContext());
      ASSERT_TRUE(found.ok());
      EXPECT_EQ(*found, expected) << text;
    }
  }
  EXPECT_TRUE(index_->RowsWithAll("?!", CallContext())->empty());
}

// More words begin so than a prefix may stand for, but not in any one segment.
TEST_F(SpecialListsTest, TheLimitOfAPrefixDoesNotDependOnMerges) {
  for (int run = 0; run < 3; ++run) {
    std::string text;
    for (int i = 0; i < 6000; ++i) text += "pq" + std::to_string(run * 10'000 + i) + " ";
    Add({text + "apple"});
  }
  const std::unique_ptr<RowView> view = std::move(model_.Now()).value();
  const auto reason = [&](std::string_view text) {
    return index_->Search({text, view.get(), 5, nullptr, nullptr, false, {}}, CallContext())
        .status()
        .reason();
  };
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(reason("pq*"), Reason::kLimitExceeded) << round;
    EXPECT_EQ(Rows("pq1*").size(), 2u);
    EXPECT_EQ(Rows("ap*").size(), 3u);
    ASSERT_TRUE(index_->Compact(model_).ok());
  }
}

TEST_F(SpecialListsTest, LongListsStopWithTheCall) {
  std::vector<MergeInput> inputs;
  for (int run = 0; run < 2; ++run) {
    const RowId first = Add(std::vector<std::string>(kPartPostings, "apple pear"));
    RowTable rows;
    for (size_t i = 0; i < kPartPostings; ++i) rows.Append(first + i, 2);
    const Segment::Spec spec{store_.get(), cache_.get(), IndexName{3, 1}, first, true, 0};
    inputs.push_back({std::make_shared<Segment>(spec, rows), {}});
  }
  const auto table = WriteMerged(store_.get(), {3, 1}, 900, inputs, [] { return false; });
  ASSERT_TRUE(table.ok() && table->has_value());
  const Segment segment({store_.get(), cache_.get(), IndexName{3, 1}, 900, false, 0}, **table);
  const HiddenRows nothing;
  for (const bool cancelled : {false, true}) {
    CallContext context;
    if (cancelled) context.flag()->Cancel();
    const StatusCode expected = cancelled ? StatusCode::kCancelled : StatusCode::kOk;
    PrefixTerms terms;
    EXPECT_EQ(PrefixList({segment, nothing, context}, "app", &terms).status().code(), expected);
    EXPECT_EQ(PhraseList({segment, nothing, context}, {"appl", "pear"}).status().code(), expected);
    const std::vector<std::shared_ptr<const LoadedList>> lists = {*segment.Find("appl"),
                                                                  *segment.Find("pear")};
    std::vector<RowId> rows;
    EXPECT_EQ(AppendCommonRows(segment, lists, context, &rows).code(), expected);
    EXPECT_EQ(rows.size() == 2 * kPartPostings, !cancelled);
  }
}

TEST_F(SpecialListsTest, PrefixesLongerThanWhatTermsKeepFindTheirWords) {
  std::string word;
  for (int i = 0; i < 100; ++i) word += static_cast<char>('a' + i * 7 % 26);
  std::string umlauts;
  for (int i = 0; i < 60; ++i) umlauts += i % 3 == 0 ? "q" : "\xc3\xa4";
  const std::string path = "/var/log/" + std::string(40, 'x') + "/" + std::string(40, 'y') + ".log";
  const RowId a = Add({word, word.substr(0, 79), umlauts, "see " + path + " there"});
  for (int round = 0; round < 2; ++round) {
    for (const size_t length : {2u, 40u, 60u, 61u, 62u, 63u, 64u, 65u, 75u}) {
      EXPECT_EQ(Rows(word.substr(0, length) + "*").size(), 2u) << length;
    }
    EXPECT_EQ(Rows(word.substr(0, 90) + "*"), std::vector<RowId>{a});
    EXPECT_TRUE(Rows(word.substr(0, 50) + "qqqqqqqqqqqqqqqqqqqq*").empty());
    for (size_t length = 2; length < umlauts.size(); ++length) {
      if ((umlauts[length] & 0xc0) == 0x80) continue;
      EXPECT_EQ(Rows(umlauts.substr(0, length) + "*"), std::vector<RowId>{a + 2}) << length;
    }
    EXPECT_EQ(Rows(path.substr(0, 70) + "*"), std::vector<RowId>{a + 3});
    EXPECT_EQ(Rows(path.substr(0, 92) + "*"), std::vector<RowId>{a + 3});
    ASSERT_TRUE(index_->Compact(model_).ok());
  }
}

TEST(ParseQueryTest, StarsAndQuotesAreTaken) {
  const auto parsed = ParseQuery("error repl* \"disk is full\" x* a*b ERR-4*", Language());
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->prefixes, (std::vector<std::string>{"repl", "=err-4"}));
  ASSERT_EQ(parsed->phrases.size(), 1u);
  EXPECT_EQ(parsed->phrases[0].terms, (std::vector<std::string>{"disk", "is", "full"}));
  EXPECT_EQ(parsed->terms[0].text, "error");
}

}  // namespace
}  // namespace ragstone::index::keywords
