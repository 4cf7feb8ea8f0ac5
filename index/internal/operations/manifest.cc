#include "index/internal/operations/manifest.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

namespace ragstone::index::operations {
namespace {

constexpr std::string_view kFirstLine = "ragstone backup 1";
constexpr std::string_view kNone = "-";
constexpr size_t kNameMax = 64;

Status Damaged(std::string_view what) {
  return Status(StatusCode::kDataLoss, Reason::kDataCorrupt,
                "the list of files is damaged (" + std::string(what) + ")");
}

// Takes the text before the next separator off the front.
std::string_view Take(std::string_view* text, char separator) {
  const size_t end = std::min(text->find(separator), text->size());
  const std::string_view part = text->substr(0, end);
  text->remove_prefix(std::min(end + 1, text->size()));
  return part;
}

template <typename T>
bool ToNumber(std::string_view text, T* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size();
}

// A path that stays below the folder it is put behind.
bool IsInside(std::string_view text) {
  const std::filesystem::path path(text);
  return !text.empty() && path.is_relative() && path.lexically_normal() == path &&
         *path.begin() != "..";
}

Status ReadFileLine(std::string_view line, BackupManifest* manifest) {
  BackupFile file;
  const Result<Sha256Digest> hash = Sha256Digest::FromHex(Take(&line, ' '));
  const bool has_size = ToNumber(Take(&line, ' '), &file.bytes);
  const std::string_view origin = Take(&line, ' ');
  if (!hash.ok() || !has_size || origin.empty() || !IsInside(line)) return Damaged("a file");
  file.hash = *hash;
  if (origin != kNone) file.origin = origin;
  file.path = line;
  manifest->files.push_back(std::move(file));
  return OkStatus();
}

}  // namespace

uint64_t BackupManifest::bytes() const {
  uint64_t sum = 0;
  for (const BackupFile& file : files) sum += file.bytes;
  return sum;
}

std::string EncodeManifest(const BackupManifest& manifest) {
  std::string text(kFirstLine);
  text += "\nid " + std::to_string(manifest.id);
  text += "\nname " + (manifest.name.empty() ? std::string(kNone) : manifest.name);
  text += "\ncreated " + std::to_string(manifest.created_ns) + "\n";
  for (const BackupFile& file : manifest.files) {
    text += "file " + file.hash.Hex() + " " + std::to_string(file.bytes) + " " +
            (file.origin.empty() ? std::string(kNone) : file.origin) + " " + file.path + "\n";
  }
  return text + "end " + Sha256Of(text).Hex() + "\n";
}

Result<BackupManifest> DecodeManifest(std::string_view text) {
  // The last line first: after it holds, the rest is what was written.
  const size_t end = text.rfind("\nend ");
  if (end == std::string_view::npos) return Damaged("its end is missing");
  const std::string_view body = text.substr(0, end + 1);
  if (text.substr(end + 1) != "end " + Sha256Of(body).Hex() + "\n") return Damaged("checksum");
  std::string_view rest = body;
  if (Take(&rest, '\n') != kFirstLine) {
    return FailedPrecondition(Reason::kDataDirVersion, "the backup is of another format than \"" +
                                                           std::string(kFirstLine) +
                                                           "\"; use the program that made it");
  }
  BackupManifest manifest;
  while (!rest.empty()) {
    std::string_view line = Take(&rest, '\n');
    const std::string_view key = Take(&line, ' ');
    bool ok = true;
    if (key == "id") {
      ok = ToNumber(line, &manifest.id);
    } else if (key == "name") {
      if (line != kNone) manifest.name = line;
    } else if (key == "created") {
      ok = ToNumber(line, &manifest.created_ns);
    } else if (key == "file") {
      RETURN_IF_ERROR(ReadFileLine(line, &manifest));
    } else {
      ok = false;
    }
    if (!ok) return Damaged("line " + std::string(key));
  }
  return manifest;
}

Status CheckBackupName(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  if (name != kNone && name.size() <= kNameMax && std::all_of(name.begin(), name.end(), allowed)) {
    return OkStatus();
  }
  return InvalidArgument(Reason::kInvalidArgument,
                         "the name \"" + std::string(name.substr(0, kNameMax)) +
                             "\" is not possible for a backup; it has at most 64 of the characters "
                             "A-Z a-z 0-9 . _ - and is not \"-\"");
}

}  // namespace ragstone::index::operations
