#include "llm/answer/numbers.h"

#include <gtest/gtest.h>

#include <string>

namespace ragstone::llm {
namespace {

std::string Quantity(const std::string& text, const std::string& chosen,
                     const std::string& stretch) {
  const auto place = [&](const std::string& part) {
    const auto begin = static_cast<uint32_t>(text.find(part));
    return Stretch{begin, begin + static_cast<uint32_t>(part.size())};
  };
  const Stretch whole = WholeQuantity(text, place(chosen), place(stretch));
  return text.substr(whole.begin, whole.end - whole.begin);
}

TEST(WholeQuantity, TakesTheNumberBeforeAndTheUnitBehind) {
  EXPECT_EQ(Quantity("It took 55 minutes.", "minutes", "55 minutes"), "55 minutes");
  EXPECT_EQ(Quantity("It opens at 65 bar.", "65", "65 bar"), "65 bar");
  EXPECT_EQ(Quantity("We want 500 million pages.", "million", "500 million pages"), "500 million");
  EXPECT_EQ(Quantity("In 2004, 350 came.", "350", "2004, 350"), "350");
  EXPECT_EQ(Quantity("It costs $5 a month.", "5", "$5"), "$5");
  EXPECT_EQ(Quantity("It draws 19 A here.", "19", "19 A here"), "19 A");
  EXPECT_EQ(Quantity("Order part OV-2030 soon.", "OV", "OV-2030 soon"), "OV-2030");
  EXPECT_EQ(Quantity("It lasts 6\nmonths.", "6", "6"), "6\nmonths");
  EXPECT_EQ(Quantity("Give it 5\nA new pump", "5", "5"), "5");
}

TEST(WholeCode, TakesJoinedPartsAndRanges) {
  const auto whole = [](const std::string& text, const std::string& part) {
    const auto begin = static_cast<uint32_t>(text.find(part));
    const Stretch found = WholeCode(text, {begin, begin + static_cast<uint32_t>(part.size())});
    return text.substr(found.begin, found.end - found.begin);
  };
  EXPECT_EQ(whole("part OV-2030, blue", "2030"), "OV-2030");
  EXPECT_EQ(whole("it is 1,000-1,500 m", "1,500"), "1,000-1,500");
  EXPECT_EQ(whole("on 12/2023", "12"), "12/2023");
  EXPECT_EQ(whole("-5", "5"), "5");
}

}  // namespace
}  // namespace ragstone::llm
