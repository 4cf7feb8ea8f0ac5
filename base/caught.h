#pragma once

#include <exception>
#include <new>
#include <string>
#include <string_view>

#include "base/status.h"

namespace ragstone {

// What an exception says, as a status: RESOURCE_EXHAUSTED (MEMORY_LIMIT) if there was no memory,
// else INTERNAL. `what` begins the message.
inline Status StatusOf(const std::exception& error, std::string_view what) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) {
    return ResourceExhausted(Reason::kMemoryLimit,
                             std::string(what) +
                                 " failed: the machine had no memory left; lower memory_limit or "
                                 "give the machine more");
  }
  return Internal(std::string(what) + " failed: " + error.what());
}

// Runs `work`, which returns a Status or a Result. What it throws, or what a library or an
// allocation within it throws, becomes its status.
template <typename Work>
auto Caught(std::string_view what, const Work& work) -> decltype(work()) {
  try {
    return work();
  } catch (const std::exception& error) {
    return StatusOf(error, what);
  }
}

}  // namespace ragstone
