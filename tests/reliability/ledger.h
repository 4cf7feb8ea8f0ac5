#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/reliability/world.h"

// Writers that keep account of what they were promised. Each owns records of its own, so that what
// the database must hold follows from what was acknowledged to each, without an order between them.
namespace ragstone::index::reliability {

inline constexpr std::string_view kLedgerCollection = "ledger";
inline constexpr uint32_t kSlots = 100;   // records that a writer may have
inline constexpr uint32_t kBuckets = 8;   // a record's bucket is its slot modulo this
inline constexpr size_t kPendingMax = 4;  // operations of unknown outcome of one writer

// A record as its writer knows it. What it holds follows from the marks of the operations that
// wrote its vector and its payload.
struct Item {
  int64_t vector_mark = 0;
  int64_t payload_mark = 0;
  uint64_t version = 0;  // 0: not known
};
using Shelf = std::map<uint32_t, Item>;  // by slot

struct Operation {
  enum class Kind : uint8_t { kUpsert, kUpdate, kDelete, kUpdateBucket, kDeleteBucket };
  Kind kind = Kind::kUpsert;
  int64_t mark = 0;
  bool request = false;  // it has a request id
  uint32_t bucket = 0;
  std::vector<uint32_t> slots;

  std::string ToText() const;
  static Operation FromText(std::string_view text);
  // Does to the shelf what the database is to do; returns how many records it is about.
  uint64_t Apply(uint64_t version, Shelf* shelf) const;
};

struct Writer {
  Shelf shelf;
  std::vector<Operation> pending;  // begun, and not known to be done
  int64_t next_mark = 1;
};

struct Ledger {
  uint64_t seed = 0;
  bool repeats = true;  // requests are repeated with their ids
  std::vector<Writer> writers;
};

RecordCollectionSpec LedgerSpec();
std::string IdOf(size_t writer, uint32_t slot);
Record RecordOf(const Ledger& ledger, size_t writer, uint32_t slot, const Item& item);

// Sends an operation to the database. `versions`: for a conditional write, else empty.
Result<WriteResult> Perform(RecordDatabase* records, const Ledger& ledger, size_t writer,
                            const Operation& operation, const std::vector<uint64_t>& versions);

// Is told what the writers do, by any of their threads; either may be empty.
struct LedgerListener {
  std::function<void(size_t writer, const Operation& operation)> begun;
  std::function<void(size_t writer, uint64_t version)> done;
};

// One writer's work: operations of all kinds, repetitions of requests, conditional writes that must
// fail, and reads of its own writes. Used by one thread.
class LedgerWriter {
 public:
  LedgerWriter(RecordDatabase* records, Ledger* ledger, size_t writer, uint64_t seed)
      : records_(records), ledger_(ledger), writer_(writer), random_(seed) {}

  // One operation, or one read. An error of the database is returned as it is, and its operation
  // stays pending; a wrong answer is a violation.
  Status Step(const LedgerListener& listener);
  // Whether the operation that failed shows nevertheless: then an error was no error.
  Status CheckNothingDone();

 private:
  Writer& own() { return ledger_->writers[writer_]; }
  Operation MakeOperation();
  std::vector<uint64_t> VersionsFor(const Operation& operation);
  Status Write(const LedgerListener& listener);
  Status Repeat(const Operation& operation, const WriteResult& result);
  Status TryWrongVersion();
  Status Read();
  Status ReadBySearch(uint32_t slot, const Item& item);

  RecordDatabase* const records_;
  Ledger* const ledger_;
  const size_t writer_;
  Random random_;
};

// Checks all that the database holds against the ledger, and settles what was pending: all of an
// operation was done or nothing. Pending operations with a request id are repeated, which must do
// them once. `settled` is told of each writer whose operations were pending: which of them were
// done (bit i: the i-th), and the version of the last.
using SettledListener = std::function<void(size_t writer, uint64_t done, uint64_t version)>;
Status CheckLedger(RecordDatabase* records, Ledger* ledger, const SettledListener& settled);

}  // namespace ragstone::index::reliability
