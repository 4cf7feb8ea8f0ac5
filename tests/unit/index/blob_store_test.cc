#include "index/blob_store.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/file.h"
#include "tests/unit/index/test_database.h"

namespace ragstone::index {
namespace {

class BlobStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    database_ = OpenDatabase(folder_.path() / "db");
    Reopen();
  }
  void Reopen() {
    store_.reset();
    auto store = BlobStore::Open(folder_.path() / "blobs", database_.get(), 1000);
    ASSERT_TRUE(store.ok()) << store.status().ToString();
    store_ = std::move(store).value();
  }
  Sha256Digest Put(const std::string& bytes) {
    auto writer = store_->Create();
    EXPECT_TRUE(writer.ok());
    EXPECT_TRUE((*writer)->Append(bytes).ok());
    const auto digest = (*writer)->Finish();
    EXPECT_TRUE(digest.ok()) << digest.status().ToString();
    return *digest;
  }
  void Reference(const Sha256Digest& blob, const std::string& holder, bool add) {
    Batch batch;
    if (add) {
      store_->AddReference(blob, holder, &batch);
    } else {
      store_->DropReference(blob, holder, &batch);
    }
    ASSERT_TRUE(database_->Write(std::move(batch)).ok());
  }

  TemporaryFolder folder_;
  std::unique_ptr<Database> database_;
  std::unique_ptr<BlobStore> store_;
};

TEST_F(BlobStoreTest, BytesAreFoundByTheirHash) {
  const Sha256Digest blob = Put("some bytes");
  EXPECT_EQ(blob, Sha256Of("some bytes"));
  const auto path = store_->Find(blob);
  ASSERT_TRUE(path.ok());
  EXPECT_EQ(*ReadFile(*path), "some bytes");
  EXPECT_EQ(Put("some bytes"), blob);
  EXPECT_EQ(store_->Find(Sha256Of("none")).status().code(), StatusCode::kNotFound);
}

TEST_F(BlobStoreTest, BlobStaysWhileAnyHolderIsLeft) {
  const Sha256Digest blob = Put("x");
  Reference(blob, "job/1", true);
  Reference(blob, "job/1", true);
  Reference(blob, "document/2", true);
  Reference(blob, "job/1", false);
  ASSERT_TRUE(store_->RemoveIfUnreferenced(blob).ok());
  EXPECT_TRUE(store_->Find(blob).ok());
  Reference(blob, "document/2", false);
  ASSERT_TRUE(store_->RemoveIfUnreferenced(blob).ok());
  EXPECT_FALSE(store_->Find(blob).ok());
  EXPECT_TRUE(store_->RemoveIfUnreferenced(blob).ok());
}

TEST_F(BlobStoreTest, OpenSweepsWhatNobodyHolds) {
  const Sha256Digest kept = Put("kept");
  const Sha256Digest lost = Put("lost");
  Reference(kept, "document/1", true);
  std::ofstream(folder_.path() / "blobs" / "tmp-77") << "half";
  std::ofstream(folder_.path() / "blobs" / "notes.txt") << "not ours";
  Reopen();
  EXPECT_TRUE(store_->Find(kept).ok());
  EXPECT_FALSE(store_->Find(lost).ok());
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "blobs" / "tmp-77"));
  EXPECT_TRUE(std::filesystem::exists(folder_.path() / "blobs" / "notes.txt"));
}

TEST_F(BlobStoreTest, AbandonedWriterLeavesNoFile) {
  {
    auto writer = store_->Create();
    ASSERT_TRUE((*writer)->Append("half").ok());
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path() / "blobs"));
}

TEST_F(BlobStoreTest, LimitIsNamed) {
  auto writer = store_->Create();
  ASSERT_TRUE((*writer)->Append(std::string(1000, 'x')).ok());
  const Status status = (*writer)->Append("y");
  EXPECT_EQ(status.reason(), Reason::kFileTooLarge);
  EXPECT_NE(status.message().find("1000"), std::string::npos);
  EXPECT_EQ((*writer)->size(), 1000u);
  ASSERT_TRUE((*writer)->Finish().ok());
  EXPECT_EQ((*writer)->Finish().status().code(), StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace ragstone::index
