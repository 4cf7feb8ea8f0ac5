"""What the built programs are linked with: the server neither poppler nor llama.cpp, and so on."""

import re
import shutil
import subprocess

from .tree import Finding

LIBRARIES = {"poppler": re.compile(r"libpoppler"), "llama.cpp": re.compile(r"lib(llama|ggml)")}
SYMBOLS = {
    "poppler": re.compile(r"^(_ZN?K?\d*(PDFDoc|GfxState|OutputDev|TextOutputDev)|poppler_)"),
    "llama.cpp": re.compile(r"^(llama|ggml|gguf)_\w+$"),
}
# Program, libraries that it must not have.
RULES = [
    (re.compile(r"^bin/ragstone$"), ("poppler", "llama.cpp")),
    (re.compile(r"^(libexec/ragstone|bin)/ragstone-pdf$"), ("llama.cpp",)),
    (re.compile(r"^(libexec/ragstone|bin)/ragstone-model-\w+$"), ("poppler",)),
]


def check(tree):
    if tree.build is None:
        return
    for folder in ("bin", "libexec/ragstone"):
        for program in sorted((tree.build / folder).glob("ragstone*")):
            path = f"{folder}/{program.name}"
            for pattern, forbidden in RULES:
                if pattern.match(path) and program.is_file():
                    yield from _check_program(program, path, forbidden)


def _output(*command):
    return subprocess.run(command, capture_output=True, text=True, errors="replace").stdout


def _check_program(program, path, forbidden):
    if shutil.which("ldd") is None or shutil.which("nm") is None:
        yield Finding("linkage", path, 0,
                      "ldd or nm is not installed (packages libc-bin, binutils)")
        return
    libraries = _output("ldd", str(program))
    symbols = _output("nm", str(program)) + _output("nm", "-D", str(program))
    if not libraries or not symbols:
        yield Finding("linkage", path, 0, "ldd or nm cannot read it")
    names = [line.split()[-1].split("@")[0] for line in symbols.splitlines() if line.split()]
    for library in forbidden:
        for line in libraries.splitlines():
            if LIBRARIES[library].search(line):
                yield Finding("linkage", path, 0, f"linked with {library}: {line.strip()}")
        found = next((name for name in names if SYMBOLS[library].match(name)), None)
        if found:
            yield Finding("linkage", path, 0, f"holds or wants {library}'s symbol {found}")
