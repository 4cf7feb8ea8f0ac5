#include "index/request_log.h"

#include "base/mutex.h"
#include "index/internal/batch_impl.h"
#include "index/internal/coding.h"
#include "index/internal/database_impl.h"
#include "index/internal/records_db/request_book.h"

namespace ragstone::index {
namespace {

using records::kServiceRequests;
using records::RequestBook;
using records::RequestRow;

std::string Key(std::string_view method, std::string_view id) {
  return std::string(method) + '\0' + std::string(id);
}

uint64_t FingerprintOf(const Sha256Digest& request) { return Decoder(request.View()).U64(); }

class RequestLogImpl : public RequestLog {
 public:
  RequestLogImpl(Store* store, const Clock* clock) : store_(store), clock_(clock) {}

  Status Begin() {
    MutexLock lock(&mutex_);
    RETURN_IF_ERROR(TakeOver());
    const std::string prefix = records::RequestTimePrefix(kServiceRequests);
    const std::unique_ptr<StoreIterator> it = store_->NewIterator(Family::kRecordRequest);
    for (it->Seek(prefix); it->ValidWithPrefix(prefix); it->Next()) ++count_;
    RETURN_IF_ERROR(it->status());
    RequestBook book(*store_, kServiceRequests, clock_->NowNs());
    std::vector<RequestRow> rows;
    RETURN_IF_ERROR(book.Sweep(count_, RequestBook::kRequestsMax, &rows, &count_).status());
    return Write(rows);
  }

  Result<std::optional<std::string>> Find(std::string_view method, std::string_view id,
                                          std::string_view request) const override {
    if (id.empty()) return std::optional<std::string>();
    if (id.size() > kIdBytesMax) {
      return InvalidArgument(Reason::kLimitExceeded, "request_id has " + std::to_string(id.size()) +
                                                         " bytes, the limit is " +
                                                         std::to_string(kIdBytesMax));
    }
    return RequestBook(*store_, kServiceRequests, clock_->NowNs())
        .Find(Key(method, id), FingerprintOf(Sha256Of(request)));
  }

  Status Record(const Entry& entry, Batch* batch) override {
    if (entry.id.empty()) return OkStatus();
    // Batches of several calls are made at once: what one takes out no other counts.
    MutexLock lock(&mutex_);
    RequestBook book(*store_, kServiceRequests, clock_->NowNs(), begin_);
    book.Add(Key(entry.method, entry.id), FingerprintOf(Sha256Of(entry.request)),
             std::string(entry.response));
    std::vector<RequestRow> rows;
    RETURN_IF_ERROR(book.Write(&rows, &count_));
    begin_ = book.begin();
    for (const RequestRow& row : rows) {
      if (row.value.has_value()) {
        BatchAccess::Put(Family::kRecordRequest, row.key, *row.value, batch);
      } else {
        BatchAccess::Delete(Family::kRecordRequest, row.key, batch);
      }
    }
    return OkStatus();
  }

 private:
  // Outcomes had a table of their own before: u64 time, SHA-256 of the request, response.
  Status TakeOver() {
    std::vector<RequestRow> rows;
    StoreBatch batch(store_);
    const std::string prefix = TableKey(Table::kRequests, "");
    const std::unique_ptr<StoreIterator> it = store_->NewIterator(Family::kTable);
    for (it->Seek(prefix); it->ValidWithPrefix(prefix); it->Next()) {
      Decoder in(it->value());
      in.U8();
      const auto time_ns = static_cast<int64_t>(in.U64());
      const std::string_view hash = in.Bytes(sizeof(Sha256Digest::bytes));
      const std::string id(it->key().substr(prefix.size()));
      if (in.ok()) {
        const records::RequestOutcome outcome{Decoder(hash).U64(), time_ns,
                                              std::string(in.Bytes(in.remaining()))};
        rows.push_back({records::RequestKey(kServiceRequests, id), EncodeRequest(outcome)});
        rows.push_back({records::RequestTimeKey(kServiceRequests, time_ns, id), "\1"});
      }
      batch.Delete(Family::kTable, it->key());
    }
    RETURN_IF_ERROR(it->status());
    if (batch.empty()) return OkStatus();
    AddRows(rows, &batch);
    return store_->Write(&batch, /*sync=*/true);
  }

  Status Write(const std::vector<RequestRow>& rows) {
    if (rows.empty()) return OkStatus();
    StoreBatch batch(store_);
    AddRows(rows, &batch);
    return store_->Write(&batch, /*sync=*/false);
  }

  Store* const store_;
  const Clock* const clock_;
  Mutex mutex_;
  uint64_t count_ GUARDED_BY(mutex_) = 0;  // at least as many as there are
  std::string begin_ GUARDED_BY(mutex_);   // of those that were not taken out
};

}  // namespace

Result<std::unique_ptr<RequestLog>> RequestLog::Open(Database* database, const Clock* clock) {
  auto log = std::make_unique<RequestLogImpl>(&static_cast<DatabaseImpl*>(database)->core().store(),
                                              clock);
  RETURN_IF_ERROR(log->Begin());
  return std::unique_ptr<RequestLog>(std::move(log));
}

}  // namespace ragstone::index
