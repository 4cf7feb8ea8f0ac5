#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/reason.h"

namespace ragstone {

// gRPC's canonical codes with gRPC's numbers.
enum class StatusCode : int32_t {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

// Returns the canonical name, such as "INVALID_ARGUMENT".
std::string_view StatusCodeName(StatusCode code);

// The outcome of an operation: OK, or a code, a stable reason and a message for a person that says
// what, which, the limit and the remedy. Immutable; safe to read from several threads.
class [[nodiscard]] Status {
 public:
  Status() = default;  // OK
  Status(StatusCode code, Reason reason, std::string message)
      : code_(code), reason_(reason), message_(std::move(message)) {}

  bool ok() const { return code_ == StatusCode::kOk; }
  StatusCode code() const { return code_; }
  Reason reason() const { return reason_; }
  const std::string& message() const { return message_; }

  // Returns the same error with "<context>: " before the message; OK stays OK.
  Status WithContext(std::string_view context) const;

  // Returns "CODE (REASON): message" for logs.
  std::string ToString() const;

 private:
  StatusCode code_ = StatusCode::kOk;
  Reason reason_ = Reason::kUnspecified;
  std::string message_;
};

inline Status OkStatus() { return Status(); }

// Shorthands for the codes used most. Each takes the reason and the message.
Status InvalidArgument(Reason reason, std::string message);
Status NotFound(Reason reason, std::string message);
Status FailedPrecondition(Reason reason, std::string message);
Status ResourceExhausted(Reason reason, std::string message);
Status Unavailable(Reason reason, std::string message);
Status Internal(std::string message);

// Returns the Status of a failed system call: ENOSPC and EDQUOT give RESOURCE_EXHAUSTED/DISK_FULL,
// ENOENT NOT_FOUND/FILE_NOT_FOUND, EACCES and EPERM PERMISSION_DENIED/FILE_PERMISSION, the rest
// INTERNAL/IO_ERROR. `what` names the operation and the path.
Status ErrnoStatus(int error_number, std::string_view what);

// A value or the Status that says why there is none. Reading the value of a failed Result is a
// programmer error and ends the process.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}        // NOLINT: implicit
  Result(Status status) : state_(std::in_place_index<1>, std::move(status)) {  // NOLINT: implicit
    CHECK(!std::get<1>(state_).ok());
  }

  bool ok() const { return state_.index() == 0; }
  Status status() const { return ok() ? OkStatus() : std::get<1>(state_); }

  T& value() & {
    CHECK(ok());
    return std::get<0>(state_);
  }
  const T& value() const& {
    CHECK(ok());
    return std::get<0>(state_);
  }
  T&& value() && {
    CHECK(ok());
    return std::move(std::get<0>(state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::variant<T, Status> state_;
};

}  // namespace ragstone

#define RAGSTONE_CONCAT_INNER(a, b) a##b
#define RAGSTONE_CONCAT(a, b) RAGSTONE_CONCAT_INNER(a, b)

// Returns from the function if the expression is an error Status.
#define RETURN_IF_ERROR(expr)                      \
  do {                                             \
    ::ragstone::Status status_macro_ = (expr);     \
    if (!status_macro_.ok()) return status_macro_; \
  } while (false)

#define RAGSTONE_ASSIGN_IMPL(tmp, lhs, expr) \
  auto tmp = (expr);                         \
  if (!tmp.ok()) return tmp.status();        \
  lhs = std::move(tmp).value()

// Assigns the value of a Result, or returns its Status: `ASSIGN_OR_RETURN(auto page, Load(7));`
#define ASSIGN_OR_RETURN(lhs, expr) \
  RAGSTONE_ASSIGN_IMPL(RAGSTONE_CONCAT(result_macro_, __LINE__), lhs, expr)
