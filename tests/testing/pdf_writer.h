#pragma once

#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace ragstone::testing {

// Writes small PDF files for tests: text at positions in three fonts, rotated pages, crop boxes,
// page labels, an image. Positions are points from the top left of the media box, y down, as Page
// has them.
class PdfWriter {
 public:
  enum class Font { kRegular, kBold, kMapped };

  struct Text {
    double x = 72, y = 72;  // left end of the baseline
    std::string text;       // WinAnsi bytes; of kMapped the bytes given to MapByte
    double size = 11;
    Font font = Font::kRegular;
    int quarter_turns = 0;  // anticlockwise
    double degrees = 0;     // anticlockwise, on top of the quarter turns
  };

  struct PageOptions {
    double width = 612, height = 792;
    int rotate = 0;            // /Rotate, clockwise
    std::vector<double> crop;  // x0 y0 x1 y1 from the bottom left; empty for none
    bool image = false;        // draws a 1x1 image over the page
  };

  void AddPage() { AddPage(PageOptions()); }
  void AddPage(const PageOptions& options) { pages_.push_back({options, ""}); }

  void Add(const Text& text) {
    Page& page = pages_.back();
    const double turn = (90.0 * text.quarter_turns + text.degrees) * 3.14159265358979 / 180;
    char head[256];
    std::snprintf(head, sizeof(head), "BT /F%d %.2f Tf %.6f %.6f %.6f %.6f %.2f %.2f Tm (",
                  static_cast<int>(text.font), text.size, Cosine(turn), Sine(turn), -Sine(turn),
                  Cosine(turn), text.x, page.options.height - text.y);
    page.content += head;
    for (const char c : text.text) {
      if (c == '(' || c == ')' || c == '\\') page.content += '\\';
      page.content += c;
    }
    page.content += ") Tj ET\n";
  }

  void Add(double x, double y, std::string_view text) {
    Text t;
    t.x = x;
    t.y = y;
    t.text = text;
    Add(t);
  }

  // Adds lines one below the other, `leading` apart. Returns the baseline after the last.
  double AddLines(double x, double y, const std::vector<std::string>& lines, double leading = 13) {
    for (const std::string& line : lines) {
      Add(x, y, line);
      y += leading;
    }
    return y;
  }

  // Adds operators to the page's content as they are.
  void AddRaw(std::string_view operators) { pages_.back().content.append(operators); }

  // Shows a form that shows the next form `times` times, and so on over `levels`: a page that ends
  // in no time a reader would wait for.
  void AddNestedForms(int levels, int times) {
    nested_levels_ = levels;
    nested_times_ = times;
    AddRaw("/N0 Do\n");
  }

  // Makes a byte of the mapped font mean these code points (UTF-16 in hex, such as "FB01").
  void MapByte(unsigned char byte, std::string_view utf16_hex) { mapped_[byte] = utf16_hex; }

  // Labels the first pages i, ii, iii ... and the rest 1, 2, 3 ...
  void LabelRoman(int pages) { roman_pages_ = pages; }
  void SetInfo(std::string_view title, std::string_view author) {
    title_ = title;
    author_ = author;
  }

  std::string Finish() const {
    std::vector<std::string> objects;
    const auto add = [&](std::string body) {
      objects.push_back(std::move(body));
      return objects.size();
    };
    const int page_first = 8;
    std::string kids;
    for (size_t i = 0; i < pages_.size(); ++i) kids += Number(page_first + 2 * i) + " 0 R ";
    add("<< /Type /Catalog /Pages 2 0 R" + Labels() + " >>");
    add("<< /Type /Pages /Kids [" + kids + "] /Count " + Number(pages_.size()) + " >>");
    add(FontObject("Helvetica", ""));
    add(FontObject("Helvetica-Bold", ""));
    add(FontObject("Helvetica", " /ToUnicode 6 0 R"));
    add(Stream("", ToUnicode()));
    add("<< /Title (" + title_ + ") /Author (" + author_ + ") >>");
    for (size_t i = 0; i < pages_.size(); ++i) {
      add(PageObject(pages_[i].options, page_first + 2 * i + 1));
      const char* image = pages_[i].options.image ? "q 600 0 0 700 0 0 cm /Im Do Q\n" : "";
      add(Stream("", image + pages_[i].content));
    }
    add(
        Stream("/Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray "
               "/BitsPerComponent 8 ",
               "x"));
    const size_t form_first = objects.size() + 1;
    for (int level = 0; level < nested_levels_; ++level) {
      const std::string next = "/N" + std::to_string(level + 1);
      std::string content;
      for (int i = 0; i < nested_times_ && level + 1 < nested_levels_; ++i)
        content += next + " Do ";
      add(Stream("/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << " + next +
                     " " + Number(form_first + static_cast<size_t>(level) + 1) + " 0 R >> >> ",
                 content));
    }
    return Assemble(objects);
  }

