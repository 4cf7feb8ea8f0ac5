// Original files against what refers to them.
#include <unistd.h>

#include <cerrno>

#include "index/internal/operations/check.h"
#include "index/internal/operations/layout.h"

namespace ragstone::index::operations {
namespace {

namespace fs = std::filesystem;

// Who needs each blob, for people.
Result<std::map<Sha256Digest, std::string>> References(CheckEnv* env) {
  std::map<Sha256Digest, std::string> holders;
  const std::string prefix(1, static_cast<char>(Table::kBlobs));
  const std::unique_ptr<StoreIterator> it = env->store->NewIterator(Family::kTable);
  for (it->Seek(prefix); it->ValidWithPrefix(prefix); it->Next()) {
    Sha256Digest blob;
    const std::string_view key = it->key().substr(prefix.size());
    if (key.size() < blob.bytes.size()) {
      RETURN_IF_ERROR(env->findings->Add(
          {"originals", "", "", "a reference names no original", "it takes up room", false, false},
          [&](StoreBatch* batch) { batch->Delete(Family::kTable, it->key()); }));
      continue;
    }
    std::copy_n(key.begin(), blob.bytes.size(), blob.bytes.begin());
    holders.emplace(blob, std::string(key.substr(blob.bytes.size())));
  }
  RETURN_IF_ERROR(it->status());
  return holders;
}

Status CheckFile(CheckEnv* env, const fs::path& path, const Sha256Digest& blob,
                 const std::string& holder) {
  Finding finding{"originals",
                  "",
                  blob.Hex(),
                  "",
                  "the original cannot be given back; add the "
                  "document again",
                  false,
                  false};
  const Result<Sha256Digest> found = HashOnDisk(path, env->steps);
  RETURN_IF_ERROR(env->steps->Check());
  if (found.ok() && *found == blob) return OkStatus();
  finding.what = found.ok() ? "its bytes are not those of its name"
                            : "it is missing or cannot be read (" + found.status().message() + ")";
  finding.what += ", needed by " + holder;
  env->findings->Add(std::move(finding));
  return OkStatus();
}

// Files that nothing needs. Those of other names are not ours.
Status CheckUnneeded(CheckEnv* env, const fs::path& folder,
                     const std::map<Sha256Digest, std::string>& holders) {
  std::error_code error;
  fs::recursive_directory_iterator it(folder, error);
  for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
    const fs::path& path = it->path();
    const Result<Sha256Digest> blob = Sha256Digest::FromHex(path.filename().string());
    if (!blob.ok() || holders.count(*blob) > 0) continue;
    Status status;
    RETURN_IF_ERROR(env->findings->Add(
        {"originals", "", blob->Hex(), "nothing needs it", "it takes up room", false, false},
        [&](StoreBatch* /*batch*/) {
          if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
            status = ErrnoStatus(errno, "remove " + path.string());
          }
        }));
    RETURN_IF_ERROR(status);
  }
  return error ? ErrnoStatus(error.value(), "list " + folder.string()) : OkStatus();
}

}  // namespace

Status CheckBlobs(CheckEnv* env) {
  const fs::path dir = env->options->dir;
  ASSIGN_OR_RETURN(const auto holders, References(env));
  for (const auto& [blob, holder] : holders) {
    ++env->report->blobs;
    RETURN_IF_ERROR(CheckFile(env, dir / BlobPath(blob), blob, holder));
  }
  std::error_code error;
  if (!fs::exists(dir / kBlobFolder, error)) return OkStatus();
  return CheckUnneeded(env, dir / kBlobFolder, holders);
}

}  // namespace ragstone::index::operations
