// Feeds pages of arbitrary text and lines to the chunker and checks what must hold of every chunk.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "ingest/chunker.h"

namespace {

class ByteCounter : public ragstone::ingest::TokenCounter {
 public:
  uint32_t Count(std::string_view text) const override {
    return static_cast<uint32_t>((text.size() + 2) / 3);
  }
};

// Takes numbers from the front of the input.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : data_(reinterpret_cast<const char*>(data), size) {}
  uint32_t Byte() {
    if (data_.empty()) return 0;
    const auto byte = static_cast<unsigned char>(data_.front());
    data_.remove_prefix(1);
    return byte;
  }
  std::string_view Take(size_t n) {
    const std::string_view part = data_.substr(0, n);
    data_.remove_prefix(part.size());
    return part;
  }
  bool empty() const { return data_.empty(); }

 private:
  std::string_view data_;
};

ragstone::ingest::Page MakePage(Input* input, uint32_t number) {
  ragstone::ingest::Page page;
  page.number = number;
  page.height = 800;
  const uint32_t lines = input->Byte() % 24;
  for (uint32_t i = 0; i < lines && !input->empty(); ++i) {
    const uint32_t flags = input->Byte();
    ragstone::ingest::Line line;
    line.begin = static_cast<uint32_t>(page.text.size());
    page.text += input->Take(input->Byte());
    line.end = static_cast<uint32_t>(page.text.size()) + (flags % 64 == 0 ? flags : 0);
    line.bold = flags & 1;
    line.table_row = flags & 2;
    line.font_size = static_cast<float>(flags >> 4);
    page.text += flags & 4 ? "\n\n" : "\n";
    if (flags & 8) page.lines.push_back(line);
  }
  return page;
}

void Check(bool holds) {
  if (!holds) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Input input(data, size);
  ragstone::ingest::ChunkerOptions options;
  options.tokens_max = 16 + input.Byte();
  options.tokens_min = input.Byte() % 64;
  options.markdown = input.Byte() % 2 == 0;
  const ByteCounter counter;
  ragstone::ingest::Chunker chunker(options, &counter);
  std::string document;
  uint64_t end = 0;
  const auto check = [&](const std::vector<ragstone::ingest::Chunk>& chunks) {
    for (const ragstone::ingest::Chunk& chunk : chunks) {
      Check(chunk.begin >= end && chunk.begin < chunk.end && chunk.end <= document.size());
      Check(document.compare(chunk.begin, chunk.end - chunk.begin, chunk.text) == 0);
      Check(chunk.tokens <= options.tokens_max && chunk.heading.size() <= 200);
      end = chunk.end;
    }
  };
  for (uint32_t number = 1; number <= 12 && !input.empty(); ++number) {
    const ragstone::ingest::Page page = MakePage(&input, number);
    if (number > 1) document += '\n';
    document += page.text;
    check(chunker.AddPage(page));
  }
  check(chunker.Finish());
  return 0;
}
