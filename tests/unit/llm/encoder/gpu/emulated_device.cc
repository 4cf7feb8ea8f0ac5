#include "tests/unit/llm/encoder/gpu/emulated_device.h"

#include <ucontext.h>

#include <bit>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#endif

namespace ragstone::llm::gpu::emulated {
namespace {

constexpr size_t kStackBytes = 256 << 10;
constexpr uint32_t kLanes = 32;

[[noreturn]] void Fail(const char* why) {
  std::fprintf(stderr, "emulated GPU: %s\n", why);
  std::abort();
}

enum class State : uint8_t { kRunnable, kAtBlockBarrier, kInExchange, kEnded };

struct Fiber {
  ucontext_t context{};
  char* stack = nullptr;  // null in an independent launch
  Index index;
  State state = State::kRunnable;
  int exchanges = 0;
  void* fake_stack = nullptr;  // AddressSanitizer's
};

struct Block {
  std::vector<Fiber> fibers;
  std::vector<WarpWords> words;  // two for each warp, used in turn
  ucontext_t scheduler{};
  void* scheduler_fake_stack = nullptr;
  const void* scheduler_stack = nullptr;
  size_t scheduler_stack_bytes = 0;
  Fiber* running = nullptr;
  Index index;
  const std::function<void()>* kernel = nullptr;
};

Block* g_block = nullptr;

void EnterFiber(void* fake_stack) {
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fake_stack, &g_block->scheduler_stack,
                                  &g_block->scheduler_stack_bytes);
#else
  static_cast<void>(fake_stack);
#endif
}

// To the scheduler, in `state`.
void Leave(State state) {
  Fiber* fiber = g_block->running;
  if (fiber->stack == nullptr) Fail("a thread of an independent launch waits for others");
  fiber->state = state;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(state == State::kEnded ? nullptr : &fiber->fake_stack,
                                 g_block->scheduler_stack, g_block->scheduler_stack_bytes);
#endif
  swapcontext(&fiber->context, &g_block->scheduler);
  EnterFiber(fiber->fake_stack);
}

void FiberMain() {
  EnterFiber(nullptr);
  (*g_block->kernel)();
  Leave(State::kEnded);
}

void Resume(Fiber* fiber) {
  g_block->running = fiber;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&g_block->scheduler_fake_stack, fiber->stack, kStackBytes);
#endif
  swapcontext(&g_block->scheduler, &fiber->context);
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(g_block->scheduler_fake_stack, nullptr, nullptr);
#endif
}

// Lets the fibers [first, first + count) go on if all of them wait in `state`.
bool Release(size_t first, size_t count, State state) {
  for (size_t i = first; i < first + count; ++i) {
    if (g_block->fibers[i].state != state) return false;
  }
  for (size_t i = first; i < first + count; ++i) g_block->fibers[i].state = State::kRunnable;
  return true;
}

void RunIndependently(uint32_t threads) {
  for (uint32_t i = 0; i < threads; ++i) {
    g_block->running = &g_block->fibers[i];
    g_block->running->index = {i, 0};
    (*g_block->kernel)();
  }
}

// Makes a fiber begin at the kernel.
void Prepare(Fiber* fiber, uint32_t thread) {
  fiber->index = {thread, 0};
  fiber->state = State::kRunnable;
  fiber->exchanges = 0;
  getcontext(&fiber->context);
  fiber->context.uc_stack.ss_sp = fiber->stack;
  fiber->context.uc_stack.ss_size = kStackBytes;
  fiber->context.uc_link = nullptr;
  makecontext(&fiber->context, FiberMain, 0);
}

void RunBlock(uint32_t threads) {
  for (uint32_t i = 0; i < threads; ++i) Prepare(&g_block->fibers[i], i);
  while (true) {
    size_t ended = 0;
    bool moved = false;
    for (uint32_t i = 0; i < threads; ++i) {
      Fiber& fiber = g_block->fibers[i];
      if (fiber.state == State::kRunnable) {
        Resume(&fiber);
        moved = true;
      }
      if (fiber.state == State::kEnded) ++ended;
    }
    if (ended == threads) return;
    for (uint32_t warp = 0; warp < threads / kLanes; ++warp) {
      moved |= Release(size_t{warp} * kLanes, kLanes, State::kInExchange);
    }
    moved |= Release(0, threads, State::kAtBlockBarrier);
    if (!moved) Fail("threads of a block wait for each other at different places");
  }
}

}  // namespace

namespace {

// The stacks of one launch are those of the next: to map them anew would take most of the time.
char* Stack(size_t thread) {
  static std::vector<std::unique_ptr<char[]>> stacks;
  while (stacks.size() <= thread) stacks.emplace_back(new char[kStackBytes]);  // not cleared
  return stacks[thread].get();
}

}  // namespace

