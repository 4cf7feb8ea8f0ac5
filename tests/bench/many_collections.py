#!/usr/bin/env python3
"""Many small collections in one database: what they take of memory, threads, open files and disk,
how long the database takes to start with them, and the first search of a collection.

Creates --collections of --rows vectors of 384 numbers with one whole number each, through gRPC (or
in the process, for chromadb embedded), then stops, starts again, and searches collections that
nobody has touched since. A run that was stopped goes on with the collections that are there. Each
measurement is a line of JSON in --results:

  write    seconds, collections and rows a second, and what the process takes at the end
           (with more than --memory-max-gib an engine gets no further ones: see `made`)
  start    seconds until the server answers and until a client is made, which is the start of an
           embedded engine and includes its import; what it takes then
  search   milliseconds of the first search and of the second in each of --searches collections
           chosen at random, whether all were right, and what the process takes then

    pip install -r tests/bench/requirements.txt
    many_collections.py --ragstone build/release/bin/ragstone --results FILE [--engines ...]
"""

import argparse
import json
import multiprocessing
import os
import pathlib
import signal
import sys
import time

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from server_engines import SERVERS, connect, usage  # noqa: E402

DIMENSIONS = 384
K = 10
REPORT_EVERY = 500


def rows_of(number, count):
    """The vectors of a collection; the same in every run."""
    rows = numpy.random.default_rng([20260101, number]).standard_normal((count, DIMENSIONS),
                                                                        numpy.float32)
    return rows / numpy.linalg.norm(rows, axis=1, keepdims=True)


def name_of(number):
    return f"many-{number:05d}"


class Run:
    def __init__(self, args, server):
        self.args, self.server = args, server
        self._progress = server.data.parent / "written"
        self.client = None

    def start(self):
        """Seconds until a server takes calls, and until there is a client in this process."""
        server_s = self.server.start()
        begin = time.perf_counter()
        self.client = connect(self.server.spec)
        return {"server_s": round(server_s, 3),
                "client_s": round(time.perf_counter() - begin, 3)}

    def stop(self):
        self.client = None
        self.server.stop()

    def taken(self):
        """Of the server; an embedded one is this process."""
        return usage(self.server.pid or os.getpid())

    def written(self):
        return int(self._progress.read_text()) if self._progress.exists() else 0

    def write(self):
        begin, first = time.perf_counter(), self.written()
        numbers = numpy.arange(self.args.rows)
        for number in range(first, self.args.collections):
            name = name_of(number)
            if number == first:
                self.forget(name)  # it may be half written
            self.client.create(name, DIMENSIONS)
            self.client.upsert(name, numbers, rows_of(number, self.args.rows), numbers)
            self._progress.write_text(str(number + 1))
            if (number + 1) % REPORT_EVERY == 0:
                taken = self.taken()
                print(f"  {number + 1} collections, {time.perf_counter() - begin:.0f} s, {taken}",
                      flush=True)
                if taken["rss"] > self.args.memory_max_gib << 30:
                    break
        seconds = time.perf_counter() - begin
        made = self.written() - first
        return {"seconds": round(seconds, 1), "made": made,
                "collections_per_s": round(made / seconds, 1),
                "rows_per_s": round(made * self.args.rows / seconds, 1), "takes": self.taken()}

    def forget(self, name):
        try:
            self.client.drop(name)
        except Exception as error:  # each engine says in its own way that there is none
            print(f"  {name} was not there: {type(error).__name__}", flush=True)

    def search(self):
        chooser = numpy.random.default_rng(7)
        picked = chooser.choice(self.written(), min(self.args.searches, self.written()),
                                replace=False)
        first, second, right = [], [], 0
        for number in picked:
            rows = rows_of(number, self.args.rows)
            for times in (first, second):
                begin = time.perf_counter()
                found = self.client.search(name_of(number), rows[3], min(K, len(rows)))
                times.append((time.perf_counter() - begin) * 1e3)
            exact = numpy.argsort(-(rows @ rows[3]), kind="stable")[:K]
            right += set(found) == set(exact.tolist())
        return {"searched": len(picked), "right": right / len(picked), "first_ms": spread(first),
                "second_ms": spread(second), "very_first_ms": round(first[0], 3),
                "takes": self.taken()}


def spread(times):
    return {str(p): round(float(numpy.percentile(times, p)), 3) for p in (50, 99, 100)}


def disk(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def add(args, engine, phase, values):
    line = {"engine": engine, "phase": phase, "collections": args.collections, "rows": args.rows,
            **values}
    with open(args.results, "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    print(json.dumps(line), flush=True)


def server_of(args, name):
    kind = next(kind for kind in SERVERS if kind.name == name)
    return kind(args, pathlib.Path(args.work) / name.replace(" ", "-"))


def write(args, name):
    run = Run(args, server_of(args, name))
    if run.written() == 0:
        run.server.wipe()
    run.start()
    try:
        if run.written() < args.collections:
            add(args, name, "write", run.write())
    finally:
        run.stop()


def read(args, name):
    run = Run(args, server_of(args, name))
    started = run.start()
    try:
        add(args, name, "start", {**started, "disk": disk(run.server.data), "takes": run.taken()})
        add(args, name, "search", run.search())
    finally:
        run.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ragstone", required=True, help="the built program")
    parser.add_argument("--ragstone-options", nargs="*", default=[], help="further ones of serve")
    parser.add_argument("--results", required=True, help="file to which lines of JSON are appended")
    parser.add_argument("--work", default="build/bench/many", help="for the data folders")
    parser.add_argument("--engines", nargs="+", default=["ragstone", "chromadb embedded"])
    parser.add_argument("--milvus-python", help="python of an environment with the package milvus")
    parser.add_argument("--consistency", default="Strong", help="of Milvus")
    parser.add_argument("--collections", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=100, help="of each collection")
    parser.add_argument("--searches", type=int, default=200)
    parser.add_argument("--memory-max-gib", type=int, default=6)
    parser.add_argument("--keep", action="store_true", help="leave the data folders")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends what was started as well
    pathlib.Path(args.work).mkdir(parents=True, exist_ok=True)

    names = [kind.name for kind in SERVERS if any(word in kind.name for word in args.engines)]
    for name in names:
        for phase in (write, read):
            # A process of its own, so that an embedded engine starts anew as well.
            part = multiprocessing.get_context("spawn").Process(target=phase, args=(args, name),
                                                               daemon=True)
            part.start()
            part.join()
            if part.exitcode:
                sys.exit(f"{name}: {phase.__name__} failed; start again to go on")
        if not args.keep:
            server_of(args, name).wipe()


if __name__ == "__main__":
    main()
