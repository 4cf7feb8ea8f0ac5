#include "index/internal/document_fields.h"

#include <algorithm>
#include <array>

#include "base/check.h"

namespace ragstone::index {
namespace {

// The only field of each index: names of metadata may be anything.
constexpr const char* kValue = "v";
constexpr std::string_view kPage = "page";
// Reaches metadata that has the name of a built-in field.
constexpr std::string_view kMetadataPrefix = "meta.";

struct Builtin {
  const char* name;
  FieldType type;
};
constexpr std::array<Builtin, 9> kBuiltins = {{{"added", FieldType::kDatetime},
                                               {"bytes", FieldType::kInteger},
                                               {"file", FieldType::kKeyword},
                                               {"media_type", FieldType::kKeyword},
                                               {"pages", FieldType::kInteger},
                                               {"path", FieldType::kKeyword},
                                               {"title", FieldType::kKeyword},
                                               {"type", FieldType::kKeyword},
                                               {"updated", FieldType::kDatetime}}};

// "pdf" of "application/pdf": the word people use.
std::string TypeOf(std::string_view media_type) {
  if (media_type == "text/plain") return "text";
  const size_t slash = media_type.rfind('/');
  return std::string(slash == std::string_view::npos ? media_type : media_type.substr(slash + 1));
}

std::pair<FieldType, PayloadValue> FromMetadata(const MetadataValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return {FieldType::kKeyword, *text};
  if (const auto* whole = std::get_if<int64_t>(&value)) return {FieldType::kInteger, *whole};
  if (const auto* real = std::get_if<double>(&value)) {
    return {FieldType::kFloat, *real == 0 ? 0.0 : *real};  // not -0.0
  }
  if (const auto* flag = std::get_if<bool>(&value)) return {FieldType::kBoolean, *flag};
  if (const auto* time = std::get_if<Datetime>(&value)) return {FieldType::kDatetime, *time};
  ScalarList list;
  for (const std::string& text : std::get<std::vector<std::string>>(value)) list.emplace_back(text);
  return {FieldType::kKeyword, std::move(list)};
}

Schema SchemaOf(std::vector<FieldSpec> specs) {
  Result<Schema> schema = Schema::Create(std::move(specs));
  CHECK(schema.ok());  // every name is one of ours
  return *std::move(schema);
}

FieldSpec SpecOf(std::string name, FieldType type) {
  FieldSpec spec;
  spec.name = std::move(name);
  spec.type = type;
  spec.is_list = type == FieldType::kKeyword;
  return spec;
}

Status Invalid(const std::string& message) {
  return InvalidArgument(Reason::kFilterInvalid, message);
}

// The condition bound to a field of its name and of this type.
Result<Filter> BindTo(const Filter& condition, FieldType type) {
  // The name stands in messages only and may be longer than names of fields are.
  const Result<Schema> schema = Schema::Create({SpecOf(condition.field, type)});
  if (!schema.ok()) return Invalid(schema.status().message());
  Result<Filter> bound = BindFilter(*schema, condition);
  if (!bound.ok()) return Invalid(bound.status().message());
  return bound;
}

// Dates make several conditions of one.
void Rename(Filter* filter) {
  for (Filter& child : filter->children) Rename(&child);
  filter->field = kValue;
}

}  // namespace

bool DocumentCondition::AsksPages() const {
  return on_pages || std::any_of(children.begin(), children.end(),
                                 [](const DocumentCondition& child) { return child.AsksPages(); });
}

// The values of documents by field.
struct DocumentFields::Rows {
  using Key = std::pair<std::string, FieldType>;
  using Values = std::map<Key, std::vector<std::pair<VersionId, Payload>>>;
  Values builtin;
  Values metadata;

