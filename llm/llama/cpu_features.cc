#include "llm/llama/cpu_features.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <utility>

namespace ragstone::llm {
namespace {

std::string& TierStorage() {
  static auto* tier = new std::string("generic");
  return *tier;
}

#if defined(__x86_64__)
// clang 14's builtin does not know this name. AVX's register state, asked for beside it, covers it.
bool HasF16c() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}
#endif

}  // namespace

void SetCompiledTier(std::string tier) { TierStorage() = std::move(tier); }
std::string CompiledTier() { return TierStorage(); }

std::vector<std::string> MissingFeatures(const std::string& tier) {
  std::vector<std::string> missing;
#if defined(__x86_64__)
  __builtin_cpu_init();
// The builtin takes literals only. It also checks that the operating system saves the registers.
#define RAGSTONE_NEED(name) \
  if (!__builtin_cpu_supports(name)) missing.emplace_back(name)
  if (tier == "v2" || tier == "avx2" || tier == "avx512" || tier == "cuda") {
    RAGSTONE_NEED("ssse3");
    RAGSTONE_NEED("sse4.1");
    RAGSTONE_NEED("sse4.2");
    RAGSTONE_NEED("popcnt");
  }
  if (tier == "avx2" || tier == "avx512" || tier == "cuda") {
    RAGSTONE_NEED("avx");
    RAGSTONE_NEED("avx2");
    RAGSTONE_NEED("fma");
    RAGSTONE_NEED("bmi2");
    if (!HasF16c()) missing.emplace_back("f16c");
  }
  if (tier == "avx512") {
    RAGSTONE_NEED("avx512f");
    RAGSTONE_NEED("avx512cd");
    RAGSTONE_NEED("avx512vl");
    RAGSTONE_NEED("avx512dq");
    RAGSTONE_NEED("avx512bw");
    RAGSTONE_NEED("avx512vnni");
    RAGSTONE_NEED("avx512bf16");
  }
#undef RAGSTONE_NEED
#else
  static_cast<void>(tier);
#endif
  return missing;
}

}  // namespace ragstone::llm
