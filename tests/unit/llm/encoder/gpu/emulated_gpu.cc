#include "tests/unit/llm/encoder/gpu/emulated_gpu.h"

#include <cstdlib>
#include <cstring>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "tests/unit/llm/encoder/gpu/emulated_device.h"
// The kernels need the names above.
#include "llm/encoder/cuda/row_kernels.cuh"
// And these the ones of rows.
#include "llm/encoder/cuda/attention_kernels.cuh"
// And this all kernels.
#include "llm/encoder/cuda/dispatch.cuh"

namespace ragstone::llm::gpu {
namespace {

using Work = std::function<void()>;

struct EmulatedGraph final : Graph {
  std::vector<Work> work;
};

struct EmulatedLauncher {
  template <typename Call>
  void Start(void (*kernel)(Call), const Grid& grid, const Call& call) const {
    emulated::Run({{grid.x, grid.y}, grid.threads, grid.independent}, [&] { kernel(call); });
  }
};

float ToFloat(float value) { return value; }
template <typename T>
float ToFloat(T value) {
  return FloatOf(value.bits, T{});
}
void Store(float* at, float value) { *at = value; }
template <typename T>
void Store(T* at, float value) {
  at->bits = BitsOf(value, T{});
}

template <typename T>
void MultiplyOf(const MultiplyCall& call) {
  const auto* input = static_cast<const T*>(call.input);
  const auto* weight = static_cast<const T*>(call.weight);
  const auto* bias = static_cast<const T*>(call.bias);
  auto* output = static_cast<T*>(call.output);
  std::vector<float> weights(size_t{call.outputs} * call.inputs);
  for (size_t i = 0; i < weights.size(); ++i) weights[i] = ToFloat(weight[i]);
  std::vector<float> row(call.inputs);
  for (size_t r = 0; r < call.rows; ++r) {
    for (size_t i = 0; i < call.inputs; ++i) row[i] = ToFloat(input[r * call.inputs + i]);
    for (size_t n = 0; n < call.outputs; ++n) {
      float sum = 0;
      for (size_t i = 0; i < call.inputs; ++i) sum += row[i] * weights[n * call.inputs + i];
      if (bias != nullptr) sum += ToFloat(bias[n]);
      Store(output + r * call.outputs + n, sum);
    }
  }
}

Result<std::shared_ptr<void>> Cleared(size_t bytes) {
  constexpr size_t kAlign = 256;
  const size_t rounded = (bytes + kAlign - 1) / kAlign * kAlign;
  void* memory = std::aligned_alloc(kAlign, rounded);
  std::memset(memory, 0, rounded);
  return std::shared_ptr<void>(memory, std::free);
}

}  // namespace

class EmulatedQueue final : public Queue {
 public:
  explicit EmulatedQueue(EmulatedGpu* gpu) : gpu_(gpu) {}

  Status CopyIn(void* device, const void* host, size_t bytes) override {
    return Do([=] { std::memcpy(device, host, bytes); });
  }
  Status CopyOut(void* host, const void* device, size_t bytes) override {
    return Do([=] { std::memcpy(host, device, bytes); });
  }
  Status Embed(const EmbedCall& call) override {
    return Do([=, type = type()] { DispatchEmbed(type, call, EmulatedLauncher()); });
  }
  Status Normalize(const NormCall& call) override {
    return Do([=, type = type()] { DispatchNorm(type, call, EmulatedLauncher()); });
  }
  Status Gelu(const GeluCall& call) override {
    return Do([=, type = type()] { DispatchGelu(type, call, EmulatedLauncher()); });
  }
  Status Pool(const PoolCall& call) override {
    return Do([=, type = type()] { DispatchPool(type, call, EmulatedLauncher()); });
  }
  Status Attend(const AttentionCall& call) override {
    const bool matrix = gpu_->info().tensor_attention;
    return Do([=, type = type()] { DispatchAttention(type, matrix, call, EmulatedLauncher()); });
  }
  Status Multiply(const MultiplyCall& call) override {
    return Do([=, type = type()] {
      WithType(type, [&](auto zero) { MultiplyOf<decltype(zero)>(call); });
    });
  }

  Status BeginRecording() override {
    recording_ = std::make_unique<EmulatedGraph>();
    return OkStatus();
  }
  Result<std::unique_ptr<Graph>> EndRecording() override {
    return std::unique_ptr<Graph>(std::move(recording_));
  }
  Status Launch(const Graph& graph) override {
    ++gpu_->graphs_launched_;
    return Do([&graph] {
      for (const Work& work : static_cast<const EmulatedGraph&>(graph).work) work();
    });
  }
  Status Wait() override { return OkStatus(); }

 private:
  Status Do(Work work) {
    if (gpu_->calls_left_ <= 0 || gpu_->calls_left_-- <= 0) {
      return Unavailable(Reason::kWorkerUnavailable, "the emulated GPU was told to fail");
    }
    if (recording_ != nullptr) {
      recording_->work.push_back(std::move(work));
      return OkStatus();
    }
    static std::recursive_mutex one_kernel;  // shared memory is static; a graph runs its kernels
    const std::lock_guard lock(one_kernel);
    work();
    return OkStatus();
  }
  Type type() const { return gpu_->info().type; }

  EmulatedGpu* const gpu_;
  std::unique_ptr<EmulatedGraph> recording_;
};

EmulatedGpu::EmulatedGpu(Type type, bool tensor_attention) {
  info_.name = "emulated GPU";
  info_.type = type;
  info_.tensor_attention = tensor_attention;
  info_.memory_bytes = 1 << 30;
}

Result<std::shared_ptr<void>> EmulatedGpu::Allocate(size_t bytes) { return Cleared(bytes); }
Result<std::shared_ptr<void>> EmulatedGpu::AllocateHost(size_t bytes) { return Cleared(bytes); }
Status EmulatedGpu::Upload(void* device, const void* host, size_t bytes) {
  std::memcpy(device, host, bytes);
  return OkStatus();
}
Result<std::unique_ptr<Queue>> EmulatedGpu::NewQueue(Priority) {
  return std::unique_ptr<Queue>(std::make_unique<EmulatedQueue>(this));
}

}  // namespace ragstone::llm::gpu
