#!/usr/bin/env python3
"""VectorService's limits and rarer options over gRPC against the real server.

| RPC                    | option or error                   | case                               |
|------------------------|-----------------------------------|------------------------------------|
| CreateRecordCollection | 17 vectors, 257 fields, history,  | descriptions_have_limits           |
|                        | target_recall; unindexed          | fields_without_an_index_…          |
| CreateRecord…, Drop…   | request_id of another request     | request_ids_of_collections_…       |
| UpsertRecordStream     | if_versions                       | a_stream_may_be_conditional        |
|                        | cancellation                      | a_cancelled_stream_keeps_…         |
|                        | back-pressure                     | a_stream_is_read_as_fast_as_…      |
| GetRecords, Search…    | 10,001 ids; more than 48 MiB      | too_large_responses_are_refused    |
| ScrollRecords          | page_size, page_token, as_of      | scrolling_refuses_…                |
| UpdatePayload          | request_id; if_versions, filter   | a_repeated_update_…                |
| RecommendRecords       | filter, group_by, vector_name,    | recommendations_take_…             |
|                        | score_limit; unknown example      |                                    |
| SearchRecordBatch      | names the query that is wrong     | a_batch_names_the_query_…          |
| filters                | 33 levels, 1,025 conditions       | filters_have_limits                |
| all writes             | during a drop                     | writes_end_when_a_collection_…     |

Runs in the virtual environment of the example client, $RAGSTONE_VENV, or is skipped without it.
"""

import threading
import unittest

from vector_client import (Failure, dense, grpc, ids_of, one_of, plain, record, t, text_filter, v,
                           value)
from vector_service_case import DIMENSIONS, VectorServiceCase


