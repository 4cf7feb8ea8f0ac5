#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "services/cli/progress.h"
#include "services/cli/text.h"

namespace ragstone::services::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

v1::Job JobAt(uint32_t pages_done, uint32_t chunks_done) {
  v1::Job job;
  job.set_stage("embed");
  job.set_pages_total(10);
  job.set_pages_done(pages_done);
  job.set_chunks_total(20);
  job.set_chunks_done(chunks_done);
  return job;
}

TEST(CliProgress, TheLineSaysHowFarItIs) {
  ProgressState state{.files_done = 12,
                      .files_total = 49,
                      .bytes_done = 250,
                      .bytes_total = 1000,
                      .pages = 310,
                      .chunks = 1204,
                      .seconds = 10,
                      .current = "/docs/report.pdf"};
  EXPECT_EQ(FormatProgress(state, 200),
            "adding 12/49 [=====               ] 25%  310 pages  1204 chunks  31.0 pages/s  "
            "0:30 left  report.pdf");
  state.seconds = 0.5;
  EXPECT_THAT(FormatProgress(state, 200), Not(HasSubstr("left")));
}

TEST(CliProgress, TheLineFitsAndIsSafe) {
  ProgressState state{
      .files_total = 1, .bytes_total = 1, .current = "/a/\x1b[2J" + std::string(300, 'x')};
  for (int width = 20; width < 160; width += 7) {
    const std::string line = FormatProgress(state, width);
    EXPECT_LE(DisplayWidth(line), width);
    EXPECT_EQ(line.find('\x1b'), std::string::npos);
  }
}

TEST(CliProgress, FilesInWorkCountByTheirPart) {
  std::ostringstream out, err;
  Output output(&out, &err, {}, false);
  AddProgress progress(&output, {.files_total = 2, .bytes_total = 200});
  progress.Begin(0, "/a.pdf", 100);
  progress.Begin(1, "/b.pdf", 100);
  progress.Update(0, JobAt(10, 10));
  ProgressState state = progress.state();
  EXPECT_DOUBLE_EQ(state.bytes_done, 50);
  EXPECT_EQ(state.pages, 10u);
  EXPECT_EQ(state.current, "/a.pdf");
  progress.End(0, 10, 20);
  state = progress.state();
  EXPECT_DOUBLE_EQ(state.bytes_done, 100);
  EXPECT_EQ(state.files_done, 1u);
  EXPECT_EQ(state.chunks, 20u);
  EXPECT_EQ(state.current, "/b.pdf");
  progress.End(1, 0, 0);
  EXPECT_DOUBLE_EQ(progress.state().bytes_done, 200);
  EXPECT_EQ(err.str(), "");
}

TEST(CliProgress, OnATerminalTheLineIsDrawnAndTakenAway) {
  std::ostringstream out, err;
  Output output(&out, &err, {.err = true, .width = 60}, false);
  {
    AddProgress progress(&output, {.show_after = std::chrono::milliseconds(0), .files_total = 3});
    progress.SetNote("waiting");
    std::this_thread::sleep_for(std::chrono::milliseconds(250));
  }
  EXPECT_THAT(err.str(), HasSubstr("adding 0/3"));
  EXPECT_THAT(err.str(), testing::EndsWith("\r\x1b[2K"));
}

}  // namespace
}  // namespace ragstone::services::cli
