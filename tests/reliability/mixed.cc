// Threads that do everything at once: for ThreadSanitizer, and for answers that no order of the
// operations explains.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "tests/reliability/documents.h"

namespace ragstone::index::reliability {
namespace {

constexpr uint64_t kThreads = 16;
constexpr uint64_t kSecondsShort = 10;
constexpr uint32_t kDimensions = 8;
constexpr uint64_t kCollections = 3;
constexpr uint64_t kIds = 300;
constexpr uint64_t kSources = 6;

std::string NameOf(uint64_t number) { return "mixed" + std::to_string(number); }

class MixedThread {
 public:
  MixedThread(const World& world, CollectionId documents, uint64_t thread, uint64_t seed)
      : world_(world), documents_(documents), thread_(thread), random_(seed) {}

  Status Step() {
    name_ = NameOf(random_.Below(kCollections));
    const uint64_t dice = random_.Below(1000);
    if (dice < 8) return Expected(Restructure());
    if (dice < 300) return Expected(Upsert());
    if (dice < 380) return Expected(DeleteOrUpdate());
    if (dice < 500) return Expected(ReadBack());
    if (dice < 860) return Expected(Search());
    return Expected(Documents());
  }

 private:
  RecordDatabase& records() { return *world_.records; }
  std::string RandomId() { return "r" + std::to_string(random_.Below(kIds)); }

  // Other threads alter and drop what this one works on.
  static Status Expected(const Status& status) {
    switch (status.reason()) {
      case Reason::kCollectionNotFound:
      case Reason::kCollectionExists:
      case Reason::kVersionMismatch:
      case Reason::kInvalidArgument:  // a field that is not there just now
      case Reason::kDocumentNotFound:
        return OkStatus();
      default:
        break;
    }
    // A write by filter that met an alteration.
    if (status.code() == StatusCode::kAborted) return OkStatus();
    return status;
  }

  RecordCollectionSpec RandomSpec() {
    constexpr VectorMethod kMethods[] = {VectorMethod::kAuto, VectorMethod::kHnsw,
                                         VectorMethod::kExact};
    RecordCollectionSpec spec;
    spec.name = name_;
    VectorField field;
    field.name = "v";
    field.dimensions = kDimensions;
    field.storage = random_.OneIn(2) ? VectorStorage::kInt8 : VectorStorage::kFloat32;
    field.method = kMethods[random_.Below(3)];
    spec.vectors = {field};
    if (random_.OneIn(2)) spec.sparse = {{"s"}};
    std::vector<FieldSpec> fields = {
        {"kind", FieldType::kInteger}, {"group", FieldType::kKeyword}, {"body", FieldType::kText}};
    if (random_.OneIn(2)) fields.push_back({"extra", FieldType::kFloat});
    spec.schema = *Schema::Create(std::move(fields));
    spec.history_seconds = random_.OneIn(2) ? 1 : 0;
    spec.language = random_.OneIn(3) ? "none" : "en";
    return spec;
  }

  Status Restructure() {
    const uint64_t dice = random_.Below(4);
    if (dice == 0) RETURN_IF_ERROR(records().DropCollection(name_));
    if (dice <= 1) return records().CreateCollection(RandomSpec()).status();
    return records().AlterCollection(RandomSpec()).status();
  }

  Record RandomRecord() {
    Record record;
    record.id = RandomId();
    record.vectors["v"] = NormalVector(&random_, kDimensions);
    if (random_.OneIn(4)) record.vectors["s"] = SparseVector{{1, 5}, {0.5f, 1.5f}};
    record.payload["kind"] = static_cast<int64_t>(random_.Below(10));
    record.payload["group"] = "g" + std::to_string(random_.Below(5));
    if (random_.OneIn(2)) {
      record.payload["body"] = "some words of thread" + std::to_string(thread_);
    }
    if (random_.OneIn(8)) record.payload["extra"] = random_.Unit();
    return record;
  }

  Status Upsert() {
    std::map<std::string, Record> batch;
    for (size_t i = 1 + random_.Below(12); i-- > 0;) {
      Record record = RandomRecord();
      batch[record.id] = std::move(record);
    }
    std::vector<Record> made;
    for (auto& [id, record] : batch) made.push_back(std::move(record));
    WriteOptions options;
    if (random_.OneIn(3)) options.request_id = "q" + std::to_string(random_.Next());
    if (random_.OneIn(8)) options.if_versions.resize(made.size());
    const Result<WriteResult> result = records().Upsert(name_, made, options, {});
    RETURN_IF_ERROR(result.status());
    if (result->affected != made.size()) return Violation("an upsert affected too few records");
    return OkStatus();
  }

  Status DeleteOrUpdate() {
    const Filter filter = And({Is("kind", static_cast<int64_t>(random_.Below(10))),
                               Equals("group", "g" + std::to_string(random_.Below(5)))});
    RecordSelector selector = filter;
    if (random_.OneIn(2)) selector = std::vector<std::string>{RandomId()};
    if (random_.OneIn(2)) return records().Delete(name_, selector, {}, {}).status();
    PayloadChange change;
    change.set["kind"] = static_cast<int64_t>(random_.Below(10));
    return records().UpdatePayload(name_, selector, change, {}, {}).status();
  }

