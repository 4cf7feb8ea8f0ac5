#include "services/rpc/status_convert.h"

#include <algorithm>
#include <optional>
#include <string>

#include "ragstone/v1/errors.pb.h"

namespace ragstone::services {

namespace {

constexpr char kTypeUrl[] = "type.googleapis.com/google.rpc.ErrorInfo";
constexpr char kDomain[] = "ragstone";
// Trailers are limited by HTTP/2 header settings, 8 KiB by default.
constexpr size_t kMessageBytesMax = 2000;

std::optional<Reason> ReasonOf(const grpc::Status& status) {
  const std::string details = status.error_details();
  if (details.empty()) return std::nullopt;
  const Reason plain = ReasonFromName(details);
  if (plain != Reason::kUnspecified) return plain;
  v1::ErrorStatus error;
  if (!error.ParseFromString(details)) return std::nullopt;
  for (const v1::ErrorDetail& detail : error.details()) {
    v1::ErrorInfo info;
    if (detail.type_url() != kTypeUrl || !info.ParseFromString(detail.value())) continue;
    if (info.domain() == kDomain) return ReasonFromName(info.reason());
  }
  return std::nullopt;
}

Reason DefaultReason(StatusCode code) {
  switch (code) {
    case StatusCode::kCancelled:
      return Reason::kCancelled;
    case StatusCode::kDeadlineExceeded:
      return Reason::kDeadlineExceeded;
    case StatusCode::kInvalidArgument:
    case StatusCode::kOutOfRange:
      return Reason::kInvalidArgument;
    case StatusCode::kResourceExhausted:
      return Reason::kLimitExceeded;
    case StatusCode::kUnavailable:
      return Reason::kServerGone;
    case StatusCode::kUnauthenticated:
      return Reason::kTokenInvalid;
    case StatusCode::kInternal:
    case StatusCode::kUnknown:
      return Reason::kInternal;
    default:
      return Reason::kUnspecified;
  }
}

// Trailers must be valid UTF-8 where clients show them: cuts before a character, never in it.
std::string Bounded(const std::string& message) {
  if (message.size() <= kMessageBytesMax) return message;
  size_t end = kMessageBytesMax;
  while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xC0) == 0x80) --end;
  return message.substr(0, end) + "…";
}

}  // namespace

grpc::Status ToGrpc(const Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const std::string message = Bounded(status.message());
  v1::ErrorInfo info;
  info.set_reason(std::string(ReasonName(status.reason())));
  info.set_domain(kDomain);
  v1::ErrorStatus error;
  error.set_code(static_cast<int32_t>(status.code()));
  error.set_message(message);
  v1::ErrorDetail* detail = error.add_details();
  detail->set_type_url(kTypeUrl);
  detail->set_value(info.SerializeAsString());
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), message,
                      error.SerializeAsString());
}

Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return OkStatus();
  const int number = static_cast<int>(status.error_code());
  // A foreign server may send a number outside the canonical ones.
  const StatusCode code =
      number > 0 && number <= 16 ? static_cast<StatusCode>(number) : StatusCode::kUnknown;
  const std::optional<Reason> reason = ReasonOf(status);
  return Status(code, reason ? *reason : DefaultReason(code), status.error_message());
}

bool HasReason(const grpc::Status& status) { return ReasonOf(status).has_value(); }

}  // namespace ragstone::services
