#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "ingest/page.h"

namespace ragstone::ingest::internal {

// A page of which every line is known to be text or a running head or foot.
struct DecidedPage {
  uint32_t number = 0;
  std::string text;
  std::vector<Line> lines;
  std::vector<bool> running;  // parallel to `lines`
};

// Finds running heads and feet: lines near the top or bottom edge that return on many neighbouring
// pages, numbers aside. Decides with the four pages before and after, so a document of any length
// needs a window of nine pages. Not thread-safe.
class RunningLines {
 public:
  // Takes the next page; appends the pages that can be decided, in order.
  void Add(const Page& page, std::vector<DecidedPage>* decided);
  // Appends the rest.
  void Finish(std::vector<DecidedPage>* decided);

 private:
  struct EdgeLine {
    size_t line;
    std::string key;
  };
  struct Entry {
    DecidedPage page;
    std::vector<EdgeLine> edges;
  };

  static std::vector<EdgeLine> FindEdges(const Page& page);
  void DecideNext(std::vector<DecidedPage>* decided);

  std::deque<std::vector<std::string>> before_;  // keys of the pages decided last
  std::deque<Entry> waiting_;
};

}  // namespace ragstone::ingest::internal
