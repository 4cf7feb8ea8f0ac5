#include "llm/model_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <utility>

#include "base/file.h"
#include "base/hash.h"
#include "base/mutex.h"

namespace ragstone::llm {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr const char* kManifestFile = "manifest.json";
constexpr const char* kDefaultsFile = "defaults.json";
// In the model's folder: what was verified last, so that other processes need not hash again.
constexpr const char* kVerifiedFile = ".verified";
constexpr const char* kStagingPrefix = ".staging-";
constexpr uint64_t kManifestBytesMax = 1 << 20;
constexpr size_t kNameBytesMax = 128;
constexpr const char* kInstallHint =
    "; install one with 'ragstone model import PATH' or run ./deploy/prepare";

bool IsValidName(std::string_view name) {
  if (name.empty() || name.size() > kNameBytesMax || name.front() == '.') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

Status CheckName(std::string_view name) {
  if (IsValidName(name)) return OkStatus();
  return InvalidArgument(
      Reason::kInvalidArgument,
      "'" + std::string(name.substr(0, 2 * kNameBytesMax)) +
          "' is not a model name: 1 to 128 letters, digits, '.', '_' or '-', not "
          "beginning with '.'");
}

const char* KindKey(ModelKind kind) {
  return kind == ModelKind::kEmbedding ? "embedding" : "generator";
}

Result<Json> ReadDefaults(const fs::path& dir) {
  const Result<std::string> text = ReadFile(dir / kDefaultsFile, kManifestBytesMax);
  if (!text.ok()) {
    if (text.status().code() == StatusCode::kNotFound) return Json(Json::object());
    return text.status();
  }
  Json json = Json::parse(*text, nullptr, false);
  if (!json.is_object()) {
    return Status(StatusCode::kDataLoss, Reason::kModelCorrupt,
                  (dir / kDefaultsFile).string() + " is not a JSON object; remove it");
  }
  return json;
}

// Size and time of a file: what tells that it has not been replaced.
Result<std::string> StampOf(const fs::path& file) {
  struct stat facts {};
  if (stat(file.c_str(), &facts) != 0) return ErrnoStatus(errno, "open " + file.string());
  return std::to_string(facts.st_size) + " " + std::to_string(facts.st_mtim.tv_sec) + "." +
         std::to_string(facts.st_mtim.tv_nsec) + " " + std::to_string(facts.st_ino);
}

// What this process has verified, by path.
struct VerifiedFiles {
  Mutex mutex;
  std::map<std::string, std::string> stamps GUARDED_BY(mutex);
};

VerifiedFiles& Verified() {
  static auto* files = new VerifiedFiles;
  return *files;
}

bool IsRemembered(const fs::path& file, const std::string& entry) {
  {
    VerifiedFiles& verified = Verified();
    MutexLock lock(&verified.mutex);
    const auto found = verified.stamps.find(file.string());
    if (found != verified.stamps.end() && found->second == entry) return true;
  }
  const Result<std::string> text = ReadFile(file.parent_path() / kVerifiedFile, kManifestBytesMax);
  return text.ok() && *text == entry;
}

void Remember(const fs::path& file, const std::string& entry) {
  // A shared models folder may be read-only for us; then only this process remembers.
  const Status written = WriteFileAtomically(file.parent_path() / kVerifiedFile, entry);
  static_cast<void>(written);
  VerifiedFiles& verified = Verified();
  MutexLock lock(&verified.mutex);
  verified.stamps[file.string()] = entry;
}

// Imports that were killed leave their folders. No import takes a day.
void RemoveOldStagingFolders(const fs::path& dir) {
  std::error_code error;
  std::vector<fs::path> old;
  for (fs::directory_iterator entry(dir, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    if (!entry->path().filename().string().starts_with(kStagingPrefix)) continue;
    const auto changed = fs::last_write_time(entry->path(), error);
    if (error || fs::file_time_type::clock::now() - changed < std::chrono::hours(24)) continue;
    old.push_back(entry->path());
  }
  for (const fs::path& folder : old) fs::remove_all(folder, error);
}

Status VerifyTokenizer(const fs::path& folder, const Manifest& manifest) {
  if (manifest.kind != ModelKind::kEmbedding) return OkStatus();
  std::error_code error;
  const fs::path json = folder / "tokenizer.json";
  const fs::path file = fs::exists(json, error) ? json : folder / "vocab.txt";
  ASSIGN_OR_RETURN(const Sha256Digest digest, Sha256OfFile(file));
  if (digest.Hex() == manifest.tokenizer_sha256) return OkStatus();
  return Status(StatusCode::kDataLoss, Reason::kModelCorrupt,
                file.string() + " is not the tokeniser that was imported with model " +
                    manifest.name + "; remove the model and import it again");
}

}  // namespace

ModelStore::ModelStore(fs::path dir) : dir_(std::move(dir)) {}

Result<std::vector<Manifest>> ModelStore::List() const {
  std::vector<Manifest> manifests;
  std::error_code error;
  if (!fs::exists(dir_, error)) return manifests;
  fs::directory_iterator folders(dir_, error);
  if (error) return ErrnoStatus(error.value(), "read the models folder " + dir_.string());
  for (; folders != fs::directory_iterator(); folders.increment(error)) {
    if (error) return ErrnoStatus(error.value(), "read the models folder " + dir_.string());
    const std::string name = folders->path().filename().string();
    if (!IsValidName(name)) continue;
    Result<Manifest> manifest = Get(name);
    if (manifest.ok()) manifests.push_back(std::move(manifest).value());
  }
  std::sort(manifests.begin(), manifests.end(),
            [](const Manifest& a, const Manifest& b) { return a.name < b.name; });
  return manifests;
}

Result<Manifest> ModelStore::Get(std::string_view name) const {
  RETURN_IF_ERROR(CheckName(name));
  const fs::path file = FolderOf(name) / kManifestFile;
  const Result<std::string> text = ReadFile(file, kManifestBytesMax);
  if (!text.ok()) {
    if (text.status().code() != StatusCode::kNotFound) return text.status();
    return NotFound(Reason::kModelNotFound, "model " + std::string(name) + " is not installed in " +
                                                dir_.string() + kInstallHint);
  }
  Result<Manifest> manifest = ManifestFromJson(*text);
  if (!manifest.ok()) return manifest.status().WithContext("model " + std::string(name));
  if (manifest->name != name) {
    return Status(StatusCode::kDataLoss, Reason::kModelCorrupt,
                  "model " + std::string(name) + ": manifest.json names it '" + manifest->name +
                      "'; remove the folder and import the model again");
  }
  return manifest;
}

Result<Manifest> ModelStore::Default(ModelKind kind) const {
  ASSIGN_OR_RETURN(const Json defaults, ReadDefaults(dir_));
  const auto found = defaults.find(KindKey(kind));
  if (found == defaults.end() || !found->is_string()) {
    return NotFound(Reason::kModelNotFound, std::string("no default ") + KindKey(kind) +
                                                " model is installed in " + dir_.string() +
                                                kInstallHint);
  }
  return Get(found->get<std::string>());
}

Status ModelStore::SetDefault(ModelKind kind, std::string_view name) {
  ASSIGN_OR_RETURN(const Manifest manifest, Get(name));
  if (manifest.kind != kind) {
    return InvalidArgument(Reason::kInvalidArgument,
                           "model " + manifest.name + " is of kind " + KindKey(manifest.kind) +
                               " and cannot be the default " + KindKey(kind));
  }
  ASSIGN_OR_RETURN(Json defaults, ReadDefaults(dir_));
  defaults[KindKey(kind)] = manifest.name;
  return WriteFileAtomically(dir_ / kDefaultsFile, defaults.dump(2) + "\n");
}

fs::path ModelStore::FolderOf(std::string_view name) const { return dir_ / std::string(name); }

fs::path ModelStore::FileOf(const Manifest& manifest) const {
  return FolderOf(manifest.name) / manifest.file;
}

Status ModelStore::Verify(const Manifest& manifest) const {
  const fs::path file = FileOf(manifest);
  const Result<std::string> stamp = StampOf(file);
  if (!stamp.ok()) {
    if (stamp.status().code() != StatusCode::kNotFound) return stamp.status();
    return NotFound(Reason::kModelNotFound, "the file " + file.string() + " of model " +
                                                manifest.name + " is missing" + kInstallHint);
  }
  const std::string entry = *stamp + " " + manifest.sha256 + " " + manifest.tokenizer_sha256 + "\n";
  if (IsRemembered(file, entry)) return OkStatus();
  std::error_code error;
  const uint64_t bytes = fs::file_size(file, error);
  if (error) return ErrnoStatus(error.value(), "read the size of " + file.string());
  const std::string remedy = "; remove the model and import it again";
  if (bytes != manifest.bytes) {
    return Status(StatusCode::kDataLoss, Reason::kModelCorrupt,
                  file.string() + " has " + std::to_string(bytes) + " bytes, its manifest says " +
                      std::to_string(manifest.bytes) + remedy);
  }
  ASSIGN_OR_RETURN(const Sha256Digest digest, Sha256OfFile(file));
  if (digest.Hex() != manifest.sha256) {
    return Status(StatusCode::kDataLoss, Reason::kModelCorrupt,
                  file.string() + " does not have the SHA-256 of its manifest" + remedy);
  }
  RETURN_IF_ERROR(VerifyTokenizer(FolderOf(manifest.name), manifest));
  Remember(file, entry);
  return OkStatus();
}

Result<fs::path> ModelStore::NewStagingFolder() const {
  RETURN_IF_ERROR(CreateDirectories(dir_, 0755));
  RemoveOldStagingFolders(dir_);
  std::random_device random;
  // Another process may have taken a name; a collision of 64 random bits does not happen twice.
  for (int attempt = 0; attempt < 4; ++attempt) {
    const uint64_t number = (uint64_t{random()} << 32) | random();
    fs::path folder = dir_ / (kStagingPrefix + std::to_string(number));
    if (mkdir(folder.c_str(), 0755) == 0) return folder;
    if (errno != EEXIST) return ErrnoStatus(errno, "create " + folder.string());
  }
  return Internal("no free name for a staging folder in " + dir_.string());
}

Status ModelStore::Install(const fs::path& staging, const Manifest& manifest) {
  RETURN_IF_ERROR(CheckName(manifest.name));
  const std::string json = ManifestToJson(manifest);
  // What could not be read back must not be installed.
  RETURN_IF_ERROR(ManifestFromJson(json).status());
  RETURN_IF_ERROR(WriteFileAtomically(staging / kManifestFile, json));
  ASSIGN_OR_RETURN(const FileDescriptor file, OpenFile(staging / manifest.file, O_RDONLY));
  if (fsync(file.get()) != 0) {
    return ErrnoStatus(errno, "write " + (staging / manifest.file).string());
  }
  RETURN_IF_ERROR(SyncDirectory(staging));
  const fs::path folder = FolderOf(manifest.name);
  if (rename(staging.c_str(), folder.c_str()) != 0) {
    if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR) {
      return Status(StatusCode::kAlreadyExists, Reason::kModelExists,
                    "a model named " + manifest.name +
                        " is installed; remove it or import under another name");
    }
    return ErrnoStatus(errno, "rename " + staging.string() + " to " + folder.string());
  }
  return SyncDirectory(dir_);
}

Status ModelStore::Remove(std::string_view name) {
  RETURN_IF_ERROR(CheckName(name));
  const fs::path folder = FolderOf(name);
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    return NotFound(Reason::kModelNotFound,
                    "model " + std::string(name) + " is not installed in " + dir_.string());
  }
  // It disappears in one step; a crash in the middle leaves only a hidden folder.
  ASSIGN_OR_RETURN(const fs::path staging, NewStagingFolder());
  if (rename(folder.c_str(), staging.c_str()) != 0) {
    return ErrnoStatus(errno, "remove " + folder.string());
  }
  RETURN_IF_ERROR(SyncDirectory(dir_));
  ASSIGN_OR_RETURN(Json defaults, ReadDefaults(dir_));
  bool changed = false;
  for (const ModelKind kind : {ModelKind::kEmbedding, ModelKind::kGenerator}) {
    const auto found = defaults.find(KindKey(kind));
    if (found == defaults.end() || *found != Json(std::string(name))) continue;
    defaults.erase(found);
    changed = true;
  }
  if (changed) RETURN_IF_ERROR(WriteFileAtomically(dir_ / kDefaultsFile, defaults.dump(2) + "\n"));
  fs::remove_all(staging, error);
  if (error) return ErrnoStatus(error.value(), "remove " + staging.string());
  return OkStatus();
}

}  // namespace ragstone::llm
