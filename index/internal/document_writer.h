#pragma once

#include <memory>
#include <vector>

#include "index/internal/cleaner.h"
#include "index/internal/core.h"
#include "index/internal/maintainer.h"

namespace ragstone::index {

// The DocumentWriter of a Database; must end before it.
class StoredDocumentWriter : public DocumentWriter {
 public:
  struct Background {
    Cleaner* cleaner = nullptr;
    Maintainer* maintainer = nullptr;
  };
  static Result<std::unique_ptr<StoredDocumentWriter>> Begin(
      Core* core, Background background, const std::shared_ptr<Collection>& collection,
      DocumentId document);
  ~StoredDocumentWriter() override;

  Status AddPages(std::span<const PageRecord> pages) override;
  Status AddChunks(std::span<const ChunkRecord> chunks, std::span<const float> vectors) override;
  Result<DocumentInfo> Commit(const DocumentInfo& info, Batch also) override;

 private:
  StoredDocumentWriter(Core* core, Background background, std::shared_ptr<Collection> collection,
                       RowOwner owner);
  Status CheckOpen() const;
  Status AddBatch(std::span<const ChunkRecord> chunks, const float* vectors);
  // The first rows go with the record that lets a crash remove them.
  void MarkPending(StoreBatch* batch);
  Status WriteRows(StoreBatch* batch);
  DocumentRecord MakeRecord(const DocumentInfo& info,
                            const std::optional<DocumentRecord>& old) const;
  Status PublishRecord(const DocumentInfo& info, const Batch& also, DocumentRecord* record);

  Core* const core_;
  const Background background_;
  const std::shared_ptr<Collection> collection_;
  const RowOwner owner_;
  const std::string key_;  // of the version
  bool pending_written_ = false;
  bool committed_ = false;
  uint32_t chunks_ = 0;
  uint64_t words_ = 0;
  std::vector<ChunkRange> ranges_;
};

}  // namespace ragstone::index
