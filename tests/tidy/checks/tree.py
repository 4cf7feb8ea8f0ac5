"""The files of the checkout, what a check finds, and the list of what is allowed."""

import os
import pathlib
import re
from typing import NamedTuple

SKIPPED_FOLDERS = {".git", "build", ".venv", "__pycache__", ".cache", ".vscode", ".idea"}
MODULES = ("base", "index", "ingest", "llm", "services")
CPP_ENDINGS = (".h", ".cc", ".cu", ".cuh")


class Finding(NamedTuple):
    rule: str
    path: str
    line: int  # 0: the file as a whole
    message: str
    item: str = ""  # the function or the like, for the list of what is allowed

    def __str__(self):
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place}: [{self.rule}] {self.message}"


class Tree:
    """The text files below a root."""

    def __init__(self, root, build=None):
        self.root = pathlib.Path(root)
        self.build = pathlib.Path(build) if build else None
        self.paths = sorted(self._walk())
        self._texts = {}

    def _walk(self):
        for folder, folders, files in os.walk(self.root):
            folders[:] = [name for name in folders if name not in SKIPPED_FOLDERS]
            for name in files:
                if not name.endswith(".pyc") and name != "CMakeUserPresets.json":
                    path = pathlib.Path(folder, name)
                    if path.is_file() and not path.is_symlink():
                        yield path.relative_to(self.root).as_posix()

    def read(self, path):
        """The text of a file; "" for one that is not text."""
        if path not in self._texts:
            raw = (self.root / path).read_bytes()
            try:
                self._texts[path] = "" if b"\0" in raw else raw.decode("utf-8")
            except UnicodeDecodeError:
                self._texts[path] = ""
        return self._texts[path]

    def lines(self, path):
        return self.read(path).split("\n")

    def has(self, path):
        return (self.root / path).exists()

    def sources(self, *endings, under=""):
        return [path for path in self.paths if path.endswith(endings) and path.startswith(under)]

    def cpp(self):
        return self.sources(*CPP_ENDINGS)


def module_of(path):
    """"index" for index/x.cc and for tests/unit/index/x_test.cc; "" outside the modules."""
    parts = path.split("/")
    if parts[:2] == ["tests", "unit"]:
        parts = parts[2:]
    return parts[0] if parts and parts[0] in MODULES else ""


class AllowList:
    """Lines `rule path[ item]  # reason`: findings that are meant to be there."""

    _LINE = re.compile(r"^(\S+)\s+(\S+)(?:\s+([^#\s][^#]*?))?\s+#\s*(\S.*)$")

    def __init__(self, path, text):
        self.path = path
        self.errors = []
        self._entries = {}  # (rule, path, item) -> line
        self._used = set()
        for number, line in enumerate(text.split("\n"), 1):
            if not line.strip() or line.startswith("#"):
                continue
            match = self._LINE.match(line)
            if match is None:
                self.errors.append(Finding("allow-list", path, number,
                                           "expected `rule path[ item]  # reason`"))
                continue
            self._entries[(match[1], match[2], match[3] or "")] = number

    def allows(self, finding):
        for key in ((finding.rule, finding.path, finding.item), (finding.rule, finding.path, "")):
            if key in self._entries:
                self._used.add(key)
                return True
        return False

    def unused(self):
        for key, number in self._entries.items():
            if key not in self._used:
                yield Finding("allow-list", self.path, number,
                              f"nothing needs `{' '.join(part for part in key if part)}` any more: "
                              "take the line out")
