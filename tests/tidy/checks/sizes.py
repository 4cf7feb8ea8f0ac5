"""Sizes: functions of at most 60 lines, files of at most 500 (tests 800), lines of 100 columns."""

import re

from .tree import Finding

FUNCTION_LINES_MAX = 60
FILE_LINES_MAX = 500
TEST_FILE_LINES_MAX = 800
COLUMNS_MAX = 100
FILE_BYTES_MAX = 1 << 20
CHECKED_COLUMNS = (".h", ".cc", ".cu", ".cuh", ".py", ".cmake", "CMakeLists.txt", ".proto")


def check(tree):
    for path in tree.paths:
        yield from _check_file(tree, path)
    for path in tree.cpp():
        for name, first, last in functions(tree.read(path)):
            if last - first + 1 > FUNCTION_LINES_MAX:
                yield Finding("function-lines", path, first,
                              f"{name} has {last - first + 1} lines, at most {FUNCTION_LINES_MAX} "
                              "are allowed: split it", name)


def _check_file(tree, path):
    size = (tree.root / path).stat().st_size
    if size > FILE_BYTES_MAX:
        yield Finding("file-bytes", path, 0, f"{size} bytes, at most {FILE_BYTES_MAX} are allowed")
        return
    if not path.endswith(CHECKED_COLUMNS):
        return
    lines = tree.lines(path)
    limit = TEST_FILE_LINES_MAX if path.startswith("tests/") else FILE_LINES_MAX
    if len(lines) - 1 > limit:
        yield Finding("file-lines", path, 0, f"{len(lines) - 1} lines, at most {limit} are allowed")
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS_MAX:
            yield Finding("columns", path, number,
                          f"{len(line)} columns, at most {COLUMNS_MAX} are allowed")


_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^()\\ ]{0,16})\(.*?\)\1"|'
    r'"(?:\\.|[^"\\\n])*"|'
    r"(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'|"
    r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", re.S | re.M)


def blank(text):
    """The text with comments, literals and preprocessor lines turned into spaces."""
    def spaces(match):
        return re.sub(r"[^\n]", " ", match[0])
    return _TOKEN.sub(spaces, text)


_SCOPE = re.compile(r"\b(namespace|extern)\b")
_TYPE = re.compile(r"\b(class|struct|union|enum)\b")
_ACCESS = re.compile(r"\b(public|private|protected)$")
_NAME = re.compile(r"([~A-Za-z_][\w:~]*|operator[^(]*)\s*\($")


def functions(text):
    """Yields (name, first line, last line) of each function that has a body.

    A scanner, no compiler: it follows braces, and takes one for a function's if what stands before
    it since the last statement has a parameter list and is neither a type, a namespace nor an
    initialiser. Lambdas count as part of the function around them.
    """
    code = blank(text)
    scopes = []  # (kind, name, first line); kind: "scope", "function", "block"
    start = 0  # where the text before the next brace begins
    depth = 0  # of parentheses
    line = 1
    for at, char in enumerate(code):
        if char == "\n":
            line += 1
        elif char in "([":
            depth += 1
        elif char in ")]":
            depth = max(0, depth - 1)
        elif char == "{":
            inside = any(scope[0] != "scope" for scope in scopes)
            kind, name = ("block", "") if inside else _kind(code[start:at], depth)
            head = code[start:at]
            first = line - head.lstrip().count("\n")
            scopes.append((kind, name, first))
            if kind != "block" or not scopes:
                start = at + 1
        elif char == "}" and scopes:
            kind, name, first = scopes.pop()
            if kind == "function":
                yield name, first, line
            if kind != "block":
                start = at + 1
        elif char == ";" and depth == 0 and not any(scope[0] == "block" for scope in scopes):
            start = at + 1
        elif char == ":" and depth == 0 and _ACCESS.search(code, max(0, at - 10), at):
            start = at + 1


def _kind(head, depth):
    """What a brace opens whose statement began with `head`."""
    if depth > 0:
        return "block", ""  # an initialiser or a lambda among arguments
    head = head.strip()
    plain = _without_parentheses(head)
    if _SCOPE.search(plain) and "(" not in head:
        return "scope", ""
    if "(" not in head:
        return ("scope", "") if _TYPE.search(plain) else ("block", "")
    if _TYPE.search(plain) and not re.search(r"\)\s*(const|noexcept|override|final|->|:|$)", head):
        return "scope", ""
    if re.search(r"(?<![=!<>+\-*/%&|^])=(?!=)", plain) and "operator" not in plain:
        return "block", ""
    if re.search(r"\)\s*:[^:]", head) and re.search(r"[,:]\s*[\w:]+(<[^{}]*>)?$", head):
        return "block", ""  # a member's initialiser in braces
    match = _NAME.search(head[:head.index("(") + 1])
    if not match:
        return "block", ""
    name = match[1].strip()
    if name in ("TEST", "TEST_F", "TEST_P", "TYPED_TEST"):
        name += "(" + " ".join(head[head.index("(") + 1:].split(")")[0].split()) + ")"
    return "function", name


def _without_parentheses(text):
    out, depth = [], 0
    for char in text:
        if char in "(<":
            depth += 1
        elif char in ")>":
            depth = max(0, depth - 1)
        elif depth == 0:
            out.append(char)
    return "".join(out)
