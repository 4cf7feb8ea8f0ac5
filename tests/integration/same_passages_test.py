"""One question gives the same passages with and without a server, and keeps doing so."""

import unittest

import harness


class SamePassagesTest(unittest.TestCase):
    def setUp(self):
        self.home = harness.Home()
        for number in range(6):
            pages = [[f"Report {number} page {page} speaks of turbines.",
                      f"Turbine {number * 10 + page} runs at {number + 40} hertz."]
                     for page in range(4)]
            self.home.write(f"in/r{number}.pdf", harness.pdf(pages))
        done = self.home.run("add", "--json", self.home.dir / "in")
        self.assertEqual(done.code, 0, str(done))

    def tearDown(self):
        self.home.close()

    def passages(self):
        found = {}
        for mode in ("hybrid", "vector", "keyword"):
            done = self.home.run("search", "--json", "--mode", mode, "turbine at 43 hertz")
            self.assertEqual(done.code, 0, str(done))
            found[mode] = [(hit["document"], hit["page"], hit["chunk"], hit["text"],
                            round(hit["score"], 6)) for hit in done.json["hits"]]
            self.assertTrue(found[mode])
        return found

    def test_with_and_without_a_server_and_after_a_restart(self):
        alone = self.passages()
        server = harness.Server(self.home)
        served = self.passages()
        server.kill()
        self.assertEqual(alone, served)
        self.assertEqual(alone, self.passages())


if __name__ == "__main__":
    unittest.main(verbosity=2)
