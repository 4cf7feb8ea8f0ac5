#include "ingest/poppler/poppler_parser.h"

#include <Error.h>
#include <ErrorCodes.h>
#include <GlobalParams.h>
#include <PDFDoc.h>
#include <goo/GooString.h>

#include <chrono>
#include <mutex>
#include <new>
#include <optional>

#include "ingest/internal/page_layout.h"
#include "ingest/internal/unicode_text.h"
#include "ingest/poppler/page_text.h"

// The private headers have no stable interface. Older versions lack std::optional passwords and
// unique_ptr streams; CMake passes the version it found as 2212 for 22.12.
#if RAGSTONE_POPPLER_VERSION < 2208
#error "Ragstone needs poppler 22.08 or newer (libpoppler-private-dev)"
#endif

namespace ragstone::ingest {
namespace {

using Clock = std::chrono::steady_clock;

constexpr uint32_t kMetadataBytesMax = 1000;
constexpr uint32_t kLabelBytesMax = 100;

void IgnoreError(ErrorCategory, Goffset, const char*) {}

void InitPoppler() {
  static std::once_flag once;
  std::call_once(once, [] {
    setErrorCallback(IgnoreError);
    globalParams = std::make_unique<GlobalParams>();
    globalParams->setErrQuiet(true);
  });
}

Status Refused(Reason reason, std::string message) {
  return InvalidArgument(reason, std::move(message));
}

Status OpenError(int code, bool password_given) {
  if (code == errEncrypted) {
    return Refused(Reason::kPdfEncrypted,
                   password_given
                       ? "the PDF is encrypted and the password given does not open it"
                       : "the PDF is encrypted and needs a password; save a copy without one");
  }
  return Refused(Reason::kPdfDamaged,
                 "the PDF is damaged beyond repair (no usable cross-reference table or page tree); "
                 "try to open it in a viewer and save it again");
}

std::string Cut(std::string text, size_t bytes_max) {
  text.resize(internal::CutAtWord(text, bytes_max).size());
  return text;
}

std::string InfoString(PDFDoc* document, const char* key) {
  const std::unique_ptr<GooString> value = document->getDocInfoStringEntry(key);
  if (!value) return "";
  return Cut(internal::DecodePdfString(value->toStr()), kMetadataBytesMax);
}

std::string PageLabel(PDFDoc* document, int page) {
  GooString label;
  if (!document->getCatalog()->indexToLabel(page - 1, &label)) return "";
  return Cut(internal::DecodePdfString(label.toStr()), kLabelBytesMax);
}

// Why a page was left early.
struct StopState {
  const CallContext* context;
  Clock::time_point page_end;
  Clock::time_point document_end;
  bool stopped = false;

  bool Check() {
    if (!stopped) {
      const Clock::time_point now = Clock::now();
      stopped = now > page_end || now > document_end || !context->Check().ok();
    }
    return stopped;
  }
};

bool ShouldStop(void* state) { return static_cast<StopState*>(state)->Check(); }

class DocumentReader {
 public:
  DocumentReader(PDFDoc* document, const ParseLimits& limits, const CallContext& context)
      : document_(document),
        limits_(limits),
        stop_{&context, {}, Clock::now() + std::chrono::milliseconds(limits.document_time_ms_max)} {
  }

  Status Open(DocumentFacts* facts) {
    const int pages = document_->getNumPages();
    if (pages <= 0) {
      return Refused(Reason::kPdfNoPages, "the PDF has no pages");
    }
    if (static_cast<uint32_t>(pages) > limits_.pages_max) {
      return ResourceExhausted(Reason::kTooManyPages, "the PDF has " + std::to_string(pages) +
                                                          " pages, the limit is " +
                                                          std::to_string(limits_.pages_max) +
                                                          "; split it or raise the limit");
    }
    facts->pages = static_cast<uint32_t>(pages);
    facts->title = InfoString(document_, "Title");
    facts->author = InfoString(document_, "Author");
    return OkStatus();
  }

