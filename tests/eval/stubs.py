"""Makes the Python classes of the protos at run time, so that none are committed."""

import hashlib
import importlib
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def load(folder):
    """Generates the stubs of all protos into `folder`, unless they are there, and makes them
    importable as `ragstone.v1.*_pb2` and `ragstone.worker.v1.*_pb2`."""
    try:
        from grpc_tools import protoc
    except ImportError:
        sys.exit("grpcio-tools is missing: python3 -m venv .venv && "
                 ".venv/bin/pip install -r tests/eval/requirements.txt")
    protos = sorted((ROOT / "proto").rglob("*.proto"))
    digest = hashlib.sha256(b"".join(p.read_bytes() for p in protos)).hexdigest()[:12]
    out = pathlib.Path(folder).resolve() / f"stubs-{digest}"
    if not (out / "done").exists():
        out.mkdir(parents=True, exist_ok=True)
        code = protoc.main(["protoc", f"-I{ROOT / 'proto'}", f"--python_out={out}",
                            f"--grpc_python_out={out}", *map(str, protos)])
        if code != 0:
            sys.exit(f"protoc failed with {code} on {ROOT / 'proto'}")
        (out / "done").touch()
    sys.path.insert(0, str(out))


def module(name):
    """A generated module, such as `ragstone.v1.search_pb2`."""
    return importlib.import_module(name)
