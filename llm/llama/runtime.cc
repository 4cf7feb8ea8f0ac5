#include "llm/llama/runtime.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string_view>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "llm/llama/cpu_features.h"

namespace ragstone::llm {
namespace {

constexpr size_t kErrorLogBytesMax = 2000;

struct ErrorLog {
  Mutex mutex;
  std::string text GUARDED_BY(mutex);
};

ErrorLog& TheErrorLog() {
  static auto* log = new ErrorLog;  // lives as long as the process: llama.cpp logs until its end
  return *log;
}

void OnLog(ggml_log_level level, const char* text, void*) {
  if (level != GGML_LOG_LEVEL_ERROR || text == nullptr) return;
  std::string_view line(text);
  while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.remove_suffix(1);
  if (line.empty()) return;
  ErrorLog& log = TheErrorLog();
  MutexLock lock(&log.mutex);
  if (log.text.size() + line.size() > kErrorLogBytesMax) return;
  if (!log.text.empty()) log.text += "; ";
  for (const char c : line) log.text += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
}

// ggml asks the kernel for AMX's tile registers once, when the CPU's buffer types are first listed,
// and prints a line to stderr if there are none, past its own log. Most processors have none.
void ListCpuBufferTypesQuietly() {
  ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
  if (cpu == nullptr) return;
  const auto list =
      reinterpret_cast<ggml_backend_dev_get_extra_bufts_t>(ggml_backend_reg_get_proc_address(
          ggml_backend_dev_backend_reg(cpu), "ggml_backend_dev_get_extra_bufts"));
  if (list == nullptr) return;
  std::fflush(stderr);
  const int kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (kept >= 0 && nowhere >= 0) dup2(nowhere, STDERR_FILENO);
  list(cpu);
  std::fflush(stderr);
  if (kept >= 0) dup2(kept, STDERR_FILENO);
  if (nowhere >= 0) close(nowhere);
  if (kept >= 0) close(kept);
}

}  // namespace

void StartRuntime() {
  static const bool started = [] {
    llama_log_set(OnLog, nullptr);
    llama_backend_init();
    ListCpuBufferTypesQuietly();
    return true;
  }();
  static_cast<void>(started);
}

std::string TakeErrorLog() {
  ErrorLog& log = TheErrorLog();
  MutexLock lock(&log.mutex);
  std::string text;
  text.swap(log.text);
  return text;
}

Result<ModelPtr> LoadModel(const std::filesystem::path& file, const LoadOptions& options) {
  StartRuntime();
  static_cast<void>(TakeErrorLog());
  llama_model_params params = llama_model_default_params();
  params.n_gpu_layers = options.gpu_layers;
  params.use_extra_bufts = options.repack;
  ggml_backend_dev_t no_devices[] = {nullptr};
  if (options.gpu_layers == 0) params.devices = no_devices;
  ModelPtr model(llama_model_load_from_file(file.c_str(), params));
  if (model == nullptr) {
    std::string said = TakeErrorLog();
    return InvalidArgument(Reason::kModelCorrupt,
                           "model file " + file.string() + " cannot be loaded: " +
                               (said.empty() ? "llama.cpp gives no reason" : said) +
                               "; import the model again from a complete download");
  }
  return model;
}

namespace {

// The first GPU; null if there is none.
ggml_backend_dev_t Gpu() {
  StartRuntime();
  for (size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    ggml_backend_dev_t device = ggml_backend_dev_get(i);
    if (ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_GPU) return device;
  }
  return nullptr;
}

}  // namespace

int32_t GpuLayers(int32_t wanted) { return Gpu() == nullptr ? 0 : wanted; }

std::string DeviceName(int32_t gpu_layers) {
  ggml_backend_dev_t device = gpu_layers == 0 ? nullptr : Gpu();
  if (device == nullptr) return "CPU " + CompiledTier();
  return std::string(ggml_backend_dev_name(device)) + " " + ggml_backend_dev_description(device);
}

std::string MetadataText(const llama_model* model, const char* key) {
  char buffer[512];
  const int32_t length = llama_model_meta_val_str(model, key, buffer, sizeof(buffer));
  return length < 0 ? std::string() : std::string(buffer);
}

uint32_t ThreadCount(uint32_t wanted) {
  if (wanted > 0) return wanted;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) > 0) {
    return static_cast<uint32_t>(CPU_COUNT(&set));
  }
  return std::max(1u, std::thread::hardware_concurrency());
}

}  // namespace ragstone::llm
