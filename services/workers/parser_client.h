#pragma once

#include <memory>
#include <vector>

#include "base/mutex.h"
#include "ingest/document_parser.h"
#include "services/workers/process_slot.h"

namespace ragstone::services {

// A DocumentParser in worker processes. Each parse has a process to itself, so that a document that
// ends its worker costs no other one; as many run at a time as there are slots. A parse is never
// sent again. Thread-safe.
class RemoteParser : public ingest::DocumentParser {
 public:
  explicit RemoteParser(std::vector<std::unique_ptr<ProcessSlot>> slots);

  Status Parse(std::string_view bytes, const ingest::ParseLimits& limits,
               const ingest::PageSink& sink, const CallContext& context) override;

  const std::vector<std::unique_ptr<ProcessSlot>>& slots() const { return slots_; }

 private:
  Result<ProcessSlot*> TakeSlot(const CallContext& context);
  void GiveBack(ProcessSlot* slot);

  const std::vector<std::unique_ptr<ProcessSlot>> slots_;
  Mutex mutex_;
  CondVar changed_;
  std::vector<ProcessSlot*> free_ GUARDED_BY(mutex_);  // the last one used is the last
};

}  // namespace ragstone::services
