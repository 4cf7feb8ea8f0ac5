// Random operations against a map and exact search, with reopening on the way.
#include <algorithm>
#include <cmath>
#include <deque>

#include "tests/reliability/world.h"

namespace ragstone::index::reliability {
namespace {

constexpr uint64_t kShort = 20'000;
constexpr uint64_t kOperationsOfUnit = 20'000;
constexpr uint64_t kPool = 1000;  // ids
constexpr uint32_t kDimensions = 8;
constexpr uint64_t kRestartOneIn = 1000;
constexpr size_t kSnapshotsMax = 40;
constexpr double kRecallMin = 0.95;
constexpr std::string_view kName = "model";

struct Known {
  DenseVector vector;
  Payload payload;
  uint64_t version = 0;
};
using Map = std::map<std::string, Known>;

// A filter, and the same in C++.
struct Condition {
  Filter filter;
  std::function<bool(const Payload&)> matches;
};

int64_t Integer(const Payload& payload, std::string_view name) {
  const auto at = payload.find(name);
  return at == payload.end() ? INT64_MIN : std::get<int64_t>(at->second);
}

bool Holds(const Payload& payload, std::string_view name, const std::string& text) {
  const auto at = payload.find(name);
  if (at == payload.end()) return false;
  if (const auto* one = std::get_if<std::string>(&at->second)) return *one == text;
  const auto& list = std::get<ScalarList>(at->second);
  return std::find(list.begin(), list.end(), Scalar(text)) != list.end();
}

class ModelRun {
 public:
  ModelRun(std::filesystem::path dir, uint64_t seed) : dir_(std::move(dir)), random_(seed) {}

  Status Run(uint64_t operations, Figures* figures) {
    RETURN_IF_ERROR(Open());
    RETURN_IF_ERROR(Create());
    for (uint64_t i = 0; i < operations; ++i) {
      const Status status = random_.OneIn(kRestartOneIn) ? Restart() : Step();
      RETURN_IF_ERROR(status.WithContext("operation " + std::to_string(i)));
    }
    RETURN_IF_ERROR(CheckAll());
    const std::string error = WorkerError(world_);
    if (!error.empty()) return Violation("the background thread failed: " + error);
    const double recall = wanted_ == 0 ? 1 : static_cast<double>(recalled_) / wanted_;
    if (recall < kRecallMin) {
      return Violation("the recall of approximate searches is " + std::to_string(recall));
    }
    *figures = {{"operations", static_cast<double>(operations)},
                {"restarts", static_cast<double>(restarts_)},
                {"records", static_cast<double>(map_.size())},
                {"recall", recall}};
    return OkStatus();
  }

 private:
  RecordDatabase& records() { return *world_.records; }
  std::string RandomId() { return "id" + std::to_string(random_.Below(kPool)); }

  Status Open() {
    WorldOptions options;
    options.seal_rows = 200;  // parts are sealed, merged and get graphs all the time
    ASSIGN_OR_RETURN(world_, OpenWorld(dir_, options));
    return OkStatus();
  }

  Status Restart() {
    world_.Close();
    ++restarts_;
    RETURN_IF_ERROR(Open());
    return CheckAll();
  }

  RecordCollectionSpec Spec() const {
    RecordCollectionSpec spec;
    spec.name = kName;
    VectorField field;
    field.dimensions = kDimensions;
    field.metric = VectorMetric::kL2;
    field.storage = storage_;
    field.method = method_;
    spec.vectors = {field};
    std::vector<FieldSpec> fields = {{"year", FieldType::kInteger},
                                     {"lang", FieldType::kKeyword},
                                     {"note", FieldType::kKeyword, false, false},
                                     {"tags", FieldType::kKeyword, true},
                                     {"body", FieldType::kText}};
    if (extra_) fields.push_back({"extra", FieldType::kInteger});
    spec.schema = *Schema::Create(std::move(fields));
    spec.history_seconds = 24 * 3600;
    return spec;
  }

  Status Create() { return records().CreateCollection(Spec()).status(); }

