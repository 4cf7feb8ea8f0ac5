#include "llm/encoder/packed_model.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/file.h"
#include "base/hash.h"
#include "llm/encoder/packed_weights.h"

namespace ragstone::llm {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnding = ".packed";

// The beginning of a file. Everything in it but the checksum is known before the file is read.
struct Header {
  char magic[8] = {'R', 'S', 'P', 'A', 'C', 'K', 'E', 'D'};
  uint32_t version = kPackedVersion;
  uint32_t panel_columns = 0;
  uint32_t product = 0;
  uint32_t byte_order = 0x01020304;
  uint64_t source = 0;    // hash of the weights
  uint64_t bytes = 0;     // of the file
  char tier[48] = {};     // of the kernels
  uint64_t checksum = 0;  // of all behind the header
  char unused[32] = {};
};
static_assert(sizeof(Header) == 128);

// The layers' products in the order of a file.
struct Product {
  std::vector<const BertLinear*> parts;
  PackedLinear PackedModel::Layer::*place;
};

std::vector<Product> ProductsOf(const BertLayer& layer) {
  return {{{&layer.query, &layer.key, &layer.value}, &PackedModel::Layer::qkv},
          {{&layer.attention_output}, &PackedModel::Layer::attention_output},
          {{&layer.up}, &PackedModel::Layer::up},
          {{&layer.down}, &PackedModel::Layer::down}};
}

size_t OutputsOf(const Product& product) {
  size_t outputs = 0;
  for (const BertLinear* part : product.parts) outputs += part->weight.rows;
  return outputs;
}

// Calls `body(layer's number, product, where its memory begins)` for all products; returns the
// bytes of all.
template <typename Body>
uint64_t ForProducts(const BertModel& model, const Kernels& kernels, const Body& body) {
  uint64_t at = sizeof(Header);
  for (size_t i = 0; i < model.layers.size(); ++i) {
    for (const Product& product : ProductsOf(model.layers[i])) {
      body(i, product, at);
      at += PackedBytes(OutputsOf(product), product.parts.front()->weight.columns, kernels);
    }
  }
  return at;
}

// XXH3 of the weights as the model's file has them, and of their types and shapes. Against mistakes
// only: whoever can put a file into the folder could as well change the model.
uint64_t HashOf(const BertModel& model) {
  uint64_t hash = 0;
  const auto add = [&](const void* bytes, size_t size) {
    hash = FastHash({static_cast<const char*>(bytes), size}, hash);
  };
  for (const BertLayer& layer : model.layers) {
    for (const BertLinear* linear : {&layer.query, &layer.key, &layer.value,
                                     &layer.attention_output, &layer.up, &layer.down}) {
      const FloatMatrix& weight = linear->weight;
      const uint32_t shape[] = {static_cast<uint32_t>(weight.type), weight.rows, weight.columns};
      add(shape, sizeof(shape));
      const size_t bytes = weight.type == FloatType::kF32 ? 4 : 2;
      add(weight.values, size_t{weight.rows} * weight.columns * bytes);
      add(linear->bias.data(), linear->bias.size() * sizeof(float));
    }
  }
  return hash;
}

Header HeaderOf(const BertModel& model, const Kernels& kernels) {
  Header header;
  header.panel_columns = static_cast<uint32_t>(kernels.panel_columns);
  header.product = static_cast<uint32_t>(kernels.product);
  header.source = HashOf(model);
  header.bytes = ForProducts(model, kernels, [](size_t, const Product&, uint64_t) {});
  std::strncpy(header.tier, kernels.tier, sizeof(header.tier) - 1);
  return header;
}

std::string NameOf(const Header& header) {
  char hash[17];
  std::snprintf(hash, sizeof(hash), "%016llx", static_cast<unsigned long long>(header.source));
  return std::string(header.tier) + "-" + hash + "-v" + std::to_string(header.version) +
         std::string(kEnding);
}

std::string_view Behind(const char* memory, const Header& header) {
  return {memory + sizeof(Header), header.bytes - sizeof(Header)};
}

// Maps the file if it is whole and ours; null if not.
std::shared_ptr<const char> Map(const fs::path& path, const Header& wanted) {
  const Result<FileDescriptor> file = OpenFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!file.ok()) return nullptr;
  struct stat info {};
  if (fstat(file->get(), &info) != 0 || !S_ISREG(info.st_mode)) return nullptr;
  const bool ours = info.st_uid == geteuid() || info.st_uid == 0;
  if (!ours || (info.st_mode & (S_IWGRP | S_IWOTH)) != 0) return nullptr;
  if (info.st_size < 0 || static_cast<uint64_t>(info.st_size) != wanted.bytes) return nullptr;
  // All of it is read at once for the checksum.
  void* data = mmap(nullptr, wanted.bytes, PROT_READ, MAP_PRIVATE | MAP_POPULATE, file->get(), 0);
  if (data == MAP_FAILED) return nullptr;
  const std::shared_ptr<const char> memory(
      static_cast<const char*>(data),
      [bytes = wanted.bytes](const char* begin) { munmap(const_cast<char*>(begin), bytes); });
  Header found;
  std::memcpy(&found, memory.get(), sizeof(found));
  const uint64_t checksum = std::exchange(found.checksum, 0);
  if (std::memcmp(&found, &wanted, sizeof(found)) != 0) return nullptr;
  return checksum == FastHash(Behind(memory.get(), wanted)) ? memory : nullptr;
}

