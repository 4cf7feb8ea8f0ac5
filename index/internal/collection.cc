#include "index/internal/collection.h"

#include <algorithm>

#include "index/internal/core.h"

namespace ragstone::index {

CollectionInfo Collection::Describe(uint32_t hnsw_vectors_min) const {
  CollectionInfo info = Stored();
  const CollectionStats counts = stats();
  info.documents = counts.documents;
  info.chunks = counts.chunks;
  const VectorsSeen seen = vectors_seen();
  if (seen != nullptr) {
    info.index = DescribeVectors(spec().dimensions, *seen, hnsw_vectors_min);
  } else if (counts.chunks < hnsw_vectors_min) {
    info.index = "exact scan: " + std::to_string(counts.chunks) + " vectors, fewer than the " +
                 std::to_string(hnsw_vectors_min) + " that get a graph; read at the first search";
  } else {
    info.index = "HNSW graph over " + std::to_string(counts.chunks) +
                 " vectors, read at the first search, or built in the background after it; exact "
                 "scan until then";
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
  return Pin(this, visible_, vectors_seen_);
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
  const std::shared_ptr<DocumentVectors> loaded = vectors();
  VectorsSeen seen;
  if (loaded != nullptr) {
    std::vector<std::shared_ptr<VersionState>> retired;
    {
      MutexLock lock(&mutex_);
      for (const DocumentId document : change.retired) {
        const auto it = current_.find(document);
        if (it != current_.end()) retired.push_back(it->second);
      }
    }
    // Those who pinned an earlier state see them all the same.
    for (const auto& state : retired) loaded->MarkGone(state->chunks, change.sequence);
    seen = loaded->Publish();
  }
  MutexLock lock(&mutex_);
  stats_ = change.stats;
  if (versions_loaded_) {
    for (const DocumentId document : change.retired) {
      const auto it = current_.find(document);
      if (it == current_.end()) continue;
      it->second->valid_to = change.sequence;
      current_.erase(it);
      last_retired_ = change.sequence;
    }
    if (change.added != nullptr) {
      change.added->valid_from = change.sequence;
      current_[change.added->document] = change.added;
      versions_[change.added->version] = change.added;
      AddRows(change.added);
    }
  }
  visible_ = change.sequence;
  vectors_seen_ = std::move(seen);
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

std::shared_ptr<DocumentVectors> Collection::vectors() const {
  MutexLock lock(&mutex_);
  return vectors_;
}

VectorsSeen Collection::vectors_seen() const {
  MutexLock lock(&mutex_);
  return vectors_seen_;
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

Status Collection::EnsureVectors(const Core& core) {
  RETURN_IF_ERROR(EnsureVersions(core.store()));
  if (vectors() != nullptr) return OkStatus();
  MutexLock commit(&commit_mutex_);
  if (vectors() != nullptr) return OkStatus();
  fields::RowSet chunks;
  {
    MutexLock lock(&mutex_);
    for (const auto& [document, state] : current_) {
      for (const ChunkRange& range : state->chunks) chunks.AddRange(range.first, range.count);
    }
  }
  ASSIGN_OR_RETURN(std::shared_ptr<DocumentVectors> loaded,
                   LoadVectors(core, Stored(), std::move(chunks)));
  MutexLock lock(&mutex_);
  vectors_ = std::move(loaded);
  vectors_seen_ = vectors_->Publish();
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

Status Collection::StageVectors(const Store& store, const VersionState& version) {
  const std::shared_ptr<DocumentVectors> loaded = vectors();
  if (loaded == nullptr) return OkStatus();
  fields::RowSet chunks;
  for (const ChunkRange& range : version.chunks) chunks.AddRange(range.first, range.count);
  const Status status =
      loaded->Stage(ChunkVectorReader(store, id(), spec().dimensions), chunks.ToVector());
  if (!status.ok()) UnstageVectors(version);
  return status;
}

void Collection::UnstageVectors(const VersionState& version) {
  const std::shared_ptr<DocumentVectors> loaded = vectors();
  if (loaded != nullptr) loaded->MarkGone(version.chunks, kNeverSeen);
}

void Collection::ShowVectors() {
  MutexLock lock(&mutex_);
  vectors_seen_ = vectors_->Publish();
}

void Collection::UnloadVectors() {
  MutexLock lock(&mutex_);
  vectors_ = nullptr;
  vectors_seen_ = nullptr;
}

bool Collection::dropped() const {
  MutexLock lock(&mutex_);
  return dropped_;
}

void Collection::Drop() {
  MutexLock lock(&mutex_);
  dropped_ = true;
  if (vectors_ != nullptr) vectors_->given_up().store(true);
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