  Payload RandomPayload() {
    Payload payload;
    payload["year"] = static_cast<int64_t>(random_.Below(20));
    if (!random_.OneIn(4)) payload["lang"] = std::string(random_.OneIn(2) ? "en" : "de");
    if (random_.OneIn(2)) payload["note"] = "n" + std::to_string(random_.Below(3));
    if (random_.OneIn(2)) {
      payload["tags"] = ScalarList{"t" + std::to_string(random_.Below(4)), std::string("t9")};
    }
    if (random_.OneIn(3)) payload["body"] = "word" + std::to_string(random_.Below(5)) + " said";
    if (extra_ && random_.OneIn(2)) payload["extra"] = static_cast<int64_t>(random_.Below(5));
    return payload;
  }

  Condition RandomCondition() {
    const int64_t year = static_cast<int64_t>(random_.Below(20));
    const std::string tag = "t" + std::to_string(random_.Below(4));
    const auto early = [year](const Payload& payload) { return Integer(payload, "year") <= year; };
    const Filter until = Range("year", std::nullopt, Bound{year, true});
    switch (random_.Below(6)) {
      case 0:
        return {until, early};
      case 1:
        return {Equals("lang", std::string("en")),
                [](const Payload& payload) { return Holds(payload, "lang", "en"); }};
      case 2:
        return {And({until, Not(Equals("lang", std::string("en")))}),
                [early](const Payload& payload) {
                  return early(payload) && !Holds(payload, "lang", "en");
                }};
      case 3:
        return {Or({Equals("tags", tag), Equals("note", std::string("n1"))}),
                [tag](const Payload& payload) {
                  return Holds(payload, "tags", tag) || Holds(payload, "note", "n1");
                }};
      case 4:
        return {And({Exists("body"), Is("year", year)}), [year](const Payload& payload) {
                  return payload.contains("body") && Integer(payload, "year") == year;
                }};
      default:
        return {Everything(), [](const Payload&) { return true; }};
    }
  }

  Status Step() {
    const uint64_t dice = random_.Below(1000);
    if (dice < 350) return Upsert();
    if (dice < 430) return DeleteIds();
    if (dice < 440) return DeleteMatches();
    if (dice < 520) return UpdateIds();
    if (dice < 530) return UpdateMatches();
    if (dice < 580) return Conditional();
    if (dice < 660) return ScrollPage();
    if (dice < 740) return Count();
    if (dice < 900) return Search(random_.OneIn(2));
    if (dice < 930) return SearchWords();
    if (dice < 990) return ReadHistory();
    if (dice < 997) return Alter();
    return dice < 999 ? CheckAll() : DropAndCreate();
  }

  // After a write: what there was before it can be read as of its version.
  void Written(uint64_t version) {
    if (!random_.OneIn(20)) return;
    snapshots_.emplace_back(version, map_);
    if (snapshots_.size() > kSnapshotsMax) snapshots_.pop_front();
  }

  Status Upsert() {
    Map changed;
    for (size_t i = 1 + random_.Below(10); i-- > 0;) {
      changed[RandomId()] = {NormalVector(&random_, kDimensions), RandomPayload(), 0};
    }
    return Put(std::move(changed), {});
  }

  Status Put(Map changed, const WriteOptions& options) {
    std::vector<Record> made;
    for (const auto& [id, known] : changed) {
      Record record;
      record.id = id;
      record.vectors[""] = known.vector;
      record.payload = known.payload;
      made.push_back(std::move(record));
    }
    ASSIGN_OR_RETURN(const WriteResult result,
                     records().Upsert(kName, std::move(made), options, {}));
    if (result.affected != changed.size()) return Violation("an upsert affected too few");
    for (auto& [id, known] : changed) {
      known.version = result.version;
      map_[id] = std::move(known);
    }
    Written(result.version);
    return OkStatus();
  }

