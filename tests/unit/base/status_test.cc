#include "base/status.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>

namespace ragstone {
namespace {

TEST(Status, DefaultIsOk) {
  const Status status;
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.ToString(), "OK");
}

TEST(Status, ToStringNamesCodeReasonAndMessage) {
  const Status status = NotFound(Reason::kJobNotFound, "no job 7");
  EXPECT_EQ(status.ToString(), "NOT_FOUND (JOB_NOT_FOUND): no job 7");
}

TEST(Status, ContextGoesBeforeTheMessageAndKeepsTheRest) {
  const Status status = NotFound(Reason::kJobNotFound, "no job 7").WithContext("cancel");
  EXPECT_EQ(status.message(), "cancel: no job 7");
  EXPECT_EQ(status.reason(), Reason::kJobNotFound);
  EXPECT_TRUE(OkStatus().WithContext("cancel").ok());
}

TEST(Status, FullDisksAndMissingRightsHaveTheirOwnReasons) {
  EXPECT_EQ(ErrnoStatus(ENOSPC, "write x").reason(), Reason::kDiskFull);
  EXPECT_EQ(ErrnoStatus(ENOSPC, "write x").code(), StatusCode::kResourceExhausted);
  EXPECT_EQ(ErrnoStatus(EACCES, "open x").code(), StatusCode::kPermissionDenied);
  EXPECT_EQ(ErrnoStatus(ENOENT, "open x").reason(), Reason::kFileNotFound);
  EXPECT_EQ(ErrnoStatus(EIO, "read x").reason(), Reason::kIo);
}

TEST(Status, EveryReasonComesBackFromItsName) {
#define RAGSTONE_TEST_REASON(name, number, text) \
  EXPECT_EQ(ReasonFromName(text), Reason::name); \
  EXPECT_EQ(ReasonName(Reason::name), text);
  RAGSTONE_REASONS(RAGSTONE_TEST_REASON)
#undef RAGSTONE_TEST_REASON
  EXPECT_EQ(ReasonFromName("NO_SUCH_REASON"), Reason::kUnspecified);
}

TEST(Status, CodeNamesAreCanonical) {
  EXPECT_EQ(StatusCodeName(StatusCode::kUnauthenticated), "UNAUTHENTICATED");
  EXPECT_EQ(StatusCodeName(static_cast<StatusCode>(99)), "UNKNOWN");
}

Result<int> Half(int value) {
  if (value % 2 != 0) return InvalidArgument(Reason::kInvalidArgument, "odd");
  return value / 2;
}

Result<int> Quarter(int value) {
  ASSIGN_OR_RETURN(const int half, Half(value));
  return Half(half);
}

TEST(Result, ValuesAndErrorsPassThroughTheMacros) {
  EXPECT_EQ(*Quarter(8), 2);
  EXPECT_EQ(Quarter(6).status().message(), "odd");
  EXPECT_TRUE(Quarter(8).status().ok());
}

TEST(Result, HoldsMoveOnlyValues) {
  Result<std::unique_ptr<int>> result(std::make_unique<int>(3));
  const std::unique_ptr<int> value = std::move(result).value();
  EXPECT_EQ(*value, 3);
}

TEST(ResultDeathTest, ReadingTheValueOfAnErrorEndsTheProcess) {
  const Result<int> result = Half(1);
  EXPECT_DEATH(static_cast<void>(*result), "CHECK failed");
}

}  // namespace
}  // namespace ragstone
