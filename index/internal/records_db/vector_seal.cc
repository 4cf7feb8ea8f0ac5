// Making sealed parts.
#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>

#include "index/internal/records_db/vector_set.h"
#include "index/internal/vectors/calibration.h"

namespace ragstone::index::records {
namespace {

constexpr size_t kEfMin = 32;  // queries may be unlike those of the measurement

// The live rows of parts. What a part does not hold exactly is read; an error is kept,
// because a source cannot fail.
class LiveRows : public vectors::RowSource {
 public:
  LiveRows(const VectorField& field, const std::vector<std::shared_ptr<VectorPart>>& parts,
           const vectors::ExactReader& reader)
      : field_(field), reader_(reader) {
    for (const std::shared_ptr<VectorPart>& part : parts) {
      for (size_t slot = 0; slot < part->rows(); ++slot) {
        if (part->GoneAt(slot) == 0) rows_.push_back({part->row_id(slot), part.get(), slot});
      }
    }
  }

  size_t rows() const override { return rows_.size(); }
  vectors::RowId id(size_t i) const override { return rows_[i].row; }
  vectors::VectorData vector(size_t i) const override {
    const Place& place = rows_[i];
    if (place.part->growing() != nullptr) return place.part->growing()->vector(place.slot);
    thread_local std::vector<float> buffer;
    buffer.assign(field_.dimensions, 1.0f);
    if (place.part->sealed() != nullptr && place.part->sealed()->has_exact() &&
        field_.metric != VectorMetric::kHamming) {
      place.part->sealed()->Decode(static_cast<vectors::Slot>(place.slot), buffer.data());
      return buffer.data();
    }
    const Status status = reader_.Read({&place.row, 1}, buffer.data());
    if (!status.ok()) {
      MutexLock lock(&mutex_);
      if (status_.ok()) status_ = status;
    }
    return buffer.data();
  }
  Status status() const {
    MutexLock lock(&mutex_);
    return status_;
  }

 private:
  struct Place {
    RowId row = kNoRow;
    const VectorPart* part = nullptr;
    size_t slot = 0;
  };
  const VectorField& field_;
  const vectors::ExactReader& reader_;
  std::vector<Place> rows_;
  mutable Mutex mutex_;
  mutable Status status_ GUARDED_BY(mutex_);
};

constexpr std::string_view kMeasured = "; ef ";

std::string MeasuredText(const vectors::Calibration& measured, bool asked) {
  if (measured.queries == 0) return "";
  char recall[128];
  snprintf(recall, sizeof(recall), "%zu, recall@%zu %.3f measured on %zu queries%s", measured.ef,
           measured.k, static_cast<double>(measured.recall), measured.queries,
           asked ? " that were asked" : "");
  return std::string(kMeasured) + recall;
}

std::string Reason(const vectors::MethodChoice& choice, size_t rows) {
  return std::string(vectors::MethodName(choice.method)) + " of " + std::to_string(rows) +
         " vectors: " + choice.reason;
}

// Begins what is asked of a new part with what was asked of the largest it is made from.
void TakeOverAsked(const std::vector<std::shared_ptr<VectorPart>>& parts,
                   vectors::AskedQueries* asked) {
  const VectorPart* largest = nullptr;
  for (const std::shared_ptr<VectorPart>& part : parts) {
    if (part->asked() == nullptr) continue;
    if (largest == nullptr || part->rows() > largest->rows()) largest = part.get();
  }
  if (largest != nullptr) asked->TakeOver(*largest->asked());
}

// How the recall of a graph is measured.
struct Measuring {
  const VectorField& field;
  const vectors::ExactReader& reader;
  const std::atomic<bool>* stop;

