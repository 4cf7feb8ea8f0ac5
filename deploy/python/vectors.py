#!/usr/bin/env python3
"""Keeps vectors of your own in a running Ragstone server: creates a collection, writes records in a
stream, searches with a filter, and reads everything back page by page.

The vectors here are letter counts, so that the example needs no model; yours come from one. Prints
one JSON object on stdout. The README beside it says how to run it.
"""

import argparse
import json
import sys

import grpc

from client import add_server_arguments, error_json, read_token
from ragstone.v1 import types_pb2, vector_pb2, vector_pb2_grpc

LETTERS = "abcdefghijklmnopqrstuvwxyz"
TIMEOUT_S = 60
ARTICLES = [
    ("pump", "How to bleed a pump", 2021, "en"), ("pumpe", "Eine Pumpe entlüften", 2023, "de"),
    ("valve", "The relief valve", 2019, "en"), ("oil", "Changing the oil of the pump", 2024, "en"),
]


def embed(text):
    """A vector of 26 numbers; put your model here."""
    return [float(text.lower().count(letter)) for letter in LETTERS]


def record(identifier, title, year, lang):
    return vector_pb2.Record(
        id=identifier,
        vectors={"title": vector_pb2.Vector(dense=vector_pb2.DenseVector(values=embed(title)))},
        payload={"title": types_pb2.PayloadValue(string_value=title),
                 "year": types_pb2.PayloadValue(integer_value=year),
                 "lang": types_pb2.PayloadValue(string_value=lang)})


class Records:
    """VectorService over one channel, with the bearer token and a deadline for each call."""

    def __init__(self, address, token):
        # Search results may be larger than the 4 MiB that gRPC takes otherwise.
        self._channel = grpc.insecure_channel(
            address, options=[("grpc.max_receive_message_length", 64 << 20)])
        self._stub = vector_pb2_grpc.VectorServiceStub(self._channel)
        self._call = {"metadata": [("authorization", f"Bearer {token}")], "timeout": TIMEOUT_S}

    def close(self):
        self._channel.close()

    def create(self, name):
        spec = vector_pb2.RecordCollectionSpec(
            name=name,
            vectors=[vector_pb2.VectorField(name="title", dimensions=len(LETTERS))],
            fields=[vector_pb2.PayloadField(name="title", type=vector_pb2.FIELD_TYPE_TEXT),
                    vector_pb2.PayloadField(name="year", type=vector_pb2.FIELD_TYPE_INTEGER),
                    vector_pb2.PayloadField(name="lang", type=vector_pb2.FIELD_TYPE_KEYWORD)])
        request = vector_pb2.CreateRecordCollectionRequest(spec=spec)
        return self._stub.CreateRecordCollection(request, **self._call).collection

    def drop(self, name):
        self._stub.DropRecordCollection(vector_pb2.DropRecordCollectionRequest(name=name),
                                        **self._call)

    def write(self, name, batches):
        """Sends the batches; each is durable and searchable when its acknowledgement comes."""
        requests = (vector_pb2.UpsertRecordStreamRequest(collection=name, records=batch)
                    for batch in batches)
        return [(ack.batch, ack.affected)
                for ack in self._stub.UpsertRecordStream(requests, **self._call)]

    def search(self, name, vector, top_k, filter_text):
        query = vector_pb2.RecordQuery(
            vector_name="title", top_k=top_k, filter=types_pb2.Filter(expression=filter_text),
            vector=vector_pb2.Vector(dense=vector_pb2.DenseVector(values=vector)))
        request = vector_pb2.SearchRecordsRequest(collection=name, query=query)
        return self._stub.SearchRecords(request, **self._call).hits

    def all(self, name):
        request = vector_pb2.ScrollRecordsRequest(collection=name, page_size=2)
        while True:
            page = self._stub.ScrollRecords(request, **self._call)
            yield from page.records
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token


def run(records, name, query, filter_text):
    out = {"collection": records.create(name).spec.name}
    items = [record(*article) for article in ARTICLES]
    out["written"] = records.write(name, [items[:2], items[2:]])
    out["hits"] = [{"id": hit.record.id, "score": round(hit.score, 4),
                    "title": hit.record.payload["title"].string_value}
                   for hit in records.search(name, embed(query), 3, filter_text)]
    out["all"] = [item.id for item in records.all(name)]
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    add_server_arguments(parser)
    parser.add_argument("--collection", default="articles-example")
    parser.add_argument("--query", default="pump oil")
    parser.add_argument("--filter", default='year >= 2020 and lang = "en"')
    parser.add_argument("--keep", action="store_true", help="keep the collection at the end")
    arguments = parser.parse_args()
    records = Records(arguments.address, read_token(arguments.data_dir))
    try:
        print(json.dumps(run(records, arguments.collection, arguments.query, arguments.filter),
                         indent=2, ensure_ascii=False))
        if not arguments.keep:
            records.drop(arguments.collection)
    except grpc.RpcError as error:
        print(json.dumps(error_json(error), ensure_ascii=False))
        return 1
    finally:
        records.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
