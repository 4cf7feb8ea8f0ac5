#!/usr/bin/env python3
"""Our vector index beside hnswlib, usearch and faiss-cpu: queries in a second at equal recall,
speed of building, bytes of a vector.

All get the same vectors, the same number of links and candidates while building, and answer the
same queries in batch calls of one thread. What counts of each number of candidates (ef) is the best
of --rounds. Rates at a recall are read off between the two measured points around it. Recall is the
share of the 10 results that are at least as near as the tenth of exact search, so that equal rows
are worth the same. Vectors are those of minilm_vectors.py, or with --generate as many made from
them by generate_vectors.py.

Each engine with each number of links is a process of its own and a line of JSON in --results; lines
that are there are not measured again, so a run that was stopped is just started again. With
--together the engines of one number of links are built side by side and asked in turns, so that a
machine that slows down slows all; that needs memory for all of them. Each line has seconds of the
clock and of the processor; the table shows --clock. Where the two differ for one thread, something
else was running.

    pip install -r tests/bench/requirements.txt
    vector_bench.py --bench build/release/bin/vector_bench --vectors DIR --results FILE
        [--generate 1000000] [--together] [--report]
"""

import argparse
import json
import math
import multiprocessing
import os
import pathlib
import signal
import sys

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import generate_vectors  # noqa: E402
from vector_engines import K, Ours, rivals  # noqa: E402

TARGETS = (0.95, 0.98, 0.99)
EFS = (10, 16, 24, 32, 48, 64, 80, 96, 128, 160, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072,
       4096)
# An engine that gains less recall by twice the candidates is at its end: its codes are too coarse.
GAIN_MIN, GAIN_FROM = 0.001, 512


class Data:
    """Rows that stay on disk, queries, and the score of the K-th best row of each query."""

    def __init__(self, name, base_path, queries_path, dimensions):
        self.name, self.base_path, self.queries_path = name, base_path, queries_path
        self.base = generate_vectors.mapped(base_path, dimensions)
        self.queries = numpy.fromfile(queries_path, numpy.float32).reshape(-1, dimensions)
        bar_path = pathlib.Path(f"{base_path}.best{K}.npy")
        if not bar_path.exists():
            numpy.save(bar_path, generate_vectors.best_cosines(self.base, self.queries, K)[:, -1])
        self._bar = numpy.load(bar_path)

    def recall(self, found):
        scores = numpy.stack([self.base[row.clip(0)] @ query
                              for row, query in zip(found, self.queries)])
        return float(numpy.mean((scores >= self._bar[:, None] - 1e-5) & (found >= 0)))


def load(args, say=False):
    folder = pathlib.Path(args.vectors).resolve()
    described = json.loads((folder / "vectors.json").read_text())
    name, base_path = "real", folder / "base.f32"
    if args.generate:
        name = "generated"
        base_path, description = generate_vectors.generate(folder, args.generate, args.seed)
        if say:
            generate_vectors.print_comparison(description)
    return Data(name, base_path, folder / "queries.f32", described["dimensions"])


def rate_at(points, target, clock):
    """Queries per second at a recall, between the measured points; None if it was not reached."""
    best = None
    points = [(point["recall"], point[clock]) for point in points]
    for (low_recall, low_rate), (high_recall, high_rate) in zip(points, points[1:]):
        if low_recall <= target <= high_recall and high_recall > low_recall:
            share = (target - low_recall) / (high_recall - low_recall)
            rate = math.exp(math.log(low_rate) * (1 - share) + math.log(high_rate) * share)
            best = max(best or 0, rate)
    if best is None and points and points[0][0] >= target:
        best = points[0][1]
    return best


