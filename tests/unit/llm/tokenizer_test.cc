// Covers llm/tokenizer.cc, and llm/wordpiece_tables.cc through it.
#include "llm/tokenizer.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "llm/wordpiece_tables.h"

namespace ragstone::llm {
namespace {

using Ids = std::vector<int32_t>;

class TokenizerFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "tokenizerXXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
  }

  // A whole tokenizer.json; `from` in it is replaced by `to`.
  void WriteJson(const std::string& from = "", const std::string& to = "") {
    std::string json = R"({
      "added_tokens": [{"id": 2, "content": "[CLS]", "special": true, "normalized": false},
                       {"id": 3, "content": "[SEP]", "special": true, "normalized": false},
                       {"id": 99, "content": "[UNK]", "special": true, "normalized": false}],
      "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
                     "strip_accents": null, "lowercase": true},
      "pre_tokenizer": {"type": "BertPreTokenizer"},
      "post_processor": {"type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                   {"Sequence": {"id": "A", "type_id": 0}},
                   {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
        "special_tokens": {"[CLS]": {"ids": [2]}, "[SEP]": {"ids": [3]}}},
      "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100,
                "vocab": {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "cafe": 4, "##s": 5}}})";
    if (!from.empty()) {
      const size_t at = json.find(from);
      ASSERT_NE(at, std::string::npos);
      json.replace(at, from.size(), to);
    }
    Write("tokenizer.json", json);
  }

  Ids Encode(std::string_view text) {
    const auto tokenizer = LoadTokenizer(folder_);
    EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().ToString();
    return tokenizer.ok() ? (*tokenizer)->Encode(text) : Ids{};
  }

  std::filesystem::path folder_;
};

TEST_F(TokenizerFiles, LoadsTokenizerJson) {
  WriteJson();
  EXPECT_EQ(Encode("Cafés"), (Ids{2, 4, 5, 3}));
}

TEST_F(TokenizerFiles, GivesAddedTokensTheIdOfTheVocabulary) {
  WriteJson();
  EXPECT_EQ(Encode("[UNK]"), (Ids{2, 1, 3}));
}

TEST_F(TokenizerFiles, LetsStripAccentsFollowLowercase) {
  WriteJson("\"lowercase\": true", "\"lowercase\": false");
  EXPECT_EQ(Encode("cafés"), (Ids{2, 1, 3}));
  EXPECT_EQ(Encode("cafes"), (Ids{2, 4, 5, 3}));
}

TEST_F(TokenizerFiles, ReadsBertProcessing) {
  WriteJson("{\"type\": \"TemplateProcessing\",",
            "{\"type\": \"BertProcessing\", \"sep\": [\"[SEP]\", 3], \"cls\": [\"[CLS]\", 2],");
  EXPECT_EQ(Encode("cafe"), (Ids{2, 4, 3}));
}

TEST_F(TokenizerFiles, LoadsVocabularyWithItsConfiguration) {
  Write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\ncafe\r\n##s\n");
  Write("tokenizer_config.json", R"({"do_lower_case": true, "sep_token": {"content": "[SEP]"}})");
  EXPECT_EQ(Encode("CAFÉS[SEP]"), (Ids{2, 4, 5, 3, 3}));
}

TEST_F(TokenizerFiles, NamesAnUnsupportedTokeniser) {
  WriteJson("\"type\": \"WordPiece\"", "\"type\": \"BPE\"");
  const auto status = LoadTokenizer(folder_).status();
  EXPECT_EQ(status.reason(), Reason::kModelUnsupported);
  EXPECT_NE(status.message().find("BPE"), std::string::npos);
}

TEST_F(TokenizerFiles, NamesAnUnsupportedNormaliser) {
  WriteJson("BertNormalizer", "Precompiled");
  EXPECT_EQ(LoadTokenizer(folder_).status().reason(), Reason::kModelUnsupported);
}

TEST_F(TokenizerFiles, RefusesDamagedFiles) {
  Write("tokenizer.json", "{\"model\": ");
  EXPECT_EQ(LoadTokenizer(folder_).status().reason(), Reason::kModelCorrupt);
  WriteJson("\"cafe\": 4", "\"cafe\": \"four\"");
  EXPECT_EQ(LoadTokenizer(folder_).status().reason(), Reason::kModelCorrupt);
  WriteJson("\"cafe\": 4", "\"cafe\": 99999999999");
  EXPECT_EQ(LoadTokenizer(folder_).status().reason(), Reason::kModelCorrupt);
  WriteJson("\"ids\": [3]", "\"ids\": [\"x\"]");
  EXPECT_EQ(LoadTokenizer(folder_).status().reason(), Reason::kModelCorrupt);
}

TEST_F(TokenizerFiles, SaysWhatAFolderWithoutTokeniserLacks) {
  const auto status = LoadTokenizer(folder_).status();
  EXPECT_EQ(status.code(), StatusCode::kNotFound);
  EXPECT_NE(status.message().find("tokenizer.json"), std::string::npos);
}

TEST(WordPieceTables, AreSortedAndDisjoint) {
  const WordPieceTables& tables = GetWordPieceTables();
  for (const auto ranges :
       {tables.dropped, tables.spaces, tables.ideographs, tables.marks, tables.punctuation}) {
    ASSERT_FALSE(ranges.empty());
    for (size_t i = 1; i < ranges.size(); ++i) ASSERT_GT(ranges[i].first, ranges[i - 1].last);
  }
  uint32_t previous = 0;
  for (size_t i = 0; i < tables.decompositions.size(); i += 1 + tables.decompositions[i] % 8) {
    ASSERT_GT(tables.decompositions[i] / 8, previous);
    previous = tables.decompositions[i] / 8;
  }
}

}  // namespace
}  // namespace ragstone::llm
