"""The encoder's kernels, which are compiled for instruction sets that a machine may lack: what they
include, that the linker can share none of their code, that their inner loops keep their sums in
registers, and that they have no instruction that kernel_tiers.cc does not ask the processor for."""

import re
import shutil
import subprocess

from .tree import Finding

FILES = re.compile(r"^llm/encoder/(kernels_\w+\.(cc|h)|machine_\w+\.h|kernels\.h)$")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"][^>"]+[>"])')
ALLOWED = re.compile(r'^(<(cstddef|cstdint|immintrin\.h)>'
                     r'|"llm/encoder/(kernels|kernels_simd|machine_\w+)\.h")$')
ARCHIVE = "llm/encoder/libragstone_llm_encoder.a"
FUNCTION = re.compile(r"^[0-9a-f]+ <(.*)>:$")
# A vector register and the stack pointer in one instruction.
SPILL = re.compile(r"[xyz]mm\d.*\(%rsp|\(%rsp.*[xyz]mm\d")

MEMBER = re.compile(r"^(?:.*[(/])?(kernels_\w+)\.cc\.o\)?: +file format")
# What the names say that a file must not have: instructions of the next tiers. AVX-512's form of
# vpdpbusd on registers of 256 bits has no prefix in the listing.
NOT_AVX512 = r"%zmm|%[xy]mm(1[6-9]|2\d|3[01])|%k[0-7]\b"
NOT_BF16 = r"\bv(dp|cvtne2?ps2?)\w*bf16|\bvcvtneps2bf16"
NOT_VNNI = r"\bvpdp(bus|wss)d"
FORBIDDEN = {
    "kernels_portable": r"%[yz]mm|\bv[a-z]+ps\b",
    "kernels_avx2": rf"{NOT_AVX512}|{NOT_VNNI}",
    "kernels_avx_vnni": rf"{NOT_AVX512}|(?<!{{vex}} )vpdp(bus|wss)d",
    "kernels_avx512": rf"{NOT_BF16}|{NOT_VNNI}",
    "kernels_avx512_bf16": NOT_VNNI,
    "kernels_avx512_vnni": r"%tmm",
    "kernels_avx512_vnni_f32": rf"{NOT_BF16}|%tmm",
    "kernels_amx": NOT_VNNI,
}
FORBIDDEN = {member: re.compile(pattern) for member, pattern in FORBIDDEN.items()}


def check(tree):
    for path in tree.paths:
        if FILES.match(path):
            yield from _check_includes(tree, path)
    if tree.build is not None and (tree.build / ARCHIVE).is_file():
        yield from _check_archive(tree.build / ARCHIVE)


def _check_includes(tree, path):
    for number, line in enumerate(tree.read(path).splitlines(), 1):
        found = INCLUDE.match(line)
        if found and not ALLOWED.match(found.group(1)):
            yield Finding("kernel-includes", path, number,
                          f"{found.group(1)} would be compiled for other machines' instructions")


def _output(*command):
    return subprocess.run(command, capture_output=True, text=True, errors="replace").stdout


def _check_archive(archive):
    if shutil.which("objdump") is None or shutil.which("nm") is None:
        yield Finding("kernel-code", ARCHIVE, 0, "objdump or nm is missing (package binutils)")
        return
    yield from _check_symbols(_output("nm", "-C", str(archive)))
    disassembly = _output("objdump", "-dC", "--no-show-raw-insn", str(archive))
    yield from _check_spills(disassembly)
    yield from _check_instructions(disassembly)


def _check_symbols(listing):
    """Weak symbols are those of which the linker keeps any one."""
    member = ""
    for line in listing.splitlines():
        if line.endswith(":"):
            member = line[:-1]
        elif member.startswith("kernels_") and re.search(r" [WVu] ", line):
            symbol = line.split(maxsplit=2)[-1]
            yield Finding("kernel-symbols", ARCHIVE, 0,
                          f"{member} shares {symbol} with code for every machine")


def _check_spills(disassembly):
    """Kernels of fixed height are those whose sums must not leave the registers."""
    function, checked = "", 0
    for line in disassembly.splitlines():
        found = FUNCTION.match(line)
        if found:
            function = found.group(1)
            checked += "::Fixed<" in function
        elif "::Fixed<" in function and SPILL.search(line):
            yield Finding("kernel-spill", ARCHIVE, 0,
                          f"{function.split('(anonymous namespace)::')[-1]} keeps vectors on the "
                          f"stack: {line.split(':', 1)[-1].strip()}")
            function = ""
    if checked == 0:
        yield Finding("kernel-spill", ARCHIVE, 0, "no kernel of fixed height was found to check")


def _check_instructions(disassembly):
    """One finding for each file and function of it that has an instruction of another tier."""
    member, function, done = "", "", set()
    for line in disassembly.splitlines():
        if found := MEMBER.match(line):
            member = found.group(1)
            if member not in FORBIDDEN:
                yield Finding("kernel-instructions", ARCHIVE, 0,
                              f"{member}.cc is not listed in tests/tidy/checks/kernels.py")
        elif found := FUNCTION.match(line):
            function = found.group(1)
        elif "file format" in line:
            member = ""
        elif member in FORBIDDEN and (member, function) not in done:
            if FORBIDDEN[member].search(line.split(":", 1)[-1]):
                done.add((member, function))
                yield Finding("kernel-instructions", ARCHIVE, 0,
                              f"{member}.cc has an instruction of another tier: "
                              f"{line.split(':', 1)[-1].strip()}")
