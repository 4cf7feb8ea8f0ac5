// Runs tests/cases/ingest/*.case: text in, chunks out. Format of a case, by lines:
//   === case NAME [tokens_max=N] [tokens_min=N] [markdown]
//   === page
//   text of a page (more "=== page" follow for more pages)
//   === chunk [heading path]
//   text of the chunk that must come next; an empty line at the end is not part of it
// Tokens are counted by WordCounter.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "ingest/text_parser.h"
#include "tests/unit/ingest/counters.h"

namespace ragstone::ingest {
namespace {

struct Expected {
  std::string heading;
  std::string text;
};

struct Case {
  std::string name;
  ChunkerOptions options;
  std::vector<std::string> pages;
  std::vector<Expected> chunks;
};

void ApplyOption(const std::string& word, Case* c) {
  const size_t equals = word.find('=');
  const std::string key = word.substr(0, equals);
  const uint32_t value =
      equals == std::string::npos ? 0 : static_cast<uint32_t>(std::stoul(word.substr(equals + 1)));
  if (key == "tokens_max") {
    c->options.tokens_max = value;
  } else if (key == "tokens_min") {
    c->options.tokens_min = value;
  } else if (key == "markdown") {
    c->options.markdown = true;
  } else {
    ADD_FAILURE() << "unknown option " << word;
  }
}

std::vector<Case> ReadCases(const std::filesystem::path& path) {
  std::vector<Case> cases;
  std::string* target = nullptr;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("=== ")) {
      if (target != nullptr) *target += line + "\n";
      continue;
    }
    std::istringstream words(line.substr(4));
    std::string kind;
    words >> kind;
    if (kind == "case") {
      cases.emplace_back();
      words >> cases.back().name;
      for (std::string word; words >> word;) ApplyOption(word, &cases.back());
      target = nullptr;
    } else if (kind == "page") {
      target = &cases.back().pages.emplace_back();
    } else {
      Expected& chunk = cases.back().chunks.emplace_back();
      std::getline(words >> std::ws, chunk.heading);
      target = &chunk.text;
    }
  }
  return cases;
}

std::string TrimEnd(std::string text) {
  text.resize(text.find_last_not_of("\n") + 1);
  return text;
}

void RunCase(const Case& c) {
  const WordCounter counter;
  Chunker chunker(c.options, &counter);
  std::vector<Chunk> chunks;
  const auto take = [&](std::vector<Chunk> more) {
    chunks.insert(chunks.end(), more.begin(), more.end());
  };
  uint32_t number = 0;
  for (const std::string& text : c.pages) {
    PageSink sink;
    sink.opened = [](const DocumentFacts&) { return OkStatus(); };
    sink.page = [&](Page page) {
      page.number = ++number;
      take(chunker.AddPage(page));
      return OkStatus();
    };
    TextParser parser;
    ASSERT_TRUE(parser.Parse(text, {}, sink, CallContext()).ok());
  }
  take(chunker.Finish());
  for (size_t i = 0; i < std::max(chunks.size(), c.chunks.size()); ++i) {
    ASSERT_LT(i, chunks.size()) << "missing: " << c.chunks[i].text;
    ASSERT_LT(i, c.chunks.size()) << "not expected: <" << chunks[i].heading << ">\n"
                                  << chunks[i].text;
    EXPECT_EQ(chunks[i].heading, c.chunks[i].heading);
    EXPECT_EQ(chunks[i].text, TrimEnd(c.chunks[i].text));
  }
}

TEST(ChunkCasesTest, EveryCaseGivesItsChunks) {
  size_t count = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(RAGSTONE_SOURCE_DIR "/tests/cases/ingest")) {
    if (entry.path().extension() != ".case") continue;
    for (const Case& c : ReadCases(entry.path())) {
      SCOPED_TRACE(entry.path().filename().string() + ", case " + c.name);
      RunCase(c);
      ++count;
    }
  }
  EXPECT_GE(count, 10u);
}

}  // namespace
}  // namespace ragstone::ingest
