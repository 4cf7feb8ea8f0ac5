#!/usr/bin/env python3
"""VectorService over gRPC against the real server, one case for each RPC and option.

| RPC                    | option or error                   | case                               |
|------------------------|-----------------------------------|------------------------------------|
| CreateRecordCollection | request_id; taken and bad names   | a_collection_is_created_once       |
| AlterRecordCollection  | fields, vectors, settings         | altering_adds_and_removes          |
| DropRecordCollection   | also during searches              | a_dropped_collection_is_gone       |
| GetRecordCollection    | index and its reason              | a_collection_tells_how_…           |
| ListRecordCollections  | page_size, page_token             | collections_are_listed_in_pages    |
| UpsertRecords          | replacing, every kind of value    | every_kind_of_value_comes_back     |
|                        | if_versions                       | conditional_writes_…               |
|                        | request_id, also after kill -9    | a_repeated_write_does_nothing      |
|                        | bad input                         | bad_records_are_refused            |
| UpsertRecordStream     | batches, acknowledgements         | a_stream_acknowledges_each_batch   |
|                        | an error ends it, the rest stays  | a_stream_ends_at_the_first_error   |
| GetRecords             | with_vectors, without_payload     | every_kind_of_value_comes_back     |
|                        | as_of, HISTORY_GONE               | the_past_can_be_read               |
| DeleteRecords          | ids, filter, all                  | records_are_deleted_by_…           |
| UpdatePayload          | set, remove, replace; filter      | payloads_are_changed_…             |
| ScrollRecords          | page_size, filter, read           | scrolling_gives_each_record_once   |
| CountRecords           | filters of both forms             | filters_of_both_forms_…            |
| SearchRecords          | read                              | hits_hold_what_was_asked_for       |
|                        | filter                            | filtered_searches_return_all_…     |
|                        | score_limit                       | a_score_limit_cuts                 |
|                        | group_by, group_size              | groups_hold_their_best             |
|                        | text, text_fields, fused          | words_are_found_and_fused          |
|                        | sparse vectors, bits              | sparse_vectors_and_bits            |
|                        | bad input                         | bad_searches_are_refused           |
| SearchRecordBatch      | order of results                  | a_batch_is_the_single_searches     |
| RecommendRecords       | positive, negative                | recommendations_leave_out_examples |
| all                    | token, message size, unknown name | calls_without_token_…, too_large_… |
| all                    | restart                           | what_was_acknowledged_is_there_…   |

Metrics, storages and methods are tested by vector_methods_test.py, limits and the rarer options by
vector_limits_test.py, the command line by record_commands_test.py.

Runs in the virtual environment of the example client, $RAGSTONE_VENV, or is skipped without it.
"""

import json
import math
import os
import pathlib
import subprocess
import sys
import threading
import unittest

import harness
from vector_client import (Api, Failure, dense, expected_score, ids_of, one_of, plain, record,
                           sparse, t, text_filter, v, value)
from vector_service_case import BODIES, DIMENSIONS, LANGS, VectorServiceCase

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "deploy" / "python" / "vectors.py"

