// Covers llm/unigram_json.cc, llm/tokenizer_json.cc and llm/tokenizer_errors.cc.
#include "llm/unigram_json.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "llm/tokenizer.h"

namespace ragstone::llm {
namespace {

using Ids = std::vector<int32_t>;

const std::filesystem::path kCase =
    std::filesystem::path(RAGSTONE_SOURCE_DIR) / "tests/cases/tokenizer";

std::string Read(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

class UnigramJson : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "unigramXXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Result<std::unique_ptr<Tokenizer>> Load(const std::string& text) {
    std::ofstream(folder_ / "tokenizer.json", std::ios::binary) << text;
    return LoadTokenizer(folder_);
  }

  // A small file with `part` in the place of the field `field`.
  static Json With(const std::string& field, const Json& part) {
    Json json = Json::parse(R"({
      "added_tokens": [{"id": 0, "content": "<unk>", "special": true, "normalized": false}],
      "normalizer": null, "pre_tokenizer": null, "post_processor": null,
      "model": {"type": "Unigram", "unk_id": 0, "byte_fallback": false,
                "vocab": [["<unk>", 0], ["a", -1.5], ["▁", -2.5], ["▁a", -2], ["b", -3]]}})");
    json[Json::json_pointer(field)] = part;
    return json;
  }

  Ids Encode(const Json& json, std::string_view text) {
    const auto tokenizer = Load(json.dump());
    EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().ToString();
    return tokenizer.ok() ? (*tokenizer)->Encode(text) : Ids{};
  }

  std::filesystem::path folder_;
};

// The model and the ids were made by `tokenizers`; see tests/eval/make_unigram_case.py.
TEST_F(UnigramJson, GivesTheIdsOfTokenizersForATrainedModel) {
  const auto tokenizer = LoadTokenizer(kCase);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().ToString();
  const Json cases = Json::parse(Read(kCase / "ids.json"));
  ASSERT_GT(cases.size(), 400u);
  for (const Json& item : cases) {
    const auto text = item[0].get<std::string>();
    ASSERT_EQ((*tokenizer)->Encode(text), item[1].get<Ids>()) << text;
  }
}

TEST_F(UnigramJson, ReadsBothFormsOfMetaspace) {
  const auto metaspace = [](const char* rest) {
    return Json::parse(R"({"type": "Metaspace", "replacement": "▁")" + std::string(rest) + "}");
  };
  for (const char* always :
       {"", R"(, "add_prefix_space": true)", R"(, "prepend_scheme": "always", "split": true)"}) {
    EXPECT_EQ(Encode(With("/pre_tokenizer", metaspace(always)), "a a"), (Ids{3, 3})) << always;
  }
  for (const char* never : {R"(, "add_prefix_space": false)", R"(, "prepend_scheme": "never")",
                            R"(, "add_prefix_space": true, "prepend_scheme": "never")"}) {
    EXPECT_EQ(Encode(With("/pre_tokenizer", metaspace(never)), "a a"), (Ids{1, 3})) << never;
  }
  const Json first = metaspace(R"(, "prepend_scheme": "first")");
  EXPECT_EQ(Encode(With("/pre_tokenizer", first), "a<unk>a"), (Ids{3, 0, 1}));
}

TEST_F(UnigramJson, ReadsSequences) {
  Json json = With("/normalizer", Json::parse(R"({"type": "Sequence", "normalizers": [
      {"type": "Sequence", "normalizers": [{"type": "NFKD"}, {"type": "StripAccents"}]},
      {"type": "Lowercase"}, {"type": "Strip", "strip_left": false, "strip_right": true},
      {"type": "Replace", "pattern": {"String": "x"}, "content": "b"},
      {"type": "Replace", "pattern": {"Regex": "b{2,}"}, "content": "a"}]})"));
  json["pre_tokenizer"] = Json::parse(R"({"type": "Sequence", "pretokenizers": [
      {"type": "WhitespaceSplit"}, {"type": "Metaspace", "replacement": "▁"}]})");
  EXPECT_EQ(Encode(json, "Ä XBB "), (Ids{3, 3}));
}

TEST_F(UnigramJson, ReadsPostProcessors) {
  const Json roberta =
      Json::parse(R"({"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 0]})");
  EXPECT_EQ(Encode(With("/post_processor", roberta), "a"), (Ids{0, 1, 2}));
}

TEST_F(UnigramJson, NamesWhatIsNotBuilt) {
  const std::vector<std::tuple<const char*, const char*, const char*>> cases = {
      {"/normalizer", R"({"type": "Nmt"})", "Nmt"},
      {"/normalizer", R"({"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": ""})",
       "\\s+"},
      {"/normalizer", R"({"type": "Replace", "pattern": {"Regex": ".+"}, "content": ""})", ".+"},
      {"/pre_tokenizer", R"({"type": "ByteLevel"})", "ByteLevel"},
      {"/pre_tokenizer",
       R"({"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"},
           {"type": "Metaspace", "replacement": "_", "prepend_scheme": "first"}]})",
       "first"},
      {"/post_processor", R"({"type": "ByteLevel"})", "ByteLevel"},
      {"/model/type", R"("BPE")", "BPE"},
      {"/model/unk_id", "null", "unk_id"},
      {"/added_tokens/0/single_word", "true", "single_word"},
  };
  for (const auto& [field, part, name] : cases) {
    const Status status = Load(With(field, Json::parse(part)).dump()).status();
    EXPECT_EQ(status.reason(), Reason::kModelUnsupported) << part << ": " << status.ToString();
    EXPECT_NE(status.message().find(name), std::string::npos) << status.ToString();
  }
}

