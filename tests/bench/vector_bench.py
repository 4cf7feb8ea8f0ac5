#!/usr/bin/env python3
"""Our vector index beside hnswlib, usearch and faiss-cpu: queries in a second at equal recall,
speed of building, bytes of a vector.

All get the same vectors, the same number of links and candidates while building, and answer the
same queries in batch calls of one thread. For each number of candidates (ef) the engines are asked
in turns, so that a machine that slows down slows all; what counts is the best of the rounds.
Seconds are those of the processor unless --clock is wall: other load changes them less. Rates at a
recall are read off between the two measured points around it. Recall is the share of the 10 results
that are at least as near as the tenth of exact search, so that equal rows are worth the same.
Vectors are those of minilm_vectors.py, or with --generate as many made with their covariance and
nearest-neighbour distances.

    pip install numpy hnswlib usearch faiss-cpu
    vector_bench.py --bench build/release/bin/vector_bench --vectors DIR [--generate 1000000]
"""

import argparse
import json
import math
import os
import pathlib
import subprocess
import time

import numpy

K = 10
TARGETS = (0.95, 0.98, 0.99)
EFS = (10, 16, 24, 32, 48, 64, 80, 96, 128, 160, 192, 256, 384, 512)


CLOCK = "cpu"


def now():
    return time.process_time() if CLOCK == "cpu" else time.perf_counter()


class Ours:
    """Storage fp32: int8 codes are walked, the best are ranked by their fp32 vectors."""

    rival = False

    def __init__(self, args, storage):
        self.name = f"ours {storage}"
        self._storage = storage
        self._rescore = args.rescore
        self._out = pathlib.Path(args.work) / "hits.i64"
        self._process = subprocess.Popen([args.bench], stdin=subprocess.PIPE, text=True,
                                         stdout=subprocess.PIPE)

    def _ask(self, line):
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = dict(word.split("=", 1) for word in self._process.stdout.readline().split())
        if "error" in answer:
            raise RuntimeError(f"vector_bench did not understand: {line}")
        return answer

    def build(self, data, links, ef, threads):
        self._data = data
        self._ask(f"load {data.base_path} {data.base.shape[1]}")
        answer = self._ask(f"build {links} {ef} {threads} {self._storage}")
        self.bytes = float(answer["bytes"])
        return float(answer[CLOCK])

    def search(self, ef):
        answer = self._ask(f"search {self._data.queries_path} {K} {ef} {self._rescore} {self._out}")
        return numpy.fromfile(self._out, numpy.int64).reshape(-1, K), float(answer[CLOCK])

    def close(self):
        self._process.stdin.close()
        self._process.wait()


class Hnswlib:
    rival = True
    name = "hnswlib fp32"

    def build(self, data, links, ef, threads):
        import hnswlib
        self._data = data
        begin = now()
        self._index = hnswlib.Index("ip", data.base.shape[1])
        self._index.init_index(len(data.base), M=links, ef_construction=ef)
        self._index.add_items(data.base, num_threads=threads)
        seconds = now() - begin
        self.bytes = self._index.index_file_size() / len(data.base)
        return seconds

    def search(self, ef):
        self._index.set_ef(ef)
        begin = now()
        found, _ = self._index.knn_query(self._data.queries, K, num_threads=1)
        return found, now() - begin

    def close(self):
        del self._index


class Usearch:
    rival = True

    def __init__(self, kind):
        self.name = f"usearch {kind}"
        self._kind = kind

    def build(self, data, links, ef, threads):
        from usearch.index import Index
        self._data = data
        begin = now()
        self._index = Index(ndim=data.base.shape[1], metric="cos", dtype=self._kind,
                            connectivity=links, expansion_add=ef)
        self._index.add(numpy.arange(len(data.base)), data.base, threads=threads)
        seconds = now() - begin
        self.bytes = self._index.memory_usage / len(data.base)
        return seconds

    def search(self, ef):
        self._index.expansion_search = ef
        begin = now()
        found = self._index.search(self._data.queries, K, threads=1)
        return found.keys.astype(numpy.int64), now() - begin

    def close(self):
        del self._index


class Faiss:
    """`kind`: fp32; sq8; or sq8 whose best 4 k are ranked by fp32 vectors."""

    rival = True

    def __init__(self, kind):
        self.name = f"faiss {kind}"
        self._kind = kind

    def build(self, data, links, ef, threads):
        import faiss
        self._faiss = faiss
        self._data = data
        faiss.omp_set_num_threads(threads)
        dimensions = data.base.shape[1]
        begin = now()
        if self._kind == "fp32":
            graph = faiss.IndexHNSWFlat(dimensions, links, faiss.METRIC_INNER_PRODUCT)
        else:
            graph = faiss.IndexHNSWSQ(dimensions, faiss.ScalarQuantizer.QT_8bit, links,
                                      faiss.METRIC_INNER_PRODUCT)
        graph.hnsw.efConstruction = ef
        self._graph = graph
        self._index = graph
        self._rescored = "+" in self._kind
        if self._rescored:
            self._index = faiss.IndexRefineFlat(graph)
            self._index.k_factor = 4
        self._index.train(data.base)
        self._index.add(data.base)
        seconds = now() - begin
        self.bytes = len(faiss.serialize_index(self._index)) / len(data.base)
        return seconds

    def search(self, ef):
        self._faiss.omp_set_num_threads(1)
        self._graph.hnsw.efSearch = ef
        begin = now()
        _, found = self._index.search(self._data.queries, K)
        return found, now() - begin

    def close(self):
        del self._index, self._graph


