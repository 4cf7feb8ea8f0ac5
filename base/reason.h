#pragma once

#include <cstdint>
#include <string_view>

// The stable, machine-readable reason of an error. Numbers are those of `ragstone.v1.ErrorReason`
// (proto/ragstone/v1/errors.proto), which documents each of them; a test keeps the two equal.
#define RAGSTONE_REASONS(X)                               \
  X(kUnspecified, 0, "REASON_UNSPECIFIED")                \
  X(kInvalidArgument, 1, "INVALID_ARGUMENT")              \
  X(kCollectionNotFound, 2, "COLLECTION_NOT_FOUND")       \
  X(kCollectionExists, 3, "COLLECTION_EXISTS")            \
  X(kCollectionNameInvalid, 4, "COLLECTION_NAME_INVALID") \
  X(kDocumentNotFound, 5, "DOCUMENT_NOT_FOUND")           \
  X(kJobNotFound, 6, "JOB_NOT_FOUND")                     \
  X(kJobFinished, 7, "JOB_FINISHED")                      \
  X(kModelNotFound, 8, "MODEL_NOT_FOUND")                 \
  X(kModelExists, 9, "MODEL_EXISTS")                      \
  X(kModelCorrupt, 10, "MODEL_CORRUPT")                   \
  X(kModelUnsupported, 11, "MODEL_UNSUPPORTED")           \
  X(kModelMismatch, 12, "MODEL_MISMATCH")                 \
  X(kModelInUse, 13, "MODEL_IN_USE")                      \
  X(kNotPdf, 14, "NOT_PDF")                               \
  X(kPdfDamaged, 15, "PDF_DAMAGED")                       \
  X(kPdfEncrypted, 16, "PDF_ENCRYPTED")                   \
  X(kPdfNoPages, 17, "PDF_NO_PAGES")                      \
  X(kNoText, 18, "NO_TEXT")                               \
  X(kEmptyFile, 19, "EMPTY_FILE")                         \
  X(kInvalidUtf8, 20, "INVALID_UTF8")                     \
  X(kUnsupportedMediaType, 21, "UNSUPPORTED_MEDIA_TYPE")  \
  X(kFileNotFound, 22, "FILE_NOT_FOUND")                  \
  X(kFilePermission, 23, "FILE_PERMISSION")               \
  X(kPathNotAllowed, 24, "PATH_NOT_ALLOWED")              \
  X(kFileTooLarge, 25, "FILE_TOO_LARGE")                  \
  X(kTooManyPages, 26, "TOO_MANY_PAGES")                  \
  X(kTimeLimit, 27, "TIME_LIMIT")                         \
  X(kMemoryLimit, 28, "MEMORY_LIMIT")                     \
  X(kWorkerCrashed, 29, "WORKER_CRASHED")                 \
  X(kWorkerUnavailable, 30, "WORKER_UNAVAILABLE")         \
  X(kQuarantined, 31, "QUARANTINED")                      \
  X(kEmptyQuery, 32, "EMPTY_QUERY")                       \
  X(kQueryTooLong, 33, "QUERY_TOO_LONG")                  \
  X(kFilterUnsupported, 34, "FILTER_UNSUPPORTED")         \
  X(kDataDirLocked, 35, "DATA_DIR_LOCKED")                \
  X(kDataDirVersion, 36, "DATA_DIR_VERSION")              \
  X(kDataCorrupt, 37, "DATA_CORRUPT")                     \
  X(kDiskFull, 38, "DISK_FULL")                           \
  X(kQueueFull, 39, "QUEUE_FULL")                         \
  X(kLimitExceeded, 40, "LIMIT_EXCEEDED")                 \
  X(kCancelled, 41, "CANCELLED")                          \
  X(kDeadlineExceeded, 42, "DEADLINE_EXCEEDED")           \
  X(kTokenMissing, 43, "TOKEN_MISSING")                   \
  X(kTokenInvalid, 44, "TOKEN_INVALID")                   \
  X(kTlsRequired, 45, "TLS_REQUIRED")                     \
  X(kInvalidSetting, 46, "INVALID_SETTING")               \
  X(kInvalidPageToken, 47, "INVALID_PAGE_TOKEN")          \
  X(kServerGone, 48, "SERVER_GONE")                       \
  X(kShuttingDown, 49, "SHUTTING_DOWN")                   \
  X(kIo, 50, "IO_ERROR")                                  \
  X(kInternal, 51, "INTERNAL")                            \
  X(kRequestIdReused, 52, "REQUEST_ID_REUSED")            \
  X(kVersionMismatch, 53, "VERSION_MISMATCH")             \
  X(kHistoryGone, 54, "HISTORY_GONE")                     \
  X(kFilterInvalid, 55, "FILTER_INVALID")

namespace ragstone {

enum class Reason : int32_t {
#define RAGSTONE_REASON_ENUM(name, number, text) name = number,
  RAGSTONE_REASONS(RAGSTONE_REASON_ENUM)
#undef RAGSTONE_REASON_ENUM
};

// Returns the wire name, such as "PDF_ENCRYPTED".
std::string_view ReasonName(Reason reason);

// Returns the reason with this wire name, or `Reason::kUnspecified`.
Reason ReasonFromName(std::string_view name);

}  // namespace ragstone
