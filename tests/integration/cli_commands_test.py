"""The command line as a user or a script meets it: JSON shapes, exit codes, errors, signals."""

import json
import os
import pathlib
import pty
import shutil
import signal
import socket
import subprocess
import unittest

import harness

HIT_KEYS = ["document", "path", "page", "chunk", "score", "text"]
PUMP = [["The feed pump is cleaned every ninety days.", "Its seal is made of nitrile."],
        ["The boiler valve opens at six bar.", "Call the foreman before opening it."]]


class CliCase(unittest.TestCase):
    def setUp(self):
        self.home = harness.Home()

    def tearDown(self):
        self.home.close()

    def failed(self, reason, *args, code=1, **env):
        """Runs a command that must fail for this reason, in JSON and in words."""
        done = self.home.run(*args, "--json", **env)
        self.assertEqual(done.code, code, str(done))
        error = done.json["error"]
        self.assertEqual(list(error), ["code", "reason", "message"], str(done))
        self.assertEqual(error["reason"], reason, str(done))
        self.assertGreater(len(error["message"]), 10)
        words = self.home.run(*args, **env)
        self.assertEqual(words.code, code, str(words))
        self.assertIn(f"({reason})", words.err)
        return error

    def add(self, *paths):
        done = self.home.run("add", "--json", *paths)
        self.assertEqual(done.code, 0, str(done))
        return done.json


