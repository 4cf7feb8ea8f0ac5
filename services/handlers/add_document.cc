#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/file.h"
#include "index/operations.h"
#include "services/handlers/app_impl.h"
#include "services/handlers/convert.h"

namespace ragstone::services {

namespace {

constexpr size_t kPieceBytesMax = 1 << 20;
constexpr size_t kSourceBytesMax = 4096;
constexpr auto kProgressPeriod = std::chrono::milliseconds(100);

Status CheckStart(const v1::AddDocumentStart& start) {
  if (start.source().empty() && start.path().empty()) {
    return InvalidArgument(Reason::kInvalidArgument,
                           "start.source names the document and is empty; give a name or a path");
  }
  if (start.source().size() > kSourceBytesMax || start.path().size() > kSourceBytesMax) {
    return InvalidArgument(Reason::kInvalidArgument, "start.source is longer than 4096 bytes");
  }
  for (const std::string_view known : {"", "application/pdf", "text/plain", "text/markdown"}) {
    if (start.media_type() == known) return OkStatus();
  }
  return InvalidArgument(
      Reason::kUnsupportedMediaType,
      "media type '" + start.media_type() + "' cannot be read; PDF, plain text and Markdown can");
}

bool IsUnder(const std::filesystem::path& path, const std::filesystem::path& folder) {
  const auto [end, rest] = std::mismatch(folder.begin(), folder.end(), path.begin(), path.end());
  static_cast<void>(rest);
  return end == folder.end();
}

}  // namespace

Result<index::CollectionInfo> AppImpl::CollectionForAdd(const v1::AddDocumentStart& start) {
  const std::string_view name = CollectionName(start.collection());
  MutexLock lock(&collection_mutex_);
  const auto found = database_->GetCollection(name);
  const bool attachments = name == kAttachments;
  if (found.ok() && !attachments) return found;
  if (!found.ok() &&
      (found.status().code() != StatusCode::kNotFound || !start.create_collection())) {
    return found.status();
  }
  ASSIGN_OR_RETURN(const llm::Manifest model, models_->EmbeddingManifest(""));
  index::CollectionSpec spec;
  spec.name = name;
  spec.embedding_model = model.name;
  spec.fingerprint = llm::EmbeddingFingerprint(model);
  spec.dimensions = model.dimensions;
  if (found.ok()) {
    if (found->spec.fingerprint == spec.fingerprint) return found;
    // Attachments can be made again at any time, so they follow the default model.
    RETURN_IF_ERROR(database_->DeleteCollection(name, index::Batch()).status());
  }
  if (name[0] == '.' && !attachments) {
    return InvalidArgument(Reason::kCollectionNameInvalid,
                           "collection names do not begin with '.'");
  }
  return database_->CreateCollection(spec, index::Batch());
}

Result<AppImpl::Upload> AppImpl::ReceiveUpload(const Reader<v1::AddDocumentRequest>& read,
                                               const CallContext& context) {
  RETURN_IF_ERROR(index::CheckRoom(*database_, 0));
  ASSIGN_OR_RETURN(const auto first, read());
  if (!first || !first->has_start()) {
    return InvalidArgument(Reason::kInvalidArgument, "the first message must be `start`");
  }
  Upload upload;
  upload.start = first->start();
  RETURN_IF_ERROR(CheckStart(upload.start));
  if (upload.start.path().empty()) {
    RETURN_IF_ERROR(StoreBytes(read, context, &upload));
  } else {
    RETURN_IF_ERROR(StorePath(context, &upload));
  }
  if (upload.bytes == 0) {
    return InvalidArgument(Reason::kEmptyFile, upload.start.source() + " is empty (0 bytes)");
  }
  return upload;
}

Status AppImpl::StoreBytes(const Reader<v1::AddDocumentRequest>& read, const CallContext& context,
                           Upload* upload) {
  ASSIGN_OR_RETURN(upload->writer, blobs_->Create());
  for (;;) {
    RETURN_IF_ERROR(context.Check());
    ASSIGN_OR_RETURN(const auto message, read());
    if (!message) break;
    if (message->has_start()) {
      return InvalidArgument(Reason::kInvalidArgument, "`start` may be sent only once");
    }
    if (message->data().size() > kPieceBytesMax) {
      return InvalidArgument(Reason::kInvalidArgument,
                             "a piece has " + std::to_string(message->data().size()) +
                                 " bytes, the limit is 1 MiB; send smaller pieces");
    }
    RETURN_IF_ERROR(upload->writer->Append(message->data()));
  }
  upload->bytes = upload->writer->size();
  if (upload->bytes == 0) return OkStatus();
  ASSIGN_OR_RETURN(upload->blob, upload->writer->Finish());
  return OkStatus();
}

Status AppImpl::CheckPath(std::string_view path, const CallContext& context) const {
  if (context.trusted_local()) return OkStatus();
  for (const std::string& allowed : settings_.allowed_paths) {
    std::error_code error;
    const auto folder = std::filesystem::canonical(allowed, error);
    if (!error && IsUnder(std::filesystem::path(path), folder)) return OkStatus();
  }
  return Status(StatusCode::kPermissionDenied, Reason::kPathNotAllowed,
                "the server may not read " + std::string(path) +
                    " for clients over TCP; send the bytes, or add its folder to allowed_paths");
}

Status AppImpl::StorePath(const CallContext& context, Upload* upload) {
  std::error_code error;
  const std::filesystem::path path = std::filesystem::canonical(upload->start.path(), error);
  // Whether a forbidden path exists is not told.
  RETURN_IF_ERROR(CheckPath(error ? upload->start.path() : path.string(), context));
  if (error) return ErrnoStatus(error.value(), "open " + upload->start.path());
  if (upload->start.source().empty()) upload->start.set_source(ValidUtf8(path.string()));

  ASSIGN_OR_RETURN(const FileDescriptor file, OpenFile(path, O_RDONLY | O_NONBLOCK));
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) return ErrnoStatus(errno, "stat " + path.string());
  if (!S_ISREG(info.st_mode)) {
    return InvalidArgument(Reason::kUnsupportedMediaType,
                           path.string() + " is not a regular file; add the files in it");
  }
  ASSIGN_OR_RETURN(upload->writer, blobs_->Create());
  std::vector<char> buffer(kPieceBytesMax);
  for (;;) {
    RETURN_IF_ERROR(context.Check());
    const ssize_t got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, "read " + path.string());
    if (got == 0) break;
    RETURN_IF_ERROR(upload->writer->Append({buffer.data(), static_cast<size_t>(got)}));
  }
  upload->bytes = upload->writer->size();
  if (upload->bytes == 0) return OkStatus();
  ASSIGN_OR_RETURN(upload->blob, upload->writer->Finish());
  return OkStatus();
}

