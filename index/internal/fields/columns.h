#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "index/filter/filter.h"
#include "index/internal/fields/postings.h"

namespace ragstone::index::fields {

// The values of numbers, booleans and datetimes as integers in the same order; nullopt for texts
// and for a value of another type than the field's.
std::optional<int64_t> NumberKey(FieldType type, const Scalar& value);

// The values of one field in one segment, ordered, with the rows of each. Texts are not indexed by
// value (keyword search does that): such a column knows only which rows have the field.
// Immutable and thread-safe.
class Column {
 public:
  Column() = default;

  FieldType type() const { return type_; }
  // Rows that have a value.
  const Roaring& exists() const { return type_ == FieldType::kText ? rows_ : postings_.all(); }
  uint32_t values() const { return postings_.values(); }
  const Postings& postings() const { return postings_; }

  // The numbers of the values that equal one of `wanted`, ascending.
  std::vector<uint32_t> FindValues(const std::vector<Scalar>& wanted) const;
  // The values [first, last) of a range or of a prefix; first >= last if there are none.
  std::pair<uint32_t, uint32_t> FindRange(const Filter& range) const;
  std::pair<uint32_t, uint32_t> FindPrefix(std::string_view prefix) const;
  // The numbers of the keywords that hold `text`, ascending. Reads the whole dictionary.
  std::vector<uint32_t> FindContaining(std::string_view text) const;

  // The key of a value of a number column, the text of a value of a keyword column.
  int64_t Key(uint32_t value) const { return keys_[value]; }
  std::string_view Text(uint32_t value) const {
    return std::string_view(texts_).substr(
        static_cast<size_t>(ends_[value]),
        static_cast<size_t>(ends_[value + 1]) - static_cast<size_t>(ends_[value]));
  }

  size_t MemoryBytes() const;
  void Encode(Encoder* out) const;
  static Column Decode(Decoder* in);  // fails the decoder

 private:
  friend class ColumnBuilder;
  uint32_t LowerText(std::string_view text) const;
  uint32_t UpperText(std::string_view text) const;
  std::pair<uint32_t, uint32_t> FindKeys(const Filter& range) const;
  bool Consistent() const;

  FieldType type_ = FieldType::kKeyword;
  Postings postings_;
  std::vector<int64_t> keys_;  // of numbers, ascending
  std::string texts_;          // of keywords, ascending, one after the other
  std::vector<int64_t> ends_;  // 0, then where each keyword ends
  Roaring rows_;               // of texts
};

// Collects the values of one field. Texts must live until Finish.
class ColumnBuilder {
 public:
  explicit ColumnBuilder(FieldType type) : type_(type) {}

  // Adds what a payload holds for the field; a value of another type is left out.
  void Add(const PayloadValue& value, uint32_t row);
  // Adds the entries of another column whose rows are not in `dead`, which may be null.
  void AddColumn(const Column& column, const Roaring* dead);
  Column Finish();

 private:
  void AddScalar(const Scalar& value, uint32_t row);
  void AddText(std::string_view text, uint32_t row);
  void FinishKeys(Column* column);
  void FinishTexts(Column* column);

  FieldType type_;
  std::vector<std::pair<int64_t, uint32_t>> numbers_;
  std::unordered_map<std::string_view, uint32_t> text_numbers_;  // in order of appearance
  std::vector<std::pair<uint32_t, uint32_t>> texts_;             // number of the text, row
  Roaring rows_;
};

}  // namespace ragstone::index::fields
