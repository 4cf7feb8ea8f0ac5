#!/usr/bin/env python3
"""The example client of deploy/python against the real server: the same passages as from the
command line with and without a server, answers with citations, refusal without the token.

With models it covers model_main.cc and model_import_service.cc, which import and serve them.
Runs on fakes, or on the models in $RAGSTONE_CLIENT_MODELS. The client's virtual environment is
$RAGSTONE_VENV; without it the test is skipped.
"""

import os
import pathlib
import subprocess
import sys
import unittest

import harness

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "deploy" / "python" / "example.py"
SAMPLE = ROOT / "deploy" / "samples" / "tern40-manual.pdf"
PYTHON = pathlib.Path(os.environ.get("RAGSTONE_VENV", ROOT / "build" / "venv")) / "bin" / "python"
MODELS = os.environ.get("RAGSTONE_CLIENT_MODELS", "")
MODEL_NAMES = ("all-MiniLM-L6-v2", "SmolLM2-135M-Instruct.gguf")
QUERY = "interval of the oil change"
QUESTION = "At what pressure does the relief valve open?"
ANSWER, ANSWER_PAGE = "65 bar", 5
SKIPPED = 77  # ctest's SKIP_RETURN_CODE
TIMEOUT_S = 600


class Home(harness.Home):
    """A home with the models of $RAGSTONE_CLIENT_MODELS, if that is set."""

    def import_fakes(self):
        if not MODELS:
            super().import_fakes()
            return
        del self.env["RAGSTONE_CPU_TIER"], self.env["RAGSTONE_WORKERS_DIR"]
        for name in MODEL_NAMES:
            done = self.run("model", "import", pathlib.Path(MODELS) / name, "--json",
                            timeout=TIMEOUT_S)
            assert done.code == 0, f"import of {name}: {done}"


def passages_of(hits):
    """What must be the same on every way: document, page, chunk and text, in order."""
    return [(hit["document"], hit["page"], hit["chunk"], hit["text"]) for hit in hits]


class PythonClientTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.home = Home()
        cls.addClassCleanup(cls.home.close)
        cls.server = harness.Server(cls.home)
        cls.addClassCleanup(lambda: cls.server.stop())
        cls.added = cls.client("--add", SAMPLE)["document"]

    @classmethod
    def client(cls, *arguments, status=0, data_dir=None):
        done = harness.Outcome(subprocess.run(
            [str(PYTHON), str(EXAMPLE), "--address", cls.server.ready["grpc"], "--data-dir",
             str(data_dir or cls.home.data), *map(str, arguments)],
            env={**cls.home.env, "PYTHONDONTWRITEBYTECODE": "1"}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=TIMEOUT_S, check=False))
        assert done.code == status, f"client {arguments}: {done}"
        return done.json

    def ragstone(self, *arguments):
        done = self.home.run(*arguments, "--json", timeout=TIMEOUT_S)
        self.assertIn(done.code, (0, 3), str(done))
        return done.json

    def test_a_document_added_by_streamed_bytes_is_listed(self):
        self.assertEqual((self.added["pages"], self.added["unchanged"]), (14, False))
        listed = self.ragstone("document", "list")["documents"]
        self.assertEqual([(d["id"], d["pages"], d["chunks"]) for d in listed],
                         [(self.added["id"], 14, self.added["chunks"])])

    def test_adding_the_same_bytes_again_changes_nothing(self):
        again = self.client("--add", SAMPLE)["document"]
        self.assertEqual((again["id"], again["unchanged"]), (self.added["id"], True))

    def test_passages_are_the_same_from_client_and_command_line_with_and_without_server(self):
        modes = ("hybrid", "vector", "keyword")
        line = {mode: ("search", "--top-k", "7", "--mode", mode, QUERY) for mode in modes}
        by_client = {mode: passages_of(self.client(
            "--search", QUERY, "--top-k", 7, "--mode", mode)["hits"]) for mode in modes}
        served = {mode: passages_of(self.ragstone(*line[mode])["hits"]) for mode in modes}
        type(self).server.stop()
        try:
            alone = {mode: passages_of(self.ragstone(*line[mode])["hits"]) for mode in modes}
        finally:
            type(self).server = harness.Server(self.home)
        for mode in modes:
            self.assertGreater(len(by_client[mode]), 0, mode)
        self.assertEqual(by_client, served)
        self.assertEqual(by_client, alone)

    def test_an_answer_is_the_same_as_on_the_command_line(self):
        answer = self.client("--ask", QUESTION)["answer"]
        line = self.ragstone("ask", QUESTION)
        for key in ("answer", "short_answer", "answered", "citations", "model"):
            self.assertEqual(answer[key], line[key], key)
        self.assertGreater(len(answer["evidence"]), 0)
        self.assertEqual(passages_of(answer["evidence"]), passages_of(line["evidence"]))

    @unittest.skipUnless(MODELS, "only a real model finds answers")
    def test_an_answer_is_right_and_cites_its_page(self):
        answer = self.client("--ask", QUESTION)["answer"]
        self.assertTrue(answer["answered"], answer)
        self.assertIn(ANSWER, answer["answer"])
        self.assertIn(ANSWER_PAGE, [citation["page"] for citation in answer["citations"]])

    def test_calls_without_or_with_a_wrong_token_are_refused(self):
        refused = self.client("--search", QUERY, "--no-token", status=1)["error"]
        self.assertEqual((refused["code"], refused["reason"]), ("UNAUTHENTICATED", "TOKEN_MISSING"))
        wrong = self.home.write("wrong/token", "0" * 64).parent
        refused = self.client("--search", QUERY, status=1, data_dir=wrong)["error"]
        self.assertEqual((refused["code"], refused["reason"]), ("UNAUTHENTICATED", "TOKEN_INVALID"))

    def test_errors_carry_code_reason_and_message(self):
        error = self.client("--search", QUERY, "--collection", "nowhere", status=1)["error"]
        self.assertEqual((error["code"], error["reason"]), ("NOT_FOUND", "COLLECTION_NOT_FOUND"))
        self.assertIn("nowhere", error["message"])


if __name__ == "__main__":
    for needed in [PYTHON] + [pathlib.Path(MODELS) / name for name in MODEL_NAMES if MODELS]:
        if not needed.exists():
            print(f"skipped: {needed} is missing; deploy/prepare --tests makes it")
            sys.exit(SKIPPED)
    unittest.main(verbosity=2)
