#pragma once

#include <string>

namespace ragstone::services {

// A name of the processor's kind and its instruction sets: the same for every core and start,
// another one when the machine or the emulated CPU changes.
std::string CpuIdentity();

// The processor's own name, such as "Intel(R) Core(TM) i5-4590 CPU @ 3.30GHz"; may be empty.
std::string CpuName();

}  // namespace ragstone::services
