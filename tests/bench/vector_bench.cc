// Our vector index for vector_bench.py, which tells it line by line what to do and compares it with
// others. Reads vectors of float32; answers each command with one line of name=value.
//
//   load BASE DIMENSIONS            vectors to build from; once
//   build M EF THREADS STORAGE      STORAGE: fp32, fp16, int8, binary
//   search QUERIES K EF RESCORE OUT one thread; ids of the hits as int64 into OUT
//   filter QUERIES K ONE_IN         one row in so many passes; recall against exact search
//   reload WITH_VECTORS             stores the segment in memory and reads it back
//   rows COUNT                      how many rows to take from BASE from now on
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>

#include "index/internal/vectors/kernel_tiers.h"
#include "index/internal/vectors/segment.h"
#include "index/internal/vectors/segment_io.h"

namespace {

using ragstone::Result;
using ragstone::Status;
using namespace ragstone::index::vectors;  // NOLINT: a program of one file

// What passed on the clock, and what this process computed meanwhile.
class Stopwatch {
 public:
  std::string Text() const {
    char text[100];
    std::snprintf(text, sizeof(text), "wall=%.6f cpu=%.6f", Read(CLOCK_MONOTONIC) - wall_,
                  Read(CLOCK_PROCESS_CPUTIME_ID) - cpu_);
    return text;
  }

 private:
  static double Read(clockid_t clock) {
    timespec time{};
    clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
  }
  const double wall_ = Read(CLOCK_MONOTONIC);
  const double cpu_ = Read(CLOCK_PROCESS_CPUTIME_ID);
};

std::vector<float> ReadFloats(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  std::vector<float> values(static_cast<size_t>(file.tellg()) / sizeof(float));
  file.seekg(0);
  file.read(reinterpret_cast<char*>(values.data()),
            static_cast<std::streamsize>(values.size() * sizeof(float)));
  if (!file) std::cerr << "cannot read " << path << "\n";
  return values;
}

// The vectors of a file, which stay there: a million of them take no memory twice.
class Floats : public RowSource {
 public:
  ~Floats() override {
    if (values_ != nullptr) munmap(values_, bytes_);
  }
  bool Map(const std::string& path) {
    const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat about = {};
    if (file < 0 || fstat(file, &about) != 0) return false;
    bytes_ = static_cast<size_t>(about.st_size);
    void* mapped = mmap(nullptr, bytes_, PROT_READ, MAP_SHARED, file, 0);
    close(file);
    values_ = mapped == MAP_FAILED ? nullptr : mapped;
    return values_ != nullptr;
  }

  size_t dimensions = 1;
  size_t rows_max = SIZE_MAX;
  size_t rows() const override { return std::min(rows_max, bytes_ / sizeof(float) / dimensions); }
  RowId id(size_t i) const override { return i; }
  VectorData vector(size_t i) const override {
    return static_cast<const float*>(values_) + i * dimensions;
  }

 private:
  void* values_ = nullptr;
  size_t bytes_ = 0;
};

class Chunks : public ChunkSink, public ChunkSource {
 public:
  Status Put(uint32_t, std::string_view chunk) override {
    chunks_.emplace_back(chunk);
    bytes += chunk.size();
    return ragstone::OkStatus();
  }
  Result<std::string> Get(uint32_t number) const override { return chunks_.at(number); }
  size_t bytes = 0;

 private:
  std::vector<std::string> chunks_;
};

class Bench {
 public:
  // Whether the line was understood and done.
  bool Do(const std::string& line) {
    std::istringstream words(line);
    std::string command;
    words >> command;
    if (command == "load") return Load(&words);
    if (command == "rows") return static_cast<bool>(words >> base_.rows_max);
    if (command == "build") return Build(&words);
    if (command == "search") return Search(&words);
    if (command == "filter") return Filter(&words);
    if (command == "reload") return Reload(&words);
    return false;
  }

 private:
  bool Load(std::istringstream* words) {
    std::string path;
    *words >> path >> base_.dimensions;
    if (base_.dimensions == 0 || !base_.Map(path)) return false;
    std::printf("rows=%zu tier=%s\n", base_.rows(), BestKernels().tier);
    return true;
  }

