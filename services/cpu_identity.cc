#include "services/cpu_identity.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <array>
#include <cstdint>
#include <cstring>

#include "base/file.h"
#include "base/hash.h"

namespace ragstone::services {

#if defined(__x86_64__)

namespace {

using Registers = std::array<unsigned int, 4>;

Registers CpuId(unsigned int leaf, unsigned int subleaf) {
  Registers r{};
  if (__get_cpuid_count(leaf, subleaf, &r[0], &r[1], &r[2], &r[3]) == 0) return Registers{};
  return r;
}

}  // namespace

// The instruction, not /proc/cpuinfo: under an emulator that file describes the host.
std::string CpuIdentity() {
  std::string bytes;
  const auto append = [&bytes](unsigned int value) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
  };
  for (const unsigned int value : CpuId(0, 0)) append(value);
  const Registers features = CpuId(1, 0);
  append(features[0]);
  // The second register holds the number of the core that answers.
  append(features[2]);
  append(features[3]);
  for (const unsigned int value : CpuId(7, 0)) append(value);
  for (const unsigned int value : CpuId(7, 1)) append(value);
  return Sha256Of(bytes).Hex().substr(0, 16);
}

std::string CpuName() {
  std::string name;
  for (const unsigned int leaf : {0x80000002u, 0x80000003u, 0x80000004u}) {
    const Registers r = CpuId(leaf, 0);
    name.append(reinterpret_cast<const char*>(r.data()), sizeof(r));
  }
  name.resize(std::strlen(name.c_str()));
  const size_t begin = name.find_first_not_of(' ');
  return begin == std::string::npos ? "" : name.substr(begin);
}

#else

namespace {

std::string CpuInfoLine(const char* key) {
  const Result<std::string> info = ReadFile("/proc/cpuinfo", 1 << 22);
  const size_t at = info.ok() ? info->find(key) : std::string::npos;
  if (at == std::string::npos) return "";
  const size_t colon = info->find(": ", at);
  const size_t end = info->find('\n', at);
  return colon == std::string::npos || colon > end ? "" : info->substr(colon + 2, end - colon - 2);
}

}  // namespace

std::string CpuIdentity() {
  return Sha256Of(CpuInfoLine("CPU part") + "|" + CpuInfoLine("Features")).Hex().substr(0, 16);
}

std::string CpuName() { return CpuInfoLine("model name"); }

#endif

}  // namespace ragstone::services
