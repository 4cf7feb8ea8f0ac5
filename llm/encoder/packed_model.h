#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/status.h"
#include "llm/encoder/bert_model.h"
#include "llm/encoder/kernels.h"

namespace ragstone::llm {

// Of the layout of packed weights and of the values in it. Files of other versions are removed.
inline constexpr uint32_t kPackedVersion = 1;
// A folder keeps the newest so many files: more tiers than a machine uses.
inline constexpr size_t kPackedFilesMax = 8;
// No file is written that would leave less room than this on its disk.
inline constexpr uint64_t kPackedRoomBytes = uint64_t{1} << 30;

// The linear layers of a model in the layout of one set of kernels, packed in memory or mapped from
// a file that an earlier process has packed. Thread-safe: immutable.
class PackedModel {
 public:
  struct Layer {
    PackedLinear qkv, attention_output, up, down;
  };

  // Takes the layers from the file for this model and these kernels in `folder`; where there is
  // none, or it is doubtful, packs them. A thread then writes the file for the next process: on a
  // slow disk that takes far longer than packing. Without a folder (an empty path), or where it
  // cannot be written, that is all: the file is only a copy. Any number of processes may do this at
  // once.
  PackedModel(const BertModel& model, const Kernels& kernels, const std::filesystem::path& folder);
  // Waits until the file is written.
  ~PackedModel();
  PackedModel(const PackedModel&) = delete;
  PackedModel& operator=(const PackedModel&) = delete;

  const std::vector<Layer>& layers() const { return layers_; }
  // INVALID_ARGUMENT (MODEL_CORRUPT) if the layers have weights that are no numbers: their vectors
  // would be plausible nonsense.
  const Status& status() const { return status_; }
  // Whether the weights were read from a file.
  bool mapped() const { return mapped_; }

 private:
  std::shared_ptr<const char> memory_;  // a whole file: a header and the layers
  std::vector<Layer> layers_;
  Status status_;
  bool mapped_ = false;
  std::thread writer_;  // of the file
};

// The name of the file in the folder: tier, hash of the weights, version.
std::string PackedFileName(const BertModel& model, const Kernels& kernels);

}  // namespace ragstone::llm