class EverydayTest(CliCase):
    def test_add_list_search_and_delete(self):
        path = self.home.write("in/pump.pdf", harness.pdf(PUMP))
        self.home.write("in/notes.md", "# Notes\n\nThe spare key hangs in the workshop.\n")
        self.home.write("in/photo.jpg", "no document")
        added = self.add(self.home.dir / "in")
        self.assertEqual(list(added), ["documents", "failed", "unchanged"])
        self.assertEqual((len(added["documents"]), added["failed"], added["unchanged"]), (2, [], 0))
        again = self.add(self.home.dir / "in")
        self.assertEqual(again["unchanged"], 2)

        listed = self.home.run("document", "list", "--json").json
        self.assertEqual(list(listed), ["documents"])
        self.assertEqual(sorted(map(json.dumps, listed["documents"])),
                         sorted(map(json.dumps, added["documents"])))
        pump = next(d for d in listed["documents"] if d["path"] == str(path.resolve()))
        self.assertEqual(list(pump), ["id", "path", "pages", "chunks", "status"])
        self.assertEqual((pump["pages"], pump["status"]), (2, "ready"))

        found = self.home.run("search", "--json", "--top-k", "1", "--mode", "keyword",
                              "boiler valve").json
        self.assertEqual(list(found), ["hits", "timings_ms"])
        self.assertEqual([list(hit) for hit in found["hits"]], [HIT_KEYS])
        self.assertEqual(found["hits"][0]["document"], pump["id"])
        self.assertIn("boiler valve", found["hits"][0]["text"])
        self.assertIn(found["hits"][0]["page"], (1, 2))  # where the passage begins

        shown = self.home.run("collection", "show", "default", "--json").json["collection"]
        self.assertEqual(shown["documents"], 2)
        self.assertTrue(shown["index"])
        self.assertEqual(self.home.run("document", "delete", pump["id"]).code, 0)
        self.failed("DOCUMENT_NOT_FOUND", "document", "show", pump["id"])
        gone = self.home.run("search", "--json", "--mode", "keyword", "boiler").json
        self.assertEqual(gone["hits"], [])

    def test_a_changed_file_replaces_its_old_version(self):
        path = self.home.write("a.txt", "The gate is painted green.\n")
        first = self.add(path)["documents"][0]
        path.write_text("The gate is painted yellow.\n")
        second = self.add(path)
        self.assertEqual((second["unchanged"], second["documents"][0]["id"]), (0, first["id"]))
        for word, hits in (("green", 0), ("yellow", 1)):
            found = self.home.run("search", "--json", "--mode", "keyword", word).json["hits"]
            self.assertEqual(len(found), hits, word)

    def test_ask_has_the_documented_shape(self):
        self.home.write("in/pump.pdf", harness.pdf(PUMP))
        self.add(self.home.dir / "in")
        done = self.home.run("ask", "--json", "At how many bar does the boiler valve open?")
        self.assertIn(done.code, (0, 3), str(done))
        answer = done.json
        self.assertEqual(list(answer), ["answer", "short_answer", "answered", "citations",
                                        "evidence", "timings_ms", "model"])
        self.assertEqual(answer["answered"], done.code == 0)
        for hit in answer["evidence"]:
            self.assertEqual(list(hit), HIT_KEYS)
        for citation in answer["citations"]:
            self.assertEqual(list(citation), ["n", "document", "path", "page", "quote"])

    def test_an_attached_file_is_read_once_and_stays_hidden(self):
        path = self.home.write("pump.pdf", harness.pdf(PUMP))
        for _ in range(2):
            done = self.home.run("ask", "--json", "--file", path, "What is the seal made of?")
            self.assertIn(done.code, (0, 3), str(done))
            self.assertTrue(all(hit["path"] == str(path.resolve())
                                for hit in done.json["evidence"]))
        jobs = self.home.run("job", "list", "--json").json["jobs"]
        self.assertLessEqual(sum(not job["unchanged"] for job in jobs), 1, jobs)
        names = [c["name"] for c in self.home.run("collection", "list", "--json")
                 .json["collections"]]
        self.assertNotIn(".attachments", names)
        self.failed("FILE_NOT_FOUND", "ask", "--file", self.home.dir / "none.pdf", "why?")

    def test_collections_and_models(self):
        created = self.home.run("collection", "create", "c", "--json")
        self.assertEqual(created.json["collection"]["name"], "c", str(created))
        self.failed("COLLECTION_EXISTS", "collection", "create", "c")
        self.failed("COLLECTION_NAME_INVALID", "collection", "create", "no/slash")
        self.failed("MODEL_NOT_FOUND", "collection", "create", "d", "--model", "none")
        self.assertEqual(self.home.run("collection", "delete", "c").code, 0)
        models = self.home.run("model", "list", "--json").json["models"]
        self.assertEqual(sorted(m["kind"] for m in models), ["embedding", "generator"])
        self.failed("MODEL_NOT_FOUND", "model", "remove", "none")

    def test_filters_on_documents(self):
        pump = self.home.write("in/pump.pdf", harness.pdf(PUMP))
        notes = self.home.write("notes.md", "# Notes\n\nThe boiler valve hangs in the workshop.\n")
        done = self.home.run("add", "--json", "--meta", "year=2021", "--meta", "tags=pump",
                             "--meta", "tags=old", self.home.dir / "in")
        self.assertEqual(done.code, 0, str(done))
        self.add(notes)

        def listed(text):
            done = self.home.run("document", "list", "--json", "--filter", text)
            self.assertEqual(done.code, 0, str(done))
            return [pathlib.Path(d["path"]).name for d in done.json["documents"]]

        def paths(*args):
            done = self.home.run("search", "--json", *args, "boiler valve")
            self.assertEqual(done.code, 0, str(done))
            return {pathlib.Path(hit["path"]).name for hit in done.json["hits"]}

        self.assertEqual(listed('type = "pdf" and tags = "old"'), ["pump.pdf"])
        self.assertEqual(listed("not year exists"), ["notes.md"])
        for mode in ("hybrid", "vector", "keyword"):
            self.assertEqual(paths("--mode", mode, "--filter", "year >= 2020"), {"pump.pdf"})
            self.assertEqual(paths("--mode", mode, "--filter", 'file = "notes.md"'), {"notes.md"})
        self.assertEqual(paths("--filter", "page = 7"), set())
        asked = self.home.run("ask", "--json", "--filter", "year < 2020", "Where is the valve?")
        self.assertEqual((asked.code, asked.json["evidence"]), (3, []), str(asked))
        error = self.failed("FILTER_INVALID", "search", "--filter", "yaer = 2021", "boiler")
        self.assertIn('did you mean "year"?', error["message"])
        error = self.failed("FILTER_INVALID", "document", "list", "--filter", "year >= and")
        self.assertIn("column 9", error["message"])

        number = self.home.run("document", "list", "--json").json["documents"][0]["id"]
        done = self.home.run("document", "update", number, "--json", "--meta", "year=1999",
                             "--unset", "tags")
        self.assertEqual(done.json["document"]["metadata"], {"year": 1999}, str(done))
        self.assertEqual(listed("year < 2000"), [pump.name])
        self.assertEqual(self.home.run("document", "update", number, "--meta", "x").code, 2)

    def test_settings_of_a_collection(self):
        created = self.home.run("collection", "create", "c", "--language", "de", "--mode",
                                "keyword", "--json").json["collection"]
        self.assertEqual((created["language"], created["default_mode"]), ("de", "keyword"))
        altered = self.home.run("collection", "alter", "c", "--unrelated-cosine", "0.7",
                                "--json").json["collection"]
        self.assertEqual((altered["default_mode"], altered["unrelated_cosine"]), ("keyword", 0.7))
        self.home.run("collection", "alter", "c", "--unrelated-cosine", "measured")
        shown = self.home.run("collection", "show", "c", "--json").json["collection"]
        self.assertEqual((shown["language"], shown["unrelated_cosine"]), ("de", None))
        self.failed("INVALID_ARGUMENT", "collection", "create", "d", "--language", "xx")
        self.failed("COLLECTION_NOT_FOUND", "collection", "alter", "none", "--mode", "vector")

    def test_version_and_help_need_no_data(self):
        self.assertTrue(self.home.run("version").out.startswith("ragstone "))
        self.assertIn("version", self.home.run("version", "--json").json)
        self.assertEqual(self.home.run("--help").code, 0)
        self.assertEqual(self.home.run("add", "--help").code, 0)


