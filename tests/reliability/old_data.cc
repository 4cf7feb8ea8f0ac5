// Data of earlier releases: archives in tests/cases/old_data, which README.md there is about.
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <map>

#include "index/operations.h"
#include "tests/reliability/documents.h"

extern char** environ;

namespace ragstone::index::reliability {
namespace {

// What the archives hold follows from these functions, so they stay as they are. A release whose
// data is to hold more gets functions of its own.
constexpr std::string_view kName = "old";
constexpr int64_t kRecords = 90;
constexpr int64_t kFirstPart = 60;
constexpr uint32_t kDimensions = 16;
constexpr uint32_t kSmallDimensions = 8;
constexpr uint32_t kBits = 64;
constexpr uint64_t kDocuments = 3;
constexpr uint64_t kSeed = 1;

bool IsDeleted(int64_t number) { return number % 10 == 3; }
bool IsUpdated(int64_t number) { return number % 7 == 2; }

RecordCollectionSpec Spec() {
  RecordCollectionSpec spec;
  spec.name = kName;
  VectorField large;
  large.name = "large";
  large.dimensions = kDimensions;
  large.method = VectorMethod::kHnsw;
  VectorField small;
  small.name = "small";
  small.dimensions = kSmallDimensions;
  small.metric = VectorMetric::kL2;
  small.storage = VectorStorage::kInt8;
  VectorField bits;
  bits.name = "bits";
  bits.dimensions = kBits;
  bits.metric = VectorMetric::kHamming;
  bits.storage = VectorStorage::kBinary;
  spec.vectors = {large, small, bits};
  spec.sparse = {{"words"}};
  spec.schema = *Schema::Create({{"kind", FieldType::kInteger},
                                 {"tag", FieldType::kKeyword},
                                 {"price", FieldType::kFloat},
                                 {"sold", FieldType::kBoolean},
                                 {"when", FieldType::kDatetime},
                                 {"body", FieldType::kText}});
  return spec;
}

Record RecordOf(int64_t number) {
  Record record;
  record.id = "old" + std::to_string(1000 + number);
  Random random(Mixed(kSeed, static_cast<uint64_t>(number)));
  record.vectors["large"] = NormalVector(&random, kDimensions);
  record.vectors["small"] = NormalVector(&random, kSmallDimensions);
  BitVector bits(kBits / 8);
  for (uint8_t& byte : bits) byte = static_cast<uint8_t>(random.Next());
  record.vectors["bits"] = std::move(bits);
  SparseVector words;
  words.dimensions = {static_cast<uint32_t>(number), 1000, static_cast<uint32_t>(2000 + number)};
  words.weights = {1, 0.5F, 2};
  record.vectors["words"] = std::move(words);
  record.payload["kind"] = number % 5;
  record.payload["tag"] = "tag" + std::to_string(number % 4);
  record.payload["price"] = 0.25 * static_cast<double>(number);
  record.payload["sold"] = number % 2 == 0;
  record.payload["when"] = Datetime{1'700'000'000'000'000'000 + number};
  record.payload["body"] = "word" + std::to_string(number) + " of all";
  return record;
}

// As it is at the end.
Record FinalRecord(int64_t number) {
  Record record = RecordOf(number);
  if (IsUpdated(number)) record.payload["kind"] = number % 5 + 100;
  return record;
}

Status Upsert(const World& world, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    WriteOptions options;
    if (i % 3 == 0) options.request_id = "request" + std::to_string(i);
    RETURN_IF_ERROR(world.records->Upsert(kName, {RecordOf(i)}, options, {}).status());
  }
  return OkStatus();
}

Result<World> OpenOld(const std::filesystem::path& dir) {
  WorldOptions options;
  options.seal_rows = 20;
  return OpenWorld(dir / "db", options);
}

// Tables, a log, stored indexes, superseded rows.
Status Make(const std::filesystem::path& dir) {
  {
    ASSIGN_OR_RETURN(const World world, OpenOld(dir));
    RETURN_IF_ERROR(world.records->CreateCollection(Spec()).status());
    RETURN_IF_ERROR(Upsert(world, 0, kFirstPart));
    ASSIGN_OR_RETURN(const CollectionId documents,
                     DocumentCollection(world.database.get(), "documents"));
    for (uint64_t i = 0; i < kDocuments; ++i) {
      RETURN_IF_ERROR(PutDocument(world.database.get(), documents, "doc" + std::to_string(i), 1));
    }
    RETURN_IF_ERROR(MaintainAll(world, kName));
  }
  ASSIGN_OR_RETURN(const World world, OpenOld(dir));
  RETURN_IF_ERROR(Upsert(world, kFirstPart, kRecords));
  for (int64_t i = 0; i < kRecords; ++i) {
    const std::vector<std::string> ids = {RecordOf(i).id};
    if (IsDeleted(i)) {
      RETURN_IF_ERROR(world.records->Delete(kName, ids, {}, {}).status());
    } else if (IsUpdated(i)) {
      RETURN_IF_ERROR(world.records->Upsert(kName, {FinalRecord(i)}, {}, {}).status());
    }
  }
  ASSIGN_OR_RETURN(const CollectionInfo info, world.database->GetCollection("documents"));
  return PutDocument(world.database.get(), info.id, "doc0", 2);
}

// --- what must be there

Status CheckRecord(const World& world, int64_t number) {
  const Record expected = FinalRecord(number);
  const std::vector<std::string> ids = {expected.id};
  ReadOptions options;
  options.vectors = true;
  ASSIGN_OR_RETURN(const std::vector<Record> found, world.records->Get(kName, ids, options));
  if (IsDeleted(number)) {
    return found.empty() ? OkStatus() : Violation(expected.id + " was deleted and is there");
  }
  if (found.size() != 1 || found[0].payload != expected.payload ||
      found[0].vectors != expected.vectors) {
    return Violation(expected.id + " is not what was written");
  }
  for (const auto& [name, vector] : expected.vectors) {
    RecordSearch search;
    search.vector_name = name;
    search.vector = vector;
    search.top_k = 1;
    ASSIGN_OR_RETURN(const auto hits, world.records->Search(kName, search, {}));
    if (hits.size() == 1 && hits[0].record.id == expected.id) continue;
    return Violation(expected.id + " is not found by its vector \"" + name + "\"");
  }
  RecordSearch search;
  search.text = "word" + std::to_string(number);
  ASSIGN_OR_RETURN(const auto hits, world.records->Search(kName, search, {}));
  if (hits.size() == 1 && hits[0].record.id == expected.id) return OkStatus();
  return Violation(expected.id + " is not found by its word");
}

Status CheckCounts(const World& world) {
  std::map<int64_t, uint64_t> expected;
  uint64_t live = 0;
  for (int64_t i = 0; i < kRecords; ++i) {
    if (IsDeleted(i)) continue;
    ++live;
    ++expected[std::get<int64_t>(FinalRecord(i).payload.at("kind"))];
  }
  expected[-1] = 0;
  for (const auto& [kind, records] : expected) {
    ASSIGN_OR_RETURN(const uint64_t count, world.records->Count(kName, Is("kind", kind), {}));
    if (count != records) return Violation("a wrong count of kind " + std::to_string(kind));
  }
  ASSIGN_OR_RETURN(const uint64_t all, world.records->Count(kName, Everything(), {}));
  return all == live ? OkStatus() : Violation("a wrong count of all");
}

Status CheckAnswers(const World& world) {
  for (int64_t i = 0; i < kRecords; ++i) RETURN_IF_ERROR(CheckRecord(world, i));
  RETURN_IF_ERROR(CheckCounts(world));
  ASSIGN_OR_RETURN(const CollectionInfo info, world.database->GetCollection("documents"));
  for (uint64_t i = 0; i < kDocuments; ++i) {
    RETURN_IF_ERROR(
        CheckDocument(*world.database, info.id, "doc" + std::to_string(i), i == 0 ? 2 : 1));
  }
  return OkStatus();
}

// Answers right, takes writes, is clean, and answers right again.
Status CheckOld(const std::filesystem::path& dir) {
  {
    ASSIGN_OR_RETURN(const World world, OpenOld(dir));
    RETURN_IF_ERROR(CheckAnswers(world));
    Record record = RecordOf(kRecords + 1);
    RETURN_IF_ERROR(world.records->Upsert(kName, {record}, {}, {}).status());
    const std::vector<std::string> ids = {record.id};
    RETURN_IF_ERROR(world.records->Delete(kName, ids, {}, {}).status());
    RETURN_IF_ERROR(MaintainAll(world, kName));
  }
  CheckOptions options;
  options.dir = dir;
  options.memory_bytes = 16 << 20;
  ASSIGN_OR_RETURN(const CheckReport report, CheckData(options, {}));
  if (report.count > 0) return Violation("verify found: " + report.findings[0].what);
  ASSIGN_OR_RETURN(const World world, OpenOld(dir));
  return CheckAnswers(world);
}

Status Unpack(const std::filesystem::path& archive, const std::filesystem::path& to) {
  std::string program = "tar";
  std::string how = "-xzf";
  std::string from = archive.string();
  std::string option = "-C";
  std::string folder = to.string();
  char* const arguments[] = {program.data(), how.data(),    from.data(),
                             option.data(),  folder.data(), nullptr};
  pid_t child = 0;
  if (posix_spawnp(&child, "tar", nullptr, nullptr, arguments, environ) != 0) {
    return Violation("tar cannot be run");
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return OkStatus();
  return Violation("tar cannot read " + archive.string());
}

Result<std::vector<std::filesystem::path>> Archives() {
  std::vector<std::filesystem::path> archives;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(RAGSTONE_OLD_DATA, error)) {
    if (entry.path().extension() == ".gz") archives.push_back(entry.path());
  }
  if (archives.empty()) return Violation("there is no archive in " RAGSTONE_OLD_DATA);
  std::sort(archives.begin(), archives.end());
  return archives;
}

}  // namespace

Status MakeOldData(const std::filesystem::path& dir) {
  if (std::filesystem::exists(dir)) return Violation(dir.string() + " is there already");
  return Make(dir).WithContext("making " + dir.string());
}

Status RunOldData(const DrillOptions& options) {
  ASSIGN_OR_RETURN(const std::vector<std::filesystem::path> archives, Archives());
  return RunUnits(options, archives.size(), [&](uint64_t unit, Figures* figures) -> Status {
    const ScratchFolder folder(FolderInMemory(options), "old-data");
    RETURN_IF_ERROR(Unpack(archives[unit], folder.path()));
    *figures = {{"bytes", static_cast<double>(BytesIn(folder.path()))}};
    return CheckOld(folder.path()).WithContext(archives[unit].filename().string());
  });
}

}  // namespace ragstone::index::reliability