TEST_F(UnigramJson, RefusesDamagedParts) {
  const std::vector<std::pair<const char*, const char*>> cases = {
      {"/normalizer", R"({"type": "Precompiled", "precompiled_charsmap": "AAA"})"},
      {"/normalizer", R"({"type": "Precompiled", "precompiled_charsmap": "A!AA"})"},
      {"/normalizer", R"({"type": "Precompiled", "precompiled_charsmap": "AAAAAA=="})"},
      {"/normalizer", R"({"type": "Sequence"})"},
      {"/normalizer", R"({"type": "Replace", "pattern": {"String": ""}, "content": "a"})"},
      {"/pre_tokenizer", R"({"type": "Sequence", "pretokenizers": 3})"},
      {"/pre_tokenizer", R"({"type": "Metaspace", "replacement": "ab"})"},
      {"/pre_tokenizer", R"({"type": "Metaspace", "replacement": ""})"},
      {"/pre_tokenizer",
       R"({"type": "Metaspace", "replacement": "_", "add_prefix_space": false,
           "prepend_scheme": "always"})"},
      {"/model/vocab", R"({"a": 1})"},
      {"/model/vocab", R"([["a"]])"},
      {"/model/vocab", R"([["a", "b"]])"},
      {"/model/vocab", "[]"},
      {"/model/unk_id", "5"},
      {"/model/unk_id", "-1"},
      {"/added_tokens/0/id", "-1"},
      {"/added_tokens/0/id", "99999999999"},
  };
  for (const auto& [field, part] : cases) {
    const Status status = Load(With(field, Json::parse(part)).dump()).status();
    EXPECT_EQ(status.reason(), Reason::kModelCorrupt) << field << part << status.ToString();
  }
  EXPECT_EQ(Load(R"({"model": {"type": "Unigram", "vocab": [["a", 1e999]]}})").status().reason(),
            Reason::kModelCorrupt);
}

TEST_F(UnigramJson, RefusesSequencesThatNestTooDeep) {
  std::string normalizer = R"({"type": "NFC"})";
  for (int i = 0; i < 20; ++i) {
    normalizer = R"({"type": "Sequence", "normalizers": [)" + normalizer + "]}";
  }
  const Status status = Load(With("/normalizer", Json::parse(normalizer)).dump()).status();
  EXPECT_EQ(status.reason(), Reason::kModelCorrupt);
}

// serde_json divides rounded digits by a rounded power of ten, so its last bit can be another one.
TEST_F(UnigramJson, RoundsNumbersAsTokenizersDoes) {
  const std::vector<std::pair<const char*, double>> cases = {
      {"-15.275492379532281", -0x1.e8d0d5650c6d7p+3},
      {"-9.908701741838819", -0x1.3d1415ace082dp+3},
      {"-1.8771917354846979", -0x1.e08fa3383a6f5p+0},
      {"-4.9434757232666016", -4.9434757232666016},
      {"0.1", 0.1},
      {"-2E+1", -20.0},
      {"1.5e-5", 1.5e-5},
      {"5e-400", 0.0},
      {"0e999", 0.0},
  };
  for (const auto& [text, value] : cases) {
    std::ofstream(folder_ / "number.json") << "{\"n\": " << text << "}";
    const auto json = ReadTokenizerJson(folder_ / "number.json");
    ASSERT_TRUE(json.ok()) << text;
    EXPECT_EQ(Field(*json, "n").get<double>(), value) << text;
  }
}

TEST_F(UnigramJson, KeepsTheWholeDocument) {
  const std::string text = R"({"a":[1,-2,[],{},{"b":[null,true,false,"\"é"]}],"c":{"d":{"e":1.5}},)"
                           R"("f":18446744073709551615})";
  std::ofstream(folder_ / "document.json") << text;
  const auto json = ReadTokenizerJson(folder_ / "document.json");
  ASSERT_TRUE(json.ok());
  EXPECT_EQ(*json, Json::parse(text));
}

TEST_F(UnigramJson, SurvivesDamagedFiles) {
  constexpr uint32_t kSeed = 3;
  SCOPED_TRACE("seed " + std::to_string(kSeed));
  std::mt19937 random(kSeed);
  const std::string whole = Read(kCase / "tokenizer.json");
  ASSERT_FALSE(whole.empty());
  const size_t map = whole.find("precompiled_charsmap") + 23;
  constexpr std::string_view kBytes = "AQZaz09+/=\"{}[],:\\-.e \xC3\xFF\x01";
  uint32_t loaded = 0;
  for (int i = 0; i < 400; ++i) {
    std::string text = whole;
    // Half of the time only the character map is damaged, so that files still load.
    const bool in_map = i % 2 == 0;
    for (uint32_t changes = 1 + random() % 8; changes > 0; --changes) {
      const size_t at = in_map ? map + random() % 2000 : random() % text.size();
      text[at] = in_map ? kBytes[random() % 9] : kBytes[random() % kBytes.size()];
    }
    if (i % 16 == 1) text.resize(random() % text.size());
    const auto tokenizer = Load(text);
    if (!tokenizer.ok()) {
      EXPECT_TRUE(tokenizer.status().reason() == Reason::kModelCorrupt ||
                  tokenizer.status().reason() == Reason::kModelUnsupported);
      continue;
    }
    ++loaded;
    const std::string_view sample = "Ａ\u0301 e\u0301 ﬁ\r\n<mask> Straße \xFF 中文 한국 \u200b①";
    EXPECT_LE((*tokenizer)->Count(sample), (*tokenizer)->Encode(sample).size());
  }
  EXPECT_GT(loaded, 50u);
}

}  // namespace
}  // namespace ragstone::llm
