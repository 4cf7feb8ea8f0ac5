#include "services/worker_pool.h"

#include <algorithm>
#include <map>
#include <thread>
#include <utility>

#include "base/mutex.h"
#include "services/runtime_dir.h"
#include "services/tiers.h"
#include "services/workers/embedder_client.h"
#include "services/workers/generator_client.h"
#include "services/workers/importer_client.h"
#include "services/workers/parser_client.h"
#include "services/workers/process_slot.h"
#include "services/workers/supervisor.h"

namespace ragstone::services {

namespace {

// PDF workers that may run at a time.
constexpr unsigned kPdfWorkersMax = 4;
// Loading a large model from a slow disk takes minutes.
constexpr std::chrono::milliseconds kModelStartMax{600'000};
constexpr std::chrono::milliseconds kPdfStartMax{30'000};

class WorkerPoolImpl : public WorkerPool {
 public:
  WorkerPoolImpl(const Settings& settings, std::unique_ptr<RuntimeDir> sockets)
      : settings_(settings), sockets_(std::move(sockets)) {
    supervisor_ = std::make_unique<Supervisor>([this] { Tick(); });
    tiers_ = std::make_unique<TierChooser>(settings_, supervisor_.get());
    std::vector<std::unique_ptr<ProcessSlot>> slots;
    const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
    for (unsigned i = 0; i < std::min(cores, kPdfWorkersMax); ++i) slots.push_back(NewPdfSlot());
    parser_ = std::make_unique<RemoteParser>(std::move(slots));
    MutexLock lock(&mutex_);
    running_ = true;
  }

  ~WorkerPoolImpl() override {
    for (ProcessSlot* slot : Slots()) slot->Close();
    // Ends the thread; then no event reaches the slots and tiers any more.
    supervisor_.reset();
  }

  ingest::DocumentParser* pdf_parser() override { return parser_.get(); }

  Result<llm::Embedder*> EmbedderFor(const llm::Manifest& manifest,
                                     const std::filesystem::path& file) override {
    MutexLock lock(&mutex_);
    return Find<RemoteEmbedder>(manifest, file, &embedders_);
  }

  Result<llm::Generator*> GeneratorFor(const llm::Manifest& manifest,
                                       const std::filesystem::path& file) override {
    MutexLock lock(&mutex_);
    return Find<RemoteGenerator>(manifest, file, &generators_);
  }

  void StopModel(const std::string& name) override {
    MutexLock lock(&mutex_);
    Retire(name, &embedders_);
    Retire(name, &generators_);
  }

  Result<ImportedModel> ImportModel(const ImportOptions& import,
                                    const std::function<Status(const std::string&)>& progress,
                                    const CallContext& context) override {
    ProcessSlot::Options options = ModelOptions("import", "", {});
    auto slot = std::make_shared<ProcessSlot>(supervisor_.get(), sockets_.get(), options);
    {
      // Kept until its process has ended, of which the supervisor tells later.
      MutexLock lock(&mutex_);
      std::erase_if(imports_, [](const auto& old) { return old.use_count() == 1 && old->quiet(); });
      imports_.push_back(slot);
    }
    Result<ImportedModel> model = RunImport(slot.get(), import, progress, context);
    slot->Close();
    return model;
  }

  std::vector<WorkerState> States() const override {
    std::vector<WorkerState> states;
    for (const ProcessSlot* slot : Slots()) {
      WorkerState state = slot->State();
      const bool idle_import = state.role == "import" && state.pid == 0;
      if (!idle_import) states.push_back(std::move(state));
    }
    return states;
  }

  std::vector<TierState> Tiers() override { return tiers_->States(); }

 private:
  template <typename Client>
  struct Model {
    std::string sha256;
    std::filesystem::path file;
    std::unique_ptr<Client> client;
  };
  template <typename Client>
  using Models = std::map<std::string, Model<Client>>;

  std::unique_ptr<ProcessSlot> NewPdfSlot() {
    ProcessSlot::Options options;
    options.role = "pdf";
    options.start_time_max = kPdfStartMax;
    ProcessSlot::Launch launch;
    launch.executable = settings_.workers_dir / "ragstone-pdf";
    launch.arguments = {"--memory-max", std::to_string(settings_.worker_memory_max), "--file-max",
                        std::to_string(settings_.file_bytes_max)};
    options.launch = [launch](const CallContext&) -> Result<ProcessSlot::Launch> { return launch; };
    return std::make_unique<ProcessSlot>(supervisor_.get(), sockets_.get(), std::move(options));
  }

  ProcessSlot::Options ModelOptions(const std::string& role, const std::string& model,
                                    std::vector<std::string> arguments) {
    const unsigned cores = std::max(1u, std::thread::hardware_concurrency());
    const unsigned threads = settings_.threads == 0 ? cores : settings_.threads;
    std::vector<std::string> all = {"--role", role, "--threads", std::to_string(threads)};
    all.insert(all.end(), arguments.begin(), arguments.end());
    ProcessSlot::Options options;
    options.role = role;
    options.model = model;
    options.start_time_max = kModelStartMax;
    options.launch = [this, all](const CallContext& context) -> Result<ProcessSlot::Launch> {
      ASSIGN_OR_RETURN(std::filesystem::path executable, tiers_->Executable(context));
      return ProcessSlot::Launch{std::move(executable), all};
    };
    options.illegal_instruction = [this](const std::filesystem::path& executable) {
      return tiers_->NoteIllegalInstruction(executable);
    };
    return options;
  }

  ProcessSlot::Options OptionsFor(const RemoteEmbedder*, const llm::Manifest& manifest,
                                  const std::filesystem::path& file) {
    return ModelOptions(
        "embed", manifest.name,
        {"--model", file.string(), "--pooling", manifest.pooling, "--normalize",
         manifest.normalize ? "1" : "0", "--tokens-max", std::to_string(manifest.context_tokens),
         "--encoder", manifest.int8 ? "int8" : "float", "--gpu-layers",
         std::to_string(settings_.gpu_layers)});
  }

  ProcessSlot::Options OptionsFor(const RemoteGenerator*, const llm::Manifest& manifest,
                                  const std::filesystem::path& file) {
    uint32_t context = settings_.context_tokens_max;
    if (manifest.context_tokens > 0) context = std::min(context, manifest.context_tokens);
    return ModelOptions("generate", manifest.name,
                        {"--model", file.string(), "--context", std::to_string(context),
                         "--gpu-layers", std::to_string(settings_.gpu_layers)});
  }

  template <typename Client>
  Client* Find(const llm::Manifest& manifest, const std::filesystem::path& file,
               Models<Client>* models) REQUIRES(mutex_) {
    const auto found = models->find(manifest.name);
    if (found != models->end()) {
      if (found->second.sha256 == manifest.sha256 && found->second.file == file) {
        return found->second.client.get();
      }
      // Another model was installed under the name.
      Retire(manifest.name, models);
    }
    Model<Client> model;
    model.sha256 = manifest.sha256;
    model.file = file;
    const Client* tag = nullptr;
    model.client = std::make_unique<Client>(std::make_unique<ProcessSlot>(
        supervisor_.get(), sockets_.get(), OptionsFor(tag, manifest, file)));
    Client* client = model.client.get();
    models->emplace(manifest.name, std::move(model));
    return client;
  }

  // Stops the worker. The client stays until the pool's end: a caller may be using it.
  template <typename Client>
  void Retire(const std::string& name, Models<Client>* models) REQUIRES(mutex_) {
    const auto found = models->find(name);
    if (found == models->end()) return;
    found->second.client->slot()->Close();
    retired_.push_back(std::shared_ptr<Client>(std::move(found->second.client)));
    models->erase(found);
  }

  std::vector<ProcessSlot*> Slots() const {
    std::vector<ProcessSlot*> slots;
    for (const auto& slot : parser_->slots()) slots.push_back(slot.get());
    MutexLock lock(&mutex_);
    for (const auto& [name, model] : embedders_) slots.push_back(model.client->slot());
    for (const auto& [name, model] : generators_) slots.push_back(model.client->slot());
    for (const auto& import : imports_) slots.push_back(import.get());
    return slots;
  }

  // On the supervisor's thread.
  void Tick() {
    {
      MutexLock lock(&mutex_);
      if (!running_) return;
    }
    const std::chrono::seconds idle(settings_.worker_idle_s);
    for (ProcessSlot* slot : Slots()) {
      slot->CheckWatch();
      if (idle.count() > 0) slot->StopIfIdle(idle);
    }
  }

  const Settings settings_;
  const std::unique_ptr<RuntimeDir> sockets_;
  std::unique_ptr<TierChooser> tiers_;
  std::unique_ptr<RemoteParser> parser_;

  mutable Mutex mutex_;
  bool running_ GUARDED_BY(mutex_) = false;
  Models<RemoteEmbedder> embedders_ GUARDED_BY(mutex_);
  Models<RemoteGenerator> generators_ GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<ProcessSlot>> imports_ GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<void>> retired_ GUARDED_BY(mutex_);
  std::unique_ptr<Supervisor> supervisor_;
};

}  // namespace

Result<std::unique_ptr<WorkerPool>> WorkerPool::Start(const Settings& settings) {
  ASSIGN_OR_RETURN(std::unique_ptr<RuntimeDir> sockets, RuntimeDir::Create());
  return std::unique_ptr<WorkerPool>(
      std::make_unique<WorkerPoolImpl>(settings, std::move(sockets)));
}

}  // namespace ragstone::services
