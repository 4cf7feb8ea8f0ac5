// The machines for products with AMX tiles; for kernels_amx.cc and its test.
//
// Eight tile registers of 16 rows of 64 bytes: four sums (32 rows by 32 outputs), two of
// activations, two of weights. A tile of weights is what 16 groups of inputs of a panel look like
// anyway. Tiles always have all their rows: what is read beyond a block's rows is computed and
// thrown away.
#pragma once

#include "llm/encoder/kernels_simd.h"

namespace ragstone::llm {
namespace {

constexpr size_t kTileRows = 16;
constexpr size_t kTileBytes = 64;  // of a row

// `Tiles` are the instructions: Begin, End, Zero<t>, Load<t>(from, stride), Store<t>(to, stride),
// and Multiply<sum, activations, weights>() for the type of the products.
//
// Sums rows by 32 outputs into `to`, 32 floats or 32-bit integers a row.
template <typename Tiles, typename T>
inline void SumTiles(size_t rows, const Tile<T>& tile, void* to) {
  constexpr size_t kInputs = kTileBytes / sizeof(T);  // of a tile of activations
  constexpr size_t kPanelRow = 2 * kTileBytes;        // 32 outputs of a group
  const char* a = reinterpret_cast<const char*>(tile.a);
  const size_t stride = tile.a_stride * sizeof(T);
  const char* panel = static_cast<const char*>(tile.panel);
  const bool lower = rows > kTileRows;
  Tiles::template Zero<0>();
  Tiles::template Zero<1>();
  Tiles::template Zero<2>();
  Tiles::template Zero<3>();
  for (size_t k = 0; k < tile.inputs; k += kInputs) {
    Tiles::template Load<6>(panel, kPanelRow);
    Tiles::template Load<7>(panel + kTileBytes, kPanelRow);
    Tiles::template Load<4>(a, stride);
    Tiles::template Multiply<0, 4, 6>();
    Tiles::template Multiply<1, 4, 7>();
    if (lower) {
      Tiles::template Load<5>(a + kTileRows * stride, stride);
      Tiles::template Multiply<2, 5, 6>();
      Tiles::template Multiply<3, 5, 7>();
    }
    a += kTileBytes;
    panel += kTileRows * kPanelRow;
  }
  char* out = static_cast<char*>(to);
  Tiles::template Store<0>(out, kPanelRow);
  Tiles::template Store<1>(out + kTileBytes, kPanelRow);
  if (lower) {
    Tiles::template Store<2>(out + kTileRows * kPanelRow, kPanelRow);
    Tiles::template Store<3>(out + kTileRows * kPanelRow + kTileBytes, kPanelRow);
  }
}

template <typename Tiles>
struct AmxBf16Machine {
  using Value = Bf16;
  using Input = Bf16;
  using Weight = Bf16;
  static constexpr size_t kRows = 2 * kTileRows;
  static constexpr size_t kColumns = 32;
  static constexpr size_t kGroup = 2;
  static constexpr size_t kInputStep = kTileBytes / sizeof(Bf16);
  static void Begin() { Tiles::Begin(); }
  static void End() { Tiles::End(); }

  static void Run(size_t rows, const Tile<Bf16>& tile) {
    alignas(64) float sums[kRows * kColumns];
    SumTiles<Tiles>(rows, tile, sums);
    for (size_t r = 0; r < rows; ++r) {
      for (size_t i = 0; i < kColumns; i += kLanes) {
        Store(tile.c + r * tile.c_stride + i, Load(sums + r * kColumns + i));
      }
    }
  }
};

template <typename Tiles>
struct AmxInt8Machine {
  using Value = Bf16;
  using Input = uint8_t;
  using Weight = int8_t;
  static constexpr size_t kRows = 2 * kTileRows;
  static constexpr size_t kColumns = 32;
  static constexpr size_t kGroup = 4;
  static constexpr size_t kInputStep = kTileBytes;
  static void Begin() { Tiles::Begin(); }
  static void End() { Tiles::End(); }

  static void Run(size_t rows, const Tile<uint8_t>& tile) {
    alignas(64) int32_t sums[kRows * kColumns];
    SumTiles<Tiles>(rows, tile, sums);
    for (size_t r = 0; r < rows; ++r) {
      for (size_t i = 0; i < kColumns; i += kLanes) {
        Ints vector;
        __builtin_memcpy(&vector, sums + r * kColumns + i, sizeof(vector));
        StoreScaled(vector, tile, r, i);
      }
    }
  }
};

}  // namespace
}  // namespace ragstone::llm
