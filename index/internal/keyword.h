#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/call_context.h"
#include "index/internal/collection.h"
#include "index/internal/store.h"

// Keyword search over the chunks of a collection: index/internal/keywords with document versions.
namespace ragstone::index {

// The chunks of a collection as a reader at a pinned sequence sees them. Versions must be loaded.
class ChunkView : public keywords::RowView {
 public:
  ChunkView(const Collection* collection, SequenceNumber sequence)
      : collection_(collection), sequence_(sequence) {
    // If something was retired since, other readers see other rows.
    const SequenceNumber retired = collection->last_retired();
    epoch_ = retired <= sequence ? retired + 1 : 0;
  }
  std::vector<keywords::RowRange> Hidden(std::span<const keywords::RowRange> rows) const override {
    return collection_->HiddenRows(rows, sequence_);
  }
  uint64_t position() const override { return sequence_; }
  uint64_t epoch() const override { return epoch_; }

 private:
  const Collection* const collection_;
  const SequenceNumber sequence_;
  uint64_t epoch_ = 0;
};

// Tells the merging of a collection's keywords which chunks there are. Versions must be loaded.
class ChunkKeeper : public keywords::RowKeeper {
 public:
  explicit ChunkKeeper(const Collection* collection) : collection_(collection) {}
  Result<std::unique_ptr<keywords::RowView>> Now() const override;
  std::vector<keywords::RowRange> Dead(std::span<const keywords::RowRange> rows) const override {
    return collection_->DeadRows(rows);
  }
  bool Settled(std::span<const keywords::RowRange> rows) const override {
    return collection_->AllPublished(rows);
  }

 private:
  const Collection* const collection_;
};

struct KeywordRequest {
  std::string_view text;
  SequenceNumber sequence = 0;                               // pinned
  const std::vector<keywords::RowRange>* allowed = nullptr;  // in order; null: all that are visible
  size_t limit = 0;
  std::vector<ChunkId> wanted;  // sorted; their exact scores are returned too
};

struct ScoredChunk {
  ChunkId chunk = 0;
  DocumentId document = 0;
  double score = 0;
};

struct KeywordResult {
  std::vector<ScoredChunk> top;                // scores above zero, best first
  std::unordered_map<ChunkId, double> wanted;  // those with a score above zero
};

// Scores the chunks that hold a word of the text. Versions must be loaded.
Result<KeywordResult> SearchKeywords(const Store& store, const Collection& collection,
                                     const KeywordRequest& request, const CallContext& context);

// As Database::TermWeights, at a pinned sequence.
Result<std::vector<std::pair<std::string, double>>> WeighTerms(const Store& store,
                                                               const Collection& collection,
                                                               std::string_view text,
                                                               SequenceNumber sequence);

}  // namespace ragstone::index
