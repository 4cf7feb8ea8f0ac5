#include "tests/reliability/numbered.h"

#include <map>

namespace ragstone::index::reliability {
namespace {

constexpr uint32_t kDimensions = 16;

std::string IdOf(size_t writer, int64_t number) {
  return "w" + std::to_string(writer) + "-" + std::to_string(number);
}
std::string HeadOf(size_t writer) { return "w" + std::to_string(writer) + "-head"; }

Record RecordOf(uint64_t seed, size_t writer, int64_t number, const std::string& id) {
  Record record;
  record.id = id;
  const uint64_t which = id == HeadOf(writer) ? 1 : 2;
  Random random(Mixed(seed, writer, static_cast<uint64_t>(number), which));
  record.vectors[""] = NormalVector(&random, kDimensions);
  record.payload["owner"] = static_cast<int64_t>(writer);
  record.payload["number"] = number;
  return record;
}

Status CheckRecord(const Record& expected, const Record& found) {
  if (found.payload == expected.payload && found.vectors == expected.vectors) return OkStatus();
  return Violation(expected.id + " is not what was written");
}

Status CheckFound(const World& world, const Record& expected) {
  RecordSearch search;
  search.vector = expected.vectors.at("");
  search.top_k = 1;
  ASSIGN_OR_RETURN(const std::vector<RecordHit> hits,
                   world.records->Search(kNumberedCollection, search, {}));
  if (hits.size() == 1 && hits[0].record.id == expected.id) return OkStatus();
  return Violation(expected.id + " is not found by its vector");
}

Result<int64_t> CheckWriter(const World& world, uint64_t seed, size_t writer) {
  ReadOptions options;
  options.vectors = true;
  const Filter own = Is("owner", static_cast<int64_t>(writer));
  ASSIGN_OR_RETURN(const std::vector<Record> all,
                   ScrollAll(*world.records, kNumberedCollection, own, options));
  std::map<std::string, Record> found;
  for (const Record& record : all) found[record.id] = record;
  const auto head = found.find(HeadOf(writer));
  if (head == found.end()) {
    return found.empty() ? Result<int64_t>(0) : Violation("records without their number");
  }
  const int64_t number = std::get<int64_t>(head->second.payload.at("number"));
  RETURN_IF_ERROR(CheckRecord(RecordOf(seed, writer, number, HeadOf(writer)), head->second));
  int64_t first = std::max<int64_t>(1, number - kNumberedWindow + 1);
  // The next step may have begun with its deletion.
  if (first == number - kNumberedWindow + 1 && !found.contains(IdOf(writer, first))) ++first;
  for (int64_t i = first; i <= number; ++i) {
    const auto record = found.find(IdOf(writer, i));
    if (record == found.end()) return Violation(IdOf(writer, i) + " is lost");
    const Record expected = RecordOf(seed, writer, i, IdOf(writer, i));
    RETURN_IF_ERROR(CheckRecord(expected, record->second));
    if (i % 8 == 0) RETURN_IF_ERROR(CheckFound(world, expected));
  }
  const auto expected = static_cast<uint64_t>(number - first + 2);
  ASSIGN_OR_RETURN(const uint64_t count, world.records->Count(kNumberedCollection, own, {}));
  if (all.size() == expected && count == expected) return number;
  return Violation("writer " + std::to_string(writer) + " has " + std::to_string(all.size()) +
                   " records, counted " + std::to_string(count) + ", instead of " +
                   std::to_string(expected));
}

}  // namespace

Status CreateNumbered(const World& world) {
  RecordCollectionSpec spec;
  spec.name = kNumberedCollection;
  VectorField field;
  field.dimensions = kDimensions;
  spec.vectors = {field};
  spec.schema = *Schema::Create({{"owner", FieldType::kInteger}, {"number", FieldType::kInteger}});
  return world.records->CreateCollection(spec).status();
}

Status NumberedStep(const World& world, uint64_t seed, size_t writer, int64_t number) {
  if (number > kNumberedWindow) {
    const std::vector<std::string> oldest = {IdOf(writer, number - kNumberedWindow)};
    RETURN_IF_ERROR(world.records->Delete(kNumberedCollection, oldest, {}, {}).status());
  }
  return world.records
      ->Upsert(kNumberedCollection,
               {RecordOf(seed, writer, number, HeadOf(writer)),
                RecordOf(seed, writer, number, IdOf(writer, number))},
               {}, {})
      .status();
}

Result<Numbers> CheckNumbered(const World& world, uint64_t seed, const Numbers& least,
                              const Numbers& most) {
  Numbers numbers{};
  for (size_t writer = 0; writer < kNumberedWriters; ++writer) {
    ASSIGN_OR_RETURN(const int64_t number, CheckWriter(world, seed, writer));
    if (number < least[writer] || number > most[writer]) {
      return Violation("writer " + std::to_string(writer) + " is at " + std::to_string(number) +
                       ", which is not from " + std::to_string(least[writer]) + " to " +
                       std::to_string(most[writer]));
    }
    numbers[writer] = number;
  }
  return numbers;
}

}  // namespace ragstone::index::reliability
