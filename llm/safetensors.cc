#include "llm/safetensors.h"

#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "llm/float16.h"

namespace ragstone::llm {
namespace {

using Json = nlohmann::json;

constexpr uint64_t kHeaderBytesMax = uint64_t{64} << 20;
constexpr size_t kTensorsMax = 65536;
constexpr size_t kDimensionsMax = 8;

Status Corrupt(const std::string& what) {
  return InvalidArgument(Reason::kModelCorrupt,
                         "safetensors file: " + what + "; download the model again");
}

uint64_t TypeBytes(std::string_view type) {
  if (type == "F64" || type == "I64" || type == "U64") return 8;
  if (type == "F32" || type == "I32" || type == "U32") return 4;
  if (type == "F16" || type == "BF16" || type == "I16" || type == "U16") return 2;
  if (type == "I8" || type == "U8" || type == "BOOL" || type == "F8_E4M3" || type == "F8_E5M2") {
    return 1;
  }
  return 0;
}

// Reads an array of numbers that are whole and not negative.
bool ReadNumbers(const Json& json, size_t count_max, std::vector<uint64_t>* numbers) {
  if (!json.is_array() || json.size() > count_max) return false;
  for (const Json& number : json) {
    if (!number.is_number_unsigned()) return false;
    numbers->push_back(number.get<uint64_t>());
  }
  return true;
}

Result<SafeTensor> ReadTensor(const std::string& name, const Json& entry, std::string_view data) {
  if (!entry.is_object() || !entry.contains("dtype") || !entry["dtype"].is_string() ||
      !entry.contains("shape") || !entry.contains("data_offsets")) {
    return Corrupt("the entry of tensor " + name + " lacks dtype, shape or data_offsets");
  }
  SafeTensor tensor;
  tensor.type = entry["dtype"].get<std::string>();
  std::vector<uint64_t> offsets;
  if (!ReadNumbers(entry["shape"], kDimensionsMax, &tensor.shape) ||
      !ReadNumbers(entry["data_offsets"], 2, &offsets) || offsets.size() != 2) {
    return Corrupt("shape or data_offsets of tensor " + name + " are malformed");
  }
  if (offsets[0] > offsets[1] || offsets[1] > data.size()) {
    return Corrupt("tensor " + name + " ends at byte " + std::to_string(offsets[1]) +
                   " of the data, the file holds " + std::to_string(data.size()));
  }
  uint64_t bytes = TypeBytes(tensor.type);
  if (bytes == 0) return Corrupt("tensor " + name + " has the unknown type " + tensor.type);
  for (const uint64_t dimension : tensor.shape) {
    if (__builtin_mul_overflow(bytes, dimension, &bytes)) {
      return Corrupt("the shape of tensor " + name + " is too large");
    }
  }
  if (bytes != offsets[1] - offsets[0]) {
    return Corrupt("tensor " + name + " has " + std::to_string(offsets[1] - offsets[0]) +
                   " bytes, its shape asks for " + std::to_string(bytes));
  }
  tensor.bytes = data.substr(offsets[0], bytes);
  return tensor;
}

}  // namespace

Result<SafeTensors> ParseSafetensors(std::string_view file) {
  uint64_t header_bytes = 0;
  if (file.size() < sizeof(header_bytes)) return Corrupt("it is shorter than its header");
  std::memcpy(&header_bytes, file.data(), sizeof(header_bytes));
  file.remove_prefix(sizeof(header_bytes));
  if (header_bytes > kHeaderBytesMax || header_bytes > file.size()) {
    return Corrupt("the header claims " + std::to_string(header_bytes) + " bytes, the file holds " +
                   std::to_string(file.size()));
  }
  const std::string_view text = file.substr(0, header_bytes);
  const std::string_view data = file.substr(header_bytes);
  const Json header = Json::parse(text.begin(), text.end(), nullptr, false);
  if (!header.is_object()) return Corrupt("the header is not a JSON object");
  if (header.size() > kTensorsMax) {
    return Corrupt("it has more than " + std::to_string(kTensorsMax) + " tensors");
  }
  SafeTensors tensors;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    ASSIGN_OR_RETURN(SafeTensor tensor, ReadTensor(name, entry, data));
    tensors.emplace(name, std::move(tensor));
  }
  return tensors;
}

Result<std::vector<float>> TensorToFloats(const SafeTensor& tensor) {
  if (tensor.type == "F32") {
    std::vector<float> values(tensor.bytes.size() / sizeof(float));
    if (!values.empty()) std::memcpy(values.data(), tensor.bytes.data(), values.size() * 4);
    return values;
  }
  if (tensor.type != "F16" && tensor.type != "BF16") {
    return InvalidArgument(Reason::kModelUnsupported,
                           "a tensor of type " + tensor.type + " is not F32, F16 or BF16");
  }
  std::vector<float> values(tensor.bytes.size() / 2);
  for (size_t i = 0; i < values.size(); ++i) {
    uint16_t bits;
    std::memcpy(&bits, tensor.bytes.data() + i * 2, sizeof(bits));
    values[i] = tensor.type == "F16" ? FromHalf(bits) : FromBfloat16(bits);
  }
  return values;
}

}  // namespace ragstone::llm