class Data:
    def __init__(self, base_path, queries_path, dimensions):
        self.base_path, self.queries_path = base_path, queries_path
        self.base = numpy.fromfile(base_path, numpy.float32).reshape(-1, dimensions)
        self.queries = numpy.fromfile(queries_path, numpy.float32).reshape(-1, dimensions)
        self._bar = self._exact_bar()

    def _exact_bar(self):
        """The score of the K-th best row for each query."""
        bars = []
        for begin in range(0, len(self.queries), 100):
            scores = self.queries[begin:begin + 100] @ self.base.T
            bars.append(numpy.partition(scores, -K, axis=1)[:, -K])
        return numpy.concatenate(bars)

    def recall(self, found):
        scores = numpy.einsum("qkd,qd->qk", self.base[found], self.queries)
        return float(numpy.mean((scores >= self._bar[:, None] - 1e-5) & (found >= 0)))


def nearest_cosines(rows, sample, chooser):
    """Cosine of sampled rows to their nearest other row."""
    picked = chooser.choice(len(rows), sample, replace=False)
    best = numpy.full(sample, -1.0, numpy.float32)
    for begin in range(0, len(rows), 100_000):
        scores = rows[picked] @ rows[begin:begin + 100_000].T
        for at, row in enumerate(picked):
            if begin <= row < begin + 100_000:
                scores[at, row - begin] = -1
        best = numpy.maximum(best, scores.max(axis=1))
    return best


def generate(real, count, queries, folder, seed):
    """Rows around real ones: a real row plus noise with the covariance of the differences between
    near real rows, as wide as makes the distances to the nearest row come out as the real ones'."""
    folder.mkdir(parents=True, exist_ok=True)
    chooser = numpy.random.default_rng(seed)
    dimensions = real.base.shape[1]
    base_path, queries_path = folder / f"base{count}.f32", folder / f"queries{count}.f32"
    if not base_path.exists():
        mean = real.base.mean(axis=0)
        factor = numpy.linalg.cholesky(
            numpy.cov((real.base - mean).T) + 1e-7 * numpy.eye(dimensions)).astype(numpy.float32)
        wanted = numpy.sort(nearest_cosines(real.base, 2000, chooser))

        def made(rows, mix):
            # Both parts have the real covariance, and so has their sum.
            centre = real.base[chooser.integers(0, len(real.base), rows)] - mean
            noise = chooser.standard_normal((rows, dimensions), numpy.float32) @ factor.T
            width = mix[chooser.integers(0, len(mix), rows)][:, None]
            out = mean + centre * numpy.sqrt(1 - width * width) + noise * width
            return (out / numpy.linalg.norm(out, axis=1, keepdims=True)).astype(numpy.float32)

        # How far a row is moved for each quantile of nearest distances.
        mix = numpy.sqrt(numpy.clip((1 - wanted) / 1.6, 1e-4, 0.9)).astype(numpy.float32)
        with open(base_path, "wb") as file:
            for begin in range(0, count, 100_000):
                file.write(made(min(100_000, count - begin), mix).tobytes())
        queries_path.write_bytes(made(queries, mix).tobytes())
    data = Data(base_path, queries_path, dimensions)
    described = {}
    for name, rows in (("real", real.base), ("generated", data.base)):
        spectrum = numpy.linalg.eigvalsh(numpy.cov(rows[:50_000].T))[::-1]
        near = nearest_cosines(rows, 1000, chooser)
        described[name] = {
            "variance in the first 1, 10, 50, 100 directions":
                [round(float(spectrum[:n].sum() / spectrum.sum()), 3) for n in (1, 10, 50, 100)],
            "cosine to the nearest row, percentiles 5, 25, 50, 75, 95":
                [round(float(value), 3) for value in numpy.percentile(near, (5, 25, 50, 75, 95))]}
        print(name, described[name], flush=True)
    return data


