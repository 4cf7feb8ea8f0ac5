"""kill -9 of the server at random moments while a folder is added.

What was acknowledged is whole and searchable after the restart, nothing is half there or doubled,
and the jobs are resumed.
"""

import subprocess
import unittest

import harness


def make_pages(name, count, version=0):
    return [[f"Document {name} version {version} page {page} says mark{name}x{page}.",
             f"It holds filler sentence number {page} about pumps and valves.",
             f"Another line of {name} closes page {page}."] for page in range(1, count + 1)]


class CrashTest(unittest.TestCase):
    kills = 40 if harness.LONG else 6
    documents = 12

    def setUp(self):
        self.home = harness.Home()
        self.random = harness.seeded_random()
        self.pages = {}
        for number in range(self.documents):
            name = f"file{number}"
            self.pages[name] = self.random.randrange(2, 14)
            self.home.write(f"in/{name}.pdf", harness.pdf(make_pages(name, self.pages[name])))

    def tearDown(self):
        self.home.close()

    def add_and_kill(self, server):
        add = subprocess.Popen(
            [harness.BINARY, "add", "--json", "--collection", "c", str(self.home.dir / "in")],
            env=self.home.env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL)
        try:
            add.wait(self.random.uniform(0.02, 1.5))
        except subprocess.TimeoutExpired:
            pass
        server.kill()
        add.communicate(timeout=30)  # ends by itself within seconds of the server's end

    def listed(self):
        done = self.home.run("document", "list", "--collection", "c", "--json")
        if done.code != 0:
            self.assertEqual(done.reason, "COLLECTION_NOT_FOUND", str(done))
            return []
        return done.json["documents"]

    def check_whole(self):
        """Every listed document is whole: its pages, its chunks, each page findable."""
        documents = self.listed()
        paths = [document["path"] for document in documents]
        self.assertEqual(len(paths), len(set(paths)), "a document is listed twice")
        for document in documents:
            name = document["path"].rsplit("/", 1)[1].removesuffix(".pdf")
            self.assertEqual(document["pages"], self.pages[name], document)
            page = self.random.randrange(1, self.pages[name] + 1)
            found = self.home.run("search", "--collection", "c", "--mode", "keyword", "--json",
                                  f"mark{name}x{page}")
            self.assertEqual(found.code, 0, str(found))
            hits = found.json["hits"]
            self.assertEqual(len(hits), 1, f"mark{name}x{page}: {hits}")
            self.assertEqual(hits[0]["document"], document["id"])
        return len(documents)

    def test_kills_at_random_moments_lose_and_break_nothing(self):
        before = 0
        for _ in range(self.kills):
            server = harness.Server(self.home)
            whole = self.check_whole()
            self.assertGreaterEqual(whole, before, "an acknowledged document is gone")
            before = whole
            self.add_and_kill(server)
        server = harness.Server(self.home)
        try:
            harness.wait_for(lambda: not self.home.run("job", "list", "--json", "--active")
                             .json["jobs"], 120, "the end of the resumed jobs")
            done = self.home.run("add", "--json", "--collection", "c", self.home.dir / "in")
            self.assertEqual(done.code, 0, str(done))
            self.assertEqual(self.check_whole(), self.documents)
        finally:
            self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
