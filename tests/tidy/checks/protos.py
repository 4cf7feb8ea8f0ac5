"""The wire contract: every element is commented, no number changes, reasons equal base/reason.h.

protoc itself reads the protos; its descriptor set, printed as text, is parsed here.
"""

import re
import shutil
import subprocess
import tempfile

from .tree import Finding

PROTO_ROOT = "proto/"
DUMP = "tests/tidy/descriptor.txt"
REASONS, ERRORS = "base/reason.h", "proto/ragstone/v1/errors.proto"
LABELS = {"LABEL_OPTIONAL": "", "LABEL_REPEATED": "repeated ", "LABEL_REQUIRED": "required "}
# Field numbers of google/protobuf/descriptor.proto, which paths of comments are made of.
FILE_MESSAGE, FILE_ENUM, FILE_SERVICE = 4, 5, 6
MESSAGE_FIELD, MESSAGE_NESTED, MESSAGE_ENUM = 2, 3, 4
ENUM_VALUE, SERVICE_METHOD = 2, 2


def check(tree):
    if tree.has(REASONS) and tree.has(ERRORS):
        yield from _check_reasons(tree)
    protos = tree.sources(".proto", under=PROTO_ROOT)
    if not protos:
        return
    files, error = load(tree, protos)
    if error:
        yield Finding("proto", PROTO_ROOT, 0, error)
        return
    for file in files:
        yield from _check_comments(file)
    yield from _check_dump(tree, dump(files))


def load(tree, protos):
    """Returns the parsed files of the descriptor set, or an error."""
    protoc = shutil.which("protoc")
    if protoc is None:
        return [], "protoc is not installed (package protobuf-compiler)"
    with tempfile.NamedTemporaryFile(suffix=".pb") as out:
        made = subprocess.run(
            [protoc, "-I", str(tree.root / PROTO_ROOT), "--include_source_info",
             f"--descriptor_set_out={out.name}"] + [str(tree.root / path) for path in protos],
            capture_output=True, text=True)
        if made.returncode != 0:
            return [], made.stderr.strip()
        with open(out.name, "rb") as descriptors:
            text = subprocess.run(
                [protoc, "--decode=google.protobuf.FileDescriptorSet",
                 "google/protobuf/descriptor.proto"], stdin=descriptors, capture_output=True)
    if text.returncode != 0:
        return [], text.stderr.decode(errors="replace").strip()
    return parse_text(text.stdout.decode()).get("file", []), None


def parse_text(text):
    """Parses Protocol Buffers' text format: name -> list of values, a message being a dict."""
    root = {}
    stack = [root]
    for line in text.split("\n"):
        line = line.strip()
        if line.endswith("{"):
            message = {}
            stack[-1].setdefault(line[:-1].strip(), []).append(message)
            stack.append(message)
        elif line == "}":
            stack.pop()
        elif ": " in line:
            name, value = line.split(": ", 1)
            stack[-1].setdefault(name, []).append(value.strip('"'))
    return root


def one(message, name, default=""):
    return message.get(name, [default])[0]


def _elements(file):
    """Yields (path of numbers, what, full name) of everything that needs a comment."""
    for at, message in enumerate(file.get("message_type", [])):
        yield from _message_elements(message, (FILE_MESSAGE, at), "")
    for at, enum in enumerate(file.get("enum_type", [])):
        yield from _enum_elements(enum, (FILE_ENUM, at), "")
    for at, service in enumerate(file.get("service", [])):
        name = one(service, "name")
        yield (FILE_SERVICE, at), "service", name
        for number, method in enumerate(service.get("method", [])):
            yield ((FILE_SERVICE, at, SERVICE_METHOD, number), "RPC",
                   f"{name}.{one(method, 'name')}")


def _message_elements(message, path, outer):
    if "map_entry" in one(message, "options", {}):
        return
    name = outer + one(message, "name")
    yield path, "message", name
    for at, field in enumerate(message.get("field", [])):
        yield path + (MESSAGE_FIELD, at), "field", f"{name}.{one(field, 'name')}"
    for at, nested in enumerate(message.get("nested_type", [])):
        yield from _message_elements(nested, path + (MESSAGE_NESTED, at), name + ".")
    for at, enum in enumerate(message.get("enum_type", [])):
        yield from _enum_elements(enum, path + (MESSAGE_ENUM, at), name + ".")