def rate_at(points, target):
    """Queries per second at a recall, between the measured points; None if it was not reached."""
    best = None
    for (low_recall, low_rate), (high_recall, high_rate) in zip(points, points[1:]):
        if low_recall <= target <= high_recall and high_recall > low_recall:
            share = (target - low_recall) / (high_recall - low_recall)
            rate = math.exp(math.log(low_rate) * (1 - share) + math.log(high_rate) * share)
            best = max(best or 0, rate)
    if best is None and points and points[0][0] >= target:
        best = points[0][1]
    return best


def sweep(engines, data, rounds):
    """(recall, rate) of each engine, by ef."""
    points = {engine.name: [] for engine in engines}
    finished = set()
    for ef in EFS:
        seconds = {engine.name: [] for engine in engines}
        recalls = {}
        for _ in range(rounds):
            for engine in engines:
                if engine.name in finished:
                    continue
                found, spent = engine.search(ef)
                seconds[engine.name].append(spent)
                recalls[engine.name] = data.recall(found)
        for name, recall in recalls.items():
            points[name].append((recall, len(data.queries) / min(seconds[name])))
            if recall > TARGETS[-1] + 0.003:
                finished.add(name)
        print(f"ef {ef}: " + ", ".join(f"{n} {p[-1][0]:.4f} {p[-1][1]:.0f}/s"
                                       for n, p in points.items() if n in recalls), flush=True)
    return points


def run(args, data, links):
    engines = [Ours(args, storage) for storage in args.storage]
    rivals = [Hnswlib(), Usearch("f32"), Usearch("i8"), Faiss("fp32"), Faiss("sq8"),
              Faiss("sq8+fp32")]
    engines += [rival for rival in rivals if any(word in rival.name for word in args.rivals)]
    rows = {}
    for engine in engines:
        seconds = engine.build(data, links, args.ef_construction, args.threads)
        rows[engine.name] = {"rival": engine.rival, "build": len(data.base) / seconds,
                             "bytes": engine.bytes}
        print(f"M {links}: {engine.name} built {len(data.base) / seconds:.0f} vectors/s, "
              f"{engine.bytes:.0f} bytes each", flush=True)
    points = sweep(engines, data, args.rounds)
    for engine in engines:
        engine.close()
        rows[engine.name]["points"] = points[engine.name]
        rows[engine.name]["rates"] = {t: rate_at(points[engine.name], t) for t in TARGETS}
    return rows


def print_table(rows, links):
    print(f"\nM {links}\n\n| engine | build/s | bytes | "
          + " | ".join(f"queries/s at {t}" for t in TARGETS) + " |")
    print("|---" * (3 + len(TARGETS)) + "|")
    for name, row in rows.items():
        shown = [f"{row['rates'][t]:.0f}" if row["rates"][t] else "–" for t in TARGETS]
        print(f"| {name} | {row['build']:.0f} | {row['bytes']:.0f} | " + " | ".join(shown) + " |")


def print_ratios(results):
    """Our best beside the best rival, whatever the number of links of each."""
    for what, value in [("build", lambda row: row["build"])] + [
            (f"recall {t}", lambda row, t=t: row["rates"][t]) for t in TARGETS]:
        sides = {}
        for links, rows in results.items():
            for name, row in rows.items():
                found = value(row)
                if found and found > sides.get(row["rival"], (0,))[0]:
                    sides[row["rival"]] = (found, f"{name}, M {links}")
        if len(sides) == 2:
            ours, best = sides[False], sides[True]
            print(f"{what}: {ours[0]:.0f}/s ({ours[1]}) against {best[0]:.0f}/s ({best[1]}): "
                  f"{ours[0] / best[0]:.2f} times")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", required=True, help="the vector_bench executable")
    parser.add_argument("--vectors", required=True, help="folder of minilm_vectors.py")
    parser.add_argument("--generate", type=int, default=0, help="rows to make from the real ones")
    parser.add_argument("--links", type=int, nargs="+", default=[16, 32])
    parser.add_argument("--ef-construction", type=int, default=128)
    parser.add_argument("--rescore", type=int, default=30)
    parser.add_argument("--storage", nargs="+", default=["fp32"])
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="while building")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rivals", nargs="*", default=["hnswlib", "usearch", "faiss"],
                        help="names, or parts of them (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=20260101)
    parser.add_argument("--work", default="build/bench")
    parser.add_argument("--json", help="file for the results")
    parser.add_argument("--clock", choices=("cpu", "wall"), default="cpu")
    args = parser.parse_args()
    global CLOCK
    CLOCK = args.clock
    pathlib.Path(args.work).mkdir(parents=True, exist_ok=True)
    folder = pathlib.Path(args.vectors).resolve()
    described = json.loads((folder / "vectors.json").read_text())
    data = Data(folder / "base.f32", folder / "queries.f32", described["dimensions"])
    if args.generate:
        data = generate(data, args.generate, len(data.queries), folder / "generated", args.seed)
    results = {}
    for links in args.links:
        results[links] = run(args, data, links)
        print_table(results[links], links)
    print()
    print_ratios(results)
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
