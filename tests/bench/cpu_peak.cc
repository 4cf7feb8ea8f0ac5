// Measures how many operations the processor can do in registers alone: `cpu_peak [THREADS]` prints
// lines of "INSTRUCTIONS TYPE GFLOP/s" (a multiplication and an addition are two), the best of
// several runs of all threads together, by the processor's time that they took. What the processor
// lacks is left out.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>

namespace {

constexpr int kRuns = 7;
constexpr double kRunSeconds = 0.15;
constexpr int64_t kStep = 200'000;

// Independent sums, enough to hide the latency of any of the instructions on two units.
#define RAGSTONE_ACCUMULATORS(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11)
constexpr int kAccumulators = 12;

// The compiler may neither leave out the sums nor keep them in memory: each step is an instruction
// that it cannot look into.
#define RAGSTONE_DECLARE(i) auto sum##i = zero;
#define RAGSTONE_STEP(i) asm volatile(RAGSTONE_INSTRUCTION : "+v"(sum##i) : "v"(a), "v"(b));
#define RAGSTONE_LOOP                     \
  RAGSTONE_ACCUMULATORS(RAGSTONE_DECLARE) \
  for (int64_t i = 0; i < steps; ++i) {   \
    RAGSTONE_ACCUMULATORS(RAGSTONE_STEP)  \
  }

#define RAGSTONE_INSTRUCTION "vfmadd231ps %2, %1, %0"
__attribute__((target("avx2,fma"))) void Avx2Fp32(int64_t steps) {
  const __m256 zero = _mm256_setzero_ps(), a = _mm256_set1_ps(0.5f), b = _mm256_set1_ps(0.25f);
  RAGSTONE_LOOP
}

__attribute__((target("avx512f"))) void Avx512Fp32(int64_t steps) {
  const __m512 zero = _mm512_setzero_ps(), a = _mm512_set1_ps(0.5f), b = _mm512_set1_ps(0.25f);
  RAGSTONE_LOOP
}
#undef RAGSTONE_INSTRUCTION

#define RAGSTONE_INSTRUCTION "vdpbf16ps %2, %1, %0"
__attribute__((target("avx512f"))) void Avx512Bf16(int64_t steps) {
  // Pairs of 0.5 as bfloat16.
  const __m512 zero = _mm512_setzero_ps();
  const __m512i a = _mm512_set1_epi16(0x3f00), b = a;
  RAGSTONE_LOOP
}
#undef RAGSTONE_INSTRUCTION

#define RAGSTONE_INSTRUCTION "vpdpbusd %2, %1, %0"
__attribute__((target("avx512f"))) void Avx512Int8(int64_t steps) {
  const __m512i zero = _mm512_setzero_si512(), a = _mm512_set1_epi8(1), b = a;
  RAGSTONE_LOOP
}
#undef RAGSTONE_INSTRUCTION

struct Kind {
  const char* name;
  bool supported;
  int operations;  // of one instruction
  void (*run)(int64_t steps);
};

// Processor time of the calling thread, which other load does not change.
double ThreadSeconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// GFLOP/s of all threads together, each by its own processor time.
double Rate(const Kind& kind, int threads, int64_t steps) {
  std::atomic<int> ready{0};
  std::vector<double> rates(threads);
  std::vector<std::thread> workers;
  for (int i = 0; i < threads; ++i) {
    workers.emplace_back([&, i] {
      ready.fetch_add(1);
      while (ready.load() < threads) std::this_thread::yield();
      const double begin = ThreadSeconds();
      kind.run(steps);
      rates[i] = static_cast<double>(steps) * kAccumulators * kind.operations /
                 (ThreadSeconds() - begin) / 1e9;
    });
  }
  for (std::thread& worker : workers) worker.join();
  double sum = 0;
  for (const double rate : rates) sum += rate;
  return sum;
}

void Measure(const Kind& kind, int threads) {
  const double first = Rate(kind, threads, kStep) / threads;
  const auto steps =
      static_cast<int64_t>(first * 1e9 * kRunSeconds / (kAccumulators * kind.operations));
  double best = 0;
  for (int run = 0; run < kRuns; ++run) best = std::max(best, Rate(kind, threads, steps));
  std::printf("%s %.1f\n", kind.name, best);
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  if (argc > 2 || threads < 1 || threads > 1024) {
    std::fprintf(stderr, "usage: cpu_peak [THREADS], 1 to 1024 threads\n");
    return 2;
  }
  __builtin_cpu_init();
  const bool avx512 = __builtin_cpu_supports("avx512f");
  const Kind kinds[] = {
      {"avx2 fp32", __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"), 16, Avx2Fp32},
      {"avx512 fp32", avx512, 32, Avx512Fp32},
      {"avx512 bf16", avx512 && __builtin_cpu_supports("avx512bf16"), 64, Avx512Bf16},
      {"avx512 int8", avx512 && __builtin_cpu_supports("avx512vnni"), 128, Avx512Int8},
  };
  for (const Kind& kind : kinds) {
    if (kind.supported) Measure(kind, threads);
  }
  return 0;
}

#else

int main() {
  std::fprintf(stderr, "cpu_peak: only written for x86-64\n");
  return 1;
}

#endif
