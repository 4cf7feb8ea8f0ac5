#include "llm/llama/retype_file.h"

#include <unistd.h>

#include <algorithm>
#include <string_view>

namespace ragstone::llm {

Status RetypeFile(const std::filesystem::path& input, const std::filesystem::path& output,
                  const StorageType& type, uint32_t threads) {
  StartRuntime();
  static_cast<void>(TakeErrorLog());
  llama_model_quantize_params params = llama_model_quantize_default_params();
  params.ftype = type.ftype;
  params.nthread = static_cast<int32_t>(ThreadCount(threads));
  params.allow_requantize = true;
  if (llama_model_quantize(input.c_str(), output.c_str(), &params) != 0) {
    return InvalidArgument(
        Reason::kModelUnsupported,
        std::string("the model cannot be written as ") + type.name + ": " + TakeErrorLog());
  }
  return OkStatus();
}

std::string StorageTypeName(const llama_model* model) {
  std::string name = llama_ftype_name(llama_model_ftype(model));
  // "all F32", "Q4_K - Medium", "(guessed) BF16": the type alone is wanted.
  for (const std::string_view prefix : {"(guessed) ", "all "}) {
    if (name.starts_with(prefix)) name.erase(0, prefix.size());
  }
  return name;
}

bool WorthTrying(uint64_t parameters, double bits_per_weight) {
  const double bytes = static_cast<double>(parameters) * bits_per_weight / 8;
  const double memory =
      static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  return bytes <= std::min(memory / 8, 4.0 * 1024 * 1024 * 1024);
}

ScratchFile::~ScratchFile() {
  std::error_code ignored;
  std::filesystem::remove(path_, ignored);
}

}  // namespace ragstone::llm
