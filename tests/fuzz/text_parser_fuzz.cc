// Feeds arbitrary bytes to media type detection, the text parser and the sentence splitter.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "ingest/chunker.h"
#include "ingest/text_parser.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)ragstone::ingest::DetectMediaType(bytes, "file.md");
  ragstone::ingest::PageSink sink;
  sink.opened = [](const ragstone::ingest::DocumentFacts&) { return ragstone::OkStatus(); };
  sink.page = [](ragstone::ingest::Page page) {
    size_t end = 0;
    for (const ragstone::ingest::Line& line : page.lines) {
      if (line.begin < end || line.end <= line.begin || line.end > page.text.size()) std::abort();
      end = line.end;
    }
    end = 0;
    for (const ragstone::ingest::Sentence& sentence : ragstone::ingest::SplitSentences(page.text)) {
      if (sentence.begin < end || sentence.end <= sentence.begin) std::abort();
      end = sentence.end;
    }
    if (end > page.text.size()) std::abort();
    return ragstone::OkStatus();
  };
  ragstone::ingest::TextParser parser;
  (void)parser.Parse(bytes, {}, sink, ragstone::CallContext());
  (void)ragstone::ingest::SplitSentences(bytes);
  return 0;
}
