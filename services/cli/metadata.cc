#include "services/cli/metadata.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <map>
#include <string_view>

#include "index/filter/datetime.h"

namespace ragstone::services::cli {
namespace {

struct Texts {
  std::vector<std::string> values;
  bool quoted = false;  // the last one
};

// Whether all of the text is a number of this type.
template <typename Number>
bool ReadNumber(std::string_view text, Number* number) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, *number);
  return error == std::errc() && stop == end;
}

v1::Value ValueOf(const Texts& texts) {
  v1::Value value;
  if (texts.values.size() > 1) {
    for (const std::string& text : texts.values) value.mutable_string_list()->add_values(text);
    return value;
  }
  const std::string& text = texts.values[0];
  int64_t whole = 0;
  double real = 0;
  if (texts.quoted) {
    value.set_string_value(text);
  } else if (ReadNumber(text, &whole)) {
    value.set_int_value(whole);
  } else if (ReadNumber(text, &real) && std::isfinite(real)) {
    value.set_double_value(real);
  } else if (text == "true" || text == "false") {
    value.set_bool_value(text == "true");
  } else if (const auto time = index::ParseTime(text); time.ok()) {
    value.set_datetime_ns(time->time.ns);
  } else {
    value.set_string_value(text);
  }
  return value;
}

}  // namespace

Status SetMetadata(const std::vector<std::string>& entries, v1::Metadata* metadata) {
  std::map<std::string, Texts> given;
  for (const std::string& entry : entries) {
    const size_t equals = entry.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return InvalidArgument(
          Reason::kInvalidArgument,
          fmt::format("\"{}\" is no metadata; write NAME=VALUE, such as year=2021", entry));
    }
    Texts& texts = given[entry.substr(0, equals)];
    std::string value = entry.substr(equals + 1);
    texts.quoted = value.size() >= 2 && value.front() == '"' && value.back() == '"';
    texts.values.push_back(texts.quoted ? value.substr(1, value.size() - 2) : std::move(value));
  }
  for (const auto& [name, texts] : given) (*metadata->mutable_entries())[name] = ValueOf(texts);
  return OkStatus();
}

}  // namespace ragstone::services::cli
