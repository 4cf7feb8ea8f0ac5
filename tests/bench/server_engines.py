"""The databases of server_bench.py and many_collections.py: how each is started on loopback with a
data folder of its own, and a client of it that lives in a process of its own.

A client has create(), drop(), upsert(), search(), set_ef() and settle(). Ids are whole numbers;
every record has its vector and one whole number `part`, which filters compare. Vectors are compared
by cosine, graphs have 16 links and 128 candidates while they are built where a database lets one
say so. Clients import their packages when they are made, so that only what is used must be there.
"""

import ctypes
import itertools
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "eval"))
START_S = 180
STOP_S = 60
PR_SET_PDEATHSIG = 1
LINKS, EF_CONSTRUCTION = 16, 128
EFS = (16, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024)
MILVUS = """
import pathlib, sys, time
from milvus import MilvusServer, MilvusServerConfig
import milvus
folder, port = pathlib.Path(sys.argv[1]), int(sys.argv[2])
given = pathlib.Path(milvus.__file__).parent / "data" / "config.yaml.template"
template = folder.parent / "milvus.yaml.template"
# Without an address it listens on the first one of the machine.
template.write_text(given.read_text().replace("\\nproxy:\\n", "\\nproxy:\\n  ip: 127.0.0.1\\n"))
config = MilvusServerConfig(template=str(template), proxy_port=port)
config.glog_conf_file = str(given.parent / "glog.conf")  # forgotten by it with another template
server = MilvusServer(config)
server.set_base_dir(str(folder))
server.start()
(folder.parent / "ready").touch()
while True:
    time.sleep(1)
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_port(port, process):
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.01)
    raise RuntimeError(f"the server does not listen after {START_S} s")


def tree_of(pid):
    """The process and all that it started."""
    children = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                children.setdefault(int(stat[1]), []).append(int(entry.name))
            except (OSError, IndexError):
                continue
    found = [pid]
    for parent in found:
        found += children.get(parent, [])
    return found


def send(pids, number):
    """Sends a signal; how many processes were there to get it."""
    got = 0
    for pid in pids:
        try:
            os.kill(pid, number)
            got += 1
        except OSError:
            continue
    return got


def end_with_parent():
    """In a new process: told to end when the benchmark ends, however that is."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def usage(pid):
    """What a process and those it started take: processor seconds, memory, threads, files."""
    out = {"cpu_s": 0.0, "rss": 0, "anonymous": 0, "threads": 0, "files": 0}
    for each in tree_of(pid):
        folder = pathlib.Path(f"/proc/{each}")
        try:
            stat = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            out["cpu_s"] += (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
            lines = dict(line.split(":", 1) for line in
                         (folder / "status").read_text().splitlines() if ":" in line)
            out["rss"] += int(lines.get("VmRSS", "0 kB").split()[0]) * 1024
            out["anonymous"] += int(lines.get("RssAnon", "0 kB").split()[0]) * 1024
            out["threads"] += int(lines.get("Threads", "0"))
            out["files"] += len(list((folder / "fd").iterdir()))
        except (OSError, IndexError):
            continue
    return out


class Server:
    """One engine: `spec` is what a client needs, `pid` None if it lives in the client."""

    pid = None
    embedded = False

    def __init__(self, args, folder):
        self.args = args
        self.data = pathlib.Path(folder).resolve() / "data"
        self.log_path = self.data.parent / "server.log"
        self._process = None

    def wipe(self):
        shutil.rmtree(self.data.parent, ignore_errors=True)

    def start(self):
        """Seconds until the server takes calls."""
        self.data.mkdir(parents=True, exist_ok=True)
        begin = time.perf_counter()
        self._start()
        return time.perf_counter() - begin

    def _run(self, command, env=None, stdout=None):
        log = open(self.log_path, "ab")
        self._process = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=stdout or log,
            stderr=log, env=env, cwd=self.data.parent, preexec_fn=end_with_parent)
        log.close()
        self.pid = self._process.pid

    def _run_at_port(self, command, env=None):
        port = free_port()
        self._run([part if part != "PORT" else port for part in command], env)
        wait_for_port(port, self._process)
        return port

    def stop(self):
        """Ends the server, and what it may have left behind."""
        if self._process is None:
            return
        tree = tree_of(self.pid)
        send(tree, signal.SIGTERM)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        end = time.monotonic() + STOP_S
        while send(tree[1:], 0) and time.monotonic() < end:
            time.sleep(0.1)
        send(tree[1:], signal.SIGKILL)
        self._process = self.pid = None