def sweep(engines, data, rounds):
    """What each engine reaches, by ef."""
    points = {engine.name: [] for engine in engines}
    finished = set()
    for ef in EFS:
        spent, recalls = {engine.name: [] for engine in engines}, {}
        for _ in range(rounds):
            for engine in engines:
                if engine.name not in finished:
                    found, seconds = engine.search(ef)
                    spent[engine.name].append(seconds)
                    recalls[engine.name] = data.recall(found)
        for name, recall in recalls.items():
            count = len(data.queries)
            points[name].append({"ef": ef, "recall": recall,
                                 "cpu": count / min(s.cpu for s in spent[name]),
                                 "wall": count / min(s.wall for s in spent[name])})
            gained = recall - max((p["recall"] for p in points[name] if p["ef"] <= ef // 2),
                                  default=0)
            if recall > TARGETS[-1] + 0.003 or gained < GAIN_MIN and ef >= GAIN_FROM:
                finished.add(name)
            print(f"{name}, ef {ef}: recall {recall:.4f}, {points[name][-1]['wall']:.0f}/s",
                  flush=True)
    return points


def key(line):
    return tuple(line[name] for name in ("set", "rows", "links", "engine", "ef_construction",
                                         "threads"))


def lines_of(path):
    if not pathlib.Path(path).exists():
        return []
    return [json.loads(line) for line in pathlib.Path(path).read_text().splitlines() if line]


def planned(args, data, links, engine):
    return {"set": data.name, "rows": len(data.base), "links": links, "engine": engine.name,
            "ef_construction": args.ef_construction, "threads": args.threads}


def engines_of(args):
    wanted = [engine for engine in rivals() if any(word in engine.name for word in args.rivals)]
    return [Ours(args, storage) for storage in args.storage] + wanted


def measure(args, links, names):
    """Builds these engines, asks them in turns, and appends their lines."""
    data = load(args)
    engines = [engine for engine in engines_of(args) if engine.name in names]
    lines = {}
    for engine in engines:
        spent = engine.build(data, links, args.ef_construction, args.threads)
        count = len(data.base)
        lines[engine.name] = {
            **planned(args, data, links, engine), "rival": engine.rival,
            "together": len(engines) > 1, "load": os.getloadavg()[0], "bytes": engine.bytes,
            "resident": engine.resident, "build": {"wall": count / spent.wall,
                                                   "cpu": count / spent.cpu}}
        print(f"M {links}: {engine.name} built {count / spent.wall:.0f} rows/s, "
              f"{engine.bytes:.0f} bytes each", flush=True)
    points = sweep(engines, data, args.rounds)
    with open(args.results, "a", encoding="utf-8") as file:
        for engine in engines:
            engine.close()
            file.write(json.dumps({**lines[engine.name], "points": points[engine.name]}) + "\n")


def print_tables(lines, clock):
    sets = sorted({(line["set"], line["rows"]) for line in lines})
    for name, rows in sets:
        for links in sorted({line["links"] for line in lines}):
            print(f"\n{rows} {name} rows, M {links}, seconds of {clock}\n\n| engine | rows/s built "
                  "| bytes | resident | " + " | ".join(f"queries/s at {t}" for t in TARGETS)
                  + " |\n" + "|---" * (4 + len(TARGETS)) + "|")
            for line in lines:
                if (line["set"], line["rows"], line["links"]) == (name, rows, links):
                    rates = [rate_at(line["points"], t, clock) for t in TARGETS]
                    shown = " | ".join(f"{rate:.0f}" if rate else "–" for rate in rates)
                    print(f"| {line['engine']} | {line['build']['wall']:.0f} | {line['bytes']:.0f} "
                          f"| {line['resident']:.0f} | {shown} |")
        print()
        print_ratios([line for line in lines if (line["set"], line["rows"]) == (name, rows)], clock)


def print_ratios(lines, clock):
    """Our best beside the best rival, whatever the number of links of each."""
    for what, value in [("build", lambda line: line["build"]["wall"])] + [
            (f"recall {t}", lambda line, t=t: rate_at(line["points"], t, clock)) for t in TARGETS]:
        sides = {}
        for line in lines:
            found = value(line)
            if found and found > sides.get(line["rival"], (0,))[0]:
                sides[line["rival"]] = (found, f"{line['engine']}, M {line['links']}")
        if len(sides) == 2:
            ours, best = sides[False], sides[True]
            print(f"{what}: {ours[0]:.0f}/s ({ours[1]}) against {best[0]:.0f}/s ({best[1]}): "
                  f"{ours[0] / best[0]:.2f} times")


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", required=True, help="the vector_bench executable")
    parser.add_argument("--vectors", required=True, help="folder of minilm_vectors.py")
    parser.add_argument("--results", required=True, help="file to which lines of JSON are appended")
    parser.add_argument("--generate", type=int, default=0, help="rows to make from the real ones")
    parser.add_argument("--links", type=int, nargs="+", default=[16, 32])
    parser.add_argument("--ef-construction", type=int, default=128)
    parser.add_argument("--rescore", type=int, default=30)
    parser.add_argument("--storage", nargs="+", default=["fp32"])
    parser.add_argument("--threads", type=int, default=2, help="while building")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rivals", nargs="*", default=["hnswlib", "usearch", "faiss"],
                        help="names, or parts of them (default: %(default)s)")
    parser.add_argument("--together", action="store_true", help="engines in turns")
    parser.add_argument("--report", action="store_true", help="only print what was measured")
    parser.add_argument("--seed", type=int, default=20260101)
    parser.add_argument("--work", default="build/bench")
    parser.add_argument("--clock", choices=("cpu", "wall"), default="wall", help="of the tables")
    return parser.parse_args()


def main():
    args = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # ends what was started as well
    pathlib.Path(args.work).mkdir(parents=True, exist_ok=True)
    if not args.report:
        data = load(args, say=True)
        failed = []
        for links in args.links:
            done = {key(line) for line in lines_of(args.results)}
            missing = [engine.name for engine in engines_of(args)
                       if key(planned(args, data, links, engine)) not in done]
            for names in ([missing] if args.together and missing else [[n] for n in missing]):
                # A process of its own: memory is measured from nothing and all given back.
                unit = multiprocessing.get_context("spawn").Process(target=measure,
                                                                    args=(args, links, names),
                                                                    daemon=True)
                unit.start()
                unit.join()
                failed += names if unit.exitcode else []
        if failed:
            print(f"failed: {', '.join(failed)}; start again to repeat them", file=sys.stderr)
    print_tables(lines_of(args.results), args.clock)


if __name__ == "__main__":
    main()
