#include "services/pipeline/ingest_run.h"

#include <thread>
#include <utility>

#include "ingest/text_parser.h"

namespace ragstone::services {

namespace {

constexpr size_t kPagesQueued = 64;     // parsed pages that wait for the embedder
constexpr size_t kChunksPerWrite = 64;  // chunks embedded and written together
// Parts that are embedded at the same time: the embedder has the next one when it ends one.
constexpr size_t kPartsInWork = 3;
constexpr size_t kWarningsMax = 20;             // kept with a document
constexpr uint32_t kTextBytesMax = 256u << 20;  // of a text file, which is one page

index::PageRecord ToRecord(ingest::Page page, uint64_t text_begin) {
  index::PageRecord record;
  record.number = page.number;
  record.label = std::move(page.label);
  record.width = page.width;
  record.height = page.height;
  record.text_begin = text_begin;
  record.text = std::move(page.text);
  record.words.reserve(page.words.size());
  for (const ingest::Word& word : page.words) {
    record.words.push_back({word.begin, word.end, {word.x0, word.y0, word.x1, word.y1}});
  }
  return record;
}

}  // namespace

IngestRun::IngestRun(const IngestPipeline::Parts& parts, const Input& input,
                     const CallContext& context)
    : parts_(parts), input_(input), context_(context) {
  ingest::ChunkerOptions options;
  options.tokens_max =
      std::min(parts_.settings->chunk_tokens_max, input_.model->PassageTokensMax());
  options.tokens_min = std::min(options.tokens_min, options.tokens_max / 2);
  options.markdown = input_.media_type == "text/markdown";
  chunker_ = std::make_unique<ingest::Chunker>(options, input_.model.get());
}

Status IngestRun::Execute() {
  ingest::TextParser text_parser;
  ingest::DocumentParser* parser = &text_parser;
  if (input_.media_type == "application/pdf") parser = parts_.workers->pdf_parser();

  input_.progress->stage = IngestProgress::Stage::kParse;
  BoundedQueue<ingest::Page> queue(kPagesQueued);
  Status parsed;
  std::thread thread([&] {
    parsed = ParseInto(&queue, parser);
    queue.Close();
  });
  const Status consumed = Consume(&queue);
  queue.Close();  // after an error: lets the parser end
  thread.join();
  RETURN_IF_ERROR(consumed);
  RETURN_IF_ERROR(parsed);
  TakeChunks(chunker_->Finish());
  RETURN_IF_ERROR(FlushChunks(true));
  if (chunks_ == 0) return NoText();
  return OkStatus();
}

Status IngestRun::ParseInto(BoundedQueue<ingest::Page>* queue, ingest::DocumentParser* parser) {
  ingest::ParseLimits limits;
  limits.pages_max = parts_.settings->pages_max;
  limits.page_time_ms_max = parts_.settings->page_time_ms_max;
  limits.document_time_ms_max = parts_.settings->document_time_ms_max;
  if (input_.media_type != "application/pdf") limits.page_text_bytes_max = kTextBytesMax;
  ingest::PageSink sink;
  sink.opened = [this](const ingest::DocumentFacts& facts) {
    facts_ = facts;
    input_.progress->pages_total = facts.pages;
    return OkStatus();
  };
  sink.page = [queue](ingest::Page page) {
    if (queue->Push(std::move(page))) return OkStatus();
    return Status(StatusCode::kCancelled, Reason::kCancelled, "the document was given up");
  };
  return parser->Parse(input_.bytes, limits, sink, context_);
}

Status IngestRun::Consume(BoundedQueue<ingest::Page>* queue) {
  while (auto page = queue->Pop()) {
    RETURN_IF_ERROR(context_.Check());
    RETURN_IF_ERROR(TakePage(std::move(*page)));
    RETURN_IF_ERROR(FlushChunks(false));
  }
  return context_.Check();
}

Status IngestRun::TakePage(ingest::Page page) {
  if (!page.warning.empty() && warnings_.size() < kWarningsMax) {
    warnings_.push_back("page " + std::to_string(page.number) + ": " + page.warning);
  }
  if (page.images > 0) ++pages_with_images_;
  TakeChunks(chunker_->AddPage(page));
  const uint64_t begin = text_end_;
  text_end_ += page.text.size() + 1;  // pages are joined by "\n"
  const index::PageRecord record = ToRecord(std::move(page), begin);
  RETURN_IF_ERROR(input_.writer->AddPages({&record, 1}));
  ++pages_;
  input_.progress->pages_done = pages_;
  return OkStatus();
}

void IngestRun::TakeChunks(std::vector<ingest::Chunk> chunks) {
  for (ingest::Chunk& chunk : chunks) {
    index::ChunkRecord record;
    record.ordinal = chunks_++;
    record.page_first = chunk.page_first;
    record.page_last = chunk.page_last;
    record.line_first = input_.media_type == "application/pdf" ? 0 : chunk.line_first;
    record.begin = chunk.begin;
    record.end = chunk.end;
    record.tokens = chunk.tokens;
    record.heading = std::move(chunk.heading);
    record.text = std::move(chunk.text);
    pending_.push_back(std::move(record));
  }
  input_.progress->chunks_total = chunks_;
}

Status IngestRun::FlushChunks(bool all) {
  while (pending_.size() >= kChunksPerWrite || (all && !pending_.empty())) {
    const size_t count = std::min(pending_.size(), kChunksPerWrite);
    std::vector<index::ChunkRecord> part(
        std::make_move_iterator(pending_.begin()),
        std::make_move_iterator(pending_.begin() + static_cast<ptrdiff_t>(count)));
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<ptrdiff_t>(count));
    if (parts_in_work_.size() >= kPartsInWork) RETURN_IF_ERROR(WriteOldestPart());
    RETURN_IF_ERROR(StartEmbedding(std::move(part)));
  }
  while (all && !parts_in_work_.empty()) RETURN_IF_ERROR(WriteOldestPart());
  return OkStatus();
}

