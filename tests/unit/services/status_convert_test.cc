#include "services/rpc/status_convert.h"

#include <gtest/gtest.h>

#include "ragstone/v1/errors.pb.h"

namespace ragstone::services {
namespace {

TEST(StatusConvertTest, CodeReasonAndMessageSurviveTheWire) {
  const Status statuses[] = {
      OkStatus(),
      NotFound(Reason::kDocumentNotFound, "document 7 is not in collection docs"),
      Status(StatusCode::kUnauthenticated, Reason::kTokenMissing, "no token"),
      Internal("ü\n"),
  };
  for (const Status& status : statuses) {
    const Status back = FromGrpc(ToGrpc(status));
    EXPECT_EQ(back.code(), status.code());
    EXPECT_EQ(back.reason(), status.reason());
    EXPECT_EQ(back.message(), status.message());
  }
}

TEST(StatusConvertTest, DetailsAreWhatGoogleRpcStatusClientsRead) {
  const grpc::Status wire = ToGrpc(ResourceExhausted(Reason::kQueueFull, "full"));
  v1::ErrorStatus error;
  ASSERT_TRUE(error.ParseFromString(wire.error_details()));
  EXPECT_EQ(error.code(), 8);
  EXPECT_EQ(error.message(), "full");
  ASSERT_EQ(error.details_size(), 1);
  EXPECT_EQ(error.details(0).type_url(), "type.googleapis.com/google.rpc.ErrorInfo");
  v1::ErrorInfo info;
  ASSERT_TRUE(info.ParseFromString(error.details(0).value()));
  EXPECT_EQ(info.reason(), "QUEUE_FULL");
  EXPECT_EQ(info.domain(), "ragstone");
}

TEST(StatusConvertTest, ReadsTheWorkersPlainReasons) {
  const grpc::Status wire(grpc::StatusCode::INVALID_ARGUMENT, "locked", "PDF_ENCRYPTED");
  EXPECT_TRUE(HasReason(wire));
  EXPECT_EQ(FromGrpc(wire).reason(), Reason::kPdfEncrypted);
}

TEST(StatusConvertTest, StatusWithoutReasonGetsTheClosest) {
  const grpc::Status gone(grpc::StatusCode::UNAVAILABLE, "Socket closed");
  EXPECT_FALSE(HasReason(gone));
  EXPECT_EQ(FromGrpc(gone).reason(), Reason::kServerGone);
  EXPECT_EQ(FromGrpc({grpc::StatusCode::DEADLINE_EXCEEDED, "late"}).reason(),
            Reason::kDeadlineExceeded);
  EXPECT_FALSE(HasReason({grpc::StatusCode::INTERNAL, "x", "\xff\x01garbage"}));
}

TEST(StatusConvertTest, LongMessagesAreCutBetweenCharacters) {
  std::string text;
  while (text.size() < 5000) text += "ä";
  const grpc::Status wire = ToGrpc(Internal(text));
  EXPECT_LT(wire.error_message().size(), 2010u);
  EXPECT_TRUE(wire.error_message().ends_with("ä…"));
}

}  // namespace
}  // namespace ragstone::services
