#include "index/internal/keyword.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "index/internal/tokens.h"

namespace ragstone::index {
namespace {

// A question has tens of words; a text pasted as a query is cut here.
constexpr size_t kQueryTermsMax = 1024;

// A query term, its blocks as stored, and then its postings that are visible.
struct Term {
  std::string text;
  uint32_t count = 0;  // in the query
  std::vector<std::string> blocks;
  uint64_t chunks = 0;  // that hold it, visible
  std::vector<Posting> postings;
  std::vector<DocumentId> documents;  // beside postings
  size_t next = 0;
  double weight = 0;

  ChunkId chunk() const {
    return next < postings.size() ? postings[next].chunk : std::numeric_limits<ChunkId>::max();
  }
};

std::vector<Term> QueryTerms(const TextTerms& split) {
  std::vector<Term> terms;
  std::unordered_map<std::string_view, size_t> index;
  const auto add = [&](const std::string& text) {
    const auto [it, added] = index.emplace(text, terms.size());
    if (added) {
      if (terms.size() >= kQueryTermsMax) {
        index.erase(it);
        return;
      }
      terms.emplace_back();
      terms.back().text = text;
    }
    ++terms[it->second].count;
  };
  for (const TextWord& word : split.words) add(word.term);
  for (const std::string& compound : split.compounds) add(compound);
  return terms;
}

// Reads the blocks of all terms and drops those of versions that are not visible.
class BlockReader {
 public:
  BlockReader(const Store& store, const Collection& collection)
      : collection_(collection), it_(store.NewIterator(Family::kPosting)) {}

  Status Read(const CallContext& context, std::vector<Term>* terms) {
    for (Term& term : *terms) {
      RETURN_IF_ERROR(context.Check());
      const std::string prefix = PostingPrefix(collection_.id(), term.text);
      for (it_->Seek(prefix); it_->ValidWithPrefix(prefix); it_->Next()) {
        ASSIGN_OR_RETURN(const PostingHeader header, DecodePostingHeader(it_->value()));
        versions_.push_back(header.owner.version);
        term.blocks.emplace_back(it_->value());
      }
      RETURN_IF_ERROR(it_->status());
      std::sort(versions_.begin(), versions_.end());
      versions_.erase(std::unique(versions_.begin(), versions_.end()), versions_.end());
    }
    return OkStatus();
  }

  // Fills chunks, and postings of these documents if `postings`.
  Status Decode(SequenceNumber sequence, const std::vector<DocumentId>* documents, bool postings,
                std::vector<Term>* terms) const {
    const std::vector<VersionId> visible = collection_.Visible(versions_, sequence);
    for (Term& term : *terms) {
      for (const std::string& block : term.blocks) {
        ASSIGN_OR_RETURN(const PostingHeader header, DecodePostingHeader(block));
        if (!std::binary_search(visible.begin(), visible.end(), header.owner.version)) continue;
        term.chunks += header.count;
        const bool wanted =
            documents == nullptr ||
            std::binary_search(documents->begin(), documents->end(), header.owner.document);
        if (!postings || !wanted) continue;
        RETURN_IF_ERROR(AppendPostings(header, &term.postings));
        term.documents.resize(term.postings.size(), header.owner.document);
      }
      term.blocks.clear();
      term.blocks.shrink_to_fit();
    }
    return OkStatus();
  }