 private:
  struct Page {
    PageOptions options;
    std::string content;
  };

  static std::string Number(size_t n) { return std::to_string(n); }
  static double Sine(double x) { return x == 0 ? 0 : __builtin_sin(x); }
  static double Cosine(double x) { return x == 0 ? 1 : __builtin_cos(x); }

  static std::string FontObject(const std::string& name, const std::string& more) {
    return "<< /Type /Font /Subtype /Type1 /BaseFont /" + name + " /Encoding /WinAnsiEncoding" +
           more + " >>";
  }

  static std::string Stream(const std::string& keys, const std::string& data) {
    return "<< " + keys + "/Length " + Number(data.size()) + " >>\nstream\n" + data + "\nendstream";
  }

  std::string Labels() const {
    if (roman_pages_ == 0) return "";
    return " /PageLabels << /Nums [0 << /S /r >> " + Number(static_cast<size_t>(roman_pages_)) +
           " << /S /D >>] >>";
  }

  std::string PageObject(const PageOptions& options, size_t content) const {
    char box[128];
    std::snprintf(box, sizeof(box), "/MediaBox [0 0 %.2f %.2f] /Rotate %d ", options.width,
                  options.height, options.rotate);
    std::string crop;
    if (options.crop.size() == 4) {
      char text[128];
      std::snprintf(text, sizeof(text), "/CropBox [%.2f %.2f %.2f %.2f] ", options.crop[0],
                    options.crop[1], options.crop[2], options.crop[3]);
      crop = text;
    }
    const size_t image = 8 + 2 * pages_.size();
    std::string objects = " /XObject << ";
    if (options.image) objects += "/Im " + Number(image) + " 0 R ";
    if (nested_levels_ > 0) objects += "/N0 " + Number(image + 1) + " 0 R ";
    objects += ">>";
    return "<< /Type /Page /Parent 2 0 R " + std::string(box) + crop +
           "/Resources << /Font << /F0 3 0 R /F1 4 0 R /F2 5 0 R >>" + objects + " >> /Contents " +
           Number(content) + " 0 R >>";
  }

  std::string ToUnicode() const {
    std::string map =
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n"
        "/CMapName /Test def 1 begincodespacerange <00> <FF> endcodespacerange\n";
    for (const auto& [byte, text] : mapped_) {
      char code[16];
      std::snprintf(code, sizeof(code), "<%02X>", byte);
      map += "1 beginbfchar " + std::string(code) + " <" + text + "> endbfchar\n";
    }
    return map + "endcmap end end";
  }

  static std::string Assemble(const std::vector<std::string>& objects) {
    std::string pdf = "%PDF-1.7\n";
    std::string table = "xref\n0 " + Number(objects.size() + 1) + "\n0000000000 65535 f \n";
    for (size_t i = 0; i < objects.size(); ++i) {
      char entry[32];
      std::snprintf(entry, sizeof(entry), "%010zu 00000 n \n", pdf.size());
      table += entry;
      pdf += Number(i + 1) + " 0 obj\n" + objects[i] + "\nendobj\n";
    }
    const size_t start = pdf.size();
    return pdf + table + "trailer\n<< /Size " + Number(objects.size() + 1) +
           " /Root 1 0 R /Info 7 0 R >>\nstartxref\n" + Number(start) + "\n%%EOF\n";
  }

  std::vector<Page> pages_;
  std::map<unsigned char, std::string> mapped_;
  int roman_pages_ = 0;
  int nested_levels_ = 0, nested_times_ = 0;
  std::string title_, author_;
};

}  // namespace ragstone::testing
