// Flips and truncations in the files of a database that was closed, or killed.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.h"
#include "tests/reliability/documents.h"
#include "tests/reliability/ledger_process.h"

namespace ragstone::index::reliability {
namespace {

constexpr uint64_t kShort = 100;
constexpr size_t kWriters = 4;
constexpr uint64_t kDocuments = 3;

// The database before it is damaged.
struct Original {
  std::filesystem::path dir;
  bool killed = false;
  Journal journal;
};

// Notes refusals, and lets only them pass.
class Refusals {
 public:
  Status Take(const Status& status, const std::string& what) {
    if (status.ok()) return OkStatus();
    if (status.code() == StatusCode::kDataLoss && !status.message().empty()) {
      ++refused_;
      return OkStatus();
    }
    return Violation(what + ": " + status.ToString());
  }
  uint64_t refused() const { return refused_; }

 private:
  uint64_t refused_ = 0;
};

Status PutDocuments(const std::filesystem::path& dir, uint64_t mark) {
  ASSIGN_OR_RETURN(const World world, OpenWorld(dir));
  ASSIGN_OR_RETURN(const CollectionId collection,
                   DocumentCollection(world.database.get(), "documents"));
  for (uint64_t i = 0; i < kDocuments; ++i) {
    RETURN_IF_ERROR(PutDocument(world.database.get(), collection, "doc" + std::to_string(i), mark));
  }
  return OkStatus();
}

// Several lives, so that there are tables, a log and a list of tables with a past. The last one is
// closed, or killed when all its writes were acknowledged.
Status MakeOriginal(const DrillOptions& options, Original* original) {
  original->journal = NewJournal(Mixed(options.seed, 77), kWriters);
  LifeOptions life;
  life.dir = original->dir;
  life.operations_max = 60;
  for (uint64_t round = 0; round < 3; ++round) {
    life.seed = Mixed(options.seed, round);
    life.crash_at_end = original->killed && round == 2;
    RETURN_IF_ERROR(
        RunInChild([&](Figures*) { return PutDocuments(life.dir, round); }, 100, nullptr));
    RETURN_IF_ERROR(RunLife(life, {}, &original->journal).status());
  }
  return OkStatus();
}

bool IsJournal(const std::filesystem::path& path) {
  return path.extension() == ".log" || path.filename().string().starts_with("MANIFEST");
}

// Changes one place of one file, or of one of those files only that RocksDB cuts off at a damaged
// place; returns what it did.
enum class Where : uint8_t { kAnyFile, kJournals };
Result<std::string> Damage(const std::filesystem::path& dir, Where target, Random* random) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir)) {
    std::error_code error;
    if (!entry.is_regular_file() || entry.file_size(error) == 0) continue;
    if (target == Where::kAnyFile || IsJournal(entry.path())) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  const std::filesystem::path file = files[random->Below(files.size())];
  const uint64_t size = std::filesystem::file_size(file);
  const uint64_t place = random->Below(size);
  const std::string where = file.lexically_relative(dir).string() + " of " + std::to_string(size) +
                            " bytes, at " + std::to_string(place);
  if (random->OneIn(3)) {
    std::filesystem::resize_file(file, place);
    return "truncated " + where;
  }
  ASSIGN_OR_RETURN(const FileDescriptor fd, OpenFile(file, O_RDWR));
  char byte = 0;
  if (pread(fd.get(), &byte, 1, static_cast<off_t>(place)) != 1) {
    return ErrnoStatus(errno, "read " + file.string());
  }
  byte = static_cast<char>(byte ^ (1 << random->Below(8)));
  if (pwrite(fd.get(), &byte, 1, static_cast<off_t>(place)) != 1) {
    return ErrnoStatus(errno, "write " + file.string());
  }
  return "flipped a bit of " + where;
}

// Every answer is right or refused.
class DamagedCheck {
 public:
  DamagedCheck(const World& world, const Ledger& ledger, Refusals* refusals)
      : world_(world), ledger_(ledger), refusals_(refusals) {}

  Status Run() {
    for (size_t writer = 0; writer < ledger_.writers.size(); ++writer) {
      RETURN_IF_ERROR(CheckWriter(writer));
    }
    for (uint64_t i = 0; i < kDocuments; ++i) RETURN_IF_ERROR(CheckOneDocument(i));
    // Writing is refused or works.
    const Record record = RecordOf(ledger_, 0, 0, {1, 1, 0});
    return refusals_->Take(world_.records->Upsert(kLedgerCollection, {record}, {}, {}).status(),
                           "a write");
  }

