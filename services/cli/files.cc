#include "services/cli/files.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <set>
#include <system_error>

#include "services/cli/text.h"

namespace ragstone::services::cli {
namespace fs = std::filesystem;
namespace {

std::string Ending(const fs::path& path) {
  std::string ending = path.extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return ending;
}

bool IsKnownEnding(const std::string& ending) {
  constexpr std::array<std::string_view, 6> kKnown = {".pdf", ".txt", ".text",
                                                      ".log", ".md",  ".markdown"};
  return std::find(kKnown.begin(), kKnown.end(), ending) != kKnown.end();
}

class Collector {
 public:
  void AddNamed(const std::string& named) {
    std::error_code error;
    const fs::path canonical = fs::canonical(named, error);
    if (error) return Fail(named, error, "read");
    const fs::file_status status = fs::status(canonical, error);
    if (error) return Fail(named, error, "read");
    if (fs::is_directory(status)) return Walk(canonical);
    if (fs::is_regular_file(status)) return Take(canonical);
    FailWith(canonical, InvalidArgument(Reason::kInvalidArgument,
                                        fmt::format("{} is neither a file nor a folder; name a "
                                                    "regular file",
                                                    canonical.string())));
  }

  InputFiles Finish() { return std::move(found_); }

 private:
  void Fail(const fs::path& path, const std::error_code& error, std::string_view verb) {
    FailWith(path, ErrnoStatus(error.value(), fmt::format("{} {}", verb, path.string())));
  }

  void FailWith(const fs::path& path, Status status) {
    found_.errors.push_back({path.string(), std::move(status)});
  }

  // Depth first, without recursion, so that no tree is too deep.
  void Walk(const fs::path& root) {
    std::vector<fs::path> pending = {root};
    while (!pending.empty()) {
      const fs::path folder = std::move(pending.back());
      pending.pop_back();
      std::vector<fs::path> folders;
      for (const fs::directory_entry& entry : SortedEntries(folder)) Sort(entry, &folders);
      pending.insert(pending.end(), folders.rbegin(), folders.rend());
    }
  }

  std::vector<fs::directory_entry> SortedEntries(const fs::path& folder) {
    std::vector<fs::directory_entry> entries;
    std::error_code error;
    fs::directory_iterator it(folder, error);
    for (; !error && it != fs::directory_iterator(); it.increment(error)) entries.push_back(*it);
    if (error) Fail(folder, error, "list folder");
    std::sort(entries.begin(), entries.end(),
              [](const auto& a, const auto& b) { return a.path() < b.path(); });
    return entries;
  }

  void Sort(const fs::directory_entry& entry, std::vector<fs::path>* folders) {
    std::error_code error;
    const fs::file_status status = entry.symlink_status(error);
    if (error) return Fail(entry.path(), error, "read");
    if (fs::is_directory(status)) {
      folders->push_back(entry.path());
    } else if (!fs::is_regular_file(status)) {
      ++found_.skipped_links;
    } else if (!IsKnownEnding(Ending(entry.path()))) {
      ++found_.skipped_types;
    } else {
      Take(entry.path());
    }
  }

  void Take(const fs::path& path) {
    std::string name = path.string();
    if (!IsUtf8(name)) {
      return FailWith(path, InvalidArgument(Reason::kInvalidArgument,
                                            fmt::format("the name of {} is not UTF-8; rename it",
                                                        Sanitize(name))));
    }
    if (found_.files.size() >= kInputFilesMax) {
      return FailWith(path, ResourceExhausted(Reason::kLimitExceeded,
                                              fmt::format("{} is beyond the limit of {} files for "
                                                          "one command; add fewer folders at once",
                                                          name, kInputFilesMax)));
    }
    if (!seen_.insert(name).second) return;
    std::error_code error;
    const uint64_t bytes = fs::file_size(path, error);
    const bool is_log = Ending(path) == ".log";
    found_.files.push_back({std::move(name), error ? 0 : bytes, is_log ? "text/plain" : ""});
  }

  InputFiles found_;
  std::set<std::string> seen_;
};

}  // namespace

InputFiles CollectFiles(const std::vector<std::string>& paths) {
  Collector collector;
  for (const std::string& path : paths) collector.AddNamed(path);
  return collector.Finish();
}

}  // namespace ragstone::services::cli
