#include "services/workers/model_options.h"

#include <charconv>
#include <functional>
#include <map>
#include <string_view>

namespace ragstone::services {
namespace {

template <typename T>
bool ParseNumber(std::string_view text, T* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size();
}

Status Required(const ModelWorkerOptions& options) {
  const bool serves =
      options.role == "embed" || options.role == "generate" || options.role == "import";
  if (!serves && options.role != "selftest") {
    return InvalidArgument(
        Reason::kInvalidArgument,
        "--role is '" + options.role + "', it must be embed, generate, import or selftest");
  }
  if (serves && options.socket.empty()) {
    return InvalidArgument(Reason::kInvalidArgument, "--socket is missing");
  }
  if ((options.role == "embed" || options.role == "generate") && options.model.empty()) {
    return InvalidArgument(Reason::kInvalidArgument, "--model is missing");
  }
  return OkStatus();
}

}  // namespace

Result<ModelWorkerOptions> ParseModelWorkerOptions(int argc, char** argv) {
  ModelWorkerOptions options;
  uint32_t normalize = 1;
  using Setter = std::function<bool(std::string_view)>;
  const auto text = [](std::string* field) -> Setter {
    return [field](std::string_view value) {
      *field = value;
      return true;
    };
  };
  const auto number = [](auto* field) -> Setter {
    return [field](std::string_view value) { return ParseNumber(value, field); };
  };
  const std::map<std::string_view, Setter> setters = {
      {"--role", text(&options.role)},
      {"--socket", text(&options.socket)},
      {"--model", text(&options.model)},
      {"--pooling", text(&options.pooling)},
      {"--encoder", text(&options.encoder)},
      {"--parent", number(&options.parent)},
      {"--ready-fd", number(&options.ready_fd)},
      {"--normalize", number(&normalize)},
      {"--tokens-max", number(&options.tokens_max)},
      {"--threads", number(&options.threads)},
      {"--context", number(&options.context)},
      {"--gpu-layers", number(&options.gpu_layers)},
  };
  for (int i = 1; i < argc; i += 2) {
    const auto setter = setters.find(argv[i]);
    if (setter == setters.end()) {
      return InvalidArgument(Reason::kInvalidArgument, "unknown option " + std::string(argv[i]));
    }
    if (i + 1 >= argc || !setter->second(argv[i + 1])) {
      return InvalidArgument(Reason::kInvalidArgument,
                             "option " + std::string(argv[i]) + " has no or a malformed value");
    }
  }
  options.normalize = normalize != 0;
  RETURN_IF_ERROR(Required(options));
  return options;
}

}  // namespace ragstone::services