class BadInputTest(CliCase):
    def test_bad_files_fail_each_for_its_reason_and_the_others_are_kept(self):
        good = harness.pdf(PUMP)
        self.home.write("in/good.pdf", good)
        expected = {"text.pdf": (b"just words", "NOT_PDF"),
                    "cut.pdf": (good[:len(good) // 2], None),
                    "empty.pdf": (b"", "EMPTY_FILE"),
                    "empty.txt": (b"", "EMPTY_FILE"),
                    "latin.txt": (b"caf\xe9 \xff au lait", "INVALID_UTF8"),
                    "nopages.pdf": (harness.pdf([]), "PDF_NO_PAGES"),
                    "image.pdf": (harness.pdf([[]]), "NO_TEXT")}
        for name, (content, _) in expected.items():
            self.home.write(f"in/{name}", content)
        done = self.home.run("add", "--json", self.home.dir / "in")
        self.assertEqual(done.code, 1, str(done))
        kept = [pathlib.Path(d["path"]).name for d in done.json["documents"]]
        self.assertIn("good.pdf", kept)
        failed = {pathlib.Path(f["path"]).name: f["error"]["reason"] for f in done.json["failed"]}
        for name, (_, reason) in expected.items():
            if reason is not None:
                self.assertEqual(failed.get(name), reason, str(done))
        self.assertTrue("cut.pdf" in kept or failed["cut.pdf"] == "PDF_DAMAGED", str(done))
        words = self.home.run("add", self.home.dir / "in")
        self.assertEqual(words.code, 1)
        self.assertRegex(words.err, r"text\.pdf: .*\(NOT_PDF\)")

    def test_questions_that_cannot_be_asked(self):
        self.failed("COLLECTION_NOT_FOUND", "search", "--collection", "none", "q")
        self.failed("COLLECTION_NOT_FOUND", "ask", "--collection", "none", "q")
        self.add(self.home.write("a.txt", "Some words.\n"))
        self.failed("EMPTY_QUERY", "search", "")
        self.failed("EMPTY_QUERY", "ask", "  ")
        self.failed("QUERY_TOO_LONG", "ask", "word " * 20000)

    def test_paths_that_cannot_be_read(self):
        missing = self.home.run("add", "--json", self.home.dir / "none.pdf")
        self.assertEqual(missing.code, 1)
        self.assertEqual(missing.json["failed"][0]["error"]["reason"], "FILE_NOT_FOUND")
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(self.home.dir / "socket.pdf"))
        special = self.home.run("add", "--json", self.home.dir / "socket.pdf")
        sock.close()
        self.assertEqual(special.json["failed"][0]["error"]["reason"], "INVALID_ARGUMENT")

    @unittest.skipUnless(os.geteuid() == 0, "needs root to become nobody")
    def test_as_nobody_folders_without_rights_are_named(self):
        self.home.write("in/closed/a.txt", "closed")
        os.chmod(self.home.dir, 0o777)
        os.chmod(self.home.dir / "in" / "closed", 0o700)
        # The binary may lie where nobody cannot go.
        shutil.copy2(harness.BINARY, self.home.dir / "ragstone")

        def run(*args, **env):
            return harness.Outcome(subprocess.run(
                [self.home.dir / "ragstone", *map(str, args)], user=65534, group=65534,
                extra_groups=[], capture_output=True, text=True, check=False, timeout=120,
                cwd="/", env={**self.home.env, **env}))

        closed = run("add", "--json", self.home.dir / "in")
        self.assertEqual(closed.code, 1, str(closed))
        self.assertEqual(closed.json["failed"][0]["error"]["reason"], "FILE_PERMISSION",
                         str(closed))
        owned = self.home.dir / "owned"
        owned.mkdir(mode=0o700)
        data = run("collection", "list", "--json", RAGSTONE_DATA_DIR=str(owned / "data"))
        self.assertEqual((data.code, data.reason), (1, "FILE_PERMISSION"), str(data))

    @unittest.skipUnless(os.geteuid() == 0, "needs root to mount a small disk")
    def test_a_full_disk_is_named_what_was_there_stays_and_room_heals(self):
        self.home.data.mkdir(exist_ok=True)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs",
                                  self.home.data], capture_output=True, check=False)
        if mounted.returncode != 0:
            self.skipTest(f"no right to mount: {mounted.stderr}")
        try:
            server = harness.Server(self.home)
            self.add(self.home.write("kept.txt", "The kept gauge is brass.\n"))
            ballast = self.home.data / "ballast"
            ballast.write_bytes(b"x" * (shutil.disk_usage(self.home.data).free - (2 << 20)))
            for number in range(60):
                text = "".join(f"Line {n} of {number} speaks of valve {n * 7919 % 9973}.\n"
                               for n in range(12_000))
                done = self.home.run("add", "--json", self.home.write(f"big{number}.txt", text))
                if done.code != 0:
                    break
            self.assertEqual(done.code, 1, "the disk did not get full")
            self.assertIn("DISK_FULL", done.out)
            found = self.home.run("search", "--json", "--mode", "keyword", "brass")
            self.assertEqual((found.code, len(found.json["hits"])), (0, 1), str(found))
            self.assertIsNone(server.process.poll(), "the server ended")
            ballast.unlink()
            self.add(self.home.write("after.txt", "There is room again.\n"))
            self.assertEqual(server.stop(), 0)
        finally:
            subprocess.run(["umount", "-l", self.home.data], check=True)

    def test_wrong_usage_is_exit_code_two_and_names_the_nearest(self):
        for args, hint in ((["search", "--topk", "3", "q"], "--top-k"), (["serch", "q"], "search"),
                           (["add"], "PATH"), (["search", "--ask-top-k", "many", "q"],
                                               "ask_top_k")):
            done = self.home.run(*args)
            self.assertEqual(done.code, 2, str(done))
            self.assertIn(hint, done.err)
            self.assertEqual(done.out, "")
            self.assertEqual(list(self.home.run(*args, "--json").json), ["error"])

    def test_control_characters_reach_no_terminal(self):
        self.add(self.home.write("evil\x1b[2J.txt", "Beware of \x1b]0;title\x07 escapes.\n"))
        for args in (["search", "beware"], ["document", "list"], ["search", "--json", "beware"]):
            try:
                main, other = pty.openpty()
            except OSError as error:  # a chroot without /dev/pts
                self.skipTest(f"no terminal to be had: {error}")
            process = subprocess.Popen([harness.BINARY, *args], env={**self.home.env,
                                       "NO_COLOR": "1", "TERM": "xterm"}, stdout=other,
                                       stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
            os.close(other)
            seen = b""
            while True:
                try:
                    piece = os.read(main, 4096)
                except OSError:  # how Linux says that the other side is closed
                    break
                if not piece:
                    break
                seen += piece
            process.wait(60)
            os.close(main)
            self.assertEqual(process.returncode, 0, args)
            self.assertIn(b"evil", seen)
            self.assertNotIn(b"\x1b", seen)
            self.assertNotIn(b"\x07", seen)


class ServerTest(CliCase):
    def test_serve_tells_where_it_is_and_stops_in_order(self):
        server = harness.Server(self.home)
        self.assertEqual(list(server.ready), ["socket", "grpc", "pid", "token_file"])
        self.assertEqual(server.ready["pid"], server.pid)
        path = server.ready["socket"].removeprefix("unix:")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
        self.assertEqual(os.stat(server.ready["token_file"]).st_mode & 0o777, 0o600)
        self.failed("DATA_DIR_LOCKED", "serve", "--grpc-listen", "127.0.0.1:0")
        healthy = self.home.run("doctor", "--json")
        self.assertTrue(any(str(server.pid) in check["detail"]
                            for check in healthy.json["checks"]), str(healthy))
        self.assertEqual(server.stop(), 0)
        self.assertFalse(os.path.exists(path))

    def test_beyond_loopback_is_refused_without_tls(self):
        self.failed("TLS_REQUIRED", "serve", "--grpc-listen", "0.0.0.0:0")

    def test_a_command_notices_a_dead_server_and_says_whether_its_job_goes_on(self):
        server = harness.Server(self.home)
        big = [[f"Line {line} of page {page} speaks of gears." for line in range(40)]
               for page in range(200)]
        path = self.home.write("big.pdf", harness.pdf(big))
        add = subprocess.Popen([harness.BINARY, "add", "--json", str(path)], env=self.home.env,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               stdin=subprocess.DEVNULL, text=True)
        harness.wait_for(lambda: add.poll() is not None or self.home.run(
            "job", "list", "--json").json["jobs"], what="the job")
        server.kill()
        out, _ = add.communicate(timeout=5)
        if add.returncode == 0:
            self.skipTest("the machine was done before the server was killed")
        self.assertEqual(add.returncode, 1)
        result = json.loads(out)
        self.assertEqual(result["error"]["reason"], "SERVER_GONE")
        self.assertIn("will be finished", result["error"]["message"])
        self.assertTrue(result["failed"][0]["job"])
        done = self.add(path)
        self.assertEqual(done["documents"][0]["pages"], 200)

    def test_an_interrupted_add_without_a_server_is_finished_later(self):
        for number in range(30):
            pages = [[f"Item {number} line {line} of page {page}." for line in range(30)]
                     for page in range(20)]
            self.home.write(f"in/{number}.pdf", harness.pdf(pages))
        add = subprocess.Popen([harness.BINARY, "add", str(self.home.dir / "in")],
                               env=self.home.env, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        harness.wait_for(lambda: (self.home.data / "blobs").exists() and
                         any(p.is_file() for p in (self.home.data / "blobs").rglob("*"))
                         or add.poll() is not None, what="the first file")
        add.send_signal(signal.SIGINT)
        _, err = add.communicate(timeout=60)
        self.assertIn(add.returncode, (0, 1), err)
        if add.returncode == 1:
            self.assertIn("(CANCELLED)", err)
        done = self.add(self.home.dir / "in")
        self.assertEqual(len(done["documents"]), 30)
        self.assertEqual(self.home.run("job", "list", "--active", "--json").json["jobs"], [])


class DoctorTest(CliCase):
    def test_doctor_explains_the_machine(self):
        done = self.home.run("doctor", "--json")
        report = done.json
        self.assertEqual(done.code, 0 if report["healthy"] else 1)
        names = {check["name"] for check in report["checks"]}
        self.assertLessEqual({"version", "cpu", "gpu", "memory", "data disk", "models disk",
                              "server", "landlock", "seccomp", "pdf worker", "embedding model",
                              "generator model"}, names)
        for check in report["checks"]:
            self.assertIn(check["level"], ("ok", "warn", "fail"))
            self.assertEqual(check["level"] == "ok" or bool(check["remedy"]), True, check)
        words = self.home.run("doctor")
        self.assertEqual(words.code, done.code)
        self.assertEqual(len([line for line in words.out.splitlines()
                              if line[:4].strip() in ("ok", "warn", "fail")]),
                         len(report["checks"]))

    def test_a_missing_model_is_named(self):
        done = self.home.run("doctor", "--json", RAGSTONE_MODELS_DIR=str(self.home.dir / "none"))
        self.assertEqual(done.code, 1)
        failed = {c["name"] for c in done.json["checks"] if c["level"] == "fail"}
        self.assertIn("embedding model", failed)
        self.failed("MODEL_NOT_FOUND", "collection", "create", "c",
                    RAGSTONE_MODELS_DIR=str(self.home.dir / "none"))


if __name__ == "__main__":
    unittest.main(verbosity=2)
