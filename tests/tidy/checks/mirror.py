"""Every source file of ours is named by a test: x.cc by x_test.cc, or by its path in a test."""

import re

from .tree import MODULES, Finding


def check(tree):
    tests = [path for path in tree.paths if path.startswith("tests/")
             and not path.startswith("tests/tidy/") and path.endswith((".cc", ".py", ".h", ".txt"))]
    names = {path.rsplit("/", 1)[1] for path in tests if path.endswith("_test.cc")}
    named = set()
    for path in tests:
        named.update(re.findall(r"[\w/]+\.(?:cc|cu)\b", tree.read(path)))
    named_files = {name.rsplit("/", 1)[-1] for name in named if "/" not in name}
    for path in tree.sources(".cc", ".cu"):
        if path.split("/")[0] not in MODULES:
            continue
        name = path.rsplit("/", 1)[1]
        stem = name.rsplit(".", 1)[0]
        folder = path.split("/")[-2] if "/" in path else ""
        if {f"{stem}_test.cc", f"{folder}_{stem}_test.cc"} & names or name in named_files:
            continue
        if any(path == other or path.endswith("/" + other) for other in named if "/" in other):
            continue
        yield Finding("test-missing", path, 0,
                      f"no test names it: write {stem}_test.cc, or name {name} in the test that "
                      "covers it")