  Status ReadPage(uint32_t number, Page* page) {
    const auto page_time = std::chrono::milliseconds(limits_.page_time_ms_max);
    page->number = number;
    stop_.page_end = Clock::now() + page_time;
    const int n = static_cast<int>(number);
    if (document_->getPage(n) == nullptr) {
      page->warning = "the page's object is damaged; its text is missing";
      return OkStatus();
    }
    page->label = PageLabel(document_, n);
    PageText text = ReadPageText(document_, n, {ShouldStop, &stop_, limits_.page_text_bytes_max});
    RETURN_IF_ERROR(stop_.context->Check());
    const Clock::time_point now = Clock::now();
    if (now > stop_.document_end) {
      return ResourceExhausted(Reason::kTimeLimit,
                               "the PDF took longer than " +
                                   std::to_string(limits_.document_time_ms_max) + " ms, at page " +
                                   std::to_string(number));
    }
    if (stop_.stopped) {
      stop_.stopped = false;
      page->warning = "the page took longer than " + std::to_string(limits_.page_time_ms_max) +
                      " ms; the rest of its text is missing";
    }
    page->images = text.images;
    if (text.cut) page->warning = "the page has too many characters; the rest is missing";
    if (!internal::LayOutPage(text.raw, limits_.page_text_bytes_max, page)) {
      page->warning = "the page has more text than " + std::to_string(limits_.page_text_bytes_max) +
                      " bytes; the rest is missing";
    }
    return OkStatus();
  }

 private:
  PDFDoc* document_;
  const ParseLimits& limits_;
  StopState stop_;
};

Status CheckHead(std::string_view bytes) {
  if (bytes.empty()) return Refused(Reason::kEmptyFile, "the file is empty");
  if (bytes.substr(0, 1024).find("%PDF-") == std::string_view::npos) {
    return Refused(Reason::kNotPdf,
                   "the file is not a PDF: no \"%PDF-\" within its first 1024 bytes");
  }
  return OkStatus();
}

Status ParseChecked(std::string_view bytes, const ParseLimits& limits, const PageSink& sink,
                    const CallContext& context, const PopplerParser::PageHook& hook) {
  std::optional<GooString> password;
  if (!limits.password.empty()) password.emplace(limits.password);
  auto* stream =
      new MemStream(bytes.data(), 0, static_cast<Goffset>(bytes.size()), Object(objNull));
  PDFDoc document(stream, password, password);  // takes the stream
  if (!document.isOk()) return OpenError(document.getErrorCode(), !limits.password.empty());
  DocumentReader reader(&document, limits, context);
  DocumentFacts facts;
  RETURN_IF_ERROR(reader.Open(&facts));
  RETURN_IF_ERROR(sink.opened(facts));
  for (uint32_t number = 1; number <= facts.pages; ++number) {
    RETURN_IF_ERROR(context.Check());
    if (hook) hook(number);
    Page page;
    RETURN_IF_ERROR(reader.ReadPage(number, &page));
    RETURN_IF_ERROR(sink.page(std::move(page)));
  }
  return OkStatus();
}

}  // namespace

PopplerParser::PopplerParser() { InitPoppler(); }
PopplerParser::PopplerParser(PageHook page_hook) : page_hook_(std::move(page_hook)) {
  InitPoppler();
}

Status PopplerParser::Parse(std::string_view bytes, const ParseLimits& limits, const PageSink& sink,
                            const CallContext& context) {
  RETURN_IF_ERROR(CheckHead(bytes));
  try {
    return ParseChecked(bytes, limits, sink, context, page_hook_);
  } catch (const std::bad_alloc&) {
    return ResourceExhausted(Reason::kMemoryLimit,
                             "the PDF needs more memory than the PDF worker may use");
  } catch (const std::exception& e) {
    return Refused(Reason::kPdfDamaged, std::string("the PDF could not be read: ") + e.what());
  }
}

}  // namespace ragstone::ingest
