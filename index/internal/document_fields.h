#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "index/filter/filter.h"
#include "index/internal/fields/field_index.h"
#include "index/internal/keys.h"

namespace ragstone::index {

// A filter on documents with what answers it: the state of every index it asks.
struct DocumentCondition {
  FilterKind kind = FilterKind::kAnd;  // kAnd, kOr and kNot have children, kHasId has ids
  std::vector<DocumentCondition> children;
  std::vector<DocumentId> ids;  // ascending
  // A condition on the pages of a chunk; the others are about its document.
  bool on_pages = false;
  Filter pages;
  // Any other condition: it holds where one of these does.
  struct Part {
    Filter filter;
    std::shared_ptr<const fields::FieldSnapshot> values;
  };
  std::vector<Part> parts;

  // Whether it or something below it is about pages.
  bool AsksPages() const;
};

// First and last page of a chunk.
struct PageSpan {
  uint32_t first = 0, last = 0;
};

// What filters may ask of the documents of a collection, in indexes over document versions, and the
// pages of chunks as far as filters asked for them. Metadata has no schema: a name has one index
// for each type of value that it occurs with, and a condition asks those that it fits. Thread-safe.
class DocumentFields {
 public:
  struct Document {
    VersionId version = 0;
    const DocumentInfo* info = nullptr;
  };
  // Adds versions that are not there yet.
  void Add(std::span<const Document> documents);
  // Replaces what is known of a version, in one step for readers.
  void Replace(const Document& document);
  void Remove(VersionId version);

  // Returns the filter over one state of all fields. INVALID_ARGUMENT (FILTER_INVALID) for fields
  // that no document has and for values of a wrong type.
  Result<DocumentCondition> Bind(const Filter& filter) const;

  // The pages of a version's chunks in order, made by `read` when they are asked for first.
  using Pages = std::shared_ptr<const std::vector<PageSpan>>;
  Result<Pages> PagesOf(VersionId version,
                        const std::function<Result<std::vector<PageSpan>>()>& read);

  // Merges one index if one is due; for a background thread.
  bool MergeOnce();
  uint64_t bytes() const;

 private:
  struct Column {
    FieldType type = FieldType::kKeyword;
    std::shared_ptr<fields::FieldIndex> index;
  };
  using Columns = std::map<std::string, std::vector<Column>, std::less<>>;
  struct Rows;

  static void Collect(const Document& document, Rows* rows);
  void AddRows(Rows* rows, Columns* columns) REQUIRES(mutex_);
  void RemoveRow(VersionId version) REQUIRES(mutex_);
  const std::vector<Column>* Find(std::string_view name) const REQUIRES(mutex_);
  Status Unknown(const Filter& condition) const REQUIRES(mutex_);
  Result<DocumentCondition> BindTree(const Filter& filter) const REQUIRES(mutex_);
  Result<DocumentCondition> BindLeaf(const Filter& filter) const REQUIRES(mutex_);
  std::vector<std::shared_ptr<fields::FieldIndex>> Indexes() const;

  mutable Mutex mutex_;
  Columns builtin_ GUARDED_BY(mutex_);
  Columns metadata_ GUARDED_BY(mutex_);
  std::unordered_map<VersionId, Pages> pages_ GUARDED_BY(mutex_);
};

}  // namespace ragstone::index
