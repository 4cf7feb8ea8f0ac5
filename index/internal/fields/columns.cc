#include "index/internal/fields/columns.h"

#include <string.h>  // NOLINT: memmem is not in <cstring>

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>

#include "index/internal/fields/row_set.h"

namespace ragstone::index::fields {
namespace {

bool IsKeyword(FieldType type) { return type == FieldType::kKeyword; }

// Maps doubles to integers of the same order: IEEE 754 orders positive ones as their bits do, and
// negative ones the other way round.
int64_t OrderedBits(double number) {
  const auto bits = std::bit_cast<int64_t>(number == 0 ? 0.0 : number);
  return bits >= 0 ? bits : bits ^ std::numeric_limits<int64_t>::max();
}

// The common end of a column: values are distinct and ascending, `entries` ordered by value.
Postings MakePostings(size_t values, const std::vector<std::pair<uint32_t, uint32_t>>& entries) {
  std::vector<uint32_t> starts(values + 1);
  std::vector<uint32_t> rows;
  rows.reserve(entries.size());
  for (const auto& [value, row] : entries) {
    ++starts[value + 1];
    rows.push_back(row);
  }
  std::partial_sum(starts.begin(), starts.end(), starts.begin());
  return Postings(std::move(starts), std::move(rows));
}

template <typename Pair>
void SortUnique(std::vector<Pair>* entries) {
  if (!std::is_sorted(entries->begin(), entries->end())) {
    std::sort(entries->begin(), entries->end());
  }
  entries->erase(std::unique(entries->begin(), entries->end()), entries->end());
}

}  // namespace

std::optional<int64_t> NumberKey(FieldType type, const Scalar& value) {
  switch (type) {
    case FieldType::kInteger:
      if (const auto* integer = std::get_if<int64_t>(&value)) return *integer;
      break;
    case FieldType::kFloat:
      if (const auto* number = std::get_if<double>(&value)) return OrderedBits(*number);
      break;
    case FieldType::kBoolean:
      if (const auto* boolean = std::get_if<bool>(&value)) return *boolean ? 1 : 0;
      break;
    case FieldType::kDatetime:
      if (const auto* time = std::get_if<Datetime>(&value)) return time->ns;
      break;
    case FieldType::kKeyword:
    case FieldType::kText:
      break;
  }
  return std::nullopt;
}

uint32_t Column::LowerText(std::string_view text) const {
  uint32_t first = 0;
  uint32_t last = values();
  while (first < last) {
    const uint32_t middle = first + (last - first) / 2;
    if (Text(middle) < text) {
      first = middle + 1;
    } else {
      last = middle;
    }
  }
  return first;
}

uint32_t Column::UpperText(std::string_view text) const {
  const uint32_t at = LowerText(text);
  return at < values() && Text(at) == text ? at + 1 : at;
}

std::vector<uint32_t> Column::FindValues(const std::vector<Scalar>& wanted) const {
  std::vector<uint32_t> found;
  for (const Scalar& value : wanted) {
    if (IsKeyword(type_)) {
      const auto* text = std::get_if<std::string>(&value);
      if (text == nullptr) continue;
      const uint32_t at = LowerText(*text);
      if (at < values() && Text(at) == *text) found.push_back(at);
    } else if (const std::optional<int64_t> key = NumberKey(type_, value)) {
      const auto at = std::lower_bound(keys_.begin(), keys_.end(), *key);
      if (at != keys_.end() && *at == *key) {
        found.push_back(static_cast<uint32_t>(at - keys_.begin()));
      }
    }
  }
  SortUnique(&found);
  return found;
}

std::pair<uint32_t, uint32_t> Column::FindKeys(const Filter& range) const {
  constexpr std::pair<uint32_t, uint32_t> kNone = {0, 0};
  auto first = keys_.begin();
  auto last = keys_.end();
  if (range.lower.has_value()) {
    const std::optional<int64_t> key = NumberKey(type_, range.lower->value);
    if (!key.has_value()) return kNone;
    first = range.lower->inclusive ? std::lower_bound(first, last, *key)
                                   : std::upper_bound(first, last, *key);
  }
  if (range.upper.has_value()) {
    const std::optional<int64_t> key = NumberKey(type_, range.upper->value);
    if (!key.has_value()) return kNone;
    last = range.upper->inclusive ? std::upper_bound(keys_.begin(), keys_.end(), *key)
                                  : std::lower_bound(keys_.begin(), keys_.end(), *key);
  }
  return {static_cast<uint32_t>(first - keys_.begin()),
          static_cast<uint32_t>(last - keys_.begin())};
}

std::pair<uint32_t, uint32_t> Column::FindRange(const Filter& range) const {
  if (!IsKeyword(type_)) return FindKeys(range);
  uint32_t first = 0;
  uint32_t last = values();
  if (range.lower.has_value()) {
    const auto* text = std::get_if<std::string>(&range.lower->value);
    if (text == nullptr) return {0, 0};
    first = range.lower->inclusive ? LowerText(*text) : UpperText(*text);
  }
  if (range.upper.has_value()) {
    const auto* text = std::get_if<std::string>(&range.upper->value);
    if (text == nullptr) return {0, 0};
    last = range.upper->inclusive ? UpperText(*text) : LowerText(*text);
  }
  return {first, last};
}

std::pair<uint32_t, uint32_t> Column::FindPrefix(std::string_view prefix) const {
  if (!IsKeyword(type_)) return {0, 0};
  const uint32_t first = LowerText(prefix);
  // The first text behind all that begin so: the prefix with its last byte one higher. Bytes 0xFF
  // have none higher, and do not occur in UTF-8.
  std::string behind(prefix);
  while (!behind.empty() && behind.back() == '\xFF') behind.pop_back();
  if (behind.empty()) return {first, values()};
  behind.back() = static_cast<char>(static_cast<uint8_t>(behind.back()) + 1);
  return {first, LowerText(behind)};
}

std::vector<uint32_t> Column::FindContaining(std::string_view text) const {
  std::vector<uint32_t> found;
  if (!IsKeyword(type_) || text.empty()) return found;
  size_t at = 0;
  while (at < texts_.size()) {
    const void* hit = memmem(texts_.data() + at, texts_.size() - at, text.data(), text.size());
    if (hit == nullptr) break;
    const auto position = static_cast<size_t>(static_cast<const char*>(hit) - texts_.data());
    const auto end =
        std::upper_bound(ends_.begin() + 1, ends_.end(), static_cast<int64_t>(position));
    // A hit that reaches into the next keyword is none.
    if (position + text.size() <= static_cast<size_t>(*end)) {
      found.push_back(static_cast<uint32_t>(end - ends_.begin()) - 1);
      at = static_cast<size_t>(*end);
    } else {
      at = position + 1;
    }
  }
  return found;
}

size_t Column::MemoryBytes() const {
  return sizeof(Column) + postings_.MemoryBytes() +
         (keys_.capacity() + ends_.capacity()) * sizeof(int64_t) + texts_.capacity() +
         fields::MemoryBytes(rows_);
}

void Column::Encode(Encoder* out) const {
  out->U8(static_cast<uint8_t>(type_));
  if (type_ == FieldType::kText) {
    EncodeRows(rows_, out);
    return;
  }
  postings_.Encode(out);
  if (IsKeyword(type_)) {
    out->String(texts_);
    EncodeArray(std::span<const int64_t>(ends_), out);
  } else {
    EncodeArray(std::span<const int64_t>(keys_), out);
  }
}

Column Column::Decode(Decoder* in) {
  Column out;
  const uint8_t type = in->U8();
  if (type < 1 || type > static_cast<uint8_t>(FieldType::kText)) in->Fail();
  if (!in->ok()) return {};
  out.type_ = static_cast<FieldType>(type);
  if (out.type_ == FieldType::kText) {
    out.rows_ = DecodeRows(in);
    return out;
  }
  out.postings_ = Postings::Decode(in);
  if (IsKeyword(out.type_)) {
    out.texts_ = in->String();
    out.ends_ = DecodeArray64(in);
  } else {
    out.keys_ = DecodeArray64(in);
  }
  if (in->ok() && !out.Consistent()) in->Fail();
  return in->ok() ? std::move(out) : Column();
}

// Whether the values lie within their arrays. Their order is left to the checksum.
bool Column::Consistent() const {
  if (!IsKeyword(type_)) return keys_.size() == values();
  return ends_.size() == size_t{values()} + 1 && ends_.front() == 0 &&
         ends_.back() == static_cast<int64_t>(texts_.size()) &&
         std::is_sorted(ends_.begin(), ends_.end());
}

void ColumnBuilder::AddText(std::string_view text, uint32_t row) {
  const auto number = static_cast<uint32_t>(text_numbers_.size());
  texts_.emplace_back(text_numbers_.try_emplace(text, number).first->second, row);
}

void ColumnBuilder::AddScalar(const Scalar& value, uint32_t row) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    if (type_ == FieldType::kText) rows_.add(row);
    if (IsKeyword(type_)) AddText(*text, row);
  } else if (const std::optional<int64_t> key = NumberKey(type_, value)) {
    numbers_.emplace_back(*key, row);
  }
}