  static void Put(std::string name, VersionId version, std::pair<FieldType, PayloadValue> value,
                  Values* values) {
    Payload payload;
    payload.emplace(kValue, std::move(value.second));
    (*values)[Key(std::move(name), value.first)].emplace_back(version, std::move(payload));
  }
};

void DocumentFields::Collect(const Document& document, Rows* rows) {
  const DocumentInfo& info = *document.info;
  const auto put = [&](const char* name, FieldType type, PayloadValue value) {
    Rows::Put(name, document.version, {type, std::move(value)}, &rows->builtin);
  };
  put("path", FieldType::kKeyword, info.source);
  put("file", FieldType::kKeyword, info.source.substr(info.source.rfind('/') + 1));
  if (!info.title.empty()) put("title", FieldType::kKeyword, info.title);
  put("media_type", FieldType::kKeyword, info.media_type);
  put("type", FieldType::kKeyword, TypeOf(info.media_type));
  put("bytes", FieldType::kInteger, static_cast<int64_t>(info.bytes));
  put("pages", FieldType::kInteger, static_cast<int64_t>(info.pages));
  put("added", FieldType::kDatetime, Datetime{info.created_ns});
  put("updated", FieldType::kDatetime, Datetime{info.updated_ns});
  for (const auto& [name, value] : info.metadata) {
    auto converted = FromMetadata(value);
    const auto* list = std::get_if<ScalarList>(&converted.second);
    if (list != nullptr && list->empty()) continue;  // the same as no value
    Rows::Put(name, document.version, std::move(converted), &rows->metadata);
  }
}

void DocumentFields::AddRows(Rows* rows, Columns* columns) {
  auto& values = columns == &builtin_ ? rows->builtin : rows->metadata;
  for (const auto& [key, payloads] : values) {
    std::vector<Column>& of_name = (*columns)[key.first];
    auto column = std::find_if(of_name.begin(), of_name.end(), [&key = key](const Column& other) {
      return other.type == key.second;
    });
    if (column == of_name.end()) {
      auto index = std::make_shared<fields::FieldIndex>(SchemaOf({SpecOf(kValue, key.second)}));
      column = of_name.insert(column, {key.second, std::move(index)});
    }
    std::vector<fields::FieldRow> added;
    for (const auto& [version, payload] : payloads) added.push_back({version, &payload});
    column->index->Apply({}, added);
  }
}

void DocumentFields::Add(std::span<const Document> documents) {
  Rows rows;
  for (const Document& document : documents) Collect(document, &rows);
  MutexLock lock(&mutex_);
  AddRows(&rows, &builtin_);
  AddRows(&rows, &metadata_);
}

void DocumentFields::RemoveRow(VersionId version) {
  for (const Columns* columns : {&builtin_, &metadata_}) {
    for (const auto& [name, of_name] : *columns) {
      for (const Column& column : of_name) {
        const fields::RowId row = version;
        if (column.index->Snapshot()->Contains(row)) column.index->Apply({&row, 1}, {});
      }
    }
  }
}

void DocumentFields::Replace(const Document& document) {
  Rows rows;
  Collect(document, &rows);
  MutexLock lock(&mutex_);
  RemoveRow(document.version);
  AddRows(&rows, &builtin_);
  AddRows(&rows, &metadata_);
}

void DocumentFields::Remove(VersionId version) {
  MutexLock lock(&mutex_);
  RemoveRow(version);
  pages_.erase(version);
}

const std::vector<DocumentFields::Column>* DocumentFields::Find(std::string_view name) const {
  const auto builtin = builtin_.find(name);
  if (builtin != builtin_.end()) return &builtin->second;
  if (name.substr(0, kMetadataPrefix.size()) == kMetadataPrefix) {
    const auto meant = metadata_.find(name.substr(kMetadataPrefix.size()));
    if (meant != metadata_.end()) return &meant->second;
  }
  const auto metadata = metadata_.find(name);
  return metadata == metadata_.end() ? nullptr : &metadata->second;
}

// Says which names there are, by the message for collections with a schema.
Status DocumentFields::Unknown(const Filter& condition) const {
  std::vector<FieldSpec> specs = {SpecOf(std::string(kPage), FieldType::kInteger)};
  for (const Builtin& builtin : kBuiltins) specs.push_back(SpecOf(builtin.name, builtin.type));
  for (const auto& [name, columns] : metadata_) {
    if (specs.size() == kSchemaFieldsMax) break;
    std::vector<FieldSpec> more = specs;
    more.push_back(SpecOf(name, columns[0].type));
    // Names that fields of a schema cannot have, or that are built in, are left out.
    if (Schema::Create(more).ok()) specs = std::move(more);
  }
  const Result<Filter> bound = BindFilter(SchemaOf(std::move(specs)), condition);
  return bound.ok() ? OkStatus() : Invalid(bound.status().message());
}

Result<DocumentCondition> DocumentFields::BindLeaf(const Filter& filter) const {
  DocumentCondition condition;
  condition.kind = filter.kind;
  if (filter.field == kPage) {
    ASSIGN_OR_RETURN(condition.pages, BindTo(filter, FieldType::kInteger));
    condition.on_pages = true;
    return condition;
  }
  const std::vector<Column>* columns = Find(filter.field);
  if (columns == nullptr) {
    // No document of an empty collection has a value of a built-in field either.
    for (const Builtin& builtin : kBuiltins) {
      if (filter.field != builtin.name) continue;
      RETURN_IF_ERROR(BindTo(filter, builtin.type).status());
      return condition;
    }
    RETURN_IF_ERROR(Unknown(filter));
    return Internal("a field is neither known nor unknown");
  }
  Status first_error;
  for (const Column& column : *columns) {
    Result<Filter> bound = BindTo(filter, column.type);
    if (bound.ok()) {
      Rename(&*bound);
      condition.parts.push_back({*std::move(bound), column.index->Snapshot()});
    } else if (first_error.ok()) {
      first_error = bound.status();
    }
  }
  if (condition.parts.empty()) return first_error;
  return condition;
}

Result<DocumentCondition> DocumentFields::BindTree(const Filter& filter) const {
  if (filter.kind > FilterKind::kNot && filter.kind != FilterKind::kHasId) return BindLeaf(filter);
  DocumentCondition condition;
  condition.kind = filter.kind;
  for (const PointId& id : filter.ids) {
    const auto* number = std::get_if<uint64_t>(&id);
    if (number == nullptr) {
      return Invalid("filter, column " + std::to_string(filter.column) +
                     ": documents have numbers as ids, not texts");
    }
    condition.ids.push_back(*number);
  }
  std::sort(condition.ids.begin(), condition.ids.end());
  for (const Filter& child : filter.children) {
    ASSIGN_OR_RETURN(DocumentCondition bound, BindTree(child));
    condition.children.push_back(std::move(bound));
  }
  return condition;
}

Result<DocumentCondition> DocumentFields::Bind(const Filter& filter) const {
  RETURN_IF_ERROR(CheckShape(filter, {}));
  MutexLock lock(&mutex_);
  return BindTree(filter);
}

Result<DocumentFields::Pages> DocumentFields::PagesOf(
    VersionId version, const std::function<Result<std::vector<PageSpan>>()>& read) {
  {
    MutexLock lock(&mutex_);
    const auto it = pages_.find(version);
    if (it != pages_.end()) return it->second;
  }
  ASSIGN_OR_RETURN(std::vector<PageSpan> spans, read());
  auto pages = std::make_shared<const std::vector<PageSpan>>(std::move(spans));
  MutexLock lock(&mutex_);
  return pages_.emplace(version, std::move(pages)).first->second;
}

std::vector<std::shared_ptr<fields::FieldIndex>> DocumentFields::Indexes() const {
  std::vector<std::shared_ptr<fields::FieldIndex>> indexes;
  MutexLock lock(&mutex_);
  for (const Columns* columns : {&builtin_, &metadata_}) {
    for (const auto& [name, of_name] : *columns) {
      for (const Column& column : of_name) indexes.push_back(column.index);
    }
  }
  return indexes;
}

bool DocumentFields::MergeOnce() {
  for (const std::shared_ptr<fields::FieldIndex>& index : Indexes()) {
    if (index->MergeOnce()) return true;
  }
  return false;
}

uint64_t DocumentFields::bytes() const {
  uint64_t bytes = 0;
  for (const auto& index : Indexes()) bytes += index->Snapshot()->MemoryBytes();
  MutexLock lock(&mutex_);
  for (const auto& [version, pages] : pages_) bytes += pages->size() * sizeof(PageSpan);
  return bytes;
}

}  // namespace ragstone::index
