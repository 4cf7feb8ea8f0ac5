// Checking a database against a ledger.
#include <algorithm>

#include "tests/reliability/ledger.h"

namespace ragstone::index::reliability {
namespace {

constexpr size_t kSearchedMax = 250;

using Found = std::map<uint32_t, Record>;  // by slot

class LedgerCheck {
 public:
  LedgerCheck(RecordDatabase* records, Ledger* ledger, const SettledListener& settled)
      : records_(records), ledger_(ledger), settled_(settled) {}

  Status Run() {
    RETURN_IF_ERROR(ReadRecords());
    for (size_t writer = 0; writer < ledger_->writers.size(); ++writer) {
      RETURN_IF_ERROR(Settle(writer).WithContext("writer " + std::to_string(writer)));
    }
    RETURN_IF_ERROR(ReadRecords());
    for (size_t writer = 0; writer < ledger_->writers.size(); ++writer) {
      const std::string different = Difference(writer, ledger_->writers[writer].shelf);
      if (!different.empty()) return Violation("after settling: " + different);
    }
    RETURN_IF_ERROR(CheckCounts());
    return CheckSearches();
  }

 private:
  Status ReadRecords() {
    ReadOptions options;
    options.vectors = true;
    ASSIGN_OR_RETURN(const std::vector<Record> all,
                     ScrollAll(*records_, kLedgerCollection, Everything(), options));
    all_ = all.size();
    found_.assign(ledger_->writers.size(), {});
    for (const Record& record : all) {
      const size_t dash = record.id.find('-');
      const size_t writer = std::strtoul(record.id.c_str() + 1, nullptr, 10);
      const uint32_t slot =
          static_cast<uint32_t>(std::strtoul(record.id.c_str() + dash + 1, nullptr, 10));
      if (dash == std::string::npos || writer >= found_.size() || record.id != IdOf(writer, slot)) {
        return Violation("a record that nobody wrote: " + record.id);
      }
      found_[writer][slot] = record;
    }
    return OkStatus();
  }

  // What differs between the records that were found and a shelf; empty: nothing.
  std::string Difference(size_t writer, const Shelf& shelf) const {
    const Found& found = found_[writer];
    for (const auto& [slot, record] : found) {
      const auto item = shelf.find(slot);
      if (item == shelf.end()) {
        return record.id + " is there at version " + std::to_string(record.version) +
               " and should not be";
      }
      const Record expected = RecordOf(*ledger_, writer, slot, item->second);
      if (record.payload != expected.payload || record.vectors != expected.vectors) {
        const auto mark = record.payload.find("mark");
        return record.id + " is not what was written with marks " +
               std::to_string(item->second.vector_mark) + " and " +
               std::to_string(item->second.payload_mark) + ": it has mark " +
               (mark == record.payload.end() ? "none"
                                             : std::to_string(std::get<int64_t>(mark->second))) +
               " at version " + std::to_string(record.version);
      }
      if (expected.version != 0 && record.version != expected.version) {
        return record.id + " has version " + std::to_string(record.version) + " instead of " +
               std::to_string(expected.version);
      }
    }
    for (const auto& [slot, item] : shelf) {
      if (!found.contains(slot)) {
        return IdOf(writer, slot) + " of mark " + std::to_string(item.payload_mark) + " is lost";
      }
    }
    return "";
  }

  // Finds which of the pending operations were done.
  Status Settle(size_t writer) {
    Writer& state = ledger_->writers[writer];
    const std::string different = Difference(writer, state.shelf);
    if (state.pending.empty()) return different.empty() ? OkStatus() : Violation(different);
    for (uint64_t done = 0; done < (1u << state.pending.size()); ++done) {
      Shelf shelf = state.shelf;
      for (size_t i = 0; i < state.pending.size(); ++i) {
        if (done >> i & 1) state.pending[i].Apply(0, &shelf);
      }
      if (Difference(writer, shelf).empty()) return TakeSettled(writer, done, std::move(shelf));
    }
    std::string operations;
    for (const Operation& operation : state.pending) operations += " [" + operation.ToText() + "]";
    return Violation("neither all nor nothing was done of" + operations + ": " + different);
  }

