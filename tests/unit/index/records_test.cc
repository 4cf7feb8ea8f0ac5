// Covers records.cc and keys.cc.
#include "index/internal/records.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "index/internal/coding.h"

namespace ragstone::index {
namespace {

DocumentRecord SampleDocument() {
  DocumentRecord record;
  record.version = 5;
  record.valid_from = 11;
  record.words = 1234;
  record.chunks = {{100, 3}, {900, 256}};
  record.info.source = "/a.pdf";
  record.info.title = "Title";
  record.info.pages = 3;
  record.info.chunks = 259;
  record.info.created_ns = -5;
  record.info.metadata = {{"a", int64_t{-1}}, {"b", std::vector<std::string>{"x"}}};
  record.info.warnings = {"w"};
  return record;
}

PageRecord SamplePage() {
  PageRecord page;
  page.number = 7;
  page.label = "vii";
  page.width = 595;
  page.height = 842;
  page.text_begin = 1000;
  page.text = "some words of a page";
  page.words = {{0, 4, {1, 2, 3, 4}}, {5, 10, {5, 6, 7, 8}}, {2, 3, {0, 0, 1, 1}}};
  return page;
}

TEST(RecordsTest, DocumentComesBack) {
  const DocumentRecord record = SampleDocument();
  const Result<DocumentRecord> got = DecodeDocument(EncodeDocument(record));
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->version, 5u);
  EXPECT_EQ(got->valid_from, 11u);
  EXPECT_EQ(got->valid_to, kNever);
  EXPECT_EQ(got->chunks[1].count, 256u);
  EXPECT_EQ(got->info.metadata, record.info.metadata);
  EXPECT_EQ(got->info.created_ns, -5);
}

TEST(RecordsTest, PageComesBackWithItsWordsInAnyOrder) {
  const PageRecord page = SamplePage();
  const Result<std::string> bytes = EncodePage(page);
  ASSERT_TRUE(bytes.ok());
  const Result<PageRecord> got = DecodePage(*bytes);
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->text, page.text);
  EXPECT_EQ(got->label, "vii");
  EXPECT_EQ(got->text_begin, 1000u);
  ASSERT_EQ(got->words.size(), 3u);
  EXPECT_EQ(got->words[2].begin, 2u);
  EXPECT_EQ(got->words[1].box.x1, 7);
}

TEST(RecordsTest, ChunkAndVectorComeBack) {
  ChunkRecord chunk;
  chunk.document = 8;
  chunk.ordinal = 3;
  chunk.heading = "A > B";
  chunk.text = "text";
  chunk.embedded = Sha256Of("x");
  const auto got = DecodeChunk(EncodeChunk(chunk, 77));
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->first.heading, "A > B");
  EXPECT_EQ(got->first.embedded, chunk.embedded);
  EXPECT_EQ(got->second, 77u);

  const float values[] = {1.5f, -2.0f, 3.25f};
  float out[3] = {};
  const auto owner = DecodeVector(EncodeVector({8, 77}, values, 3), 3, out);
  ASSERT_TRUE(owner.ok());
  EXPECT_EQ(owner->version, 77u);
  EXPECT_EQ(out[2], 3.25f);
  EXPECT_EQ(DecodeVector(EncodeVector({8, 77}, values, 3), 4, nullptr).status().reason(),
            Reason::kDataCorrupt);
}

