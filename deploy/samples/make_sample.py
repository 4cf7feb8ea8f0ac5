#!/usr/bin/env python3
"""Writes tern40-manual.pdf, the sample document, from manual_text.py.

The manual describes a product that does not exist. Run it after a change of the text:
  deploy/samples/make_sample.py
"""

import pathlib

import manual_text
from pdf_writer import PAGE_HEIGHT, PAGE_WIDTH, Document, text_width, wrap

LEFT, RIGHT, TOP, BOTTOM = 62.0, 533.0, 762.0, 74.0
GUTTER = 22.0
BODY, LEADING = 10.0, 14.2
HEADINGS = {1: (17, 30, 10), 2: (12.5, 20, 6), 3: (10.5, 15, 4)}  # size, space above, below


class Layout:
    """Puts blocks of text below each other, on as many pages as they need."""

    def __init__(self, document):
        self.document = document
        self.y = TOP
        self.columns = [(LEFT, RIGHT)]
        self.column = 0
        self.column_top = TOP
        self.headings = []  # (level, text, page index)
        self.labels_from = 0  # index of the page that is labelled "1"

    @property
    def page(self):
        return self.document.pages[-1]

    @property
    def left(self):
        return self.columns[self.column][0]

    @property
    def width(self):
        return self.columns[self.column][1] - self.left

    def new_page(self):
        self.document.add_page()
        self.columns, self.column = [(LEFT, RIGHT)], 0
        self.y = self.column_top = TOP

    def two_columns(self):
        middle = (LEFT + RIGHT) / 2
        self.columns = [(LEFT, middle - GUTTER / 2), (middle + GUTTER / 2, RIGHT)]
        self.column, self.column_top = 0, self.y

    def next_column(self):
        self.column += 1
        self.y = self.column_top

    def need(self, height):
        """Goes to the next column or page unless `height` points are left here."""
        if self.y - height >= BOTTOM:
            return
        if self.column + 1 < len(self.columns):
            self.next_column()
        else:
            self.new_page()

    def lines(self, lines, font="regular", size=BODY, leading=LEADING, indent=0.0):
        for line in lines:
            self.need(leading)
            self.y -= leading
            self.page.text(self.left + indent, self.y, line, font, size)

    def heading(self, level, text):
        size, above, below = HEADINGS[level]
        if level == 1 and self.y < TOP - 1:
            self.new_page()
        self.need(above + size + below + 2 * LEADING)
        self.y -= above if self.y < TOP - 1 else 6
        self.lines(wrap(text, "bold", size, self.width), "bold", size, size * 1.2)
        self.y -= below
        self.headings.append((level, text, len(self.document.pages) - 1))
        self.document.bookmarks.append((level, text, len(self.document.pages) - 1, self.y + 40))

    def paragraph(self, text):
        lines = wrap(text, "regular", BODY, self.width)
        self.need(min(len(lines), 2) * LEADING)
        self.lines(lines)
        self.y -= 6

    def bullets(self, items, numbered=False):
        for number, item in enumerate(items, 1):
            lines = wrap(item, "regular", BODY, self.width - 18)
            self.need(min(len(lines), 2) * LEADING)
            self.page.text(self.left + 3, self.y - LEADING, f"{number}." if numbered else "•")
            self.lines(lines, indent=18)
            self.y -= 2
        self.y -= 5

    def warning(self, text):
        lines = wrap(text, "regular", BODY, self.width - 80)
        height = len(lines) * LEADING + 10
        self.need(height + 6)
        self.page.shade(self.left, self.y - height, self.width, height, 0.9)
        self.page.text(self.left + 8, self.y - LEADING - 1, "WARNING", "bold")
        self.y -= 1
        self.lines(lines, indent=72)
        self.y -= 17

    def table(self, title, shares, rows):
        """A table: the first row is the header; `shares` are the columns' parts of the width."""
        total = sum(shares)
        widths = [self.width * share / total for share in shares]
        cells = [[wrap(cell, "bold" if not at else "regular", 9, width - 8)
                  for cell, width in zip(row, widths)] for at, row in enumerate(rows)]
        heights = [max(len(cell) for cell in row) * 12.0 + 5 for row in cells]
        self.need(20 + sum(heights[:3]))
        self.lines([title], "italic", 9, 16)
        self.y -= 4
        for at, (row, height) in enumerate(zip(cells, heights)):
            self.need(height)
            if at == 0:
                self.page.shade(self.left, self.y - height, self.width, height, 0.85)
            x = self.left
            for cell, width in zip(row, widths):
                for number, line in enumerate(cell):
                    self.page.text(x + 4, self.y - 11 - 12 * number, line,
                                   "bold" if not at else "regular", 9)
                x += width
            self.page.line(self.left, self.y - height, self.left + self.width, self.y - height,
                           0.8 if at == 0 else 0.3)
            self.y -= height
        self.y -= 12


