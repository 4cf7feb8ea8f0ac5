#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace ragstone::services {

// A TCP address to listen on.
struct ListenAddress {
  std::string host;  // without brackets
  int port = 0;      // 0: any free one
  bool loopback = false;

  // "127.0.0.1:7420", "[::1]:7420"
  std::string Text() const;
};

// "host:port" or "[ipv6]:port". The host is an IP address or "localhost", never another name, so
// that what is listened on does not depend on a name server. INVALID_ARGUMENT (INVALID_SETTING).
Result<ListenAddress> ParseListenAddress(std::string_view text);

// Refuses addresses beyond loopback without TLS: INVALID_ARGUMENT (TLS_REQUIRED).
Status CheckMayListen(const ListenAddress& address, bool has_tls);

}  // namespace ragstone::services
