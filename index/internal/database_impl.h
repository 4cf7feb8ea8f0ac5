#pragma once

#include <memory>
#include <vector>

#include "index/internal/cleaner.h"
#include "index/internal/core.h"
#include "index/internal/keyword_merger.h"
#include "index/internal/maintainer.h"
#include "index/internal/searcher.h"

namespace ragstone::index {

// The Database over RocksDB. Its methods are in database_collections.cc, database_documents.cc and
// database_tables.cc.
class DatabaseImpl : public Database {
 public:
  explicit DatabaseImpl(std::unique_ptr<Core> core);
  ~DatabaseImpl() override;
  // Sweeps and starts the background threads.
  Status Start();

  Result<CollectionInfo> CreateCollection(const CollectionSpec& spec, Batch also) override;
  Result<CollectionInfo> AlterCollection(std::string_view name, const CollectionSettings& settings,
                                         Batch also) override;
  Result<CollectionInfo> GetCollection(std::string_view name) const override;
  Result<std::vector<CollectionInfo>> ListCollections(std::string_view after,
                                                      size_t limit) const override;
  Result<uint64_t> DeleteCollection(std::string_view name, Batch also) override;

  Result<DocumentInfo> GetDocument(CollectionId collection, DocumentId id) const override;
  Result<std::optional<DocumentInfo>> FindBySource(CollectionId collection,
                                                   std::string_view source) const override;
  Result<std::vector<DocumentInfo>> ListDocuments(CollectionId collection, DocumentId after,
                                                  size_t limit) const override;
  Result<std::vector<DocumentInfo>> FilterDocuments(CollectionId collection, const Filter& filter,
                                                    DocumentId after, size_t limit,
                                                    const CallContext& context) const override;
  Result<PageRecord> GetPage(CollectionId collection, DocumentId id, uint32_t page) const override;
  Result<DocumentInfo> UpdateMetadata(CollectionId collection, DocumentId id,
                                      const Metadata& metadata, Batch also) override;
  Status TouchDocument(CollectionId collection, DocumentId id) override;
  Status DeleteDocument(CollectionId collection, DocumentId id, Batch also) override;
  Result<DocumentId> NewDocumentId() override;
  Result<std::unique_ptr<DocumentWriter>> BeginDocument(CollectionId collection,
                                                        DocumentId id) override;

  Result<std::vector<ChunkRecord>> GetChunks(CollectionId collection,
                                             std::span<const ChunkId> ids) const override;
  Result<std::vector<ChunkRecord>> GetChunkRange(CollectionId collection, DocumentId id,
                                                 uint32_t first, uint32_t last) const override;
  Result<std::vector<std::optional<std::vector<float>>>> FindEmbeddings(
      std::string_view fingerprint, std::span<const Sha256Digest> hashes) const override;

  Result<std::vector<SearchHit>> Search(CollectionId collection, const SearchRequest& request,
                                        const CallContext& context) const override;
  Result<std::vector<std::pair<std::string, double>>> TermWeights(
      CollectionId collection, std::string_view text) const override;

  Result<std::optional<std::string>> Get(Table table, std::string_view key) const override;
  Status Scan(Table table, std::string_view begin, std::string_view end, bool descending,
              const std::function<bool(std::string_view, std::string_view)>& visit) const override;
  Status Write(Batch batch) override;
  std::vector<std::pair<std::string, uint64_t>> Counters() const override;

  // For operations and tests.
  Core& core() { return *core_; }
  Cleaner& cleaner() { return *cleaner_; }
  Maintainer& maintainer() { return *maintainer_; }
  // Held while a collection of any kind gets its name.
  Mutex& collections_mutex() { return collections_mutex_; }

 private:
  // NOT_FOUND (DOCUMENT_NOT_FOUND).
  Result<DocumentRecord> ReadDocument(const Collection& collection, DocumentId id) const;
  Result<std::optional<DocumentRecord>> FindRecord(CollectionId collection, DocumentId id) const;
  // The vector of the first published chunk with this embedding key prefix.
  Result<std::optional<std::vector<float>>> FindEmbedding(StoreIterator* it,
                                                          const std::string& prefix) const;

  const std::unique_ptr<Core> core_;
  const std::unique_ptr<Cleaner> cleaner_;
  const std::unique_ptr<Maintainer> maintainer_;
  const std::unique_ptr<KeywordMerger> keyword_merger_;
  const std::unique_ptr<Searcher> searcher_;
  Mutex collections_mutex_;  // one creation or deletion at a time
};

}  // namespace ragstone::index
