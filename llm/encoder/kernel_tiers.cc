#include "llm/encoder/kernel_tiers.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <utility>

#include "llm/encoder/packed_weights.h"
#include "llm/float16.h"

namespace ragstone::llm {
namespace {

#if defined(__x86_64__)
// Groups of instructions that tables of kernels need.
enum Need : unsigned { kAvx2 = 1, kAvxVnni = 2, kAvx512 = 4, kBf16 = 8, kVnni = 16, kAmx = 32 };

// Linux grants the tile registers to a process that asks for them; see arch_prctl(2).
bool MayUseTiles() {
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  static const bool granted = syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
  return granted;
}

std::vector<std::string> MissingAmx() {
  std::vector<std::string> missing;
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  const bool known = __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0;
  const auto need = [&](unsigned bit, const char* name) {
    if (!known || (edx >> bit & 1) == 0) missing.emplace_back(name);
  };
  need(22, "amx-bf16");
  need(24, "amx-tile");
  need(25, "amx-int8");
  if (missing.empty() && !MayUseTiles()) {
    missing.emplace_back("the kernel's permission for AMX tiles");
  }
  return missing;
}

// The builtin does not know the name with every compiler. AVX2, asked for beside it, covers the
// state of the registers.
bool HasAvxVnni() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && (eax >> 4 & 1) != 0;
}

std::vector<std::string> Missing(unsigned needs) {
  std::vector<std::string> missing;
  __builtin_cpu_init();
  // The builtin takes literals only. It also checks that the operating system saves the registers.
#define RAGSTONE_NEED(need, name) \
  if ((needs & (need)) != 0 && !__builtin_cpu_supports(name)) missing.emplace_back(name)
  RAGSTONE_NEED(kAvx2, "avx2");
  RAGSTONE_NEED(kAvx2, "fma");
  RAGSTONE_NEED(kAvx2, "bmi");
  RAGSTONE_NEED(kAvx2, "bmi2");
  RAGSTONE_NEED(kAvx512, "avx512f");
  RAGSTONE_NEED(kAvx512, "avx512bw");
  RAGSTONE_NEED(kAvx512, "avx512cd");
  RAGSTONE_NEED(kAvx512, "avx512dq");
  RAGSTONE_NEED(kAvx512, "avx512vl");
  RAGSTONE_NEED(kBf16, "avx512bf16");
  RAGSTONE_NEED(kVnni, "avx512vnni");
#undef RAGSTONE_NEED
  if ((needs & kAvxVnni) != 0 && !HasAvxVnni()) missing.emplace_back("avxvnni");
  if ((needs & kAmx) != 0) {
    for (std::string& feature : MissingAmx()) missing.push_back(std::move(feature));
  }
  return missing;
}
#endif

// Relative to the largest value: what the rounding of the operands leaves.
double ErrorMax(const Kernels& kernels) {
  switch (kernels.product) {
    case ProductType::kF32:
      return 1e-5;
    case ProductType::kBf16:
      return 0.02;
    case ProductType::kInt8:
      return 0.05;
  }
  return 0;
}

// A block of activations through a linear layer, LayerNorm and attention. The rows have a length
// that no tile divides.
class Probe {
 public:
  explicit Probe(const Kernels& kernels) : kernels_(kernels) {
    std::mt19937 random(20261122);
    std::uniform_real_distribution<float> uniform(-1.0f, 1.0f);
    const auto fill = [&](std::vector<float>* values, size_t count) {
      values->resize(count);
      for (float& value : *values) value = uniform(random);
    };
    fill(&x_, kLength * kHidden);
    x_.resize(kRows * kHidden);
    fill(&weights_, 3 * kHidden * kHidden);
    fill(&layer_.bias, 3 * kHidden);
    fill(&gamma_, kHidden);
    fill(&beta_, kHidden);
    for (float& weight : weights_) weight *= 0.1f;
    layer_.weight.rows = 3 * kHidden;
    layer_.weight.columns = kHidden;
    layer_.weight.values = weights_.data();
  }

  std::vector<float> Run() {
    const PackedWeights packed({&layer_}, kernels_);
    const AlignedBuffer input(kRows * kHidden * 4), qkv(kRows * 3 * kHidden * 4),
        output(kRows * kHidden * 4), scratch(kernels_.attention_scratch(kLength, kHidden / kHeads));
    std::vector<float> scales(kRows);
    NormCall norm;
    norm.x = x_.data();
    norm.rows = kLength;
    norm.size = kHidden;
    norm.gamma = gamma_.data();
    norm.beta = beta_.data();
    norm.epsilon = 1e-12f;
    norm.input = input.data();
    norm.input_scales = scales.data();
    kernels_.norm(norm);
    LinearCall linear;
    linear.input = kernels_.product == ProductType::kF32 ? static_cast<void*>(x_.data())
                                                         : static_cast<void*>(input.data());
    linear.input_scales = kernels_.product == ProductType::kInt8 ? scales.data() : nullptr;
    linear.rows = kLength;
    linear.linear = &packed.linear();
    linear.epilogue = Epilogue::kGelu;
    linear.output = qkv.data();
    kernels_.linear(linear);
    RunSecond(qkv, packed.linear());
    AttentionCall attention;
    attention.qkv = qkv.data();
    attention.length = kLength;
    attention.heads = kHeads;
    attention.head_size = kHidden / kHeads;
    attention.scale = 0.3f;
    attention.output = output.data();
    attention.scratch = scratch.data();
    kernels_.attention(attention);
    std::vector<float> all = Values(output, kLength * kHidden);
    all.insert(all.end(), second_.begin(), second_.end());
    return all;
  }

