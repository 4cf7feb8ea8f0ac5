"""A worker that dies in the middle of its work costs at most that request; the server stays up."""

import os
import signal
import subprocess
import threading
import time
import unittest

import harness

TEXT = [["The gate valve is painted orange.", "Its wheel turns nine times."]]


class WorkerFaultTest(unittest.TestCase):
    def setUp(self):
        self.home = harness.Home()
        self.fault = self.home.dir / "fault"
        self.server = harness.Server(self.home, RAGSTONE_TEST_FAULT_FILE=str(self.fault))

    def tearDown(self):
        pid = self.server.pid
        self.assertEqual(self.server.process.poll(), None, "the server ended")
        self.assertEqual(self.server.stop(), 0)
        self.assertTrue(pid)
        self.home.close()

    def add(self, name, pages):
        path = self.home.write(name, harness.pdf(pages))
        return self.home.run("add", "--json", path)

    def ask(self):
        return self.home.run("ask", "--json", "Which colour does the gate valve have?")

    def kill_workers(self, prefix):
        for name, pids in self.server.workers().items():
            if name.startswith(prefix):
                for pid in pids:
                    os.kill(pid, signal.SIGSEGV)

    def test_a_segfault_in_the_middle_of_an_embedding_is_repaired_by_a_retry(self):
        self.fault.touch()
        done = self.add("a.pdf", TEXT)
        self.assertEqual(done.code, 0, str(done))
        self.assertFalse(self.fault.exists(), "the fault was not met")
        self.assertEqual(self.add("b.pdf", [["Another text."]]).code, 0)

    def test_a_segfault_in_the_middle_of_a_generation_is_repaired_by_a_retry(self):
        self.assertEqual(self.add("a.pdf", TEXT).code, 0)
        self.assertIn(self.ask().code, (0, 3))
        found = self.home.run("search", "--json", "--mode", "keyword", "orange")
        self.assertEqual(found.code, 0, str(found))
        self.fault.touch()
        done = self.home.run("ask", "--json", "--mode", "keyword", "Which colour is orange?")
        self.assertIn(done.code, (0, 1, 3), str(done))
        if done.code == 1:
            self.assertEqual(done.reason, "WORKER_CRASHED")
        self.assertFalse(self.fault.exists(), "the fault was not met")
        self.assertIn(self.ask().code, (0, 3))

    def test_segfaults_of_the_pdf_worker_during_a_parse_leave_the_next_request_working(self):
        pages = [[f"Page {n} line {line} of a long document." for line in range(40)]
                 for n in range(400)]
        path = self.home.write("long.pdf", harness.pdf(pages))
        stop = threading.Event()

        def keep_killing():
            while not stop.is_set():
                self.kill_workers("ragstone-pdf")
                time.sleep(0.05)

        killer = threading.Thread(target=keep_killing)
        killer.start()
        try:
            done = self.home.run("add", "--json", path)
        finally:
            stop.set()
            killer.join()
        self.assertIn(done.code, (0, 1), str(done))
        self.assertEqual(self.add("next.pdf", TEXT).code, 0)
        listed = self.home.run("document", "list", "--json").json["documents"]
        for document in listed:
            self.assertEqual(document["status"], "ready")
            self.assertEqual(document["pages"], 400 if "long" in document["path"] else 1)

    def test_idle_workers_that_were_killed_are_started_again(self):
        self.assertEqual(self.add("a.pdf", TEXT).code, 0)
        self.assertIn(self.ask().code, (0, 3))
        for _ in range(3):
            self.kill_workers("ragstone-")
            self.assertIn(self.ask().code, (0, 3))
            self.assertEqual(self.add("n.pdf", [[f"New text {time.monotonic()}"]]).code, 0)


class HangTest(unittest.TestCase):
    def test_a_page_that_does_not_end_is_refused_by_its_time_limit_and_the_next_file_is_read(self):
        home = harness.Home()
        server = harness.Server(home, "--page-time-ms-max", "300",
                                RAGSTONE_TEST_FAULT="hang-page-2")
        try:
            done = home.run("add", "--json", home.write("hang.pdf", harness.pdf(TEXT * 3)))
            self.assertEqual(done.code, 1, str(done))
            self.assertIn("TIME_LIMIT", done.out)
            self.assertEqual(home.run("add", "--json",
                                      home.write("one.pdf", harness.pdf(TEXT))).code, 0)
            self.assertEqual(len(home.run("document", "list", "--json").json["documents"]), 1)
        finally:
            self.assertEqual(server.stop(), 0)
            home.close()


class ServerGoneTest(unittest.TestCase):
    def test_a_command_ends_within_seconds_when_the_server_goes_away(self):
        home = harness.Home()
        try:
            server = harness.Server(home, RAGSTONE_TEST_DELAY_MS="3000")
            path = home.write("a.pdf", harness.pdf([[f"Line {n}." for n in range(50)]] * 20))
            add = subprocess.Popen([harness.BINARY, "add", "--json", str(path)], env=home.env,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   stdin=subprocess.DEVNULL)
            time.sleep(1.0)
            server.kill()
            out, _ = add.communicate(timeout=15)
            self.assertEqual(add.returncode, 1, out)
            self.assertIn("SERVER_GONE", out)
        finally:
            home.close()


if __name__ == "__main__":
    unittest.main(verbosity=2)
