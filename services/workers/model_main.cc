// The model worker: loads one model and serves it on a Unix socket, or imports a model file. One
// source for every instruction-set tier; RAGSTONE_MODEL_TIER says which this executable is.
#include <sys/prctl.h>
#include <unistd.h>

#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/file.h"
#include "llm/encoder/encoder_embedder.h"
#include "llm/encoder/kernel_tiers.h"
#ifdef RAGSTONE_WITH_CUDA
#include "llm/encoder/cuda/cuda_gpu.h"
#include "llm/encoder/gpu/gpu_embedder.h"
#endif
#include "llm/llama/cpu_features.h"
#include "llm/llama/llama_embedder.h"
#include "llm/llama/llama_generator.h"
#include "services/workers/model_options.h"
#include "services/workers/model_services.h"

namespace ragstone::services {
namespace {

constexpr int kMessageBytesMax = 64 << 20;

// Ends the process when the parent does. The parent may have gone before the signal was asked for.
Status TieToParent(int64_t parent) {
  if (parent == 0) return OkStatus();
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) {
    return FailedPrecondition(Reason::kInvalidArgument,
                              "the parent is not process " + std::to_string(parent));
  }
  return OkStatus();
}

Result<std::unique_ptr<llm::Embedder>> LoadWithLlama(const ModelWorkerOptions& options) {
  llm::LlamaEmbedderOptions embedder;
  embedder.pooling = options.pooling;
  embedder.normalize = options.normalize;
  embedder.tokens_max = options.tokens_max;
  embedder.threads = options.threads;
  embedder.gpu_layers = options.gpu_layers;
  ASSIGN_OR_RETURN(auto loaded, llm::LlamaEmbedder::Load(options.model, embedder));
  return std::unique_ptr<llm::Embedder>(std::move(loaded));
}

#ifdef RAGSTONE_WITH_CUDA
// With our encoder on the first GPU, if it gives what the CPU gives.
Result<std::unique_ptr<llm::Embedder>> LoadOnGpu(const ModelWorkerOptions& options,
                                                 std::shared_ptr<const llm::BertModel> model) {
  ASSIGN_OR_RETURN(std::shared_ptr<llm::gpu::Gpu> gpu, llm::gpu::OpenCudaGpu(0));
  llm::gpu::GpuEmbedderOptions embedder;
  embedder.normalize = options.normalize;
  embedder.tokens_max = options.tokens_max;
  ASSIGN_OR_RETURN(embedder.check, llm::ChooseKernels("float", llm::CompiledTier()));
  ASSIGN_OR_RETURN(auto loaded,
                   llm::gpu::GpuEmbedder::Create(std::move(model), std::move(gpu), embedder));
  return std::unique_ptr<llm::Embedder>(std::move(loaded));
}
#endif

Result<std::unique_ptr<llm::Embedder>> LoadOnCpu(const ModelWorkerOptions& options,
                                                 std::shared_ptr<const llm::BertModel> model) {
  ASSIGN_OR_RETURN(const llm::Kernels* kernels,
                   llm::ChooseKernels(options.encoder, llm::CompiledTier()));
  llm::EncoderEmbedderOptions embedder;
  embedder.normalize = options.normalize;
  embedder.tokens_max = options.tokens_max;
  embedder.threads = options.threads;
  embedder.packed_dir = std::filesystem::path(options.model).parent_path() / "packed";
  ASSIGN_OR_RETURN(auto loaded, llm::EncoderEmbedder::Create(std::move(model), *kernels, embedder));
  return std::unique_ptr<llm::Embedder>(std::move(loaded));
}

// With our own encoder: on the GPU if there is one; int8 and tiers by name on the CPU. A GPU that
// failed is not tried with llama.cpp, which would end the process over what is wrong with it.
Result<std::unique_ptr<llm::Embedder>> LoadWithEncoder(const ModelWorkerOptions& options,
                                                       std::unique_ptr<llm::BertModel> model) {
  if (options.pooling == "mean") model->config.pooling = llm::Pooling::kMean;
  if (options.pooling == "cls") model->config.pooling = llm::Pooling::kCls;
  const std::shared_ptr<const llm::BertModel> shared = std::move(model);
#ifdef RAGSTONE_WITH_CUDA
  if (options.gpu_layers != 0 && options.encoder == "float") {
    Result<std::unique_ptr<llm::Embedder>> on_gpu = LoadOnGpu(options, shared);
    if (on_gpu.ok() || on_gpu.status().reason() == Reason::kModelCorrupt) return on_gpu;
    std::fprintf(stderr, "%s; the CPU computes embeddings\n", on_gpu.status().message().c_str());
  }
#endif
  return LoadOnCpu(options, shared);
}

// Our own encoder computes what it knows; llama.cpp does the rest, and what is on GPUs that only it
// can use.
Result<std::unique_ptr<llm::Embedder>> LoadEmbedder(const ModelWorkerOptions& options) {
  const bool ours =
      options.encoder != "llama" &&
      (options.pooling.empty() || options.pooling == "mean" || options.pooling == "cls");
  const bool any_engine = options.encoder == "float";
#ifndef RAGSTONE_WITH_CUDA
  if (options.gpu_layers != 0 && any_engine) return LoadWithLlama(options);
#endif
  if (!ours) {
    if (any_engine || options.encoder == "llama") return LoadWithLlama(options);
    return InvalidArgument(Reason::kModelUnsupported,
                           "'" + options.encoder +
                               "' is computed with pooling mean or cls only; import the model "
                               "without --int8");
  }
  Result<std::unique_ptr<llm::BertModel>> model = llm::BertModel::Load(options.model);
  if (model.ok()) return LoadWithEncoder(options, std::move(*model));
  const bool other_engine = model.status().reason() == Reason::kModelUnsupported;
  if (!other_engine || !any_engine) return model.status();
  return LoadWithLlama(options);
}

Result<std::unique_ptr<grpc::Service>> NewService(const ModelWorkerOptions& options) {
  if (options.role == "embed") {
    ASSIGN_OR_RETURN(auto loaded, LoadEmbedder(options));
    return NewEmbedderService(std::move(loaded));
  }
  if (options.role == "generate") {
    llm::LlamaGeneratorOptions generator;
    generator.context_tokens = options.context;
    generator.threads = options.threads;
    generator.gpu_layers = options.gpu_layers;
    ASSIGN_OR_RETURN(auto loaded, llm::LlamaGenerator::Load(options.model, generator));
    return NewGeneratorService(std::move(loaded));
  }
  return NewImporterService();
}

Status Serve(const ModelWorkerOptions& options) {
  RETURN_IF_ERROR(TieToParent(options.parent));
  const std::vector<std::string> missing = llm::MissingFeatures(llm::CompiledTier());
  if (!missing.empty()) {
    return FailedPrecondition(Reason::kModelUnsupported, "this processor lacks " + missing.front() +
                                                             ", which tier " + llm::CompiledTier() +
                                                             " needs");
  }
  ModelWorkerOptions usable = options;
  usable.gpu_layers = llm::GpuLayers(options.gpu_layers);
  ASSIGN_OR_RETURN(const std::unique_ptr<grpc::Service> service, NewService(usable));
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + options.socket, grpc::InsecureServerCredentials());
  builder.SetMaxReceiveMessageSize(kMessageBytesMax);
  builder.SetMaxSendMessageSize(kMessageBytesMax);
  builder.RegisterService(service.get());
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    return Unavailable(Reason::kWorkerUnavailable,
                       "cannot listen on " + options.socket +
                           "; the path may be too long (107 bytes) or the folder missing");
  }
  if (options.ready_fd >= 0) {
    RETURN_IF_ERROR(WriteAll(options.ready_fd, "R", "the ready pipe"));
    close(options.ready_fd);
  }
  server->Wait();
  return OkStatus();
}

