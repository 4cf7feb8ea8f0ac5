"""`ragstone record`: records with vectors of one's own, from the command line, without a server."""

import json
import unittest

import harness


class Home(harness.Home):
    """A home without models, which records need none of."""

    def import_fakes(self):
        pass


class RecordCommandsTest(unittest.TestCase):

    SPEC = {"name": "articles", "vectors": [{"name": "title", "dimensions": 2}],
            "fields": [{"name": "year", "type": "integer"}, {"name": "tags", "type": "keyword",
                                                             "list": True}]}
    LINES = [{"id": "a", "vectors": {"title": [1, 0]}, "payload": {"year": 2020, "tags": ["x"]}},
             {"id": "b", "vectors": {"title": [0, 1]}, "payload": {"year": 2021}}]

    def setUp(self):
        self.home = Home()
        self.addCleanup(self.home.close)
        self.home.write("spec.json", json.dumps(self.SPEC))
        self.ok("create", self.home.dir / "spec.json")

    def ok(self, *args):
        done = self.home.run("record", *args, "--json")
        self.assertEqual(done.code, 0, str(done))
        return done

    def write_lines(self, lines):
        return self.home.write("records.jsonl", "\n".join(map(json.dumps, lines)) + "\n\n")

    def test_records_are_written_found_exported_and_deleted(self):
        path = self.write_lines(self.LINES)
        self.assertEqual(self.ok("upsert", "articles", path).json["written"], 2)
        shown = self.ok("show", "articles").json["collection"]
        self.assertEqual((shown["records"], shown["vectors"][0]["metric"]), (2, "cosine"))
        self.assertEqual([c["name"] for c in self.ok("collections").json["collections"]],
                         ["articles"])
        got = self.ok("get", "articles", "b", "--with-vectors").json["records"][0]
        self.assertEqual({key: got[key] for key in ("id", "vectors", "payload")}, self.LINES[1])
        self.assertEqual(self.ok("count", "articles", "--filter", "year = 2020").json,
                         {"count": 1})
        query = self.home.write("query.json", "[0.1, 1]")
        hits = self.ok("search", "articles", "--vector", query, "--vector-name", "title", "-k",
                       "1").json["hits"]
        self.assertEqual([hit["id"] for hit in hits], ["b"])
        exported = [json.loads(line) for line in self.ok("export", "articles").out.splitlines()]
        self.assertEqual([{key: item[key] for key in ("id", "vectors", "payload")}
                          for item in exported], self.LINES)
        again = self.write_lines(exported)  # what was exported can be written
        self.assertEqual(self.ok("upsert", "articles", again).json["written"], 2)
        deleted = self.ok("delete", "articles", "--filter", "year = 2020").json
        self.assertEqual(deleted["deleted"], 1)
        self.assertEqual(self.ok("delete", "articles", "--all").json["deleted"], 1)
        self.ok("drop", "articles")
        self.assertEqual(self.home.run("record", "show", "articles", "--json").reason,
                         "COLLECTION_NOT_FOUND")

    def test_mistakes_name_the_line(self):
        for bad, part in (('{"id": "c", "vectors": {"title": [1]}}', "line 3"), ("{", "line 3"),
                          ('{"id": "c", "payload": {"year": {}}}', "line 3"),
                          ('{"id": "c", "payload": {"colour": 1}}', "line")):
            path = self.home.write("bad.jsonl", "\n".join(
                [*map(json.dumps, self.LINES), bad]))
            done = self.home.run("record", "upsert", "articles", path, "--json")
            self.assertEqual(done.code, 1, str(done))
            self.assertEqual(done.reason, "INVALID_ARGUMENT")
            self.assertIn(part, done.json["error"]["message"])
        self.assertEqual(self.home.run("record", "delete", "articles").code, 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
