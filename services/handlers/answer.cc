#include <algorithm>
#include <chrono>

#include "base/elapsed.h"
#include "ingest/chunker.h"
#include "services/handlers/app_impl.h"
#include "services/handlers/convert.h"

namespace ragstone::services {

namespace {

constexpr uint32_t kAskTopKMax = 100;
constexpr int kAttachmentsMax = 100;

Status CheckAsk(const v1::AskRequest& request) {
  if (request.top_k() > kAskTopKMax) {
    return InvalidArgument(Reason::kInvalidArgument,
                           "top_k is " + std::to_string(request.top_k()) + ", the limit is 100");
  }
  if (request.attachments_size() > kAttachmentsMax) {
    return InvalidArgument(Reason::kInvalidArgument,
                           std::to_string(request.attachments_size()) +
                               " attachments, the limit is 100; add them to a collection instead");
  }
  return OkStatus();
}

// Shortens a text for scoring only: what is too long for the embedding model has its end left out.
std::string FitForEmbedding(const EmbeddingModel& model, std::string text) {
  const uint32_t limit = model.PassageTokensMax();
  for (;;) {
    const uint32_t tokens = model.Count(text);
    if (tokens <= limit) return text;
    size_t keep = std::min(text.size() * limit / tokens, text.size() - 1);
    while (keep > 0 && (static_cast<unsigned char>(text[keep]) & 0xC0) == 0x80) --keep;
    text.resize(keep);
  }
}

Result<std::vector<std::vector<float>>> EmbedAll(const EmbeddingModel& model,
                                                 const std::vector<std::string>& texts,
                                                 bool is_query, const CallContext& context) {
  std::vector<std::vector<float>> vectors;
  if (is_query) {
    for (const std::string& text : texts) {
      ASSIGN_OR_RETURN(auto vector, model.EmbedQuery(text, context));
      vectors.push_back(std::move(vector));
    }
    return vectors;
  }
  std::vector<std::string> inputs;
  for (const std::string& text : texts) {
    inputs.push_back(model.PassageInput(FitForEmbedding(model, text)));
  }
  ASSIGN_OR_RETURN(const std::vector<float> flat, model.EmbedInputs(inputs, context));
  const auto dimensions = static_cast<ptrdiff_t>(model.manifest().dimensions);
  for (auto begin = flat.begin(); begin != flat.end(); begin += dimensions) {
    vectors.emplace_back(begin, begin + dimensions);
  }
  return vectors;
}

// Joins the boxes of the words of [begin, end) line by line.
void AddBoxes(const index::PageRecord& page, uint64_t begin, uint64_t end, v1::Citation* citation) {
  v1::Box* line = nullptr;
  for (const index::Word& word : page.words) {
    if (word.end <= begin || word.begin >= end) continue;
    const float middle = (word.box.y0 + word.box.y1) / 2;
    if (line == nullptr || middle < line->y0() || middle > line->y1() || word.box.x0 < line->x0()) {
      line = citation->add_boxes();
      line->set_page(page.number);
      line->set_x0(word.box.x0);
      line->set_y0(word.box.y0);
      line->set_x1(word.box.x1);
      line->set_y1(word.box.y1);
      continue;
    }
    line->set_y0(std::min(line->y0(), word.box.y0));
    line->set_x1(std::max(line->x1(), word.box.x1));
    line->set_y1(std::max(line->y1(), word.box.y1));
  }
}

std::vector<llm::EvidencePassage> ToEvidence(const std::vector<index::SearchHit>& hits,
                                             const std::vector<index::ChunkRecord>& chunks) {
  std::vector<llm::EvidencePassage> evidence;
  for (size_t i = 0; i < hits.size(); ++i) {
    llm::EvidencePassage passage;
    passage.heading = chunks[i].heading;
    passage.text = chunks[i].text;
    passage.score = hits[i].score;
    passage.vector_score = hits[i].vector_score;
    passage.keyword_score = hits[i].keyword_score;
    passage.document = hits[i].document;
    passage.ordinal = chunks[i].ordinal;
    evidence.push_back(std::move(passage));
  }
  return evidence;
}

}  // namespace

Result<AppImpl::Retrieval> AppImpl::RetrieveForAsk(const v1::AskRequest& request,
                                                   const CallContext& context) {
  Query query;
  query.collection = request.collection();
  query.text = request.question();
  query.top_k = request.top_k() == 0 ? settings_.ask_top_k : request.top_k();
  query.mode = request.mode();
  if (request.has_filter()) query.filter = &request.filter();
  if (request.attachments_size() > 0) {
    query.collection = kAttachments;
    ASSIGN_OR_RETURN(const auto collection, database_->GetCollection(kAttachments));
    std::vector<index::DocumentId> documents;
    for (const std::string& text : request.attachments()) {
      ASSIGN_OR_RETURN(const auto id, ParseDocumentId(text));
      RETURN_IF_ERROR(database_->GetDocument(collection.id, id).status());
      RETURN_IF_ERROR(database_->TouchDocument(collection.id, id));
      documents.push_back(id);
    }
    query.documents = std::move(documents);
  }
  ASSIGN_OR_RETURN(Retrieval found, Retrieve(query, context));
  if (found.model == nullptr) {  // keyword mode: sentences are still compared by meaning
    ASSIGN_OR_RETURN(found.model, models_->ForCollection(found.collection.spec));
  }
  return found;
}

Result<v1::Citation> AppImpl::ResolveCitation(const Retrieval& retrieval,
                                              const std::vector<v1::Passage>& passages,
                                              const llm::AnswerCitation& citation) const {
  if (citation.passage >= passages.size()) return Internal("a citation names no passage");
  const index::ChunkRecord& chunk = retrieval.chunks[citation.passage];
  const v1::Passage& passage = passages[citation.passage];
  if (citation.begin >= citation.end || citation.end > chunk.text.size()) {
    return Internal("a citation lies outside its passage");
  }
  v1::Citation message;
  message.set_n(citation.n);
  message.set_document_id(passage.document_id());
  message.set_path(passage.path());
  message.set_page(chunk.page_first);
  message.set_page_label(passage.page_label());
  message.set_quote(chunk.text.substr(citation.begin, citation.end - citation.begin));
  if (chunk.line_first > 0) {
    const auto begin = chunk.text.begin();
    message.set_line(chunk.line_first +
                     static_cast<uint32_t>(std::count(begin, begin + citation.begin, '\n')));
    return message;
  }
  const uint64_t begin = chunk.begin + citation.begin;
  const uint64_t end = chunk.begin + citation.end;
  bool first = true;
  for (uint32_t number = chunk.page_first; number <= chunk.page_last; ++number) {
    ASSIGN_OR_RETURN(const auto page,
                     database_->GetPage(retrieval.collection.id, chunk.document, number));
    const uint64_t page_end = page.text_begin + page.text.size();
    if (page_end <= begin || page.text_begin >= end) continue;
    if (first) {
      message.set_page(number);
      message.set_page_label(ValidUtf8(page.label));
      first = false;
    }
    AddBoxes(page, begin > page.text_begin ? begin - page.text_begin : 0, end - page.text_begin,
             &message);
  }
  return message;
}

llm::AnswerServices AppImpl::AnswerParts(const GeneratorModel& generator, const Retrieval& found,
                                         const CallContext& context) const {
  llm::AnswerServices services;
  services.generator = generator.generator;
  services.embed = [&found, context](const std::vector<std::string>& texts, bool is_query) {
    return EmbedAll(*found.model, texts, is_query, context);
  };
  services.term_weights = [this, &found](std::string_view text) {
    return database_->TermWeights(found.collection.id, text);
  };
  services.sentences = [](std::string_view text) {
    std::vector<std::pair<size_t, size_t>> spans;
    for (const auto& sentence : ingest::SplitSentences(text)) {
      spans.emplace_back(sentence.begin, sentence.end);
    }
    return spans;
  };
  return services;
}

Status AppImpl::Ask(const v1::AskRequest& request, const Writer<v1::AskResponse>& write,
                    const CallContext& context) {
  const auto begin = std::chrono::steady_clock::now();
  ++counters_.ask;
  RETURN_IF_ERROR(CheckAsk(request));
  ASSIGN_OR_RETURN(const GeneratorModel generator, models_->Generator());
  ASSIGN_OR_RETURN(const Retrieval found, RetrieveForAsk(request, context));
  ASSIGN_OR_RETURN(const std::vector<v1::Passage> passages, Passages(found));
  v1::AskResponse event;
  for (const v1::Passage& passage : passages) *event.mutable_evidence()->add_passages() = passage;
  event.mutable_evidence();  // sent even when nothing was found
  RETURN_IF_ERROR(write(event));

  const llm::AnswerServices services = AnswerParts(generator, found, context);
  v1::AskFinal final_message;
  double first_token_ms = -1;
  llm::AnswerSink sink;
  sink.token = [&](std::string_view text) {
    if (first_token_ms < 0) first_token_ms = MsSince(begin);
    v1::AskResponse token;
    token.set_token(std::string(text));
    return write(token);
  };
  sink.citation = [&](const llm::AnswerCitation& citation) -> Status {
    v1::AskResponse resolved;
    ASSIGN_OR_RETURN(*resolved.mutable_citation(), ResolveCitation(found, passages, citation));
    *final_message.add_citations() = resolved.citation();
    return write(resolved);
  };
  llm::AnswerOptions options;
  options.short_style = request.style() == v1::ANSWER_STYLE_SHORT;
  options.confidence_min = settings_.confidence_min;
  ASSIGN_OR_RETURN(const llm::AnswerResult answer,
                   llm::Answer(request.question(), ToEvidence(found.hits, found.chunks), options,
                               services, sink, context));
  ++(answer.answered ? counters_.answered : counters_.refused);

  final_message.set_answer(answer.answer);
  final_message.set_short_answer(answer.short_answer);
  final_message.set_answered(answer.answered);
  final_message.set_confidence(answer.confidence);
  final_message.set_model(generator.manifest.name);
  final_message.set_fingerprint(
      Sha256Of(generator.manifest.sha256 + found.model->fingerprint() +
               std::to_string(options.short_style) + std::to_string(options.confidence_min) +
               std::to_string(request.mode()) + std::to_string(found.hits.size()))
          .Hex());
  auto& ms = *final_message.mutable_timings()->mutable_ms();
  for (const auto& [step, value] : found.timings_ms) ms[step] = value;
  for (const auto& [step, value] : answer.timings_ms) ms[step] = value;
  if (first_token_ms >= 0) ms["first_token"] = first_token_ms;
  ms["total"] = MsSince(begin);
  v1::AskResponse last;
  *last.mutable_final() = std::move(final_message);
  return write(last);
}

}  // namespace ragstone::services
