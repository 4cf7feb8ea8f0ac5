#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "index/internal/database_impl.h"
#include "index/internal/records_db/group_write.h"
#include "index/internal/records_db/index_checkpoint.h"
#include "index/internal/records_db/memory_share.h"
#include "index/internal/records_db/record_collection.h"
#include "index/internal/records_db/record_worker.h"
#include "index/internal/records_db/records_env.h"
#include "index/internal/records_db/search_pool.h"
#include "index/record_database.h"

namespace ragstone::index::records {

// The RecordDatabase over RocksDB. Its methods are in record_collections.cc, record_writes.cc and
// record_reads.cc.
class RecordDatabaseImpl : public RecordDatabase {
 public:
  RecordDatabaseImpl(DatabaseImpl* database, const Clock* clock);
  ~RecordDatabaseImpl() override;
  Status Start();

  using RecordDatabase::CreateCollection;
  using RecordDatabase::DropCollection;
  Result<RecordCollectionInfo> CreateCollection(const RecordCollectionSpec& spec,
                                                Batch also) override;
  Result<RecordCollectionInfo> AlterCollection(const RecordCollectionSpec& spec) override;
  Status DropCollection(std::string_view name, Batch also) override;
  Result<RecordCollectionInfo> GetCollection(std::string_view name) const override;
  Result<std::vector<RecordCollectionInfo>> ListCollections(std::string_view after,
                                                            size_t limit) const override;

  Result<WriteResult> Upsert(std::string_view collection, std::vector<Record> records,
                             const WriteOptions& options, const CallContext& context) override;
  Result<WriteResult> Delete(std::string_view collection, const RecordSelector& selector,
                             const WriteOptions& options, const CallContext& context) override;
  Result<WriteResult> UpdatePayload(std::string_view collection, const RecordSelector& selector,
                                    const PayloadChange& change, const WriteOptions& options,
                                    const CallContext& context) override;

  Result<std::vector<Record>> Get(std::string_view collection, std::span<const std::string> ids,
                                  const ReadOptions& options) const override;
  Result<std::vector<Record>> Scroll(std::string_view collection, const Filter& filter,
                                     std::string_view after, size_t limit,
                                     const ReadOptions& options,
                                     const CallContext& context) const override;
  Result<uint64_t> Count(std::string_view collection, const Filter& filter,
                         const CallContext& context) const override;
  Result<std::vector<RecordHit>> Search(std::string_view collection, const RecordSearch& search,
                                        const CallContext& context) const override;
  Result<std::vector<std::vector<RecordHit>>> SearchBatch(
      std::string_view collection, std::span<const RecordSearch> searches,
      const CallContext& context) const override;
  Result<std::vector<RecordHit>> Recommend(std::string_view collection,
                                           const RecommendSearch& search,
                                           const CallContext& context) const override;

  // Removes all superseded rows and the words of rows that are gone, and ends the history of all
  // collections; see index/operations.h. Adds to `removed` how many rows. In operations/.
  Status Purge(const CallContext& context, uint64_t* removed);

  // For tests.
  RecordWorker& worker() { return *worker_; }
  const LoadCounts& loads() const { return loads_; }
  MemoryBudget& budget() { return *budget_; }
  Result<std::shared_ptr<RecordCollection>> Find(std::string_view name) const;

 private:
  // There may be something to do for the collection, if it is there still.
  void WakeWorker(std::string_view name) const;
  using CollectionRef = std::shared_ptr<RecordCollection>;

  Status LoadCollection(std::string_view spec_bytes);
  RecordCollectionInfo Describe(const CollectionState& state) const;
  // NOT_FOUND if there is no such collection, or it was dropped.
  Result<StateRef> CurrentState(std::string_view name) const;
  // The same with indexes, which are read if they were not yet. RESOURCE_EXHAUSTED (MEMORY_LIMIT)
  // if they do not fit.
  Result<StateRef> IndexedState(std::string_view name) const;
  Result<StateRef> LoadedState(const CollectionRef& collection, std::string_view name) const;
  // Under its load lock.
  Status Load(const CollectionRef& collection, const CollectionState& state) const;
  // Memory that the indexes would take with so many records; the status says whether they can be
  // loaded at all.
  struct LoadPlan {
    uint64_t need = 0;
    bool seal = false;  // if vectors are sealed as they come
  };
  LoadPlan PlanLoad(const RecordCollection& collection, const StoredSpec& spec,
                    uint64_t records) const;
  // What of the memory for indexes falls to a collection.
  uint64_t ShareOf(const RecordCollection& collection) const;
  Status CheckLoadable(const RecordCollection& collection, uint64_t records) const;
  // Leaves in the manifest the files that are of use for an altered description.
  Result<SavedIndexes> KeepUsable(const StoredSpec& altered, StoreBatch* batch) const;
  // Gives texts whose numbers are new their indexes of what is stored.
  Status RebuildTexts(const StoredSpec& before, const StoredSpec& after, const TextIndexes& texts);

  Status CheckOp(const CollectionState& state, WriteOp* op) const;
  Result<WriteResult> Submit(std::string_view name, WriteOp* op);
  // Gives each write of the group its outcome, whatever happens.
  void WriteCaught(const CollectionRef& collection, const std::vector<WriteOp*>& group);
  void WriteGroup(const CollectionRef& collection, const std::vector<WriteOp*>& group);
  // A write by filter, in as many groups as it takes.
  Status WriteMatches(const CollectionRef& collection, WriteOp* op);
  // Memory for what the group adds, null if nothing is to be counted; writes for which there is
  // none get a status.
  std::shared_ptr<MemoryCharge> ReserveForWrite(const RecordCollection& collection,
                                                const std::vector<WriteOp*>& group) const;
  // Under the commit lock, after the write.
  static void CountWritten(RecordCollection* collection, const MemoryCharge* memory);

  DatabaseImpl* const database_;
  mutable LoadCounts loads_;
  std::unique_ptr<MemoryBudget> budget_;
  RecordsEnv env_;
  std::unique_ptr<IdAllocator> keyword_segment_ids_;
  std::unique_ptr<keywords::ListCache> keyword_cache_;
  keywords::WorkSignal keyword_work_;
  std::unique_ptr<RecordWorker> worker_;
  mutable SearchPool search_pool_;
  mutable Mutex mutex_;
  std::map<std::string, CollectionRef, std::less<>> by_name_ GUARDED_BY(mutex_);
};

}  // namespace ragstone::index::records
