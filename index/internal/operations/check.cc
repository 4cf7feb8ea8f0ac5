#include "index/internal/operations/check.h"

#include <rocksdb/db.h>

#include <algorithm>

#include "index/internal/operations/checkpoint.h"
#include "index/internal/operations/layout.h"
#include "index/internal/records_db/request_book.h"

namespace ragstone::index {
namespace operations {
namespace {

namespace fs = std::filesystem;

constexpr size_t kBatchBytes = 1 << 20;

uint64_t TableBytes(const Store& store) {
  uint64_t bytes = 0;
  for (size_t i = 0; i < kFamilies; ++i) {
    bytes += store.Property(static_cast<Family>(i), "rocksdb.total-sst-files-size");
  }
  return bytes;
}

std::vector<rocksdb::LiveFileMetaData> LiveTables(const Store& store) {
  std::vector<rocksdb::LiveFileMetaData> tables;
  store.rocks()->GetLiveFilesMetaData(&tables);
  return tables;
}

bool IsLive(const Store& store, const std::string& name) {
  const std::vector<rocksdb::LiveFileMetaData> tables = LiveTables(store);
  return std::any_of(tables.begin(), tables.end(),
                     [&](const rocksdb::LiveFileMetaData& table) { return table.name == name; });
}

// A collection's index files and, by `check`, what they were made from.
Status CheckCollection(CheckEnv* env, const std::pair<CollectionId, std::string>& collection,
                       const std::function<Status()>& check) {
  const auto& [id, name] = collection;
  RETURN_IF_ERROR(env->steps->Begin("collection " + name));
  const uint64_t found_before = env->report->count;
  RETURN_IF_ERROR(CheckIndexes(env, id, name));
  RETURN_IF_ERROR(check());
  if (env->findings->repairing() && env->report->count > found_before) {
    // They were made from what was wrong.
    StoreBatch batch(env->store);
    DropIndexes(id, &batch);
    RETURN_IF_ERROR(env->store->Write(&batch, /*sync=*/true));
  }
  return env->findings->Flush();
}

Status CheckAll(CheckEnv* env) {
  RETURN_IF_ERROR(CheckTables(env));
  RETURN_IF_ERROR(env->steps->Begin("collections"));
  ASSIGN_OR_RETURN(const Catalog catalog, CheckCatalog(env));
  for (const auto& [id, info] : catalog.documents) {
    RETURN_IF_ERROR(CheckCollection(env, {id, info.spec.name},
                                    [&, &of = info] { return CheckDocuments(env, of); }));
  }
  for (const auto& [id, spec] : catalog.records) {
    RETURN_IF_ERROR(CheckCollection(env, {id, spec.spec.name},
                                    [&, &of = spec] { return CheckRecords(env, of); }));
  }
  env->report->collections = catalog.documents.size() + catalog.records.size();
  RETURN_IF_ERROR(env->steps->Begin("embeddings"));
  RETURN_IF_ERROR(CheckEmbeddings(env, catalog));
  RETURN_IF_ERROR(CheckLeftovers(env, catalog));
  RETURN_IF_ERROR(CheckRequests(env, records::kServiceRequests, "").status());
  RETURN_IF_ERROR(env->steps->Begin("originals"));
  RETURN_IF_ERROR(CheckBlobs(env));
  RETURN_IF_ERROR(CheckCounters(env));
  return env->findings->Flush();
}

}  // namespace

Status CheckTables(CheckEnv* env) {
  const Store& store = *env->store;
  env->report->bytes = TableBytes(store);
  const std::vector<rocksdb::LiveFileMetaData> tables = LiveTables(store);
  RETURN_IF_ERROR(env->steps->Begin("checksums of tables", env->report->bytes));
  for (const rocksdb::LiveFileMetaData& table : tables) {
    const Status status =
        CheckTable(store.dir() / kRocksFolder / fs::path(table.name).relative_path());
    RETURN_IF_ERROR(env->steps->Advance(table.size));
    if (status.ok() || !IsLive(store, table.name)) continue;
    env->findings->Add(
        {"tables", "", table.name, "family " + table.column_family_name + ": " + status.message(),
         "what lies in the damaged part cannot be read; restore a backup", false, false});
  }
  return OkStatus();
}

void Findings::Keep(Finding finding) {
  ++report_->count;
  if (finding.repaired) ++report_->repaired;
  if (kept_[finding.check]++ < options_.findings_max) {
    report_->findings.push_back(std::move(finding));
  }
}

void Findings::Add(Finding finding) {
  finding.repairable = finding.repaired = false;
  Keep(std::move(finding));
}

Status Findings::Add(Finding finding, const Fix& fix) {
  finding.repairable = true;
  finding.repaired = options_.repair;
  if (options_.repair) fix(&batch_);
  Keep(std::move(finding));
  return batch_.bytes() < kBatchBytes ? OkStatus() : Flush();
}

Status Findings::Flush() {
  if (batch_.empty()) return OkStatus();
  RETURN_IF_ERROR(store_->Write(&batch_, /*sync=*/true));
  batch_.Clear();
  return OkStatus();
}

}  // namespace operations

Result<CheckReport> CheckData(const CheckOptions& options, const Operation& operation) {
  std::error_code error;
  if (!std::filesystem::exists(options.dir / operations::FormatPath(), error)) {
    return NotFound(Reason::kFileNotFound, "there is no database in " + options.dir.string() +
                                               "; name a data directory with --data-dir");
  }
  RETURN_IF_ERROR(CheckRestored(options.dir));
  CheckReport report;
  operations::Steps steps(&operation);
  Result<std::unique_ptr<Store>> store =
      Store::Open(options.dir / operations::kDatabaseFolder, options.memory_bytes);
  if (!store.ok() && store.status().reason() != Reason::kDataCorrupt &&
      store.status().reason() != Reason::kIo) {
    return store.status();
  }
  if (!store.ok()) {
    operations::Findings findings(options, nullptr, &report);
    findings.Add({"tables", "", "", "the database does not open: " + store.status().message(),
                  "nothing can be read; restore a backup", false, false});
    return report;
  }
  operations::Findings findings(options, store->get(), &report);
  operations::CheckEnv env;
  env.options = &options;
  env.store = store->get();
  env.findings = &findings;
  env.steps = &steps;
  env.report = &report;
  const Status status = operations::CheckAll(&env);
  if (!status.ok() && status.reason() != Reason::kDataCorrupt) return status;
  if (!status.ok()) {
    findings.Add({"tables", "", "", "the check ended early: " + status.message(),
                  "what comes after it was not checked; restore a backup", false, false});
  }
  return report;
}

}  // namespace ragstone::index