def _enum_elements(enum, path, outer):
    name = outer + one(enum, "name")
    yield path, "enum", name
    for at, value in enumerate(enum.get("value", [])):
        yield path + (ENUM_VALUE, at), "enum value", f"{name}.{one(value, 'name')}"


def _check_comments(file):
    commented, lines = set(), {}
    for location in one(file, "source_code_info", {}).get("location", []):
        path = tuple(int(number) for number in location.get("path", []))
        lines[path] = int(one(location, "span", "0")) + 1
        if one(location, "leading_comments").strip() or one(location, "trailing_comments").strip():
            commented.add(path)
    for path, what, name in _elements(file):
        if path not in commented:
            yield Finding("proto-comment", PROTO_ROOT + one(file, "name"), lines.get(path, 0),
                          f"the {what} {name} has no comment", name)


def dump(files):
    """All names, numbers and types as text, one a line, sorted: what clients depend on."""
    out = []
    for file in files:
        package = one(file, "package")
        for message in file.get("message_type", []):
            _dump_message(message, package, out)
        for enum in file.get("enum_type", []):
            _dump_enum(enum, package, out)
        for service in file.get("service", []):
            for method in service.get("method", []):
                streams = [one(method, f"{side}_streaming") == "true"
                           for side in ("client", "server")]
                out.append(f"rpc {package}.{one(service, 'name')}.{one(method, 'name')}"
                           f"({'stream ' * streams[0]}{one(method, 'input_type')[1:]})"
                           f" returns ({'stream ' * streams[1]}{one(method, 'output_type')[1:]})")
    return "\n".join(sorted(out)) + "\n"


def _dump_message(message, outer, out):
    name = f"{outer}.{one(message, 'name')}"
    for field in message.get("field", []):
        kind = one(field, "type_name")[1:] or one(field, "type")[len("TYPE_"):].lower()
        oneof = f" oneof {one(field, 'oneof_index')}" if "oneof_index" in field else ""
        out.append(f"field {name} {int(one(field, 'number')):4d} {one(field, 'name')}: "
                   f"{LABELS[one(field, 'label')]}{kind}{oneof}")
    for reserved in message.get("reserved_range", []):
        out.append(f"reserved {name} {one(reserved, 'start')} to {int(one(reserved, 'end')) - 1}")
    if not message.get("field"):
        out.append(f"message {name}")
    for nested in message.get("nested_type", []):
        _dump_message(nested, name, out)
    for enum in message.get("enum_type", []):
        _dump_enum(enum, name, out)


def _dump_enum(enum, outer, out):
    for value in enum.get("value", []):
        out.append(f"value {outer}.{one(enum, 'name')} {int(one(value, 'number')):4d} "
                   f"{one(value, 'name')}")


def _check_dump(tree, made):
    if not tree.has(DUMP):
        yield Finding("descriptor", DUMP, 0, "missing: make it with tests/tidy/tidy.py "
                      "--update-descriptor")
        return
    before, now = set(tree.read(DUMP).splitlines()), set(made.splitlines())
    for line in sorted(before - now):
        yield Finding("descriptor", DUMP, 0, f"gone or changed: {line}")
    for line in sorted(now - before):
        yield Finding("descriptor", DUMP, 0, f"not in the committed list: {line}")


def _check_reasons(tree):
    listed = dict((name, int(number)) for number, name in re.findall(
        r'X\(k\w+,\s*(\d+),\s*"([A-Z0-9_]+)"\)', tree.read(REASONS)))
    declared = dict((name, int(number)) for name, number in re.findall(
        r"^\s*ERROR_REASON_([A-Z0-9_]+)\s*=\s*(\d+);", tree.read(ERRORS), re.M))
    if not listed or not declared:
        yield Finding("reasons", REASONS, 0, "no reasons were found")
    unspecified = "REASON_UNSPECIFIED"
    listed[unspecified.removeprefix("REASON_")] = listed.pop(unspecified, 0)
    for name in sorted(set(listed) | set(declared)):
        if listed.get(name) != declared.get(name):
            yield Finding("reasons", REASONS, 0, f"{name} is {listed.get(name)} here and "
                          f"{declared.get(name)} in {ERRORS}", name)