class VectorLimitsTest(VectorServiceCase):

    # --- collections
    def test_descriptions_have_limits(self):
        def create(vectors=None, fields=(), **spec):
            self.api.CreateRecordCollection(spec=v.RecordCollectionSpec(
                name="limits", vectors=vectors or [v.VectorField(dimensions=2)],
                fields=fields, **spec))

        named = [v.VectorField(name=f"v{i}", dimensions=2) for i in range(17)]
        limit = "LIMIT_EXCEEDED"
        self.refused_input(lambda: create(named), "17", "16", reason=limit)
        self.refused_input(lambda: create(named[:9], sparse_vectors=[
            v.SparseField(name=f"s{i}") for i in range(8)]), "17", "16", reason=limit)
        fields = [v.PayloadField(name=f"f{i}", type=v.FIELD_TYPE_INTEGER) for i in range(257)]
        self.refused_input(lambda: create(fields=fields), "257", "256", reason=limit)
        self.refused_input(lambda: create([v.VectorField(dimensions=8193)]), "8192")
        self.refused_input(lambda: create([v.VectorField()]), "dimensions")
        for recall in (0.4, 1.1, -1, float("nan")):
            self.refused_input(
                lambda: create([v.VectorField(dimensions=2, target_recall=recall)]),
                "target_recall")
        self.refused_input(lambda: create(history_seconds=11 * 366 * 86400), "history",
                           reason=limit)
        create(named[:16], fields[:256], history_seconds=10 * 366 * 86400)
        made = self.api.GetRecordCollection(name="limits").collection
        self.assertEqual((len(made.spec.vectors), len(made.spec.fields), len(made.index)),
                         (16, 256, 16))

    def test_fields_without_an_index_are_read_from_payloads(self):
        name = "unindexed"
        self.api.CreateRecordCollection(spec=v.RecordCollectionSpec(
            name=name, vectors=[v.VectorField(dimensions=DIMENSIONS)],
            fields=[v.PayloadField(name="year", type=v.FIELD_TYPE_INTEGER, unindexed=True)]))
        self.api.UpsertRecords(collection=name, records=[
            record(f"{i:03d}", self.vector(), year=i % 5) for i in range(100)])
        self.assertTrue(self.api.GetRecordCollection(name=name).collection.spec.fields[0].unindexed)
        self.assertEqual(self.api.CountRecords(
            collection=name, filter=text_filter("year = 3")).count, 20)
        self.assertEqual(len(self.search(name, self.vector(), top_k=100,
                                         filter=text_filter("year >= 3"))), 40)
        hits = self.search(name, self.vector(), group_by="year", group_size=2)
        self.assertEqual(len(hits), 10)
        self.assertEqual({hit.group for hit in hits}, set("01234"))

    def test_request_ids_of_collections_are_for_one_request(self):
        spec = v.RecordCollectionSpec(name="requests", vectors=[v.VectorField(dimensions=2)])
        self.api.CreateRecordCollection(spec=spec, request_id="request")
        other = v.RecordCollectionSpec(name="others", vectors=[v.VectorField(dimensions=2)])
        self.refused("ALREADY_EXISTS", "REQUEST_ID_REUSED",
                     lambda: self.api.CreateRecordCollection(spec=other, request_id="request"))
        self.api.DropRecordCollection(name="requests", request_id="request")
        self.refused("ALREADY_EXISTS", "REQUEST_ID_REUSED",
                     lambda: self.api.DropRecordCollection(name="others", request_id="request"))
        # A new collection of the name is not what the repeated request is about.
        self.api.CreateRecordCollection(spec=spec)
        self.restart(kill=True)
        self.api.DropRecordCollection(name="requests", request_id="request")
        self.assertEqual(self.api.GetRecordCollection(name="requests").collection.spec.name,
                         "requests")
        for call in (lambda: self.api.CreateRecordCollection(spec=other, request_id="x" * 129),
                     lambda: self.api.DropRecordCollection(name="x", request_id="x" * 129)):
            self.refused_input(call, "128", reason="LIMIT_EXCEEDED")

    # --- writes
    def test_a_stream_may_be_conditional(self):
        name = self.create()
        batches = lambda versions: [v.UpsertRecordStreamRequest(
            collection=name, records=[record("a"), record("b")], if_versions=each)
            for each in versions]
        first, failure = self.api.stream(batches([[0, 0]]))
        self.assertIsNone(failure)
        version = first[0].version
        again, failure = self.api.stream(batches([[version, version], [version, version]]))
        self.assertEqual(len(again), 1)
        self.assertEqual((failure.code, failure.reason), ("ABORTED", "VERSION_MISMATCH"))
        self.assertIn("batch 1", failure.message)
        _, failure = self.api.stream(batches([[version]]))
        self.assertEqual(failure.reason, "INVALID_ARGUMENT")
        self.assertIn("if_versions", failure.message)

    def test_a_cancelled_stream_keeps_what_was_acknowledged(self):
        name = self.create()
        more = threading.Event()

        def requests():
            for number in range(3):
                yield v.UpsertRecordStreamRequest(collection=name, records=[record(str(number))])
            more.wait(60)

        call = self.api.stub.UpsertRecordStream(requests(), metadata=self.api.metadata, timeout=60)
        acknowledged = [next(call) for _ in range(3)]
        call.cancel()
        more.set()
        with self.assertRaises(grpc.RpcError) as caught:
            next(call)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.CANCELLED)
        self.assertEqual([ack.batch for ack in acknowledged], [0, 1, 2])
        self.assertEqual(self.api.CountRecords(collection=name).count, 3)
        # The server took the stream down: the collection is written as before.
        self.api.UpsertRecords(collection=name, records=[record("later")])
        self.assertEqual(self.api.CountRecords(collection=name).count, 4)

    def test_a_stream_is_read_as_fast_as_it_is_written(self):
        """A client that reads no acknowledgements cannot make the server hold its batches: most of
        them wait in the client, and all arrive once it reads."""
        name = self.create()
        body, batches, sent = "x" * 200_000, 200, []

        def requests():
            for number in range(batches):
                sent.append(number)
                yield v.UpsertRecordStreamRequest(collection=name, records=[
                    record(f"{number}-{i}", body=body) for i in range(10)])

        before = harness_memory(self.server.pid)
        call = self.api.stub.UpsertRecordStream(requests(), metadata=self.api.metadata, timeout=300)
        acknowledged = 0
        for ack in call:
            self.assertEqual((ack.batch, ack.affected), (acknowledged, 10))
            acknowledged += 1
            # What is under way is what the transport buffers, not the whole of 400 MB.
            self.assertLess(len(sent) - acknowledged, 100)
        self.assertEqual(acknowledged, batches)
        self.assertLess(harness_memory(self.server.pid) - before, 350 << 20)
        self.assertEqual(self.api.CountRecords(collection=name).count, 10 * batches)

    def test_a_repeated_update_does_nothing(self):
        name = self.create()
        self.api.UpsertRecords(collection=name, records=[record("a", year=1), record("b", year=1)])
        update = lambda year, **options: self.api.UpdatePayload(
            collection=name, payload={"year": value(year)}, **options)
        everything = v.RecordSelector(filter=text_filter("year = 1"))
        first = update(2, selector=everything, request_id="u1")
        self.assertEqual(first.affected, 2)
        self.api.UpsertRecords(collection=name, records=[record("c", year=1)])
        self.assertEqual(update(2, selector=everything, request_id="u1"), first)
        got = self.api.GetRecords(collection=name, ids=["a", "c"]).records
        self.assertEqual([plain(item.payload["year"]) for item in got], [2, 1])
        self.refused("ALREADY_EXISTS", "REQUEST_ID_REUSED",
                     lambda: update(3, selector=everything, request_id="u1"))
        for call in (lambda: update(3, selector=everything, if_versions=[first.version]),
                     lambda: self.api.DeleteRecords(collection=name, selector=everything,
                                                    if_versions=[first.version])):
            self.refused_input(call, "if_versions")

    def test_writes_end_when_a_collection_is_dropped(self):
        name = self.create()
        begun, outcomes = threading.Barrier(5), []

        def write(writer):
            for number in range(10_000):
                try:
                    self.api.UpsertRecords(collection=name, records=[
                        record(f"{writer}-{number}", [1.0] * DIMENSIONS)])
                    if number == 3:
                        begun.wait(60)
                except Failure as failure:
                    outcomes.append((failure.code, failure.reason))
                    return
            outcomes.append("never ended")

        threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
        for thread in threads:
            thread.start()
        begun.wait(60)
        self.api.DropRecordCollection(name=name)
        for thread in threads:
            thread.join()
        self.assertEqual(len(outcomes), 4)
        self.assertLessEqual(set(outcomes), {("NOT_FOUND", "COLLECTION_NOT_FOUND"),
                                             ("ABORTED", "COLLECTION_NOT_FOUND")})
        self.refused("NOT_FOUND", "COLLECTION_NOT_FOUND",
                     lambda: self.api.CountRecords(collection=name), name)

    # --- reads
    def test_too_large_responses_are_refused(self):
        name = self.create()
        body = "x" * 200_000
        for begin in range(0, 300, 60):
            self.api.UpsertRecords(collection=name, records=[
                record(f"{i:03d}", [1.0] * DIMENSIONS, body=body)
                for i in range(begin, begin + 60)])
        ids = [f"{i:03d}" for i in range(300)]
        get = lambda ids, **read: self.api.GetRecords(
            collection=name, ids=ids, read=v.RecordReadOptions(**read)).records
        for call in (lambda: get(ids), lambda: self.search(name, [1.0] * DIMENSIONS, top_k=300),
                     lambda: self.search(name, [1.0] * DIMENSIONS, text="x", top_k=300),
                     lambda: self.api.SearchRecordBatch(collection=name, queries=[v.RecordQuery(
                         vector=dense([1.0] * DIMENSIONS), top_k=100)] * 3)):
            self.refused("RESOURCE_EXHAUSTED", "LIMIT_EXCEEDED", call, "48 MiB")
        self.assertEqual(len(get(ids[:200])), 200)
        self.assertEqual(len(get(ids, without_payload=True)), 300)
        self.assertEqual(len(self.search(name, [1.0] * DIMENSIONS, top_k=300,
                                         read=v.RecordReadOptions(without_payload=True))), 300)
        self.refused_input(lambda: get([str(i) for i in range(10_001)]), "10001", "10000",
                           reason="LIMIT_EXCEEDED")
        self.refused_input(lambda: get([]), "ids")
        self.assertEqual(get([str(i) for i in range(1000, 11_000)]), [])

    def test_scrolling_refuses_what_is_not_its_own(self):
        name = self.create(history_seconds=3600)
        versions = [self.api.UpsertRecords(collection=name, records=[record("a", year=i)]).version
                    for i in range(2)]
        for token in ("x", "records", "records.zz"):
            self.refused_input(lambda: self.api.ScrollRecords(collection=name, page_token=token),
                               reason="INVALID_PAGE_TOKEN")
        self.refused_input(lambda: self.api.ScrollRecords(collection=name, page_size=1001), "1000")
        past = lambda version: v.RecordReadOptions(as_of=version)
        page = self.api.ScrollRecords(collection=name, read=past(versions[0]))
        self.assertEqual([plain(item.payload["year"]) for item in page.records], [0])
        self.refused("FAILED_PRECONDITION", "HISTORY_GONE", lambda: self.api.ScrollRecords(
            collection=name, read=past(1)), "history_seconds")
        self.refused("FAILED_PRECONDITION", "HISTORY_GONE", lambda: self.api.GetRecords(
            collection=name, ids=["a"], read=past(1)), "history_seconds")

    def test_recommendations_take_the_options_of_searches(self):
        name = self.create([v.VectorField(name="at", dimensions=2), v.VectorField(
            name="bits", dimensions=8, metric=v.VECTOR_METRIC_HAMMING)])
        at = lambda identifier, x, y, **payload: record(identifier, vectors={"at": dense([x, y])},
                                                        **payload)
        self.api.UpsertRecords(collection=name, records=[
            at("liked", 1, 0.01, lang="en"), at("near", 1, 0.1, lang="en"),
            at("next", 1, 0.2, lang="de"), at("far", 0.01, 1, lang="de"), record("bare")])

        def recommend(positive=("liked",), **query):
            return self.api.RecommendRecords(
                collection=name, positive=positive,
                query=v.RecordQuery(**{"vector_name": "at", **query})).hits

        self.assertEqual(ids_of(recommend()), ["near", "next", "far"])
        self.assertEqual(ids_of(recommend(filter=text_filter('lang = "de"'))), ["next", "far"])
        self.assertEqual([(hit.record.id, hit.group) for hit in recommend(group_by="lang")],
                         [("near", '"en"'), ("next", '"de"')])
        self.assertEqual(ids_of(recommend(score_limit=0.9)), ["near", "next"])
        self.refused_input(lambda: recommend(["liked", "unknown"]), "unknown")
        self.refused_input(lambda: recommend(["bare"]), "bare")
        self.refused_input(lambda: recommend(vector_name="bits"), "bits")
        self.refused_input(lambda: recommend(vector_name="none"), "none")
        self.refused_input(lambda: recommend(["liked"] * 1001), "1000", reason="LIMIT_EXCEEDED")
        # Under cosine examples of other lengths count the same.
        self.api.UpsertRecords(collection=name, records=[
            at("short", 0.001, 0), at("long", 0, 1000), at("between", 1, 1)])
        self.assertEqual(ids_of(recommend(["short", "long"], top_k=1)), ["between"])

    def test_a_batch_names_the_query_that_is_wrong(self):
        name = self.create()
        self.fill(name, 5)
        good = v.RecordQuery(vector=dense(self.vector()))
        bad = lambda **query: v.RecordQuery(vector=dense(self.vector()), **query)
        for query, reason, part in ((bad(filter=text_filter("yaer = 1")), "FILTER_INVALID", "year"),
                                    (bad(vector_name="x"), "INVALID_ARGUMENT", '"x"'),
                                    (bad(group_by="body"), "INVALID_ARGUMENT", "body")):
            self.refused_input(lambda: self.api.SearchRecordBatch(
                collection=name, queries=[good, good, good, query]), "search 3: ", part,
                reason=reason)

    def test_filters_have_limits(self):
        name = self.create()
        self.fill(name, 10)
        count = lambda condition: self.api.CountRecords(
            collection=name, filter=t.Filter(condition=condition)).count

        def nested(levels):
            condition = one_of("year", 2000)
            for _ in range(levels - 1):
                condition = t.Condition(negate=condition)
            return condition

        some = lambda number: t.Condition(any=t.ConditionList(
            conditions=[one_of("year", 2000 + i) for i in range(number)]))
        limit = "LIMIT_EXCEEDED"
        self.assertEqual(count(nested(31)), 1)
        self.refused_input(lambda: count(nested(34)), "32", reason=limit)
        self.assertEqual(count(some(1000)), 10)
        self.refused_input(lambda: count(some(1025)), "1024", reason=limit)
        expression = " or ".join(f"year = {2000 + i}" for i in range(1025))
        self.refused_input(lambda: self.api.CountRecords(
            collection=name, filter=text_filter(expression)), "1024", reason=limit)
        self.refused_input(lambda: self.api.CountRecords(collection=name, filter=text_filter(
            "(" * 40 + "year = 1" + ")" * 40)), "32", reason=limit)


def harness_memory(pid):
    """Bytes of memory that a process has of its own."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        lines = dict(line.split(":", 1) for line in status)
    return int(lines["RssAnon"].split()[0]) << 10


if __name__ == "__main__":
    unittest.main(verbosity=2)