  Status TakeSettled(size_t writer, uint64_t done, Shelf shelf) {
    Writer& state = ledger_->writers[writer];
    uint64_t version = 0;
    for (auto& [slot, item] : shelf) {
      if (item.version != 0) continue;
      item.version = found_[writer][slot].version;
      version = std::max(version, item.version);
    }
    state.shelf = std::move(shelf);
    const bool repeated = ledger_->repeats && state.pending.size() == 1 && state.pending[0].request;
    if (repeated) RETURN_IF_ERROR(RepeatPending(writer, &done, &version));
    state.pending.clear();
    if (settled_) settled_(writer, done, version);
    return OkStatus();
  }

  // A client that got no answer asks again.
  Status RepeatPending(size_t writer, uint64_t* done, uint64_t* version) {
    Writer& state = ledger_->writers[writer];
    const Operation& operation = state.pending[0];
    const Result<WriteResult> result = Perform(records_, *ledger_, writer, operation, {});
    // It may have been sent with conditions, which makes it another write.
    if (!result.ok()) {
      return result.status().reason() == Reason::kRequestIdReused ? OkStatus() : result.status();
    }
    if (*done != 0) {
      if (*version == 0 || result->version == *version) return OkStatus();
      return Violation("operation " + operation.ToText() + " was done at version " +
                       std::to_string(*version) + " and again at " +
                       std::to_string(result->version));
    }
    operation.Apply(result->version, &state.shelf);
    *done = 1;
    *version = result->version;
    return OkStatus();
  }

  Status CheckCount(const Filter& filter, uint64_t expected, const std::string& what) {
    ASSIGN_OR_RETURN(const uint64_t count, records_->Count(kLedgerCollection, filter, {}));
    ASSIGN_OR_RETURN(const std::vector<Record> scrolled,
                     ScrollAll(*records_, kLedgerCollection, filter, {}));
    if (count == expected && scrolled.size() == expected) return OkStatus();
    return Violation(what + ": " + std::to_string(expected) + " records match, count says " +
                     std::to_string(count) + " and scroll " + std::to_string(scrolled.size()));
  }

  Status CheckCounts() {
    RETURN_IF_ERROR(CheckCount(Everything(), all_, "all"));
    uint64_t buckets[kBuckets] = {};
    for (size_t writer = 0; writer < found_.size(); ++writer) {
      RETURN_IF_ERROR(CheckCount(Is("owner", static_cast<int64_t>(writer)), found_[writer].size(),
                                 "owner " + std::to_string(writer)));
      for (const auto& [slot, record] : found_[writer]) ++buckets[slot % kBuckets];
    }
    for (uint32_t bucket = 0; bucket < kBuckets; ++bucket) {
      RETURN_IF_ERROR(
          CheckCount(Is("bucket", bucket), buckets[bucket], "bucket " + std::to_string(bucket)));
    }
    return OkStatus();
  }

  Status CheckSearches() {
    const size_t every = std::max<size_t>(1, all_ / kSearchedMax);
    size_t number = 0;
    for (const Found& found : found_) {
      for (const auto& [slot, record] : found) {
        if (++number % every != 0) continue;
        RecordSearch search;
        search.top_k = 1;
        search.vector = record.vectors.at("");
        ASSIGN_OR_RETURN(const std::vector<RecordHit> hits,
                         records_->Search(kLedgerCollection, search, {}));
        if (hits.size() == 1 && hits[0].record.id == record.id) continue;
        return Violation("searching for the vector of " + record.id + " gave " +
                         (hits.empty() ? "nothing" : hits[0].record.id));
      }
    }
    RecordSearch search;
    search.text = "common";
    search.top_k = RecordDatabase::kTopKMax;
    ASSIGN_OR_RETURN(const std::vector<RecordHit> hits,
                     records_->Search(kLedgerCollection, search, {}));
    if (hits.size() == all_) return OkStatus();
    return Violation("searching for a word of all records gave " + std::to_string(hits.size()) +
                     " of " + std::to_string(all_));
  }

  RecordDatabase* const records_;
  Ledger* const ledger_;
  const SettledListener& settled_;
  std::vector<Found> found_;  // by writer
  size_t all_ = 0;
};

}  // namespace

Status CheckLedger(RecordDatabase* records, Ledger* ledger, const SettledListener& settled) {
  return LedgerCheck(records, ledger, settled).Run();
}

}  // namespace ragstone::index::reliability