  Status DeleteIds() {
    std::set<std::string> ids;
    for (size_t i = 1 + random_.Below(4); i-- > 0;) ids.insert(RandomId());
    ASSIGN_OR_RETURN(
        const WriteResult result,
        records().Delete(kName, std::vector<std::string>(ids.begin(), ids.end()), {}, {}));
    uint64_t gone = 0;
    for (const std::string& id : ids) gone += map_.erase(id);
    if (result.affected != gone) return Violation("a delete affected a wrong number");
    if (gone > 0) Written(result.version);
    return OkStatus();
  }

  Status DeleteMatches() {
    Condition condition = RandomCondition();
    const int64_t year = static_cast<int64_t>(random_.Below(20));  // so that most stay
    const Filter filter = And({condition.filter, Is("year", year)});
    ASSIGN_OR_RETURN(const WriteResult result, records().Delete(kName, filter, {}, {}));
    const size_t gone = std::erase_if(map_, [&](const auto& entry) {
      return Integer(entry.second.payload, "year") == year &&
             condition.matches(entry.second.payload);
    });
    if (result.affected != gone) return Violation("a delete by filter affected a wrong number");
    if (gone > 0) Written(result.version);
    return OkStatus();
  }

  void Change(const PayloadChange& change, uint64_t version, Known* known) {
    if (change.replace) known->payload.clear();
    for (const auto& [name, value] : change.set) {
      if (std::holds_alternative<std::monostate>(value)) {
        known->payload.erase(name);
      } else {
        known->payload[name] = value;
      }
    }
    known->version = version;
  }

  PayloadChange RandomChange() {
    PayloadChange change;
    change.replace = random_.OneIn(4);
    change.set = RandomPayload();
    if (random_.OneIn(3)) change.set["note"] = std::monostate();
    return change;
  }

  Status UpdateIds() {
    const std::string id = RandomId();
    const PayloadChange change = RandomChange();
    ASSIGN_OR_RETURN(const WriteResult result,
                     records().UpdatePayload(kName, std::vector<std::string>{id}, change, {}, {}));
    const auto known = map_.find(id);
    if (result.affected != (known == map_.end() ? 0 : 1)) return Violation("an update missed");
    if (known == map_.end()) return OkStatus();
    Change(change, result.version, &known->second);
    Written(result.version);
    return OkStatus();
  }

  Status UpdateMatches() {
    const Condition condition = RandomCondition();
    const PayloadChange change = RandomChange();
    ASSIGN_OR_RETURN(const WriteResult result,
                     records().UpdatePayload(kName, condition.filter, change, {}, {}));
    uint64_t affected = 0;
    for (auto& [id, known] : map_) {
      if (!condition.matches(known.payload)) continue;
      Change(change, result.version, &known);
      ++affected;
    }
    if (result.affected != affected) return Violation("an update by filter missed some");
    if (affected > 0) Written(result.version);
    return OkStatus();
  }

  Status Conditional() {
    const std::string id = RandomId();
    const auto known = map_.find(id);
    const uint64_t version = known == map_.end() ? 0 : known->second.version;
    WriteOptions options;
    options.if_versions = {random_.OneIn(2) ? version : version + 1};
    Map changed;
    changed[id] = {NormalVector(&random_, kDimensions), RandomPayload(), 0};
    const Status status = Put(std::move(changed), options);
    if (options.if_versions[0] == version) return status;
    return status.reason() == Reason::kVersionMismatch
               ? OkStatus()
               : Violation("a write with a wrong version was done: " + status.ToString());
  }

  Status CheckRecord(const Record& record, const Map& map) {
    const auto known = map.find(record.id);
    if (known == map.end()) return Violation(record.id + " should not be there");
    if (record.payload != known->second.payload || record.version != known->second.version ||
        record.vectors.size() != 1 || record.vectors.at("") != Vector(known->second.vector)) {
      return Violation(record.id + " is not what was written");
    }
    return OkStatus();
  }

