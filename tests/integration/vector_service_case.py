"""What the test cases of VectorService share: a server, collections and records for them."""

import itertools
import unittest

import harness
from vector_client import Api, Failure, Home, dense, record, v

DIMENSIONS = 8
YEARS, LANGS = range(2000, 2020), ("en", "de", "fr")
BODIES = ("the pump leaks oil", "der Ofen ist kalt", "a valve opens slowly", "oil on the floor")


class VectorServiceCase(unittest.TestCase):
    """Each class has its own server, with these options; each test its own collections."""

    OPTIONS = ()

    @classmethod
    def setUpClass(cls):
        cls.random = harness.seeded_random()
        cls.home = Home()
        cls.addClassCleanup(cls.home.close)
        cls.server = harness.Server(cls.home, *cls.OPTIONS)
        cls.addClassCleanup(lambda: cls.server.stop())
        cls.token = (cls.home.data / "token").read_text().strip()
        cls.api = Api(cls.server, cls.token)
        cls.addClassCleanup(lambda: cls.api.channel.close())
        cls.numbers = itertools.count()

    @classmethod
    def restart(cls, kill):
        cls.api.channel.close()
        if kill:
            cls.server.kill()
        else:
            cls.server.stop()
        cls.server = harness.Server(cls.home, *cls.OPTIONS)
        cls.api = Api(cls.server, cls.token)

    def vector(self, dimensions=DIMENSIONS):
        return [self.random.gauss(0, 1) for _ in range(dimensions)]

    def create(self, vectors=None, sparse_vectors=(), fields=None, **spec):
        """A new collection with every type of field, or the given ones; returns its name."""
        name = f"c{next(self.numbers)}"
        if vectors is None:
            vectors = [v.VectorField(dimensions=DIMENSIONS)]
        if fields is None:
            fields = {"year": v.FIELD_TYPE_INTEGER, "lang": v.FIELD_TYPE_KEYWORD,
                      "score": v.FIELD_TYPE_FLOAT, "draft": v.FIELD_TYPE_BOOLEAN,
                      "created": v.FIELD_TYPE_DATETIME, "body": v.FIELD_TYPE_TEXT}
        self.api.CreateRecordCollection(spec=v.RecordCollectionSpec(
            name=name, vectors=vectors,
            sparse_vectors=[v.SparseField(name=sparse) for sparse in sparse_vectors],
            fields=[v.PayloadField(name=field, type=kind) for field, kind in fields.items()] +
            [v.PayloadField(name="tags", type=v.FIELD_TYPE_KEYWORD, is_list=True)], **spec))
        return name

    def fill(self, name, count):
        """Writes records r0000, r0001, … and returns {id: (vector, year, lang)}."""
        made = {f"r{i:04d}": (self.vector(), YEARS[i % len(YEARS)], LANGS[i % len(LANGS)])
                for i in range(count)}
        records = [record(identifier, numbers, year=year, lang=lang, body=BODIES[i % len(BODIES)])
                   for i, (identifier, (numbers, year, lang)) in enumerate(made.items())]
        for begin in range(0, count, 5000):
            self.api.UpsertRecords(collection=name, records=records[begin:begin + 5000])
        return made

    def search(self, name, vector=None, **query):
        return self.api.SearchRecords(collection=name, query=v.RecordQuery(
            vector=vector if vector is None else dense(vector), **query)).hits

    def refused(self, code, reason, call, *parts):
        with self.assertRaises(Failure) as caught:
            call()
        failure = caught.exception
        self.assertEqual((failure.code, failure.reason), (code, reason), failure.message)
        for part in parts:
            self.assertIn(part, failure.message)

    def refused_input(self, call, *parts, reason="INVALID_ARGUMENT"):
        self.refused("INVALID_ARGUMENT", reason, call, *parts)
