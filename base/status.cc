#include "base/status.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace ragstone {

void CheckFailed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "CHECK failed: %s at %s:%d\n", condition, file, line);
  std::abort();
}

std::string_view ReasonName(Reason reason) {
  switch (reason) {
#define RAGSTONE_REASON_CASE(name, number, text) \
  case Reason::name:                             \
    return text;
    RAGSTONE_REASONS(RAGSTONE_REASON_CASE)
#undef RAGSTONE_REASON_CASE
  }
  return "REASON_UNSPECIFIED";
}

Reason ReasonFromName(std::string_view name) {
#define RAGSTONE_REASON_MATCH(id, number, text) \
  if (name == text) return Reason::id;
  RAGSTONE_REASONS(RAGSTONE_REASON_MATCH)
#undef RAGSTONE_REASON_MATCH
  return Reason::kUnspecified;
}

std::string_view StatusCodeName(StatusCode code) {
  static constexpr std::string_view kNames[] = {
      "OK",
      "CANCELLED",
      "UNKNOWN",
      "INVALID_ARGUMENT",
      "DEADLINE_EXCEEDED",
      "NOT_FOUND",
      "ALREADY_EXISTS",
      "PERMISSION_DENIED",
      "RESOURCE_EXHAUSTED",
      "FAILED_PRECONDITION",
      "ABORTED",
      "OUT_OF_RANGE",
      "UNIMPLEMENTED",
      "INTERNAL",
      "UNAVAILABLE",
      "DATA_LOSS",
      "UNAUTHENTICATED",
  };
  const auto index = static_cast<size_t>(code);
  return index < std::size(kNames) ? kNames[index] : "UNKNOWN";
}

Status Status::WithContext(std::string_view context) const {
  if (ok()) return *this;
  return Status(code_, reason_, std::string(context) + ": " + message_);
}

std::string Status::ToString() const {
  if (ok()) return "OK";
  std::string text(StatusCodeName(code_));
  text += " (";
  text += ReasonName(reason_);
  text += "): ";
  text += message_;
  return text;
}

Status InvalidArgument(Reason reason, std::string message) {
  return Status(StatusCode::kInvalidArgument, reason, std::move(message));
}
Status NotFound(Reason reason, std::string message) {
  return Status(StatusCode::kNotFound, reason, std::move(message));
}
Status FailedPrecondition(Reason reason, std::string message) {
  return Status(StatusCode::kFailedPrecondition, reason, std::move(message));
}
Status ResourceExhausted(Reason reason, std::string message) {
  return Status(StatusCode::kResourceExhausted, reason, std::move(message));
}
Status Unavailable(Reason reason, std::string message) {
  return Status(StatusCode::kUnavailable, reason, std::move(message));
}
Status Internal(std::string message) {
  return Status(StatusCode::kInternal, Reason::kInternal, std::move(message));
}

Status ErrnoStatus(int error_number, std::string_view what) {
  std::string message = std::string(what) + ": " + std::strerror(error_number);
  switch (error_number) {
    case ENOSPC:
    case EDQUOT:
      return ResourceExhausted(Reason::kDiskFull, message + "; free some space and try again");
    case ENOENT:
    case ENOTDIR:
      return NotFound(Reason::kFileNotFound, std::move(message));
    case EACCES:
    case EPERM:
    case EROFS:
      return Status(StatusCode::kPermissionDenied, Reason::kFilePermission, std::move(message));
    default:
      return Status(StatusCode::kInternal, Reason::kIo, std::move(message));
  }
}

}  // namespace ragstone
