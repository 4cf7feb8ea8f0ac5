"""Talks to a Ragstone server over gRPC, and starts one."""

import contextlib
import os
import pathlib
import socket
import subprocess
import time

import grpc

import stubs

# A stream that says nothing for this long is taken for hung; adding a large PDF shows progress.
CALL_TIMEOUT_S = 900


class RagstoneError(Exception):
    """An error of the service: canonical code, stable reason, message."""

    def __init__(self, code, reason, message):
        super().__init__(f"{code} ({reason}): {message}")
        self.code, self.reason, self.message = code, reason, message


def _as_error(error):
    reason = ""
    errors_pb2 = stubs.module("ragstone.v1.errors_pb2")
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            with contextlib.suppress(Exception):
                status = errors_pb2.ErrorStatus.FromString(value)
                reason = errors_pb2.ErrorInfo.FromString(status.details[0].value).reason
    return RagstoneError(error.code().name, reason, error.details() or "")


class Client:
    """One connection; methods may be called from many threads."""

    def __init__(self, address, token):
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        self._channel = grpc.insecure_channel(
            address, options=[("grpc.max_receive_message_length", 64 << 20)])
        self._stubs, self.pb = {}, {}
        for file in ("admin", "answer", "collection", "document", "search", "model"):
            service = file.capitalize()
            pb = stubs.module(f"ragstone.v1.{file}_pb2")
            rpc = stubs.module(f"ragstone.v1.{file}_pb2_grpc")
            self.pb[file] = pb
            self._stubs[file] = getattr(rpc, f"{service}ServiceStub")(self._channel)

    def close(self):
        self._channel.close()

    def _call(self, service, method, request, timeout=CALL_TIMEOUT_S):
        try:
            return getattr(self._stubs[service], method)(
                request, timeout=timeout, metadata=self._metadata)
        except grpc.RpcError as error:
            raise _as_error(error) from None

    def status(self, timeout=10):
        return self._call("admin", "GetStatus", self.pb["admin"].GetStatusRequest(), timeout)

    def models(self):
        return list(self._call("model", "ListModels", self.pb["model"].ListModelsRequest()).models)

    def collection_info(self, name):
        """The collection, or None."""
        try:
            return self._call("collection", "GetCollection",
                              self.pb["collection"].GetCollectionRequest(name=name)).collection
        except RagstoneError as error:
            if error.code == "NOT_FOUND":
                return None
            raise

    def documents(self, collection):
        """All documents of a collection; none if it is missing."""
        token = ""
        if self.collection_info(collection) is None:
            return
        while True:
            page = self._call("document", "ListDocuments", self.pb["document"].ListDocumentsRequest(
                collection=collection, page_size=1000, page_token=token))
            yield from page.documents
            token = page.next_page_token
            if not token:
                return

    def add(self, collection, source, data, media_type="", retries=60):
        """Adds bytes under a name and waits until they can be searched; returns the document."""
        for attempt in range(retries):
            try:
                return self._add_once(collection, source, data, media_type)
            except RagstoneError as error:
                # A full queue is the server's way of saying "later".
                if error.reason != "QUEUE_FULL" or attempt + 1 == retries:
                    raise
                time.sleep(0.5)
        raise AssertionError("unreachable")

    def _add_once(self, collection, source, data, media_type):
        pb = self.pb["document"]

        def requests():
            yield pb.AddDocumentRequest(start=pb.AddDocumentStart(
                collection=collection, create_collection=True, source=source,
                media_type=media_type))
            for begin in range(0, len(data), 1 << 20):
                yield pb.AddDocumentRequest(data=data[begin:begin + (1 << 20)])

        try:
            for event in self._stubs["document"].AddDocument(
                    requests(), timeout=CALL_TIMEOUT_S, metadata=self._metadata):
                if event.WhichOneof("event") == "finished":
                    return event.finished.document
        except grpc.RpcError as error:
            raise _as_error(error) from None
        raise RagstoneError("INTERNAL", "", f"adding {source} ended without a result")

    def search(self, collection, query, top_k=10, mode="hybrid"):
        types = stubs.module("ragstone.v1.types_pb2")
        return self._call("search", "Search", self.pb["search"].SearchRequest(
            collection=collection, query=query, top_k=top_k,
            mode=getattr(types, f"SEARCH_MODE_{mode.upper()}")))

    def ask(self, question, collection="", attachments=(), style="short", mode="hybrid", top_k=0):
        """Returns (evidence passages, final event, milliseconds to the first token)."""
        types = stubs.module("ragstone.v1.types_pb2")
        pb = self.pb["answer"]
        request = pb.AskRequest(
            collection=collection, question=question, attachments=list(attachments), top_k=top_k,
            style=getattr(pb, f"ANSWER_STYLE_{style.upper()}"),
            mode=getattr(types, f"SEARCH_MODE_{mode.upper()}"))
        evidence, final, first_ms = [], None, None
        begin = time.monotonic()
        try:
            for event in self._stubs["answer"].Ask(request, timeout=CALL_TIMEOUT_S,
                                                   metadata=self._metadata):
                kind = event.WhichOneof("event")
                if kind == "evidence":
                    evidence = list(event.evidence.passages)
                elif kind == "token" and first_ms is None:
                    first_ms = (time.monotonic() - begin) * 1000
                elif kind == "final":
                    final = event.final
        except grpc.RpcError as error:
            raise _as_error(error) from None
        if final is None:
            raise RagstoneError("INTERNAL", "", "an answer ended without its final event")
        return evidence, final, first_ms


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def served(ragstone, data_dir, serve_args=(), start_timeout_s=120):
    """Runs `ragstone serve` on a free loopback port; yields (client, process)."""
    data_dir = pathlib.Path(data_dir).resolve()
    data_dir.mkdir(parents=True, exist_ok=True)
    address = f"127.0.0.1:{_free_port()}"
    log_path = data_dir.parent / f"{data_dir.name}.serve.log"
    with open(log_path, "ab") as log:
        process = subprocess.Popen(
            [str(ragstone), "serve", "--data-dir", str(data_dir), "--grpc-listen", address,
             *serve_args], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    client = None
    try:
        client = _wait_for(address, data_dir, process, start_timeout_s, log_path)
        yield client, process
    finally:
        if client:
            client.close()
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(address, data_dir, process, timeout_s, log_path):
    deadline = time.monotonic() + timeout_s
    last = "no token file yet"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            tail = log_path.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"ragstone serve ended with {process.returncode}; "
                               f"end of {log_path}:\n{tail}")
        token_file = data_dir / "token"
        if token_file.exists():
            client = Client(address, token_file.read_text().strip())
            try:
                client.status(timeout=5)
                return client
            except RagstoneError as error:
                last = str(error)
                client.close()
        time.sleep(0.1)
    raise RuntimeError(f"ragstone serve did not answer on {address} within {timeout_s} s: {last}; "
                       f"see {log_path}")


def tree(pid):
    """Process ids of a process and all its descendants."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, IndexError, ValueError):
                stat = pathlib.Path("/proc", entry, "stat").read_text()
                parent = int(stat.rsplit(")", 1)[1].split()[1])
                children.setdefault(parent, []).append(int(entry))
    found, waiting = [], [pid]
    while waiting:
        one = waiting.pop()
        found.append(one)
        waiting += children.get(one, [])
    return found


def peak_memory(pid):
    """(command name, highest resident bytes) of a process, or None if it is gone."""
    with contextlib.suppress(OSError):
        fields = dict(line.split(":", 1)
                      for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
                      if ":" in line)
        command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        name = os.path.basename(command[0].decode(errors="replace")) or fields["Name"].strip()
        if b"--role" in command:
            name += " " + command[command.index(b"--role") + 1].decode(errors="replace")
        if "VmHWM" in fields:
            return name, int(fields["VmHWM"].split()[0]) * 1024
    return None