def roman(number):
    return ("i", "ii", "iii", "iv", "v")[number - 1]


def title_page(layout):
    layout.new_page()
    page = layout.page
    page.shade(0, PAGE_HEIGHT - 250, PAGE_WIDTH, 250, 0.88)
    page.text(LEFT, PAGE_HEIGHT - 130, manual_text.PRODUCT, "bold", 30)
    page.text(LEFT, PAGE_HEIGHT - 160, manual_text.SUBJECT, "regular", 15)
    page.text(LEFT, PAGE_HEIGHT - 215, "Operation and Maintenance Manual", "bold", 18)
    for number, line in enumerate(manual_text.TITLE_LINES):
        page.text(LEFT, 200 - 16 * number, line, "regular", 11)


def contents_page(layout, headings, first):
    page = layout.document.pages[1]
    y = TOP - 14
    page.text(LEFT, y, "Contents", "bold", 17)
    y -= 22
    for level, text, index in headings:
        if level > 2 or index < first:
            continue
        size, font, indent = (10.5, "bold", 0) if level == 1 else (9.5, "regular", 16)
        y -= 19 if level == 1 else 12.6
        number = str(index - first + 1)
        page.text(LEFT + indent, y, text, font, size)
        end = RIGHT - text_width(number, font, size)
        dot = LEFT + indent + text_width(text, font, size) + 6
        dots = int((end - 6 - dot) / text_width(".", "regular", size) / 2)
        page.text(dot, y, " ".join("." * dots), "regular", size)
        page.text(end, y, number, font, size)


def running_lines(document, first):
    for index, page in enumerate(document.pages):
        if index == 0:
            continue
        label = roman(index + 1) if index < first else str(index - first + 1)
        page.text(LEFT, 797, manual_text.RUNNING_TITLE, "italic", 8.5)
        page.line(LEFT, 790, RIGHT, 790, 0.4)
        page.text(LEFT, 44, manual_text.REVISION, "regular", 8.5)
        page.text(RIGHT - text_width(label, "regular", 8.5), 44, label, "regular", 8.5)


def make(path):
    document = Document(f"{manual_text.PRODUCT}: Operation and Maintenance Manual",
                        manual_text.COMPANY)
    layout = Layout(document)
    title_page(layout)
    layout.new_page()  # the contents, drawn when the pages of the headings are known
    layout.new_page()
    for kind, *arguments in manual_text.FRONT:
        getattr(layout, kind)(*arguments)
    first = len(document.pages)
    layout.new_page()
    for kind, *arguments in manual_text.CHAPTERS:
        getattr(layout, kind)(*arguments)
    contents_page(layout, layout.headings, first)
    running_lines(document, first)
    document.labels = [(0, "r"), (first, "D")]
    document.save(path)


if __name__ == "__main__":
    make(pathlib.Path(__file__).resolve().parent / "tern40-manual.pdf")
