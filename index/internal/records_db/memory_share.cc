#include "index/internal/records_db/memory_share.h"

#include <unistd.h>

#include <algorithm>

#include "index/internal/records_db/vector_set.h"

namespace ragstone::index::records {
namespace {

uint64_t InputBytesOf(const StoredSpec& stored) {
  uint64_t bytes = 0;
  for (const VectorField& field : stored.spec.vectors) bytes += vectors::InputBytes(SpecOf(field));
  return bytes;
}

// What so many vectors of one name take by the method that is asked for, or by that which takes
// most.
uint64_t VectorNeed(const VectorField& field, uint64_t records) {
  const vectors::MethodQuestion question = QuestionOf(field, records, {});
  const auto choice = vectors::ChooseMethod(question);
  return choice.ok() ? choice->bytes : 0;
}

uint64_t LeastVectorNeed(const VectorField& field, uint64_t records) {
  const uint64_t need = VectorNeed(field, records);
  SealTerms terms;
  terms.memory_bytes = 1;
  const auto choice = vectors::ChooseMethod(QuestionOf(field, records, terms));
  return choice.ok() ? std::min(need, choice->bytes) : need;
}

// All but what sealed vectors take: one part of each name grows while another is sealed.
uint64_t RestNeed(const StoredSpec& stored, uint64_t records, size_t seal_rows) {
  uint64_t bytes = records * (RowMemory(stored) - InputBytesOf(stored));
  for (const VectorField& field : stored.spec.vectors) {
    const uint64_t growing = std::min<uint64_t>(records, 2 * SealRows(field, seal_rows));
    bytes += growing * vectors::InputBytes(SpecOf(field));
  }
  return bytes;
}

}  // namespace

uint64_t RowMemory(const StoredSpec& stored) {
  constexpr uint64_t kRow = 32;
  constexpr uint64_t kField = 16;
  constexpr uint64_t kVectorRow = 24;  // its number and its mark
  constexpr uint64_t kSparse = 512;
  return kRow + kField * stored.spec.schema.fields().size() +
         kVectorRow * stored.spec.vectors.size() + InputBytesOf(stored) +
         kSparse * stored.spec.sparse.size();
}

size_t SealRowsWithin(const StoredSpec& stored, size_t seal_rows, uint64_t limit) {
  const uint64_t row = InputBytesOf(stored);
  if (limit == 0 || row == 0) return seal_rows;
  // Up to so many are scanned, and take as much or more when they are sealed.
  const uint64_t least = vectors::MethodQuestion().scan_rows_max + 1;
  return std::min<uint64_t>(seal_rows, std::max(least, limit / 8 / row));
}

uint64_t FairShare(uint64_t limit, uint64_t need, std::vector<uint64_t> needs_of_others) {
  std::vector<uint64_t> needs = std::move(needs_of_others);
  std::sort(needs.begin(), needs.end());
  uint64_t left = limit;
  size_t sharers = needs.size() + 1;
  for (const uint64_t other : needs) {
    const uint64_t level = left / sharers;
    // All that are not smaller get as much, and so do we if we need it.
    if (other >= level || need <= level) break;
    left -= other;
    --sharers;
  }
  uint64_t all = need;
  for (const uint64_t other : needs) all += std::min(other, limit);
  return all <= limit ? limit - (all - need) : left / sharers;
}

MemoryNeed NeedOf(const StoredSpec& stored, uint64_t records, size_t seal_rows) {
  MemoryNeed need;
  need.rest = RestNeed(stored, records, seal_rows);
  for (const VectorField& field : stored.spec.vectors) need.vectors += VectorNeed(field, records);
  return need;
}

uint64_t LeastNeed(const StoredSpec& stored, uint64_t records, size_t seal_rows) {
  uint64_t bytes = RestNeed(stored, records, seal_rows);
  for (const VectorField& field : stored.spec.vectors) bytes += LeastVectorNeed(field, records);
  return bytes;
}

uint64_t VectorShare(const StoredSpec& stored, const VectorField& field, const ShareOfRecords& of) {
  if (of.share == 0) return 0;
  const MemoryNeed need = NeedOf(stored, of.records, of.seal_rows);
  // Whatever else there is, something remains for vectors: what does not fit then is refused by
  // the budget, which counts what is there.
  const uint64_t room = std::max(of.share / 4, of.share - std::min(of.share, need.rest));
  const auto part = static_cast<double>(VectorNeed(field, of.records)) /
                    static_cast<double>(std::max<uint64_t>(1, need.vectors));
  return std::max<uint64_t>(1, static_cast<uint64_t>(static_cast<double>(room) * part));
}

uint64_t MachineShare() {
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long page = ::sysconf(_SC_PAGESIZE);
  if (pages <= 0 || page <= 0) return 0;
  return static_cast<uint64_t>(pages) / 4 * 3 * static_cast<uint64_t>(page);
}

}  // namespace ragstone::index::records
