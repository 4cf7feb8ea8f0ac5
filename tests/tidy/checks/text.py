"""Words that must not stay in a finished tree, and files that are no text."""

import re

from .tree import CPP_ENDINGS, Finding

UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
MACHINE_PATH = re.compile(
    r"(?<![\w.$~/{}-])(/ho" r"me/\w|/ro" r"ot/|/wo" r"rk/|/Us" r"ers/\w|/m" r"nt/\w|[A-Z]:\\\\?\w)")
BINARY_ENDINGS = (".pdf", ".png", ".gguf", ".bin", ".safetensors")
BINARY_FOLDERS = ("deploy/samples/", "tests/integration/data/", "tests/cases/", "tests/fuzz/",
                  "tests/unit/", "tests/testing/")


def check(tree):
    for path in tree.paths:
        text = tree.read(path)
        if not text:
            yield from _check_binary(tree, path)
            continue
        for number, line in enumerate(text.split("\n"), 1):
            match = UNFINISHED.search(line)
            if match:
                yield Finding("unfinished", path, number,
                              f"{match[0]}: build it, or write an issue, and take the word out")
            match = MACHINE_PATH.search(line)
            if match:
                yield Finding("machine-path", path, number,
                              f"{match[0]}: a path of one machine")
            if line.endswith("\r"):
                yield Finding("line-end", path, number, "the line ends with a carriage return")
            elif path.endswith(CPP_ENDINGS + (".py", ".proto", ".cmake")) and line != line.rstrip():
                yield Finding("line-end", path, number, "the line ends with spaces")


def _check_binary(tree, path):
    size = (tree.root / path).stat().st_size
    if size == 0:
        return
    if not (path.endswith(BINARY_ENDINGS) and path.startswith(BINARY_FOLDERS)) and not (
            path.startswith(("tests/cases/", "tests/fuzz/"))):
        yield Finding("binary", path, 0, "a file that is no UTF-8 text; test data belongs in "
                      "tests/cases, samples in deploy/samples")
