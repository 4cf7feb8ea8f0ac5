#include "index/internal/document_filter.h"

#include <algorithm>
#include <utility>

namespace ragstone::index {
namespace {

using States = std::vector<std::shared_ptr<const VersionState>>;

constexpr size_t kCheckEvery = 64;  // versions whose pages are read

// Whether some page of the chunk fulfils a bound condition on pages.
bool OnPages(const Filter& condition, const PageSpan& span) {
  const auto any_equal = [&](const Scalar& value) {
    const int64_t page = std::get<int64_t>(value);
    return page >= span.first && page <= span.last;
  };
  int64_t first = span.first;
  int64_t last = span.last;
  switch (condition.kind) {
    case FilterKind::kIn:
      return std::any_of(condition.values.begin(), condition.values.end(), any_equal);
    case FilterKind::kRange:
      if (condition.lower.has_value()) {
        const int64_t lower = std::get<int64_t>(condition.lower->value);
        if (lower > last || (lower == last && !condition.lower->inclusive)) return false;
        first = std::max(first, condition.lower->inclusive ? lower : lower + 1);
      }
      if (condition.upper.has_value()) {
        const int64_t upper = std::get<int64_t>(condition.upper->value);
        if (upper < first || (upper == first && !condition.upper->inclusive)) return false;
      }
      return true;
    default:  // kExists: every chunk is on a page
      return true;
  }
}

class Evaluator {
 public:
  Evaluator(const Store& store, const Collection& collection, SequenceNumber sequence,
            const CallContext& context)
      : store_(store), collection_(collection), sequence_(sequence), context_(context) {}

  // The versions that a condition without pages holds for, seen or not.
  Result<fields::RowSet> Versions(const DocumentCondition& condition) {
    fields::RowSet rows;
    if (condition.kind == FilterKind::kAnd || condition.kind == FilterKind::kNot) rows = All();
    switch (condition.kind) {
      case FilterKind::kAnd:
      case FilterKind::kOr:
      case FilterKind::kNot:
        for (const DocumentCondition& child : condition.children) {
          ASSIGN_OR_RETURN(const fields::RowSet held, Versions(child));
          if (condition.kind == FilterKind::kAnd) rows &= held;
          if (condition.kind == FilterKind::kOr) rows |= held;
          if (condition.kind == FilterKind::kNot) rows -= held;
        }
        return rows;
      case FilterKind::kHasId:
        for (const VersionId version : collection_.VersionsOf(condition.ids)) rows.Add(version);
        return rows;
      default:
        for (const DocumentCondition::Part& part : condition.parts) {
          ASSIGN_OR_RETURN(const fields::FieldMatches found,
                           part.values->FindMatches(part.filter, {{}, {}, context_}));
          rows |= found.sure;
        }
        return rows;
    }
  }

  // The chunks of some versions that a condition holds for.
  Result<fields::RowSet> Chunks(const DocumentCondition& condition, const fields::RowSet& within) {
    if (!condition.AsksPages()) {
      ASSIGN_OR_RETURN(fields::RowSet versions, Versions(condition));
      versions &= within;
      return Expand(versions);
    }
    if (condition.on_pages) return PageChunks(condition.pages, within);
    fields::RowSet rows;
    if (condition.kind == FilterKind::kNot) {
      rows = Expand(within);
      ASSIGN_OR_RETURN(const fields::RowSet held, Chunks(condition.children[0], within));
      rows -= held;
      return rows;
    }
    if (condition.kind == FilterKind::kOr) {
      for (const DocumentCondition& child : condition.children) {
        ASSIGN_OR_RETURN(const fields::RowSet held, Chunks(child, within));
        rows |= held;
      }
      return rows;
    }
    // What documents decide goes first: then pages are read of few of them.
    fields::RowSet versions = within;
    for (const DocumentCondition& child : condition.children) {
      if (child.AsksPages()) continue;
      ASSIGN_OR_RETURN(const fields::RowSet held, Versions(child));
      versions &= held;
    }
    rows = Expand(versions);
    for (const DocumentCondition& child : condition.children) {
      if (!child.AsksPages()) continue;
      ASSIGN_OR_RETURN(const fields::RowSet held, Chunks(child, versions));
      rows &= held;
    }
    return rows;
  }

  const fields::RowSet& All() {
    if (!all_.has_value()) {
      all_.emplace();
      for (const VersionId version : collection_.AllVersions()) all_->Add(version);
    }
    return *all_;
  }

  // The versions of these that are seen.
  States Seen(const fields::RowSet& versions) const {
    return collection_.SeenVersions(versions.ToVector(), sequence_);
  }

