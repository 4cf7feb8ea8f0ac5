// Prints the token ids of texts: `tokenizer_dump FOLDER` reads one JSON string per line and prints
// its ids on one line; `tokenizer_dump FOLDER --speed` counts the tokens of the whole input, taken
// as plain text lines, and prints megabytes per second of processor time. Used by
// tokenizer_check.py.
#include <cstdio>
#include <ctime>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "llm/tokenizer.h"

namespace {

int PrintIds(const ragstone::llm::Tokenizer& tokenizer) {
  for (std::string line; std::getline(std::cin, line);) {
    const auto text = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!text.is_string()) {
      std::cerr << "tokenizer_dump: not a JSON string: " << line.substr(0, 80) << "\n";
      return 1;
    }
    std::string out;
    for (const int32_t id : tokenizer.Encode(text.get_ref<const std::string&>())) {
      out += std::to_string(id) + " ";
    }
    std::cout << out << "\n";
  }
  return 0;
}

int PrintSpeed(const ragstone::llm::Tokenizer& tokenizer) {
  std::vector<std::string> lines;
  for (std::string line; std::getline(std::cin, line);) lines.push_back(line);
  uint64_t bytes = 0, tokens = 0;
  const std::clock_t start = std::clock();  // processor time, so that other load does not count
  double seconds = 0;
  while (seconds < 1) {
    for (const std::string& line : lines) {
      tokens += tokenizer.Encode(line).size();
      bytes += line.size();
    }
    seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    if (lines.empty()) break;
  }
  std::printf("%.1f MB/s, %.2f million tokens/s\n", static_cast<double>(bytes) / 1e6 / seconds,
              static_cast<double>(tokens) / 1e6 / seconds);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3 || (argc == 3 && std::string(argv[2]) != "--speed")) {
    std::cerr << "usage: tokenizer_dump FOLDER [--speed]\n";
    return 2;
  }
  std::ios::sync_with_stdio(false);
  const auto tokenizer = ragstone::llm::LoadTokenizer(argv[1]);
  if (!tokenizer.ok()) {
    std::cerr << "tokenizer_dump: " << tokenizer.status().ToString() << "\n";
    return 1;
  }
  return argc == 3 ? PrintSpeed(**tokenizer) : PrintIds(**tokenizer);
}
