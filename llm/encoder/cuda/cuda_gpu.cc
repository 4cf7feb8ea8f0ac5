#include "llm/encoder/cuda/cuda_gpu.h"

#include <cuda_runtime_api.h>

#include <string>
#include <utility>

#include "llm/encoder/cuda/cublas.h"
#include "llm/encoder/cuda/launch.h"

namespace ragstone::llm::gpu {
namespace {

// What NVIDIA advises for Hopper; older cards need less.
constexpr size_t kWorkspaceBytes = 32 << 20;

Status ToStatus(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return OkStatus();
  static_cast<void>(cudaGetLastError());  // else the next launch of this thread reports it again
  const std::string message =
      std::string("the GPU cannot ") + what + ": " + cudaGetErrorString(error);
  if (error == cudaErrorMemoryAllocation) {
    return ResourceExhausted(Reason::kMemoryLimit,
                             message + "; free some of its memory or set gpu_layers to 0");
  }
  return Unavailable(Reason::kWorkerUnavailable, message);
}

// A setting of the calling thread, so every call begins with it.
Status Select(int device) { return ToStatus(cudaSetDevice(device), "be selected"); }

class CudaGraph final : public Graph {
 public:
  explicit CudaGraph(cudaGraphExec_t graph) : graph_(graph) {}
  ~CudaGraph() override { cudaGraphExecDestroy(graph_); }
  cudaGraphExec_t get() const { return graph_; }

 private:
  const cudaGraphExec_t graph_;
};

class CudaQueue final : public Queue {
 public:
  CudaQueue(int device, const Info& info, std::shared_ptr<void> workspace)
      : device_(device), info_(info), workspace_(std::move(workspace)) {}
  ~CudaQueue() override {
    cudaSetDevice(device_);
    products_.reset();
    if (done_ != nullptr) cudaEventDestroy(done_);
    if (stream_ != nullptr) cudaStreamDestroy(stream_);
  }

  Status Start(Priority priority) {
    RETURN_IF_ERROR(Select(device_));
    int least = 0;
    int greatest = 0;
    RETURN_IF_ERROR(
        ToStatus(cudaDeviceGetStreamPriorityRange(&least, &greatest), "say priorities"));
    RETURN_IF_ERROR(
        ToStatus(cudaStreamCreateWithPriority(&stream_, cudaStreamNonBlocking,
                                              priority == Priority::kHigh ? greatest : least),
                 "make a queue"));
    if (priority == Priority::kLow) {
      RETURN_IF_ERROR(
          ToStatus(cudaEventCreateWithFlags(&done_, cudaEventBlockingSync | cudaEventDisableTiming),
                   "make a queue"));
    }
    ASSIGN_OR_RETURN(products_,
                     CublasProducts::Create(info_.type, workspace_.get(), kWorkspaceBytes));
    return OkStatus();
  }

  Status CopyIn(void* device, const void* host, size_t bytes) override {
    return Run("copy to its memory", [&] {
      return cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream_);
    });
  }
  Status CopyOut(void* host, const void* device, size_t bytes) override {
    return Run("copy from its memory", [&] {
      return cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream_);
    });
  }
  Status Embed(const EmbedCall& call) override {
    return Run("look up embeddings", [&] { return LaunchEmbed(info_.type, call, stream_); });
  }
  Status Normalize(const NormCall& call) override {
    return Run("normalise", [&] { return LaunchNorm(info_.type, call, stream_); });
  }
  Status Gelu(const GeluCall& call) override {
    return Run("compute GELU", [&] { return LaunchGelu(info_.type, call, stream_); });
  }
  Status Attend(const AttentionCall& call) override {
    return Run("compute attention",
               [&] { return LaunchAttention(info_.type, info_.tensor_attention, call, stream_); });
  }
  Status Pool(const PoolCall& call) override {
    return Run("pool", [&] { return LaunchPool(info_.type, call, stream_); });
  }
  Status Multiply(const MultiplyCall& call) override {
    RETURN_IF_ERROR(Select(device_));
    return products_->Multiply(call, stream_);
  }

