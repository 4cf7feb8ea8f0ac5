#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/status.h"
#include "index/internal/keywords/languages.h"
#include "index/internal/keywords/posting_list.h"
#include "index/internal/keywords/rows.h"

namespace ragstone::index::keywords {

// A run is what one batch of rows adds to a keyword index: a small inverted index in one value, so
// that a batch costs one key and not one for each of its words. Runs are merged later.

// How much of a term's weight BM25 gives to a frequency in a row of some length: k1 = 1.2, b =
// 0.75.
inline constexpr double kBm25K1 = 1.2;
inline constexpr double kBm25B = 0.75;
inline double FrequencyPart(double frequency, double length, double length_mean) {
  return frequency / (frequency + kBm25K1 * (1 - kBm25B + kBm25B * length / length_mean));
}
// The bound that lists over these rows keep of FrequencyPart; the table must outlive it.
BoundFunction BoundOver(const RowTable& rows);

// Makes the run of one batch. Not thread-safe.
class RunBuilder {
 public:
  explicit RunBuilder(Language language = Language()) : language_(language) {}
  // In ascending order of rows. The texts are fields that no phrase spans. Returns their length in
  // words.
  Result<uint32_t> Add(RowId row, std::span<const std::string_view> texts);
  const RowTable& rows() const { return rows_; }
  bool empty() const { return rows_.size() == 0; }
  // The run's bytes. The row table is stored beside them.
  std::string Encode() const;

 private:
  struct Term {
    std::vector<Posting> postings;
    std::vector<size_t> ends;  // of each posting's positions
    std::string positions;
    uint32_t last = 0;  // position
  };
  void AddTerm(const std::string& term, uint32_t ordinal, uint32_t position);

  const Language language_;
  RowTable rows_;
  std::unordered_map<std::string, Term> terms_;
};

// Reads a run's bytes, which must outlive it. Thread-safe.
class RunReader {
 public:
  static Result<RunReader> Open(std::string_view bytes);

  struct Term {
    std::string_view term;
    std::string_view list;       // one part
    std::string_view positions;  // one part; empty if the term has none
  };
  size_t size() const { return offsets_.size() / 4; }
  Result<Term> At(size_t i) const;  // in order of terms
  // The place of the first term that is not less.
  Result<size_t> LowerBound(std::string_view term) const;

 private:
  std::string_view offsets_;
  std::string_view entries_;
};

}  // namespace ragstone::index::keywords
