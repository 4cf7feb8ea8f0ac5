#include "llm/stop_filter.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace ragstone::llm {
namespace {

// Pushes the text in pieces of `size` bytes and returns all that comes out; every piece that comes
// out must be whole characters.
std::string Filtered(const std::string& text, size_t size, std::vector<std::string> stops) {
  StopFilter filter(std::move(stops));
  std::string out;
  for (size_t i = 0; i < text.size() && !filter.stopped(); i += size) {
    const std::string piece = filter.Push(text.substr(i, size));
    EXPECT_TRUE(piece.empty() || (static_cast<unsigned char>(piece.front()) & 0xC0) != 0x80);
    out += piece;
  }
  return out + filter.Finish();
}

TEST(StopFilterTest, TextIsTheSameHoweverItIsCut) {
  const std::string text = "Grüße, 東京 and 🙂!";
  for (size_t size = 1; size <= text.size(); ++size)
    EXPECT_EQ(Filtered(text, size, {}), text) << size;
}

TEST(StopFilterTest, NothingOfAStopTextOrAfterItComesOut) {
  const std::string text = "The answer\n\nQuestion: more";
  for (size_t size = 1; size <= text.size(); ++size) {
    EXPECT_EQ(Filtered(text, size, {"\nQuestion", "\n\n"}), "The answer") << size;
  }
}

TEST(StopFilterTest, ABeginningOfAStopTextThatGoesOnOtherwiseComesOut) {
  for (size_t size = 1; size < 12; ++size) {
    EXPECT_EQ(Filtered("a stop sign", size, {"stopped"}), "a stop sign") << size;
    EXPECT_EQ(Filtered("ends in sto", size, {"stop"}), "ends in sto") << size;
  }
}

TEST(StopFilterTest, TheEarliestStopTextWins) {
  StopFilter filter({"c", "b"});
  EXPECT_EQ(filter.Push("abc"), "a");
  EXPECT_TRUE(filter.stopped());
  EXPECT_EQ(filter.Push("more"), "");
  EXPECT_EQ(filter.Finish(), "");
}

TEST(StopFilterTest, AnEmptyStopTextStopsNothing) { EXPECT_EQ(Filtered("text", 2, {""}), "text"); }

TEST(StopFilterTest, BytesThatAreNoTextBecomeReplacementCharacters) {
  EXPECT_EQ(Filtered("a\xFF\x80z", 1, {}), "a\xEF\xBF\xBD\xEF\xBF\xBDz");
  EXPECT_EQ(Filtered("\xED\xA0\x80", 3, {}),
            "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");       // a surrogate
  EXPECT_EQ(Filtered("whole \xE6\x9D", 3, {}), "whole ");  // an incomplete end is dropped
}

}  // namespace
}  // namespace ragstone::llm
