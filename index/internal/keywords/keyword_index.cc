#include "index/internal/keywords/keyword_index.h"

#include <algorithm>
#include <cmath>

#include "index/internal/keys.h"
#include "index/internal/keywords/special_lists.h"
#include "index/internal/keywords/words.h"

namespace ragstone::index::keywords {
namespace {

// How many postings of the list are hidden rows'.
uint32_t CountHidden(const LoadedList& list, const HiddenRows& hidden) {
  if (hidden.ordinals.empty()) return 0;
  const uint64_t known = list.hidden.load(std::memory_order_relaxed);
  if (hidden.generation != 0 && known >> 32 == hidden.generation) {
    return static_cast<uint32_t>(known);
  }
  uint32_t count = 0;
  for (const RowRange& range : hidden.ordinals) {
    count += list.list.CountBetween(static_cast<uint32_t>(range.first),
                                    static_cast<uint32_t>(range.first + range.count));
  }
  if (hidden.generation != 0) {
    list.hidden.store(uint64_t{hidden.generation} << 32 | count, std::memory_order_relaxed);
  }
  return count;
}

std::vector<RowRange> RangesOf(std::vector<RowId> rows) {
  if (!std::is_sorted(rows.begin(), rows.end())) std::sort(rows.begin(), rows.end());
  std::vector<RowRange> ranges;
  for (const RowId row : rows) AppendRow(row, &ranges);
  return ranges;
}

}  // namespace

double Bm25Idf(uint64_t rows, uint64_t rows_with_term) {
  const double with = static_cast<double>(rows_with_term);
  const double without = std::max(0.0, static_cast<double>(rows) - with);
  return std::log(1.0 + (without + 0.5) / (with + 0.5));
}

Result<KeywordIndex::Views> KeywordIndex::View(const RowView& view) {
  RETURN_IF_ERROR(EnsureLoaded());
  Views views;
  const std::shared_ptr<const Segments> segments = snapshot();  // kept while it is read
  for (const std::shared_ptr<const Segment>& segment : *segments) {
    std::shared_ptr<const HiddenRows> hidden = segment->Hidden(view);
    if (hidden->rows == segment->rows().size()) continue;
    views.rows += segment->rows().size() - hidden->rows;
    views.words += segment->rows().words() - hidden->words;
    views.segments.push_back({segment, std::move(hidden), {}});
  }
  // The best rows of a large one let small ones be passed over.
  std::sort(views.segments.begin(), views.segments.end(),
            [](const SegmentView& a, const SegmentView& b) {
              return a.segment->rows().size() > b.segment->rows().size();
            });
  return views;
}

Result<double> KeywordIndex::AddTerm(const std::string& term, Views* views) {
  uint64_t rows = 0;
  for (SegmentView& view : views->segments) {
    ASSIGN_OR_RETURN(std::shared_ptr<const LoadedList> list, view.segment->Find(term));
    if (list != nullptr) rows += list->list.count() - CountHidden(*list, *view.hidden);
    view.lists.push_back(std::move(list));
  }
  return Bm25Idf(views->rows, rows);
}

Status KeywordIndex::AddTerms(const ParsedQuery& parsed, Views* views, Scoring* scoring) {
  for (const ParsedQuery::Term& term : parsed.terms) {
    ASSIGN_OR_RETURN(const double idf, AddTerm(term.text, views));
    scoring->weights.push_back(term.count * idf * (kBm25K1 + 1));
  }
  return OkStatus();
}

Status KeywordIndex::AddPhrases(const ParsedQuery& parsed, const CallContext& context, Views* views,
                                Scoring* scoring) {
  for (const ParsedQuery::Phrase& phrase : parsed.phrases) {
    uint64_t rows = 0;
    for (SegmentView& view : views->segments) {
      ASSIGN_OR_RETURN(std::shared_ptr<const LoadedList> list,
                       PhraseList({*view.segment, *view.hidden, context}, phrase.terms));
      if (list != nullptr) rows += list->list.count();
      view.lists.push_back(std::move(list));
    }
    scoring->weights.push_back(Bm25Idf(views->rows, rows) * (kBm25K1 + 1));
  }
  return OkStatus();
}

Status KeywordIndex::AddPrefixes(const ParsedQuery& parsed, const CallContext& context,
                                 Views* views, Scoring* scoring) {
  for (const std::string& prefix : parsed.prefixes) {
    uint64_t rows = 0;
    PrefixTerms terms;
    for (SegmentView& view : views->segments) {
      ASSIGN_OR_RETURN(std::shared_ptr<const LoadedList> list,
                       PrefixList({*view.segment, *view.hidden, context}, prefix, &terms));
      if (list != nullptr) rows += list->list.count();
      view.lists.push_back(std::move(list));
    }
    scoring->weights.push_back(Bm25Idf(views->rows, rows) * (kBm25K1 + 1));
  }
  return OkStatus();
}

Result<std::vector<RowRange>> KeywordIndex::CommonRows(const Views& views, size_t first,
                                                       size_t count, const CallContext& context) {
  std::vector<RowId> rows;
  for (const SegmentView& view : views.segments) {
    RETURN_IF_ERROR(AppendCommonRows(*view.segment, std::span(view.lists).subspan(first, count),
                                     context, &rows));
  }
  return RangesOf(std::move(rows));
}

void KeywordIndex::ScoreWanted(const Views& views, const Scoring& scoring, const Query& query,
                               Found* found) {
  std::vector<RowRange> wanted;
  for (const RowId row : query.wanted) AppendRow(row, &wanted);
  for (const SegmentView& view : views.segments) {
    const RowTable& rows = view.segment->rows();
    std::vector<uint32_t> ordinals;
    for (const RowRange& range : Subtract(rows.Ordinals(wanted), view.hidden->ordinals)) {
      for (uint64_t i = 0; i < range.count; ++i) {
        ordinals.push_back(static_cast<uint32_t>(range.first + i));
      }
    }
    const std::vector<double> scores = ScoreOrdinals(view, scoring, ordinals);
    for (size_t i = 0; i < ordinals.size(); ++i) {
      if (scores[i] > 0) found->wanted.push_back({rows.row(ordinals[i]), scores[i]});
    }
  }
  std::sort(found->wanted.begin(), found->wanted.end(),
            [](const ScoredRow& a, const ScoredRow& b) { return a.row < b.row; });
}

Result<Found> KeywordIndex::Search(const Query& query, const CallContext& context) {
  Found found;
  ASSIGN_OR_RETURN(const ParsedQuery parsed, ParseQuery(query.text, language_));
  ASSIGN_OR_RETURN(Views views, View(*query.view));
  if (views.rows == 0) return found;
  RETURN_IF_ERROR(context.Check());
  Scoring scoring;
  scoring.length_mean =
      std::max(1.0, static_cast<double>(views.words) / static_cast<double>(views.rows));
  scoring.candidates = query.candidates;
  scoring.accept = query.accept;
  RETURN_IF_ERROR(AddTerms(parsed, &views, &scoring));
  RETURN_IF_ERROR(AddPhrases(parsed, context, &views, &scoring));
  std::vector<RowRange> with_phrases;
  if (query.phrases_required && !parsed.phrases.empty()) {
    ASSIGN_OR_RETURN(with_phrases,
                     CommonRows(views, parsed.terms.size(), parsed.phrases.size(), context));
    if (query.candidates != nullptr) with_phrases = Intersect(with_phrases, *query.candidates);
    scoring.candidates = &with_phrases;
  }
  RETURN_IF_ERROR(AddPrefixes(parsed, context, &views, &scoring));
  RETURN_IF_ERROR(context.Check());
  if (query.limit > 0) {
    TopRows top(query.limit);
    for (const SegmentView& view : views.segments) {
      RETURN_IF_ERROR(ScoreSegment(view, scoring, context, &top));
    }
    found.top = top.TakeSorted();
  }
  if (!query.wanted.empty()) ScoreWanted(views, scoring, query, &found);
  return found;
}

Result<std::vector<std::pair<std::string, double>>> KeywordIndex::WeighTerms(std::string_view text,
                                                                             const RowView& view) {
  ASSIGN_OR_RETURN(const TextTerms split, SplitTerms(text, language_));
  ASSIGN_OR_RETURN(Views views, View(view));
  std::vector<std::pair<std::string, double>> weights;
  for (const TextWord& word : split.words) {
    for (SegmentView& segment : views.segments) segment.lists.clear();
    ASSIGN_OR_RETURN(const double idf, AddTerm(word.term, &views));
    weights.emplace_back(word.folded, idf);
  }
  return weights;
}

Result<std::vector<RowRange>> KeywordIndex::RowsWithAll(std::string_view text,
                                                        const CallContext& context) {
  ASSIGN_OR_RETURN(const TextTerms split, SplitTerms(text, language_));
  std::set<std::string> terms;
  for (const TextWord& word : split.words) terms.insert(word.term);
  RETURN_IF_ERROR(EnsureLoaded());
  std::vector<RowId> rows;
  const std::shared_ptr<const Segments> segments = snapshot();  // kept while it is read
  for (const std::shared_ptr<const Segment>& segment : *segments) {
    RETURN_IF_ERROR(context.Check());
    std::vector<std::shared_ptr<const LoadedList>> lists;
    for (const std::string& term : terms) {
      ASSIGN_OR_RETURN(std::shared_ptr<const LoadedList> list, segment->Find(term));
      lists.push_back(std::move(list));
      if (lists.back() == nullptr) break;
    }
    RETURN_IF_ERROR(AppendCommonRows(*segment, lists, context, &rows));
  }
  return RangesOf(std::move(rows));
}

}  // namespace ragstone::index::keywords
