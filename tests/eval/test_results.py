"""Tests of results.py, compare.py and datasets.py without any server or data."""

import pathlib
import tempfile
import unittest

import compare
import datasets
import results


class ResultsTest(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.addCleanup(self._folder.cleanup)
        self.folder = pathlib.Path(self._folder.name)

    def test_a_second_run_finds_what_the_first_kept(self):
        first = results.Results(self.folder, "x", {"mode": "hybrid"})
        first.put("a", "g", {"hit": 1.0}, note="é")
        second = results.Results(self.folder, "x", {"mode": "hybrid"})
        self.assertEqual(second.get("a")["scores"], {"hit": 1.0})
        self.assertEqual(second.get("a")["note"], "é")
        self.assertIsNone(second.get("b"))

    def test_other_settings_have_another_file(self):
        results.Results(self.folder, "x", {"mode": "hybrid"}).put("a", "g", {"hit": 1.0})
        self.assertIsNone(results.Results(self.folder, "x", {"mode": "vector"}).get("a"))

    def test_a_line_cut_off_by_a_crash_is_measured_again(self):
        first = results.Results(self.folder, "x", {})
        first.put("a", "g", {"hit": 1.0})
        with open(first.path, "a", encoding="utf-8") as file:
            file.write('{"id": "b", "group"')
        second = results.Results(self.folder, "x", {})
        self.assertIsNone(second.get("b"))
        second.put("b", "g", {"hit": 0.0})
        settings, items = results.read(second.path)
        self.assertEqual(settings, {"suite": "x"})
        self.assertEqual(sorted(items), ["a", "b"])

    def test_summary_gives_mean_and_count_for_each_group(self):
        items = [{"id": "1", "group": "g", "scores": {"hit": 1.0}},
                 {"id": "2", "group": "g", "scores": {"hit": 0.0, "f1": 0.5}},
                 {"id": "3", "group": "h", "scores": {"hit": None}}]
        rows = {(row[0], row[1]): (row[2], row[5]) for row in results.summary(items)}
        self.assertEqual(rows, {("g", "hit"): (0.5, 2), ("g", "f1"): (0.5, 1)})

    def test_summary_does_not_depend_on_the_order_of_items(self):
        items = [{"id": str(i), "group": "g", "scores": {"hit": i % 3}} for i in range(30)]
        self.assertEqual(results.summary(items), results.summary(items[::-1]))

    def test_table_aligns_its_columns(self):
        self.assertEqual(results.table(["a", "bc"], [("xyz", 1)]),
                         "| a   | bc |\n|-----|----|\n| xyz | 1  |")


class CompareTest(unittest.TestCase):
    def test_only_items_of_both_files_are_compared(self):
        before = {"1": {"id": "1", "group": "g", "scores": {"hit": 0.0}},
                  "2": {"id": "2", "group": "g", "scores": {"hit": 1.0}}}
        after = {"1": {"id": "1", "group": "g", "scores": {"hit": 1.0}},
                 "3": {"id": "3", "group": "g", "scores": {"hit": 1.0}}}
        (row,) = compare.compare(before, after)
        self.assertEqual(row[:5], ("g", "hit", 0.0, 1.0, 1.0))
        self.assertEqual(row[-1], 1)


class Bm25Test(unittest.TestCase):
    def test_rare_words_count_more_than_frequent_ones(self):
        index = datasets.Bm25({"a": "the pump", "b": "the boiler", "c": "the the garden"})
        self.assertEqual(index.search("the boiler")[0], "b")

    def test_nothing_is_found_for_unknown_words(self):
        self.assertEqual(datasets.Bm25({"a": "pump"}).search("boiler"), [])


class QuestionsTest(unittest.TestCase):
    def test_own_questions_are_complete(self):
        questions = datasets.own_pdf_questions("/nowhere")
        self.assertEqual(len(questions), 30)
        self.assertEqual(len({q["id"] for q in questions}), 30)
        self.assertEqual(len({q["file"] for q in questions}), 10)
        for question in questions:
            self.assertEqual(question["answerable"], bool(question["answers"]), question["id"])
            self.assertEqual(question["answerable"], bool(question["pages"]), question["id"])


if __name__ == "__main__":
    unittest.main()
