#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/hash.h"

namespace ragstone::index {

using CollectionId = uint32_t;  // never reused
using DocumentId = uint64_t;    // never reused; unique over all collections
using ChunkId = uint64_t;       // never reused; ascending within a document version
using SequenceNumber = uint64_t;

// A typed value of user metadata.
struct Datetime {
  int64_t ns = 0;  // since 1970 UTC
  auto operator<=>(const Datetime&) const = default;
};
using MetadataValue =
    std::variant<std::string, int64_t, double, bool, Datetime, std::vector<std::string>>;
using Metadata = std::map<std::string, MetadataValue>;

enum class SearchMode : uint8_t { kHybrid, kVector, kKeyword };

// How a collection is searched where a request does not say.
struct CollectionSettings {
  SearchMode default_mode = SearchMode::kHybrid;
  // What the cosine of two unrelated texts counts as in hybrid searches, -1 to below 1; nothing:
  // what is known of the embedding model.
  std::optional<double> unrelated_cosine;
  bool operator==(const CollectionSettings&) const = default;
};

// What a collection is made with; fixed for its life, but for the settings.
struct CollectionSpec {
  std::string name;             // 1 to 128 of [A-Za-z0-9._-]
  std::string embedding_model;  // name, for people
  std::string fingerprint;      // of model, tokeniser, pooling, prefixes, numeric class
  uint32_t dimensions = 0;      // 1 to 8192
  // Of keyword search: "auto" (or ""; by the script of each word), "none" or an ISO 639-1 code.
  std::string language;
  CollectionSettings settings;  // at first; CollectionInfo has those of now
};

struct CollectionInfo {
  CollectionId id = 0;
  CollectionSpec spec;
  int64_t created_ns = 0;
  uint64_t documents = 0;  // published
  uint64_t chunks = 0;     // of published documents
  CollectionSettings settings;
  std::string index;  // how vectors are searched, why, and with which recall, for people
};

// A published document.
struct DocumentInfo {
  DocumentId id = 0;
  CollectionId collection = 0;
  std::string source;  // path or client's name: the replacement key
  Sha256Digest content;
  uint64_t bytes = 0;
  std::string media_type;
  std::string title;
  uint32_t pages = 0;
  uint32_t chunks = 0;
  Metadata metadata;
  int64_t created_ns = 0;
  int64_t updated_ns = 0;
  int64_t accessed_ns = 0;  // last asked; for the LRU of attachments
  std::vector<std::string> warnings;
};

// Points; origin at the top left of the page as displayed, y down.
struct Box {
  float x0 = 0, y0 = 0, x1 = 0, y1 = 0;
};

// A word of a page: bytes [begin, end) of the page's text and its box.
struct Word {
  uint32_t begin = 0, end = 0;
  Box box;
};

// One page of a document, as stored.
struct PageRecord {
  uint32_t number = 0;  // 1-based
  std::string label;    // the document's own; may be empty
  float width = 0, height = 0;
  uint64_t text_begin = 0;  // offset of `text` in the document's text
  std::string text;         // UTF-8
  std::vector<Word> words;  // empty for text files
};

// One chunk of a document. The document's text is its pages' texts joined by "\n"; `text` is
// exactly its bytes [begin, end).
struct ChunkRecord {
  ChunkId id = 0;           // given by the database
  DocumentId document = 0;  // given by the database
  uint32_t ordinal = 0;     // 0-based within the document
  uint32_t page_first = 1;  // 1-based
  uint32_t page_last = 1;
  uint32_t line_first = 0;  // 1-based line for text files, 0 for PDFs
  uint64_t begin = 0, end = 0;
  uint32_t tokens = 0;  // of the embedded text, by the embedding model
  std::string heading;  // headings above, joined by " > "
  std::string text;
  Sha256Digest embedded;  // hash of the text that was embedded (prefix, heading, text)
};

}  // namespace ragstone::index
