#include "tests/unit/llm/encoder/gpu/emulated_gpu.h"

#include <cstdlib>
#include <cstring>
#include <functional>
#include <mutex>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/unit/llm/encoder/gpu/emulated_device.h"
// The kernels need the names above.
#include "llm/encoder/cuda/row_kernels.cuh"
// And these the ones of rows.
#include "llm/encoder/cuda/attention_kernels.cuh"

namespace ragstone::llm::gpu {
namespace {

using Work = std::function<void()>;

struct EmulatedGraph final : Graph {
  std::vector<Work> work;
};

// Calls `function` with a value of the type.
template <typename F>
void WithType(Type type, F function) {
  if (type == Type::kF32) function(float());
  if (type == Type::kF16) function(F16());
  if (type == Type::kBf16) function(Bf16());
}

// As launch.cu chooses.
template <typename F>
void WithPairs(uint32_t hidden, F function) {
  if (hidden == 384) return function(std::integral_constant<int, 384 / kPairStep>());
  if (hidden == 768) return function(std::integral_constant<int, 768 / kPairStep>());
  if (hidden == 1024) return function(std::integral_constant<int, 1024 / kPairStep>());
  function(std::integral_constant<int, 0>());
}

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

template <typename T>
void AttendOf(const AttentionCall& call, bool matrix) {
  const emulated::Launch launch{{call.bucket.tiles, call.heads}, kAttentionThreads};
  if constexpr (!std::is_same_v<T, float>) {
    if (matrix && call.head_size == 32) {
      return emulated::Run(launch, [&] { MatrixAttentionKernel<T, 32>(call); });
    }
    if (matrix && call.head_size == 64) {
      return emulated::Run(launch, [&] { MatrixAttentionKernel<T, 64>(call); });
    }
  }
  if (call.head_size <= 32) {
    emulated::Run(launch, [&] { PlainAttentionKernel<T, 32>(call); });
  } else if (call.head_size <= 64) {
    emulated::Run(launch, [&] { PlainAttentionKernel<T, 64>(call); });
  } else {
    emulated::Run(launch, [&] { PlainAttentionKernel<T, 128>(call); });
  }
}

emulated::Launch OfRows(const Bucket& bucket) {
  return {{(bucket.tokens + kRowsOfBlock - 1) / kRowsOfBlock, 1}, kRowThreads};
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
    return DoTyped([call]<typename T>(T) {
      WithPairs(call.hidden, [&](auto pairs) {
        emulated::Run(OfRows(call.bucket), [&] { EmbedKernel<T, decltype(pairs)::value>(call); });
      });
    });
  }
  Status Normalize(const NormCall& call) override {
    return DoTyped([call]<typename T>(T) {
      WithPairs(call.hidden, [&](auto pairs) {
        emulated::Run(OfRows(call.bucket), [&] { NormKernel<T, decltype(pairs)::value>(call); });
      });
    });
  }
  Status Gelu(const GeluCall& call) override {
    return DoTyped([call]<typename T>(T) {
      emulated::Run({{call.bucket.tokens, 1}, kGeluThreads, true}, [&] { GeluKernel<T>(call); });
    });
  }
  Status Pool(const PoolCall& call) override {
    return DoTyped([call]<typename T>(T) {
      emulated::Run({{call.bucket.tiles, 1}, kPoolThreads}, [&] { PoolKernel<T>(call); });
    });
  }
  Status Attend(const AttentionCall& call) override {
    const bool matrix = gpu_->info().tensor_attention;
    return DoTyped([call, matrix]<typename T>(T) { AttendOf<T>(call, matrix); });
  }
  Status Multiply(const MultiplyCall& call) override {
    return DoTyped([call]<typename T>(T) { MultiplyOf<T>(call); });
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
  template <typename F>
  Status DoTyped(F function) {
    return Do([type = gpu_->info().type, function] { WithType(type, function); });
  }

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
