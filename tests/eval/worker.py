"""Starts a `ragstone-model-*` worker the way `ragstone` does, and talks its own protocol."""

import contextlib
import os
import pathlib
import select
import subprocess
import tempfile
import time

import grpc

import stubs


@contextlib.contextmanager
def started(executable, role, model, extra=(), timeout_s=120):
    """Runs a worker on a Unix socket; yields its channel and its process.

    The worker writes 'R' to the ready descriptor once it listens, or "E<REASON> <message>".
    """
    with tempfile.TemporaryDirectory(prefix="ragstone-worker-") as folder:
        socket = pathlib.Path(folder) / "worker.sock"
        reader, writer = os.pipe()
        command = [str(executable), "--role", role, "--socket", str(socket), "--parent",
                   str(os.getpid()), "--ready-fd", str(writer), "--model", str(model), *extra]
        process = subprocess.Popen(command, pass_fds=[writer], stdin=subprocess.DEVNULL)
        os.close(writer)
        try:
            _wait_until_ready(reader, process, command, timeout_s)
            with grpc.insecure_channel(
                    f"unix:{socket}",
                    options=[("grpc.max_receive_message_length", 64 << 20)]) as channel:
                yield channel, process
        finally:
            os.close(reader)
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_until_ready(reader, process, command, timeout_s):
    deadline = time.monotonic() + timeout_s
    said = b""
    while time.monotonic() < deadline:
        readable, _, _ = select.select([reader], [], [], 0.2)
        if readable:
            piece = os.read(reader, 4096)
            said += piece
            if said[:1] == b"R":
                return
            if not piece:
                break
        if process.poll() is not None and not readable:
            break
    raise RuntimeError(f"the worker did not get ready: {said.decode(errors='replace')!r}, exit "
                       f"status {process.poll()}; command: {' '.join(command)}")


class Embedder:
    """Vectors of token ids."""

    def __init__(self, channel):
        self._pb = stubs.module("ragstone.worker.v1.embedder_pb2")
        self._stub = stubs.module("ragstone.worker.v1.embedder_pb2_grpc").EmbedderStub(channel)

    def info(self):
        return self._stub.GetInfo(self._pb.GetEmbedderInfoRequest(), timeout=60)

    def embed(self, texts):
        """One list of floats for each list of token ids."""
        request = self._pb.EmbedRequest(
            texts=[self._pb.TokenSequence(ids=list(ids)) for ids in texts])
        reply = self._stub.Embed(request, timeout=600)
        size = reply.dimensions
        values = list(reply.values)
        return [values[i:i + size] for i in range(0, len(values), size)]


class Generator:
    """Continuations of prompts."""

    def __init__(self, channel):
        self._pb = stubs.module("ragstone.worker.v1.generator_pb2")
        self._stub = stubs.module("ragstone.worker.v1.generator_pb2_grpc").GeneratorStub(channel)

    def info(self):
        return self._stub.GetInfo(self._pb.GetGeneratorInfoRequest(), timeout=60)

    def count(self, texts):
        return list(self._stub.CountTokens(self._pb.CountTokensRequest(texts=texts),
                                           timeout=60).counts)

    def generate(self, text, tokens_max):
        """Returns (generated text, the final event)."""
        request = self._pb.GenerateRequest(prompt=[self._pb.PromptPart(text=text)],
                                           tokens_max=tokens_max)
        pieces, done = [], None
        for event in self._stub.Generate(request, timeout=600):
            if event.WhichOneof("event") == "text":
                pieces.append(event.text)
            else:
                done = event.done
        return "".join(pieces), done