 private:
  Status CheckWriter(size_t writer) {
    const Shelf& shelf = ledger_.writers[writer].shelf;
    for (const auto& [slot, item] : shelf) {
      RETURN_IF_ERROR(CheckGet(RecordOf(ledger_, writer, slot, item)));
      RETURN_IF_ERROR(CheckSearch(RecordOf(ledger_, writer, slot, item)));
    }
    const Filter filter = Is("owner", static_cast<int64_t>(writer));
    const Result<uint64_t> count = world_.records->Count(kLedgerCollection, filter, {});
    RETURN_IF_ERROR(refusals_->Take(count.status(), "count"));
    if (count.ok() && *count != shelf.size()) return Violation("a wrong count");
    const Result<std::vector<Record>> all =
        ScrollAll(*world_.records, kLedgerCollection, filter, {});
    RETURN_IF_ERROR(refusals_->Take(all.status(), "scroll"));
    return !all.ok() || all->size() == shelf.size() ? OkStatus() : Violation("a wrong scroll");
  }

  Status CheckGet(const Record& expected) {
    const std::vector<std::string> ids = {expected.id};
    ReadOptions options;
    options.vectors = true;
    const Result<std::vector<Record>> found = world_.records->Get(kLedgerCollection, ids, options);
    RETURN_IF_ERROR(refusals_->Take(found.status(), "get"));
    if (!found.ok()) return OkStatus();
    if (found->size() == 1 && found->front().payload == expected.payload &&
        found->front().vectors == expected.vectors && found->front().version == expected.version) {
      return OkStatus();
    }
    return Violation("reading " + expected.id + " gave a wrong answer");
  }

  Status CheckSearch(const Record& expected) {
    RecordSearch search;
    search.vector = expected.vectors.at("");
    search.top_k = 1;
    const Result<std::vector<RecordHit>> hits =
        world_.records->Search(kLedgerCollection, search, {});
    RETURN_IF_ERROR(refusals_->Take(hits.status(), "search"));
    if (!hits.ok() || (hits->size() == 1 && hits->front().record.id == expected.id)) {
      return OkStatus();
    }
    return Violation("searching for " + expected.id + " gave a wrong answer");
  }

  Status CheckOneDocument(uint64_t number) {
    const Result<CollectionInfo> info = world_.database->GetCollection("documents");
    RETURN_IF_ERROR(refusals_->Take(info.status(), "the documents' collection"));
    if (!info.ok()) return OkStatus();
    return refusals_->Take(
        CheckDocument(*world_.database, info->id, "doc" + std::to_string(number), 2), "document");
  }

  const World& world_;
  const Ledger& ledger_;
  Refusals* const refusals_;
};

Status DamageAndCheck(const Original& original, const std::filesystem::path& dir, Random random,
                      Figures* figures) {
  std::filesystem::copy(original.dir, dir, std::filesystem::copy_options::recursive);
  const Where target = original.killed && random.OneIn(2) ? Where::kJournals : Where::kAnyFile;
  ASSIGN_OR_RETURN(std::string what, Damage(dir, target, &random));
  what = (original.killed ? "killed, " : "closed, ") + what;
  Note(what);
  Refusals refusals;
  bool opened = false;
  {
    const Result<World> world = OpenWorld(dir);
    opened = world.ok();
    // A format line that was damaged is that of another program.
    const bool other_format = world.status().reason() == Reason::kDataDirVersion &&
                              what.find("database.format") != std::string::npos;
    if (!other_format) {
      RETURN_IF_ERROR(refusals.Take(world.status(), "open"));
    }
    if (opened) {
      RETURN_IF_ERROR(DamagedCheck(*world, original.journal.ledger, &refusals).Run());
    }
  }
  *figures = {{"killed", original.killed ? 1.0 : 0.0},
              {"opened", opened ? 1.0 : 0.0},
              {"refused", static_cast<double>(refusals.refused())}};
  return OkStatus();
}

}  // namespace

Status RunCorruption(const DrillOptions& options) {
  const uint64_t units = options.count != 0 ? options.count : kShort;
  const ScratchFolder folder(FolderInMemory(options), "corruption");
  Original originals[2];
  for (const bool killed : {false, true}) {
    Original& original = originals[killed ? 1 : 0];
    original.dir = folder.path() / (killed ? "killed" : "closed");
    original.killed = killed;
    RETURN_IF_ERROR(MakeOriginal(options, &original).WithContext("making the database"));
  }
  return RunUnits(options, units, [&](uint64_t unit, Figures* figures) {
    const ScratchFolder copy(folder.path(), "copy");
    return DamageAndCheck(originals[unit % 2], copy.path() / "data",
                          Random(Mixed(options.seed, unit, 5)), figures);
  });
}

}  // namespace ragstone::index::reliability
