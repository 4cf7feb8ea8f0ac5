// The instruction of VNNI on 512 bits; for kernels_*.cc only.
#pragma once

#include "llm/encoder/kernels_simd.h"

namespace ragstone::llm {
namespace {

struct Avx512Vnni {
  static void AddProducts(Ints* sums, Ints activations, Ints weights) {
    asm("vpdpbusd %2, %1, %0" : "+v"(*sums) : "v"(activations), "v"(weights));
  }
};

}  // namespace
}  // namespace ragstone::llm
