#!/usr/bin/env python3
"""Checks what the project agreed on about its own sources (docs/STYLE.md where there is one, and
CONTRIBUTING.md). Prints each finding with its place and exits with 1 if there is one.

  tests/tidy/tidy.py [--root DIR] [--build DIR] [--update-descriptor]
"""

import argparse
import pathlib
import shutil
import subprocess
import sys

from checks import binaries, docs, includes, kernels, mirror, protos, sizes, text
from checks.tree import AllowList, Tree

CHECKS = (includes, sizes, text, mirror, docs, protos, binaries, kernels)
ALLOWED = "tests/tidy/allow.txt"


def run(tree):
    """All findings that are not allowed, and allowances that nothing needs."""
    allowed = AllowList(ALLOWED, tree.read(ALLOWED) if tree.has(ALLOWED) else "")
    findings = list(allowed.errors)
    for module in CHECKS:
        findings.extend(finding for finding in module.check(tree) if not allowed.allows(finding))
    findings.extend(allowed.unused())
    return findings


def report_format(tree):
    """Tells, without failing, which files clang-format would change."""
    program = shutil.which("clang-format")
    if program is None or not tree.cpp():
        return
    made = subprocess.run([program, "--dry-run", "--ferror-limit=1"] + tree.cpp(), cwd=tree.root,
                          capture_output=True, text=True)
    files = sorted({line.split(":")[0] for line in made.stderr.splitlines() if "warning:" in line})
    if files:
        print(f"note: clang-format would change {len(files)} files: {' '.join(files[:20])}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--root", default=pathlib.Path(__file__).resolve().parents[2])
    parser.add_argument("--build", help="build folder whose programs are checked")
    parser.add_argument("--update-descriptor", action="store_true",
                        help=f"write {protos.DUMP}; a number that was released must not change")
    arguments = parser.parse_args()
    tree = Tree(arguments.root, arguments.build)
    if arguments.update_descriptor:
        files, error = protos.load(tree, tree.sources(".proto", under=protos.PROTO_ROOT))
        if error:
            sys.exit(error)
        (tree.root / protos.DUMP).write_text(protos.dump(files), encoding="utf-8")
        return 0
    findings = run(tree)
    for finding in findings:
        print(finding)
    report_format(tree)
    print(f"{len(tree.paths)} files checked, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    sys.exit(main())
