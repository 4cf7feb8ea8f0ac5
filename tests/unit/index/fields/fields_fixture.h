#pragma once

#include <map>
#include <random>
#include <string>
#include <vector>

#include "index/filter/payload_matcher.h"
#include "index/internal/fields/field_index.h"

// Random schemas, payloads and filters for the tests of the field index.
namespace ragstone::index::fields {

class RandomFields {
 public:
  explicit RandomFields(uint64_t seed) : random_(seed) {}

  uint64_t Below(uint64_t limit) { return random_() % limit; }
  bool OneIn(uint64_t count) { return Below(count) == 0; }

  // Two to eight fields of any types.
  Schema MakeSchema() {
    std::vector<FieldSpec> fields(2 + Below(7));
    for (size_t i = 0; i < fields.size(); ++i) {
      fields[i].name = "f" + std::to_string(i);
      fields[i].type = static_cast<FieldType>(1 + Below(6));
      fields[i].is_list = OneIn(3);
      fields[i].indexed = !OneIn(6);
    }
    return Schema::Create(std::move(fields)).value();
  }

  Scalar MakeScalar(FieldType type) {
    // Some values are frequent, some rare, some at the ends of the type.
    const auto number = static_cast<int64_t>(OneIn(2) ? Below(5) : Below(2000)) - 2;
    switch (type) {
      case FieldType::kInteger:
        if (OneIn(30)) return OneIn(2) ? INT64_MAX : INT64_MIN;
        return number;
      case FieldType::kFloat:
        if (OneIn(30)) return OneIn(2) ? 1e300 : -1e300;
        return static_cast<double>(number) / 4;
      case FieldType::kBoolean:
        return OneIn(3);
      case FieldType::kDatetime:
        return Datetime{number * 3'600'000'000'000};
      case FieldType::kText:
        return MakeText();
      case FieldType::kKeyword:
        break;
    }
    return MakeKeyword();
  }

  std::string MakeKeyword() {
    std::string keyword;
    const uint64_t letters = OneIn(2) ? 1 : Below(6);
    for (uint64_t i = 0; i < letters; ++i) keyword += static_cast<char>('a' + Below(3));
    return keyword;
  }

  std::string MakeText() {
    static constexpr std::string_view kWords[] = {"red ",  "green ", "blue ",
                                                  "runs ", "fast ",  "42 "};
    std::string text;
    for (uint64_t i = Below(5); i > 0; --i) text += kWords[Below(std::size(kWords))];
    return text;
  }

  Payload MakePayload(const Schema& schema) {
    Payload payload;
    for (const FieldSpec& field : schema.fields()) {
      if (OneIn(5)) continue;
      if (OneIn(12)) {
        payload[field.name] = std::monostate();
      } else if (field.is_list) {
        ScalarList list(Below(4));
        for (Scalar& element : list) element = MakeScalar(field.type);
        payload[field.name] = std::move(list);
      } else {
        std::visit([&](auto&& held) { payload[field.name] = std::move(held); },
                   MakeScalar(field.type));
      }
    }
    return payload;
  }

  Filter MakeFilter(const Schema& schema, int depth) {
    const uint64_t choice = depth == 0 ? 3 : Below(5);
    if (choice >= 3) return MakeLeaf(schema);
    if (choice == 2) return Not(MakeFilter(schema, depth - 1));
    std::vector<Filter> children(Below(4));
    for (Filter& child : children) child = MakeFilter(schema, depth - 1);
    return choice == 0 ? And(std::move(children)) : Or(std::move(children));
  }

  // Rows mostly follow each other; some have other high bits.
  RowId MakeRow(uint64_t rows) {
    const RowId row = Below(rows);
    return OneIn(8) ? row | (RowId{1 + Below(3)} << 32) : row;
  }

 private:
  std::optional<Bound> MakeBound(FieldType type) { return Bound{MakeScalar(type), OneIn(2)}; }

  Filter MakeLeaf(const Schema& schema) {
    const FieldSpec& field = schema.fields()[Below(schema.fields().size())];
    if (OneIn(8)) return Exists(field.name);
    if (OneIn(12)) {
      std::vector<PointId> ids(1 + Below(4));
      for (PointId& id : ids) id = MakeRow(500);
      return HasId(std::move(ids));
    }
    if (field.type == FieldType::kText) {
      if (OneIn(2)) return Match(field.name, "run red");
      return OneIn(2) ? Contains(field.name, "d b") : Prefix(field.name, "gr");
    }
    if (field.type == FieldType::kKeyword && OneIn(3)) {
      const std::string part = "a" + MakeKeyword();
      return OneIn(2) ? Contains(field.name, part) : Prefix(field.name, part);
    }
    if (field.type != FieldType::kBoolean && OneIn(2)) {
      const bool lower = !OneIn(4);
      return Range(field.name, lower ? MakeBound(field.type) : std::nullopt,
                   !lower || OneIn(2) ? MakeBound(field.type) : std::nullopt);
    }
    std::vector<Scalar> values(OneIn(3) ? 1 + Below(40) : 1);
    for (Scalar& value : values) value = MakeScalar(field.type);
    return In(field.name, std::move(values));
  }

  std::mt19937_64 random_;
};

// What a field index must agree with: every row and its payload.
using Model = std::map<RowId, Payload>;

// The rows of the model that match, by looking at each.
inline RowSet MatchingRows(const Model& model, const Filter& filter) {
  const PayloadMatcher matcher = PayloadMatcher::Create(filter).value();
  RowSet rows;
  for (const auto& [row, payload] : model) {
    const PointId id = row;
    if (matcher.Matches(payload, &id)) rows.Add(row);
  }
  return rows;
}

// The rows that the index finds, the unsure ones checked.
inline RowSet FoundRows(const FieldSnapshot& snapshot, const Model& model, const Filter& filter) {
  const FieldMatches matches = snapshot.Evaluate(filter, {});
  const PayloadMatcher matcher = PayloadMatcher::Create(filter).value();
  RowSet rows = matches.sure;
  for (const RowId row : matches.unsure.ToVector()) {
    const PointId id = row;
    const auto entry = model.find(row);
    if (entry != model.end() && matcher.Matches(entry->second, &id)) rows.Add(row);
  }
  return rows;
}

}  // namespace ragstone::index::fields