// libgomp's threads spin for milliseconds between two steps of a graph before they sleep. That
// helps only as long as nothing else wants the cores; beside an ingest it slowed generation down
// up to tenfold here. 4,000 spins outlast most steps (0.97 of the speed of endless spins on two
// idle cores, 0.91 with 1,000) and cost nothing beside an ingest. libgomp reads its environment
// before main(), so the process starts itself once more.
constexpr char kSpins[] = "4000";

void StartAgainWithShortSpins(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") != nullptr || std::getenv("OMP_WAIT_POLICY") != nullptr) return;
  setenv("GOMP_SPINCOUNT", kSpins, 1);
  char path[PATH_MAX];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
  if (length <= 0) return;
  path[length] = '\0';
  execv(path, argv);
  // Without /proc the default does as well, only slower.
}

// The report of the self-test and what the encoder's says.
Result<std::string> WithEncoder(const std::string& report) {
  ASSIGN_OR_RETURN(const llm::Kernels* kernels, llm::ChooseKernels("float", llm::CompiledTier()));
  return report + "; encoder " + kernels->tier;
}

int Main(int argc, char** argv) {
  StartAgainWithShortSpins(argv);
  // ggml otherwise starts a debugger to print a backtrace when it aborts.
  setenv("GGML_NO_BACKTRACE", "1", 1);
  llm::SetCompiledTier(RAGSTONE_MODEL_TIER);
  const Result<ModelWorkerOptions> options = ParseModelWorkerOptions(argc, argv);
  if (options.ok() && options->role == "selftest") {
    Result<std::string> report = llm::RunSelfTest(llm::CompiledTier());
    if (report.ok()) report = WithEncoder(*report);
    std::printf("%s\n", report.ok() ? report->c_str() : report.status().message().c_str());
    return report.ok() ? 0 : 1;
  }
  const Status status = options.ok() ? Serve(*options) : options.status();
  if (status.ok()) return 0;
  std::string line(ReasonName(status.reason()));
  line = "E" + line + " " + status.message();
  for (char& c : line) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  line += '\n';
  // Without a parent that reads the pipe a person started the worker.
  const int fd = options.ok() && options->ready_fd >= 0 ? options->ready_fd : STDERR_FILENO;
  const Status written = WriteAll(fd, line, "the ready pipe");
  return written.ok() ? 1 : 2;
}

}  // namespace
}  // namespace ragstone::services

int main(int argc, char** argv) {
  const int code = ragstone::services::Main(argc, argv);
  std::fflush(nullptr);
  _exit(code);  // no destructors: ggml's and gRPC's threads may still run
}
