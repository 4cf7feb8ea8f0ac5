#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "ragstone/v1/answer.grpc.pb.h"
#include "services/cli/commands.h"
#include "services/cli/json.h"
#include "services/cli/render.h"
#include "services/cli/search_mode.h"
#include "services/cli/text.h"
#include "services/cli/uploads.h"

namespace ragstone::services::cli {
namespace {

constexpr const char* kAttachments = ".attachments";
constexpr int kNearestShown = 3;

// The words of the command line, as files and a question.
struct Question {
  std::string text;
  std::vector<std::string> files;
};

// `ask --file a.pdf b.pdf "question"`: leading words that name files are attached as well.
Result<Question> ReadQuestion(const Options& options) {
  Question question{.files = options.files};
  std::vector<std::string> words = options.question;
  size_t files = 0;
  std::error_code error;
  while (!options.files.empty() && files < words.size() &&
         std::filesystem::is_regular_file(words[files], error)) {
    ++files;
  }
  if (files > 0 && files == words.size()) {
    return InvalidArgument(
        Reason::kInvalidArgument,
        fmt::format("the question is missing after {}; put it last, in quotes", words.back()));
  }
  question.files.insert(question.files.end(), words.begin(), words.begin() + files);
  words.erase(words.begin(), words.begin() + files);
  question.text = Join(words, " ");
  return question;
}

// Adds the attached files to the hidden collection and puts their ids into the request.
Status Attach(const std::vector<std::string>& paths, const Connection& connection, Output* output,
              v1::AskRequest* request) {
  for (const std::string& path : paths) {
    std::error_code error;
    if (!std::filesystem::is_directory(path, error)) continue;
    return InvalidArgument(Reason::kInvalidArgument,
                           fmt::format("{} is a folder; add it with `ragstone add`, then ask "
                                       "without --file",
                                       path));
  }
  const InputFiles input = CollectFiles(paths);
  if (!input.errors.empty()) return input.errors.front().status;
  const auto outcomes = UploadFiles(connection, input.files,
                                    {.collection = kAttachments,
                                     .verb = "reading",
                                     .show_after = std::chrono::milliseconds(1000)},
                                    output);
  for (const UploadOutcome& outcome : outcomes) {
    if (!outcome.status.ok()) return outcome.status.WithContext(outcome.path);
    request->add_attachments(outcome.document.id());
  }
  return OkStatus();
}

// What came of an ask.
struct Answer {
  v1::AskEvidence evidence;
  v1::AskFinal final;
  std::string streamed;  // shown on the terminal already
};

Result<Answer> Stream(const v1::AskRequest& request, const Connection& connection, Output* output) {
  Answer answer;
  v1::AnswerService::Stub stub(connection.channel());
  Call call(connection.cancel());
  const auto reader = stub.Ask(call.context(), request);
  const bool show = output->terminal().out && !output->json();
  bool finished = false;
  v1::AskResponse event;
  if (show) output->Progress("thinking…");
  while (reader->Read(&event)) {
    if (event.has_evidence()) answer.evidence = event.evidence();
    if (event.has_final()) {
      answer.final = event.final();
      finished = true;
    }
    if (show && event.event_case() == v1::AskResponse::kToken) {
      answer.streamed += event.token();
      output->Write(SanitizeLines(event.token()));
    }
  }
  output->Progress("");
  const Status status = connection.Convert(reader->Finish());
  if (!status.ok() || !finished) {
    if (!answer.streamed.empty()) output->Write("\n");
    RETURN_IF_ERROR(status);
    return Internal("the server ended the call without an answer");
  }
  return answer;
}

void PrintJson(const Answer& answer, Output* output) {
  const v1::AskFinal& final = answer.final;
  Json citations = Json::array();
  for (const v1::Citation& citation : final.citations())
    citations.push_back(CitationJson(citation));
  output->Json({{"answer", final.answer()},
                {"short_answer", final.short_answer()},
                {"answered", final.answered()},
                {"citations", citations},
                {"evidence", HitsJson(answer.evidence.passages())},
                {"timings_ms", TimingsJson(final.timings())},
                {"model", final.model()}});
}

void PrintText(const Answer& answer, Output* output) {
  const v1::AskFinal& final = answer.final;
  // What was streamed is what the model said; the checked answer may differ, and counts.
  if (answer.streamed.empty()) {
    output->Line(SanitizeLines(final.answer()));
  } else if (answer.streamed == final.answer()) {
    output->Line("");
  } else {
    output->Line("\n\n" + SanitizeLines(final.answer()));
  }
  if (!final.citations().empty()) output->Line("");
  for (const v1::Citation& citation : final.citations()) {
    output->Line(FormatCitation(citation, *output));
  }
  if (final.answered() || answer.evidence.passages().empty()) return;
  output->Message("\nNearest passages:\n");
  for (int i = 0; i < std::min(kNearestShown, answer.evidence.passages_size()); ++i) {
    output->Message(FormatHit(i + 1, answer.evidence.passages(i), *output));
  }
}

}  // namespace

Result<int> RunAsk(const CommandContext& context) {
  Output* output = context.output;
  const auto read = ReadQuestion(context.options);
  if (!read.ok()) {
    output->Error(read.status());
    return kExitUsage;
  }
  const Question& question = read.value();
  v1::AskRequest request;
  request.set_question(question.text);
  request.set_top_k(context.options.top_k);
  request.set_mode(SearchModeOf(context.options.mode));
  if (!context.options.filter.empty()) {
    request.mutable_filter()->set_expression(context.options.filter);
  }
  request.set_style(context.options.style == "short" ? v1::ANSWER_STYLE_SHORT
                                                     : v1::ANSWER_STYLE_FULL);
  ASSIGN_OR_RETURN(const auto connection, Connect(context));
  if (question.files.empty()) {
    request.set_collection(context.options.collection);
  } else {
    RETURN_IF_ERROR(Attach(question.files, *connection, output, &request));
  }
  ASSIGN_OR_RETURN(const Answer answer, Stream(request, *connection, output));
  if (output->json()) {
    PrintJson(answer, output);
  } else {
    PrintText(answer, output);
  }
  return answer.final.answered() ? kExitDone : kExitNoAnswer;
}

}  // namespace ragstone::services::cli
