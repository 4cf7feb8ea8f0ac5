#include "index/internal/records_db/row_sweep.h"

#include <algorithm>

#include "base/crash_point.h"
#include "index/internal/keys.h"
#include "index/internal/records_db/record_loader.h"

namespace ragstone::index::records {
namespace {

constexpr size_t kBatchBytes = 1 << 20;
constexpr uint64_t kNsPerSecond = 1'000'000'000;
constexpr int64_t kNsPerMillisecond = 1'000'000;
constexpr int64_t kWaitMinMs = 100;
constexpr int64_t kWaitMaxMs = 10'000;

}  // namespace

RowSweep::RowSweep(const RecordsEnv& env, RecordCollection* collection)
    : env_(env),
      collection_(collection),
      oldest_(collection->Oldest()),
      saved_version_(collection->saved().version),
      now_ns_(env.clock->NowNs()),
      batch_(&env.store()) {}

bool RowSweep::Waits(const GoneKeyParts& parts, const GoneRow& gone) {
  for_readers_ = parts.gone_at > oldest_;
  if (for_readers_) return true;
  const int64_t age_ns = now_ns_ - gone.gone_ns;
  if (history_ns_ == 0 || (age_ns >= 0 && static_cast<uint64_t>(age_ns) >= history_ns_)) {
    return false;
  }
  const int64_t left_ns = static_cast<int64_t>(history_ns_) - std::max<int64_t>(age_ns, 0);
  for_history_ = std::chrono::milliseconds(
      std::clamp<int64_t>(left_ns / kNsPerMillisecond, kWaitMinMs, kWaitMaxMs));
  return true;
}

void RowSweep::Remove(const GoneKeyParts& parts, const GoneRow& gone) {
  const CollectionId id = collection_->id();
  batch_.Delete(Family::kRecord, RowKey(id, parts.row));
  batch_.Delete(Family::kRecordId, IdKey(id, gone.id, gone.version));
  if (gone.deleted) batch_.Delete(Family::kRecordId, IdKey(id, gone.id, parts.gone_at));
  batch_.Delete(Family::kRecordGone, GoneKey(id, parts.gone_at, parts.row));
  removed_to_ = parts.gone_at;
  if (saved_version_ != 0 && parts.gone_at > saved_version_) unsaved_.Add(parts.row);
}

Status RowSweep::Write() {
  if (batch_.empty()) return OkStatus();
  const CollectionId id = collection_->id();
  batch_.Put(Family::kMeta, HorizonKey(id), EncodeIdRow(removed_to_));
  if (!unsaved_.empty()) {
    // The stored state shows these rows, and now nothing else says that they went. Rows of one
    // write may be removed by two batches: then both are under its version.
    const std::string key = SweptKey(id, removed_to_);
    ASSIGN_OR_RETURN(const std::optional<std::string> before, env_.store().Get(Family::kMeta, key));
    if (before.has_value()) {
      ASSIGN_OR_RETURN(const fields::RowSet rows, DecodeSwept(*before));
      unsaved_ |= rows;
    }
    batch_.Put(Family::kMeta, key, EncodeSwept(unsaved_));
    unsaved_ = fields::RowSet();
  }
  // Raised first: whoever reads an older version afterwards is refused, and whoever reads already
  // holds what it reads.
  collection_->RaiseHorizon(removed_to_);
  CrashPoint("records.gone-horizon");
  RETURN_IF_ERROR(env_.store().Write(&batch_, /*sync=*/false));
  CrashPoint("records.gone-removed");
  batch_.Clear();
  return OkStatus();
}

Status RowSweep::Run(const std::atomic<bool>& stop) {
  const StateRef state = collection_->State();
  if (state == nullptr) return OkStatus();
  if (!history_ends_) history_ns_ = state->spec->spec.history_seconds * kNsPerSecond;
  const std::string prefix = CollectionKey(collection_->id());
  const std::unique_ptr<StoreIterator> it = env_.store().NewIterator(Family::kRecordGone);
  for (it->Seek(prefix); it->ValidWithPrefix(prefix) && !stop.load(); it->Next()) {
    ASSIGN_OR_RETURN(const GoneKeyParts parts, DecodeGoneKey(it->key()));
    ASSIGN_OR_RETURN(const GoneRow gone, DecodeGoneRow(it->value()));
    if (Waits(parts, gone)) break;
    Remove(parts, gone);
    if (batch_.bytes() >= kBatchBytes) RETURN_IF_ERROR(Write());
  }
  RETURN_IF_ERROR(it->status());
  return Write();
}

}  // namespace ragstone::index::records