  // A scroll of the page after `after` against the map that it must show.
  Status CheckPage(const Condition& condition, const std::string& after, size_t limit,
                   uint64_t as_of, const Map& map) {
    ReadOptions options;
    options.vectors = true;
    options.as_of = as_of;
    ASSIGN_OR_RETURN(const std::vector<Record> page,
                     records().Scroll(kName, condition.filter, after, limit, options, {}));
    size_t at = 0;
    for (auto known = map.upper_bound(after); known != map.end() && at < limit; ++known) {
      if (!condition.matches(known->second.payload)) continue;
      if (at >= page.size() || page[at].id != known->first) {
        return Violation("a scroll misses " + known->first);
      }
      RETURN_IF_ERROR(CheckRecord(page[at++], map));
    }
    return at == page.size() ? OkStatus() : Violation("a scroll gave too many records");
  }

  Status ScrollPage() {
    return CheckPage(RandomCondition(), random_.OneIn(2) ? "" : RandomId(), 1 + random_.Below(200),
                     0, map_);
  }

  Status Count() {
    const Condition condition = RandomCondition();
    ASSIGN_OR_RETURN(const uint64_t count, records().Count(kName, condition.filter, {}));
    const auto expected = std::count_if(map_.begin(), map_.end(), [&](const auto& entry) {
      return condition.matches(entry.second.payload);
    });
    return count == static_cast<uint64_t>(expected)
               ? OkStatus()
               : Violation("count says " + std::to_string(count) + " of " +
                           std::to_string(expected));
  }

  std::vector<std::string> Nearest(const DenseVector& query, size_t k,
                                   const Condition& condition) const {
    std::vector<std::pair<double, std::string>> found;
    for (const auto& [id, known] : map_) {
      if (!condition.matches(known.payload)) continue;
      found.emplace_back(DistanceTo(query, id), id);
    }
    std::sort(found.begin(), found.end());
    if (found.size() > k) found.resize(k);
    std::vector<std::string> ids;
    for (auto& [distance, id] : found) ids.push_back(std::move(id));
    return ids;
  }

  double DistanceTo(const DenseVector& query, const std::string& id) const {
    const DenseVector& vector = map_.at(id).vector;
    double distance = 0;
    for (size_t i = 0; i < query.size(); ++i) {
      distance += std::pow(double{query[i]} - double{vector[i]}, 2);
    }
    return distance;
  }

  // Whether a record may stand where another one was expected. Vectors that are kept in 16 bits are
  // exact to three digits.
  bool AsNear(const DenseVector& query, const std::string& id, const std::string& expected) const {
    if (id == expected) return true;
    const double margin = storage_ == VectorStorage::kFloat16 ? 0.01 : 1e-6;
    const double wanted = DistanceTo(query, expected);
    return std::abs(DistanceTo(query, id) - wanted) <= margin * (1 + wanted);
  }

  Status Search(bool exact) {
    const Condition condition = RandomCondition();
    RecordSearch search;
    search.vector = NormalVector(&random_, kDimensions);
    search.top_k = 1 + random_.Below(20);
    search.filter = condition.filter;
    search.exact = exact;
    ASSIGN_OR_RETURN(const std::vector<RecordHit> hits, records().Search(kName, search, {}));
    const DenseVector& query = std::get<DenseVector>(*search.vector);
    const std::vector<std::string> expected = Nearest(query, search.top_k, condition);
    if (hits.size() != expected.size()) {
      return Violation("a search gave " + std::to_string(hits.size()) + " hits instead of " +
                       std::to_string(expected.size()));
    }
    std::set<std::string> seen;
    for (size_t i = 0; i < hits.size(); ++i) {
      const auto known = map_.find(hits[i].record.id);
      if (known == map_.end() || !condition.matches(known->second.payload) ||
          hits[i].record.payload != known->second.payload) {
        return Violation("a search gave " + hits[i].record.id + ", which does not match");
      }
      if (!seen.insert(hits[i].record.id).second) return Violation("a search gave a record twice");
      if (exact && !AsNear(query, hits[i].record.id, expected[i])) {
        return Violation("an exact search gave " + hits[i].record.id + " in place " +
                         std::to_string(i) + " instead of " + expected[i] + ", storage " +
                         std::to_string(static_cast<int>(storage_)));
      }
    }
    if (exact) return OkStatus();
    wanted_ += expected.size();
    for (const std::string& id : expected) recalled_ += seen.count(id);
    return OkStatus();
  }

