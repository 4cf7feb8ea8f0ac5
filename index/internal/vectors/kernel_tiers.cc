#include "index/internal/vectors/kernel_tiers.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <cmath>
#include <random>

namespace ragstone::index::vectors {
namespace {

#if defined(__x86_64__)
bool HasF16c() {
  // The compilers' builtin does not know this one everywhere.
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}
// The builtins also check that the operating system saves the registers.
bool RunsAvx2() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") && HasF16c();
}
bool RunsAvx512() {
  return RunsAvx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vl");
}
bool RunsVnni() { return RunsAvx512() && __builtin_cpu_supports("avx512vnni"); }
#endif

// Values for each kernel: five rows, so that blocks and single rows are both run.
struct Probe {
  static constexpr size_t kRows = 5;
  static constexpr size_t kUnits = 3;
  static constexpr size_t kBytes = kUnits * kRowUnit;

  Probe() {
    std::mt19937 random(20261123);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    for (size_t i = 0; i < kRows * kBytes / 4; ++i) floats[i] = Value(random());
    for (uint16_t& half : halves) half = static_cast<uint16_t>(0x3800 + random() % 0x400);
    for (float& value : float_query) value = Value(random());
    for (int8_t& value : byte_query) value = static_cast<int8_t>(random() % 255 - 127);
    for (uint64_t& value : bit_query) value = random();
  }
  static float Value(uint32_t bits) { return static_cast<float>(bits % 2001) / 1000.0f - 1.0f; }
  Rows RowsAt(const void* base) const {
    return {static_cast<const uint8_t*>(base), kBytes, kIds, kRows};
  }

  static constexpr uint32_t kIds[kRows] = {4, 0, 3, 1, 2};
  alignas(64) uint8_t bytes[kRows * kBytes];
  alignas(64) float floats[kRows * kBytes / 4];
  alignas(64) uint16_t halves[kRows * kBytes / 2];
  alignas(64) float float_query[kBytes / 2];
  alignas(64) int8_t byte_query[kBytes];
  alignas(64) uint64_t bit_query[kBytes / 8];
};

bool AgreesWithPortable(const Kernels& kernels) {
  const Probe probe;
  const Kernels& portable = PortableKernels();
  float expected[Probe::kRows], got[Probe::kRows];
  const auto floats_agree = [&](auto member, const void* base) {
    (portable.*member)(probe.float_query, probe.RowsAt(base), Probe::kUnits, expected);
    (kernels.*member)(probe.float_query, probe.RowsAt(base), Probe::kUnits, got);
    for (size_t i = 0; i < Probe::kRows; ++i) {
      if (!(std::abs(expected[i] - got[i]) <= 1e-4f * (1.0f + std::abs(expected[i])))) return false;
    }
    return true;
  };
  int32_t whole[Probe::kRows], got_whole[Probe::kRows];
  const auto wholes_agree = [&](auto member, auto query) {
    (portable.*member)(query, probe.RowsAt(probe.bytes), Probe::kUnits, whole);
    (kernels.*member)(query, probe.RowsAt(probe.bytes), Probe::kUnits, got_whole);
    for (size_t i = 0; i < Probe::kRows; ++i) {
      if (whole[i] != got_whole[i]) return false;
    }
    return true;
  };
  return floats_agree(&Kernels::dot_f32, probe.floats) &&
         floats_agree(&Kernels::l2_f32, probe.floats) &&
         floats_agree(&Kernels::dot_f16, probe.halves) &&
         floats_agree(&Kernels::l2_f16, probe.halves) &&
         wholes_agree(&Kernels::dot_u8, static_cast<const int8_t*>(probe.byte_query)) &&
         wholes_agree(&Kernels::hamming, static_cast<const uint64_t*>(probe.bit_query));
}

std::vector<const Kernels*> FindTiers() {
  std::vector<const Kernels*> tiers;
  const auto consider = [&](const Kernels& kernels) {
    if (AgreesWithPortable(kernels)) tiers.push_back(&kernels);
  };
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (RunsVnni()) consider(Avx512VnniKernels());
  if (RunsAvx512()) consider(Avx512Kernels());
  if (RunsAvx2()) consider(Avx2Kernels());
#endif
  consider(PortableKernels());
  return tiers;
}

}  // namespace

const std::vector<const Kernels*>& KernelTiers() {
  static const std::vector<const Kernels*>* const kTiers =
      new std::vector<const Kernels*>(FindTiers());
  return *kTiers;
}

const Kernels& BestKernels() { return *KernelTiers().front(); }

}  // namespace ragstone::index::vectors
