#include "ingest/chunker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "ingest/internal/unicode_text.h"
#include "tests/unit/ingest/counters.h"

namespace ragstone::ingest {
namespace {

struct Chunked {
  std::string document;
  std::vector<Chunk> chunks;
};

Chunked ChunkAll(const std::vector<Page>& pages, const ChunkerOptions& options,
                 const TokenCounter& counter) {
  Chunked out;
  Chunker chunker(options, &counter);
  for (const Page& page : pages) {
    if (&page != &pages.front()) out.document += '\n';
    out.document += page.text;
    for (Chunk& chunk : chunker.AddPage(page)) out.chunks.push_back(std::move(chunk));
  }
  for (Chunk& chunk : chunker.Finish()) out.chunks.push_back(std::move(chunk));
  return out;
}

class RandomPages {
 public:
  explicit RandomPages(uint32_t seed) : random_(seed) {}

  std::vector<Page> Make() {
    std::vector<Page> pages(Below(8) + 1);
    for (size_t i = 0; i < pages.size(); ++i) {
      pages[i].number = static_cast<uint32_t>(i + 1);
      pages[i].height = 800;
      Fill(&pages[i]);
    }
    return pages;
  }

  size_t Below(size_t n) { return random_() % n; }

 private:
  void Fill(Page* page) {
    const size_t lines = Below(40);
    for (size_t n = 0; n < lines; ++n) {
      if (Below(6) == 0) page->text += '\n';
      Line line;
      line.begin = static_cast<uint32_t>(page->text.size());
      AddLine(&page->text, &line);
      line.end = static_cast<uint32_t>(page->text.size());
      page->text += '\n';
      if (line.end > line.begin) page->lines.push_back(line);
    }
  }

  void AddLine(std::string* text, Line* line) {
    static const char* const kPieces[] = {
        "word", "Another",          "42",   "3.2", "Title", "#",    "##", "...",
        "é",    "中文。",           "- ",   "(a)", "end.",  "?",    "|",  "```",
        "אב",   "\xF0\x9F\x98\x80", "====", "a.b", ":",     "....."};
    line->font_size = Below(4) == 0 ? 16.0f : 10.0f;
    line->bold = Below(5) == 0;
    line->table_row = Below(6) == 0;
    const size_t words = Below(10) == 0 ? Below(200) : Below(15);
    for (size_t i = 0; i < words; ++i) {
      if (i > 0) *text += Below(20) == 0 ? "" : (line->table_row ? " | " : " ");
      *text += kPieces[Below(std::size(kPieces))];
    }
  }

