// Who may call and where may be listened: access.cc and listen_address.cc.
#include "services/rpc/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "services/rpc/listen_address.h"

namespace ragstone::services {
namespace {

using ::testing::HasSubstr;

const std::string kToken(64, 'a');

TEST(AccessTest, UnixSocketIsTrustedWithoutAToken) {
  const AccessCheck access(kToken);
  const Result<bool> trusted = access.Check("unix:", std::nullopt);
  ASSERT_TRUE(trusted.ok());
  EXPECT_TRUE(*trusted);
}

TEST(AccessTest, TcpNeedsTheTokenAndIsNotTrusted) {
  const AccessCheck access(kToken);
  const Result<bool> good = access.Check("ipv4:127.0.0.1:5000", "Bearer " + kToken);
  ASSERT_TRUE(good.ok());
  EXPECT_FALSE(*good);
  EXPECT_TRUE(access.Check("ipv6:[::1]:5000", "bearer " + kToken).ok());

  const Status missing = access.Check("ipv4:127.0.0.1:5000", std::nullopt).status();
  EXPECT_EQ(missing.code(), StatusCode::kUnauthenticated);
  EXPECT_EQ(missing.reason(), Reason::kTokenMissing);
  EXPECT_THAT(missing.message(), HasSubstr("authorization: Bearer"));
  const std::vector<std::string> headers = {"",
                                            kToken,
                                            "Bearer",
                                            "Bearer ",
                                            "Bearer " + kToken + "a",
                                            "Bearer " + kToken.substr(1),
                                            "Basic " + kToken,
                                            "Bearer " + std::string(64, 'b')};
  for (const std::string& bad : headers) {
    EXPECT_EQ(access.Check("ipv4:127.0.0.1:5000", bad).status().reason(), Reason::kTokenInvalid)
        << bad;
  }
}

TEST(AccessTest, PeersThatOnlyLookLikeTheSocketAreNotTrusted) {
  const AccessCheck access(kToken);
  for (const char* peer : {"", "unix", "ipv4:unix:", "ipv6:[::1]:1", "UNIX:", " unix:"}) {
    EXPECT_FALSE(access.Check(peer, std::nullopt).ok()) << peer;
  }
}

TEST(AccessTest, WithoutATokenNobodyGetsInOverTcp) {
  EXPECT_FALSE(AccessCheck("").Check("ipv4:127.0.0.1:1", "Bearer ").ok());
}

TEST(ListenAddressTest, AcceptsAddressesAndLocalhost) {
  const struct {
    const char* text;
    const char* canonical;
    bool loopback;
  } cases[] = {
      {"127.0.0.1:7420", "127.0.0.1:7420", true},
      {"127.9.9.9:1", "127.9.9.9:1", true},
      {"localhost:80", "127.0.0.1:80", true},
      {"[::1]:7420", "[::1]:7420", true},
      {"0.0.0.0:7420", "0.0.0.0:7420", false},
      {"[::]:7420", "[::]:7420", false},
      {"192.168.1.5:0", "192.168.1.5:0", false},
      {"[::ffff:127.0.0.1]:5", "[::ffff:127.0.0.1]:5", true},
      {"[fe80::1]:5", "[fe80::1]:5", false},
      {"[::ffff:10.0.0.1]:5", "[::ffff:10.0.0.1]:5", false},
  };
  for (const auto& c : cases) {
    const Result<ListenAddress> address = ParseListenAddress(c.text);
    ASSERT_TRUE(address.ok()) << c.text;
    EXPECT_EQ(address->Text(), c.canonical);
    EXPECT_EQ(address->loopback, c.loopback) << c.text;
    EXPECT_EQ(CheckMayListen(*address, false).ok(), c.loopback) << c.text;
    EXPECT_TRUE(CheckMayListen(*address, true).ok());
  }
  EXPECT_EQ(CheckMayListen(*ParseListenAddress("0.0.0.0:1"), false).reason(), Reason::kTlsRequired);
}

TEST(ListenAddressTest, RefusesWhatIsNoAddress) {
  for (const char* text :
       {"", "7420", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1",
        "::1:7420", "example.org:80", "localhost.evil.example:80", "[::1:7420", "127.1:80",
        "127.0.0.1 :80", "[]:80", ":80"}) {
    EXPECT_EQ(ParseListenAddress(text).status().reason(), Reason::kInvalidSetting) << text;
  }
}

}  // namespace
}  // namespace ragstone::services
