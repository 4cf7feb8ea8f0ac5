#!/usr/bin/env python3
"""Ragstone's VectorService beside chromadb (server and embedded), milvus-lite and the standalone
server of the package `milvus`: each a server on loopback with a data folder of its own and its
usual durability, the same vectors, clients that are processes.

For each engine, in this order:
  write      single records, acknowledged, by 1, 8 and 32 clients, into a collection of their own
  ingest     all rows in batches of --batch, by one client; then waiting until it is idle
  ef         recall of the ten nearest against exact search, and time, for several ef; the fastest
             that has --recall is used from here on ("ef 0" is Ragstone's own choice)
  query      searches of 1, 8 and 32 clients, nothing else going on
  filter     by `part < n`, true for 50, 10, 1, 0.1 and 0.01 % of the rows; also how many of
             min(10, matches) came back
  query+     the same searches while one client writes further rows in batches of --batch

Recall of searches while rows are written counts results at least as near as the tenth best of the
rows that were there before. Rates count only beside their recall. Latencies are the client's, with
what its package does for a call in Python; `server_cpu_ms` is what the server computed for each
call, and does not depend on clients. Server and clients share the machine. The embedded engine has
one process, whose threads are its clients.

Each measurement is a line of JSON in --results; those that are there are not repeated. An engine
whose `ingest` is missing begins anew; one that was stopped later goes on with the rows it has. What
is still going on after --phase-timeout is ended and its line says so.

    pip install -r tests/bench/requirements.txt       (and, of its own: pip install milvus)
    server_bench.py --ragstone build/release/bin/ragstone --vectors DIR --results FILE
        [--rows 100000] [--milvus-python VENV/bin/python] [--report]
"""

import argparse
import json
import multiprocessing
import os
import pathlib
import queue
import sys
import threading
import time

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from server_engines import CLIENTS, SERVERS, batches, connect, usage  # noqa: E402

K = 10
PARTS = 10_000
BELOW = {"50 %": 5000, "10 %": 1000, "1 %": 100, "0.1 %": 10, "0.01 %": 1}
MAIN, SMALL = "bench", "small"
IDLE_SHARE = 0.05  # of a core


def parts_of(ids):
    """The value that filters compare: spread evenly, without order."""
    spread = numpy.asarray(ids, numpy.uint64) * numpy.uint64(0x9E3779B97F4A7C15)
    return (spread >> numpy.uint64(40)) % numpy.uint64(PARTS)


