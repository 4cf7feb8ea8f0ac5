#pragma once

#include <atomic>
#include <memory>

#include "llm/encoder/gpu/gpu.h"

namespace ragstone::llm::gpu {

// A GPU whose kernels are those of llm/encoder/cuda, run on the CPU (emulated_device.h); products
// are plain loops that round to the GPU's type as cuBLASLt does. All queues run their work at once,
// in the thread that queues it.
class EmulatedGpu final : public Gpu {
 public:
  EmulatedGpu(Type type, bool tensor_attention);

  const Info& info() const override { return info_; }
  Result<std::shared_ptr<void>> Allocate(size_t bytes) override;
  Result<std::shared_ptr<void>> AllocateHost(size_t bytes) override;
  Status Upload(void* device, const void* host, size_t bytes) override;
  Result<std::unique_ptr<Queue>> NewQueue(Priority priority) override;

  // After this many further calls queued every call fails, as after a fault of the device.
  void FailAfter(int calls) { calls_left_ = calls; }
  int graphs_launched() const { return graphs_launched_; }

 private:
  friend class EmulatedQueue;

  Info info_;
  std::atomic<int> calls_left_{1 << 30};
  std::atomic<int> graphs_launched_{0};
};

}  // namespace ragstone::llm::gpu
