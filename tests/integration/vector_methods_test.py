#!/usr/bin/env python3
"""VectorService's ways of searching, over gRPC against the real server: every metric, storage and
method over sealed segments, with the scores of the definition and a recall over many queries.

Segments are made of a thousand vectors, so that graphs and compact indexes come with little data.
Runs in the virtual environment of the example client, $RAGSTONE_VENV, or is skipped without it.
"""

import itertools
import unittest

import harness
from vector_client import dense, expected_score, ids_of, record, text_filter, v
from vector_service_case import DIMENSIONS, VectorServiceCase

QUERIES = 10


class Searched(VectorServiceCase):
    """Collections that are searched by sealed segments, and what searches must find."""

    def sealed(self, count, word, **field):
        """A collection of vectors whose index description has come to hold the word."""
        name = self.create([v.VectorField(dimensions=DIMENSIONS, **field)])
        made = self.fill(name, count)
        self.search(name, self.vector(), top_k=1)  # loads the indexes
        description = harness.wait_for(
            lambda: [line for line in self.api.GetRecordCollection(name=name).collection.index
                     if word in line and " vectors: " in line], what=f"a segment with {word}")
        self.assertEqual(len(description), 1)
        return name, made

    def recall(self, name, made, metric, **query):
        """Of ten nearest over some queries; checks scores, order and number of hits."""
        found = 0
        for _ in range(QUERIES):
            vector = self.vector()
            scores = {identifier: expected_score(metric, vector, numbers)
                      for identifier, (numbers, _, lang) in made.items()
                      if "filter" not in query or lang == "de"}
            best = sorted(scores, key=scores.get, reverse=metric != v.VECTOR_METRIC_L2)[:10]
            hits = self.search(name, vector, top_k=10, **query)
            self.assertEqual(len(hits), 10)
            for hit in hits:
                self.assertAlmostEqual(hit.score, scores[hit.record.id], delta=0.02)
            listed = [hit.score for hit in hits]
            self.assertEqual(listed, sorted(listed, reverse=metric != v.VECTOR_METRIC_L2))
            found += len(set(best) & set(ids_of(hits)))
        return found / (10 * QUERIES)


class GraphTest(Searched):
    OPTIONS = ("--hnsw-vectors-min", 1000)

    def test_every_metric_and_storage_finds_its_nearest(self):
        for metric, storage, (method, word) in itertools.product(
                (v.VECTOR_METRIC_INNER_PRODUCT, v.VECTOR_METRIC_COSINE, v.VECTOR_METRIC_L2),
                (v.VECTOR_STORAGE_FLOAT32, v.VECTOR_STORAGE_FLOAT16, v.VECTOR_STORAGE_INT8,
                 v.VECTOR_STORAGE_BINARY),
                ((v.VECTOR_METHOD_AUTO, "scan"), (v.VECTOR_METHOD_EXACT, "scan"),
                 (v.VECTOR_METHOD_HNSW, "HNSW"))):
            # The signs of eight numbers say too little about them to choose the best by.
            if storage == v.VECTOR_STORAGE_BINARY and method != v.VECTOR_METHOD_EXACT:
                continue
            with self.subTest(metric=metric, storage=storage, method=method):
                name, made = self.sealed(1100, word, metric=metric, storage=storage,
                                         method=method)
                self.assertGreaterEqual(self.recall(name, made, metric), 0.95)
                # Float16 is compared as it is held, which may turn two that are equally near.
                self.assertGreaterEqual(self.recall(name, made, metric, exact=True), 0.98)
                self.api.DropRecordCollection(name=name)

    def test_searches_find_the_nearest_with_every_option(self):
        name, made = self.sealed(3000, "HNSW", method=v.VECTOR_METHOD_HNSW, target_recall=0.9)
        metric = v.VECTOR_METRIC_COSINE
        self.assertGreaterEqual(self.recall(name, made, metric), 0.85)
        self.assertGreaterEqual(self.recall(name, made, metric, ef=1000), 0.97)
        self.assertEqual(self.recall(name, made, metric, exact=True), 1)
        self.assertGreaterEqual(
            self.recall(name, made, metric, filter=text_filter('lang = "de"')), 0.95)
        query = self.vector()
        nearest = sorted(made, key=lambda identifier: -expected_score(
            metric, query, made[identifier][0]))
        for top_k in (1, 0, 100):
            self.assertEqual(ids_of(self.search(name, query, top_k=top_k, exact=True)),
                             nearest[:top_k or 10])
        # Every record is found by its own vector, and none once it is gone.
        for identifier in list(made)[::150]:
            self.assertEqual(ids_of(self.search(name, made[identifier][0], top_k=1)),
                             [identifier])
        self.api.UpsertRecords(collection=name, records=[record("r0000", self.vector())])
        self.assertNotIn("r0000", ids_of(self.search(name, made["r0000"][0], top_k=1)))

    def test_hashing_finds_enough_and_exactly_when_asked(self):
        name, made = self.sealed(2200, "LSH", method=v.VECTOR_METHOD_LSH)
        self.assertGreaterEqual(self.recall(name, made, v.VECTOR_METRIC_COSINE), 0.3)
        self.assertEqual(self.recall(name, made, v.VECTOR_METRIC_COSINE, exact=True), 1)
        self.assertEqual(self.recall(name, made, v.VECTOR_METRIC_COSINE, exact=True,
                                     filter=text_filter('lang = "de"')), 1)


class InvertedListsTest(Searched):
    OPTIONS = ("--hnsw-vectors-min", 10_000)

    def test_inverted_lists_find_most_and_exactly_when_asked(self):
        name, made = self.sealed(10_100, "IVF-PQ", method=v.VECTOR_METHOD_IVF_PQ)
        self.assertGreaterEqual(self.recall(name, made, v.VECTOR_METRIC_COSINE), 0.7)
        self.assertEqual(self.recall(name, made, v.VECTOR_METRIC_COSINE, exact=True), 1)
        gone = self.api.DeleteRecords(collection=name, selector=v.RecordSelector(
            filter=text_filter('lang = "de"'))).affected
        self.assertEqual(gone, sum(lang == "de" for _, _, lang in made.values()))
        query = self.vector()
        self.assertFalse({made[i][2] for i in ids_of(self.search(name, query))} & {"de"})
        hits = self.api.SearchRecords(collection=name, query=v.RecordQuery(
            vector=dense(query), top_k=1000)).hits
        self.assertEqual(len(set(ids_of(hits))), 1000)


del Searched  # has no tests of its own


if __name__ == "__main__":
    unittest.main(verbosity=2)