// Makes room for the file `name`: removes files of other versions, what writers that were killed
// have left, and the oldest files that leave no room among kPackedFilesMax. Other processes may do
// the same at once. Returns whether none of them is writing the file now; one that was killed while
// it did counts for an hour, so that a model that is started and ended often does not fill the
// disk.
bool MakeRoom(const fs::path& folder, const std::string& name) {
  const std::string version = "-v" + std::to_string(kPackedVersion) + std::string(kEnding);
  const std::string unfinished = std::string(kEnding) + ".tmp.";
  std::vector<std::pair<fs::file_time_type, fs::path>> kept;
  std::vector<fs::path> stale;
  bool alone = true;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    const std::string other = entry->path().filename().string();
    std::error_code gone;
    const fs::file_time_type time = entry->last_write_time(gone);
    if (gone || other == name) continue;
    if (other.ends_with(version)) {
      kept.emplace_back(time, entry->path());
    } else if (other.ends_with(kEnding)) {
      stale.push_back(entry->path());
    } else if (other.find(unfinished) != std::string::npos) {
      if (fs::file_time_type::clock::now() - time > std::chrono::hours(1)) {
        stale.push_back(entry->path());
      } else if (other.starts_with(name)) {
        alone = false;
      }
    }
  }
  std::sort(kept.begin(), kept.end());
  for (size_t i = 0; i + kPackedFilesMax <= kept.size(); ++i) stale.push_back(kept[i].second);
  for (const fs::path& path : stale) fs::remove(path, error);
  return alone;
}

Status PackAll(const BertModel& model, const Kernels& kernels, char* memory) {
  Status status;
  ForProducts(model, kernels, [&](size_t layer, const Product& product, uint64_t at) {
    if (Pack(product.parts, kernels, memory + at) || !status.ok()) return;
    status = InvalidArgument(Reason::kModelCorrupt,
                             "layer " + std::to_string(layer) +
                                 " of the embedding model has weights that are no numbers; import "
                                 "the model again from a complete download");
  });
  return status;
}

// A failure leaves the weights in memory, and the next process to pack them again.
void Store(const fs::path& folder, Header header, char* memory) {
  const std::string name = NameOf(header);
  if (!CreateDirectories(folder, 0755).ok() || !MakeRoom(folder, name)) return;
  std::error_code error;
  const fs::space_info space = fs::space(folder, error);
  if (error || space.available < header.bytes + kPackedRoomBytes) return;
  header.checksum = FastHash(Behind(memory, header));
  std::memcpy(memory, &header, sizeof(header));
  const Status written = WriteFileAtomically(folder / name, {memory, header.bytes}, 0644);
  static_cast<void>(written);
}

}  // namespace

PackedModel::PackedModel(const BertModel& model, const Kernels& kernels, const fs::path& folder)
    : layers_(model.layers.size()) {
  const Header header = HeaderOf(model, kernels);
  if (!folder.empty()) memory_ = Map(folder / NameOf(header), header);
  mapped_ = memory_ != nullptr;
  if (!mapped_) {
    const auto buffer = std::make_shared<AlignedBuffer>(header.bytes);
    memory_ = {buffer, buffer->data()};
    status_ = PackAll(model, kernels, buffer->data());
    if (status_.ok() && !folder.empty()) {
      writer_ = std::thread([folder, header, buffer] { Store(folder, header, buffer->data()); });
    }
  }
  ForProducts(model, kernels, [&](size_t layer, const Product& product, uint64_t at) {
    layers_[layer].*product.place = PackedAt(memory_.get() + at, OutputsOf(product),
                                             product.parts.front()->weight.columns, kernels);
  });
}

PackedModel::~PackedModel() {
  if (writer_.joinable()) writer_.join();
}

std::string PackedFileName(const BertModel& model, const Kernels& kernels) {
  return NameOf(HeaderOf(model, kernels));
}

}  // namespace ragstone::llm
