#pragma once

#include <memory>
#include <string>
#include <vector>

#include "llm/encoder/gpu/gpu.h"

namespace ragstone::llm::gpu {

// A GPU that tests run on: an emulated one of some type, or the machine's.
struct TestGpu {
  std::string name;
  std::shared_ptr<Gpu> (*open)() = nullptr;  // null if it is not there
};

std::vector<TestGpu> TestGpus();
inline std::string NameOfGpu(const auto& info) { return info.param.name; }

}  // namespace ragstone::llm::gpu
