#include "llm/gguf_file.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>
#include <vector>

namespace ragstone::llm {
namespace {

constexpr uint64_t kKeysMax = 1 << 16;
constexpr uint64_t kTensorsMax = 1 << 16;
constexpr uint64_t kNameBytesMax = 1 << 10;
constexpr uint64_t kTextBytesKept = 4096;
constexpr uint64_t kArrayItemsMax = 1 << 24;
constexpr uint32_t kTypeUint32 = 4;
constexpr uint32_t kTypeString = 8;
constexpr uint32_t kTypeArray = 9;

Status Corrupt(const std::string& what) {
  return InvalidArgument(Reason::kModelCorrupt,
                         "GGUF file: " + what + "; download the model again");
}

// Bytes of a metadata value by its type; 0 for strings, arrays and unknown types.
uint64_t ValueBytes(uint32_t type) {
  constexpr uint64_t kBytes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return type < std::size(kBytes) ? kBytes[type] : 0;
}

// Values in a block of a tensor type and the block's bytes; {0, 0} for types not known here.
std::pair<uint64_t, uint64_t> BlockOf(uint32_t type) {
  static const std::map<uint32_t, std::pair<uint64_t, uint64_t>> kBlocks = {
      {0, {1, 4}},      {1, {1, 2}},      {2, {32, 18}},    {3, {32, 20}},    {6, {32, 22}},
      {7, {32, 24}},    {8, {32, 34}},    {9, {32, 36}},    {10, {256, 84}},  {11, {256, 110}},
      {12, {256, 144}}, {13, {256, 176}}, {14, {256, 210}}, {15, {256, 292}}, {20, {32, 18}},
      {23, {256, 136}}, {24, {1, 1}},     {25, {1, 2}},     {26, {1, 4}},     {27, {1, 8}},
      {28, {1, 8}},     {30, {1, 2}},     {34, {256, 54}},  {35, {256, 66}},  {39, {32, 17}},
  };
  const auto found = kBlocks.find(type);
  return found == kBlocks.end() ? std::pair<uint64_t, uint64_t>{0, 0} : found->second;
}

// Walks through the bytes; every read is checked.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}

  uint64_t at() const { return at_; }
  uint64_t left() const { return bytes_.size() - at_; }

  template <typename T>
  Result<T> Number() {
    T value{};
    if (left() < sizeof(T)) return Ends();
    std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }
  Result<std::string_view> Text() {
    ASSIGN_OR_RETURN(const uint64_t length, Number<uint64_t>());
    if (length > left()) {
      return Corrupt("a text at byte " + std::to_string(at_) + " claims " + std::to_string(length) +
                     " bytes, the file has " + std::to_string(left()) + " left");
    }
    const std::string_view text = bytes_.substr(at_, length);
    at_ += length;
    return text;
  }
  Status Skip(uint64_t count) {
    if (count > left()) return Ends();
    at_ += count;
    return OkStatus();
  }

