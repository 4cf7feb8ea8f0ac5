#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace ragstone::services {

// Decides who may call. Callers through the Unix socket are the data directory's owner, since only
// they can open it; callers over TCP must show the bearer token. Immutable, thread-safe.
class AccessCheck {
 public:
  // An empty token refuses every caller over TCP.
  explicit AccessCheck(std::string token) : token_(std::move(token)) {}

  // `peer` is the name of the caller ("unix:…", "ipv4:127.0.0.1:5123"), whose family the kernel
  // gives; `authorization` the header of that name. Returns whether the caller is trusted with
  // server-side paths. UNAUTHENTICATED (TOKEN_MISSING, TOKEN_INVALID).
  Result<bool> Check(std::string_view peer, std::optional<std::string_view> authorization) const;

 private:
  const std::string token_;
};

// Compares in a time that does not tell how much of the secret was right.
bool SecretEquals(std::string_view given, std::string_view secret);

}  // namespace ragstone::services
