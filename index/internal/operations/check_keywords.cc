// A keyword index against the texts it is made from.
#include <algorithm>
#include <atomic>
#include <optional>
#include <unordered_map>

#include "base/hash.h"
#include "index/internal/keys.h"
#include "index/internal/operations/check.h"

namespace ragstone::index::operations {
namespace {

using keywords::KeyKind;
using keywords::RowTable;
using keywords::RunBuilder;
using keywords::Segment;

constexpr size_t kRunRows = 256;

// What an index says of a row: its length and a sum over its terms and their frequencies, which
// does not depend on their order.
struct RowWords {
  uint32_t length = 0;
  uint64_t terms = 0;
  bool seen = false;  // by the texts
};
using Rows = std::unordered_map<uint64_t, RowWords>;

// Adds the terms of a list to the rows of a table.
void AddTerms(std::string_view term, const keywords::PostingList& list, const RowTable& table,
              Rows* rows) {
  std::vector<keywords::Posting> postings;
  list.DecodeAll(&postings);
  for (const keywords::Posting& posting : postings) {
    (*rows)[table.row(posting.ordinal)].terms += FastHash(term, posting.frequency);
  }
}

// All rows of an index that is made anew are there to stay.
class EveryRow : public keywords::RowKeeper {
 public:
  class View : public keywords::RowView {
   public:
    std::vector<keywords::RowRange> Hidden(
        std::span<const keywords::RowRange> /*rows*/) const override {
      return {};
    }
    uint64_t position() const override { return 0; }
    uint64_t epoch() const override { return 0; }
  };
  Result<std::unique_ptr<keywords::RowView>> Now() const override {
    return std::unique_ptr<keywords::RowView>(std::make_unique<View>());
  }
  std::vector<keywords::RowRange> Dead(
      std::span<const keywords::RowRange> /*rows*/) const override {
    return {};
  }
  bool Settled(std::span<const keywords::RowRange> /*rows*/) const override { return true; }
};

class KeywordCheck {
 public:
  KeywordCheck(CheckEnv* env, const KeywordsOf& index) : env_(env), index_(index) {}

  Status Run() {
    for (const KeyKind kind : {KeyKind::kRunRows, KeyKind::kRows}) {
      RETURN_IF_ERROR(ReadSegments(kind));
    }
    RETURN_IF_ERROR(CompareTexts());
    RETURN_IF_ERROR(Report());
    return wrong_ > 0 && env_->findings->repairing() ? Rebuild() : OkStatus();
  }

 private:
  Status ReadSegments(KeyKind kind);
  Status ReadSegment(uint64_t id, bool run, RowTable table);
  Status CompareTexts();
  Status VisitRuns(const std::function<Status(const RunBuilder&)>& visit);
  Status CompareRun(const RunBuilder& run);
  Status Report();
  Status Rebuild();
  void Wrong(const std::string& id, const std::string& what) {
    if (wrong_++ == 0) first_ = what + (id.empty() ? "" : " (" + id + ")");
  }

