#pragma once

#include <cstdint>
#include <vector>

#include "index/internal/records_db/stored_spec.h"

namespace ragstone::index::records {

// Memory that a record takes while its vectors grow, about.
uint64_t RowMemory(const StoredSpec& stored);

// How many rows each growing part of a collection takes, if `seal_rows` are asked for: fewer where
// they would take more than an eighth of the limit (0: there is none), but not so few that sealing
// them saves nothing.
size_t SealRowsWithin(const StoredSpec& stored, size_t seal_rows, uint64_t limit);

// What of a limit falls to a collection, if all collections are to be in memory at once and none
// may have more than another that needs more too: what the others leave if everybody's need fits,
// else the level at which the needs, cut to it, fill the limit. It follows from what is stored, not
// from what happens to be loaded or searched, so that it changes slowly.
uint64_t FairShare(uint64_t limit, uint64_t need, std::vector<uint64_t> needs_of_others);

// About what the indexes of so many records take with graphs over all vectors, of which none is
// absent.
struct MemoryNeed {
  uint64_t vectors = 0;
  uint64_t rest = 0;  // fields, sparse vectors, vectors that are not sealed yet
};
MemoryNeed NeedOf(const StoredSpec& stored, uint64_t records, size_t seal_rows);
// The same with every vector as small as its description allows: at least so much memory is needed
// to search them.
uint64_t LeastNeed(const StoredSpec& stored, uint64_t records, size_t seal_rows);

// What the vectors of one name may take of the collection's share: as much of what all of its
// vectors may take as of what they need.
struct ShareOfRecords {
  uint64_t share = 0;  // the collection's; 0: there is no limit, and none follows
  uint64_t records = 0;
  size_t seal_rows = 0;
};
uint64_t VectorShare(const StoredSpec& stored, const VectorField& field, const ShareOfRecords& of);

// What there is where nobody set a limit: three quarters of the machine's memory; 0: unknown.
uint64_t MachineShare();

}  // namespace ragstone::index::records