class Data:
    """`rows` to begin with, the rest to write later; queries; what is right."""

    def __init__(self, args):
        folder = pathlib.Path(args.vectors).resolve()
        dimensions = json.loads((folder / "vectors.json").read_text())["dimensions"]
        self.all = numpy.memmap(folder / "base.f32", numpy.float32, "r").reshape(-1, dimensions)
        self.queries = numpy.fromfile(folder / "queries.f32",
                                      numpy.float32).reshape(-1, dimensions)[:args.queries]
        self.rows = min(args.rows, len(self.all) * 9 // 10)
        self._bars = {}

    def _bar(self, below):
        """For each query the score of the last right result, and how many results are right."""
        if below not in self._bars:
            scores = self.queries @ self.all[:self.rows].T
            if below is not None:
                scores = scores[:, parts_of(numpy.arange(self.rows)) < below]
            right = min(K, scores.shape[1])
            bar = (numpy.partition(scores, -right, axis=1)[:, -right] if right
                   else numpy.zeros(len(scores)))
            self._bars[below] = (bar, right)
        return self._bars[below]

    def recall(self, found, below=None):
        """(recall, share of complete answers) of {number of query: ids}."""
        bar, right = self._bar(below)
        hits = complete = 0
        for number, ids in found.items():
            ids = numpy.unique(numpy.asarray(ids, int))
            near = self.all[ids % len(self.all)] @ self.queries[number] >= bar[number] - 1e-5
            fits = True if below is None else parts_of(ids) < below
            hits += min(right, int((near & fits).sum()))
            complete += len(ids) >= right
        return hits / max(1, right * len(found)), complete / max(1, len(found))


def do_upserts(client, job):
    rows = numpy.memmap(job["path"], numpy.float32, "r").reshape(-1, job["dimensions"])
    times, written, stop = [], 0, time.perf_counter() + job["seconds"]
    while True:
        for begin, end in batches(job["begin"], job["end"], job["batch"]):
            ids = numpy.arange(begin, end)
            block = numpy.asarray(rows[begin:end])
            at = time.perf_counter()
            client.upsert(job["collection"], ids, block, parts_of(ids))
            times.append(time.perf_counter() - at)
            written += end - begin
            if time.perf_counter() > stop:
                return {"times": times, "written": written}
        if not job.get("again"):
            return {"times": times, "written": written}


def do_searches(client, job):
    queries = numpy.load(job["queries"])
    times, found, stop = [], {}, time.perf_counter() + job["seconds"]
    for number in range(job["first"], job["first"] + job["count"]):
        number %= len(queries)
        at = time.perf_counter()
        ids = client.search(job["collection"], queries[number], K, job["below"])
        times.append(time.perf_counter() - at)
        found[number] = ids
        if time.perf_counter() > stop:
            break
    return {"times": times, "found": found}


def do_call(client, job):
    return getattr(client, job["method"])(*job["arguments"])


DOING = {"upserts": do_upserts, "searches": do_searches, "call": do_call}


def work(spec, jobs, start, results):
    """A process: one client, a thread for each job; all processes begin at once."""
    try:
        client = connect(spec)
        for job in jobs:
            if job["do"] == "searches" and job["local_ef"]:
                client.set_ef(job["collection"], job["ef"])
        start.wait()

        def run(job):
            begin = time.perf_counter()
            try:
                out = DOING[job["do"]](client, job)
                results.put((job["number"], out, time.perf_counter() - begin, None))
            except Exception as error:  # what a rival raises is its own business; it is reported
                results.put((job["number"], None, 0, f"{type(error).__name__}: {error}"[:500]))

        threads = [threading.Thread(target=run, args=(job,)) for job in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    except Exception as error:
        for job in jobs:
            results.put((job["number"], None, 0, f"{type(error).__name__}: {error}"[:500]))


class Bench:
    def __init__(self, args, server, data, context):
        self.args, self.server, self.data, self._context = args, server, data, context
        self._queries = pathlib.Path(args.work).resolve() / "queries.npy"
        numpy.save(self._queries, data.queries)
        self.ef = None

    def run(self, jobs, timeout=None):
        """Results of jobs that run beside each other: (result, seconds) of each, or an error."""
        for number, job in enumerate(jobs):
            job["number"] = number
        groups = [jobs] if self.server.embedded else [[job] for job in jobs]
        start, results = self._context.Barrier(len(groups)), self._context.Queue()
        processes = [self._context.Process(target=work, args=(self.server.spec, group, start,
                                                              results)) for group in groups]
        for process in processes:
            process.start()
        answers = {}
        end = time.monotonic() + (timeout or self.args.phase_timeout)
        try:
            while len(answers) < len(jobs):
                number, out, seconds, error = results.get(timeout=max(0.1, end - time.monotonic()))
                if error:
                    raise RuntimeError(error)
                answers[number] = (out, seconds)
        except queue.Empty:
            raise RuntimeError("not done in time") from None
        finally:
            for process in processes:
                if len(answers) < len(jobs):
                    process.kill()
                process.join()
        return [answers[number] for number in range(len(jobs))]

    def call(self, method, *arguments):
        return self.run([{"do": "call", "method": method, "arguments": arguments}])[0]

    def searches(self, count, below=None, ef=None, client=0):
        return {"do": "searches", "collection": MAIN, "queries": str(self._queries),
                "ef": self.ef if ef is None else ef, "local_ef": not self.stored_ef(),
                "below": below, "seconds": self.args.seconds, "count": count,
                "first": client * 97}

    def stored_ef(self):
        """Whether ef is a setting of the collection."""
        return self.server.spec[0] == "ChromaClient"

    def upserts(self, collection, begin, end, batch, seconds=1e9, again=False):
        return {"do": "upserts", "collection": collection, "begin": begin, "end": end,
                "batch": batch, "seconds": seconds, "again": again,
                "path": str(self.data.all.filename), "dimensions": self.data.all.shape[1]}

    def idle(self):
        """Waits until the server computes nothing any more; seconds."""
        begin = time.perf_counter()
        if self.server.pid is None:
            return 0.0
        quiet = 0
        while quiet < 2 and time.perf_counter() - begin < self.args.phase_timeout:
            before = usage(self.server.pid)["cpu_s"]
            time.sleep(1)
            quiet = quiet + 1 if usage(self.server.pid)["cpu_s"] - before < IDLE_SHARE else 0
        return time.perf_counter() - begin

    def cpu(self):
        return usage(self.server.pid)["cpu_s"] if self.server.pid else None

    # The phases; each returns what goes into the line.

    def write(self, clients):
        try:
            self.call("drop", SMALL)  # of a run that was stopped
        except RuntimeError:
            pass
        self.call("create", SMALL, self.data.all.shape[1])
        share = self.data.rows // clients
        jobs = [self.upserts(SMALL, i * share, (i + 1) * share, 1, self.args.seconds, True)
                for i in range(clients)]
        before = self.cpu()
        answers = self.run(jobs)
        out = summary(answers, sum(a["written"] for a, _ in answers), before, self.cpu())
        self.call("drop", SMALL)
        return out

    def ingest(self):
        self.call("create", MAIN, self.data.all.shape[1])
        before = self.cpu()
        answers = self.run([self.upserts(MAIN, 0, self.data.rows, self.args.batch)])
        out = summary(answers, self.data.rows, before, self.cpu())
        begin = time.perf_counter()
        self.call("settle", MAIN)
        self.run([self.searches(1, ef=K)])  # some indexes are not there before they are asked
        self.idle()
        out["settled"], _ = self.call("settle", MAIN)
        out["settle_s"] = round(time.perf_counter() - begin, 1)
        out["disk"] = sum(path.stat().st_size for path in self.server.data.rglob("*")
                          if path.is_file())
        if self.server.pid:
            out["server"] = usage(self.server.pid)
        return out

    def use(self, ef):
        if self.stored_ef():
            self.call("set_ef", MAIN, ef)
        self.ef = ef

    def calibrate(self, efs):
        points = []
        for ef in efs:
            self.use(ef)
            self.run([self.searches(5, ef=ef)])
            before = self.cpu()
            answers = self.run([self.searches(self.args.queries, ef=ef)])
            recall, _ = self.data.recall(answers[0][0]["found"])
            point = summary(answers, len(answers[0][0]["times"]), before, self.cpu())
            points.append({"ef": ef, "recall": round(recall, 4), **point})
            print(f"  ef {ef}: {points[-1]}", flush=True)
            if recall > self.args.recall + 0.01 and ef != 0:
                break
        enough = [point for point in points if point["recall"] >= self.args.recall]
        best = (min(enough, key=lambda point: point["p50_ms"]) if enough
                else max(points, key=lambda point: point["recall"]))
        return {"ef": best["ef"], "recall": best["recall"], "points": points}

    def query(self, clients, below=None):
        jobs = [self.searches(10 ** 9, below, client=i) for i in range(clients)]
        before = self.cpu()
        answers = self.run(jobs)
        return {**summary(answers, sum(len(a["times"]) for a, _ in answers), before, self.cpu()),
                **self.found(answers, below), "ef": self.ef}

    def found(self, answers, below=None):
        found = {}
        for answer, _ in answers:
            found.update(answer["found"])
        recall, complete = self.data.recall(found, below)
        return {"recall": round(recall, 4), "complete": round(complete, 4)}

    def query_and_write(self, clients):
        writer = self.upserts(MAIN, self.data.rows, len(self.data.all), self.args.batch,
                              self.args.seconds, True)
        jobs = [self.searches(10 ** 9, client=i) for i in range(clients)] + [writer]
        before = self.cpu()
        answers = self.run(jobs)
        written, write_s = answers.pop()
        return {**summary(answers, sum(len(a["times"]) for a, _ in answers), before, self.cpu()),
                **self.found(answers), "ef": self.ef,
                "written_per_s": round(written["written"] / write_s, 1)}


def summary(answers, count, cpu_before, cpu_after):
    times = numpy.concatenate([answer["times"] for answer, _ in answers])
    seconds = max(seconds for _, seconds in answers)
    out = {"count": count, "seconds": round(seconds, 3), "per_s": round(count / seconds, 1),
           "p50_ms": round(float(numpy.percentile(times, 50)) * 1e3, 3),
           "p99_ms": round(float(numpy.percentile(times, 99)) * 1e3, 3)}
    if cpu_before is not None and cpu_after is not None:
        out["server_cpu_ms"] = round((cpu_after - cpu_before) / max(1, count) * 1e3, 4)
    return out


class Results:
    def __init__(self, args):
        self.path, self.rows = pathlib.Path(args.results), args.rows
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        self.lines = [json.loads(line) for line in lines if line]
        if args.repeat_errors:
            self.lines = [line for line in self.lines if "error" not in line]

    def find(self, engine, phase):
        key = (engine, phase, self.rows)
        return next((line for line in reversed(self.lines)
                     if (line["engine"], line["phase"], line["rows"]) == key), None)

    def add(self, engine, phase, values):
        line = {"engine": engine, "phase": phase, "rows": self.rows, **values}
        self.lines.append(line)
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        print(json.dumps({k: v for k, v in line.items() if k != "points"}), flush=True)


def phases(args, efs):
    """(name, function of a Bench) in order."""
    for count in args.clients:
        yield f"write, clients {count}", lambda bench, count=count: bench.write(count)
    yield "ingest", Bench.ingest
    yield "ef", lambda bench: bench.calibrate(efs)
    for count in args.clients:
        yield f"query, clients {count}", lambda bench, count=count: bench.query(count)
    for name, below in BELOW.items():
        yield f"filter {name}", lambda bench, below=below: bench.query(1, below)
    for count in args.clients:
        yield f"query+, clients {count}", lambda bench, count=count: bench.query_and_write(count)


def measure(args, server, data, context, results):
    """All phases of an engine that are missing."""
    todo = list(phases(args, ()))
    if all(results.find(server.name, name) for name, _ in todo):
        return
    ingested = results.find(server.name, "ingest")
    if ingested is None:
        server.wipe()
    has_rows = server.data.exists()
    try:
        print(f"{server.name} started in {server.start():.2f} s", flush=True)
        bench = Bench(args, server, data, context)
        for name, function in phases(args, CLIENTS[server.spec[0]].efs):
            if name == "ingest" and ingested is not None and not has_rows:
                bench.ingest()
            done = results.find(server.name, name)
            if done is None:
                try:
                    done = function(bench)
                except RuntimeError as error:
                    done = {"error": str(error)}
                results.add(server.name, name, done)
            if name == "ingest" and "error" in done:
                break
            if name == "ef" and "ef" in done:
                bench.use(done["ef"])
    except RuntimeError as error:
        print(f"{server.name}: {error}; its log is {server.log_path}", file=sys.stderr)
    finally:
        server.stop()
    if all(results.find(server.name, name) for name, _ in todo) and not args.keep:
        server.wipe()


def report(results):
    engines = list(dict.fromkeys(line["engine"] for line in results.lines))
    names = list(dict.fromkeys(line["phase"] for line in results.lines))
    print("\n| phase | engine | per s | p50 ms | p99 ms | server CPU ms | recall | complete | ef | "
          "errors |\n|" + "---|" * 10)
    for phase in names:
        for engine in engines:
            line = results.find(engine, phase)
            if line is not None and phase != "ef":
                shown = [line.get(key, "") for key in ("per_s", "p50_ms", "p99_ms", "server_cpu_ms",
                                                       "recall", "complete", "ef", "error")]
                print(f"| {phase} | {engine} | " + " | ".join(map(str, shown)) + " |")


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ragstone", required=True, help="the built program")
    parser.add_argument("--ragstone-options", nargs="*", default=[], help="further ones of serve")
    parser.add_argument("--vectors", required=True, help="folder of minilm_vectors.py")
    parser.add_argument("--results", required=True, help="file to which lines of JSON are appended")
    parser.add_argument("--work", default="build/bench/servers", help="for the data folders")
    parser.add_argument("--engines", nargs="+", help="names, or parts of them",
                        default=["ragstone", "chromadb server", "chromadb embedded", "milvus-lite"])
    parser.add_argument("--milvus-python", help="python of an environment with the package milvus")
    parser.add_argument("--consistency", default="Bounded", help="of Milvus: with Strong, what was "
                        "acknowledged is in every later search, as it is elsewhere")
    parser.add_argument("--rows", type=int, default=90_000, help="at most 0.9 of what there is")
    parser.add_argument("--queries", type=int, default=500, help="different ones")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--seconds", type=float, default=20, help="of each measurement")
    parser.add_argument("--phase-timeout", type=float, default=3600)
    parser.add_argument("--recall", type=float, default=0.98)
    parser.add_argument("--preload", nargs="*", default=["chromadb", "pymilvus"],
                        help="packages that clients need, imported once")
    parser.add_argument("--keep", action="store_true", help="leave the data folders")
    parser.add_argument("--repeat-errors", action="store_true", help="measure again what failed")
    parser.add_argument("--report", action="store_true", help="only print what was measured")
    return parser.parse_args()


def main():
    args = parse()
    results = Results(args)
    if not args.report:
        work_folder = pathlib.Path(args.work).resolve()
        work_folder.mkdir(parents=True, exist_ok=True)
        data = Data(args)
        # Clients are forked from a process that has imported what they need and nothing more.
        context = multiprocessing.get_context("forkserver")
        os.environ["PYTHONPATH"] = str(pathlib.Path(__file__).resolve().parent)
        context.set_forkserver_preload(["numpy", "grpc", "server_engines"] + args.preload)
        for kind in SERVERS:
            if any(word in kind.name for word in args.engines):
                folder = work_folder / kind.name.replace(" ", "-")
                measure(args, kind(args, folder), data, context, results)
    report(results)


if __name__ == "__main__":
    main()