  // Ids ascend and every record is what the filter asked for, whatever others do.
  Status ReadBack() {
    const int64_t kind = static_cast<int64_t>(random_.Below(10));
    ReadOptions options;
    options.vectors = random_.OneIn(2);
    const uint64_t dice = random_.Below(4);
    if (dice == 0) return records().Count(name_, Is("kind", kind), {}).status();
    if (dice == 1) {
      const std::vector<std::string> ids = {RandomId(), RandomId()};
      return records().Get(name_, ids, options).status();
    }
    if (dice == 2) return records().ListCollections("", 10).status();
    ASSIGN_OR_RETURN(const std::vector<Record> page,
                     records().Scroll(name_, Is("kind", kind), RandomId(), 50, options, {}));
    for (size_t i = 0; i < page.size(); ++i) {
      if (i > 0 && page[i].id <= page[i - 1].id) return Violation("a scroll is out of order");
      const auto value = page[i].payload.find("kind");
      if (value == page[i].payload.end() || value->second != PayloadValue(kind)) {
        return Violation("a scroll gave a record that does not match");
      }
    }
    return OkStatus();
  }

  RecordSearch RandomSearch() {
    RecordSearch search;
    search.top_k = 1 + random_.Below(15);
    const uint64_t dice = random_.Below(4);
    if (dice != 0) {
      search.vector_name = "v";
      search.vector = NormalVector(&random_, kDimensions);
    }
    if (dice <= 1) search.text = "words thread" + std::to_string(random_.Below(20));
    if (random_.OneIn(2)) search.filter = Is("kind", static_cast<int64_t>(random_.Below(10)));
    if (random_.OneIn(5)) {
      search.group_by = "group";
      search.group_size = 2;
    }
    search.exact = random_.OneIn(4);
    return search;
  }

  Status Search() {
    const uint64_t dice = random_.Below(10);
    if (dice == 0) {
      const std::vector<RecordSearch> searches = {RandomSearch(), RandomSearch(), RandomSearch()};
      return records().SearchBatch(name_, searches, {}).status();
    }
    if (dice == 1) {
      RecommendSearch search;
      search.positive = {RandomId()};
      search.search.vector_name = "v";
      const Status status = records().Recommend(name_, search, {}).status();
      return status.code() == StatusCode::kNotFound ? OkStatus() : status;
    }
    if (dice == 2) {
      RecordSearch search;
      search.vector_name = "s";
      search.vector = SparseVector{{1, 9}, {1.0f, 1.0f}};
      return records().Search(name_, search, {}).status();
    }
    const RecordSearch search = RandomSearch();
    ASSIGN_OR_RETURN(const std::vector<RecordHit> hits, records().Search(name_, search, {}));
    std::set<std::string> ids;
    for (const RecordHit& hit : hits) {
      if (!ids.insert(hit.record.id).second) return Violation("a search gave a record twice");
    }
    return OkStatus();
  }

  Status Documents() {
    Database& database = *world_.database;
    const uint64_t number = thread_ * kSources + random_.Below(kSources);
    const std::string source = "doc" + std::to_string(number);
    const uint64_t dice = random_.Below(10);
    if (dice == 0) {
      const uint64_t mark = random_.Below(1000);
      RETURN_IF_ERROR(PutDocument(&database, documents_, source, mark));
      return CheckDocument(database, documents_, source, mark);  // nobody else writes it
    }
    if (dice == 1) {
      ASSIGN_OR_RETURN(const std::optional<DocumentInfo> info,
                       database.FindBySource(documents_, source));
      return info.has_value() ? database.DeleteDocument(documents_, info->id, Batch()) : OkStatus();
    }
    const std::vector<float> vector = ChunkVector(source, random_.Below(1000), 3);
    SearchRequest search;
    search.vector = vector;
    search.text = "chunk 3";
    search.mode =
        dice < 5 ? SearchMode::kVector : (dice < 8 ? SearchMode::kKeyword : SearchMode::kHybrid);
    ASSIGN_OR_RETURN(const std::vector<SearchHit> hits,
                     database.Search(documents_, search, CallContext()));
    std::vector<ChunkId> ids;
    for (const SearchHit& hit : hits) ids.push_back(hit.chunk);
    return database.GetChunks(documents_, ids).status();
  }

  const World& world_;
  const CollectionId documents_;
  const uint64_t thread_;
  Random random_;
  std::string name_;
};

Status RunMixedOnce(const std::filesystem::path& dir, const DrillOptions& options,
                    Figures* figures) {
  ASSIGN_OR_RETURN(const World world, OpenWorld(dir));
  ASSIGN_OR_RETURN(const CollectionId documents,
                   DocumentCollection(world.database.get(), "documents"));
  const uint64_t threads = options.threads != 0 ? options.threads : kThreads;
  const uint64_t seconds = options.seconds != 0 ? options.seconds : kSecondsShort;
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  std::atomic<uint64_t> operations{0};
  std::atomic<bool> failed{false};
  std::vector<Status> statuses(threads);
  std::vector<std::thread> running;
  for (uint64_t thread = 0; thread < threads; ++thread) {
    running.emplace_back([&, thread] {
      MixedThread work(world, documents, thread, Mixed(options.seed, thread));
      while (!failed.load() && std::chrono::steady_clock::now() < until) {
        statuses[thread] = work.Step();
        ++operations;
        if (!statuses[thread].ok()) failed = true;
      }
    });
  }
  for (std::thread& thread : running) thread.join();
  for (const Status& status : statuses) {
    if (!status.ok()) return Violation(status.ToString());
  }
  const std::string error = WorkerError(world);
  if (!error.empty()) return Violation("the background thread failed: " + error);
  *figures = {{"operations", static_cast<double>(operations.load())},
              {"threads", static_cast<double>(threads)}};
  return OkStatus();
}

}  // namespace

Status RunMixed(const DrillOptions& options) {
  return RunUnits(options, 1, [&](uint64_t /*unit*/, Figures* figures) {
    const ScratchFolder folder(FolderInMemory(options), "mixed");
    return RunMixedOnce(folder.path(), options, figures);
  });
}

}  // namespace ragstone::index::reliability