class VectorServiceTest(VectorServiceCase):
    # --- collections
    def test_a_collection_is_created_once(self):
        name = self.create()
        spec = v.RecordCollectionSpec(name=name, vectors=[v.VectorField(dimensions=4)])
        self.refused("ALREADY_EXISTS", "COLLECTION_EXISTS",
                     lambda: self.api.CreateRecordCollection(spec=spec), name)
        spec.name = f"c{next(self.numbers)}"
        first = self.api.CreateRecordCollection(spec=spec, request_id="create-1")
        again = self.api.CreateRecordCollection(spec=spec, request_id="create-1")
        self.assertEqual(first, again)
        for bad in ("", ".hidden", "a/b", "x" * 129):
            spec.name = bad
            self.refused("INVALID_ARGUMENT", "COLLECTION_NAME_INVALID",
                         lambda: self.api.CreateRecordCollection(spec=spec))

    def test_altering_adds_and_removes(self):
        name = self.create([v.VectorField(name="body", dimensions=DIMENSIONS)],
                           fields={"year": v.FIELD_TYPE_INTEGER, "lang": v.FIELD_TYPE_KEYWORD})
        self.api.UpsertRecords(collection=name, records=[
            record("a", vectors={"body": dense(self.vector())}, year=2000, lang="en")])
        spec = self.api.GetRecordCollection(name=name).collection.spec
        changed = v.RecordCollectionSpec.FromString(spec.SerializeToString())
        changed.vectors.add(name="title", dimensions=2)
        changed.language = "de"
        kept = [field for field in changed.fields if field.name != "lang"]
        del changed.fields[:]
        changed.fields.extend(kept + [v.PayloadField(name="new", type=v.FIELD_TYPE_KEYWORD)])
        altered = self.api.AlterRecordCollection(spec=changed).collection.spec
        self.assertEqual(altered.language, "de")
        self.assertEqual({field.name for field in altered.fields}, {"year", "new", "tags"})
        self.api.UpsertRecords(collection=name, records=[
            record("b", vectors={"title": dense([1, 0])}, new="x")])
        got = self.api.GetRecords(collection=name, ids=["a", "b"]).records
        self.assertEqual([dict((k, plain(p)) for k, p in r.payload.items()) for r in got],
                         [{"year": 2000}, {"new": "x"}])
        self.assertEqual(ids_of(self.search(name, [1, 0], vector_name="title")), ["b"])
        changed.vectors[0].dimensions += 1
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT",
                     lambda: self.api.AlterRecordCollection(spec=changed))

    def test_a_dropped_collection_is_gone(self):
        name = self.create()
        self.fill(name, 200)
        outcomes, begun = set(), threading.Event()

        def search():
            for _ in range(2000):
                try:
                    outcomes.add(len(self.search(name, [1.0] * DIMENSIONS)))
                except Failure as failure:
                    outcomes.add((failure.code, failure.reason))
                    return
                finally:
                    begun.set()

        threads = [threading.Thread(target=search) for _ in range(4)]
        for thread in threads:
            thread.start()
        self.assertTrue(begun.wait(60))
        self.api.DropRecordCollection(name=name, request_id="drop-1")
        for thread in threads:
            thread.join()
        self.assertIn(10, outcomes)  # and no search found fewer
        self.assertLessEqual(outcomes - {10}, {("NOT_FOUND", "COLLECTION_NOT_FOUND"),
                                               ("ABORTED", "COLLECTION_NOT_FOUND")})
        self.assertGreater(len(outcomes), 1)
        self.api.DropRecordCollection(name=name, request_id="drop-1")  # the same request again
        self.refused("NOT_FOUND", "COLLECTION_NOT_FOUND",
                     lambda: self.api.DropRecordCollection(name=name))

    def test_a_collection_tells_how_it_is_searched(self):
        name = self.create(history_seconds=60)
        self.fill(name, 5)
        shown = self.api.GetRecordCollection(name=name).collection
        self.assertEqual((shown.records, shown.spec.history_seconds), (5, 60))
        self.assertGreater(shown.created_ns, 0)
        self.assertEqual(len(shown.index), 1)
        self.assertTrue(shown.index[0])

    def test_collections_are_listed_in_pages(self):
        made = {self.create() for _ in range(5)}
        listed, token = [], ""
        while True:
            page = self.api.ListRecordCollections(page_size=2, page_token=token)
            self.assertLessEqual(len(page.collections), 2)
            listed += [collection.spec.name for collection in page.collections]
            token = page.next_page_token
            if not token:
                break
        self.assertEqual(listed, sorted(set(listed)))
        self.assertLessEqual(made, set(listed))
        self.refused("INVALID_ARGUMENT", "INVALID_PAGE_TOKEN",
                     lambda: self.api.ListRecordCollections(page_token="x"))
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT",
                     lambda: self.api.ListRecordCollections(page_size=1001))

    # --- writes
    def test_every_kind_of_value_comes_back(self):
        name = self.create([v.VectorField(name="title", dimensions=2),
                            v.VectorField(name="bits", dimensions=16,
                                          metric=v.VECTOR_METRIC_HAMMING)], ["words"])
        vectors = {"title": dense([0.5, -1.25]), "bits": v.Vector(bits=b"\x0f\x80"),
                   "words": sparse({3: 0.5, 70000: -1.0})}
        payload = {"year": -7, "lang": "ä\u2028", "score": 0.1, "draft": False,
                   "body": "x" * 10000, "tags": ["a", "b"]}
        written = record("ä", vectors=vectors, **payload)
        written.payload["created"].datetime_ns = 1_700_000_000_123_456_789
        self.api.UpsertRecords(collection=name, records=[written, record("empty")])
        second = self.api.UpsertRecords(collection=name, records=[written])
        self.assertEqual(second.affected, 1)
        got = self.api.GetRecords(collection=name, ids=["empty", "gone", "ä"],
                                  read=v.RecordReadOptions(with_vectors=True)).records
        self.assertEqual([r.id for r in got], ["empty", "ä"])
        self.assertEqual(got[1].version, second.version)
        self.assertLess(got[0].version, second.version)
        written.version = second.version
        self.assertEqual(got[1], written)
        bare = self.api.GetRecords(collection=name, ids=["ä"],
                                   read=v.RecordReadOptions(without_payload=True)).records[0]
        self.assertEqual((len(bare.payload), len(bare.vectors)), (0, 0))
        written.payload["created"].string_value = "2024-05-01T10:20:30+02:00"
        self.api.UpsertRecords(collection=name, records=[written])
        got = self.api.GetRecords(collection=name, ids=["ä"]).records[0]
        self.assertEqual(got.payload["created"].datetime_ns, 1_714_551_630_000_000_000)

    def test_conditional_writes_need_the_version(self):
        name = self.create()
        first = self.api.UpsertRecords(collection=name, records=[record("a", year=1)],
                                       if_versions=[0])
        changed = [record("a", year=2), record("b", year=2)]
        for versions in ([0, 0], [first.version + 1, 0], [first.version, 1]):
            self.refused("ABORTED", "VERSION_MISMATCH", lambda: self.api.UpsertRecords(
                collection=name, records=changed, if_versions=versions))
        self.assertEqual(self.api.CountRecords(collection=name).count, 1)
        second = self.api.UpsertRecords(collection=name, records=changed,
                                        if_versions=[first.version, 0])
        selector = v.RecordSelector(ids=t.RecordIds(ids=["a"]))
        self.refused("ABORTED", "VERSION_MISMATCH", lambda: self.api.DeleteRecords(
            collection=name, selector=selector, if_versions=[first.version]))
        self.refused("ABORTED", "VERSION_MISMATCH", lambda: self.api.UpdatePayload(
            collection=name, selector=selector, payload={"year": value(3)},
            if_versions=[first.version]))
        self.assertEqual(self.api.DeleteRecords(collection=name, selector=selector,
                                                if_versions=[second.version]).affected, 1)
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", lambda: self.api.UpsertRecords(
            collection=name, records=changed, if_versions=[1]), "if_versions")

    def test_a_repeated_write_does_nothing(self):
        name = self.create()
        first = self.api.UpsertRecords(collection=name, records=[record("a", year=1)],
                                       request_id="w1")
        self.api.UpsertRecords(collection=name, records=[record("a", year=2)])
        repeat = {"collection": name, "records": [record("a", year=1)], "request_id": "w1"}
        self.assertEqual(self.api.UpsertRecords(**repeat), first)
        self.restart(kill=True)
        self.assertEqual(self.api.UpsertRecords(**repeat), first)
        got = self.api.GetRecords(collection=name, ids=["a"]).records[0]
        self.assertEqual(plain(got.payload["year"]), 2)
        self.refused("ALREADY_EXISTS", "REQUEST_ID_REUSED", lambda: self.api.UpsertRecords(
            collection=name, records=[record("a", year=3)], request_id="w1"))
        selector = v.RecordSelector(all=True)
        gone = self.api.DeleteRecords(collection=name, selector=selector, request_id="w2")
        self.api.UpsertRecords(collection=name, records=[record("b")])
        self.assertEqual(self.api.DeleteRecords(collection=name, selector=selector,
                                                request_id="w2"), gone)
        self.assertEqual(self.api.CountRecords(collection=name).count, 1)

    def test_bad_records_are_refused(self):
        name = self.create()
        good = [1.0] * DIMENSIONS
        cases = [
            ([], "INVALID_ARGUMENT", "records"),
            ([record("a", [1.0])], "INVALID_ARGUMENT", "8"),
            ([record("a", [math.nan] * DIMENSIONS)], "INVALID_ARGUMENT", "finite"),
            ([record("a", [math.inf] * DIMENSIONS)], "INVALID_ARGUMENT", "finite"),
            ([record("a", [0.0] * DIMENSIONS)], "INVALID_ARGUMENT", "zero"),
            ([record("a", vectors={"title": dense(good)})], "INVALID_ARGUMENT", "title"),
            ([record("a", vectors={"": v.Vector(bits=b"x")})], "INVALID_ARGUMENT", "dense vector"),
            ([record("a", vectors={"": sparse({1: 1.0})})], "INVALID_ARGUMENT", "dense vector"),
            ([record("a", good), record("b", good), record("a", good)], "INVALID_ARGUMENT",
             'record "a" is in the write twice'),
            ([record("")], "INVALID_ARGUMENT", "record 0"),
            ([record("x" * 257)], "LIMIT_EXCEEDED", "256"),
            ([record("a", colour="red")], "INVALID_ARGUMENT", "colour"),
            ([record("a", year="2020")], "INVALID_ARGUMENT", "year"),
            ([record("a", year=2.5)], "INVALID_ARGUMENT", "year"),
            ([record("a", lang=["en"])], "INVALID_ARGUMENT", "lang"),
            ([record("a", tags="x")], "INVALID_ARGUMENT", "tags"),
            ([record("a", score=math.nan)], "INVALID_ARGUMENT", "score"),
            ([record("a", created="yesterday")], "INVALID_ARGUMENT", "created"),
            ([record("a", lang="x" * 4097)], "LIMIT_EXCEEDED", "lang"),
            ([record("a", body="x" * (256 * 1024 + 1))], "LIMIT_EXCEEDED", "body"),
            ([record("a", tags=["x" * 400] * 4000)], "LIMIT_EXCEEDED", "1048576"),
            ([record("a")] * 10_001, "LIMIT_EXCEEDED", "10000"),
        ]
        for records, reason, part in cases:
            with self.subTest(reason=reason, part=part, records=str(records[:1])[:200]):
                # A good record beside the bad one is not written either.
                self.refused("INVALID_ARGUMENT", reason, lambda: self.api.UpsertRecords(
                    collection=name, records=records), part)
        self.assertEqual(self.api.CountRecords(collection=name).count, 0)
        self.refused("INVALID_ARGUMENT", "LIMIT_EXCEEDED", lambda: self.api.UpsertRecords(
            collection=name, records=[record("a")], request_id="x" * 129), "request_id")

    def test_a_stream_acknowledges_each_batch(self):
        name = self.create()
        batches = [[record(f"{batch}-{i}", self.vector(), year=batch) for i in range(50)]
                   for batch in range(20)]
        sent = []

        def requests():
            for number, records in enumerate(batches):
                sent.append(number)
                yield v.UpsertRecordStreamRequest(collection=name if number == 0 else "",
                                                  records=records, request_id=f"s-{number}")

        acknowledged, failure = self.api.stream(requests())
        self.assertIsNone(failure)
        self.assertEqual([(ack.batch, ack.affected) for ack in acknowledged],
                         [(number, 50) for number in range(20)])
        versions = [ack.version for ack in acknowledged]
        self.assertEqual(versions, sorted(set(versions)))
        self.assertEqual(self.api.CountRecords(collection=name).count, 1000)
        again, failure = self.api.stream(requests())
        self.assertIsNone(failure)
        self.assertEqual([ack.version for ack in again], versions)  # nothing was written twice

    def test_a_stream_ends_at_the_first_error(self):
        name = self.create()
        acknowledged, failure = self.api.stream(
            v.UpsertRecordStreamRequest(collection=name, records=[item])
            for item in (record("a"), record("b"), record("c", colour="red"), record("d")))
        self.assertEqual(len(acknowledged), 2)
        self.assertEqual((failure.code, failure.reason), ("INVALID_ARGUMENT", "INVALID_ARGUMENT"))
        self.assertIn("batch 2", failure.message)
        scrolled = self.api.ScrollRecords(collection=name).records
        self.assertEqual([item.id for item in scrolled], ["a", "b"])
        other = self.create()
        _, failure = self.api.stream([
            v.UpsertRecordStreamRequest(collection=name, records=[record("a")]),
            v.UpsertRecordStreamRequest(collection=other, records=[record("a")])])
        self.assertIn(other, failure.message)
        _, failure = self.api.stream([v.UpsertRecordStreamRequest(collection="nowhere",
                                                                  records=[record("a")])])
        self.assertEqual(failure.reason, "COLLECTION_NOT_FOUND")

    def test_records_are_deleted_by_ids_by_filter_and_all(self):
        name = self.create()
        made = self.fill(name, 60)
        delete = lambda **selector: self.api.DeleteRecords(
            collection=name, selector=v.RecordSelector(**selector)).affected
        self.assertEqual(delete(ids=t.RecordIds(ids=["r0000", "r0001", "gone"])), 2)
        self.assertEqual(delete(filter=text_filter('lang = "en"')),
                         sum(lang == "en" for _, _, lang in list(made.values())[2:]))
        self.assertEqual(delete(filter=t.Filter(condition=one_of("year", 2004))),
                         sum(year == 2004 and lang != "en" for _, year, lang in made.values()))
        left = self.api.CountRecords(collection=name).count
        self.assertEqual(len(self.search(name, self.vector(), top_k=100)), left)
        self.assertEqual(delete(all=True), left)
        self.assertEqual(self.api.CountRecords(collection=name).count, 0)
        self.assertEqual(len(self.search(name, self.vector())), 0)
        for selector in ({}, {"all": False}, {"ids": t.RecordIds()}):
            self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", lambda: delete(**selector),
                         "selector")
        self.refused("INVALID_ARGUMENT", "FILTER_INVALID", lambda: delete(filter=t.Filter()))

    def test_payloads_are_changed_and_vectors_stay(self):
        name = self.create()
        self.fill(name, 10)
        update = lambda payload, replace=False, **selector: self.api.UpdatePayload(
            collection=name, selector=v.RecordSelector(**selector), replace=replace,
            payload={key: value(item) for key, item in payload.items()}).affected
        payload_of = lambda identifier: {key: plain(item) for key, item in self.api.GetRecords(
            collection=name, ids=[identifier]).records[0].payload.items()}
        before = payload_of("r0001")
        self.assertEqual(update({"draft": True, "lang": None},
                                ids=t.RecordIds(ids=["r0001", "gone"])), 1)
        self.assertEqual(payload_of("r0001"), {**{key: item for key, item in before.items()
                                                 if key != "lang"}, "draft": True})
        self.assertEqual(update({"score": 1.5}, replace=True, filter=text_filter("draft")), 1)
        self.assertEqual(payload_of("r0001"), {"score": 1.5})
        self.assertEqual(update({"draft": False}, all=True), 10)
        self.assertEqual(self.api.CountRecords(
            collection=name, filter=text_filter("draft = false")).count, 10)
        self.assertEqual(len(self.search(name, self.vector(), top_k=10)), 10)
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT",
                     lambda: update({}, ids=t.RecordIds(ids=["r0001"])), "payload")
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT",
                     lambda: update({"colour": "red"}, all=True), "colour")
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT",
                     lambda: update({"year": "x"}, all=True), "year")

    # --- reads
    def test_the_past_can_be_read(self):
        name = self.create(history_seconds=3600)
        first = self.api.UpsertRecords(collection=name, records=[
            record("a", [1.0] * DIMENSIONS, year=1), record("b", [2.0] * DIMENSIONS, year=1)])
        self.api.UpsertRecords(collection=name, records=[record("a", [3.0] * DIMENSIONS, year=2)])
        self.api.DeleteRecords(collection=name,
                               selector=v.RecordSelector(ids=t.RecordIds(ids=["b"])))
        past = v.RecordReadOptions(as_of=first.version)
        years = lambda records: {item.id: plain(item.payload["year"]) for item in records}
        self.assertEqual(years(self.api.GetRecords(collection=name, ids=["a", "b"],
                                                   read=past).records), {"a": 1, "b": 1})
        self.assertEqual(years(self.api.GetRecords(collection=name, ids=["a", "b"]).records),
                         {"a": 2})
        self.assertEqual(years(self.api.ScrollRecords(collection=name, read=past).records),
                         {"a": 1, "b": 1})
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT",
                     lambda: self.search(name, [1.0] * DIMENSIONS, read=past), "as_of")
        without = self.create()
        old = self.api.UpsertRecords(collection=without, records=[record("a", year=1)])
        self.api.UpsertRecords(collection=without, records=[record("a", year=2)])

        def gone():  # once the superseded row was cleared away, and never another answer before
            try:
                got = self.api.GetRecords(collection=without, ids=["a"],
                                          read=v.RecordReadOptions(as_of=old.version)).records
            except Failure as failure:
                return failure
            self.assertEqual(years(got), {"a": 1})
            return None

        failure = harness.wait_for(gone, what="the end of the history")
        self.assertEqual((failure.code, failure.reason), ("FAILED_PRECONDITION", "HISTORY_GONE"))

    def test_scrolling_gives_each_record_once(self):
        name = self.create()
        made = self.fill(name, 300)
        for page_size, expression in ((7, ""), (1000, ""), (0, 'lang = "de"'), (50, "year < 2005")):
            seen, token = [], ""
            while True:
                page = self.api.ScrollRecords(
                    collection=name, page_size=page_size, page_token=token,
                    filter=text_filter(expression), read=v.RecordReadOptions(with_vectors=True))
                self.assertLessEqual(len(page.records), page_size or 100)
                for item in page.records:
                    self.assertEqual(len(item.vectors[""].dense.values), DIMENSIONS)
                seen += [item.id for item in page.records]
                token = page.next_page_token
                if not token:
                    break
            wanted = [identifier for identifier, (_, year, lang) in sorted(made.items())
                      if (lang == "de" or "lang" not in expression) and
                      (year < 2005 or "year" not in expression)]
            self.assertEqual(seen, wanted)

    def test_filters_of_both_forms_count_the_same(self):
        name = self.create()
        made = list(self.fill(name, 100).values())
        ends = lambda low, high: t.Condition(range=t.RangeCondition(
            field="year", lower=value(low), upper=value(high), upper_excluded=True))
        text = lambda words: t.TextCondition(field="body", text=words)
        cases = [
            ('lang = "en"', one_of("lang", "en"), lambda year, lang, body: lang == "en"),
            ("year in (2001, 2002)", one_of("year", 2001, 2002),
             lambda year, lang, body: year in (2001, 2002)),
            ("year >= 2003 and year < 2006", ends(2003, 2006),
             lambda year, lang, body: 2003 <= year < 2006),
            ('not lang = "en"', t.Condition(negate=one_of("lang", "en")),
             lambda year, lang, body: lang != "en"),
            ('lang = "fr" or year = 2001',
             t.Condition(any=t.ConditionList(conditions=[one_of("lang", "fr"),
                                                         one_of("year", 2001)])),
             lambda year, lang, body: lang == "fr" or year == 2001),
            ('lang = "de" and year = 2001',
             t.Condition(all=t.ConditionList(conditions=[one_of("lang", "de"),
                                                         one_of("year", 2001)])),
             lambda year, lang, body: lang == "de" and year == 2001),
            ("score exists", t.Condition(exists="score"), lambda year, lang, body: False),
            ('lang prefix "e"', t.Condition(prefix=t.TextCondition(field="lang", text="e")),
             lambda year, lang, body: lang.startswith("e")),
            ('body contains "pump"', t.Condition(contains=text("pump")),
             lambda year, lang, body: "pump" in body),
            ('body match "leak pumps"', t.Condition(match=text("leak pumps")),
             lambda year, lang, body: "pump leaks" in body),
            ('has_id ("r0001", "gone")', t.Condition(ids=t.RecordIds(ids=["r0001", "gone"])), None),
        ]
        for expression, condition, matches in cases:
            with self.subTest(expression=expression):
                wanted = 1 if matches is None else sum(
                    matches(year, lang, BODIES[i % len(BODIES)])
                    for i, (_, year, lang) in enumerate(made))
                for condition_or_text in (text_filter(expression), t.Filter(condition=condition)):
                    self.assertEqual(self.api.CountRecords(
                        collection=name, filter=condition_or_text).count, wanted)
        for bad, part in ((text_filter("year >="), "column 8"), (text_filter("yaer = 1"), "year"),
                          (text_filter('year = "x"'), "column 8"),
                          (t.Filter(condition=one_of("yaer", 1)), "yaer"),
                          (t.Filter(condition=t.Condition()), "condition"),
                          (t.Filter(expression="year = 1", condition=one_of("year", 1)), "both")):
            if part == "both":
                part = "one of the two"
            self.refused("INVALID_ARGUMENT", "FILTER_INVALID", lambda: self.api.CountRecords(
                collection=name, filter=bad), part)

    def test_hits_hold_what_was_asked_for(self):
        name = self.create()
        made = self.fill(name, 20)
        hit = self.search(name, made["r0007"][0], top_k=1)[0]
        self.assertEqual(hit.record.id, "r0007")
        self.assertEqual(plain(hit.record.payload["year"]), made["r0007"][1])
        self.assertEqual(len(hit.record.vectors), 0)
        hit = self.search(name, made["r0007"][0], top_k=1, read=v.RecordReadOptions(
            with_vectors=True, without_payload=True))[0]
        self.assertEqual((len(hit.record.vectors), len(hit.record.payload)), (1, 0))

    def test_filtered_searches_return_all_that_match(self):
        name = self.create()
        made = self.fill(name, 400)
        for expression, matches in (("year = 2003", lambda year, lang: year == 2003),
                                    ('lang = "de"', lambda year, lang: lang == "de"),
                                    ('year = 2001 and lang = "fr"',
                                     lambda year, lang: year == 2001 and lang == "fr"),
                                    ("year = 1999", lambda year, lang: False)):
            query = self.vector()
            score = lambda i: expected_score(v.VECTOR_METRIC_COSINE, query, made[i][0])
            wanted = sorted((i for i, (_, year, lang) in made.items() if matches(year, lang)),
                            key=score, reverse=True)
            hits = self.search(name, query, top_k=400, filter=text_filter(expression))
            self.assertEqual(ids_of(hits), wanted)

    def test_a_score_limit_cuts(self):
        name = self.create()
        self.fill(name, 100)
        query = self.vector()
        hits = self.search(name, query, top_k=100)
        limit = (hits[9].score + hits[10].score) / 2
        self.assertEqual(ids_of(self.search(name, query, top_k=100, score_limit=limit)),
                         ids_of(hits[:10]))
        near = self.create([v.VectorField(dimensions=2, metric=v.VECTOR_METRIC_L2)])
        self.api.UpsertRecords(collection=near, records=[record("a", [0, 1]), record("b", [0, 2])])
        self.assertEqual(ids_of(self.search(near, [0, 0], score_limit=1.0)), ["a"])

    def test_groups_hold_their_best(self):
        name = self.create()
        made = self.fill(name, 100)
        query = self.vector()
        score = lambda i: expected_score(v.VECTOR_METRIC_COSINE, query, made[i][0])
        hits = self.search(name, query, top_k=3, group_by="lang", group_size=2)
        best = {lang: sorted((i for i in made if made[i][2] == lang), key=lambda i: -score(i))[:2]
                for lang in LANGS}
        wanted = [i for lang in sorted(LANGS, key=lambda lang: -score(best[lang][0]))
                  for i in best[lang]]
        self.assertEqual(ids_of(hits), wanted)
        self.assertEqual([hit.group for hit in hits],
                         [json.dumps(made[i][2]) for i in wanted])
        self.assertEqual(len(self.search(name, query, top_k=2, group_by="year")), 2)
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT",
                     lambda: self.search(name, query, group_by="colour"), "colour")
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT",
                     lambda: self.search(name, query, group_by="body"), "body")

    def test_words_are_found_and_fused(self):
        name = self.create(fields={"body": v.FIELD_TYPE_TEXT, "title": v.FIELD_TYPE_TEXT})
        self.api.UpsertRecords(collection=name, records=[
            record("a", [1.0] * DIMENSIONS, body="the pump leaks oil", title="first"),
            record("b", [-1.0] * DIMENSIONS, body="nothing of it", title="pumps"),
            record("c", body="a cold stove")])
        self.assertEqual(set(ids_of(self.search(name, text="pump"))), {"a", "b"})
        self.assertEqual(ids_of(self.search(name, text="pump", text_fields=["title"])), ["b"])
        self.assertEqual(ids_of(self.search(name, text="stoves")), ["c"])
        fused = self.search(name, [1.0] * DIMENSIONS, text="leaks")
        self.assertEqual(fused[0].record.id, "a")
        self.assertEqual(ids_of(fused), ["a", "b"])
        self.assertTrue(1 >= fused[0].score > fused[1].score, fused)
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT",
                     lambda: self.search(name, text="pump", text_fields=["colour"]), "colour")

    def test_sparse_vectors_and_bits(self):
        name = self.create([v.VectorField(name="bits", dimensions=16,
                                          metric=v.VECTOR_METRIC_HAMMING)], ["words"])
        self.api.UpsertRecords(collection=name, records=[
            record("a", vectors={"bits": v.Vector(bits=b"\xff\x00"), "words": sparse({1: 1.0})}),
            record("b", vectors={"bits": v.Vector(bits=b"\x00\x00"),
                                 "words": sparse({1: 0.5, 9: 2.0})})])
        find = lambda field, vector: [(hit.record.id, hit.score) for hit in self.api.SearchRecords(
            collection=name, query=v.RecordQuery(vector_name=field, vector=vector)).hits]
        self.assertEqual(find("bits", v.Vector(bits=b"\x7f\x00")), [("a", 1), ("b", 7)])
        self.assertEqual(find("words", sparse({1: 2.0, 9: 1.0})), [("b", 3), ("a", 2)])
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", lambda: find("bits", dense([1.0])))
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT",
                     lambda: find("bits", v.Vector(bits=b"\x00" * 3)))

    def test_bad_searches_are_refused(self):
        name = self.create()
        self.fill(name, 3)
        good = [1.0] * DIMENSIONS
        for query, reason, part in (
                ({}, "EMPTY_QUERY", "neither a vector nor a text"),
                ({"vector": [1.0]}, "INVALID_ARGUMENT", "8"),
                ({"vector": [math.nan] * DIMENSIONS}, "INVALID_ARGUMENT", "finite"),
                ({"vector": [0.0] * DIMENSIONS}, "INVALID_ARGUMENT", "zero"),
                ({"vector": good, "vector_name": "title"}, "INVALID_ARGUMENT", "title"),
                ({"vector": good, "top_k": 10_001}, "LIMIT_EXCEEDED", "10000"),
                ({"vector": good, "group_size": 101}, "LIMIT_EXCEEDED", "100"),
                ({"vector": good, "score_limit": math.nan}, "INVALID_ARGUMENT", "score_limit"),
                ({"text": "x" * 40_000}, "LIMIT_EXCEEDED", "32768"),
                ({"vector": good, "filter": text_filter("year = ")}, "FILTER_INVALID", "column"),
                ({"vector": good, "filter": text_filter("colour = 1")}, "FILTER_INVALID", "colour"),
        ):
            with self.subTest(query=str(query)[:100]):
                self.refused("INVALID_ARGUMENT", reason, lambda: self.search(name, **query), part)
        self.refused("NOT_FOUND", "COLLECTION_NOT_FOUND", lambda: self.search("nowhere", good),
                     "nowhere")

    def test_a_batch_is_the_single_searches(self):
        name = self.create()
        self.fill(name, 200)
        queries = [v.RecordQuery(vector=dense(self.vector()), top_k=1 + i,
                                 filter=text_filter("year >= 2010" if i % 2 else ""))
                   for i in range(30)]
        results = self.api.SearchRecordBatch(collection=name, queries=queries).results
        self.assertEqual([list(result.hits) for result in results], [
            list(self.api.SearchRecords(collection=name, query=query).hits) for query in queries])
        for bad, reason in (([], "INVALID_ARGUMENT"), ([v.RecordQuery()] * 1001, "LIMIT_EXCEEDED"),
                            ([v.RecordQuery(top_k=10_000)] * 11, "LIMIT_EXCEEDED")):
            self.refused("INVALID_ARGUMENT", reason, lambda: self.api.SearchRecordBatch(
                collection=name, queries=bad), "queries")

    def test_recommendations_leave_out_examples(self):
        name = self.create([v.VectorField(dimensions=2)])
        self.api.UpsertRecords(collection=name, records=[
            record("right", [1, 0.01]), record("up", [0.01, 1]), record("left", [-1, 0.01]),
            record("diagonal", [1, 1]), record("rightish", [1, -0.2])])
        recommend = lambda positive, negative=(), **query: ids_of(self.api.RecommendRecords(
            collection=name, positive=positive, negative=negative,
            query=v.RecordQuery(**query)).hits)
        self.assertEqual(recommend(["right"], top_k=1), ["rightish"])
        self.assertEqual(recommend(["right", "up"], top_k=1), ["diagonal"])
        self.assertEqual(recommend(["right"], ["up"], top_k=2), ["rightish", "diagonal"])
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT", lambda: recommend([]), "positive")
        self.refused("INVALID_ARGUMENT", "INVALID_ARGUMENT",
                     lambda: recommend(["right"], text="x"), "query")

    # --- all
    def test_calls_without_token_are_refused(self):
        for token, reason in (("", "TOKEN_MISSING"), ("0" * 64, "TOKEN_INVALID")):
            api = Api(self.server, token)
            self.refused("UNAUTHENTICATED", reason, lambda: api.ListRecordCollections())
            _, failure = api.stream([v.UpsertRecordStreamRequest(collection="x")])
            self.assertEqual((failure.code, failure.reason), ("UNAUTHENTICATED", reason))
            api.channel.close()

    def test_too_large_requests_are_refused_and_harm_nothing(self):
        name = self.create()
        many = [record(f"{i}", body="x" * 200_000) for i in range(100)]
        with self.assertRaises(Failure) as caught:
            self.api.UpsertRecords(collection=name, records=many)
        self.assertEqual(caught.exception.code, "RESOURCE_EXHAUSTED")
        for begin in range(0, 100, 50):
            self.api.UpsertRecords(collection=name, records=many[begin:begin + 50])
        page = self.api.ScrollRecords(collection=name, page_size=1000)
        self.assertLess(page.ByteSize(), 4 << 20)
        self.assertTrue(page.next_page_token)

    def test_what_was_acknowledged_is_there_after_a_restart(self):
        name = self.create()
        made = self.fill(name, 100)
        self.api.DeleteRecords(collection=name,
                               selector=v.RecordSelector(filter=text_filter("year = 2000")))
        query = self.vector()
        before = self.search(name, query, top_k=100, filter=text_filter('lang = "en"'))
        for kill in (True, False):
            self.restart(kill)
            self.assertEqual(self.api.CountRecords(collection=name).count,
                             sum(year != 2000 for _, year, _ in made.values()))
            after = self.search(name, query, top_k=100, filter=text_filter('lang = "en"'))
            self.assertEqual(list(after), list(before))

    def test_the_example_of_deploy_python_runs(self):
        done = harness.Outcome(subprocess.run(
            [sys.executable, str(EXAMPLE), "--address", self.server.ready["grpc"], "--data-dir",
             str(self.home.data)], env={**self.home.env, "PYTHONDONTWRITEBYTECODE": "1",
                                        "PYTHONPATH": os.environ.get("PYTHONPATH", "")},
            capture_output=True, text=True, timeout=120, check=False))
        self.assertEqual(done.code, 0, str(done))
        self.assertEqual(done.json["written"], [[0, 2], [1, 2]])
        self.assertEqual(sorted(done.json["all"]), ["oil", "pump", "pumpe", "valve"])
        self.assertEqual({hit["id"] for hit in done.json["hits"]}, {"oil", "pump"})


if __name__ == "__main__":
    unittest.main(verbosity=2)
