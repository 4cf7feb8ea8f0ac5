"""Who may include what: the arrows between the modules, and the walls around the libraries."""

import re

from .tree import MODULES, Finding, module_of

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
ARROWS = {
    "base": {"base"},
    "index": {"index", "base"},
    "ingest": {"ingest", "base"},
    "llm": {"llm", "base"},
    "services": {"services", "index", "ingest", "llm", "base"},
}
# Library, pattern of its headers, where they may be included. A folder of tests/unit stands for the
# module that it tests.
WALLS = [
    ("FAISS", re.compile(r"^faiss/"), ("index/internal/",)),
    ("RocksDB", re.compile(r"^rocksdb/"), ("index/internal/",)),
    ("poppler", re.compile(
        r"^(poppler/|poppler-|cpp/poppler|goo/|splash/|fofi/|"
        r"(OutputDev|TextOutputDev|GfxState|GfxFont|Gfx|PDFDoc|PDFDocFactory|GlobalParams|Page|"
        r"Catalog|Outline|Link|Annot|Error|ErrorCodes|Object|Stream|Dict|UnicodeMap|CharTypes|"
        r"PageLabelInfo|ProfileData|UTF)\.h$)"), ("ingest/poppler/",)),
    ("llama.cpp", re.compile(r"^(llama|ggml|gguf|mtmd)([-_][a-z]+)*(-cpp)?\.h$"), ("llm/llama/",)),
    ("gRPC or Protocol Buffers", re.compile(r"^(grpc\+*/|grpcpp/|google/|.*\.pb\.h$)"),
     ("services/",)),
]
# Programs that put modules together, and measurements that set a library beside ours.
FREE_FOLDERS = ("tests/integration/", "tests/bench/", "tests/fuzz/", "tests/eval/",
                "tests/reliability/")


def check(tree):
    for path in tree.cpp():
        for number, line in enumerate(tree.lines(path), 1):
            match = INCLUDE.match(line)
            if match:
                yield from _check_arrow(path, number, match[1], match[2])
                yield from _check_walls(path, number, match[2])


def _check_arrow(path, number, quote, target):
    first = target.split("/")[0]
    module = module_of(path)
    if quote == '"' and first not in MODULES + ("ragstone", "tests"):
        wall = any(pattern.match(target) for _, pattern, _ in WALLS)
        if not wall and module:
            yield Finding("include-path", path, number,
                          f'"{target}" is not written from the root of the checkout')
    if first not in MODULES:
        return
    if module and first not in ARROWS[module]:
        yield Finding("include-arrow", path, number, f"{module} may not include {first} ({target})")
    if target.startswith(f"{first}/internal/") and module != first and not path.startswith(
            FREE_FOLDERS):
        yield Finding("include-arrow", path, number, f"{target} is private to {first}")


def _check_walls(path, number, target):
    home = path
    if path.startswith("tests/unit/"):
        home = path[len("tests/unit/"):]
    if path.startswith(FREE_FOLDERS):
        return
    for library, pattern, allowed in WALLS:
        if not pattern.match(target) or home.startswith(allowed):
            continue
        # A test of a module may look at the library that the module wraps.
        if path.startswith("tests/unit/") and any(
                folder.split("/")[0] == module_of(path) for folder in allowed):
            continue
        if path.startswith("tests/testing/") and library.startswith("gRPC"):
            continue
        yield Finding("library-wall", path, number,
                      f"headers of {library} ({target}) belong in {' and '.join(allowed)} only")
