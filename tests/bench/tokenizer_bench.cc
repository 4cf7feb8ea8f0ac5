// Measures a tokeniser on one thread: `tokenizer_bench FOLDER FILE...` prints, for each text file,
// the median megabytes and tokens per second of processor time of Encode and of Count. A file is
// taken in pieces of whole lines of about the size of a chunk.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "llm/tokenizer.h"

namespace {

constexpr size_t kPieceBytes = 1200;
constexpr int kRuns = 9;
constexpr double kRunSeconds = 0.3;

std::vector<std::string_view> Pieces(std::string_view text) {
  std::vector<std::string_view> pieces;
  while (!text.empty()) {
    const size_t line = text.find('\n', std::min(kPieceBytes, text.size() - 1));
    const size_t size = line == std::string_view::npos ? text.size() : line + 1;
    pieces.push_back(text.substr(0, size));
    text.remove_prefix(size);
  }
  return pieces;
}

// The work of one measurement: returns the number of tokens of the piece.
template <typename Tokens>
void Measure(const char* name, const std::vector<std::string_view>& pieces, const Tokens& tokens) {
  std::vector<std::pair<double, double>> rates;  // megabytes, million tokens per second
  for (int run = 0; run < kRuns; ++run) {
    uint64_t bytes = 0, count = 0;
    const std::clock_t start = std::clock();  // processor time, so that other load does not count
    double seconds = 0;
    do {
      for (const std::string_view piece : pieces) {
        count += tokens(piece);
        bytes += piece.size();
      }
      seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    } while (seconds < kRunSeconds);
    rates.emplace_back(static_cast<double>(bytes) / 1e6 / seconds,
                       static_cast<double>(count) / 1e6 / seconds);
  }
  std::sort(rates.begin(), rates.end());
  const auto& [megabytes, millions] = rates[kRuns / 2];
  std::printf("  %s: %.1f MB/s (%.1f to %.1f), %.2f million tokens/s\n", name, megabytes,
              rates.front().first, rates.back().first, millions);
}

int Run(const ragstone::llm::Tokenizer& tokenizer, const char* path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  if (text.empty()) {
    std::cerr << "tokenizer_bench: " << path << " is empty or cannot be read\n";
    return 1;
  }
  const auto pieces = Pieces(text);
  std::printf("%s: %zu bytes, %zu pieces\n", path, text.size(), pieces.size());
  Measure("encode", pieces, [&](std::string_view piece) { return tokenizer.Encode(piece).size(); });
  Measure("count ", pieces, [&](std::string_view piece) { return tokenizer.Count(piece); });
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: tokenizer_bench FOLDER FILE...\n";
    return 2;
  }
  const auto tokenizer = ragstone::llm::LoadTokenizer(argv[1]);
  if (!tokenizer.ok()) {
    std::cerr << "tokenizer_bench: " << tokenizer.status().ToString() << "\n";
    return 1;
  }
  int failed = 0;
  for (int i = 2; i < argc; ++i) failed |= Run(**tokenizer, argv[i]);
  return failed;
}