TEST(RecordsTest, SmallRecordsComeBack) {
  const auto pending = DecodePending(EncodePending({true, 3, 4}));
  ASSERT_TRUE(pending.ok());
  EXPECT_TRUE(pending->published);
  EXPECT_EQ(pending->valid_to, 4u);
  BatchRecord batch;
  batch.count = 2;
  batch.hashes = {Sha256Of("a"), Sha256Of("b")};
  const auto batch_got = DecodeBatch(EncodeBatch(batch));
  ASSERT_TRUE(batch_got.ok());
  EXPECT_EQ(batch_got->hashes, batch.hashes);
  const auto stats = DecodeStats(EncodeStats({1, 2, 3}));
  EXPECT_EQ(stats->words, 3u);
  EXPECT_EQ(*DecodeNumber(EncodeNumber(12)), 12u);
  CollectionInfo info;
  info.id = 9;
  info.spec.name = "name";
  info.spec.embedding_model = "model";
  info.spec.fingerprint = "print";
  info.spec.dimensions = 384;
  info.spec.language = "de";
  info.settings = {SearchMode::kKeyword, 0.7};
  info.created_ns = 5;
  const Result<CollectionInfo> again = DecodeCollection(EncodeCollection(info));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->spec.fingerprint, "print");
  EXPECT_EQ(again->spec.language, "de");
  EXPECT_EQ(again->settings, info.settings);
}

TEST(RecordsTest, CollectionsOfTheFirstFormatHaveDefaults) {
  std::string bytes;
  Encoder out(&bytes);
  out.U8(1);
  out.U32(9);
  out.String("name");
  out.String("model");
  out.String("print");
  out.Varint(384);
  out.SignedVarint(5);
  const Result<CollectionInfo> info = DecodeCollection(bytes);
  ASSERT_TRUE(info.ok()) << info.status().ToString();
  EXPECT_EQ(info->spec.dimensions, 384u);
  EXPECT_EQ(info->spec.language, "auto");
  EXPECT_EQ(info->settings, CollectionSettings());
  bytes[0] = 3;
  EXPECT_EQ(DecodeCollection(bytes).status().code(), StatusCode::kDataLoss);
}

TEST(RecordsTest, KeysOrderByTheirNumbers) {
  EXPECT_LT(DocumentKey(1, UINT64_MAX), DocumentKey(2, 0));
  const auto parts = DecodeVersionKey(VersionKey(1, 2, 3));
  ASSERT_TRUE(parts.ok());
  EXPECT_EQ(parts->version, 3u);
  EXPECT_EQ(*DecodeKeySuffix(BatchKey(VersionKey(1, 2, 3), 44)), 44u);
  const std::string prefix = EmbeddingPrefix("f", Sha256Of("x"));
  const auto chunk = DecodeChunkKey(EmbeddingKey(prefix, 5, 6).substr(prefix.size()));
  ASSERT_TRUE(chunk.ok());
  EXPECT_EQ(chunk->collection, 5u);
  EXPECT_EQ(chunk->chunk, 6u);
}

// Decodes every truncation and seeded random damage of `bytes`: it must fail or give a record, and
// under the sanitizers touch nothing outside.
void Damage(const std::string& bytes, const std::function<bool(std::string_view)>& decodes) {
  EXPECT_TRUE(decodes(bytes));
  EXPECT_FALSE(decodes(""));
  for (size_t size = 1; size < bytes.size(); ++size) {
    EXPECT_FALSE(decodes(std::string_view(bytes).substr(0, size))) << size;
  }
  std::string other_format = bytes;
  other_format[0] = 2;
  EXPECT_FALSE(decodes(other_format));
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    std::string damaged = bytes;
    for (int flips = 0; flips < 3; ++flips) {
      damaged[random() % damaged.size()] = static_cast<char>(random());
    }
    decodes(damaged);
  }
}

TEST(RecordsTest, DamagedBytesAreRefusedNotRead) {
  Damage(EncodeDocument(SampleDocument()),
         [](std::string_view bytes) { return DecodeDocument(bytes).ok(); });
  Damage(*EncodePage(SamplePage()), [](std::string_view bytes) { return DecodePage(bytes).ok(); });
  Damage(EncodeChunk(ChunkRecord(), 1),
         [](std::string_view bytes) { return DecodeChunk(bytes).ok(); });
  Damage(EncodeBatch({1, {Sha256Of("a")}}),
         [](std::string_view bytes) { return DecodeBatch(bytes).ok(); });
}

}  // namespace
}  // namespace ragstone::index