 private:
  // The layer once more, on values as the first one gave them, in the other ending.
  void RunSecond(const AlignedBuffer& values, const PackedLinear& layer) {
    const AlignedBuffer input(kRows * kHidden);
    std::vector<float> scales(kRows);
    second_.assign(kLength * 3 * kHidden, 1.0f);
    LinearCall call;
    call.input = values.data();
    if (kernels_.product == ProductType::kInt8) {
      kernels_.quantize({values.data(), kLength, kHidden, reinterpret_cast<uint8_t*>(input.data()),
                         scales.data()});
      call.input = input.data();
      call.input_scales = scales.data();
    }
    call.rows = kLength;
    call.linear = &layer;
    call.epilogue = Epilogue::kAdd;
    call.output = second_.data();
    kernels_.linear(call);
  }

  static constexpr size_t kHidden = 128;
  static constexpr size_t kHeads = 4;
  static constexpr size_t kLength = 53;

  static constexpr size_t kRows = kLength + kRowsBeyond;
  std::vector<float> Values(const AlignedBuffer& buffer, size_t count) const {
    std::vector<float> values(count);
    for (size_t i = 0; i < count; ++i) {
      if (kernels_.value == ValueType::kF32) {
        std::memcpy(&values[i], buffer.data() + 4 * i, 4);
      } else {
        uint16_t bits = 0;
        std::memcpy(&bits, buffer.data() + 2 * i, 2);
        values[i] = FromBfloat16(bits);
      }
    }
    return values;
  }

  const Kernels& kernels_;
  std::vector<float> x_, weights_, gamma_, beta_, second_;
  BertLinear layer_;
};

// Whether this processor runs the worker for AVX-512.
bool HasAvx512Worker() {
#if defined(__x86_64__)
  return Missing(kAvx2 | kAvx512 | kBf16 | kVnni).empty();
#else
  return false;
#endif
}

bool IsWanted(const Kernels& kernels, std::string_view wanted) {
  if (wanted == "float") return kernels.product != ProductType::kInt8;
  if (wanted == "int8") return kernels.product == ProductType::kInt8;
  return wanted == kernels.tier;
}

}  // namespace

bool IsWithinWorkerTier(std::string_view tier, std::string_view worker_tier,
                        bool has_avx512_worker) {
  if (worker_tier == "v2") return tier == "portable";
  if (worker_tier != "avx2" && worker_tier != "cuda") return true;
  if (tier == "portable" || tier == "avx2" || tier == "avx-vnni") return true;
  return worker_tier == "avx2" && !has_avx512_worker;
}

std::vector<KernelTier> KernelTiers() {
  std::vector<KernelTier> tiers;
#if defined(__x86_64__)
  constexpr unsigned kWide = kAvx2 | kAvx512;
  tiers.push_back({&AmxBf16Kernels(), Missing(kWide | kBf16 | kAmx)});
  tiers.push_back({&Avx512Bf16Kernels(), Missing(kWide | kBf16)});
  tiers.push_back({&Avx512Kernels(), Missing(kWide)});
  tiers.push_back({&Avx2Kernels(), Missing(kAvx2)});
#endif
  tiers.push_back({&PortableKernels(), {}});
#if defined(__x86_64__)
  tiers.push_back({&AmxInt8Kernels(), Missing(kWide | kBf16 | kAmx)});
  tiers.push_back({&Avx512VnniKernels(), Missing(kWide | kBf16 | kVnni)});
  tiers.push_back({&Avx512VnniF32Kernels(), Missing(kWide | kVnni)});
  tiers.push_back({&AvxVnniKernels(), Missing(kAvx2 | kAvxVnni)});
#endif
  return tiers;
}

Status TestKernels(const KernelTier& tier) {
  const std::string name = tier.kernels->tier;
  if (!tier.missing.empty()) {
    std::string list;
    for (const std::string& feature : tier.missing) list += (list.empty() ? "" : ", ") + feature;
    return FailedPrecondition(Reason::kModelUnsupported,
                              "this processor lacks " + list + ", which " + name + " needs");
  }
  const std::vector<float> expected = Probe(PortableKernels()).Run();
  std::vector<float> got = Probe(*tier.kernels).Run();
  double largest = 0, error = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::abs(double{expected[i]}));
    if (!std::isfinite(got[i])) got[i] = std::numeric_limits<float>::max();
    error = std::max(error, std::abs(double{expected[i]} - got[i]));
  }
  if (error > ErrorMax(*tier.kernels) * largest) {
    return FailedPrecondition(Reason::kModelUnsupported,
                              "the encoder's kernels of tier " + name + " compute wrong values");
  }
  return OkStatus();
}

Result<const Kernels*> ChooseKernels(std::string_view wanted, std::string_view worker_tier) {
  std::string found;
  const bool has_avx512_worker = HasAvx512Worker();
  for (const KernelTier& tier : KernelTiers()) {
    if (!IsWanted(*tier.kernels, wanted)) continue;
    // What the worker is to stay within is looked at first: beyond it no kernel runs, not even to
    // be tested.
    const Status status =
        IsWithinWorkerTier(tier.kernels->tier, worker_tier, has_avx512_worker)
            ? TestKernels(tier)
            : FailedPrecondition(Reason::kModelUnsupported, std::string(tier.kernels->tier) +
                                                                " is beyond the worker's " +
                                                                std::string(worker_tier));
    if (status.ok()) return tier.kernels;
    found += (found.empty() ? "" : "; ") + status.message();
  }
  if (found.empty()) found = "there is no such tier";
  return FailedPrecondition(Reason::kModelUnsupported,
                            "no kernels for '" + std::string(wanted) + "': " + found);
}

}  // namespace ragstone::llm
