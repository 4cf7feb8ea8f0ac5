"""The encoder's and the vector index's kernels, which are compiled for instruction sets that a
machine may lack: what they include, that the linker can share none of their code, that their inner
loops keep their sums in registers, and that they have no instruction that kernel_tiers.cc does not
ask the processor for."""

import dataclasses
import re
import shutil
import subprocess
import tempfile

from .tree import Finding

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"][^>"]+[>"])')
FUNCTION = re.compile(r"^[0-9a-f]+ <(.*)>:$")
# A vector register and the stack pointer in one instruction.
SPILL = re.compile(r"[xyz]mm\d.*\(%rsp|\(%rsp.*[xyz]mm\d")
MEMBER = re.compile(r"^(?:.*[(/])?(kernels_\w+)\.cc\.o\)?: +file format")

# What the names say that a file must not have: instructions of the next tiers. AVX-512's form of
# vpdpbusd on registers of 256 bits has no prefix in the listing.
NOT_AVX512 = r"%zmm|%[xy]mm(1[6-9]|2\d|3[01])|%k[0-7]\b"
NOT_BF16 = r"\bv(dp|cvtne2?ps2?)\w*bf16|\bvcvtneps2bf16"
NOT_VNNI = r"\bvpdp(bus|wss)d"
PORTABLE = r"%[yz]mm|\bv[a-z]+ps\b"


@dataclasses.dataclass(frozen=True)
class Library:
    folder: str
    headers: str  # of the folder that kernels may include, as a pattern
    archive: str
    loop: str  # part of the name of each function whose sums must not leave the registers
    forbidden: dict  # pattern of instructions, by file
    portable_headers: str = "kernels"  # more for kernels_portable.cc, which any processor runs

    def is_kernel(self, path):
        return re.match(rf"{self.folder}/(kernels_\w+\.(cc|h)|machine_\w+\.h|kernels\.h)$", path)

    def allows(self, path, header):
        own = self.headers
        if path.endswith("/kernels_portable.cc"):
            own += "|" + self.portable_headers
        return re.match(r"<(cstddef|cstdint|immintrin\.h)>$", header) or re.match(
            rf'"{self.folder}/({own})\.h"$', header)


ENCODER = Library(
    folder="llm/encoder", headers=r"kernels|kernels_simd|machine_\w+",
    archive="llm/encoder/libragstone_llm_encoder.a", loop="::Fixed<",
    forbidden={
        "kernels_portable": PORTABLE,
        "kernels_avx2": rf"{NOT_AVX512}|{NOT_VNNI}",
        "kernels_avx_vnni": rf"{NOT_AVX512}|(?<!{{vex}} )vpdp(bus|wss)d",
        "kernels_avx512": rf"{NOT_BF16}|{NOT_VNNI}",
        "kernels_avx512_bf16": NOT_VNNI,
        "kernels_avx512_vnni": r"%tmm",
        "kernels_avx512_vnni_f32": rf"{NOT_BF16}|%tmm",
        "kernels_amx": NOT_VNNI,
    })
VECTORS = Library(
    folder="index/internal/vectors", headers=r"kernels|kernels_simd|kernels_blocks",
    archive="index/libragstone_index.a", loop="::ForRows<",
    forbidden={
        "kernels_portable": PORTABLE,
        "kernels_avx2": rf"{NOT_AVX512}|{NOT_VNNI}",
        "kernels_avx512": rf"{NOT_BF16}|{NOT_VNNI}",
        "kernels_avx512_vnni": rf"{NOT_BF16}|%tmm",
    },
    portable_headers="half")
LIBRARIES = (ENCODER, VECTORS)


def check(tree):
    for library in LIBRARIES:
        for path in tree.paths:
            if library.is_kernel(path):
                yield from _check_includes(tree, library, path)
        if tree.build is not None and (tree.build / library.archive).is_file():
            yield from _check_archive(library, tree.build / library.archive)


def _check_includes(tree, library, path):
    for number, line in enumerate(tree.read(path).splitlines(), 1):
        found = INCLUDE.match(line)
        if found and not library.allows(path, found.group(1)):
            yield Finding("kernel-includes", path, number,
                          f"{found.group(1)} would be compiled for other machines' instructions")


def _output(*command):
    return subprocess.run(command, capture_output=True, text=True, errors="replace").stdout


def _check_archive(library, archive):
    if any(shutil.which(tool) is None for tool in ("ar", "nm", "objdump")):
        yield Finding("kernel-code", library.archive, 0,
                      "ar, nm or objdump is missing (package binutils)")
        return
    yield from _check_symbols(library, _output("nm", "-C", str(archive)))
    # Only the kernels: the rest of a library may be large.
    members = [name for name in _output("ar", "t", str(archive)).splitlines()
               if re.match(r"kernels_\w+\.cc\.o$", name)]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["ar", "x", "--output", folder, str(archive), *members], check=True)
        disassembly = _output("objdump", "-dC", "--no-show-raw-insn",
                              *(f"{folder}/{name}" for name in members)) if members else ""
    yield from _check_spills(library, disassembly)
    yield from _check_instructions(library, disassembly)


def _check_symbols(library, listing):
    """Weak symbols are those of which the linker keeps any one."""
    member = ""
    for line in listing.splitlines():
        if line.endswith(":"):
            member = line[:-1]
        elif member.startswith("kernels_") and re.search(r" [WVu] ", line):
            symbol = line.split(maxsplit=2)[-1]
            yield Finding("kernel-symbols", library.archive, 0,
                          f"{member} shares {symbol} with code for every machine")


def _check_spills(library, disassembly):
    """The library says in which functions the sums must not leave the registers."""
    function, checked = "", 0
    for line in disassembly.splitlines():
        found = FUNCTION.match(line)
        if found:
            function = found.group(1)
            checked += library.loop in function
        elif library.loop in function and SPILL.search(line):
            yield Finding("kernel-spill", library.archive, 0,
                          f"{function.split('(anonymous namespace)::')[-1]} keeps vectors on the "
                          f"stack: {line.split(':', 1)[-1].strip()}")
            function = ""
    if checked == 0:
        yield Finding("kernel-spill", library.archive, 0,
                      f"no function {library.loop[2:]}…> was found to check")


def _check_instructions(library, disassembly):
    """One finding for each file and function of it that has an instruction of another tier."""
    member, function, done = "", "", set()
    for line in disassembly.splitlines():
        if found := MEMBER.match(line):
            member = found.group(1)
            if member not in library.forbidden:
                yield Finding("kernel-instructions", library.archive, 0,
                              f"{member}.cc is not listed in tests/tidy/checks/kernels.py")
        elif found := FUNCTION.match(line):
            function = found.group(1)
        elif "file format" in line:
            member = ""
        elif member in library.forbidden and (member, function) not in done:
            if re.search(library.forbidden[member], line.split(":", 1)[-1]):
                done.add((member, function))
                yield Finding("kernel-instructions", library.archive, 0,
                              f"{member}.cc has an instruction of another tier: "
                              f"{line.split(':', 1)[-1].strip()}")
