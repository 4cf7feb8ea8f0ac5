#pragma once

#include <deque>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bounded_queue.h"
#include "ingest/chunker.h"
#include "ingest/page.h"
#include "services/pipeline/ingest_pipeline.h"

namespace ragstone::services {

// One attempt at one document. A thread parses into a bounded queue; the caller's thread cuts and
// writes; parts of the text are embedded by further threads while it does, and written in their
// order. Not thread-safe.
class IngestRun {
 public:
  struct Input {
    const JobRecord* job = nullptr;
    std::string media_type;
    std::string_view bytes;
    std::shared_ptr<const EmbeddingModel> model;
    index::DocumentWriter* writer = nullptr;
    IngestProgress* progress = nullptr;
  };
  IngestRun(const IngestPipeline::Parts& parts, const Input& input, const CallContext& context);

  // Parses and writes all rows; nothing is published. INVALID_ARGUMENT (NO_TEXT) if there is none.
  Status Execute();

  uint32_t pages() const { return pages_; }
  uint32_t chunks() const { return chunks_; }
  const ingest::DocumentFacts& facts() const { return facts_; }
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  Status ParseInto(BoundedQueue<ingest::Page>* queue, ingest::DocumentParser* parser);
  Status Consume(BoundedQueue<ingest::Page>* queue);
  Status TakePage(ingest::Page page);
  void TakeChunks(std::vector<ingest::Chunk> chunks);
  Status FlushChunks(bool all);
  // Chunks that are being embedded.
  struct Part {
    std::vector<index::ChunkRecord> records;
    std::vector<std::optional<std::vector<float>>> known;  // vectors that the database had
    std::future<Result<std::vector<float>>> fresh;         // of the others, one after the other
  };
  Status StartEmbedding(std::vector<index::ChunkRecord> records);
  Status WriteOldestPart();
  Status NoText() const;

  const IngestPipeline::Parts parts_;
  const Input input_;
  const CallContext context_;
  std::unique_ptr<ingest::Chunker> chunker_;
  ingest::DocumentFacts facts_;
  std::vector<index::ChunkRecord> pending_;
  std::deque<Part> parts_in_work_;  // its futures wait for their threads, which use what is above
  std::vector<std::string> warnings_;
  uint64_t text_end_ = 0;  // offset at which the next page's text begins
  uint32_t pages_ = 0;
  uint32_t chunks_ = 0;
  uint32_t pages_with_images_ = 0;
};

}  // namespace ragstone::services
