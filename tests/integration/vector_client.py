"""What tests of VectorService share: messages made of Python values, and calls that raise Failure.

Needs gRPC and the code generated from the protos, which are in the virtual environment of the
example client, $RAGSTONE_VENV: a test that imports this runs itself again in it. Without it the
test is skipped.
"""

import math
import os
import pathlib
import sys

import harness

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON = pathlib.Path(os.environ.get("RAGSTONE_VENV", ROOT / "build" / "venv")) / "bin" / "python"
SKIPPED = 77  # ctest's SKIP_RETURN_CODE
if not PYTHON.exists():
    print(f"skipped: {PYTHON} is missing; deploy/prepare --tests makes it")
    sys.exit(SKIPPED)
try:
    import grpc
    from ragstone.v1 import errors_pb2, types_pb2 as t, vector_pb2 as v, vector_pb2_grpc
except ImportError:
    if os.environ.get("RAGSTONE_IN_VENV"):
        raise
    os.environ["RAGSTONE_IN_VENV"] = "1"
    os.execv(PYTHON, [str(PYTHON), *sys.argv])


class Home(harness.Home):
    """A home without models, which records need none of."""

    def import_fakes(self):
        pass


def value(item):
    """The PayloadValue of a Python value."""
    if item is None:
        return t.PayloadValue()
    if isinstance(item, bool):
        return t.PayloadValue(boolean_value=item)
    if isinstance(item, int):
        return t.PayloadValue(integer_value=item)
    if isinstance(item, float):
        return t.PayloadValue(float_value=item)
    if isinstance(item, str):
        return t.PayloadValue(string_value=item)
    return t.PayloadValue(list=t.PayloadList(values=[value(part) for part in item]))


def plain(message):
    """The Python value of a PayloadValue."""
    kind = message.WhichOneof("kind")
    if kind == "list":
        return [plain(part) for part in message.list.values]
    return getattr(message, kind) if kind else None


def dense(numbers):
    return v.Vector(dense=v.DenseVector(values=numbers))


def sparse(pairs):
    return v.Vector(sparse=v.SparseVector(dimensions=list(pairs), weights=list(pairs.values())))


def record(identifier, numbers=None, vectors=None, **payload):
    made = v.Record(id=identifier, payload={name: value(item) for name, item in payload.items()})
    for name, vector in {**({"": dense(numbers)} if numbers else {}), **(vectors or {})}.items():
        made.vectors[name].CopyFrom(vector)
    return made


def text_filter(expression):
    return t.Filter(expression=expression)


def one_of(field, *items):
    return t.Condition(one_of=t.OneOfCondition(field=field, values=[value(i) for i in items]))


def ids_of(hits):
    return [hit.record.id for hit in hits]


class Failure(Exception):
    """A call that failed: canonical code, reason, message."""

    def __init__(self, error):
        super().__init__(error.details())
        self.code, self.message, self.reason = error.code().name, error.details(), ""
        for key, details in error.trailing_metadata() or []:
            if key == "grpc-status-details-bin":
                for detail in errors_pb2.ErrorStatus.FromString(details).details:
                    self.reason = errors_pb2.ErrorInfo.FromString(detail.value).reason


class Api:
    """Calls VectorService: api.Method(field=…) returns the response or raises Failure."""

    def __init__(self, server, token):
        self.channel = grpc.insecure_channel(server.ready["grpc"], options=[
            ("grpc.max_receive_message_length", 64 << 20),
            ("grpc.max_send_message_length", 64 << 20)])
        self.stub = vector_pb2_grpc.VectorServiceStub(self.channel)
        self.metadata = [("authorization", f"Bearer {token}")] if token else []

    def __getattr__(self, method):
        def call(**fields):
            try:
                return getattr(self.stub, method)(getattr(v, method + "Request")(**fields),
                                                  metadata=self.metadata, timeout=60)
            except grpc.RpcError as error:
                raise Failure(error) from None
        return call

    def stream(self, requests):
        """The acknowledgements, and the Failure that ended the stream, or None."""
        acknowledged = []
        try:
            for ack in self.stub.UpsertRecordStream(iter(requests), metadata=self.metadata,
                                                    timeout=60):
                acknowledged.append(ack)
        except grpc.RpcError as error:
            return acknowledged, Failure(error)
        return acknowledged, None


def expected_score(metric, query, other):
    product = sum(a * b for a, b in zip(query, other))
    if metric == v.VECTOR_METRIC_INNER_PRODUCT:
        return product
    if metric == v.VECTOR_METRIC_L2:
        return sum((a - b) ** 2 for a, b in zip(query, other))
    return product / math.sqrt(sum(a * a for a in query) * sum(b * b for b in other))
