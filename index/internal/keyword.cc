#include "index/internal/keyword.h"

namespace ragstone::index {
namespace {

// A view that holds its sequence readable.
class PinnedView : public keywords::RowView {
 public:
  explicit PinnedView(const Collection* collection)
      : pin_(collection->PinNow()), view_(collection, pin_.sequence()) {}
  std::vector<keywords::RowRange> Hidden(std::span<const keywords::RowRange> rows) const override {
    return view_.Hidden(rows);
  }
  uint64_t position() const override { return view_.position(); }
  uint64_t epoch() const override { return view_.epoch(); }

 private:
  const Collection::Pin pin_;
  const ChunkView view_;
};

}  // namespace

Result<std::unique_ptr<keywords::RowView>> ChunkKeeper::Now() const {
  return std::unique_ptr<keywords::RowView>(std::make_unique<PinnedView>(collection_));
}

Result<KeywordResult> SearchKeywords(const Store& /*store*/, const Collection& collection,
                                     const KeywordRequest& request, const CallContext& context) {
  const ChunkView view(&collection, request.sequence);
  keywords::Query query;
  query.text = request.text;
  query.view = &view;
  query.limit = request.limit;
  query.wanted = request.wanted;
  query.candidates = request.allowed;
  ASSIGN_OR_RETURN(const keywords::Found found, collection.keywords().Search(query, context));
  KeywordResult result;
  for (const keywords::ScoredRow& row : found.top) {
    result.top.push_back({row.row, collection.DocumentOf(row.row), row.score});
  }
  for (const keywords::ScoredRow& row : found.wanted) result.wanted[row.row] = row.score;
  return result;
}

Result<std::vector<std::pair<std::string, double>>> WeighTerms(const Store& /*store*/,
                                                               const Collection& collection,
                                                               std::string_view text,
                                                               SequenceNumber sequence) {
  return collection.keywords().WeighTerms(text, ChunkView(&collection, sequence));
}

}  // namespace ragstone::index
