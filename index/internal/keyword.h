#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/call_context.h"
#include "index/internal/collection.h"
#include "index/internal/records.h"
#include "index/internal/segment.h"
#include "index/internal/store.h"

namespace ragstone::index {

// BM25's constants and formulas.
inline constexpr double kBm25K1 = 1.2;
inline constexpr double kBm25B = 0.75;
double Bm25Idf(uint64_t chunks, uint64_t chunks_with_term);

// Makes the posting blocks of one batch of chunks.
class PostingBuilder {
 public:
  explicit PostingBuilder(RowOwner owner) : owner_(owner) {}
  // In ascending order of ids. Returns the chunk's length in words.
  Result<uint32_t> Add(ChunkId chunk, std::string_view heading, std::string_view text);
  const std::unordered_map<std::string, PostingBlock>& blocks() const { return blocks_; }

 private:
  const RowOwner owner_;
  std::unordered_map<std::string, PostingBlock> blocks_;
};

struct KeywordRequest {
  std::string_view text;
  SequenceNumber sequence = 0;                         // pinned
  const std::vector<DocumentId>* documents = nullptr;  // sorted; null: all
  size_t limit = 0;
  std::vector<ChunkId> wanted;  // sorted; their exact scores are returned too
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