  Status BeginRecording() override {
    return Run("record its work",
               [&] { return cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal); });
  }
  Result<std::unique_ptr<Graph>> EndRecording() override {
    RETURN_IF_ERROR(Select(device_));
    cudaGraph_t recorded = nullptr;
    RETURN_IF_ERROR(ToStatus(cudaStreamEndCapture(stream_, &recorded), "record its work"));
    cudaGraphExec_t graph = nullptr;
    const cudaError_t error = cudaGraphInstantiate(&graph, recorded, 0);
    cudaGraphDestroy(recorded);
    RETURN_IF_ERROR(ToStatus(error, "prepare recorded work"));
    return std::unique_ptr<Graph>(std::make_unique<CudaGraph>(graph));
  }
  Status Launch(const Graph& graph) override {
    return Run("start recorded work", [&] {
      return cudaGraphLaunch(static_cast<const CudaGraph&>(graph).get(), stream_);
    });
  }
  // Batches of documents are waited for asleep: the cores have texts to cut meanwhile. A question
  // is waited for by asking all the time, which saves it some microseconds.
  Status Wait() override {
    return Run("finish its work", [&] {
      if (done_ == nullptr) return cudaStreamSynchronize(stream_);
      const cudaError_t error = cudaEventRecord(done_, stream_);
      return error == cudaSuccess ? cudaEventSynchronize(done_) : error;
    });
  }

 private:
  template <typename F>
  Status Run(const char* what, const F& work) const {
    RETURN_IF_ERROR(Select(device_));
    return ToStatus(work(), what);
  }

  const int device_;
  const Info& info_;
  const std::shared_ptr<void> workspace_;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t done_ = nullptr;  // of low priority only
  std::unique_ptr<CublasProducts> products_;
};

class CudaGpu final : public Gpu {
 public:
  CudaGpu(int device, Info info) : device_(device), info_(std::move(info)) {}

  const Info& info() const override { return info_; }

  Result<std::shared_ptr<void>> Allocate(size_t bytes) override {
    RETURN_IF_ERROR(Select(device_));
    void* memory = nullptr;
    RETURN_IF_ERROR(ToStatus(cudaMalloc(&memory, bytes), "reserve memory"));
    std::shared_ptr<void> owned(memory, [device = device_](void* freed) {
      cudaSetDevice(device);
      cudaFree(freed);
    });
    RETURN_IF_ERROR(ToStatus(cudaMemset(memory, 0, bytes), "clear memory"));
    // Only this stream: other threads may be recording theirs.
    RETURN_IF_ERROR(ToStatus(cudaStreamSynchronize(cudaStreamLegacy), "clear memory"));
    return owned;
  }

  Result<std::shared_ptr<void>> AllocateHost(size_t bytes) override {
    RETURN_IF_ERROR(Select(device_));
    void* memory = nullptr;
    RETURN_IF_ERROR(ToStatus(cudaMallocHost(&memory, bytes), "reserve page-locked memory"));
    return std::shared_ptr<void>(memory, [](void* freed) { cudaFreeHost(freed); });
  }

  Status Upload(void* device, const void* host, size_t bytes) override {
    RETURN_IF_ERROR(Select(device_));
    RETURN_IF_ERROR(
        ToStatus(cudaMemcpy(device, host, bytes, cudaMemcpyHostToDevice), "copy to its memory"));
    // The copy may return before the last bytes have arrived, and our queues do not wait for it.
    return ToStatus(cudaStreamSynchronize(cudaStreamLegacy), "copy to its memory");
  }

  Result<std::unique_ptr<Queue>> NewQueue(Priority priority) override {
    ASSIGN_OR_RETURN(std::shared_ptr<void> workspace, Allocate(kWorkspaceBytes));
    auto queue = std::make_unique<CudaQueue>(device_, info_, std::move(workspace));
    RETURN_IF_ERROR(queue->Start(priority));
    return std::unique_ptr<Queue>(std::move(queue));
  }

 private:
  const int device_;
  const Info info_;
};

}  // namespace

Result<std::unique_ptr<Gpu>> OpenCudaGpu(int device) {
  cudaDeviceProp properties{};
  RETURN_IF_ERROR(ToStatus(cudaGetDeviceProperties(&properties, device), "be found"));
  RETURN_IF_ERROR(Select(device));
  Info info;
  info.name = "CUDA" + std::to_string(device) + " " + properties.name;
  int capability = 0;
  RETURN_IF_ERROR(ToStatus(CompiledCapability(&capability),
                           "run this program, which was built for other GPUs"));
  info.type = capability >= 80 ? Type::kBf16 : capability >= 70 ? Type::kF16 : Type::kF32;
  info.tensor_attention = capability >= 75;
  info.cache_bytes = static_cast<uint64_t>(properties.l2CacheSize);
  size_t free_bytes = 0;
  size_t all_bytes = 0;
  RETURN_IF_ERROR(ToStatus(cudaMemGetInfo(&free_bytes, &all_bytes), "say its memory"));
  info.memory_bytes = free_bytes;
  return std::unique_ptr<Gpu>(std::make_unique<CudaGpu>(device, std::move(info)));
}

}  // namespace ragstone::llm::gpu