Status IngestRun::StartEmbedding(std::vector<index::ChunkRecord> records) {
  input_.progress->stage = IngestProgress::Stage::kEmbed;
  const EmbeddingModel& model = *input_.model;
  std::vector<std::string> inputs;
  std::vector<Sha256Digest> hashes;
  for (index::ChunkRecord& record : records) {
    inputs.push_back(model.PassageInput(ingest::EmbeddedText(record.heading, record.text)));
    record.embedded = Sha256Of(inputs.back());
    hashes.push_back(record.embedded);
  }
  ASSIGN_OR_RETURN(auto known, parts_.database->FindEmbeddings(model.fingerprint(), hashes));

  std::vector<std::string> missing;
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!known[i]) missing.push_back(std::move(inputs[i]));
  }
  Part part;
  part.records = std::move(records);
  part.known = std::move(known);
  // Without texts to embed no thread is needed: it runs when its result is asked for.
  const std::launch how = missing.empty() ? std::launch::deferred : std::launch::async;
  part.fresh = std::async(how, [this, missing = std::move(missing)] {
    return input_.model->EmbedInputs(missing, context_);
  });
  parts_in_work_.push_back(std::move(part));
  return OkStatus();
}

Status IngestRun::WriteOldestPart() {
  Part part = std::move(parts_in_work_.front());
  parts_in_work_.pop_front();
  ASSIGN_OR_RETURN(const std::vector<float> fresh, part.fresh.get());
  const size_t dimensions = input_.model->manifest().dimensions;
  std::vector<float> vectors;
  vectors.reserve(part.records.size() * dimensions);
  auto next = fresh.begin();
  for (const auto& vector : part.known) {
    if (vector) {
      vectors.insert(vectors.end(), vector->begin(), vector->end());
    } else {
      vectors.insert(vectors.end(), next, next + static_cast<ptrdiff_t>(dimensions));
      next += static_cast<ptrdiff_t>(dimensions);
    }
  }
  RETURN_IF_ERROR(input_.writer->AddChunks(part.records, vectors));
  input_.progress->chunks_done += static_cast<uint32_t>(part.records.size());
  return OkStatus();
}

Status IngestRun::NoText() const {
  std::string message = "no text on any of its " + std::to_string(pages_) + " pages";
  if (pages_with_images_ > 0) {
    message += "; " + std::to_string(pages_with_images_) +
               " of them hold images, so it is probably a scan: recognise its text first (for "
               "example with ocrmypdf) and add the result";
  }
  return InvalidArgument(Reason::kNoText, std::move(message));
}

}  // namespace ragstone::services
