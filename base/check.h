#pragma once

namespace ragstone {

// Prints the failed condition and its place to stderr and aborts.
[[noreturn]] void CheckFailed(const char* condition, const char* file, int line);

}  // namespace ragstone

// Ends the process on a programmer error. User input and file bytes must never reach one.
#define CHECK(condition)                                                       \
  do {                                                                         \
    if (!(condition)) ::ragstone::CheckFailed(#condition, __FILE__, __LINE__); \
  } while (false)
