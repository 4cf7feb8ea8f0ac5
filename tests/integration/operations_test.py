"""Backup, restore, verify, purge and the disk reserve, with the real binary.

Covers services/cli/commands_backup.cc, commands_restore.cc, commands_verify.cc and
commands_purge.cc.

Kills come at random moments; the seed is printed, and RAGSTONE_TEST_SEED repeats it.
"""

import json
import os
import pathlib
import shutil
import signal
import string
import subprocess
import threading
import time
import unittest

import harness

ROUNDS = 60 if harness.LONG else 6


def letters(generator, count=48):
    return "".join(generator.choice(string.ascii_lowercase) for _ in range(count))


def files_below(folder):
    return [path for path in pathlib.Path(folder).rglob("*") if path.is_file()]


def files_with(folder, text):
    """Files that hold the bytes; some may go while they are read."""
    found = []
    for path in files_below(folder):
        try:
            if text.encode() in path.read_bytes():
                found.append(path)
        except FileNotFoundError:
            pass
    return found


class OperationsTest(unittest.TestCase):

    SPEC = {"name": "notes", "vectors": [{"name": "", "dimensions": 2}],
            "fields": [{"name": "year", "type": "integer"}, {"name": "body", "type": "text"}]}

    def setUp(self):
        self.home = harness.Home()
        self.addCleanup(self.home.close)
        self.backups = self.home.dir / "backups"
        self.random = harness.seeded_random()
        self.servers = []
        self.addCleanup(lambda: [server.stop() for server in self.servers])

    def serve(self, *args):
        server = harness.Server(self.home, *args)
        self.servers.append(server)
        return server

    def ok(self, *args, **env):
        done = self.home.run(*args, "--json", **env)
        self.assertEqual(done.code, 0, f"{args}: {done}")
        return done.json if done.out else None

    def fill(self, records=50):
        self.home.write("spec.json", json.dumps(self.SPEC))
        self.ok("record", "create", self.home.dir / "spec.json")
        self.put([f"r{i}" for i in range(records)])
        self.home.write("docs/a.txt", "the pump is reset with the red button\n")
        self.home.write("docs/b.pdf", harness.pdf([["page one of the manual"],
                                                   ["page two of the manual"]]))
        self.ok("add", self.home.dir / "docs", RAGSTONE_KEEP_ORIGINALS="true")

    def put(self, ids, body="some words"):
        lines = [json.dumps({"id": i, "vectors": {"": [1, 2]},
                             "payload": {"year": 2020, "body": body}}) for i in ids]
        path = self.home.write(f"put-{threading.get_ident()}.jsonl", "\n".join(lines) + "\n")
        return self.ok("record", "upsert", "notes", path)

    def count(self, **env):
        return self.ok("record", "count", "notes", **env)["count"]

    def restore(self, name, *args):
        target = self.home.dir / name
        shown = self.ok("restore", self.backups, "--data-dir", target, *args)
        self.assertEqual(shown["restored"]["data_dir"], str(target))
        return {"RAGSTONE_DATA_DIR": str(target)}

    def verify(self, **env):
        done = self.home.run("verify", "--json", **env)
        self.assertEqual(done.code, 0, str(done))
        self.assertTrue(done.json["clean"])
        return done.json

    def test_backups_of_a_running_server_and_without_one(self):
        self.fill()
        first = self.ok("backup", self.backups, "--name", "alone")["backup"]
        self.assertEqual((first["id"], first["warnings"]), (1, []))
        self.serve()
        self.put(["later"])
        second = self.ok("backup", self.backups)["backup"]
        self.assertLess(second["new_bytes"], second["bytes"])
        listed = self.ok("backup", "list", self.backups)["backups"]
        self.assertEqual([(b["id"], b["name"]) for b in listed], [(1, "alone"), (2, "")])
        self.assertTrue(self.ok("backup", "verify", self.backups)["good"])
        for backup, count in ((1, 50), (2, 51)):
            env = self.restore(f"restored-{backup}", "--backup", backup)
            self.assertEqual(self.count(**env), count)
            hits = self.ok("search", "--mode", "keyword", "pump", **env)["hits"]
            self.assertEqual(len(hits), 1)
            self.assertFalse((pathlib.Path(env["RAGSTONE_DATA_DIR"]) / "token").exists())
            report = self.verify(**env)
            self.assertEqual((report["records"], report["documents"], report["originals"]),
                             (count, 2, 2))
        self.ok("backup", self.backups, "--keep", 1)
        self.assertEqual([b["id"] for b in self.ok("backup", "list", self.backups)["backups"]],
                         [3])

    def test_mistakes_are_refused_by_name(self):
        self.fill(1)
        for args, reason in ((("backup", self.home.data / "backups"), "INVALID_ARGUMENT"),
                             (("backup", self.home.dir / "docs"), "INVALID_ARGUMENT"),
                             (("backup", self.backups, "--name", "a b"), "INVALID_ARGUMENT"),
                             (("backup", "list", self.home.dir / "none"), "FILE_NOT_FOUND"),
                             (("backup", "verify", self.home.dir / "docs"), "FILE_NOT_FOUND"),
                             (("restore", self.home.dir / "docs", "--data-dir",
                               self.home.dir / "new"), "FILE_NOT_FOUND")):
            done = self.home.run(*args, "--json")
            self.assertEqual((done.code, done.reason), (1, reason), f"{args}: {done}")
        self.assertEqual(self.home.run("backup").code, 2)
        self.ok("backup", self.backups)
        done = self.home.run("restore", self.backups, "--json")
        self.assertEqual(done.code, 1)
        self.assertIn("not empty", done.json["error"]["message"])
        server = self.serve()
        for command in (("verify",), ("restore", self.backups, "--force")):
            done = self.home.run(*command, "--json")
            self.assertEqual((done.code, done.reason), (1, "DATA_DIR_LOCKED"), str(done))
        server.stop()

    def test_force_moves_what_is_there_aside(self):
        self.fill()
        self.ok("backup", self.backups)
        self.put(["later"])
        moved = pathlib.Path(self.ok("restore", self.backups, "--force")["restored"]["moved_aside"])
        self.assertEqual(self.count(), 50)
        self.assertEqual(self.count(RAGSTONE_DATA_DIR=str(moved)), 51)
        # A damaged backup does not cost the data its place.
        largest = max(files_below(self.backups / "objects"), key=lambda path: path.stat().st_size)
        content = bytearray(largest.read_bytes())
        content[len(content) // 2] ^= 1
        largest.write_bytes(content)
        self.assertEqual(self.home.run("restore", self.backups, "--force", "--json").reason,
                         "DATA_CORRUPT")
        self.assertEqual(self.count(), 50)

    def test_kills_during_backups_leave_earlier_ones_and_the_server_good(self):
        self.fill()
        self.ok("backup", self.backups)
        count = 50
        for _ in range(ROUNDS):
            server = self.serve()
            self.put([f"k{count}-{i}" for i in range(20)], letters(self.random, 20_000))
            count += 20
            backup = subprocess.Popen([harness.BINARY, "backup", str(self.backups), "--json"],
                                      env=self.home.env, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)
            time.sleep(self.random.random() * 0.3)
            server.kill()
            backup.wait(60)
            good = self.ok("backup", "list", self.backups)["backups"]
            self.assertFalse(any(b["damaged"] for b in good))
            self.assertTrue(self.ok("backup", "verify", self.backups)["good"])
            self.assertEqual(self.count(), count)
        self.assertEqual(self.ok("backup", self.backups)["backup"]["warnings"], [])
        self.assertFalse((self.home.data / "db" / "checkpoint.tmp").exists())
        self.assertEqual(self.count(**self.restore("restored")), count)
        self.verify()

    def test_kills_during_restores_leave_nothing_or_a_marked_directory(self):
        self.fill()
        for i in range(8):
            self.put([f"big{i}"], letters(self.random, 250_000))
        self.ok("backup", self.backups)
        target = self.home.dir / "target"
        env = {"RAGSTONE_DATA_DIR": str(target)}
        marked = 0
        for _ in range(ROUNDS * 2):
            process = subprocess.Popen(
                [harness.BINARY, "restore", str(self.backups), "--data-dir", str(target)],
                env=self.home.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(self.random.random() * 0.15)
            process.send_signal(signal.SIGKILL)
            process.wait(60)
            if (target / "restore.incomplete").exists():
                marked += 1
                done = self.home.run("record", "count", "notes", "--json", **env)
                self.assertEqual(done.code, 1, str(done))
                self.assertIn("ragstone restore", done.json["error"]["message"])
            elif (target / "db").exists():
                self.assertEqual(self.count(**env), 58)
                shutil.rmtree(target)
        print(f"{marked} of {ROUNDS * 2} kills left a marked directory", flush=True)
        shutil.rmtree(target, ignore_errors=True)
        (target / "restore.tmp").mkdir(parents=True)
        (target / "restore.incomplete").write_text("backup 1\n")
        self.assertEqual(self.count(**self.restore("target")), 58)

    def test_writes_during_backups_are_in_them_or_not(self):
        self.fill(0)
        self.serve()
        written, stop, failures = [0], threading.Event(), []

        def write():
            try:
                while not stop.is_set():
                    self.put([f"w{written[0]}-{i}" for i in range(10)])
                    written[0] += 10
            except AssertionError as error:
                failures.append(error)

        writer = threading.Thread(target=write)
        writer.start()
        least = []
        for _ in range(ROUNDS):
            least.append(written[0])
            self.ok("backup", self.backups)
        stop.set()
        writer.join()
        self.assertEqual(failures, [])
        for i, minimum in enumerate(least, 1):
            env = self.restore(f"restored-{i}", "--backup", i)
            count = self.count(**env)
            self.assertGreaterEqual(count, minimum)
            self.assertEqual(count % 10, 0)
            self.verify(**env)

    def test_purge_removes_the_bytes_from_every_file(self):
        self.fill()
        server = self.serve("--keep-originals", "true")
        planted = {kind: letters(self.random) for kind in
                   ("text", "pdf", "name", "payload", "id", "metadata", "dropped")}
        self.home.write("secret/a.txt", f"words and {planted['text']} here\n")
        self.home.write(f"secret/{planted['name']}.pdf",
                        harness.pdf([["first", planted["pdf"]]]))
        added = self.ok("add", self.home.dir / "secret")
        self.put([planted["id"]], planted["payload"])
        self.home.write("spec2.json", json.dumps({**self.SPEC, "name": "other"}))
        self.ok("record", "create", self.home.dir / "spec2.json")
        path = self.home.write("other.jsonl", json.dumps(
            {"id": "x", "vectors": {"": [1, 1]}, "payload": {"body": planted["dropped"]}}) + "\n")
        self.ok("record", "upsert", "other", path)
        del planted["metadata"]
        for name, text in planted.items():
            self.assertTrue(files_with(self.home.data, text), f"{name} is not found before")
        for document in self.ok("document", "list")["documents"]:
            if "/secret/" in document["path"]:
                self.ok("document", "delete", document["id"])
        self.ok("record", "delete", "notes", planted["id"])
        self.ok("record", "drop", "other")
        purged = self.ok("purge")["purged"]
        self.assertGreater(purged["bytes_after"], 0)
        self.assertEqual(purged["originals"], 0)  # they went with their documents
        for name, text in planted.items():
            self.assertEqual(files_with(self.home.data, text), [], name)
        self.assertEqual(self.count(), 50)
        self.assertEqual(len(self.ok("search", "--mode", "keyword", "pump")["hits"]), 1)
        self.assertTrue(added)
        server.stop()
        report = self.verify()
        self.assertEqual((report["records"], report["documents"]), (50, 2))

    def test_verify_finds_and_repairs(self):
        self.fill()
        report = self.verify()
        self.assertEqual((report["records"], report["documents"], report["collections"]),
                         (50, 2, 2))
        originals = files_below(self.home.data / "blobs")
        self.assertEqual(len(originals), 2)
        kept = originals[0].read_bytes()
        originals[0].write_bytes(kept[:-1])
        stray = self.home.data / "blobs" / "00" / ("00" * 32)
        stray.parent.mkdir(exist_ok=True)
        stray.write_bytes(b"nobody's")
        done = self.home.run("verify", "--json")
        self.assertEqual(done.code, 1)
        self.assertEqual(sorted((f["check"], f["repairable"]) for f in done.json["findings"]),
                         [("originals", False), ("originals", True)])
        self.assertEqual(self.home.run("verify", "--repair", "--json").json["repaired"], 1)
        self.assertFalse(stray.exists())
        originals[0].write_bytes(kept)
        self.verify()
        empty = self.home.dir / "empty"
        empty.mkdir()
        self.assertEqual(self.home.run("verify", "--json", RAGSTONE_DATA_DIR=str(empty)).reason,
                         "FILE_NOT_FOUND")

    def test_damaged_tables_are_found(self):
        self.fill()
        self.ok("purge")
        tables = [path for path in files_below(self.home.data / "db") if path.suffix == ".sst"]
        found = 0
        for table in tables:
            content = table.read_bytes()
            table.write_bytes(content[:8] + bytes([content[8] ^ 1]) + content[9:])
            done = self.home.run("verify", "--json")
            found += done.code == 1 and any(table.name in json.dumps(f)
                                            for f in done.json["findings"])
            table.write_bytes(content)
        self.assertEqual(found, len(tables))
        self.assertGreater(found, 0)
        self.verify()


class DiskFullTest(unittest.TestCase):
    """On a disk of its own, where one can be mounted."""

    def setUp(self):
        self.home = harness.Home()
        self.addCleanup(self.home.close)
        self.disk = self.home.dir / "disk"
        self.disk.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(self.disk)],
                              capture_output=True, check=False)
        if done.returncode != 0:
            self.skipTest("no tmpfs can be mounted here")
        self.addCleanup(lambda: subprocess.run(["umount", "-l", str(self.disk)], check=False))
        self.home.env["RAGSTONE_DATA_DIR"] = str(self.disk / "data")
        self.home.data = self.disk / "data"

    def test_writes_are_refused_in_time_and_go_on_when_there_is_room(self):
        self.home.write("spec.json", json.dumps(OperationsTest.SPEC))
        self.assertEqual(self.home.run("record", "create", self.home.dir / "spec.json").code, 0)
        server = harness.Server(self.home)
        self.addCleanup(server.stop)
        line = json.dumps({"id": "a", "vectors": {"": [1, 2]}, "payload": {"body": "words"}}) + "\n"
        path = self.home.write("one.jsonl", line)
        self.assertEqual(self.home.run("record", "upsert", "notes", path).code, 0)
        free = os.statvfs(self.disk)
        ballast = self.disk / "ballast"
        # 2 MiB are left: less than the twentieth that counts of the reserve.
        ballast.write_bytes(b"\0" * (free.f_bavail * free.f_frsize - (2 << 20)))
        before = {path: path.stat().st_size for path in files_below(self.home.data)}
        done = self.home.run("record", "upsert", "notes", path, "--json")
        self.assertEqual((done.code, done.reason), (1, "DISK_FULL"), str(done))
        self.assertIn("bytes free", done.json["error"]["message"])
        self.assertEqual(before, {path: path.stat().st_size
                                  for path in files_below(self.home.data)})
        self.assertEqual(self.home.run("record", "count", "notes", "--json").json["count"], 1)
        self.home.write("doc.txt", "a document")
        done = self.home.run("add", self.home.dir / "doc.txt", "--json")
        self.assertNotEqual(done.code, 0)
        ballast.unlink()
        self.assertEqual(self.home.run("record", "upsert", "notes", path).code, 0)
        # A backup that has no room says so before it copies. The first one, elsewhere, leaves
        # everything in tables, so that taking the state needs next to nothing.
        generator = harness.seeded_random()
        lines = [json.dumps({"id": f"b{i}", "vectors": {"": [1, 2]},
                             "payload": {"body": letters(generator, 30_000)}}) for i in range(100)]
        path = self.home.write("big.jsonl", "\n".join(lines) + "\n")
        self.assertEqual(self.home.run("record", "upsert", "notes", path).code, 0)
        self.assertEqual(self.home.run("backup", self.home.dir / "first").code, 0)
        free = os.statvfs(self.disk)
        ballast.write_bytes(b"\0" * (free.f_bavail * free.f_frsize - (1 << 20)))
        done = self.home.run("backup", self.disk / "backups", "--json")
        self.assertEqual((done.code, done.reason), (1, "DISK_FULL"), str(done))
        self.assertIn("are needed", done.json["error"]["message"])
        self.assertEqual(files_below(self.disk / "backups" / "objects"), [])
        ballast.unlink()
        done = self.home.run("backup", self.disk / "backups", "--json")
        self.assertEqual(done.code, 0, str(done))


if __name__ == "__main__":
    unittest.main(verbosity=2)