 private:
  fields::RowSet Expand(const fields::RowSet& versions) const {
    fields::RowSet rows;
    for (const auto& state : Seen(versions)) {
      for (const ChunkRange& range : state->chunks) rows.AddRange(range.first, range.count);
    }
    return rows;
  }

  Result<fields::RowSet> PageChunks(const Filter& condition, const fields::RowSet& within) const {
    fields::RowSet rows;
    size_t count = 0;
    for (const auto& state : Seen(within)) {
      if (count++ % kCheckEvery == 0) RETURN_IF_ERROR(context_.Check());
      ASSIGN_OR_RETURN(
          const DocumentFields::Pages pages,
          collection_.fields()->PagesOf(state->version, [&] { return ReadPages(*state); }));
      size_t i = 0;
      for (const ChunkRange& range : state->chunks) {
        for (uint32_t j = 0; j < range.count && i < pages->size(); ++j, ++i) {
          if (OnPages(condition, (*pages)[i])) rows.Add(range.first + j);
        }
      }
    }
    return rows;
  }

  Result<std::vector<PageSpan>> ReadPages(const VersionState& state) const {
    std::vector<PageSpan> pages;
    const std::unique_ptr<StoreIterator> it = store_.NewIterator(Family::kChunk);
    for (const ChunkRange& range : state.chunks) {
      it->Seek(ChunkKey(collection_.id(), range.first));
      for (ChunkId chunk = range.first; chunk < range.first + range.count; ++chunk, it->Next()) {
        if (!it->Valid() || it->key() != ChunkKey(collection_.id(), chunk)) {
          RETURN_IF_ERROR(it->status());
          return Corrupt("chunk " + std::to_string(chunk));
        }
        ASSIGN_OR_RETURN(const auto stored, DecodeChunk(it->value()));
        pages.push_back({stored.first.page_first, stored.first.page_last});
      }
    }
    return pages;
  }

  const Store& store_;
  const Collection& collection_;
  const SequenceNumber sequence_;
  const CallContext& context_;
  std::optional<fields::RowSet> all_;
};

std::vector<keywords::RowRange> RangesOf(const States& states) {
  std::vector<keywords::RowRange> ranges;
  for (const auto& state : states) {
    for (const ChunkRange& range : state->chunks) ranges.push_back({range.first, range.count});
  }
  std::sort(ranges.begin(), ranges.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<keywords::RowRange> joined;
  for (const keywords::RowRange& range : ranges) {
    if (!joined.empty() && joined.back().first + joined.back().count == range.first) {
      joined.back().count += range.count;
    } else {
      joined.push_back(range);
    }
  }
  return joined;
}

}  // namespace

Result<std::vector<keywords::RowRange>> SelectChunks(const Store& store,
                                                     const Collection& collection,
                                                     const FilterRequest& request,
                                                     const CallContext& context) {
  ASSIGN_OR_RETURN(const DocumentCondition condition, collection.fields()->Bind(*request.filter));
  Evaluator evaluator(store, collection, request.sequence, context);
  if (!condition.AsksPages()) {
    ASSIGN_OR_RETURN(const fields::RowSet versions, evaluator.Versions(condition));
    return RangesOf(evaluator.Seen(versions));
  }
  ASSIGN_OR_RETURN(const fields::RowSet rows, evaluator.Chunks(condition, evaluator.All()));
  std::vector<keywords::RowRange> ranges;
  for (const fields::RowId row : rows.ToVector()) keywords::AppendRow(row, &ranges);
  return ranges;
}

Result<std::vector<DocumentId>> SelectDocuments(const Store& store, const Collection& collection,
                                                const FilterRequest& request,
                                                const CallContext& context) {
  ASSIGN_OR_RETURN(const DocumentCondition condition, collection.fields()->Bind(*request.filter));
  Evaluator evaluator(store, collection, request.sequence, context);
  std::vector<DocumentId> documents;
  if (!condition.AsksPages()) {
    ASSIGN_OR_RETURN(const fields::RowSet versions, evaluator.Versions(condition));
    for (const auto& state : evaluator.Seen(versions)) {
      documents.push_back(state->document);
    }
  } else {
    ASSIGN_OR_RETURN(const fields::RowSet rows, evaluator.Chunks(condition, evaluator.All()));
    for (const fields::RowId row : rows.ToVector()) {
      documents.push_back(collection.DocumentOf(row));
    }
  }
  std::sort(documents.begin(), documents.end());
  documents.erase(std::unique(documents.begin(), documents.end()), documents.end());
  return documents;
}

}  // namespace ragstone::index
