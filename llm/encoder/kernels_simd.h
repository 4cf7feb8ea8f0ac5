// The kernels as templates over the instruction set, included by each kernels_*.cc. The includer
// defines RAGSTONE_LANES, the floats of a vector. Everything is in an unnamed namespace, so that
// the linker never joins code of different instruction sets.
#pragma once

#include <cstddef>
#include <cstdint>

#include "llm/encoder/kernels.h"

namespace ragstone::llm {
namespace {

constexpr size_t kLanes = RAGSTONE_LANES;

// Vectors of the compiler (GCC and clang): arithmetic is lane by lane.
using Floats = float __attribute__((vector_size(4 * kLanes)));
using Ints = int32_t __attribute__((vector_size(4 * kLanes)));
using Words = uint32_t __attribute__((vector_size(4 * kLanes)));
using Halves = uint16_t __attribute__((vector_size(2 * kLanes)));
using Bytes = uint8_t __attribute__((vector_size(kLanes)));

struct Bf16 {
  uint16_t bits;
};

inline Floats Load(const float* from) {
  Floats v;
  __builtin_memcpy(&v, from, sizeof(v));
  return v;
}
inline void Store(float* to, Floats v) { __builtin_memcpy(to, &v, sizeof(v)); }

inline Floats Load(const Bf16* from) {
  Halves bits;
  __builtin_memcpy(&bits, from, sizeof(bits));
  return reinterpret_cast<Floats>(__builtin_convertvector(bits, Words) << 16);
}
// Rounds to nearest, ties to even. Activations are finite.
inline void Store(Bf16* to, Floats v) {
#if defined(__AVX512BF16__) && RAGSTONE_LANES == 16
  const __m256bh rounded = _mm512_cvtneps_pbh(reinterpret_cast<__m512>(v));
  __builtin_memcpy(to, &rounded, sizeof(rounded));
#else
  const Words bits = reinterpret_cast<Words>(v);
  const Words rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  const Halves halves = __builtin_convertvector(rounded, Halves);
  __builtin_memcpy(to, &halves, sizeof(halves));
#endif
}

inline Floats Splat(float value) { return value - Floats{}; }
inline Floats Max(Floats a, Floats b) { return a > b ? a : b; }
inline Floats Min(Floats a, Floats b) { return a < b ? a : b; }
inline Floats Abs(Floats v) {
  return reinterpret_cast<Floats>(reinterpret_cast<Ints>(v) & 0x7fffffff);
}

// In a fixed order, so that results do not depend on the compiler.
inline float Sum(Floats v) {
  float lanes[kLanes];
  __builtin_memcpy(lanes, &v, sizeof(v));
  for (size_t half = kLanes / 2; half > 0; half /= 2) {
    for (size_t i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  }
  return lanes[0];
}
inline float Largest(Floats v) {
  float lanes[kLanes];
  __builtin_memcpy(lanes, &v, sizeof(v));
  float largest = lanes[0];
  for (size_t i = 1; i < kLanes; ++i) largest = lanes[i] > largest ? lanes[i] : largest;
  return largest;
}

template <size_t N>
inline Floats Horner(const float (&coefficients)[N], Floats u) {
  Floats value = Splat(coefficients[N - 1]);
  for (size_t i = N - 1; i-- > 0;) value = value * u + coefficients[i];
  return value;
}

// 2^x for x <= 0 and above -126 (below, 2^-126). Coefficients: fit_constants.py; relative error
// 2.4e-7.
inline Floats Exp2(Floats x) {
  constexpr float kCoefficients[] = {1.00000012f,   0.693146944f,   0.240221202f,
                                     0.0555071309f, 0.00967554096f, 0.00132764713f};
  x = Max(x, Splat(-126.0f));
  // Adding 1.5 * 2^23 rounds to a whole number, whose bits are then the low ones.
  const Floats shifted = x + 12582912.0f;
  const Floats whole = shifted - 12582912.0f;
  const Ints exponent = reinterpret_cast<Ints>(shifted) << 23;
  const Floats fraction = Horner(kCoefficients, x - whole);
  return reinterpret_cast<Floats>(reinterpret_cast<Ints>(fraction) + exponent);
}

// x Phi(x) with the normal distribution's Phi, that is, the form with the error function.
// Coefficients: fit_constants.py; absolute error 2.2e-6, beyond |x| = 5 2.3e-7 |x|.
inline Floats Gelu(Floats x) {
  constexpr float kCoefficients[] = {
      0.141363785f,   -0.0702966526f,  0.0515214205f,  -0.0404329486f, 0.0314262286f,
      -0.0233367309f, 0.0164976567f,   -0.0109732328f, 0.00616543088f, -0.00291567226f,
      0.00200185971f, -0.00151415414f, 0.000492969702f};
  const Floats clamped = Min(Max(x, Splat(-5.0f)), Splat(5.0f));
  const Floats u = clamped * clamped * 0.08f - 1.0f;
  return x * (clamped * Horner(kCoefficients, u) + 0.5f);
}

inline size_t RoundUp(size_t value, size_t step) { return (value + step - 1) / step * step; }

// One tile of a product: c[r][j] = sum over k of a[r][k] * panel[k][j].
template <typename Input>
struct Tile {
  const Input* a = nullptr;
  size_t a_stride = 0;  // in inputs
  const void* panel = nullptr;
  size_t inputs = 0;
  float* c = nullptr;
  size_t c_stride = 0;
  const float* row_scales = nullptr;  // int8
  const float* scales = nullptr;      // int8, of the panel's outputs
  const int32_t* offsets = nullptr;   // int8
};

// Writes one vector of an int8 tile's sums: 128 was added to every activation, which added
// `offsets`.
inline void StoreScaled(Ints sums, const Tile<uint8_t>& tile, size_t row, size_t column) {
  Ints offsets;
  __builtin_memcpy(&offsets, tile.offsets + column, sizeof(offsets));
  const Ints right = sums - offsets;
  const Floats scale = Load(tile.scales + column) * tile.row_scales[row];
  Store(tile.c + row * tile.c_stride + column, __builtin_convertvector(right, Floats) * scale);
}

// The kernels over a machine `M`:
//   M::Value, M::Input      activations between products, and as what products take them
//   M::Weight               a weight of a panel
//   M::kRows, M::kColumns   largest tile; kColumns is a multiple of kLanes
//   M::kGroup               inputs that lie side by side in a panel
//   M::kInputStep           a product has a multiple of so many inputs
//   M::Run(rows, tile)      computes a tile of 1 to kRows rows and kColumns columns
//   M::Begin(), M::End()    around a kernel, for state of the processor
template <typename M>
struct KernelsOf {
  using Value = typename M::Value;
  using Input = typename M::Input;
  static constexpr size_t kRows = M::kRows;
  static constexpr size_t kColumns = M::kColumns;
  static constexpr size_t kVectors = kColumns / kLanes;
  static constexpr float kLog2E = 1.44269504f;

  // Calls `body(first, count)` for tiles of nearly equal height that cover the rows.
  template <size_t kMax, typename Body>
  static void ForTiles(size_t rows, const Body& body) {
    const size_t tiles = (rows + kMax - 1) / kMax;
    size_t first = 0;
    for (size_t t = 0; t < tiles; ++t) {
      const size_t count = rows / tiles + (t < rows % tiles ? 1 : 0);
      body(first, count);
      first += count;
    }
  }

  static void Finish(const LinearCall& call, const float* c, size_t first, size_t count,
                     size_t column) {
    const size_t outputs = call.linear->outputs;
    for (size_t v = 0; v < kVectors; ++v) {
      const Floats bias = Load(call.linear->bias + column + v * kLanes);
      for (size_t r = 0; r < count; ++r) {
        const Floats y = Load(c + r * kColumns + v * kLanes) + bias;
        const size_t at = (first + r) * outputs + column + v * kLanes;
        if (call.epilogue == Epilogue::kAdd) {
          float* x = static_cast<float*>(call.output) + at;
          Store(x, Load(x) + y);
        } else {
          Value* out = static_cast<Value*>(call.output) + at;
          Store(out, call.epilogue == Epilogue::kGelu ? Gelu(y) : y);
        }
      }
    }
  }

  static void Linear(const LinearCall& call) {
    const PackedLinear& linear = *call.linear;
    alignas(64) float c[kRows * kColumns];
    M::Begin();
    for (size_t column = 0; column < linear.outputs; column += kColumns) {
      Tile<Input> tile;
      tile.a_stride = tile.inputs = linear.inputs;
      tile.panel = static_cast<const typename M::Weight*>(linear.panels) + column * linear.inputs;
      tile.c = c;
      tile.c_stride = kColumns;
      if (linear.scales != nullptr) {
        tile.scales = linear.scales + column;
        tile.offsets = linear.offsets + column;
      }
      ForTiles<kRows>(call.rows, [&](size_t first, size_t count) {
        tile.a = static_cast<const Input*>(call.input) + first * linear.inputs;
        if (call.input_scales != nullptr) tile.row_scales = call.input_scales + first;
        M::Run(count, tile);
        Finish(call, c, first, count, column);
      });
    }
    M::End();
  }

  static void WriteInput(const float* x, size_t size, Bf16* to) {
    for (size_t i = 0; i < size; i += kLanes) Store(to + i, Load(x + i));
  }

  // To 8 bits around 128; returns the scale.
  template <typename From>
  static float QuantizeRow(const From* values, size_t size, uint8_t* to) {
    Floats largest{};
    for (size_t i = 0; i < size; i += kLanes) largest = Max(largest, Abs(Load(values + i)));
    const float top = Largest(largest);
    const float inverse = top > 0 ? 127.0f / top : 0.0f;
    for (size_t i = 0; i < size; i += kLanes) {
      // As in Exp2; the low byte of the sum is the rounded value plus 128.
      const Floats shifted = Load(values + i) * inverse + (12582912.0f + 128.0f);
      const Bytes bytes = __builtin_convertvector(reinterpret_cast<Words>(shifted), Bytes);
      __builtin_memcpy(to + i, &bytes, sizeof(bytes));
    }
    return top / 127.0f;
  }

  static void Norm(const NormCall& call) {
    const float count = static_cast<float>(call.size);
    for (size_t r = 0; r < call.rows; ++r) {
      float* x = call.x + r * call.size;
      Floats sum{};
      for (size_t i = 0; i < call.size; i += kLanes) sum += Load(x + i);
      const float mean = Sum(sum) / count;
      Floats squares{};
      for (size_t i = 0; i < call.size; i += kLanes) {
        const Floats d = Load(x + i) - mean;
        squares += d * d;
      }
      const float scale = 1.0f / __builtin_sqrtf(Sum(squares) / count + call.epsilon);
      for (size_t i = 0; i < call.size; i += kLanes) {
        Store(x + i, (Load(x + i) - mean) * scale * Load(call.gamma + i) + Load(call.beta + i));
      }
      if constexpr (sizeof(Input) == 2) {
        WriteInput(x, call.size, static_cast<Bf16*>(call.input) + r * call.size);
      } else if constexpr (sizeof(Input) == 1) {
        call.input_scales[r] =
            QuantizeRow(x, call.size, static_cast<uint8_t*>(call.input) + r * call.size);
      }
    }
  }

  static void Quantize(const QuantizeCall& call) {
    for (size_t r = 0; r < call.rows; ++r) {
      call.input_scales[r] = QuantizeRow(static_cast<const Value*>(call.values) + r * call.size,
                                         call.size, call.input + r * call.size);
    }
  }
};

// Attention, whose products have activations on both sides: keys and values of a head are packed as
// weights are.
template <typename M>
struct AttentionOf {
  using Value = typename M::Value;
  static constexpr size_t kRows = M::kRows;
  static constexpr size_t kColumns = M::kColumns;
  static constexpr size_t kGroup = M::kGroup;
  static constexpr float kLowest = -1e30f;

  // The parts of the scratch memory.
  struct Scratch {
    Value* keys = nullptr;
    Value* values = nullptr;
    Value* weights = nullptr;
    float* scores = nullptr;
    size_t bytes = 0;
  };
  static Scratch Divide(void* memory, size_t length, size_t head_size) {
    const size_t padded = RoundUp(length, kColumns);
    const size_t panel = RoundUp(head_size, kColumns);
    Scratch scratch;
    char* at = static_cast<char*>(memory);
    const auto take = [&](size_t bytes) {
      char* part = at + scratch.bytes;
      scratch.bytes += RoundUp(bytes, 64);
      return part;
    };
    scratch.keys = reinterpret_cast<Value*>(take(padded * Inputs(head_size) * sizeof(Value)));
    scratch.values = reinterpret_cast<Value*>(take(padded * panel * sizeof(Value)));
    scratch.weights = reinterpret_cast<Value*>(take(kRows * padded * sizeof(Value)));
    scratch.scores = reinterpret_cast<float*>(take(kRows * padded * sizeof(float)));
    return scratch;
  }
  static size_t ScratchBytes(size_t length, size_t head_size) {
    return Divide(nullptr, length, head_size).bytes;
  }

  // Inputs of the product of a query and the keys: more than a head has are zero among the keys.
  static size_t Inputs(size_t head_size) { return RoundUp(head_size, M::kInputStep); }

  // Rows of keys become columns of panels; absent ones are zero.
  static void PackKeys(const AttentionCall& call, size_t head, Value* to) {
    const size_t stride = 3 * call.heads * call.head_size;
    const Value* keys = static_cast<const Value*>(call.qkv) + (call.heads + head) * call.head_size;
    for (size_t begin = 0; begin < call.length; begin += kColumns) {
      for (size_t k = 0; k < Inputs(call.head_size); k += kGroup) {
        for (size_t c = 0; c < kColumns; ++c, to += kGroup) {
          if (begin + c < call.length && k < call.head_size) {
            __builtin_memcpy(to, keys + (begin + c) * stride + k, kGroup * sizeof(Value));
          } else {
            __builtin_memset(to, 0, kGroup * sizeof(Value));
          }
        }
      }
    }
  }

  // Rows of values become groups of inputs; absent ones are zero.
  static void PackValues(const AttentionCall& call, size_t head, Value* to) {
    const size_t stride = 3 * call.heads * call.head_size;
    const Value* values =
        static_cast<const Value*>(call.qkv) + (2 * call.heads + head) * call.head_size;
    const size_t padded = RoundUp(call.length, kColumns);
    for (size_t begin = 0; begin < call.head_size; begin += kColumns) {
      const size_t width = call.head_size - begin < kColumns ? call.head_size - begin : kColumns;
      for (size_t k = 0; k < padded; k += kGroup, to += kColumns * kGroup) {
        for (size_t g = 0; g < kGroup; ++g) {
          const Value* row = values + (k + g) * stride + begin;
          const bool there = k + g < call.length;
          for (size_t c = 0; c < kColumns; ++c) {
            to[c * kGroup + g] = there && c < width ? row[c] : Value{};
          }
        }
      }
    }
  }

  // Turns a row of scores into weights and returns their sum.
  static float Softmax(float* scores, size_t length, size_t padded, float scale, Value* weights) {
    for (size_t i = length; i < padded; ++i) scores[i] = kLowest;
    Floats top = Splat(kLowest);
    for (size_t i = 0; i < padded; i += kLanes) top = Max(top, Load(scores + i));
    const float largest = Largest(top);
    Floats sum{};
    for (size_t i = 0; i < padded; i += kLanes) {
      const Floats weight = Exp2((Load(scores + i) - largest) * scale);
      sum += weight;
      Store(weights + i, weight);
    }
    return Sum(sum);
  }

  static void Rows(const AttentionCall& call, const Scratch& scratch, size_t head, size_t first,
                   size_t count) {
    const size_t hidden = call.heads * call.head_size;
    const size_t padded = RoundUp(call.length, kColumns);
    Tile<Value> tile;
    tile.a = static_cast<const Value*>(call.qkv) + first * 3 * hidden + head * call.head_size;
    tile.a_stride = 3 * hidden;
    tile.inputs = Inputs(call.head_size);
    tile.c_stride = padded;
    for (size_t column = 0; column < call.length; column += kColumns) {
      tile.panel = scratch.keys + column * tile.inputs;
      tile.c = scratch.scores + column;
      M::Run(count, tile);
    }
    float inverse[kRows];
    for (size_t r = 0; r < count; ++r) {
      inverse[r] = 1.0f / Softmax(scratch.scores + r * padded, call.length, padded,
                                  call.scale * KernelsOf<M>::kLog2E, scratch.weights + r * padded);
    }
    alignas(64) float c[kRows * kColumns];
    tile = {};
    tile.a = scratch.weights;
    tile.a_stride = tile.inputs = padded;
    tile.c = c;
    tile.c_stride = kColumns;
    for (size_t column = 0; column < call.head_size; column += kColumns) {
      tile.panel = scratch.values + column * padded;
      M::Run(count, tile);
      const size_t width = call.head_size - column < kColumns ? call.head_size - column : kColumns;
      for (size_t r = 0; r < count; ++r) {
        Value* out = static_cast<Value*>(call.output) + (first + r) * hidden +
                     head * call.head_size + column;
        // The head size is a multiple of 16, and so of a vector.
        for (size_t i = 0; i < width; i += kLanes) {
          Store(out + i, Load(c + r * kColumns + i) * inverse[r]);
        }
      }
    }
  }

  static void Attention(const AttentionCall& call) {
    const Scratch scratch = Divide(call.scratch, call.length, call.head_size);
    M::Begin();
    for (size_t head = 0; head < call.heads; ++head) {
      PackKeys(call, head, scratch.keys);
      PackValues(call, head, scratch.values);
      KernelsOf<M>::template ForTiles<kRows>(call.length, [&](size_t first, size_t count) {
        Rows(call, scratch, head, first, count);
      });
    }
    M::End();
  }
};

// Calls F::Run<rows>(tile) for rows of 1 to kMax, which the compiler unrolls.
template <typename F, size_t kMax, typename T>
inline void RunRows(size_t rows, const T& tile) {
  if constexpr (kMax == 1) {
    F::template Fixed<1>(tile);
  } else {
    if (rows == kMax) return F::template Fixed<kMax>(tile);
    RunRows<F, kMax - 1>(rows, tile);
  }
}

// Products of floats with multiply and add (fused where the machine can): the portable machine and
// those of AVX2 and AVX-512.
template <size_t kMaxRows, size_t kPanelVectors>
struct FloatMachine {
  using Value = float;
  using Input = float;
  using Weight = float;
  static constexpr size_t kRows = kMaxRows;
  static constexpr size_t kColumns = kPanelVectors * kLanes;
  static constexpr size_t kGroup = 1;
  static constexpr size_t kInputStep = 1;
  static void Begin() {}
  static void End() {}

  template <size_t R>
  __attribute__((noinline)) static void Fixed(const Tile<float>& tile) {
    Floats sums[R][kPanelVectors] = {};
    const float* panel = static_cast<const float*>(tile.panel);
    const float* a = tile.a;
    const size_t stride = tile.a_stride;
    for (size_t k = 0; k < tile.inputs; ++k, panel += kColumns) {
      Floats b[kPanelVectors];
#pragma GCC unroll 4
      for (size_t v = 0; v < kPanelVectors; ++v) b[v] = Load(panel + v * kLanes);
#pragma GCC unroll 16
      for (size_t r = 0; r < R; ++r) {
        const float x = a[r * stride + k];
#pragma GCC unroll 4
        for (size_t v = 0; v < kPanelVectors; ++v) sums[r][v] += b[v] * x;
      }
    }
#pragma GCC unroll 16
    for (size_t r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (size_t v = 0; v < kPanelVectors; ++v) {
        Store(tile.c + r * tile.c_stride + v * kLanes, sums[r][v]);
      }
    }
  }
  static void Run(size_t rows, const Tile<float>& tile) {
    RunRows<FloatMachine, kRows>(rows, tile);
  }
};

// The table of a machine whose attention is computed by machine `A`.
template <typename M, typename A>
constexpr Kernels TableOf(const char* tier, size_t row_block) {
  Kernels kernels;
  kernels.tier = tier;
  kernels.product = sizeof(typename M::Input) == 4   ? ProductType::kF32
                    : sizeof(typename M::Input) == 2 ? ProductType::kBf16
                                                     : ProductType::kInt8;
  kernels.value = sizeof(typename M::Value) == 4 ? ValueType::kF32 : ValueType::kBf16;
  kernels.panel_columns = M::kColumns;
  kernels.row_block = row_block;
  kernels.linear = &KernelsOf<M>::Linear;
  kernels.attention = &AttentionOf<A>::Attention;
  kernels.attention_scratch = &AttentionOf<A>::ScratchBytes;
  kernels.norm = &KernelsOf<M>::Norm;
  if (kernels.product == ProductType::kInt8) kernels.quantize = &KernelsOf<M>::Quantize;
  return kernels;
}

}  // namespace
}  // namespace ragstone::llm
