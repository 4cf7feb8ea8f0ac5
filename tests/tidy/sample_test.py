#!/usr/bin/env python3
"""The sample of deploy/samples: the committed PDF is what its script makes, and the answers of
tests/integration/data/sample_questions.json stand on the pages that are named."""

import json
import pathlib
import re
import sys
import tempfile
import unittest
import zlib

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "deploy" / "samples"
sys.path.insert(0, str(SAMPLES))

import make_sample  # noqa: E402


def streams(raw):
    return [zlib.decompress(stream) for stream in
            re.findall(rb"stream\n(.*?)\nendstream", raw, re.S)]


def page_text(stream):
    lines = re.findall(rb"Tm \(((?:\\.|[^\\)])*)\) Tj", stream)
    return " ".join(re.sub(rb"\\(.)", rb"\1", line).decode("cp1252") for line in lines)


class SampleTest(unittest.TestCase):
    def setUp(self):
        self.raw = (SAMPLES / "tern40-manual.pdf").read_bytes()
        with open(ROOT / "tests/integration/data/sample_questions.json", encoding="utf-8") as file:
            self.questions = json.load(file)["questions"]

    def test_the_committed_pdf_is_what_the_script_makes(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "made.pdf"
            make_sample.make(path)
            made = path.read_bytes()
        # Compressed bytes may differ between versions of zlib; their content may not.
        self.assertEqual(streams(made), streams(self.raw))

    def test_answers_stand_on_their_pages(self):
        pages = [page_text(stream) for stream in streams(self.raw)]
        self.assertEqual(len(pages), 14)
        answered = [question for question in self.questions if question["answer"] is not None]
        self.assertEqual((len(answered), len(self.questions)), (8, 12))
        for question in answered:
            self.assertIn(question["answer"].lower(), pages[question["page"] - 1].lower())
            self.assertTrue(pages[question["page"] - 1].endswith(" " + question["label"]))


if __name__ == "__main__":
    unittest.main()