// Makes the job durable. Content that is there already gives a job that has ended.
Result<JobRecord> AppImpl::AcceptUpload(const Upload& upload,
                                        const index::CollectionInfo& collection) {
  const v1::AddDocumentStart& start = upload.start;
  const std::string request = DeterministicBytes(start) + upload.blob.Hex();
  ASSIGN_OR_RETURN(const auto former, requests_->Find("AddDocument", start.request_id(), request));
  if (former) {
    ASSIGN_OR_RETURN(const JobId id, ParseJobId(*former));
    ASSIGN_OR_RETURN(const JobView view, jobs_->Get(id));
    return view.record;
  }
  RETURN_IF_ERROR(pipeline_->CheckQuarantine(upload.blob));
  JobRecord job;
  job.collection = collection.spec.name;
  job.collection_id = collection.id;
  job.source = start.source();
  job.media_type = start.media_type();
  job.blob = upload.blob;
  job.bytes = upload.bytes;
  ASSIGN_OR_RETURN(job.metadata, FromMessage(start.metadata()));

  ASSIGN_OR_RETURN(const auto existing, database_->FindBySource(collection.id, job.source));
  if (existing) {
    job.document = existing->id;
    if (existing->content == upload.blob && !jobs_->HasActive(existing->id) &&
        (job.media_type.empty() || job.media_type == existing->media_type)) {
      job.state = JobState::kSucceeded;
      job.unchanged = true;
      job.pages = existing->pages;
      job.chunks = existing->chunks;
      if (start.has_metadata() && job.metadata != existing->metadata) {
        RETURN_IF_ERROR(
            database_->UpdateMetadata(collection.id, existing->id, job.metadata, index::Batch())
                .status());
      }
    } else if (!start.has_metadata()) {
      job.metadata = existing->metadata;
    }
  }
  return jobs_->Submit(std::move(job), [&](const JobRecord& record, index::Batch* batch) {
    return requests_->Record({"AddDocument", start.request_id(), request, JobIdText(record.id)},
                             batch);
  });
}

Status AppImpl::FollowJob(JobId id, const std::function<Status(const JobView&)>& changed,
                          const CallContext& context) {
  std::string last;
  for (;;) {
    ASSIGN_OR_RETURN(const JobView view, jobs_->Get(id));
    v1::Job message;
    ToMessage(view, &message);
    std::string now = message.SerializeAsString();
    if (now != last) RETURN_IF_ERROR(changed(view));
    if (IsFinished(view.record.state)) return OkStatus();
    last = std::move(now);
    RETURN_IF_ERROR(context.Check());
    jobs_->WaitForChange(std::chrono::steady_clock::now() + kProgressPeriod);
  }
}

Status AppImpl::AddDocument(const Reader<v1::AddDocumentRequest>& read,
                            const Writer<v1::AddDocumentResponse>& write,
                            const CallContext& context) {
  ++counters_.add;
  ASSIGN_OR_RETURN(Upload upload, ReceiveUpload(read, context));
  ASSIGN_OR_RETURN(const index::CollectionInfo collection, CollectionForAdd(upload.start));
  ASSIGN_OR_RETURN(const JobRecord job, AcceptUpload(upload, collection));
  upload.writer.reset();  // the job holds the blob now
  if (job.unchanged) static_cast<void>(blobs_->RemoveIfUnreferenced(upload.blob));

  v1::AddDocumentResponse response;
  response.mutable_accepted()->set_job_id(JobIdText(job.id));
  response.mutable_accepted()->set_document_id(DocumentIdText(job.document));
  RETURN_IF_ERROR(write(response));
  if (upload.start.detach()) return OkStatus();

  JobRecord ended;
  RETURN_IF_ERROR(FollowJob(
      job.id,
      [&](const JobView& view) {
        ended = view.record;
        if (IsFinished(view.record.state)) return OkStatus();
        v1::AddDocumentResponse progress;
        ToMessage(view, progress.mutable_progress());
        return write(progress);
      },
      context));
  if (ended.state != JobState::kSucceeded) return ended.error;
  if (collection.spec.name == kAttachments) TrimAttachments(collection);
  ASSIGN_OR_RETURN(const auto info, database_->GetDocument(collection.id, ended.document));
  v1::AddDocumentResponse finished;
  ASSIGN_OR_RETURN(*finished.mutable_finished()->mutable_document(), DocumentMessage(info));
  finished.mutable_finished()->set_unchanged(ended.unchanged);
  return write(finished);
}

}  // namespace ragstone::services