  CheckEnv* const env_;
  const KeywordsOf& index_;
  Rows rows_;
  uint64_t wrong_ = 0;
  std::string first_;
};

Status KeywordCheck::ReadSegments(KeyKind kind) {
  const std::string prefix = KindKey(index_.name, kind);
  const std::unique_ptr<StoreIterator> it = env_->store->NewIterator(Family::kPosting);
  for (it->Seek(prefix); it->ValidWithPrefix(prefix); it->Next()) {
    const Result<uint64_t> id = DecodeKeySuffix(it->key());
    Result<RowTable> table = RowTable::Decode(it->value());
    if (!id.ok() || !table.ok()) {
      Wrong("", "the rows of a segment are damaged");
      continue;
    }
    const bool run = kind == KeyKind::kRunRows;
    if (run && index_.runs != nullptr && index_.runs->count(*id) == 0) {
      Wrong("row " + std::to_string(*id), "words belong to no document");
    }
    if (!run) {
      Raise(*id, index_.name.field == 0 ? &env_->highest.keyword_segment
                                        : &env_->highest.record_keyword_segment);
    }
    RETURN_IF_ERROR(ReadSegment(*id, run, *std::move(table)));
  }
  return it->status();
}

Status KeywordCheck::ReadSegment(uint64_t id, bool run, RowTable table) {
  for (uint32_t i = 0; i < table.size(); ++i) {
    RowWords words;
    words.length = table.length(i);
    if (!rows_.emplace(table.row(i), words).second) {
      Wrong("row " + std::to_string(table.row(i)), "a row is in two segments");
    }
  }
  keywords::ListCache cache(0);
  Segment::Spec spec{env_->store, &cache, index_.name, id, run, 0};
  const Segment segment(spec, std::move(table));
  Result<std::unique_ptr<keywords::TermStream>> terms = segment.Terms();
  Status status = terms.status();
  while (status.ok() && (*terms)->Valid()) {
    AddTerms((*terms)->term(), (*terms)->list(), segment.rows(), &rows_);
    RETURN_IF_ERROR(env_->steps->Check());
    status = (*terms)->Next();
  }
  if (status.ok()) return OkStatus();
  if (status.reason() != Reason::kDataCorrupt) return status;
  Wrong("segment " + std::to_string(id), "the lists of a segment are damaged");
  return OkStatus();
}

// Indexes the texts again and compares row by row.
Status KeywordCheck::CompareTexts() {
  return VisitRuns([&](const RunBuilder& run) { return CompareRun(run); });
}

// Indexes the texts in the order of rows and hands them out run by run.
Status KeywordCheck::VisitRuns(const std::function<Status(const RunBuilder&)>& visit) {
  std::optional<RunBuilder> run;
  RETURN_IF_ERROR(index_.rows([&](uint64_t row, std::span<const std::string_view> texts) -> Status {
    if (!run.has_value()) run.emplace(index_.language);
    RETURN_IF_ERROR(run->Add(row, texts).status());
    if (run->rows().size() < kRunRows) return OkStatus();
    RETURN_IF_ERROR(visit(*run));
    run.reset();
    return OkStatus();
  }));
  return run.has_value() ? visit(*run) : OkStatus();
}

Status KeywordCheck::CompareRun(const RunBuilder& run) {
  const std::string bytes = run.Encode();
  ASSIGN_OR_RETURN(const keywords::RunReader reader, keywords::RunReader::Open(bytes));
  Rows expected;
  for (size_t i = 0; i < reader.size(); ++i) {
    ASSIGN_OR_RETURN(const keywords::RunReader::Term term, reader.At(i));
    keywords::PostingList list;
    RETURN_IF_ERROR(list.AppendPart(term.list, run.rows().size()));
    AddTerms(term.term, list, run.rows(), &expected);
  }
  for (uint32_t i = 0; i < run.rows().size(); ++i) {
    const uint64_t row = run.rows().row(i);
    const auto found = rows_.find(row);
    const std::string name = "row " + std::to_string(row);
    if (found == rows_.end()) {
      Wrong(name, "a row is not in the index");
    } else if (found->second.length != run.rows().length(i) ||
               found->second.terms != expected[row].terms) {
      Wrong(name, "the words of a row are not those of its text");
    }
  }
  return OkStatus();
}

Status KeywordCheck::Report() {
  if (wrong_ == 0) return OkStatus();
  const std::string field = index_.field.empty() ? "" : "field " + index_.field + ": ";
  const std::string more = wrong_ > 1 ? ", and " + std::to_string(wrong_ - 1) + " more" : "";
  return env_->findings->Add({"keywords", index_.collection, index_.field, field + first_ + more,
                              "searches by words miss or misplace rows", false, false},
                             [&](StoreBatch* batch) {
                               std::string end = CollectionKey(index_.name.collection);
                               const uint32_t next = index_.name.field + 1u;
                               if (next > UINT16_MAX) {
                                 end = CollectionKey(index_.name.collection + 1);
                               } else {
                                 end += static_cast<char>(next >> 8);
                                 end += static_cast<char>(next);
                               }
                               std::string begin = CollectionKey(index_.name.collection);
                               begin += static_cast<char>(index_.name.field >> 8);
                               begin += static_cast<char>(index_.name.field);
                               batch->DeleteRange(Family::kPosting, begin, end);
                             });
}

// Writes the index anew, merged: runs are known by the batches of their documents, which these are
// not.
Status KeywordCheck::Rebuild() {
  RETURN_IF_ERROR(env_->findings->Flush());
  const std::string counter =
      index_.name.field == 0 ? "counter/keyword-segment" : "counter/record-keyword-segment";
  ASSIGN_OR_RETURN(const std::unique_ptr<IdAllocator> ids,
                   IdAllocator::Open(env_->store, counter, 0));
  keywords::ListCache cache(0);
  keywords::WorkSignal work;
  const keywords::Shared shared{env_->store, ids.get(), &cache, &work};
  keywords::KeywordIndex made(shared, index_.name, index_.language);
  const EveryRow keeper;
  const std::atomic<bool> stop{false};
  RETURN_IF_ERROR(VisitRuns([&](const RunBuilder& run) -> Status {
    StoreBatch batch(env_->store);
    made.Put(run, &batch);
    RETURN_IF_ERROR(env_->store->Write(&batch, /*sync=*/false));
    made.Added(run);
    for (bool more = true; more;) {
      ASSIGN_OR_RETURN(more, made.Maintain(keeper, stop));
    }
    return OkStatus();
  }));
  RETURN_IF_ERROR(made.Compact(keeper));
  ASSIGN_OR_RETURN(const uint64_t next, ids->Take());
  Raise(next, index_.name.field == 0 ? &env_->highest.keyword_segment
                                     : &env_->highest.record_keyword_segment);
  return env_->store->Flush();
}

}  // namespace

Status CheckKeywords(CheckEnv* env, const KeywordsOf& index) {
  return KeywordCheck(env, index).Run();
}

}  // namespace ragstone::index::operations