  vectors::CalibrateOptions Options(const vectors::Segment& segment) const {
    vectors::CalibrateOptions options;
    options.target_recall = field.target_recall;
    options.reader = segment.has_exact() ? nullptr : &reader;
    options.stop = stop;
    return options;
  }
  Result<vectors::Calibration> ByRows(const vectors::Segment& segment) const {
    ASSIGN_OR_RETURN(vectors::Calibration measured, vectors::Calibrate(segment, Options(segment)));
    measured.ef = std::max(measured.ef, kEfMin);
    return measured;
  }
  Result<vectors::Calibration> ByAsked(const vectors::Segment& segment,
                                       vectors::AskedQueries* asked) const {
    const std::vector<float> sample = asked->Sample();
    std::vector<vectors::VectorData> queries;
    for (size_t at = 0; at < sample.size(); at += asked->dimensions()) {
      queries.push_back(sample.data() + at);
    }
    vectors::CalibrateOptions options = Options(segment);
    options.queries = queries;
    ASSIGN_OR_RETURN(vectors::Calibration measured, vectors::Calibrate(segment, options));
    measured.ef = std::max(measured.ef, asked->ef_min());
    asked->Measured();
    return measured;
  }
};

// FAILED_PRECONDITION if there are too few rows to learn from.
Result<std::shared_ptr<VectorPart>> SealCompact(const VectorField& field, const LiveRows& source,
                                                const vectors::MethodChoice& choice,
                                                const vectors::CalibrateOptions& calibrate) {
  vectors::CompactOptions options;
  options.method = choice.method;
  ASSIGN_OR_RETURN(std::unique_ptr<vectors::CompactIndex> index,
                   vectors::CompactIndex::Build(SpecOf(field), source, options));
  RETURN_IF_ERROR(source.status());
  ASSIGN_OR_RETURN(const vectors::Calibration measured, vectors::Calibrate(*index, calibrate));
  index->set_ef(measured.ef);
  return VectorPart::Compact(std::move(index),
                             Reason(choice, source.rows()) + MeasuredText(measured, false));
}

}  // namespace

Result<std::shared_ptr<VectorPart>> SealParts(const VectorField& field,
                                              const std::vector<std::shared_ptr<VectorPart>>& parts,
                                              const vectors::ExactReader& reader,
                                              const SealTerms& terms) {
  const LiveRows source(field, parts, reader);
  const vectors::MethodQuestion question = QuestionOf(field, source.rows(), terms);
  ASSIGN_OR_RETURN(vectors::MethodChoice choice, vectors::ChooseMethod(question));
  vectors::CalibrateOptions calibrate;
  calibrate.target_recall = field.target_recall;
  calibrate.reader = &reader;
  calibrate.stop = terms.stop;
  if (choice.method == vectors::Method::kIvfPq || choice.method == vectors::Method::kLsh) {
    Result<std::shared_ptr<VectorPart>> part = SealCompact(field, source, choice, calibrate);
    if (part.ok() || part.status().code() != StatusCode::kFailedPrecondition) return part;
    choice = {vectors::Method::kScan, 0, part.status().message()};
  }
  vectors::SealOptions options;
  options.with_graph = choice.method == vectors::Method::kGraph;
  options.graph.stop = terms.stop;
  ASSIGN_OR_RETURN(std::unique_ptr<vectors::Segment> segment,
                   vectors::Segment::Build(question.spec, source, options));
  RETURN_IF_ERROR(source.status());
  std::string reason = Reason(choice, segment->rows());
  std::shared_ptr<vectors::AskedQueries> asked;
  if (segment->has_graph() && field.metric != VectorMetric::kHamming) {
    const Measuring measuring = {field, reader, terms.stop};
    ASSIGN_OR_RETURN(vectors::Calibration measured, measuring.ByRows(*segment));
    asked = std::make_shared<vectors::AskedQueries>(field.dimensions, measured.ef);
    TakeOverAsked(parts, asked.get());
    const bool by_asked = asked->due();
    if (by_asked) {
      ASSIGN_OR_RETURN(measured, measuring.ByAsked(*segment, asked.get()));
    }
    segment->set_ef(measured.ef, measured.wide_ef);
    reason += MeasuredText(measured, by_asked);
  }
  return VectorPart::Sealed(std::move(segment), std::move(reason), std::move(asked));
}

Status CalibrateByAsked(const VectorField& field, const vectors::ExactReader& reader,
                        const std::atomic<bool>* stop, VectorPart* part) {
  const Measuring measuring = {field, reader, stop};
  ASSIGN_OR_RETURN(const vectors::Calibration measured,
                   measuring.ByAsked(*part->sealed(), part->asked().get()));
  part->sealed()->set_ef(measured.ef, measured.wide_ef);
  const std::string reason = part->reason();
  part->set_reason(reason.substr(0, reason.rfind(kMeasured)) + MeasuredText(measured, true));
  return OkStatus();
}

}  // namespace ragstone::index::records
