#include "services/rpc/listen_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <charconv>

namespace ragstone::services {

namespace {

Status Bad(std::string_view text, const std::string& why) {
  return InvalidArgument(Reason::kInvalidSetting,
                         "grpc_listen is '" + std::string(text.substr(0, 200)) + "': " + why +
                             "; write host:port such as 127.0.0.1:7420 or [::1]:7420");
}

// Whether it is an address of this machine only; false also for what is no address.
bool IsLoopback(const std::string& host) {
  in_addr v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6{};
  if (::inet_pton(AF_INET6, host.c_str(), &v6) != 1) return false;
  if (IN6_IS_ADDR_V4MAPPED(&v6)) return v6.s6_addr[12] == 127;
  return IN6_IS_ADDR_LOOPBACK(&v6);
}

bool IsAddress(const std::string& host) {
  in_addr v4{};
  in6_addr v6{};
  return ::inet_pton(AF_INET, host.c_str(), &v4) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), &v6) == 1;
}

}  // namespace

std::string ListenAddress::Text() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<ListenAddress> ParseListenAddress(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return Bad(text, "there is no port");
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (!bracketed && host.find(':') != std::string_view::npos) {
    return Bad(text, "an IPv6 address needs brackets");
  }
  const std::string_view digits = text.substr(colon + 1);
  ListenAddress address;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), address.port);
  if (error != std::errc() || end != digits.data() + digits.size() || address.port < 0 ||
      address.port > 65535) {
    return Bad(text, "the port is not a number from 0 to 65535");
  }
  address.host = host == "localhost" ? "127.0.0.1" : std::string(host);
  if (!IsAddress(address.host)) return Bad(text, "the host is neither an IP address nor localhost");
  address.loopback = IsLoopback(address.host);
  return address;
}

Status CheckMayListen(const ListenAddress& address, bool has_tls) {
  if (address.loopback || has_tls) return OkStatus();
  return InvalidArgument(Reason::kTlsRequired,
                         "listening on " + address.Text() +
                             " reaches beyond this machine, which needs TLS: set tls_cert and "
                             "tls_key, or listen on 127.0.0.1");
}

}  // namespace ragstone::services
