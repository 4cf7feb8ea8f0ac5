#include "index/internal/records_db/search_pool.h"

#include <algorithm>
#include <system_error>
#include <utility>

namespace ragstone::index::records {

SearchPool::SearchPool(uint32_t threads)
    : threads_max_(threads > 0 ? threads : std::max(1u, std::thread::hardware_concurrency())) {}

SearchPool::~SearchPool() {
  std::vector<std::thread> threads;
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
    threads.swap(threads_);
    wake_.NotifyAll();
  }
  for (std::thread& thread : threads) thread.join();
}

void SearchPool::Start() {
  while (threads_.size() + 1 < threads_max_) {
    try {
      threads_.emplace_back([this] { Serve(); });
    } catch (const std::system_error&) {
      return;  // the threads there are do the work, and the next batch tries again
    }
  }
}

void SearchPool::DoNext(const std::shared_ptr<Job>& job) {
  const size_t piece = job->next++;
  if (job->next == job->count) jobs_.erase(std::find(jobs_.begin(), jobs_.end(), job));
  mutex_.Unlock();
  (*job->work)(piece);
  mutex_.Lock();
  if (++job->done == job->count) job->finished.NotifyAll();
}

void SearchPool::Serve() {
  MutexLock lock(&mutex_);
  while (!stopping_) {
    if (jobs_.empty()) {
      wake_.Wait(&mutex_);
      continue;
    }
    // Batches take turns, so that a short one does not wait for a long one.
    std::shared_ptr<Job> job = std::move(jobs_.front());
    jobs_.pop_front();
    jobs_.push_back(job);
    DoNext(job);
  }
}

void SearchPool::Run(size_t count, const std::function<void(size_t)>& work) {
  if (count == 0) return;
  const auto job = std::make_shared<Job>();
  job->work = &work;
  job->count = count;
  MutexLock lock(&mutex_);
  jobs_.push_back(job);
  if (count > 1) {
    Start();
    wake_.NotifyAll();
  }
  while (job->next < job->count) DoNext(job);
  while (job->done < job->count) job->finished.Wait(&mutex_);
}

}  // namespace ragstone::index::records