 private:
  const Collection& collection_;
  const std::unique_ptr<StoreIterator> it_;
  std::vector<VersionId> versions_;
};

}  // namespace

double Bm25Idf(uint64_t chunks, uint64_t chunks_with_term) {
  // Counts of a moment earlier or later may disagree by a document.
  const double with = static_cast<double>(chunks_with_term);
  const double without = std::max(0.0, static_cast<double>(chunks) - with);
  return std::log(1.0 + (without + 0.5) / (with + 0.5));
}

Result<uint32_t> PostingBuilder::Add(ChunkId chunk, std::string_view heading,
                                     std::string_view text) {
  std::string joined(heading);
  joined += '\n';
  joined += text;
  ASSIGN_OR_RETURN(const TextTerms split, SplitTerms(joined));
  std::unordered_map<std::string_view, uint32_t> frequencies;
  for (const TextWord& word : split.words) ++frequencies[word.term];
  for (const std::string& compound : split.compounds) ++frequencies[compound];
  const uint32_t length = static_cast<uint32_t>(split.words.size());
  for (const auto& [term, frequency] : frequencies) {
    const auto [it, added] = blocks_.try_emplace(std::string(term));
    PostingBlock& block = it->second;
    if (added) {
      block.owner = owner_;
      block.length_min = length;
    }
    block.frequency_max = std::max(block.frequency_max, frequency);
    block.length_min = std::min(block.length_min, length);
    block.postings.push_back({chunk, frequency, length});
  }
  return length;
}

Result<KeywordResult> SearchKeywords(const Store& store, const Collection& collection,
                                     const KeywordRequest& request, const CallContext& context) {
  KeywordResult result;
  ASSIGN_OR_RETURN(const TextTerms split, SplitTerms(request.text));
  std::vector<Term> terms = QueryTerms(split);
  const CollectionStats stats = collection.stats();
  if (terms.empty() || stats.chunks == 0) return result;
  BlockReader reader(store, collection);
  RETURN_IF_ERROR(reader.Read(context, &terms));
  RETURN_IF_ERROR(reader.Decode(request.sequence, request.documents, /*postings=*/true, &terms));
  const double length_mean =
      std::max(1.0, static_cast<double>(stats.words) / static_cast<double>(stats.chunks));
  for (Term& term : terms) term.weight = term.count * Bm25Idf(stats.chunks, term.chunks);

  // Chunk by chunk over all terms: postings are in order of chunk ids.
  TopChunks top(request.limit);
  for (size_t scored = 0;; ++scored) {
    if (scored % 16384 == 0) RETURN_IF_ERROR(context.Check());
    ChunkId chunk = std::numeric_limits<ChunkId>::max();
    for (const Term& term : terms) chunk = std::min(chunk, term.chunk());
    if (chunk == std::numeric_limits<ChunkId>::max()) break;
    ScoredChunk hit{chunk, 0, 0};
    for (Term& term : terms) {
      if (term.chunk() != chunk) continue;
      const Posting& posting = term.postings[term.next];
      const double frequency = posting.frequency;
      const double norm = 1 - kBm25B + kBm25B * posting.length / length_mean;
      hit.score += term.weight * frequency * (kBm25K1 + 1) / (frequency + kBm25K1 * norm);
      hit.document = term.documents[term.next];
      ++term.next;
    }
    top.Offer(hit);
    if (std::binary_search(request.wanted.begin(), request.wanted.end(), chunk)) {
      result.wanted[chunk] = hit.score;
    }
  }
  result.top = top.TakeSorted();
  return result;
}

Result<std::vector<std::pair<std::string, double>>> WeighTerms(const Store& store,
                                                               const Collection& collection,
                                                               std::string_view text,
                                                               SequenceNumber sequence) {
  ASSIGN_OR_RETURN(const TextTerms split, SplitTerms(text));
  std::vector<Term> terms = QueryTerms(split);
  BlockReader reader(store, collection);
  RETURN_IF_ERROR(reader.Read(CallContext(), &terms));
  RETURN_IF_ERROR(reader.Decode(sequence, nullptr, /*postings=*/false, &terms));
  const uint64_t chunks = collection.stats().chunks;
  std::unordered_map<std::string_view, double> weights;
  for (const Term& term : terms) weights[term.text] = Bm25Idf(chunks, term.chunks);
  std::vector<std::pair<std::string, double>> result;
  for (const TextWord& word : split.words) {
    const auto it = weights.find(word.term);
    if (it != weights.end()) result.emplace_back(word.folded, it->second);
  }
  return result;
}

}  // namespace ragstone::index
