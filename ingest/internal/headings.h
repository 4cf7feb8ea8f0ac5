#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ingest/page.h"

namespace ragstone::ingest::internal {

// The type of most letters of a document, against which headings stand out. Learns as pages come.
class BodyType {
 public:
  void Observe(const Page& page);
  // 0 while nothing is known or the document has no font sizes.
  float size() const { return size_; }
  bool bold() const { return bold_chars_ * 2 > chars_; }

 private:
  static constexpr size_t kSizesMax = 512;
  std::vector<uint64_t> chars_by_half_point_ = std::vector<uint64_t>(kSizesMax, 0);
  uint64_t chars_ = 0, bold_chars_ = 0;
  float size_ = 0;
};

// What tells the rank of a heading.
struct HeadingStyle {
  uint32_t depth = 0;  // of its number ("3.2" has 2) or of Markdown's "##"; 0 without
  bool markdown = false;
  float size = 0;
  bool bold = false;
  bool capitals = false;

  bool operator==(const HeadingStyle&) const = default;
};

// Whether a heading ranks below another: a deeper number, smaller or lighter letters.
bool NestsUnder(const HeadingStyle& style, const HeadingStyle& above);

// A line and where it stands in its block (lines without an empty line between them).
struct LineContext {
  std::string_view text;
  std::string_view next;  // the line below in the same block, or empty
  const Line* line = nullptr;
  const Line* next_line = nullptr;  // null at the end of the block
  size_t index = 0;                 // in the block
  size_t block_lines = 1;
};

// Decides whether a line is a heading by font size, weight, capitals and numbering ("3.2 Title"),
// or by Markdown's marks.
std::optional<HeadingStyle> ClassifyHeading(const LineContext& context, const BodyType& body,
                                            bool markdown);

// Returns the depth of the number a title begins with: "3.2 Scope" 2, "Chapter 4" 1, none 0.
uint32_t NumberDepth(std::string_view title);

// Removes Markdown's marks from a heading and folds white space.
std::string HeadingTitle(std::string_view text, const HeadingStyle& style);

// The headings that a piece of text stands under.
class HeadingStack {
 public:
  // Puts a heading below those that rank higher; the others are done with.
  void Push(const HeadingStyle& style, std::string title);

  // The titles joined by " > ", at most 200 bytes: outer ones are dropped first.
  std::string Path() const;
  // The path without the last heading.
  std::string ParentPath() const;
  size_t depth() const { return entries_.size(); }

 private:
  struct Entry {
    HeadingStyle style;
    std::string title;
  };
  std::string Join(size_t count) const;
  std::vector<Entry> entries_;
};

}  // namespace ragstone::ingest::internal
