#pragma once

#include <atomic>

namespace ragstone {

// Places where tests end the process, to show that whatever is half done there does no harm. The
// name says where: "records.after-wal". Without a hook, which only tests set, a place costs one
// load of a pointer, and it stands in no inner loop.
using CrashHook = void (*)(const char* name);
inline std::atomic<CrashHook> crash_hook{nullptr};

inline void CrashPoint(const char* name) {
  const CrashHook hook = crash_hook.load(std::memory_order_acquire);
  if (hook != nullptr) hook(name);
}

}  // namespace ragstone
