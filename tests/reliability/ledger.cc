#include "tests/reliability/ledger.h"

#include <algorithm>
#include <sstream>

namespace ragstone::index::reliability {
namespace {

constexpr uint32_t kDimensions = 12;

std::string RequestIdOf(size_t writer, const Operation& operation) {
  return "w" + std::to_string(writer) + "-" + std::to_string(operation.mark);
}

// A word that only records of this operation hold.
std::string WordOf(size_t writer, int64_t mark) {
  return "w" + std::to_string(writer) + "m" + std::to_string(mark) + "x";
}

Payload PayloadOf(size_t writer, uint32_t slot, int64_t mark) {
  Payload payload;
  payload["owner"] = static_cast<int64_t>(writer);
  payload["bucket"] = static_cast<int64_t>(slot % kBuckets);
  payload["mark"] = mark;
  payload["even"] = mark % 2 == 0;
  payload["tags"] = ScalarList{std::string("all"), "tag" + std::to_string(mark % 5)};
  payload["body"] = "common words and " + WordOf(writer, mark);
  return payload;
}

Filter BucketOf(size_t writer, uint32_t bucket) {
  return And({Is("owner", static_cast<int64_t>(writer)), Is("bucket", bucket)});
}

std::string Describe(const Operation& operation) { return "operation " + operation.ToText(); }

}  // namespace

RecordCollectionSpec LedgerSpec() {
  RecordCollectionSpec spec;
  spec.name = kLedgerCollection;
  VectorField field;
  field.dimensions = kDimensions;
  field.metric = VectorMetric::kL2;
  spec.vectors = {field};
  spec.schema = *Schema::Create({{"owner", FieldType::kInteger},
                                 {"bucket", FieldType::kInteger},
                                 {"mark", FieldType::kInteger},
                                 {"even", FieldType::kBoolean},
                                 {"tags", FieldType::kKeyword, true},
                                 {"body", FieldType::kText}});
  return spec;
}

std::string IdOf(size_t writer, uint32_t slot) {
  return "w" + std::to_string(writer) + "-" + std::to_string(slot);
}

Record RecordOf(const Ledger& ledger, size_t writer, uint32_t slot, const Item& item) {
  Record record;
  record.id = IdOf(writer, slot);
  Random random(Mixed(ledger.seed, writer, slot, static_cast<uint64_t>(item.vector_mark)));
  record.vectors[""] = NormalVector(&random, kDimensions);
  record.payload = PayloadOf(writer, slot, item.payload_mark);
  record.version = item.version;
  return record;
}

std::string Operation::ToText() const {
  std::string text = std::to_string(static_cast<int>(kind)) + " " + std::to_string(mark) + " " +
                     (request ? "1 " : "0 ") + std::to_string(bucket);
  for (const uint32_t slot : slots) text += " " + std::to_string(slot);
  return text;
}

Operation Operation::FromText(std::string_view text) {
  std::istringstream in{std::string(text)};
  Operation operation;
  int kind = 0;
  in >> kind >> operation.mark >> operation.request >> operation.bucket;
  operation.kind = static_cast<Kind>(kind);
  for (uint32_t slot = 0; in >> slot;) operation.slots.push_back(slot);
  return operation;
}

uint64_t Operation::Apply(uint64_t version, Shelf* shelf) const {
  uint64_t affected = 0;
  if (kind == Kind::kUpsert) {
    for (const uint32_t slot : slots) (*shelf)[slot] = {mark, mark, version};
    return slots.size();
  }
  const bool by_bucket = kind == Kind::kUpdateBucket || kind == Kind::kDeleteBucket;
  for (auto it = shelf->begin(); it != shelf->end();) {
    const bool meant = by_bucket ? it->first % kBuckets == bucket
                                 : std::find(slots.begin(), slots.end(), it->first) != slots.end();
    if (!meant) {
      ++it;
      continue;
    }
    ++affected;
    if (kind == Kind::kDelete || kind == Kind::kDeleteBucket) {
      it = shelf->erase(it);
    } else {
      it->second.payload_mark = mark;
      it->second.version = version;
      ++it;
    }
  }
  return affected;
}

Result<WriteResult> Perform(RecordDatabase* records, const Ledger& ledger, size_t writer,
                            const Operation& operation, const std::vector<uint64_t>& versions) {
  WriteOptions options;
  if (operation.request) options.request_id = RequestIdOf(writer, operation);
  options.if_versions = versions;
  if (operation.kind == Operation::Kind::kUpsert) {
    std::vector<Record> made;
    for (const uint32_t slot : operation.slots) {
      made.push_back(RecordOf(ledger, writer, slot, {operation.mark, operation.mark, 0}));
    }
    return records->Upsert(kLedgerCollection, std::move(made), options, {});
  }
  RecordSelector selector = BucketOf(writer, operation.bucket);
  if (!operation.slots.empty()) {
    std::vector<std::string> ids;
    for (const uint32_t slot : operation.slots) ids.push_back(IdOf(writer, slot));
    selector = std::move(ids);
  }
  if (operation.kind == Operation::Kind::kDelete ||
      operation.kind == Operation::Kind::kDeleteBucket) {
    return records->Delete(kLedgerCollection, selector, options, {});
  }
  const Payload payload = PayloadOf(writer, 0, operation.mark);
  PayloadChange change;
  for (const char* name : {"mark", "even", "tags", "body"}) change.set[name] = payload.at(name);
  return records->UpdatePayload(kLedgerCollection, selector, change, options, {});
}

Operation LedgerWriter::MakeOperation() {
  Operation operation;
  operation.mark = own().next_mark;
  operation.request = random_.OneIn(2);
  const uint64_t dice = random_.Below(100);
  size_t slots = 0;
  if (dice < 55) {
    slots = 1 + random_.Below(8);
  } else if (dice < 75) {
    operation.kind = Operation::Kind::kUpdate;
    slots = 1 + random_.Below(4);
  } else if (dice < 90) {
    operation.kind = Operation::Kind::kDelete;
    slots = 1 + random_.Below(4);
  } else {
    operation.kind = dice < 96 ? Operation::Kind::kUpdateBucket : Operation::Kind::kDeleteBucket;
    operation.bucket = static_cast<uint32_t>(random_.Below(kBuckets));
  }
  while (operation.slots.size() < slots) {
    const uint32_t slot = static_cast<uint32_t>(random_.Below(kSlots));
    if (std::find(operation.slots.begin(), operation.slots.end(), slot) == operation.slots.end()) {
      operation.slots.push_back(slot);
    }
  }
  return operation;
}

std::vector<uint64_t> LedgerWriter::VersionsFor(const Operation& operation) {
  std::vector<uint64_t> versions;
  // After an error the versions are not known.
  if (!random_.OneIn(3) || !own().pending.empty()) return versions;
  for (const uint32_t slot : operation.slots) {
    const auto item = own().shelf.find(slot);
    versions.push_back(item == own().shelf.end() ? 0 : item->second.version);
    if (item != own().shelf.end() && item->second.version == 0) return {};
  }
  return versions;
}

Status LedgerWriter::Step(const LedgerListener& listener) {
  const uint64_t dice = random_.Below(10);
  if (!own().pending.empty() || dice < 7) return Write(listener);
  return dice == 7 ? TryWrongVersion() : Read();
}

Status LedgerWriter::Write(const LedgerListener& listener) {
  const Operation operation = MakeOperation();
  const std::vector<uint64_t> versions = VersionsFor(operation);
  // From here on the writer may be killed: what is pending must not depend on what follows.
  ++own().next_mark;
  if (listener.begun) listener.begun(writer_, operation);
  const bool certain = own().pending.empty();
  own().pending.push_back(operation);
  ASSIGN_OR_RETURN(const WriteResult result,
                   Perform(records_, *ledger_, writer_, operation, versions));
  // The write was acknowledged, so nothing before it may come into being any more.
  own().pending.clear();
  const uint64_t affected = operation.Apply(result.version, &own().shelf);
  if (listener.done) listener.done(writer_, result.version);
  if (affected != result.affected && certain) {
    return Violation(Describe(operation) + " affected " + std::to_string(result.affected) +
                     " records instead of " + std::to_string(affected));
  }
  return operation.request && ledger_->repeats && random_.OneIn(4) ? Repeat(operation, result)
                                                                   : OkStatus();
}

Status LedgerWriter::Repeat(const Operation& operation, const WriteResult& result) {
  // With conditions the write is another one, so the repetition goes without.
  const Result<WriteResult> again = Perform(records_, *ledger_, writer_, operation, {});
  if (!again.ok()) {
    return again.status().reason() == Reason::kRequestIdReused ? OkStatus() : again.status();
  }
  if (again->version == result.version && again->affected == result.affected) return OkStatus();
  return Violation(Describe(operation) + " repeated gave version " +
                   std::to_string(again->version) + " instead of " +
                   std::to_string(result.version));
}

Status LedgerWriter::TryWrongVersion() {
  const uint32_t slot = static_cast<uint32_t>(random_.Below(kSlots));
  const auto item = own().shelf.find(slot);
  const uint64_t now = item == own().shelf.end() ? 0 : item->second.version;
  Operation operation;
  operation.mark = own().next_mark;
  operation.slots = {slot};
  const Result<WriteResult> result =
      Perform(records_, *ledger_, writer_, operation, {now + 1 + random_.Below(5)});
  if (result.ok()) return Violation("a write with a wrong version of slot " + IdOf(writer_, slot));
  return result.status().reason() == Reason::kVersionMismatch ? OkStatus() : result.status();
}

Status LedgerWriter::Read() {
  const Filter filter = Is("owner", static_cast<int64_t>(writer_));
  ASSIGN_OR_RETURN(const uint64_t count, records_->Count(kLedgerCollection, filter, {}));
  if (count != own().shelf.size()) {
    return Violation("writer " + std::to_string(writer_) + " counts " + std::to_string(count) +
                     " of its " + std::to_string(own().shelf.size()) + " records");
  }
  if (own().shelf.empty()) return OkStatus();
  auto item = own().shelf.lower_bound(static_cast<uint32_t>(random_.Below(kSlots)));
  if (item == own().shelf.end()) item = own().shelf.begin();
  const std::vector<std::string> ids = {IdOf(writer_, item->first)};
  ASSIGN_OR_RETURN(const std::vector<Record> found, records_->Get(kLedgerCollection, ids, {}));
  const Record expected = RecordOf(*ledger_, writer_, item->first, item->second);
  if (found.size() != 1 || found[0].payload != expected.payload ||
      (expected.version != 0 && found[0].version != expected.version)) {
    return Violation("reading " + ids[0] + " gave something else than was acknowledged");
  }
  return ReadBySearch(item->first, item->second);
}

Status LedgerWriter::ReadBySearch(uint32_t slot, const Item& item) {
  const Record expected = RecordOf(*ledger_, writer_, slot, item);
  RecordSearch search;
  search.top_k = 1;
  search.vector = expected.vectors.at("");
  if (random_.OneIn(2)) search.filter = Is("owner", static_cast<int64_t>(writer_));
  ASSIGN_OR_RETURN(std::vector<RecordHit> hits, records_->Search(kLedgerCollection, search, {}));
  if (hits.size() != 1 || hits[0].record.id != expected.id) {
    return Violation("searching for the vector of " + expected.id + " gave " +
                     (hits.empty() ? "nothing" : hits[0].record.id));
  }
  search = {};
  search.text = WordOf(writer_, item.payload_mark);
  search.top_k = kSlots;
  ASSIGN_OR_RETURN(hits, records_->Search(kLedgerCollection, search, {}));
  const auto same = std::count_if(own().shelf.begin(), own().shelf.end(), [&](const auto& other) {
    return other.second.payload_mark == item.payload_mark;
  });
  if (hits.size() == static_cast<size_t>(same)) return OkStatus();
  return Violation("searching for the word " + search.text + " gave " +
                   std::to_string(hits.size()) + " of " + std::to_string(same) + " records");
}

Status LedgerWriter::CheckNothingDone() {
  ReadOptions options;
  const Filter filter = Is("owner", static_cast<int64_t>(writer_));
  ASSIGN_OR_RETURN(const std::vector<Record> found,
                   ScrollAll(*records_, kLedgerCollection, filter, options));
  bool same = found.size() == own().shelf.size();
  for (const Record& record : found) {
    const uint32_t slot =
        static_cast<uint32_t>(std::stoul(record.id.substr(record.id.find('-') + 1)));
    const auto item = own().shelf.find(slot);
    same = same && item != own().shelf.end() &&
           record.payload == PayloadOf(writer_, slot, item->second.payload_mark);
  }
  if (same) return OkStatus();
  return Violation("a write that returned an error shows: " + Describe(own().pending.back()));
}

}  // namespace ragstone::index::reliability
