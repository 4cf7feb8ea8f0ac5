// Collections, their names, what dropped ones left, counters.
#include "index/filter/names.h"
#include "index/internal/coding.h"
#include "index/internal/core.h"
#include "index/internal/operations/check.h"
#include "index/internal/records_db/request_book.h"

namespace ragstone::index::operations {
namespace {

constexpr std::string_view kStatsPrefix = "stats/";
constexpr std::string_view kStatePrefix = "record-state/";
constexpr std::string_view kHorizonPrefix = "record-horizon/";
constexpr std::string_view kNamePrefix = "record-name/";

// Families whose keys begin with a collection.
constexpr Family kOfCollections[] = {
    Family::kDocument, Family::kSource,   Family::kPending,    Family::kBatch,
    Family::kPage,     Family::kChunk,    Family::kVector,     Family::kPosting,
    Family::kRecord,   Family::kRecordId, Family::kRecordGone, Family::kRecordRequest};

// Calls `visit(id, value)` for the keys of a prefix that go on with a collection.
template <typename Visit>
Status VisitMeta(CheckEnv* env, std::string_view prefix, const Visit& visit) {
  const std::unique_ptr<StoreIterator> it = env->store->NewIterator(Family::kMeta);
  for (it->Seek(prefix); it->ValidWithPrefix(prefix); it->Next()) {
    const std::string_view rest = it->key().substr(prefix.size());
    if (rest.size() != sizeof(CollectionId)) {
      env->findings->Add({"collections", "", "",
                          "a key of \"" + std::string(prefix) + "\" has " +
                              std::to_string(rest.size()) + " bytes behind it",
                          "it is not read", false, false});
      continue;
    }
    const CollectionId id = Decoder(rest).U32();
    Raise(id, &env->highest.collection);
    RETURN_IF_ERROR(visit(id, it->value()));
  }
  return it->status();
}

Status LoadDocuments(CheckEnv* env, Catalog* catalog) {
  return VisitMeta(env, kMetaCollectionPrefix, [&](CollectionId id, std::string_view value) {
    const Result<CollectionInfo> info = DecodeCollection(value);
    if (info.ok() && info->id == id) {
      catalog->documents[id] = *info;
    } else {
      catalog->unreadable.insert(id);
      env->findings->Add({"collections", CollectionText(id), "",
                          "the description of the collection is damaged",
                          "the server does not start; restore a backup", false, false});
    }
    return OkStatus();
  });
}

Status LoadRecords(CheckEnv* env, Catalog* catalog) {
  return VisitMeta(env, records::kSpecPrefix, [&](CollectionId id, std::string_view value) {
    Result<records::StoredSpec> spec = records::DecodeStoredSpec(value);
    if (spec.ok() && spec->id == id) {
      catalog->records[id] = *std::move(spec);
    } else {
      catalog->unreadable.insert(id);
      env->findings->Add({"collections", CollectionText(id), "",
                          "the description of the record collection is damaged",
                          "the server does not start; restore a backup", false, false});
    }
    return OkStatus();
  });
}

// What belongs to collections that are not there.
Status CheckOrphans(CheckEnv* env, const Catalog& catalog) {
  const auto orphan = [&](std::string_view prefix, CollectionId id) -> Status {
    return env->findings->Add({"collections", CollectionText(id), "",
                               "\"" + std::string(prefix) + "\" belongs to no collection",
                               "it takes up room", false, false},
                              [&](StoreBatch* batch) {
                                batch->Delete(Family::kMeta,
                                              std::string(prefix) + CollectionKey(id));
                              });
  };
  RETURN_IF_ERROR(VisitMeta(env, kStatsPrefix, [&](CollectionId id, std::string_view) {
    const bool known = catalog.documents.count(id) + catalog.unreadable.count(id) > 0;
    return known ? OkStatus() : orphan(kStatsPrefix, id);
  }));
  for (const std::string_view prefix : {kStatePrefix, kHorizonPrefix}) {
    RETURN_IF_ERROR(VisitMeta(env, prefix, [&](CollectionId id, std::string_view) {
      const bool known = catalog.records.count(id) + catalog.unreadable.count(id) > 0;
      return known ? OkStatus() : orphan(prefix, id);
    }));
  }
  return OkStatus();
}

Status CheckNames(CheckEnv* env, const Catalog& catalog) {
  std::map<std::string, CollectionId> names;
  for (const auto& [id, info] : catalog.documents) {
    if (names.emplace(info.spec.name, id).second) continue;
    env->findings->Add({"collections", info.spec.name, "", "two collections have this name",
                        "one of them is not reachable; restore a backup", false, false});
  }
  for (const auto& [id, spec] : catalog.records) {
    const std::string& name = spec.spec.name;
    if (!names.emplace(name, id).second) {
      env->findings->Add({"collections", name, "", "two collections have this name",
                          "one of them is not reachable; restore a backup", false, false});
    }
    ASSIGN_OR_RETURN(const std::optional<std::string> stored,
                     env->store->Get(Family::kMeta, records::NameKey(name)));
    if (stored == records::EncodeIdRow(id)) continue;
    RETURN_IF_ERROR(env->findings->Add(
        {"collections", name, "", "the name of the record collection is not noted",
         "a collection of documents could get the same name", false, false},
        [&](StoreBatch* batch) {
          batch->Put(Family::kMeta, records::NameKey(name), records::EncodeIdRow(id));
        }));
  }
  const std::unique_ptr<StoreIterator> it = env->store->NewIterator(Family::kMeta);
  for (it->Seek(kNamePrefix); it->ValidWithPrefix(kNamePrefix); it->Next()) {
    const std::string name(it->key().substr(kNamePrefix.size()));
    const auto found = names.find(name);
    if (found != names.end() && catalog.records.count(found->second) > 0) continue;
    RETURN_IF_ERROR(env->findings->Add(
        {"collections", name, "", "the name belongs to no record collection",
         "no collection of documents can have it", false, false},
        [&](StoreBatch* batch) { batch->Delete(Family::kMeta, records::NameKey(name)); }));
  }
  return it->status();
}

Status CheckCounter(CheckEnv* env, const std::string& name, uint64_t highest) {
  ASSIGN_OR_RETURN(const std::optional<std::string> stored, env->store->Get(Family::kMeta, name));
  // The number of the next one; nothing was given before there is a counter.
  const Result<uint64_t> next = stored.has_value() ? DecodeNumber(*stored) : Result<uint64_t>(1);
  if (next.ok() && *next > highest) return OkStatus();
  return env->findings->Add(
      {"counters", "", name,
       next.ok()
           ? "it is " + std::to_string(*next) + ", and " + std::to_string(highest) + " is in use"
           : "it is damaged",
       "a number could be given twice", false, false},
      [&](StoreBatch* batch) { batch->Put(Family::kMeta, name, EncodeNumber(highest + 1)); });
}

}  // namespace

Result<Catalog> CheckCatalog(CheckEnv* env) {
  Catalog catalog;
  RETURN_IF_ERROR(LoadDocuments(env, &catalog));
  RETURN_IF_ERROR(LoadRecords(env, &catalog));
  for (const std::string_view prefix : {kMetaDropPrefix, records::kDropPrefix}) {
    RETURN_IF_ERROR(VisitMeta(env, prefix, [&](CollectionId id, std::string_view) {
      catalog.dropped.insert(id);
      return OkStatus();
    }));
  }
  RETURN_IF_ERROR(CheckOrphans(env, catalog));
  RETURN_IF_ERROR(CheckNames(env, catalog));
  return catalog;
}

Status CheckLeftovers(CheckEnv* env, const Catalog& catalog) {
  for (const Family family : kOfCollections) {
    const std::unique_ptr<StoreIterator> it = env->store->NewIterator(family);
    it->Seek("");
    while (it->Valid()) {
      Decoder in(it->key());
      const CollectionId id = in.U32();
      if (!in.ok()) {
        env->findings->Add(
            {"leftovers", "", "",
             "family " + std::string(FamilyName(family)) + " has a key that is too short",
             "it is not read", false, false});
        it->Next();
        continue;
      }
      const bool of_services = family == Family::kRecordRequest && id == records::kServiceRequests;
      if (!catalog.Known(id) && !of_services) {
        RETURN_IF_ERROR(env->findings->Add(
            {"leftovers", CollectionText(id), "",
             "family " + std::string(FamilyName(family)) + " has rows of no collection",
             "they take up room", false, false},
            [&](StoreBatch* batch) {
              batch->DeleteRange(family, CollectionKey(id), CollectionKey(id + 1));
            }));
      }
      if (id == UINT32_MAX) break;
      it->Seek(CollectionKey(id + 1));
    }
    RETURN_IF_ERROR(it->status());
  }
  return OkStatus();
}

Status CheckCounters(CheckEnv* env) {
  const HighestIds& highest = env->highest;
  RETURN_IF_ERROR(CheckCounter(env, "counter/collection", highest.collection));
  RETURN_IF_ERROR(CheckCounter(env, "counter/document", highest.document));
  RETURN_IF_ERROR(CheckCounter(env, "counter/chunk", highest.chunk));
  RETURN_IF_ERROR(CheckCounter(env, "counter/version", highest.version));
  RETURN_IF_ERROR(CheckCounter(env, "counter/sequence", highest.sequence));
  RETURN_IF_ERROR(CheckCounter(env, "counter/keyword-segment", highest.keyword_segment));
  return CheckCounter(env, "counter/record-keyword-segment", highest.record_keyword_segment);
}

}  // namespace ragstone::index::operations
