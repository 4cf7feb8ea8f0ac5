#include "tests/reliability/side_collection.h"

namespace ragstone::index::reliability {
namespace {

constexpr std::string_view kName = "side";
constexpr uint32_t kDimensions = 8;
constexpr uint64_t kFirst = 60;   // records of the first filling
constexpr uint64_t kSecond = 30;  // of the second
// What a collection is after so many steps.
constexpr uint64_t kAbsent = 0;
constexpr uint64_t kFilled = 2;
constexpr uint64_t kAltered = 3;
constexpr uint64_t kFilledAgain = 4;
constexpr uint64_t kAlteredBack = 5;

}  // namespace

RecordCollectionSpec SideCollection::SpecAt(uint64_t step) const {
  const uint64_t state = step % kStates;
  RecordCollectionSpec spec;
  spec.name = kName;
  VectorField field;
  field.name = "v";
  field.dimensions = kDimensions;
  field.storage = state < kAltered ? VectorStorage::kFloat32 : VectorStorage::kInt8;
  spec.vectors = {field};
  std::vector<FieldSpec> fields = {{"number", FieldType::kInteger}, {"body", FieldType::kText}};
  fields.push_back({state < kAltered ? "old" : "new", FieldType::kKeyword});
  spec.schema = *Schema::Create(std::move(fields));
  spec.language = state == kAltered || state == kFilledAgain ? "de" : "en";
  return spec;
}

Record SideCollection::MakeRecord(uint64_t step, uint64_t number) const {
  const uint64_t life = step / kStates;
  Record record;
  record.id = "s" + std::to_string(1000 + number);
  Random random(Mixed(seed_, life, number));
  record.vectors["v"] = NormalVector(&random, kDimensions);
  record.payload["number"] = static_cast<int64_t>(number);
  record.payload["body"] = "ordinary life" + std::to_string(life);
  const uint64_t state = step % kStates;
  if (number < kFirst && state < kAltered) record.payload["old"] = std::string("was");
  if (number >= kFirst) record.payload["new"] = std::string("is");
  return record;
}

std::vector<Record> SideCollection::RecordsAt(uint64_t step) const {
  const uint64_t state = step % kStates;
  const uint64_t count = state < kFilled ? 0 : state < kFilledAgain ? kFirst : kFirst + kSecond;
  std::vector<Record> records;
  for (uint64_t number = 0; number < count; ++number) records.push_back(MakeRecord(step, number));
  return records;
}

Status SideCollection::Step(uint64_t step) const {
  const uint64_t next = step + 1;
  switch (next % kStates) {
    case kAbsent:
      return records_->DropCollection(kName);
    case kFilled:
      return records_->Upsert(kName, RecordsAt(next), {}, {}).status();
    case kAltered:
    case kAlteredBack:
      return records_->AlterCollection(SpecAt(next)).status();
    case kFilledAgain: {
      std::vector<Record> records = RecordsAt(next);
      records.erase(records.begin(), records.begin() + kFirst);
      return records_->Upsert(kName, std::move(records), {}, {}).status();
    }
    default:
      return records_->CreateCollection(SpecAt(next)).status();
  }
}

Status SideCollection::CheckRecords(uint64_t step, const std::vector<Record>& expected) const {
  ReadOptions options;
  options.vectors = true;
  ASSIGN_OR_RETURN(const std::vector<Record> all,
                   ScrollAll(*records_, kName, Everything(), options));
  ASSIGN_OR_RETURN(const uint64_t count, records_->Count(kName, Everything(), {}));
  if (all.size() != expected.size() || count != expected.size()) {
    return Violation("side: " + std::to_string(expected.size()) + " records are expected, count " +
                     "says " + std::to_string(count) + " and scroll " + std::to_string(all.size()));
  }
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].id != expected[i].id || all[i].payload != expected[i].payload ||
        all[i].vectors != expected[i].vectors) {
      return Violation("side: record " + expected[i].id + " is not what was written");
    }
  }
  RecordSearch search;
  search.text = "life" + std::to_string(step / kStates);
  search.top_k = 1000;
  ASSIGN_OR_RETURN(std::vector<RecordHit> hits, records_->Search(kName, search, {}));
  if (hits.size() != expected.size()) {
    return Violation("side: " + std::to_string(hits.size()) + " of " +
                     std::to_string(expected.size()) + " records are found by their word");
  }
  for (const Record& record : expected) {
    search = {};
    search.vector_name = "v";
    search.vector = record.vectors.at("v");
    search.top_k = 1;
    ASSIGN_OR_RETURN(hits, records_->Search(kName, search, {}));
    if (hits.size() == 1 && hits[0].record.id == record.id) continue;
    return Violation("side: " + record.id + " is not found by its vector");
  }
  return OkStatus();
}

Status SideCollection::Check(uint64_t step) const {
  const Result<RecordCollectionInfo> info = records_->GetCollection(kName);
  if (step % kStates == kAbsent) {
    if (info.status().reason() == Reason::kCollectionNotFound) return OkStatus();
    return info.ok() ? Violation("side: it was dropped and is there") : info.status();
  }
  RETURN_IF_ERROR(info.status());
  const RecordCollectionSpec spec = SpecAt(step);
  if (info->spec.language != spec.language || !(info->spec.schema == spec.schema) ||
      info->spec.vectors != spec.vectors) {
    return Violation("side: the collection's definition is not that of its last change");
  }
  return CheckRecords(step, RecordsAt(step));
}

Result<uint64_t> SideCollection::Settle(uint64_t step, bool begun) const {
  const Status as_before = Check(step);
  if (as_before.ok()) return step;
  const std::string where = "after " + std::to_string(step) + " steps";
  if (!begun) return as_before.WithContext(where);
  const Status as_after = Check(step + 1);
  if (as_after.ok()) return step + 1;
  return Violation(where + ", neither (" + as_before.message() + ") nor (" + as_after.message() +
                   ")");
}

}  // namespace ragstone::index::reliability
