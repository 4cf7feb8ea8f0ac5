// How long a record collection takes from the start of the program to its first correct search, by
// how the program ended before.
//
//   record_restart fill ROWS DIMENSIONS DIR   fills DIR, waits until all is indexed, ends cleanly
//   record_restart kill ROWS DIMENSIONS DIR   writes 1000 more records and kills itself
//   record_restart open ROWS DIMENSIONS DIR   opens DIR and searches
//
// Prints one line of name=value: seconds and, in MiB, the resident set.
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>
#include <thread>

#include "base/clock.h"
#include "index/database.h"
#include "index/record_database.h"

namespace {

using namespace ragstone;         // NOLINT: a program of one file
using namespace ragstone::index;  // NOLINT

constexpr int kBatch = 1000;
constexpr int kClusters = 2000;

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double ResidentMib() {
  std::ifstream file("/proc/self/statm");
  uint64_t total = 0, resident = 0;
  file >> total >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

[[noreturn]] void Fail(const Status& status) {
  std::cerr << status.ToString() << "\n";
  std::exit(1);
}
template <typename T>
T Must(Result<T> result) {
  if (!result.ok()) Fail(result.status());
  return std::move(*result);
}

// Points around centres, as embeddings lie.
DenseVector VectorOf(int row, size_t dimensions) {
  std::mt19937_64 cluster(static_cast<uint64_t>(row % kClusters));
  std::mt19937_64 own(static_cast<uint64_t>(row) + 1'000'003);
  std::normal_distribution<float> normal;
  DenseVector vector(dimensions);
  for (float& value : vector) value = normal(cluster);
  for (float& value : vector) value += 0.7f * normal(own);
  return vector;
}

std::string IdOf(int row) { return "r" + std::to_string(row); }

class Restart {
 public:
  Restart(int rows, size_t dimensions, std::string dir)
      : rows_(rows), dimensions_(dimensions), dir_(std::move(dir)) {}

  void Open() {
    DatabaseOptions options;
    options.dir = dir_;
    options.on_storage_warning = [](std::string_view line) { std::cerr << line << "\n"; };
    database_ = Must(Database::Open(options, Clock::System()));
    records_ = Must(RecordDatabase::Open(database_.get(), Clock::System()));
  }
  void Close() {
    records_.reset();
    database_.reset();
  }

  void Create() {
    RecordCollectionSpec spec;
    spec.name = "c";
    VectorField field;
    field.dimensions = static_cast<uint32_t>(dimensions_);
    spec.vectors = {field};
    spec.schema = Must(Schema::Create({{"year", FieldType::kInteger}}));
    Must(records_->CreateCollection(spec));
    Finds(0);  // nothing yet; the indexes are loaded now
  }
  void Put(int begin, int end) {
    for (int at = begin; at < end; at += kBatch) {
      std::vector<Record> records;
      for (int row = at; row < std::min(end, at + kBatch); ++row) {
        Record record;
        record.id = IdOf(row);
        record.vectors[""] = VectorOf(row, dimensions_);
        record.payload["year"] = int64_t{row % 100};
        records.push_back(std::move(record));
      }
      Must(records_->Upsert("c", std::move(records), {}, {}));
    }
  }
  // Until nothing but the last rows is scanned.
  std::string WaitForIndex() {
    for (;;) {
      const RecordCollectionInfo info = Must(records_->GetCollection("c"));
      const size_t scanned = info.index[0].find(" vectors scanned");
      const size_t begin = info.index[0].rfind(' ', scanned - 1);
      const bool few =
          scanned == std::string::npos || std::atoi(info.index[0].c_str() + begin + 1) < 20'000;
      if (few) return info.index[0];
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
  }
  // Whether the record is found as its own nearest, which a search of a graph may miss.
  bool Finds(int row) {
    RecordSearch search;
    search.vector = VectorOf(row, dimensions_);
    search.top_k = 10;
    const std::vector<RecordHit> hits = Must(records_->Search("c", search, {}));
    return !hits.empty() && hits[0].record.id == IdOf(row);
  }
  void MustFind(int row) {
    if (Finds(row)) return;
    std::cerr << "wrong: record " << IdOf(row) << " is not its own nearest\n";
    std::exit(1);
  }
  int rows() const { return rows_; }

 private:
  const int rows_;
  const size_t dimensions_;
  const std::string dir_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<RecordDatabase> records_;
};

void Fill(Restart* restart) {
  const double begin = Now();
  restart->Open();
  restart->Create();
  restart->Put(0, restart->rows());
  const double written = Now();
  const std::string index = restart->WaitForIndex();
  const double indexed = Now();
  const double resident = ResidentMib();
  restart->Close();
  std::printf("fill_s=%.2f index_s=%.2f close_s=%.2f rss_mib=%.0f index=%s\n", written - begin,
              indexed - written, Now() - indexed, resident, index.c_str());
}

[[noreturn]] void Kill(Restart* restart) {
  restart->Open();
  restart->MustFind(1);
  restart->Put(restart->rows(), restart->rows() + kBatch);
  std::printf("killed\n");
  std::fflush(stdout);
  raise(SIGKILL);
  std::exit(1);
}

void OpenAndSearch(Restart* restart) {
  const double begin = Now();
  restart->Open();
  const double opened = Now();
  restart->MustFind(restart->rows() / 2);
  const double searched = Now();
  int found = 0;
  for (int i = 0; i < 100; ++i) {
    const int row = static_cast<int>((int64_t{i} * 7919 * 31) % restart->rows());
    if (restart->Finds(row)) ++found;
  }
  const double next_100 = Now() - searched;
  const double resident = ResidentMib();
  std::printf(
      "open_s=%.3f first_search_s=%.3f start_s=%.3f next_100_s=%.3f found=%d rss_mib=%.0f "
      "index=%s\n",
      opened - begin, searched - opened, searched - begin, next_100, found, resident,
      restart->WaitForIndex().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "usage: record_restart fill|kill|open ROWS DIMENSIONS DIR\n";
    return 2;
  }
  const std::string phase = argv[1];
  Restart restart(std::atoi(argv[2]), static_cast<size_t>(std::atoi(argv[3])), argv[4]);
  if (phase == "fill") {
    Fill(&restart);
  } else if (phase == "kill") {
    Kill(&restart);
  } else if (phase == "open") {
    OpenAndSearch(&restart);
  } else {
    std::cerr << "the phase is fill, kill or open, not " << phase << "\n";
    return 2;
  }
  return 0;
}
