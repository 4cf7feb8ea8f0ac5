#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "llm/encoder/gpu/gpu_calls.h"

// What the encoder asks of a GPU: memory, queues of work, matrix products and our five kernels.
// llm/encoder/cuda has it on CUDA; the unit tests run the same kernels thread by thread on the CPU.
namespace ragstone::llm::gpu {

inline size_t BytesOf(Type type) { return type == Type::kF32 ? 4 : 2; }

struct Info {
  std::string name;  // such as "CUDA0 NVIDIA H100"
  Type type = Type::kF32;
  bool tensor_attention = false;  // attention by matrix instructions, at head sizes 32 and 64
  uint64_t memory_bytes = 0;      // free
  uint64_t cache_bytes = 0;       // second-level cache
};

// Recorded work.
class Graph {
 public:
  virtual ~Graph() = default;
};

// Work that runs in the order in which it was queued, while the caller goes on. For one thread at a
// time. Errors of the device come back as UNAVAILABLE from the call that notices them, which may be
// a later one; the queue is of no use afterwards.
class Queue {
 public:
  virtual ~Queue() = default;
  // Host memory is from AllocateHost and stays as it is until Wait.
  virtual Status CopyIn(void* device, const void* host, size_t bytes) = 0;
  virtual Status CopyOut(void* host, const void* device, size_t bytes) = 0;
  virtual Status Embed(const EmbedCall& call) = 0;
  virtual Status Normalize(const NormCall& call) = 0;
  virtual Status Gelu(const GeluCall& call) = 0;
  virtual Status Attend(const AttentionCall& call) = 0;
  virtual Status Pool(const PoolCall& call) = 0;
  virtual Status Multiply(const MultiplyCall& call) = 0;
  // What is queued between the two is recorded and not run. The same calls must have been run once
  // before: the first time chooses kernels of products.
  virtual Status BeginRecording() = 0;
  virtual Result<std::unique_ptr<Graph>> EndRecording() = 0;
  virtual Status Launch(const Graph& graph) = 0;
  // Until all is done.
  virtual Status Wait() = 0;
};

enum class Priority : uint8_t { kHigh, kLow };

// One GPU. Thread-safe.
class Gpu {
 public:
  virtual ~Gpu() = default;
  virtual const Info& info() const = 0;
  // Zeroed device memory, aligned to 256 bytes. RESOURCE_EXHAUSTED (MEMORY_LIMIT) if there is too
  // little.
  virtual Result<std::shared_ptr<void>> Allocate(size_t bytes) = 0;
  // Host memory that the device copies from and to while the host goes on.
  virtual Result<std::shared_ptr<void>> AllocateHost(size_t bytes) = 0;
  // Copies and waits.
  virtual Status Upload(void* device, const void* host, size_t bytes) = 0;
  virtual Result<std::unique_ptr<Queue>> NewQueue(Priority priority) = 0;
};

}  // namespace ragstone::llm::gpu