class Ragstone(Server):
    name = "ragstone"

    def _start(self):
        # Short: a path of a socket has at most 107 bytes.
        self._runtime = tempfile.TemporaryDirectory(prefix="ragstone_bench_")
        env = {key: value for key, value in os.environ.items()
               if not key.startswith(("RAGSTONE_", "XDG_"))}
        self._run([self.args.ragstone, "serve", "--json", "--grpc-listen", "127.0.0.1:0",
                   "--data-dir", self.data, "--models-dir", self.data.parent / "models",
                   *self.args.ragstone_options],
                  {**env, "XDG_RUNTIME_DIR": self._runtime.name}, stdout=subprocess.PIPE)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"ragstone did not start: {self.log_path.read_text()[-2000:]}")
        token = (self.data / "token").read_text().strip()
        self.spec = ("RagstoneClient", {"address": json.loads(line)["grpc"], "token": token,
                                        "stubs": str(pathlib.Path(self.args.work).resolve())})


class ChromaServer(Server):
    name = "chromadb server"

    def _start(self):
        program = pathlib.Path(sys.executable).parent / "chroma"
        port = self._run_at_port([program, "run", "--path", self.data, "--host", "127.0.0.1",
                                  "--port", "PORT"],
                                 {**os.environ, "ANONYMIZED_TELEMETRY": "False"})
        self.spec = ("ChromaClient", {"port": port})


class ChromaEmbedded(Server):
    """In the client's process: several clients are threads of it."""

    name = "chromadb embedded"
    embedded = True

    def _start(self):
        self.spec = ("ChromaClient", {"path": str(self.data)})


class MilvusLite(Server):
    name = "milvus-lite"

    def _start(self):
        program = pathlib.Path(sys.executable).parent / "milvus-lite"
        port = self._run_at_port([program, "server", "--data-dir", self.data, "--host",
                                  "127.0.0.1", "--port", "PORT", "--max-workers", "64"])
        self.spec = ("MilvusClient", {"port": port, "consistency": self.args.consistency})


class MilvusStandalone(Server):
    """The server inside the package `milvus`, from the environment of --milvus-python."""

    name = "milvus standalone"

    def _start(self):
        ready = self.data.parent / "ready"
        ready.unlink(missing_ok=True)
        port = self._run_at_port([self.args.milvus_python, "-c", MILVUS, self.data, "PORT"])
        end = time.monotonic() + START_S
        while not ready.exists():  # it listens before it works
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"it did not start within {START_S} s")
            time.sleep(0.1)
        self.spec = ("MilvusClient", {"port": port, "consistency": self.args.consistency})


SERVERS = (Ragstone, ChromaServer, ChromaEmbedded, MilvusLite, MilvusStandalone)


class RagstoneClient:
    # 0: as many candidates as the collection's target recall asks for.
    efs = (0, *EFS)

    def __init__(self, address, token, stubs):
        import stubs as generated
        generated.load(stubs)
        import grpc
        from ragstone.v1 import types_pb2, vector_pb2, vector_pb2_grpc
        self._t, self._v = types_pb2, vector_pb2
        channel = grpc.insecure_channel(address, options=[
            ("grpc.max_receive_message_length", 64 << 20),
            ("grpc.use_local_subchannel_pool", 1)])
        self._stub = vector_pb2_grpc.VectorServiceStub(channel)
        self._call = {"metadata": [("authorization", f"Bearer {token}")], "timeout": 600}
        self._ef = 0

    def create(self, name, dimensions):
        self._stub.CreateRecordCollection(self._v.CreateRecordCollectionRequest(
            spec=self._v.RecordCollectionSpec(
                name=name, vectors=[self._v.VectorField(dimensions=dimensions)],
                fields=[self._v.PayloadField(name="part", type=self._v.FIELD_TYPE_INTEGER)])),
            **self._call)

    def drop(self, name):
        self._stub.DropRecordCollection(self._v.DropRecordCollectionRequest(name=name),
                                        **self._call)

    def upsert(self, name, ids, rows, parts):
        self._stub.UpsertRecords(self._v.UpsertRecordsRequest(collection=name, records=[
            self._v.Record(
                id=str(identifier),
                vectors={"": self._v.Vector(dense=self._v.DenseVector(values=row))},
                payload={"part": self._t.PayloadValue(integer_value=int(part))})
            for identifier, row, part in zip(ids, rows, parts)]), **self._call)

    def search(self, name, vector, top_k, below=None):
        query = self._v.RecordQuery(
            vector=self._v.Vector(dense=self._v.DenseVector(values=vector)), top_k=top_k,
            ef=self._ef, read=self._v.RecordReadOptions(without_payload=True))
        if below is not None:
            query.filter.expression = f"part < {below}"
        found = self._stub.SearchRecords(
            self._v.SearchRecordsRequest(collection=name, query=query), **self._call)
        return [int(hit.record.id) for hit in found.hits]

    def set_ef(self, name, ef):
        self._ef = ef

    def settle(self, name):
        found = self._stub.GetRecordCollection(self._v.GetRecordCollectionRequest(name=name),
                                               **self._call)
        return "; ".join(found.collection.index)