 private:
  Status Ends() const {
    return Corrupt("it ends inside the header, at byte " + std::to_string(bytes_.size()));
  }
  std::string_view bytes_;
  uint64_t at_ = 0;
};

Status SkipArray(Reader* reader, const std::string& key) {
  ASSIGN_OR_RETURN(const uint32_t type, reader->Number<uint32_t>());
  ASSIGN_OR_RETURN(const uint64_t count, reader->Number<uint64_t>());
  if (count > kArrayItemsMax) {
    return Corrupt("the list " + key + " claims " + std::to_string(count) + " items");
  }
  if (type == kTypeString) {
    for (uint64_t i = 0; i < count; ++i) RETURN_IF_ERROR(reader->Text().status());
    return OkStatus();
  }
  const uint64_t bytes = ValueBytes(type);
  if (bytes == 0) return Corrupt("the list " + key + " has items of unknown type");
  return reader->Skip(bytes * count);
}

template <typename T>
Result<double> ReadAs(Reader* reader) {
  ASSIGN_OR_RETURN(const T value, reader->Number<T>());
  return static_cast<double>(value);
}

// Reads a value that is neither text nor list.
Result<double> ReadNumber(Reader* reader, uint32_t type, const std::string& key) {
  switch (type) {
    case 0:
      return ReadAs<uint8_t>(reader);
    case 1:
      return ReadAs<int8_t>(reader);
    case 2:
      return ReadAs<uint16_t>(reader);
    case 3:
      return ReadAs<int16_t>(reader);
    case kTypeUint32:
      return ReadAs<uint32_t>(reader);
    case 5:
      return ReadAs<int32_t>(reader);
    case 6:
      return ReadAs<float>(reader);
    case 7: {
      ASSIGN_OR_RETURN(const uint8_t flag, reader->Number<uint8_t>());
      return flag == 0 ? 0.0 : 1.0;
    }
    case 10:
      return ReadAs<uint64_t>(reader);
    case 11:
      return ReadAs<int64_t>(reader);
    case 12:
      return ReadAs<double>(reader);
    default:
      return Corrupt("the key " + key + " has an unknown type");
  }
}

// Takes the alignment of the tensor data if the file names one.
Status TakeAlignment(uint32_t type, double value, uint64_t* alignment) {
  if (type != kTypeUint32) return Corrupt("general.alignment is not a 32-bit number");
  const auto bytes = static_cast<uint64_t>(value);
  if (bytes < 8 || bytes > (1u << 20) || (bytes & (bytes - 1)) != 0) {
    return Corrupt("general.alignment is " + std::to_string(bytes));
  }
  *alignment = bytes;
  return OkStatus();
}

// Reads the metadata; sets the alignment of the tensor data if the file names one.
Status ReadMetadata(Reader* reader, uint64_t keys, GgufFacts* facts, uint64_t* alignment) {
  std::set<std::string> seen;
  for (uint64_t i = 0; i < keys; ++i) {
    ASSIGN_OR_RETURN(const std::string_view name, reader->Text());
    const std::string key(name.substr(0, kNameBytesMax));
    if (name.empty() || name.size() > kNameBytesMax) return Corrupt("a key has no usable name");
    if (!seen.insert(key).second) return Corrupt("the key " + key + " comes twice");
    ASSIGN_OR_RETURN(const uint32_t type, reader->Number<uint32_t>());
    if (type == kTypeString) {
      ASSIGN_OR_RETURN(const std::string_view text, reader->Text());
      if (text.size() <= kTextBytesKept) facts->texts.emplace(key, text);
    } else if (type == kTypeArray) {
      RETURN_IF_ERROR(SkipArray(reader, key));
    } else {
      ASSIGN_OR_RETURN(const double value, ReadNumber(reader, type, key));
      if (key == "general.alignment") RETURN_IF_ERROR(TakeAlignment(type, value, alignment));
      facts->numbers.emplace(key, value);
    }
  }
  const auto architecture = facts->texts.find("general.architecture");
  if (architecture == facts->texts.end() || architecture->second.empty()) {
    return Corrupt("general.architecture is missing");
  }
  facts->architecture = architecture->second;
  return OkStatus();
}

struct TensorPlace {
  GgufTensor tensor;
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

Result<TensorPlace> ReadTensor(Reader* reader, GgufFacts* facts) {
  TensorPlace place;
  GgufTensor& tensor = place.tensor;
  ASSIGN_OR_RETURN(const std::string_view name, reader->Text());
  if (name.empty() || name.size() > kNameBytesMax) return Corrupt("a tensor has no usable name");
  tensor.name = name;
  ASSIGN_OR_RETURN(const uint32_t dimensions, reader->Number<uint32_t>());
  if (dimensions > 4) return Corrupt("tensor " + tensor.name + " has more than 4 dimensions");
  uint64_t values = 1;
  for (uint32_t i = 0; i < dimensions; ++i) {
    ASSIGN_OR_RETURN(tensor.sizes[i], reader->Number<uint64_t>());
    if (tensor.sizes[i] == 0 || __builtin_mul_overflow(values, tensor.sizes[i], &values) ||
        values > (uint64_t{1} << 48)) {
      return Corrupt("tensor " + tensor.name + " has impossible dimensions");
    }
  }
  ASSIGN_OR_RETURN(tensor.type, reader->Number<uint32_t>());
  ASSIGN_OR_RETURN(place.offset, reader->Number<uint64_t>());
  const auto [block_values, block_bytes] = BlockOf(tensor.type);
  if (block_values != 0) {
    if (tensor.sizes[0] % block_values != 0) {
      return Corrupt("the rows of tensor " + tensor.name + " are no whole number of blocks");
    }
    place.bytes = values / block_values * block_bytes;
  }
  facts->parameters += values;
  return place;
}

}  // namespace

Result<GgufFacts> ParseGguf(std::string_view file) {
  if (!file.starts_with("GGUF")) {
    return Corrupt("it does not begin with the letters GGUF, so it is no GGUF file");
  }
  Reader reader(file);
  RETURN_IF_ERROR(reader.Skip(4));
  GgufFacts facts;
  ASSIGN_OR_RETURN(facts.version, reader.Number<uint32_t>());
  if (facts.version != 2 && facts.version != 3) {
    return InvalidArgument(Reason::kModelUnsupported,
                           "GGUF file: version " + std::to_string(facts.version) +
                               " (or a big-endian file); versions 2 and 3 are read");
  }
  ASSIGN_OR_RETURN(facts.tensors, reader.Number<uint64_t>());
  ASSIGN_OR_RETURN(const uint64_t keys, reader.Number<uint64_t>());
  if (facts.tensors == 0 || facts.tensors > kTensorsMax || keys > kKeysMax) {
    return Corrupt("it claims " + std::to_string(facts.tensors) + " tensors and " +
                   std::to_string(keys) + " keys");
  }
  uint64_t alignment = 32;
  RETURN_IF_ERROR(ReadMetadata(&reader, keys, &facts, &alignment));
  std::set<std::string> names;
  std::vector<TensorPlace> places;
  for (uint64_t i = 0; i < facts.tensors; ++i) {
    ASSIGN_OR_RETURN(TensorPlace place, ReadTensor(&reader, &facts));
    const std::string& name = place.tensor.name;
    if (!names.insert(name).second) return Corrupt("tensor " + name + " comes twice");
    places.push_back(std::move(place));
  }
  const uint64_t data = (reader.at() + alignment - 1) / alignment * alignment;
  const uint64_t data_bytes = data <= file.size() ? file.size() - data : 0;
  for (TensorPlace& place : places) {
    GgufTensor& tensor = place.tensor;
    if (place.offset % alignment != 0) {
      return Corrupt("tensor " + tensor.name + " is not aligned");
    }
    if (place.offset > data_bytes || place.bytes > data_bytes - place.offset) {
      return Corrupt("tensor " + tensor.name + " reaches beyond the end at byte " +
                     std::to_string(file.size()) + ", the file is cut off");
    }
    if (place.bytes > 0) tensor.bytes = file.substr(data + place.offset, place.bytes);
    facts.tensor_table.push_back(std::move(tensor));
  }
  return facts;
}

}  // namespace ragstone::llm
