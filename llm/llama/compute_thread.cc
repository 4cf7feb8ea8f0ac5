#include "llm/llama/compute_thread.h"

#include <chrono>
#include <utility>

namespace ragstone::llm {
namespace {

// How soon a caller that has gone is noticed while it waits for its turn.
constexpr std::chrono::milliseconds kCheckPeriod(50);

}  // namespace

ComputeThread::ComputeThread(std::string name, size_t waiting_max)
    : name_(std::move(name)), waiting_max_(waiting_max), thread_([this] { Work(); }) {}

ComputeThread::~ComputeThread() {
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    wake_.NotifyAll();
  }
  thread_.join();
}

Status ComputeThread::Run(const std::function<Status()>& work, const CallContext& context) {
  RETURN_IF_ERROR(context.Check());
  Item item;
  item.work = &work;
  MutexLock lock(&mutex_);
  if (waiting_.size() >= waiting_max_) {
    return ResourceExhausted(Reason::kQueueFull, name_ + " has " + std::to_string(waiting_max_) +
                                                     " requests waiting; try again later");
  }
  waiting_.push_back(&item);
  wake_.NotifyOne();
  while (!item.done) {
    done_.WaitUntil(&mutex_, std::chrono::steady_clock::now() + kCheckPeriod);
    if (item.begun) continue;  // the work itself checks the context
    Status status = context.Check();
    if (!status.ok()) {
      waiting_.remove(&item);
      return status;
    }
  }
  return std::move(item.status);
}

void ComputeThread::Work() {
  for (;;) {
    Item* item = nullptr;
    {
      MutexLock lock(&mutex_);
      while (!stopping_ && waiting_.empty()) wake_.Wait(&mutex_);
      if (waiting_.empty()) return;
      item = waiting_.front();
      waiting_.pop_front();
      item->begun = true;
    }
    Status status = (*item->work)();
    MutexLock lock(&mutex_);
    item->status = std::move(status);
    item->done = true;
    done_.NotifyAll();
  }
}

}  // namespace ragstone::llm
