#include "services/pipeline/ingest_pipeline.h"

#include "base/file.h"
#include "ingest/text_parser.h"
#include "services/pipeline/ingest_run.h"

namespace ragstone::services {

namespace {

// What ends a worker by itself; anything else (a full disk, a cancelled job) says nothing of the
// input.
bool EndedWorker(const Status& status) { return status.reason() == Reason::kWorkerCrashed; }

}  // namespace

const char* StageName(IngestProgress::Stage stage) {
  switch (stage) {
    case IngestProgress::Stage::kQueued:
      return "queued";
    case IngestProgress::Stage::kParse:
      return "parse";
    case IngestProgress::Stage::kEmbed:
      return "embed";
    case IngestProgress::Stage::kCommit:
      return "commit";
    case IngestProgress::Stage::kDone:
      return "done";
  }
  return "queued";
}

Status IngestPipeline::CheckQuarantine(const Sha256Digest& content) const {
  ASSIGN_OR_RETURN(const auto entry,
                   parts_.database->Get(index::Table::kQuarantine, content.View()));
  if (!entry) return OkStatus();
  return FailedPrecondition(Reason::kQuarantined,
                            "this content ended a worker process twice and is not tried again (" +
                                *entry + "); add a repaired copy of the file");
}

Status IngestPipeline::Quarantine(const Sha256Digest& content, const Status& cause) {
  index::Batch batch;
  batch.Put(index::Table::kQuarantine, content.View(),
            FormatTime(parts_.clock->NowNs()) + ": " + cause.message());
  RETURN_IF_ERROR(parts_.database->Write(std::move(batch)));
  return FailedPrecondition(Reason::kQuarantined,
                            "the content ended a worker process twice (" + cause.message() +
                                ") and will not be tried again; add a repaired copy of the file");
}

Result<index::DocumentInfo> IngestPipeline::Run(
    const JobRecord& job, IngestProgress* progress, const CallContext& context,
    const std::function<index::Batch(uint32_t pages, uint32_t chunks)>& also) {
  RETURN_IF_ERROR(CheckQuarantine(job.blob));
  ASSIGN_OR_RETURN(const auto path, parts_.blobs->Find(job.blob));
  ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
  ASSIGN_OR_RETURN(const index::CollectionInfo collection,
                   parts_.database->GetCollection(job.collection));

  IngestRun::Input input;
  input.job = &job;
  input.bytes = file.bytes();
  input.progress = progress;
  input.media_type = job.media_type;
  if (input.media_type.empty()) {
    ASSIGN_OR_RETURN(input.media_type, ingest::DetectMediaType(file.bytes(), job.source));
  }
  ASSIGN_OR_RETURN(input.model, parts_.models->ForCollection(collection.spec));

  for (int attempt = 1;; ++attempt) {
    ASSIGN_OR_RETURN(const auto writer,
                     parts_.database->BeginDocument(job.collection_id, job.document));
    input.writer = writer.get();
    progress->pages_done = 0;
    progress->chunks_done = 0;
    IngestRun run(parts_, input, context);
    const Status status = run.Execute();
    if (EndedWorker(status)) {
      if (attempt < 2) continue;
      return Quarantine(job.blob, status);
    }
    RETURN_IF_ERROR(status);

    progress->stage = IngestProgress::Stage::kCommit;
    index::DocumentInfo info;
    info.source = job.source;
    info.content = job.blob;
    info.bytes = job.bytes;
    info.media_type = input.media_type;
    info.title = run.facts().title;
    info.pages = run.pages();
    info.metadata = job.metadata;
    info.warnings = run.warnings();
    return writer->Commit(info, also(run.pages(), run.chunks()));
  }
}

}  // namespace ragstone::services