class ChromaClient:
    efs = EFS
    batch_max = 5000

    def __init__(self, port=None, path=None):
        import chromadb
        settings = chromadb.Settings(anonymized_telemetry=False)
        if path is None:
            self._client = chromadb.HttpClient("127.0.0.1", port, settings=settings)
        else:
            self._client = chromadb.PersistentClient(path, settings=settings)
        self._open = {}

    def _of(self, name):
        if name not in self._open:
            self._open[name] = self._client.get_collection(name, embedding_function=None)
        return self._open[name]

    def create(self, name, dimensions):
        self._client.create_collection(name, embedding_function=None, configuration={
            "hnsw": {"space": "cosine", "max_neighbors": LINKS,
                     "ef_construction": EF_CONSTRUCTION}})

    def drop(self, name):
        self._client.delete_collection(name)
        self._open.pop(name, None)

    def upsert(self, name, ids, rows, parts):
        self._of(name).upsert(ids=[str(identifier) for identifier in ids], embeddings=rows,
                              metadatas=[{"part": int(part)} for part in parts])

    def search(self, name, vector, top_k, below=None):
        where = None if below is None else {"part": {"$lt": int(below)}}
        found = self._of(name).query(query_embeddings=[vector], n_results=top_k, where=where,
                                     include=[])
        return [int(identifier) for identifier in found["ids"][0]]

    def set_ef(self, name, ef):
        self._of(name).modify(configuration={"hnsw": {"ef_search": ef}})
        self._open.pop(name)

    def settle(self, name):
        return f"{self._of(name).count()} records"


class MilvusClient:
    efs = EFS

    def __init__(self, port, consistency):
        import pymilvus
        self._consistency = consistency
        self._pymilvus = pymilvus
        self._client = pymilvus.MilvusClient(f"http://127.0.0.1:{port}", timeout=600)
        self._ef = EFS[0]

    def create(self, name, dimensions):
        types = self._pymilvus.DataType
        schema = self._pymilvus.MilvusClient.create_schema(auto_id=False)
        schema.add_field("id", types.INT64, is_primary=True)
        schema.add_field("vector", types.FLOAT_VECTOR, dim=dimensions)
        schema.add_field("part", types.INT64)
        index = self._client.prepare_index_params()
        index.add_index("vector", index_type="HNSW", metric_type="COSINE",
                        params={"M": LINKS, "efConstruction": EF_CONSTRUCTION})
        self._client.create_collection(name, schema=schema, index_params=index,
                                       consistency_level=self._consistency)
        self._client.load_collection(name)

    def drop(self, name):
        self._client.drop_collection(name)

    def upsert(self, name, ids, rows, parts):
        self._client.upsert(name, [
            {"id": int(identifier), "vector": row.tolist(), "part": int(part)}
            for identifier, row, part in zip(ids, rows, parts)])

    def search(self, name, vector, top_k, below=None):
        found = self._client.search(
            name, [vector.tolist()], limit=top_k, anns_field="vector",
            filter="" if below is None else f"part < {below}",
            search_params={"params": {"ef": max(self._ef, top_k)}})
        return [hit["id"] for hit in found[0]]

    def set_ef(self, name, ef):
        self._ef = ef

    def settle(self, name):
        self._client.flush(name)
        return str(self._client.get_collection_stats(name))


CLIENTS = {client.__name__: client for client in (RagstoneClient, ChromaClient, MilvusClient)}


def connect(spec):
    name, settings = spec
    return CLIENTS[name](**settings)


def batches(begin, end, size):
    """(begin, end) of pieces of a range."""
    return itertools.pairwise([*range(begin, end, size), end])
