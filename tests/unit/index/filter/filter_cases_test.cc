// Runs tests/cases/filter: covers index/filter/filter_lexer.cc, index/filter/filter_parser.cc,
// index/filter/filter_printer.cc and index/filter/filter_bind.cc.
#include <gtest/gtest.h>

#include <fstream>

#include "index/filter/filter_parser.h"

namespace ragstone::index {
namespace {

Schema CaseSchema() {
  Result<Schema> schema = Schema::Create({
      {"body", FieldType::kText},
      {"created", FieldType::kDatetime},
      {"draft", FieldType::kBoolean},
      {"größe", FieldType::kFloat},
      {"lang", FieldType::kKeyword},
      {"match", FieldType::kKeyword},
      {"opened", FieldType::kDatetime, true},
      {"ratings", FieldType::kInteger, true},
      {"score", FieldType::kFloat},
      {"tags", FieldType::kKeyword, true},
      {"year", FieldType::kInteger},
  });
  EXPECT_TRUE(schema.ok()) << schema.status().ToString();
  return *schema;
}

struct Case {
  int line = 0;
  std::string filter;
  std::map<std::string, std::string> expected;
};

std::vector<Case> ReadCases(const std::string& name) {
  std::ifstream file(std::string(RAGSTONE_SOURCE_DIR) + "/tests/cases/filter/" + name);
  EXPECT_TRUE(file.good()) << name;
  std::vector<Case> cases;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.empty() || line[0] == '#') continue;
    const size_t colon = line.find(':');
    const std::string key = line.substr(0, colon);
    const std::string value = colon + 2 <= line.size() ? line.substr(colon + 2) : "";
    if (key == "filter") {
      cases.push_back({number, value, {}});
    } else {
      cases.back().expected[key] = value;
    }
  }
  return cases;
}

Result<Filter> ParseAndBind(const std::string& text) {
  ASSIGN_OR_RETURN(const Filter filter, ParseFilter(text));
  return BindFilter(CaseSchema(), filter);
}

TEST(FilterCasesTest, RefusedFiltersNameThePositionAndWhatWasExpected) {
  const std::vector<Case> cases = ReadCases("errors.case");
  EXPECT_GE(cases.size(), 60u);
  for (const Case& test : cases) {
    const Result<Filter> filter = ParseAndBind(test.filter);
    ASSERT_FALSE(filter.ok()) << "line " << test.line << ": " << test.filter;
    EXPECT_EQ(filter.status().code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(filter.status().message(), test.expected.at("error")) << "line " << test.line;
  }
}

TEST(FilterCasesTest, FiltersPrintInTheirCanonicalForm) {
  const std::vector<Case> cases = ReadCases("forms.case");
  EXPECT_GE(cases.size(), 35u);
  for (const Case& test : cases) {
    SCOPED_TRACE("line " + std::to_string(test.line) + ": " + test.filter);
    const Result<Filter> parsed = ParseFilter(test.filter);
    ASSERT_TRUE(parsed.ok()) << parsed.status().ToString();
    const std::string printed = PrintFilter(*parsed);
    EXPECT_EQ(printed, test.expected.at("print"));
    const Result<Filter> again = ParseFilter(printed);
    ASSERT_TRUE(again.ok()) << again.status().ToString();
    EXPECT_TRUE(*again == *parsed);

    const Result<Filter> bound = BindFilter(CaseSchema(), *parsed);
    ASSERT_TRUE(bound.ok()) << bound.status().ToString();
    const auto expected = test.expected.find("bound");
    EXPECT_EQ(PrintFilter(*bound), expected == test.expected.end() ? printed : expected->second);
    const Result<Filter> bound_again = ParseAndBind(PrintFilter(*bound));
    ASSERT_TRUE(bound_again.ok()) << bound_again.status().ToString();
    EXPECT_TRUE(*bound_again == *bound);
  }
}

}  // namespace
}  // namespace ragstone::index
