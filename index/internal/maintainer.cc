#include "index/internal/maintainer.h"

#include <algorithm>
#include <chrono>

#include "base/caught.h"
#include "index/internal/records_db/part_files.h"

namespace ragstone::index {
namespace {

constexpr std::chrono::seconds kStoreAllMax{20};

// The parts that have files.
records::IndexManifest ManifestOf(DocumentVectors* vectors) {
  records::IndexManifest manifest;
  for (const std::shared_ptr<records::VectorPart>& part : vectors->set().parts()) {
    if (part->stored().stamp == 0) continue;
    manifest.parts.push_back(records::DescribePart(vectors->set().field(), *part));
  }
  return manifest;
}

Status WriteManifest(Core* core, CollectionId collection, const records::IndexManifest& manifest) {
  StoreBatch batch(&core->store());
  const std::string key = records::ManifestKey(collection);
  if (manifest.parts.empty()) {
    batch.Delete(Family::kMeta, key);
  } else {
    batch.Put(Family::kMeta, key, records::EncodeManifest(manifest));
  }
  return core->store().Write(&batch, /*sync=*/true);
}

}  // namespace

void Maintainer::Start() {
  thread_ = std::thread([this] { Loop(); });
}

void Maintainer::Stop() {
  stop_.store(true);
  for (const std::shared_ptr<Collection>& collection : core_->All()) {
    const std::shared_ptr<DocumentVectors> vectors = collection->vectors();
    if (vectors != nullptr) vectors->given_up().store(true);
  }
  Wake();
  if (!thread_.joinable()) return;
  thread_.join();
  StoreAll();
}

void Maintainer::StoreAll() {
  MutexLock one(&maintain_mutex_);
  const auto until = std::chrono::steady_clock::now() + kStoreAllMax;
  const auto stopped = [&] { return std::chrono::steady_clock::now() > until; };
  for (const std::shared_ptr<Collection>& collection : core_->All()) {
    const Status stored =
        Caught("storing indexes", [&] { return StoreVectors(collection.get(), stopped); });
    if (!stored.ok()) ++failures_;  // they are made again
  }
}

void Maintainer::Wake() {
  MutexLock lock(&mutex_);
  work_ = true;
  wake_.NotifyAll();
}

void Maintainer::Loop() {
  while (!stop_.load()) {
    {
      MutexLock lock(&mutex_);
      while (!work_ && !stop_.load()) wake_.Wait(&mutex_);
      work_ = false;
    }
    while (!stop_.load() && MaintainAll()) {
    }
  }
}

bool Maintainer::MaintainAll() {
  bool more = false;
  for (const std::shared_ptr<Collection>& collection : core_->All()) {
    if (stop_.load()) return false;
    const std::shared_ptr<DocumentFields> fields = collection->fields();
    if (fields != nullptr && fields->MergeOnce()) more = true;
    const Result<bool> made = MaintainVectors(collection.get());
    // What was not sealed stays scanned, which is slower and right, and what was not stored is made
    // again; the next wake tries again.
    if (!made.ok()) ++failures_;
    more = more || (made.ok() && *made);
  }
  return more;
}

Result<bool> Maintainer::MaintainVectors(Collection* collection) {
  if (collection->vectors() == nullptr) return false;
  MutexLock one(&maintain_mutex_);
  // Its files are not removed meanwhile if it is dropped.
  collection->AddWriter(1);
  const Result<bool> sealed = Caught("sealing vectors", [&] { return SealVectors(collection); });
  const Status measured = Caught("measuring recall", [&] { return Calibrate(collection); });
  const std::shared_ptr<DocumentVectors> vectors = collection->vectors();
  const auto stopped = [&] { return vectors == nullptr || vectors->given_up().load(); };
  const Status stored =
      Caught("storing indexes", [&] { return StoreVectors(collection, stopped); });
  collection->AddWriter(-1);
  RETURN_IF_ERROR(stored);
  RETURN_IF_ERROR(measured);
  return sealed;
}

Result<bool> Maintainer::SealVectors(Collection* collection) {
  std::shared_ptr<DocumentVectors> vectors;
  std::vector<std::shared_ptr<records::VectorPart>> parts;
  records::SealTerms terms;
  {
    MutexLock commit(&collection->commit_mutex());
    vectors = collection->vectors();
    if (vectors == nullptr || stop_.load()) return false;
    terms = vectors->set().Terms(/*memory_bytes=*/0);
    parts = vectors->set().ChooseParts(terms);
  }
  if (parts.empty()) return false;
  terms.stop = &vectors->given_up();
  const ChunkVectorReader reader(core_->store(), collection->id(), collection->spec().dimensions);
  Result<std::shared_ptr<records::VectorPart>> made =
      records::SealParts(vectors->set().field(), parts, reader, terms);
  if (vectors->given_up().load()) return false;
  RETURN_IF_ERROR(made.status());
  MutexLock commit(&collection->commit_mutex());
  if (collection->vectors() != vectors) return false;
  vectors->set().Replace(parts, std::move(*made));
  collection->ShowVectors();
  return true;
}

Status Maintainer::Calibrate(Collection* collection) {
  std::shared_ptr<DocumentVectors> vectors;
  std::vector<std::shared_ptr<records::VectorPart>> parts;
  {
    MutexLock commit(&collection->commit_mutex());
    vectors = collection->vectors();
    if (vectors == nullptr || vectors->given_up().load()) return OkStatus();
    parts = vectors->set().PartsToCalibrate();
  }
  const ChunkVectorReader reader(core_->store(), collection->id(), collection->spec().dimensions);
  for (const std::shared_ptr<records::VectorPart>& part : parts) {
    const Status status =
        records::CalibrateByAsked(vectors->set().field(), reader, &vectors->given_up(), part.get());
    if (vectors->given_up().load()) return OkStatus();
    RETURN_IF_ERROR(status);
  }
  return OkStatus();
}

Status Maintainer::StoreVectors(Collection* collection, const std::function<bool()>& stopped) {
  const std::shared_ptr<DocumentVectors> vectors = collection->vectors();
  const VectorsSeen seen = collection->vectors_seen();
  if (vectors == nullptr || seen == nullptr || stopped()) return OkStatus();
  const records::IndexFolder folder(core_->options().dir, collection->id());
  bool stored_any = false;
  for (const records::PartView& view : *seen) {
    if (view.part->growing() != nullptr || view.part->stored().stamp != 0) continue;
    ASSIGN_OR_RETURN(const uint64_t stamp, core_->sequences().Take());
    const Status status =
        records::StorePart(folder, {view.part.get(), stamp, collection->Oldest()}, stopped);
    if (stopped()) return OkStatus();
    RETURN_IF_ERROR(status);
    stored_any = true;
  }
  if (!stored_any) return OkStatus();
  records::IndexManifest manifest;
  {
    MutexLock commit(&collection->commit_mutex());
    if (collection->dropped() || collection->vectors() != vectors) return OkStatus();
    manifest = ManifestOf(vectors.get());
    RETURN_IF_ERROR(WriteManifest(core_, collection->id(), manifest));
  }
  folder.KeepOnly(manifest.Stamps());
  return OkStatus();
}

Status Maintainer::ForgetVectors(Collection* collection) {
  MutexLock one(&maintain_mutex_);
  MutexLock commit(&collection->commit_mutex());
  if (collection->dropped()) return OkStatus();
  const std::shared_ptr<DocumentVectors> vectors = collection->vectors();
  records::IndexManifest manifest;
  if (vectors != nullptr) {
    manifest = ManifestOf(vectors.get());
    std::erase_if(manifest.parts, [](const auto& part) { return part.gone > 0; });
    // What stays in memory may be stored later.
    const auto& parts = vectors->set().parts();
    const bool any_gone = std::any_of(parts.begin(), parts.end(), [](const auto& part) {
      return part->growing() == nullptr && part->gone() > 0;
    });
    if (any_gone) collection->UnloadVectors();
  }
  RETURN_IF_ERROR(WriteManifest(core_, collection->id(), manifest));
  records::IndexFolder(core_->options().dir, collection->id()).KeepOnly(manifest.Stamps());
  return OkStatus();
}

}  // namespace ragstone::index
