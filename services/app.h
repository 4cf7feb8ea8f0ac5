#pragma once

#include <memory>

#include "base/clock.h"
#include "base/status.h"
#include "services/api.h"
#include "services/settings.h"
#include "services/worker_pool.h"

namespace ragstone::services {

// Everything behind the front doors: the database, blobs, models, workers and the jobs that run on
// them. The caller holds the data directory's lock (data_dir.h).
class App : public Api {
 public:
  // Opens the data directory and resumes the jobs that were interrupted.
  static Result<std::unique_ptr<App>> Open(const Settings& settings,
                                           std::unique_ptr<WorkerPool> workers, const Clock* clock);

  // Stops taking work and waits until jobs are at a point from which they resume.
  virtual void Shutdown() = 0;
  // Whether no job waits or runs.
  virtual bool Idle() const = 0;
};

}  // namespace ragstone::services
