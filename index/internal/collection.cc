#include "index/internal/collection.h"

#include <algorithm>

namespace ragstone::index {

CollectionInfo Collection::Describe(uint32_t hnsw_vectors_min) const {
  CollectionInfo info = Stored();
  const CollectionStats counts = stats();
  info.documents = counts.documents;
  info.chunks = counts.chunks;
  const std::shared_ptr<VectorIndex> index = vectors();
  if (index != nullptr) {
    info.index = index->Describe();
  } else if (counts.chunks < hnsw_vectors_min) {
    info.index = "exact scan: " + std::to_string(counts.chunks) + " vectors, fewer than the " +
                 std::to_string(hnsw_vectors_min) + " that get a graph; read at the first search";
  } else {
    info.index = "HNSW graph over " + std::to_string(counts.chunks) +
                 " vectors, built in the background after the first search; exact scan until then";
  }
  return info;
}

CollectionInfo Collection::Stored() const {
  CollectionInfo info = info_;
  info.settings = settings();
  return info;
}

CollectionSettings Collection::settings() const {
  MutexLock lock(&mutex_);
  return settings_;
}

void Collection::set_settings(const CollectionSettings& settings) {
  MutexLock lock(&mutex_);
  settings_ = settings;
}

Collection::Pin Collection::PinNow() const {
  MutexLock lock(&mutex_);
  pins_.insert(visible_);
  return Pin(this, visible_);
}

void Collection::Unpin(SequenceNumber sequence) const {
  MutexLock lock(&mutex_);
  pins_.erase(pins_.find(sequence));
}

void Collection::Publish(const Change& change) {
  // Before it is visible, so that whoever sees a version finds its fields.
  const std::shared_ptr<DocumentFields> fields = this->fields();
  if (fields != nullptr && change.record.has_value()) {
    const DocumentFields::Document document{change.record->version, &change.record->info};
    change.added != nullptr ? fields->Add({&document, 1}) : fields->Replace(document);
  }
  MutexLock lock(&mutex_);
  stats_ = change.stats;
  if (versions_loaded_) {
    for (const DocumentId document : change.retired) {
      const auto it = current_.find(document);
      if (it == current_.end()) continue;
      it->second->valid_to.store(change.sequence, std::memory_order_release);
      current_.erase(it);
      last_retired_ = change.sequence;
    }
    if (change.added != nullptr) {
      change.added->valid_from.store(change.sequence, std::memory_order_release);
      current_[change.added->document] = change.added;
      versions_[change.added->version] = change.added;
      AddRows(change.added);
    }
  }
  visible_ = change.sequence;
}

CollectionStats Collection::stats() const {
  MutexLock lock(&mutex_);
  return stats_;
}

SequenceNumber Collection::Oldest() const {
  MutexLock lock(&mutex_);
  return pins_.empty() ? visible_ : std::min(visible_, *pins_.begin());
}

bool Collection::pinned() const {
  MutexLock lock(&mutex_);
  return !pins_.empty();
}

std::vector<std::shared_ptr<const VersionState>> Collection::SeenVersions(
    const std::vector<VersionId>& versions, SequenceNumber sequence) const {
  std::vector<std::shared_ptr<const VersionState>> seen;
  seen.reserve(versions.size());
  MutexLock lock(&mutex_);
  for (const VersionId version : versions) {
    const auto it = versions_.find(version);
    if (it != versions_.end() && it->second->VisibleAt(sequence)) seen.push_back(it->second);
  }
  return seen;
}

std::vector<VersionId> Collection::AllVersions() const {
  std::vector<VersionId> versions;
  MutexLock lock(&mutex_);
  versions.reserve(versions_.size());
  for (const auto& [version, state] : versions_) versions.push_back(version);
  return versions;
}

std::vector<VersionId> Collection::VersionsOf(const std::vector<DocumentId>& documents) const {
  std::vector<VersionId> versions;
  MutexLock lock(&mutex_);
  for (const auto& [version, state] : versions_) {
    if (std::binary_search(documents.begin(), documents.end(), state->document)) {
      versions.push_back(version);
    }
  }
  return versions;
}

void Collection::Forget(VersionId version) {
  const std::shared_ptr<DocumentFields> fields = this->fields();
  if (fields != nullptr) fields->Remove(version);
  MutexLock lock(&mutex_);
  const auto it = versions_.find(version);
  if (it == versions_.end()) return;
  for (const ChunkRange& range : it->second->chunks) rows_.erase(range.first);
  versions_.erase(it);
}

void Collection::AddRows(const std::shared_ptr<VersionState>& version) {
  for (const ChunkRange& range : version->chunks) rows_[range.first] = {range.count, version};
}

template <typename Hides>
std::vector<keywords::RowRange> Collection::RowsWhere(std::span<const keywords::RowRange> rows,
                                                      const Hides& hides) const {
  std::vector<keywords::RowRange> kept;
  for (const keywords::RowRange& range : rows) {
    const ChunkId end = range.first + range.count;
    auto it = rows_.upper_bound(range.first);
    if (it != rows_.begin()) --it;
    for (; it != rows_.end() && it->first < end; ++it) {
      const ChunkId first = std::max(it->first, range.first);
      const ChunkId last = std::min(it->first + it->second.count, end);
      if (first >= last || hides(*it->second.version)) continue;
      if (!kept.empty() && kept.back().first + kept.back().count == first) {
        kept.back().count += last - first;
      } else {
        kept.push_back({first, last - first});
      }
    }
  }
  return keywords::Subtract(rows, kept);
}

std::vector<keywords::RowRange> Collection::HiddenRows(std::span<const keywords::RowRange> rows,
                                                       SequenceNumber sequence) const {
  MutexLock lock(&mutex_);
  return RowsWhere(rows, [&](const VersionState& state) { return !state.VisibleAt(sequence); });
}

std::vector<keywords::RowRange> Collection::DeadRows(
    std::span<const keywords::RowRange> rows) const {
  MutexLock lock(&mutex_);
  const SequenceNumber oldest = pins_.empty() ? visible_ : std::min(visible_, *pins_.begin());
  return RowsWhere(rows, [&](const VersionState& state) { return state.DeadAt(oldest); });
}

bool Collection::AllPublished(std::span<const keywords::RowRange> rows) const {
  MutexLock lock(&mutex_);
  return RowsWhere(rows, [](const VersionState& /*state*/) { return false; }).empty();
}

std::vector<keywords::RowRange> Collection::RowsOf(const std::vector<DocumentId>& documents,
                                                   SequenceNumber sequence) const {
  std::vector<ChunkRange> ranges;
  {
    MutexLock lock(&mutex_);
    std::vector<DocumentId> replaced;  // since the sequence
    for (const DocumentId document : documents) {
      const auto it = current_.find(document);
      if (it != current_.end() && it->second->VisibleAt(sequence)) {
        ranges.insert(ranges.end(), it->second->chunks.begin(), it->second->chunks.end());
      } else {
        replaced.push_back(document);
      }
    }
    for (auto it = versions_.begin(); it != versions_.end() && !replaced.empty(); ++it) {
      if (!it->second->VisibleAt(sequence) ||
          !std::binary_search(replaced.begin(), replaced.end(), it->second->document)) {
        continue;
      }
      ranges.insert(ranges.end(), it->second->chunks.begin(), it->second->chunks.end());
    }
  }
  std::sort(ranges.begin(), ranges.end(),
            [](const ChunkRange& a, const ChunkRange& b) { return a.first < b.first; });
  std::vector<keywords::RowRange> rows;
  for (const ChunkRange& range : ranges) rows.push_back({range.first, range.count});
  return rows;
}

DocumentId Collection::DocumentOf(ChunkId chunk) const {
  MutexLock lock(&mutex_);
  auto it = rows_.upper_bound(chunk);
  if (it == rows_.begin()) return 0;
  --it;
  return chunk - it->first < it->second.count ? it->second.version->document : 0;
}

SequenceNumber Collection::last_retired() const {
  MutexLock lock(&mutex_);
  return last_retired_;
}

bool Collection::versions_loaded() const {
  MutexLock lock(&mutex_);
  return versions_loaded_;
}

std::shared_ptr<VectorIndex> Collection::vectors() const {
  MutexLock lock(&mutex_);
  return vectors_;
}

Status Collection::EnsureVersions(const Store& store) {
  if (versions_loaded()) return OkStatus();
  MutexLock commit(&commit_mutex_);
  if (versions_loaded()) return OkStatus();
  std::unordered_map<VersionId, std::shared_ptr<VersionState>> versions;
  std::unordered_map<DocumentId, std::shared_ptr<VersionState>> current;
  const std::string prefix = CollectionKey(id());
  const std::unique_ptr<StoreIterator> it = store.NewIterator(Family::kDocument);
  for (it->Seek(prefix); it->ValidWithPrefix(prefix); it->Next()) {
    ASSIGN_OR_RETURN(DocumentRecord record, DecodeDocument(it->value()));
    ASSIGN_OR_RETURN(const DocumentId document, DecodeKeySuffix(it->key()));
    auto state = std::make_shared<VersionState>(document, record.version, record.valid_from);
    state->chunks = std::move(record.chunks);
    versions[record.version] = state;
    current[state->document] = std::move(state);
  }
  RETURN_IF_ERROR(it->status());
  MutexLock lock(&mutex_);
  versions_ = std::move(versions);
  current_ = std::move(current);
  for (const auto& [version, state] : versions_) AddRows(state);
  versions_loaded_ = true;
  return OkStatus();
}

Status Collection::EnsureVectors(const Store& store, uint32_t hnsw_vectors_min) {
  RETURN_IF_ERROR(EnsureVersions(store));
  if (vectors() != nullptr) return OkStatus();
  MutexLock commit(&commit_mutex_);
  if (vectors() != nullptr) return OkStatus();
  std::unordered_map<VersionId, std::shared_ptr<VersionState>> published;
  {
    MutexLock lock(&mutex_);
    for (const auto& [document, state] : current_) published[state->version] = state;
  }
  const size_t dimensions = spec().dimensions;
  auto index = std::make_shared<VectorIndex>(dimensions, hnsw_vectors_min, stats().chunks);
  std::vector<float> vector(dimensions);
  const std::string prefix = CollectionKey(id());
  const std::unique_ptr<StoreIterator> it = store.NewIterator(Family::kVector);
  for (it->Seek(prefix); it->ValidWithPrefix(prefix); it->Next()) {
    ASSIGN_OR_RETURN(const RowOwner owner, DecodeVector(it->value(), dimensions, vector.data()));
    const auto state = published.find(owner.version);
    if (state == published.end()) continue;  // unpublished, or retired and not yet removed
    ASSIGN_OR_RETURN(const ChunkId chunk, DecodeKeySuffix(it->key()));
    index->Append(chunk, vector.data(), state->second);
  }
  RETURN_IF_ERROR(it->status());
  index->PublishRows();
  index->SealIfDue(0);
  MutexLock lock(&mutex_);
  vectors_ = std::move(index);
  return OkStatus();
}

std::shared_ptr<DocumentFields> Collection::fields() const {
  MutexLock lock(&mutex_);
  return fields_;
}

Status Collection::EnsureFields(const Store& store) {
  RETURN_IF_ERROR(EnsureVersions(store));
  if (fields() != nullptr) return OkStatus();
  MutexLock commit(&commit_mutex_);
  if (fields() != nullptr) return OkStatus();
  constexpr size_t kBatch = 4096;  // bounds what is held beside the indexes
  auto fields = std::make_shared<DocumentFields>();
  std::vector<DocumentRecord> records;
  const auto add = [&] {
    std::vector<DocumentFields::Document> documents;
    for (const DocumentRecord& record : records) {
      documents.push_back({record.version, &record.info});
    }
    fields->Add(documents);
    records.clear();
  };
  const std::string prefix = CollectionKey(id());
  const std::unique_ptr<StoreIterator> it = store.NewIterator(Family::kDocument);
  for (it->Seek(prefix); it->ValidWithPrefix(prefix); it->Next()) {
    ASSIGN_OR_RETURN(DocumentRecord record, DecodeDocument(it->value()));
    records.push_back(std::move(record));
    if (records.size() == kBatch) add();
  }
  RETURN_IF_ERROR(it->status());
  add();
  MutexLock lock(&mutex_);
  fields_ = std::move(fields);
  return OkStatus();
}

Status Collection::StageVectors(const Store& store, const std::shared_ptr<VersionState>& version) {
  const std::shared_ptr<VectorIndex> index = vectors();
  if (index == nullptr) return OkStatus();
  const size_t dimensions = spec().dimensions;
  std::vector<float> vector(dimensions);
  const std::unique_ptr<StoreIterator> it = store.NewIterator(Family::kVector);
  Status status;
  for (const ChunkRange& range : version->chunks) {
    const std::string end = ChunkKey(id(), range.first + range.count);
    for (it->Seek(ChunkKey(id(), range.first)); it->Valid() && it->key() < end; it->Next()) {
      const Result<RowOwner> owner = DecodeVector(it->value(), dimensions, vector.data());
      const Result<ChunkId> chunk = DecodeKeySuffix(it->key());
      status = owner.ok() ? chunk.status() : owner.status();
      if (!status.ok()) break;
      index->Append(*chunk, vector.data(), version);
    }
    if (status.ok()) status = it->status();
    if (!status.ok()) break;
  }
  index->PublishRows();
  if (!status.ok()) version->valid_to.store(0, std::memory_order_release);
  return status;
}

bool Collection::dropped() const {
  MutexLock lock(&mutex_);
  return dropped_;
}

void Collection::Drop() {
  MutexLock lock(&mutex_);
  dropped_ = true;
}

void Collection::AddWriter(int change) {
  MutexLock lock(&mutex_);
  writers_ += change;
}

int Collection::writers() const {
  MutexLock lock(&mutex_);
  return writers_;
}

}  // namespace ragstone::index
