"""A small PDF writer: pages of text in Helvetica, lines, page labels, bookmarks.

Standard library only. Text is WinAnsi-encoded and uses the fonts that every PDF reader has, so the
file needs no font of its own.
"""

import zlib

PAGE_WIDTH, PAGE_HEIGHT = 595.28, 841.89  # A4 in points

# Widths of the characters 32 to 126, in thousandths of the font size (Adobe's font metrics).
_REGULAR = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556,
    556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667,
    611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667,
    667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500,
    222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584]
_BOLD = [
    278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556,
    556, 556, 556, 556, 556, 556, 556, 333, 333, 584, 584, 584, 611, 975, 722, 722, 722, 722, 667,
    611, 778, 722, 278, 556, 722, 611, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667,
    667, 611, 333, 278, 333, 584, 556, 333, 556, 611, 556, 611, 556, 333, 611, 611, 278, 278, 556,
    278, 889, 611, 611, 611, 611, 389, 556, 333, 611, 556, 778, 556, 556, 500, 389, 280, 389, 584]
_OTHERS = {"°": 400, "•": 350, "–": 556, "±": 584, "×": 584, "µ": 556, "²": 333, "³": 333,
           "’": 222, "“": 333, "”": 333, "é": 556, "ø": 611, "©": 737, "·": 278}

FONTS = {"regular": ("F1", "Helvetica", _REGULAR), "bold": ("F2", "Helvetica-Bold", _BOLD),
         "italic": ("F3", "Helvetica-Oblique", _REGULAR)}


def text_width(text, font, size):
    """Width of the text in points."""
    widths = FONTS[font][2]
    total = 0
    for char in text:
        code = ord(char)
        total += widths[code - 32] if 32 <= code <= 126 else _OTHERS[char]
    return total * size / 1000


def wrap(text, font, size, width):
    """Lines of at most `width` points, broken at spaces."""
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if line and text_width(longer, font, size) > width:
            lines.append(line)
            line = word
        else:
            line = longer
    if line:
        lines.append(line)
    return lines


def _literal(text):
    raw = text.encode("cp1252")
    for char in (b"\\", b"(", b")"):
        raw = raw.replace(char, b"\\" + char)
    return b"(" + raw + b")"


class Page:
    """Drawing operations of one page; the origin is at the lower left."""

    def __init__(self):
        self._operations = []

    def text(self, x, y, text, font="regular", size=10):
        name = FONTS[font][0]
        self._operations.append(b"BT /%s %.1f Tf 1 0 0 1 %.2f %.2f Tm " % (
            name.encode(), size, x, y) + _literal(text) + b" Tj ET")

    def line(self, x0, y0, x1, y1, width=0.6):
        self._operations.append(b"%.2f w %.2f %.2f m %.2f %.2f l S" % (width, x0, y0, x1, y1))

    def shade(self, x, y, width, height, grey):
        self._operations.append(
            b"%.2f g %.2f %.2f %.2f %.2f re f 0 g" % (grey, x, y, width, height))

    def content(self):
        return b"\n".join(self._operations)


class Document:
    """Pages, bookmarks and page labels, written by `save`."""

    def __init__(self, title, author):
        self.title, self.author = title, author
        self.pages = []
        self.bookmarks = []  # (level, title, page index, y), in order
        self.labels = []  # (first page index, style such as "r" or "D")

    def add_page(self):
        self.pages.append(Page())
        return self.pages[-1]

    def save(self, path):
        objects = [b""] * (2 + len(FONTS) + 2 * len(self.pages))

        def add(body):
            objects.append(body)
            return len(objects)

        first_page = 3 + len(FONTS)
        for number, (_, base, _) in enumerate(FONTS.values()):
            objects[2 + number] = (b"<< /Type /Font /Subtype /Type1 /BaseFont /%s "
                                   b"/Encoding /WinAnsiEncoding >>" % base.encode())
        fonts = b" ".join(b"/%s %d 0 R" % (font[0].encode(), 3 + number)
                          for number, font in enumerate(FONTS.values()))
        for index, page in enumerate(self.pages):
            at = first_page + 2 * index
            stream = zlib.compress(page.content(), 9)
            objects[at - 1] = (
                b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %.2f %.2f] /Contents %d 0 R "
                b"/Resources << /Font << %s >> >> >>" % (PAGE_WIDTH, PAGE_HEIGHT, at + 1, fonts))
            objects[at] = (b"<< /Length %d /Filter /FlateDecode >>\nstream\n" % len(stream) +
                           stream + b"\nendstream")
        kids = b" ".join(b"%d 0 R" % (first_page + 2 * i) for i in range(len(self.pages)))
        objects[1] = b"<< /Type /Pages /Count %d /Kids [%s] >>" % (len(self.pages), kids)
        labels = b" ".join(b"%d << /S /%s >>" % (first, style.encode())
                           for first, style in self.labels)
        outlines = self._add_outlines(add, objects, first_page)
        objects[0] = (b"<< /Type /Catalog /Pages 2 0 R /PageLabels << /Nums [%s] >> "
                      b"/Outlines %d 0 R /Lang (en) >>" % (labels, outlines))
        info = add(b"<< /Title %s /Author %s >>" % (_literal(self.title), _literal(self.author)))
        with open(path, "wb") as file:
            file.write(_serialise(objects, info))

    def _add_outlines(self, add, objects, first_page):
        root = add(b"")
        nodes = []  # [object number, level, parent, children]
        stack = []
        for level, title, index, y in self.bookmarks:
            while stack and stack[-1][1] >= level:
                stack.pop()
            node = [add(b""), level, stack[-1] if stack else None, [], (title, index, y)]
            (stack[-1][3] if stack else nodes).append(node)
            stack.append(node)

        def write(siblings, parent):
            for position, (number, _, _, children, (title, index, y)) in enumerate(siblings):
                body = b"<< /Title %s /Parent %d 0 R /Dest [%d 0 R /XYZ 0 %.1f 0]" % (
                    _literal(title), parent, first_page + 2 * index, y)
                if position > 0:
                    body += b" /Prev %d 0 R" % siblings[position - 1][0]
                if position + 1 < len(siblings):
                    body += b" /Next %d 0 R" % siblings[position + 1][0]
                if children:
                    body += b" /First %d 0 R /Last %d 0 R /Count %d" % (
                        children[0][0], children[-1][0], len(children))
                objects[number - 1] = body + b" >>"
                write(children, number)

        write(nodes, root)
        objects[root - 1] = b"<< /Type /Outlines /First %d 0 R /Last %d 0 R /Count %d >>" % (
            nodes[0][0], nodes[-1][0], len(nodes))
        return root


def _serialise(objects, info):
    out = bytearray(b"%PDF-1.5\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for offset in offsets:
        out += b"%010d 00000 n \n" % offset
    out += b"trailer\n<< /Size %d /Root 1 0 R /Info %d 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1, info, start)
    return bytes(out)
