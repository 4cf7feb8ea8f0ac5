#!/usr/bin/env python3
"""Adds a PDF to a running Ragstone server over gRPC, searches it and asks a question about it.

Prints one JSON object on stdout and progress on stderr. The README beside it says how to run it.
"""

import argparse
import json
import pathlib
import sys
import uuid

import grpc

from client import add_server_arguments, error_json, read_token
from ragstone.v1 import (answer_pb2, answer_pb2_grpc, document_pb2, document_pb2_grpc, search_pb2,
                         search_pb2_grpc, types_pb2)

PIECE_BYTES = 1 << 20  # the largest piece that AddDocument takes
ADD_TIMEOUT_S, SEARCH_TIMEOUT_S, ASK_TIMEOUT_S = 900, 60, 300
MODES = {"hybrid": types_pb2.SEARCH_MODE_HYBRID, "vector": types_pb2.SEARCH_MODE_VECTOR,
         "keyword": types_pb2.SEARCH_MODE_KEYWORD}
STYLES = {"short": answer_pb2.ANSWER_STYLE_SHORT, "full": answer_pb2.ANSWER_STYLE_FULL}


class Client:
    """The calls of this example over one channel, each with the bearer token and a deadline."""

    def __init__(self, address, token):
        self._channel = grpc.insecure_channel(address)
        self._metadata = [("authorization", f"Bearer {token}")] if token else []
        self._documents = document_pb2_grpc.DocumentServiceStub(self._channel)
        self._search = search_pb2_grpc.SearchServiceStub(self._channel)
        self._answers = answer_pb2_grpc.AnswerServiceStub(self._channel)

    def close(self):
        self._channel.close()

    def add(self, collection, path, on_progress):
        """Streams the file and returns (document, unchanged) when it can be searched."""
        def parts():
            yield document_pb2.AddDocumentRequest(start=document_pb2.AddDocumentStart(
                collection=collection, create_collection=True, source=str(path.resolve()),
                request_id=str(uuid.uuid4())))
            with open(path, "rb") as file:
                while piece := file.read(PIECE_BYTES):
                    yield document_pb2.AddDocumentRequest(data=piece)

        for event in self._documents.AddDocument(parts(), metadata=self._metadata,
                                                 timeout=ADD_TIMEOUT_S):
            if event.HasField("progress"):
                on_progress(event.progress)
            elif event.HasField("finished"):
                return event.finished.document, event.finished.unchanged
        raise RuntimeError("the server ended the call without an outcome")

    def search(self, collection, query, top_k, mode):
        response = self._search.Search(
            search_pb2.SearchRequest(collection=collection, query=query, top_k=top_k,
                                     mode=MODES[mode]),
            metadata=self._metadata, timeout=SEARCH_TIMEOUT_S)
        return response.passages

    def ask(self, collection, question, style, on_token):
        """Streams the answer to `on_token` and returns (evidence, final)."""
        evidence, final = [], None
        request = answer_pb2.AskRequest(collection=collection, question=question,
                                        style=STYLES[style])
        for event in self._answers.Ask(request, metadata=self._metadata, timeout=ASK_TIMEOUT_S):
            kind = event.WhichOneof("event")
            if kind == "evidence":
                evidence = list(event.evidence.passages)
            elif kind == "token":
                on_token(event.token)
            elif kind == "final":
                final = event.final
        if final is None:
            raise RuntimeError("the server ended the answer without a final event")
        return evidence, final


def passage_json(passage):
    return {"document": passage.document_id, "path": passage.path, "page": passage.page,
            "page_label": passage.page_label, "chunk": passage.chunk, "score": passage.score,
            "text": passage.text}


def answer_json(evidence, final):
    return {"answer": final.answer, "short_answer": final.short_answer,
            "answered": final.answered, "model": final.model,
            "citations": [{"n": c.n, "document": c.document_id, "path": c.path, "page": c.page,
                           "quote": c.quote} for c in final.citations],
            "evidence": [passage_json(passage) for passage in evidence],
            "timings_ms": dict(final.timings.ms)}


def run(client, arguments):
    def on_progress(job):
        print(f"{job.stage}: page {job.pages_done}/{job.pages_total}, "
              f"chunk {job.chunks_done}/{job.chunks_total}", file=sys.stderr)

    def on_token(token):
        print(token, end="", file=sys.stderr, flush=True)

    out = {}
    if arguments.add:
        document, unchanged = client.add(arguments.collection, arguments.add, on_progress)
        out["document"] = {"id": document.id, "path": document.path, "pages": document.pages,
                           "chunks": document.chunks, "status": document.status,
                           "unchanged": unchanged}
    if arguments.search:
        out["hits"] = [passage_json(passage) for passage in client.search(
            arguments.collection, arguments.search, arguments.top_k, arguments.mode)]
    if arguments.ask:
        evidence, final = client.ask(arguments.collection, arguments.ask, arguments.style, on_token)
        print(file=sys.stderr)
        out["answer"] = answer_json(evidence, final)
    return out


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    add_server_arguments(parser)
    parser.add_argument("--no-token", action="store_true", help="send no token, to see the refusal")
    parser.add_argument("--collection", default="default")
    parser.add_argument("--add", type=pathlib.Path, metavar="FILE", help="add this document first")
    parser.add_argument("--search", metavar="QUERY", help="find passages")
    parser.add_argument("--top-k", type=int, default=5)
    parser.add_argument("--mode", choices=sorted(MODES), default="hybrid")
    parser.add_argument("--ask", metavar="QUESTION", help="ask a question")
    parser.add_argument("--style", choices=sorted(STYLES), default="full")
    arguments = parser.parse_args()
    if not (arguments.add or arguments.search or arguments.ask):
        parser.error("give at least one of --add, --search and --ask")
    return arguments


def main():
    arguments = parse_arguments()
    token = "" if arguments.no_token else read_token(arguments.data_dir)
    client = Client(arguments.address, token)
    try:
        print(json.dumps(run(client, arguments), indent=2, ensure_ascii=False))
    except grpc.RpcError as error:
        print(json.dumps(error_json(error), ensure_ascii=False))
        return 1
    finally:
        client.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
