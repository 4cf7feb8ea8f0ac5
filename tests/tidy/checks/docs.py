"""Documents: links lead somewhere, every setting stands in docs/CONFIGURATION.md."""

import posixpath
import re

from .tree import Finding

LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)|!\[[^\]\n]*\]\(([^)\s]+)\)")
ROW = re.compile(r"\{\{\s*\"([a-z][a-z0-9_]*)\"")
SETTINGS, PAGE = "services/settings.cc", "docs/CONFIGURATION.md"
REQUIRED = ("README.md", "LICENSE", "NOTICE", "CHANGELOG.md", "CONTRIBUTING.md", ".clang-format",
            ".clang-tidy", "CMakePresets.json", "docs/ARCHITECTURE.md", "docs/FORMAT.md", PAGE,
            "docs/BENCHMARKS.md", "docs/INSTALL.md")


def check(tree):
    for path in tree.sources(".md"):
        yield from _check_links(tree, path)
    yield from _check_settings(tree)
    for path in REQUIRED:
        if not tree.has(path):
            yield Finding("docs-missing", path, 0, "this file is part of every release")


def _check_links(tree, path):
    in_code = False
    for number, line in enumerate(tree.lines(path), 1):
        if line.lstrip().startswith("```"):
            in_code = not in_code
        if in_code:
            continue
        for match in LINK.finditer(re.sub(r"`[^`]*`", "", line)):
            target = match[1] or match[2]
            if re.match(r"[a-z]+:|#", target):
                continue
            place = posixpath.normpath(
                posixpath.join(posixpath.dirname(path), target.split("#")[0]))
            if not tree.has(place):
                yield Finding("docs-link", path, number, f"{target} leads nowhere")


def _check_settings(tree):
    if not tree.has(SETTINGS):
        return
    names = ROW.findall(tree.read(SETTINGS))
    if not names:
        yield Finding("settings-docs", SETTINGS, 0, "no row of the settings table was found")
    documented = []
    if tree.has(PAGE):
        documented = re.findall(r"^## `?([a-z][a-z0-9_]*)`?$", tree.read(PAGE), re.M)
    for name in names:
        if name not in documented:
            yield Finding("settings-docs", PAGE, 0, f"the setting {name} is not described", name)
    for name in documented:
        if name not in names:
            yield Finding("settings-docs", PAGE, 0, f"{name} is described but is no setting", name)
