#!/usr/bin/env python3
"""kill -9 of a server with real models at random moments while a folder of PDFs is added.

    crash_pdfs.py --ragstone build/release/bin/ragstone --pdfs FOLDER --work FOLDER [--kills 10]

First the folder is added without a kill, or that of an earlier run in the same work folder is
taken. Then it is added to an empty data directory while the server is killed, and again after
each restart, as a user would; then every document that is listed must have the pages and chunks
of the undisturbed run, be found by a text of its own, and never be gone again; the interrupted
jobs must go on by themselves. At the end both databases must hold the same documents and answer
the same queries with the same passages. Prints what happened and ends with 1 if anything was
wrong.
"""

import argparse
import json
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

QUERIES = ["probable cause of the accident", "primary endpoint of the study", "strategic goal",
           "adverse events", "runway surface", "budget", "inclusion criteria", "engine power",
           "grants", "informed consent"]


class Service:
    def __init__(self, options, name, keep=False):
        self.ragstone = options.ragstone
        self.data = pathlib.Path(options.work) / name
        if not keep:
            shutil.rmtree(self.data, ignore_errors=True)
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            [self.ragstone, "serve", "--json", "--data-dir", str(self.data), "--grpc-listen",
             "127.0.0.1:0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if not self.process.stdout.readline():
            sys.exit("the server did not start")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def run(self, *args):
        done = subprocess.run([self.ragstone, *args, "--json", "--data-dir", str(self.data)],
                              capture_output=True, text=True, check=False)
        try:
            return json.loads(done.stdout)
        except json.JSONDecodeError:
            return {"error": {"message": done.stderr[-500:]}}

    def add(self, folder):
        return subprocess.Popen([self.ragstone, "add", "--json", "--data-dir", str(self.data),
                                 str(folder)], stdout=subprocess.DEVNULL,
                                stderr=subprocess.DEVNULL)

    def documents(self):
        return {d["path"]: d for d in self.run("document", "list").get("documents", [])}

    def unfinished_jobs(self):
        jobs = self.run("job", "list").get("jobs", [])
        return [j for j in jobs if j["state"] in ("queued", "running")]

    def answers(self):
        return {(q, mode): [(h["path"], h["page"], h["text"]) for h in
                            self.run("search", "--mode", mode, q).get("hits", [])]
                for q in QUERIES for mode in ("vector", "keyword", "hybrid")}


def own_texts(service):
    """For each document a query that finds it: its name or a passage of it, by path."""
    found = {}
    for path in service.documents():
        stem = pathlib.Path(path).stem
        hits = service.run("search", "--mode", "keyword", "--top-k", "1", stem).get("hits", [])
        if hits and hits[0]["path"] == path:
            found[path] = stem
    for query in QUERIES:
        for hit in service.run("search", "--top-k", "50", query).get("hits", []):
            found.setdefault(hit["path"], hit["text"][:300])
    return found


def check(service, reference, queries, before, wrong):
    listed = service.documents()
    for path in before - listed.keys():
        wrong.append(f"{path} was acknowledged and is gone")
    for path, document in listed.items():
        right = reference.get(path, {})
        for key in ("pages", "chunks"):
            if document[key] != right.get(key):
                wrong.append(f"{path}: {key} is {document[key]}, should be {right.get(key)}")
        # While a file is added again its published version stays whole.
        if document["status"] not in ("ready", "updating"):
            wrong.append(f"{path}: status is {document['status']}")
        if path in queries:
            hits = service.run("search", "--mode", "keyword", "--top-k", "20",
                               queries[path]).get("hits", [])
            if path not in [hit["path"] for hit in hits]:
                wrong.append(f"{path} is listed but not found by its own text")
    return set(listed)


def wait_for_jobs(service, seconds):
    until = time.monotonic() + seconds
    while service.unfinished_jobs():
        if time.monotonic() > until:
            return False
        time.sleep(1)
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ragstone", required=True)
    parser.add_argument("--pdfs", required=True)
    parser.add_argument("--work", required=True)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--wait-max", type=float, default=20, help="seconds between kills")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    rng = random.Random(options.seed)
    print("seed", options.seed)

    calm = Service(options, "calm", keep=True)
    calm.start()
    begin = time.monotonic()
    calm.add(options.pdfs).wait()
    reference = calm.documents()
    print(f"without a kill: {len(reference)} documents, "
          f"{sum(d['pages'] for d in reference.values())} pages, "
          f"{time.monotonic() - begin:.0f} s (0: added before)")
    queries, answers = own_texts(calm), calm.answers()
    calm.stop()

    wrong, known = [], set()
    hit = Service(options, "killed")
    left = 0
    for number in range(options.kills):
        hit.start()
        resumed = len(hit.unfinished_jobs())
        if left and not resumed and len(known) < len(reference):
            time.sleep(1)  # they may just have ended
            if len(hit.documents()) == len(known):
                wrong.append(f"restart {number}: {left} jobs were left and none goes on")
        known = check(hit, reference, queries, known, wrong)
        add = hit.add(options.pdfs)
        wait = rng.uniform(0.05, options.wait_max)
        time.sleep(wait)
        left = len(hit.unfinished_jobs())
        hit.kill()
        add.wait()
        print(f"kill {number + 1}: {wait:.1f} s after the start, {len(known)} documents before, "
              f"{resumed} jobs resumed, {left} unfinished at the kill", flush=True)
    hit.start()
    hit.add(options.pdfs).wait()
    if not wait_for_jobs(hit, 3600):
        wrong.append("the resumed jobs did not end")
    known = check(hit, reference, queries, known, wrong)
    if hit.documents().keys() != reference.keys():
        wrong.append(f"{len(known)} documents at the end, should be {len(reference)}")
    for key, passages in hit.answers().items():
        if sorted(passages) != sorted(answers[key]):
            wrong.append(f"{key} gives other passages than without kills")
    hit.stop()
    for line in wrong:
        print("WRONG:", line)
    print(f"{options.kills} kills, {len(known)} documents, {len(queries)} of them checked by their "
          f"own text after every start, {len(wrong)} faults")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