void Run(const Launch& launch, const std::function<void()>& kernel) {
  if (launch.threads % kLanes != 0) Fail("a block has parts of a warp");
  Block block;
  block.fibers.resize(launch.threads);
  for (size_t i = 0; !launch.independent && i < block.fibers.size(); ++i) {
    block.fibers[i].stack = Stack(i);
  }
  block.words.resize(size_t{launch.threads} / kLanes * 2);
  block.kernel = &kernel;
  g_block = &block;
  for (block.index.y = 0; block.index.y < launch.blocks.y; ++block.index.y) {
    for (block.index.x = 0; block.index.x < launch.blocks.x; ++block.index.x) {
      launch.independent ? RunIndependently(launch.threads) : RunBlock(launch.threads);
    }
  }
  g_block = nullptr;
}

const Index& ThreadIndex() { return g_block->running->index; }
const Index& BlockIndex() { return g_block->index; }

void SyncBlock() { Leave(State::kAtBlockBarrier); }

const WarpWords& Exchange(const uint32_t* words, int count) {
  Fiber* fiber = g_block->running;
  const uint32_t thread = fiber->index.x;
  WarpWords& shared =
      g_block->words[size_t{thread} / kLanes * 2 + static_cast<size_t>(fiber->exchanges++ % 2)];
  std::copy_n(words, count, shared.words[thread % kLanes]);
  Leave(State::kInExchange);
  return shared;
}

}  // namespace ragstone::llm::gpu::emulated

namespace ragstone::llm::gpu {
namespace {

using emulated::Exchange;
using emulated::WarpWords;

uint32_t LaneOf() { return emulated::ThreadIndex().x % 32; }

// The value at the lane whose number differs by the bits of `mask`.
float FromLane(float value, int mask) {
  const auto bits = std::bit_cast<uint32_t>(value);
  const WarpWords& all = Exchange(&bits, 1);
  return std::bit_cast<float>(all.words[LaneOf() ^ static_cast<uint32_t>(mask)][0]);
}

// The layout of the fragments is that of the PTX manual, section on mma.m16n8k16: of a matrix with
// rows of pairs, the lane has row lane / 4 (and that plus 8) and the pairs lane % 4 (and that plus
// 4).
template <typename T>
void MultiplyAddOf(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], T type) {
  const uint32_t mine[WarpWords::kWords] = {a[0], a[1], a[2], a[3], b[0], b[1]};
  const WarpWords& all = Exchange(mine, WarpWords::kWords);
  for (uint32_t i = 0; i < 4; ++i) {
    const uint32_t row = LaneOf() / 4;  // of 8; i / 2 says which half
    const uint32_t column = LaneOf() % 4 * 2 + i % 2;
    for (uint32_t pair = 0; pair < 8; ++pair) {
      const Pair left = Unpack(all.words[row * 4 + pair % 4][i / 2 + pair / 4 * 2], type);
      const Pair right = Unpack(all.words[column * 4 + pair % 4][4 + pair / 4], type);
      c[i] += left.x * right.x + left.y * right.y;
    }
  }
}

}  // namespace

float SumOfWarp(float value, int lanes) {
  for (int offset = lanes / 2; offset > 0; offset /= 2) value += FromLane(value, offset);
  return value;
}
float MaxOfWarp(float value, int lanes) {
  for (int offset = lanes / 2; offset > 0; offset /= 2) {
    value = std::fmax(value, FromLane(value, offset));
  }
  return value;
}

void MultiplyAdd(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], F16 type) {
  MultiplyAddOf(c, a, b, type);
}
void MultiplyAdd(float (&c)[4], const uint32_t (&a)[4], const uint32_t (&b)[2], Bf16 type) {
  MultiplyAddOf(c, a, b, type);
}

void LoadTransposed(uint32_t (&matrices)[4], const void* row) {
  if (reinterpret_cast<uintptr_t>(row) % 16 != 0) {
    std::fprintf(stderr, "emulated GPU: a row of LoadTransposed is not aligned to 16 bytes\n");
    std::abort();
  }
  uint32_t address[2];
  std::memcpy(address, &row, sizeof(row));
  const WarpWords& all = Exchange(address, 2);
  for (uint32_t matrix = 0; matrix < 4; ++matrix) {
    uint16_t values[2];
    for (uint32_t i = 0; i < 2; ++i) {
      const uint16_t* from = nullptr;
      std::memcpy(&from, all.words[matrix * 8 + LaneOf() % 4 * 2 + i], sizeof(from));
      values[i] = from[LaneOf() / 4];
    }
    matrices[matrix] = values[0] | uint32_t{values[1]} << 16;
  }
}

}  // namespace ragstone::llm::gpu
