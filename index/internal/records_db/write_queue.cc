#include "index/internal/records_db/write_queue.h"

namespace ragstone::index::records {
namespace {

// A group is as large as pays: an fsync costs as much as writing about so many bytes.
constexpr size_t kGroupBytesMax = 16 << 20;
constexpr size_t kGroupWritesMax = 1024;

}  // namespace

std::vector<WriteOp*> WriteQueue::Enter(WriteOp* op) {
  MutexLock lock(&mutex_);
  waiting_.push_back(op);
  while (!op->done && (writing_ || waiting_.front() != op)) changed_.Wait(&mutex_);
  std::vector<WriteOp*> group;
  if (op->done) return group;
  writing_ = true;
  size_t bytes = 0;
  while (!waiting_.empty() && group.size() < kGroupWritesMax) {
    WriteOp* const next = waiting_.front();
    // What a filter selects is known once everything before it is in the indexes.
    const bool alone = next->by_filter() || (!group.empty() && group.back()->by_filter());
    if (!group.empty() && (alone || bytes + next->bytes > kGroupBytesMax)) break;
    bytes += next->bytes;
    group.push_back(next);
    waiting_.pop_front();
  }
  return group;
}

void WriteQueue::Done(const std::vector<WriteOp*>& group) {
  MutexLock lock(&mutex_);
  for (WriteOp* const op : group) op->done = true;
  writing_ = false;
  changed_.NotifyAll();
}

}  // namespace ragstone::index::records
