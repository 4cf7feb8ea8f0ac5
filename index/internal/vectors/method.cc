#include "index/internal/vectors/method.h"

#include <algorithm>

#include "index/internal/vectors/codes.h"

namespace ragstone::index::vectors {
namespace {

constexpr uint64_t kRowIdBytes = 20;  // by slot and sorted
constexpr uint64_t kListBytes = 12;   // of a row in an inverted list, beside its code

uint64_t Units(uint64_t bytes) { return (bytes + kRowUnit - 1) / kRowUnit * kRowUnit; }

// Large memory comes in pieces.
uint64_t Allocated(uint64_t bytes) {
  constexpr uint64_t kPiece = HugeBuffer::kPiece;
  return bytes < HugeBuffer::kHugeMin ? bytes : (bytes + kPiece - 1) / kPiece * kPiece;
}

// Codes and vectors, as a segment holds them.
uint64_t RowBytes(const VectorSpec& spec, uint64_t rows) {
  CodePlan plan;
  plan.dimensions = spec.dimensions;
  const auto bytes = [&](CodeKind kind) {
    plan.kind = kind;
    return Allocated(rows * plan.units() * kRowUnit);
  };
  const CodeKind walked = WalkKind(spec);
  const uint64_t codes = bytes(walked);
  if (walked != CodeKind::kInt8) return codes;
  if (spec.storage == Storage::kFloat32) return codes + bytes(CodeKind::kFloat32);
  if (spec.storage == Storage::kFloat16) return codes + bytes(CodeKind::kFloat16);
  return codes;
}

std::string InMegabytes(uint64_t bytes) { return std::to_string((bytes >> 20) + 1) + " MB"; }

std::string Asked(const MethodQuestion& question, const MethodChoice& choice) {
  std::string reason = "asked for";
  if (question.memory_bytes != 0 && choice.bytes > question.memory_bytes) {
    reason += "; needs about " + InMegabytes(choice.bytes) + ", more than the " +
              InMegabytes(question.memory_bytes) + " for vectors";
  }
  return reason;
}

}  // namespace

std::string_view MethodName(Method method) {
  switch (method) {
    case Method::kAutomatic:
      return "automatic";
    case Method::kScan:
      return "scan";
    case Method::kGraph:
      return "HNSW graph";
    case Method::kIvfPq:
      return "IVF-PQ";
    case Method::kLsh:
      break;
  }
  return "LSH";
}

uint64_t ForecastBytes(const MethodQuestion& question, Method method) {
  const uint64_t dimensions = question.spec.dimensions;
  switch (method) {
    case Method::kIvfPq:
      return question.rows * ((dimensions + 3) / 4 + kListBytes + sizeof(RowId)) +
             4 * dimensions * (256 + question.rows / 256);
    case Method::kLsh:
      return question.rows * (Units((2 * dimensions + 7) / 8) + sizeof(RowId)) +
             8 * dimensions * dimensions;
    case Method::kScan:
      return RowBytes(question.spec, question.rows) + question.rows * kRowIdBytes;
    case Method::kAutomatic:
    case Method::kGraph:
      break;
  }
  // Upper levels have about one list of links for every `links - 1` rows.
  const uint64_t links = question.links;
  return RowBytes(question.spec, question.rows) + Allocated(question.rows * 8 * links) +
         question.rows * (kRowIdBytes + 5 + 4);
}

Result<MethodChoice> ChooseMethod(const MethodQuestion& question) {
  RETURN_IF_ERROR(CheckSpec(question.spec));
  MethodChoice choice;
  const auto with = [&](Method method, std::string reason) {
    choice.method = method;
    choice.bytes = ForecastBytes(question, method);
    choice.reason = std::move(reason);
    return choice;
  };
  if (question.wanted > Method::kLsh) {
    return InvalidArgument(Reason::kInvalidArgument, "there is no such method of search");
  }
  const bool bits = question.spec.metric == Metric::kHamming;
  if (bits && (question.wanted == Method::kIvfPq || question.wanted == Method::kLsh)) {
    return InvalidArgument(Reason::kInvalidArgument,
                           std::string(MethodName(question.wanted)) +
                               " does not search bit vectors; use a graph or a scan");
  }
  if (question.wanted != Method::kAutomatic) {
    with(question.wanted, "");
    choice.reason = Asked(question, choice);
    return choice;
  }
  if (question.rows <= question.scan_rows_max) {
    return with(Method::kScan, std::to_string(question.rows) + " vectors: up to " +
                                   std::to_string(question.scan_rows_max) +
                                   " are scanned in about a millisecond");
  }
  MethodQuestion set = question;
  set.rows = std::max(question.rows, question.set_rows);
  const uint64_t graph = ForecastBytes(set, Method::kGraph);
  const uint64_t room =
      question.compact ? question.memory_bytes - question.memory_bytes / 4 : question.memory_bytes;
  if (question.memory_bytes == 0 || graph <= room) {
    return with(Method::kGraph, std::to_string(set.rows) + " vectors take about " +
                                    InMegabytes(graph) + " with their graph, which fits memory");
  }
  const std::string over = "a graph over " + std::to_string(set.rows) + " vectors needs " +
                           InMegabytes(graph) + ", more than " +
                           (graph <= question.memory_bytes ? "three quarters of " : "") + "the " +
                           InMegabytes(question.memory_bytes) + " for vectors";
  if (bits) return with(Method::kGraph, over + "; bit vectors have nothing smaller");
  return with(Method::kIvfPq, over);
}

}  // namespace ragstone::index::vectors
