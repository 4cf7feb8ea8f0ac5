// Drills that show what the vector database withstands: README.md lists them.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "tests/reliability/drill.h"

namespace ragstone::index::reliability {
namespace {

struct Drill {
  std::string_view name;
  Status (*run)(const DrillOptions& options);
};

constexpr Drill kDrills[] = {
    {"kill", RunKill},
    {"crash-points", RunCrashPoints},
    {"model", RunModel},
    {"faults", RunFaults},
    {"churn", RunChurn},
    {"corruption", RunCorruption},
    {"filters", RunFilters},
    {"disk-full", RunDiskFull},
    {"mixed", RunMixed},
    {"soak", RunSoak},
    {"history", RunHistory},
    {"backup", RunBackup},
    {"memory-cap", RunMemoryCap},
    {"old-data", RunOldData},
};

int Usage() {
  std::fprintf(stderr,
               "usage: reliability DRILL [--seed N] [--count N] [--seconds N] [--threads N]\n"
               "                   [--unit N] [--results FILE] [--dir DIR]\n"
               "       reliability old-data --make DIR\ndrills:");
  for (const Drill& drill : kDrills) std::fprintf(stderr, " %s", drill.name.data());
  std::fprintf(stderr, "\n");
  return 2;
}

bool SetNumber(std::string_view name, const char* value, DrillOptions* options) {
  char* end = nullptr;
  const uint64_t number = std::strtoull(value, &end, 10);
  if (*value == '\0' || *end != '\0') return false;
  if (name == "--seed") {
    options->seed = number;
  } else if (name == "--count") {
    options->count = number;
  } else if (name == "--seconds") {
    options->seconds = number;
  } else if (name == "--threads") {
    options->threads = number;
  } else if (name == "--unit") {
    options->unit = number;
  } else {
    return false;
  }
  return true;
}

int Main(int argc, char** argv) {
  if (argc < 2 || argc % 2 != 0) return Usage();
  DrillOptions options;
  options.drill = argv[1];
  // So that another night brings other numbers.
  const char* seed = std::getenv("RAGSTONE_RELIABILITY_SEED");
  if (seed != nullptr && !SetNumber("--seed", seed, &options)) return Usage();
  for (int i = 2; i < argc; i += 2) {
    const std::string_view name = argv[i];
    if (name == "--results") {
      options.results = argv[i + 1];
    } else if (name == "--dir") {
      options.dir = argv[i + 1];
    } else if (name == "--make" && options.drill == "old-data") {
      const Status made = MakeOldData(argv[i + 1]);
      if (!made.ok()) std::fprintf(stderr, "%s\n", made.message().c_str());
      return made.ok() ? 0 : 1;
    } else if (!SetNumber(name, argv[i + 1], &options)) {
      return Usage();
    }
  }
  for (const Drill& drill : kDrills) {
    if (drill.name != options.drill) continue;
    if (options.dir.empty()) options.dir = std::filesystem::temp_directory_path();
    const ScratchFolder scratch(options.dir, "ragstone-reliability");
    options.dir = scratch.path();
    const Status status = drill.run(options);
    if (status.ok()) return 0;
    std::fprintf(stderr, "%s\n", status.message().c_str());
    return 1;
  }
  return Usage();
}

}  // namespace
}  // namespace ragstone::index::reliability

int main(int argc, char** argv) {
  // OpenBLAS, which FAISS uses, tries for ever to start its threads where memory is capped; it
  // reads before main how many it may have.
  if (std::getenv("OPENBLAS_NUM_THREADS") == nullptr) {
    setenv("OPENBLAS_NUM_THREADS", "1", 0);
    execv("/proc/self/exe", argv);
  }
  return ragstone::index::reliability::Main(argc, argv);
}
