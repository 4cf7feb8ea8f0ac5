#pragma once

#include <chrono>

namespace ragstone {

// Milliseconds from `begin` until now.
inline double MsSince(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
      .count();
}

}  // namespace ragstone