  bool Build(std::istringstream* words) {
    const std::map<std::string, Storage> storages = {{"fp32", Storage::kFloat32},
                                                     {"fp16", Storage::kFloat16},
                                                     {"int8", Storage::kInt8},
                                                     {"binary", Storage::kBinary}};
    SealOptions options;
    std::string storage;
    *words >> options.graph.links >> options.graph.ef_construction >> options.graph.threads >>
        storage;
    if (!*words || !storages.contains(storage)) return false;
    int renumber = 1;
    if (*words >> renumber) options.renumber = renumber != 0;
    segment_.reset();
    const VectorSpec spec = {static_cast<uint32_t>(base_.dimensions), Metric::kCosine,
                             storages.at(storage)};
    const Stopwatch watch;
    Result<std::unique_ptr<Segment>> built = Segment::Build(spec, base_, options);
    if (!built.ok()) return false;
    segment_ = std::move(*built);
    std::printf("%s bytes=%.1f unreachable=%zu\n", watch.Text().c_str(),
                static_cast<double>(segment_->bytes()) / static_cast<double>(base_.rows()),
                segment_->unreachable().size());
    return true;
  }

  bool Search(std::istringstream* words) {
    std::string path, out;
    SearchOptions options;
    *words >> path >> options.k >> options.ef >> options.rescore >> out;
    if (!*words || segment_ == nullptr) return false;
    if (path != queries_path_) queries_ = ReadFloats(queries_path_ = path);
    std::vector<VectorData> queries;
    for (size_t at = 0; at < queries_.size(); at += base_.dimensions) {
      queries.push_back(queries_.data() + at);
    }
    std::vector<std::vector<Hit>> hits;
    const Stopwatch watch;
    if (!segment_->SearchBatch(queries, options, &hits).ok()) return false;
    const std::string text = watch.Text();
    std::ofstream file(out, std::ios::binary);
    for (const std::vector<Hit>& found : hits) {
      for (size_t i = 0; i < options.k; ++i) {
        const int64_t id = i < found.size() ? static_cast<int64_t>(found[i].row) : -1;
        file.write(reinterpret_cast<const char*>(&id), sizeof(id));
      }
    }
    std::printf("%s\n", text.c_str());
    return true;
  }

  bool Filter(std::istringstream* words) {
    std::string path;
    SearchOptions options;
    uint64_t one_in = 1;
    *words >> path >> options.k >> one_in;
    if (!*words || segment_ == nullptr || one_in == 0) return false;
    if (path != queries_path_) queries_ = ReadFloats(queries_path_ = path);
    const auto passes = [&](RowId row, Slot) { return row * 0x9e3779b97f4a7c15u % one_in == 0; };
    size_t matches = 0;
    for (size_t i = 0; i < base_.rows(); ++i) matches += passes(i, 0);
    const Restriction restriction = {RowPredicate(passes), matches, {}};
    size_t found = 0, wanted = 0, searches = 0;
    std::vector<std::vector<Hit>> hits(queries_.size() / base_.dimensions);
    const Stopwatch watch;
    for (std::vector<Hit>& of_query : hits) {
      const float* query = queries_.data() + searches++ * base_.dimensions;
      if (!segment_->Search(query, options, &restriction, &of_query).ok()) return false;
    }
    const std::string text = watch.Text();
    for (size_t i = 0; i < hits.size(); i += 5) {
      std::vector<Hit> truth;
      const float* query = queries_.data() + i * base_.dimensions;
      if (!segment_->SearchExact(query, options, &restriction, &truth).ok()) return false;
      wanted += truth.size();
      for (const Hit& hit : hits[i]) found += hit.distance <= truth.back().distance;
    }
    std::printf("%s matches=%zu recall=%.4f\n", text.c_str(), matches,
                wanted == 0 ? 1.0 : static_cast<double>(found) / static_cast<double>(wanted));
    return true;
  }

  bool Reload(std::istringstream* words) {
    SegmentWriteOptions options;
    if (!(*words >> options.with_exact) || segment_ == nullptr) return false;
    Chunks chunks;
    const Stopwatch writing;
    if (!WriteSegment(*segment_, options, &chunks).ok()) return false;
    const std::string text = writing.Text();
    const Stopwatch reading;
    Result<LoadedSegment> loaded = ReadSegment(chunks, nullptr);
    if (!loaded.ok()) return false;
    std::printf("bytes=%zu %s read_%s\n", chunks.bytes, text.c_str(), reading.Text().c_str());
    segment_ = std::move(loaded->index);
    return true;
  }

  Floats base_;
  std::string queries_path_;
  std::vector<float> queries_;
  std::unique_ptr<Segment> segment_;
};

}  // namespace

int main() {
  Bench bench;
  std::string line;
  while (std::getline(std::cin, line)) {
    if (!bench.Do(line)) std::printf("error=failed: %s\n", line.c_str());
    std::fflush(stdout);
  }
  return 0;
}