void ColumnBuilder::Add(const PayloadValue& value, uint32_t row) {
  if (const auto* list = std::get_if<ScalarList>(&value)) {
    for (const Scalar& element : *list) AddScalar(element, row);
    return;
  }
  // Keywords must not be copied, for the views of them live on.
  if (const auto* text = std::get_if<std::string>(&value)) {
    if (type_ == FieldType::kText) rows_.add(row);
    if (IsKeyword(type_)) AddText(*text, row);
    return;
  }
  std::visit(
      [this, row](const auto& held) {
        using T = std::decay_t<decltype(held)>;
        if constexpr (std::is_same_v<T, int64_t> || std::is_same_v<T, double> ||
                      std::is_same_v<T, bool> || std::is_same_v<T, Datetime>) {
          AddScalar(Scalar(held), row);
        }
      },
      value);
}

void ColumnBuilder::AddColumn(const Column& column, const Roaring* dead) {
  if (column.type() != type_) return;
  const bool some_dead = dead != nullptr && !dead->isEmpty();
  if (type_ == FieldType::kText) {
    Roaring rows = column.exists();
    if (some_dead) rows -= *dead;
    rows_ |= rows;
    return;
  }
  const std::vector<uint32_t> rows = column.postings().AllRows();
  const std::vector<uint32_t>& starts = column.postings().starts();
  for (uint32_t value = 0; value < column.values(); ++value) {
    for (uint32_t i = starts[value]; i < starts[value + 1]; ++i) {
      if (some_dead && dead->contains(rows[i])) continue;
      if (IsKeyword(type_)) {
        AddText(column.Text(value), rows[i]);
      } else {
        numbers_.emplace_back(column.Key(value), rows[i]);
      }
    }
  }
}

