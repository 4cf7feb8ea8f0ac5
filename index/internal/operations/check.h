#pragma once

#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "index/internal/keywords/keyword_index.h"
#include "index/internal/operations/backup_folder.h"
#include "index/internal/records.h"
#include "index/internal/records_db/record_coding.h"
#include "index/internal/store.h"
#include "index/operations.h"

// The parts of CheckData. Each reads its families and reports what contradicts the rest; what can
// be made anew is put into a batch where it is to be repaired.
namespace ragstone::index::operations {

// Takes findings, and writes their repairs.
class Findings {
 public:
  using Fix = std::function<void(StoreBatch*)>;

  Findings(const CheckOptions& options, Store* store, CheckReport* report)
      : options_(options), store_(store), report_(report), batch_(store) {}

  bool repairing() const { return options_.repair; }
  // Something that cannot be made anew.
  void Add(Finding finding);
  // Something that `fix` puts right.
  Status Add(Finding finding, const Fix& fix);
  // Writes what was fixed.
  Status Flush();

 private:
  void Keep(Finding finding);

  const CheckOptions& options_;
  Store* const store_;
  CheckReport* const report_;
  StoreBatch batch_;
  std::map<std::string, size_t> kept_;  // by check
};

// Numbers in use: the counters must lie above.
struct HighestIds {
  uint64_t collection = 0, document = 0, chunk = 0, version = 0, sequence = 0;
  uint64_t keyword_segment = 0, record_keyword_segment = 0;
};
inline void Raise(uint64_t value, uint64_t* highest) { *highest = std::max(*highest, value); }

// What there is by the family of collections.
struct Catalog {
  std::map<CollectionId, CollectionInfo> documents;
  std::map<CollectionId, records::StoredSpec> records;
  std::set<CollectionId> dropped;     // their rows are being removed
  std::set<CollectionId> unreadable;  // their description is damaged: rows are left alone
  bool Known(CollectionId id) const {
    return documents.count(id) + records.count(id) + dropped.count(id) + unreadable.count(id) > 0;
  }
};

// What all parts work with.
struct CheckEnv {
  const CheckOptions* options = nullptr;
  Store* store = nullptr;
  Findings* findings = nullptr;
  Steps* steps = nullptr;
  CheckReport* report = nullptr;
  HighestIds highest;
};

inline std::string CollectionText(CollectionId id) { return "#" + std::to_string(id); }

// check.cc: every block of every table against its checksum, table by table, so that each damaged
// one is named. One that a compaction replaced meanwhile, and perhaps removed, holds nothing.
Status CheckTables(CheckEnv* env);

// check_catalog.cc: collections, their names and states, dropped ones' leftovers.
Result<Catalog> CheckCatalog(CheckEnv* env);
Status CheckLeftovers(CheckEnv* env, const Catalog& catalog);
// Last: the counters lie above all that was found.
Status CheckCounters(CheckEnv* env);

// check_documents.cc
Status CheckDocuments(CheckEnv* env, const CollectionInfo& collection);
Status CheckEmbeddings(CheckEnv* env, const Catalog& catalog);

// check_records.cc, check_requests.cc
Status CheckRecords(CheckEnv* env, const records::StoredSpec& spec);
// Returns how many outcomes are kept.
Result<uint64_t> CheckRequests(CheckEnv* env, CollectionId scope, const std::string& name);

// check_indexes.cc
Status CheckIndexes(CheckEnv* env, CollectionId collection, const std::string& name);
// They are made anew when the collection is first used.
void DropIndexes(CollectionId collection, StoreBatch* batch);

// check_keywords.cc
struct KeywordsOf {
  keywords::IndexName name;
  keywords::Language language;
  std::string collection, field;             // for people
  const std::set<uint64_t>* runs = nullptr;  // that may be there, by their first row; null: any
  // Calls for each row that a search may see, ascending, with its texts.
  using Visit = std::function<Status(uint64_t row, std::span<const std::string_view> texts)>;
  std::function<Status(const Visit& visit)> rows;
};
Status CheckKeywords(CheckEnv* env, const KeywordsOf& index);

// check_blobs.cc
Status CheckBlobs(CheckEnv* env);

}  // namespace ragstone::index::operations
