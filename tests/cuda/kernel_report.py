#!/usr/bin/env python3
"""Prints what the encoder's CUDA kernels take of a GPU, as the compiler reports it, as Markdown.

    python3 tests/cuda/kernel_report.py [--nvcc nvcc] [--targets 75 80 ...]

Exit code 1 if a kernel keeps registers in memory (spills) for any target. No GPU is needed.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
TARGETS = ("75", "80", "86", "89", "90", "100", "120")
ENTRY = re.compile(r"Compiling entry function '(\w+)' for 'sm_(\d+)'")
NAME = re.compile(r"(\w+Kernel)<(.*)>\(")
SPILLS = re.compile(r"(\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers(?:.*?(\d+) bytes smem)?")


def demangle(symbols):
    output = subprocess.run(
        ["c++filt"], input="\n".join(symbols), capture_output=True, text=True, check=True
    )
    return dict(zip(symbols, output.stdout.splitlines()))


def compile_report(nvcc, targets):
    with tempfile.TemporaryDirectory() as folder:
        command = [nvcc, "-std=c++17", "-O3", f"-I{ROOT}", "-Xptxas", "-v", "-c"]
        for target in targets:
            command += ["-gencode", f"arch=compute_{target},code=sm_{target}"]
        command += [str(ROOT / "llm/encoder/cuda/launch.cu"), "-o", f"{folder}/launch.o"]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(done.stderr)
    return done.stderr


def parse(report):
    """Returns {kernel: {target: (registers, bytes of shared memory, bytes spilled)}}."""
    found = {}
    entry, spilled = None, 0
    for line in report.splitlines():
        if match := ENTRY.search(line):
            entry, spilled = match.groups(), 0
        elif match := SPILLS.search(line):
            spilled = int(match[1]) + int(match[2])
        elif entry and (match := USED.search(line)):
            found.setdefault(entry[0], {})[entry[1]] = (int(match[1]), int(match[2] or 0), spilled)
            entry = None
    names = demangle(list(found))
    kernels = {}
    for symbol, targets in found.items():
        match = NAME.search(names[symbol].replace("ragstone::llm::gpu::", ""))
        kernels[f"{match[1]}<{match[2]}>" if match else names[symbol]] = targets
    return kernels


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nvcc", default="nvcc")
    parser.add_argument("--targets", nargs="+", default=TARGETS, help="such as 75")
    arguments = parser.parse_args()
    kernels = parse(compile_report(arguments.nvcc, arguments.targets))
    print("| kernel | " + " | ".join(f"sm_{t}" for t in arguments.targets) + " | shared memory |")
    print("|---|" + "---|" * (len(arguments.targets) + 1))
    spills = 0
    for name in sorted(kernels):
        targets = kernels[name]
        cells = []
        for target in arguments.targets:
            registers, _, spilled = targets[target]
            cells.append(f"{registers}" + (f" ({spilled} bytes spilled)" if spilled else ""))
            spills += spilled > 0
        shared = max(shared for _, shared, _ in targets.values())
        print(f"| `{name}` | " + " | ".join(cells) + f" | {shared} |")
    print(f"\n{len(kernels)} kernels, {spills} with spills")
    return 1 if spills else 0


if __name__ == "__main__":
    sys.exit(main())