  Status SearchWords() {
    const std::string word = "word" + std::to_string(random_.Below(5));
    RecordSearch search;
    search.text = word;
    search.top_k = kPool;
    ASSIGN_OR_RETURN(const std::vector<RecordHit> hits, records().Search(kName, search, {}));
    std::set<std::string> found;
    for (const RecordHit& hit : hits) found.insert(hit.record.id);
    std::set<std::string> expected;
    for (const auto& [id, known] : map_) {
      if (Holds(known.payload, "body", word + " said")) expected.insert(id);
    }
    return found == expected && found.size() == hits.size()
               ? OkStatus()
               : Violation("a search by words gave other records than those with the word");
  }

  Status ReadHistory() {
    if (snapshots_.empty()) return OkStatus();
    const auto& [version, map] = snapshots_[random_.Below(snapshots_.size())];
    ReadOptions options;
    options.vectors = true;
    options.as_of = version;
    const std::string id = RandomId();
    ASSIGN_OR_RETURN(const std::vector<Record> found,
                     records().Get(kName, std::vector<std::string>{id}, options));
    if (found.size() != map.count(id)) return Violation("history has lost or invented " + id);
    for (const Record& record : found) RETURN_IF_ERROR(CheckRecord(record, map));
    return CheckPage(RandomCondition(), RandomId(), 50, version, map)
        .WithContext("as of version " + std::to_string(version));
  }

  Status Alter() {
    constexpr VectorStorage kStorages[] = {VectorStorage::kFloat32, VectorStorage::kFloat16,
                                           VectorStorage::kInt8};
    constexpr VectorMethod kMethods[] = {VectorMethod::kAuto, VectorMethod::kExact,
                                         VectorMethod::kHnsw};
    storage_ = kStorages[random_.Below(3)];
    method_ = kMethods[random_.Below(3)];
    extra_ = random_.OneIn(2);
    RETURN_IF_ERROR(records().AlterCollection(Spec()).status());
    if (extra_) return OkStatus();
    // Values of a field that was removed do not come back with it.
    for (auto& [id, known] : map_) known.payload.erase("extra");
    for (auto& [version, map] : snapshots_) {
      for (auto& [id, known] : map) known.payload.erase("extra");
    }
    return OkStatus();
  }

  Status DropAndCreate() {
    RETURN_IF_ERROR(records().DropCollection(kName));
    map_.clear();
    snapshots_.clear();
    return Create();
  }

  Status CheckAll() {
    Condition all{Everything(), [](const Payload&) { return true; }};
    RETURN_IF_ERROR(CheckPage(all, "", RecordDatabase::kTopKMax, 0, map_));
    ASSIGN_OR_RETURN(const uint64_t count, records().Count(kName, Everything(), {}));
    return count == map_.size() ? OkStatus() : Violation("the number of records is wrong");
  }

  const std::filesystem::path dir_;
  Random random_;
  World world_;
  Map map_;
  std::deque<std::pair<uint64_t, Map>> snapshots_;
  VectorStorage storage_ = VectorStorage::kFloat32;
  VectorMethod method_ = VectorMethod::kAuto;
  bool extra_ = true;
  uint64_t restarts_ = 0;
  uint64_t wanted_ = 0;
  uint64_t recalled_ = 0;
};

}  // namespace

Status RunModel(const DrillOptions& options) {
  const uint64_t all = options.count != 0 ? options.count : kShort;
  const uint64_t units = (all + kOperationsOfUnit - 1) / kOperationsOfUnit;
  return RunUnits(options, units, [&](uint64_t unit, Figures* figures) {
    const ScratchFolder folder(FolderInMemory(options), "model");
    return ModelRun(folder.path(), Mixed(options.seed, unit))
        .Run(std::min(kOperationsOfUnit, all - unit * kOperationsOfUnit), figures);
  });
}

}  // namespace ragstone::index::reliability
