#include <dlfcn.h>
#include <fmt/format.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <thread>

#include "services/cli/doctor.h"
#include "services/cli/text.h"
#include "services/cpu_identity.h"
#include "services/setting_values.h"

namespace ragstone::services::cli {
namespace fs = std::filesystem;
namespace {

// The rest of the first line of a "key : value" file that begins with the key.
std::string ValueOf(const fs::path& file, std::string_view key) {
  std::ifstream in(file);
  std::string line;
  while (std::getline(in, line)) {
    if (line.rfind(key, 0) != 0) continue;
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    const size_t begin = line.find_first_not_of(" \t", colon + 1);
    return begin == std::string::npos ? "" : line.substr(begin);
  }
  return "";
}

// The instruction sets that decide which worker fits.
std::string InstructionSets(const fs::path& cpuinfo) {
  constexpr std::array<std::string_view, 11> kInteresting = {
      "sse4_2",      "avx",         "avx2",     "fma",      "f16c",    "avx512f",
      "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_int8", "amx_bf16"};
  std::istringstream flags(ValueOf(cpuinfo, "flags"));
  std::vector<std::string> found;
  for (std::string flag; flags >> flag;) {
    for (const std::string_view interesting : kInteresting) {
      if (flag == interesting) found.push_back(flag);
    }
  }
  return Join(found, " ");
}

// What nvidia-smi says of the devices: one line each, empty without it. The command is fixed, so
// that nothing from outside reaches the shell.
std::vector<std::string> AskNvidiaSmi() {
  std::vector<std::string> lines;
  FILE* pipe = popen(
      "timeout 10 nvidia-smi --query-gpu=name,memory.total,driver_version --format=csv,noheader "
      "2>/dev/null",
      "r");
  if (pipe == nullptr) return lines;
  std::array<char, 512> buffer{};
  while (lines.size() < 64 && fgets(buffer.data(), buffer.size(), pipe) != nullptr) {
    std::string line = buffer.data();
    while (!line.empty() && line.back() == '\n') line.pop_back();
    lines.push_back(std::move(line));
  }
  if (pclose(pipe) != 0) lines.clear();
  return lines;
}

// What the kernel's driver says, for machines without nvidia-smi.
std::vector<std::string> AskNvidiaDriver(const fs::path& root) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(root / "proc/driver/nvidia/gpus", error), end; !error && it != end;
       it.increment(error)) {
    names.push_back(ValueOf(it->path() / "information", "Model"));
  }
  return names;
}

bool HasCudaLibrary() {
  void* library = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL);
  if (library != nullptr) dlclose(library);
  return library != nullptr;
}

int LandlockVersion() {
  return static_cast<int>(
      syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION));
}

}  // namespace

Check CheckCpu(const Machine& machine) {
  const fs::path cpuinfo = machine.root / "proc/cpuinfo";
  const std::string sets = InstructionSets(cpuinfo);
  const std::string name = machine.root == "/" ? CpuName() : ValueOf(cpuinfo, "model name");
  Check check{"cpu", CheckLevel::kOk,
              fmt::format("{}, {} threads; {}", name.empty() ? "unknown processor" : name,
                          std::thread::hardware_concurrency(),
                          sets.empty() ? "instruction sets unknown" : sets),
              ""};
  if (!sets.empty() && sets.find("sse4_2") == std::string::npos) {
    check.level = CheckLevel::kFailure;
    check.remedy = "Ragstone needs SSE4.2 (x86-64-v2), which this processor does not have";
  }
  return check;
}

Check CheckGpu(const Machine& machine, const fs::path& workers_dir) {
  std::vector<std::string> devices;
  if (machine.run_tools) devices = AskNvidiaSmi();
  if (devices.empty()) devices = AskNvidiaDriver(machine.root);
  std::error_code error;
  const bool node = fs::exists(machine.root / "dev/nvidiactl", error);
  if (devices.empty() && !node) {
    return {"gpu", CheckLevel::kOk, "no NVIDIA device; models run on the processor", ""};
  }
  Check check{"gpu", CheckLevel::kOk, devices.empty() ? "an NVIDIA device" : Join(devices, "; "),
              ""};
  if (!fs::exists(workers_dir / "ragstone-model-cuda", error)) {
    check.detail += "; not used, since no CUDA worker is built";
    check.remedy = "build with `cmake --workflow --preset cuda` to use it";
    check.level = CheckLevel::kWarning;
  } else if (machine.run_tools && !HasCudaLibrary()) {
    check.detail += "; not used, since libcuda.so.1 cannot be loaded";
    check.remedy = "install the NVIDIA driver's libraries";
    check.level = CheckLevel::kWarning;
  }
  return check;
}

std::vector<Check> CheckSandbox() {
  std::vector<Check> checks;
  const int version = LandlockVersion();
  if (version > 0) {
    checks.push_back(
        {"landlock", CheckLevel::kOk,
         fmt::format("version {}; the PDF worker sees no files but its fonts", version), ""});
  } else {
    checks.push_back({"landlock", CheckLevel::kWarning,
                      "not available; the PDF worker can read what this user can read",
                      "use Linux 5.13 or later with landlock among the active security modules"});
  }
  const bool seccomp = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0 || errno != EINVAL;
  checks.push_back({"seccomp", seccomp ? CheckLevel::kOk : CheckLevel::kWarning,
                    seccomp ? "available; the PDF worker opens no sockets" : "not available",
                    seccomp ? "" : "use a kernel with CONFIG_SECCOMP_FILTER"});
  return checks;
}

Check CheckMemory(const Settings& settings) {
  const uint64_t machine = MemoryOfMachine();
  Check check{"memory", CheckLevel::kOk,
              fmt::format("limit {} of {} that this process may use",
                          HumanBytes(settings.memory_limit), HumanBytes(machine)),
              ""};
  if (settings.memory_limit > machine) {
    check.level = CheckLevel::kWarning;
    check.remedy = "lower memory_limit; the kernel may end the server before it is reached";
  }
  return check;
}

Check CheckPopplerData(const Machine& machine) {
  std::error_code error;
  const fs::path folder = machine.root / "usr/share/poppler/cMap";
  if (fs::is_directory(folder, error)) return {"poppler-data", CheckLevel::kOk, "installed", ""};
  return {"poppler-data", CheckLevel::kWarning,
          fmt::format("{} is missing; some Chinese, Japanese and Korean PDFs give no text",
                      folder.string()),
          "install the package poppler-data"};
}

}  // namespace ragstone::services::cli
