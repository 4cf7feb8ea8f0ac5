#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "index/record_database.h"

namespace ragstone::testing {

// A RecordDatabase of one collection in memory, without filters and searches: it keeps what it was
// asked last, so that tests see what arrives. Not thread-safe.
class FakeRecords : public index::RecordDatabase {
 public:
  Status error;                         // of every method, if set
  index::Database* database = nullptr;  // gets what is to be written with collections
  std::map<std::string, index::RecordCollectionInfo, std::less<>> collections;
  std::map<std::string, index::Record, std::less<>> records;
  uint64_t version = 0;
  std::vector<index::RecordHit> hits;  // of every search

  index::WriteOptions write_options;
  std::optional<index::RecordSelector> selector;
  std::optional<index::PayloadChange> change;
  mutable std::optional<index::RecordSearch> search;
  mutable std::optional<index::RecommendSearch> recommend;
  mutable std::optional<index::Filter> filter;
  mutable index::ReadOptions read;
  mutable std::vector<size_t> limits;  // of Scroll

  using RecordDatabase::CreateCollection;
  using RecordDatabase::DropCollection;
  Result<index::RecordCollectionInfo> CreateCollection(const index::RecordCollectionSpec& spec,
                                                       index::Batch also) override {
    RETURN_IF_ERROR(error);
    if (collections.contains(spec.name)) {
      return Status(StatusCode::kAlreadyExists, Reason::kCollectionExists,
                    "collection " + spec.name + " exists");
    }
    if (database != nullptr) RETURN_IF_ERROR(database->Write(std::move(also)));
    return collections[spec.name] = Info(spec);
  }
  Result<index::RecordCollectionInfo> AlterCollection(
      const index::RecordCollectionSpec& spec) override {
    RETURN_IF_ERROR(Find(spec.name).status());
    return collections[spec.name] = Info(spec);
  }
  Status DropCollection(std::string_view name, index::Batch also) override {
    RETURN_IF_ERROR(Find(name).status());
    if (database != nullptr) RETURN_IF_ERROR(database->Write(std::move(also)));
    collections.erase(collections.find(name));
    return OkStatus();
  }
  Result<index::RecordCollectionInfo> GetCollection(std::string_view name) const override {
    return Find(name);
  }
  Result<std::vector<index::RecordCollectionInfo>> ListCollections(std::string_view after,
                                                                   size_t limit) const override {
    RETURN_IF_ERROR(error);
    std::vector<index::RecordCollectionInfo> some;
    for (auto it = collections.upper_bound(after); it != collections.end() && some.size() < limit;
         ++it) {
      some.push_back(it->second);
    }
    return some;
  }

  Result<index::WriteResult> Upsert(std::string_view collection, std::vector<index::Record> given,
                                    const index::WriteOptions& options,
                                    const CallContext& /*context*/) override {
    RETURN_IF_ERROR(Find(collection).status());
    write_options = options;
    ++version;
    const size_t count = given.size();
    for (index::Record& record : given) {
      record.version = version;
      records[record.id] = std::move(record);
    }
    return index::WriteResult{version, count};
  }
  Result<index::WriteResult> Delete(std::string_view collection, const index::RecordSelector& what,
                                    const index::WriteOptions& options,
                                    const CallContext& /*context*/) override {
    RETURN_IF_ERROR(Find(collection).status());
    selector = what;
    write_options = options;
    return index::WriteResult{++version, 2};
  }
  Result<index::WriteResult> UpdatePayload(std::string_view collection,
                                           const index::RecordSelector& what,
                                           const index::PayloadChange& how,
                                           const index::WriteOptions& options,
                                           const CallContext& /*context*/) override {
    RETURN_IF_ERROR(Find(collection).status());
    selector = what;
    change = how;
    write_options = options;
    return index::WriteResult{++version, 1};
  }

  Result<std::vector<index::Record>> Get(std::string_view collection,
                                         std::span<const std::string> ids,
                                         const index::ReadOptions& options) const override {
    RETURN_IF_ERROR(Find(collection).status());
    read = options;
    std::vector<index::Record> found;
    for (const std::string& id : ids) {
      const auto record = records.find(id);
      if (record != records.end()) found.push_back(record->second);
    }
    return found;
  }
  Result<std::vector<index::Record>> Scroll(std::string_view collection, const index::Filter& asked,
                                            std::string_view after, size_t limit,
                                            const index::ReadOptions& options,
                                            const CallContext& /*context*/) const override {
    RETURN_IF_ERROR(Find(collection).status());
    filter = asked;
    read = options;
    limits.push_back(limit);
    std::vector<index::Record> some;
    size_t bytes = 0;
    for (auto it = records.upper_bound(after);
         it != records.end() && some.size() < limit && bytes <= options.page_bytes; ++it) {
      some.push_back(it->second);
      bytes += index::RecordBytes(it->second);
    }
    return some;
  }
  Result<uint64_t> Count(std::string_view collection, const index::Filter& asked,
                         const CallContext& /*context*/) const override {
    RETURN_IF_ERROR(Find(collection).status());
    filter = asked;
    return records.size();
  }
  Result<std::vector<index::RecordHit>> Search(std::string_view collection,
                                               const index::RecordSearch& asked,
                                               const CallContext& /*context*/) const override {
    RETURN_IF_ERROR(Find(collection).status());
    search = asked;
    return hits;
  }
  Result<std::vector<std::vector<index::RecordHit>>> SearchBatch(
      std::string_view collection, std::span<const index::RecordSearch> asked,
      const CallContext& /*context*/) const override {
    RETURN_IF_ERROR(Find(collection).status());
    return std::vector<std::vector<index::RecordHit>>(asked.size(), hits);
  }
  Result<std::vector<index::RecordHit>> Recommend(std::string_view collection,
                                                  const index::RecommendSearch& asked,
                                                  const CallContext& /*context*/) const override {
    RETURN_IF_ERROR(Find(collection).status());
    recommend = asked;
    return hits;
  }

 private:
  static index::RecordCollectionInfo Info(const index::RecordCollectionSpec& spec) {
    index::RecordCollectionInfo info;
    info.id = 1;
    info.spec = spec;
    info.created_ns = 5;
    info.index = {"exact: few vectors"};
    return info;
  }
  Result<index::RecordCollectionInfo> Find(std::string_view name) const {
    RETURN_IF_ERROR(error);
    const auto found = collections.find(name);
    if (found != collections.end()) return found->second;
    return NotFound(Reason::kCollectionNotFound, "no collection is named " + std::string(name));
  }
};

}  // namespace ragstone::testing
