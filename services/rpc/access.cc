#include "services/rpc/access.h"

#include <cctype>

#include "base/hash.h"

namespace ragstone::services {

namespace {

constexpr std::string_view kScheme = "bearer ";
constexpr std::string_view kRemedy =
    "send the header 'authorization: Bearer TOKEN' with the content of the file 'token' in the "
    "server's data directory";

bool HasScheme(std::string_view header) {
  if (header.size() < kScheme.size()) return false;
  for (size_t i = 0; i < kScheme.size(); ++i) {
    if (std::tolower(static_cast<unsigned char>(header[i])) != kScheme[i]) return false;
  }
  return true;
}

}  // namespace

bool SecretEquals(std::string_view given, std::string_view secret) {
  // Digests have one length, and nothing about them tells of the texts.
  const Sha256Digest a = Sha256Of(given);
  const Sha256Digest b = Sha256Of(secret);
  volatile unsigned char difference = 0;
  for (size_t i = 0; i < a.bytes.size(); ++i) {
    difference = static_cast<unsigned char>(difference | (a.bytes[i] ^ b.bytes[i]));
  }
  return difference == 0;
}

Result<bool> AccessCheck::Check(std::string_view peer,
                                std::optional<std::string_view> authorization) const {
  if (peer.rfind("unix:", 0) == 0) return true;
  if (!authorization) {
    return Status(StatusCode::kUnauthenticated, Reason::kTokenMissing,
                  "the request carries no token; " + std::string(kRemedy));
  }
  if (!HasScheme(*authorization) || token_.empty() ||
      !SecretEquals(authorization->substr(kScheme.size()), token_)) {
    return Status(StatusCode::kUnauthenticated, Reason::kTokenInvalid,
                  "the request's token is not the right one; " + std::string(kRemedy));
  }
  return false;
}

}  // namespace ragstone::services