  std::mt19937 random_;
};

// What must hold of chunks whatever the input.
void CheckChunks(const Chunked& out, const ChunkerOptions& options, const TokenCounter& counter) {
  uint64_t end = 0;
  for (const Chunk& chunk : out.chunks) {
    ASSERT_LT(chunk.begin, chunk.end);
    ASSERT_LE(end, chunk.begin) << "chunks overlap or go back";
    ASSERT_LE(chunk.end, out.document.size());
    ASSERT_EQ(chunk.text, out.document.substr(chunk.begin, chunk.end - chunk.begin));
    ASSERT_EQ(internal::FindInvalidUtf8(chunk.text), std::string::npos);
    ASSERT_LE(chunk.tokens, options.tokens_max);
    ASSERT_EQ(chunk.tokens, counter.Count(EmbeddedText(chunk.heading, chunk.text)));
    ASSERT_LE(chunk.heading.size(), 200u);
    ASSERT_LE(chunk.page_first, chunk.page_last);
    const auto lines =
        std::count(out.document.begin(),
                   out.document.begin() + static_cast<std::ptrdiff_t>(chunk.begin), '\n');
    ASSERT_EQ(chunk.line_first, static_cast<uint32_t>(lines + 1));
    end = chunk.end;
  }
}

// All visible bytes are in chunks; no line repeats near an edge, so none is left out.
void CheckCoverage(const Chunked& out) {
  std::string outside;
  uint64_t end = 0;
  for (const Chunk& chunk : out.chunks) {
    outside += out.document.substr(end, chunk.begin - end);
    end = chunk.end;
  }
  outside += out.document.substr(end);
  EXPECT_EQ(internal::FoldWhiteSpace(outside), "");
}

TEST(ChunkerTest, HoldsItsPromisesOnRandomPages) {
  const WordCounter counter;
  for (uint32_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomPages random(seed);
    ChunkerOptions options;
    options.tokens_max = static_cast<uint32_t>(12 + random.Below(200));
    options.tokens_min = static_cast<uint32_t>(random.Below(40));
    options.markdown = random.Below(2) == 0;
    const std::vector<Page> pages = random.Make();
    const Chunked out = ChunkAll(pages, options, counter);
    CheckChunks(out, options, counter);
    if (pages.size() < 3) CheckCoverage(out);
    if (HasFatalFailure()) return;
  }
}

TEST(ChunkerTest, HoldsTheLimitWithACounterThatDoesNotAddUp) {
  const PieceCounter counter;
  for (uint32_t seed = 1000; seed < 1100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RandomPages random(seed);
    ChunkerOptions options;
    options.tokens_max = static_cast<uint32_t>(16 + random.Below(100));
    const Chunked out = ChunkAll(random.Make(), options, counter);
    CheckChunks(out, options, counter);
    if (HasFatalFailure()) return;
  }
}

TEST(ChunkerTest, GivesTheSameChunksEachTime) {
  const WordCounter counter;
  const std::vector<Page> pages = RandomPages(7).Make();
  const Chunked a = ChunkAll(pages, {}, counter), b = ChunkAll(pages, {}, counter);
  ASSERT_EQ(a.chunks.size(), b.chunks.size());
  for (size_t i = 0; i < a.chunks.size(); ++i) {
    EXPECT_EQ(a.chunks[i].begin, b.chunks[i].begin);
    EXPECT_EQ(a.chunks[i].heading, b.chunks[i].heading);
  }
}

TEST(ChunkerTest, SurvivesArbitraryBytesAndLines) {
  const WordCounter counter;
  std::mt19937 random(99);
  for (int round = 0; round < 200; ++round) {
    SCOPED_TRACE("seed 99, round " + std::to_string(round));
    Page page;
    page.number = 1;
    for (size_t i = random() % 2000; i > 0; --i) page.text.push_back(static_cast<char>(random()));
    for (size_t i = random() % 20; i > 0; --i) {
      Line line;
      line.begin = static_cast<uint32_t>(random() % 2500);
      line.end = static_cast<uint32_t>(random() % 2500);
      page.lines.push_back(line);
    }
    const Chunked out = ChunkAll({page, page}, {}, counter);
    uint64_t end = 0;
    for (const Chunk& chunk : out.chunks) {
      ASSERT_LE(end, chunk.begin);
      ASSERT_EQ(chunk.text, out.document.substr(chunk.begin, chunk.end - chunk.begin));
      end = chunk.end;
    }
  }
}

TEST(ChunkerTest, EmptyPagesGiveNoChunks) {
  const WordCounter counter;
  EXPECT_TRUE(ChunkAll({Page(), Page()}, {}, counter).chunks.empty());
  EXPECT_TRUE(Chunker({}, &counter).Finish().empty());
}

TEST(ChunkerTest, LeavesOutRunningHeads) {
  const WordCounter counter;
  std::vector<Page> pages;
  for (uint32_t n = 1; n <= 6; ++n) {
    Page page;
    page.number = n;
    page.text = "Quarterly Report\n\nUnique sentence " + std::string(n, 'z') +
                " of this page.\n\nPage " + std::to_string(n) + "\n";
    pages.push_back(page);
  }
  const Chunked out = ChunkAll(pages, {}, counter);
  ASSERT_EQ(out.chunks.size(), 6u);
  for (const Chunk& chunk : out.chunks) {
    EXPECT_EQ(chunk.text.find("Quarterly"), std::string::npos);
    EXPECT_EQ(chunk.text.find("Page"), std::string::npos);
  }
}

TEST(ChunkerTest, MemoryDoesNotGrowWithTheDocument) {
  const WordCounter counter;
  Chunker chunker({}, &counter);
  size_t chunks = 0;
  for (uint32_t n = 1; n <= 500; ++n) {
    Page page;
    page.number = n;
    for (int i = 0; i < 40; ++i)
      page.text += "Sentence " + std::string(1 + (n * 7 + i) % 9, 'q') + " here. ";
    chunks += chunker.AddPage(page).size();
    if (n > 20) {
      EXPECT_GT(chunks, n - 20) << "pages are held back";
    }
  }
}

TEST(EmbeddedTextTest, FoldsWhiteSpaceAndRules) {
  EXPECT_EQ(EmbeddedText("A > B", "some\n\n text "), "A > B some text");
  EXPECT_EQ(EmbeddedText("", "Scope ............ 7"), "Scope ... 7");
  EXPECT_EQ(EmbeddedText("", "Scope . . . . . 7"), "Scope ... 7");
  EXPECT_EQ(EmbeddedText("", "wait... a--b"), "wait... a--b");
}

}  // namespace
}  // namespace ragstone::ingest