void ColumnBuilder::FinishKeys(Column* column) {
  SortUnique(&numbers_);
  std::vector<std::pair<uint32_t, uint32_t>> entries;
  entries.reserve(numbers_.size());
  for (const auto& [key, row] : numbers_) {
    if (column->keys_.empty() || column->keys_.back() != key) column->keys_.push_back(key);
    entries.emplace_back(static_cast<uint32_t>(column->keys_.size()) - 1, row);
  }
  column->keys_.shrink_to_fit();
  column->postings_ = MakePostings(column->keys_.size(), entries);
}

void ColumnBuilder::FinishTexts(Column* column) {
  std::vector<std::pair<std::string_view, uint32_t>> sorted(text_numbers_.begin(),
                                                            text_numbers_.end());
  std::sort(sorted.begin(), sorted.end());
  std::vector<uint32_t> ranks(sorted.size());
  column->ends_.push_back(0);
  for (uint32_t rank = 0; rank < sorted.size(); ++rank) {
    ranks[sorted[rank].second] = rank;
    column->texts_ += sorted[rank].first;
    column->ends_.push_back(static_cast<int64_t>(column->texts_.size()));
  }
  column->texts_.shrink_to_fit();
  column->ends_.shrink_to_fit();
  for (auto& [number, row] : texts_) number = ranks[number];
  SortUnique(&texts_);
  column->postings_ = MakePostings(sorted.size(), texts_);
}

Column ColumnBuilder::Finish() {
  Column column;
  column.type_ = type_;
  if (type_ == FieldType::kText) {
    rows_.runOptimize();
    column.rows_ = std::move(rows_);
  } else if (IsKeyword(type_)) {
    FinishTexts(&column);
  } else {
    FinishKeys(&column);
  }
  return column;
}

}  // namespace ragstone::index::fields
