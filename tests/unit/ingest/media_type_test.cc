// Covers ingest/media_type.cc.
#include <gtest/gtest.h>

#include "ingest/text_parser.h"

namespace ragstone::ingest {
namespace {

std::string Detect(std::string_view bytes, std::string_view name) {
  const Result<std::string> type = DetectMediaType(bytes, name);
  return type.ok() ? *type : std::string(ReasonName(type.status().reason()));
}

TEST(MediaTypeTest, ContentWinsOverTheName) {
  EXPECT_EQ(Detect("%PDF-1.7\n", "notes.txt"), "application/pdf");
  EXPECT_EQ(Detect("junk before\n%PDF-1.4", "x"), "application/pdf");
  EXPECT_EQ(Detect(std::string(2000, ' ') + "%PDF-1.4", "x"), "text/plain")
      << "mark comes too late";
}

TEST(MediaTypeTest, NameTellsMarkdownFromText) {
  EXPECT_EQ(Detect("# Hi", "a/b.md"), "text/markdown");
  EXPECT_EQ(Detect("# Hi", "README.MARKDOWN"), "text/markdown");
  EXPECT_EQ(Detect("# Hi", "dir.md/readme"), "text/plain");
  EXPECT_EQ(Detect("", "empty"), "text/plain");
}

TEST(MediaTypeTest, BytesThatAreNoTextAreRefused) {
  EXPECT_EQ(Detect(std::string_view("\x7F"
                                    "ELF\0\0",
                                    6),
                   "prog"),
            "UNSUPPORTED_MEDIA_TYPE");
  EXPECT_EQ(Detect(std::string_view("\xFF\xFEh\0i\0", 6), "utf16.txt"), "text/plain");
}

TEST(MediaTypeTest, APdfNameLeavesTheRefusalToTheParser) {
  EXPECT_EQ(Detect(std::string_view("no\0pdf", 6), "report.PDF"), "application/pdf");
}

}  // namespace
}  // namespace ragstone::ingest
