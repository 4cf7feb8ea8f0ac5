// Index files of collections: derived, so that a damaged one costs time only.
#include "index/internal/operations/check.h"
#include "index/internal/records_db/index_manifest.h"

namespace ragstone::index::operations {
namespace {

// Every chunk of a file against its checksum, and all of it against the manifest.
Status ReadWhole(const records::IndexFolder& folder, const records::StoredFile& file,
                 Steps* steps) {
  ASSIGN_OR_RETURN(const auto reader, records::ChunkFileReader::Open(folder, file));
  uint64_t bytes = 0;
  constexpr uint64_t kHead = 4 + 8;  // of each chunk
  for (uint32_t number = 0; bytes < file.bytes; ++number) {
    ASSIGN_OR_RETURN(const std::string chunk, reader->Get(number));
    bytes += chunk.size() + kHead;
    RETURN_IF_ERROR(steps->Advance(chunk.size()));
  }
  return reader->Finish();
}

Status CheckFiles(CheckEnv* env, const records::IndexFolder& folder,
                  const records::IndexManifest& manifest) {
  Raise(manifest.version, &env->highest.sequence);
  std::vector<records::StoredFile> files = {manifest.state};
  for (const records::StoredPart& part : manifest.parts) files.push_back(part.file);
  for (const records::StoredFile& file : files) {
    Raise(file.stamp, &env->highest.sequence);
    if (file.stamp != 0) RETURN_IF_ERROR(ReadWhole(folder, file, env->steps));
  }
  return OkStatus();
}

}  // namespace

Status CheckIndexes(CheckEnv* env, CollectionId collection, const std::string& name) {
  const std::string key = records::ManifestKey(collection);
  ASSIGN_OR_RETURN(const std::optional<std::string> bytes, env->store->Get(Family::kMeta, key));
  if (!bytes.has_value()) return OkStatus();
  const records::IndexFolder folder(env->store->dir(), collection);
  const Result<records::IndexManifest> manifest = records::DecodeManifest(*bytes);
  const Status status = manifest.ok() ? CheckFiles(env, folder, *manifest) : manifest.status();
  RETURN_IF_ERROR(env->steps->Check());
  if (status.ok()) return OkStatus();
  return env->findings->Add(
      {"indexes", name, "", status.message(),
       "its index is built anew when it is first used, which takes longer", false, false},
      [&](StoreBatch* batch) {
        DropIndexes(collection, batch);
        folder.KeepOnly({});
      });
}

void DropIndexes(CollectionId collection, StoreBatch* batch) {
  batch->Delete(Family::kMeta, records::ManifestKey(collection));
  batch->DeleteRange(Family::kMeta, records::SweptKey(collection, 0),
                     records::SweptKey(collection, UINT64_MAX));
}

}  // namespace ragstone::index::operations
