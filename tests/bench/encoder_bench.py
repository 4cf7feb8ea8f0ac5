#!/usr/bin/env python3
"""Our encoder beside ONNX Runtime and llama.cpp: texts embedded in a second, by length of text.

All get the same weights and the same token ids; nobody tokenises. Every engine runs with the same
number of threads, with the batch and the type of weights that are its fastest for the length in
short runs; ours is asked over its worker's protocol, for at most as many texts as `ragstone` sends
at a time. Then all are measured in turns, so that a machine that slows down slows all. Prints the
median of the rounds, ours as multiples of the fastest rival, and the share of this processor's
peak. All-MiniLM-L6-v2 with its weights needs the sentence-transformers folder; without it its shape
is measured with random weights, as bge-small's always is.

    pip install -r tests/bench/requirements.txt
    encoder_bench.py --worker build/release/libexec/ragstone/ragstone-model-avx512
        --minilm FOLDER --llama-bench DIR/bin/llama-bench --cpu-peak DIR/cpu_peak

The share of the machine that others used meanwhile is printed; a round in which it was above
--foreign-max is measured again, up to three times. Beside the rate by the clock stands that by the
processor's time that the engine used ("/CPU s"), which other load changes less. It leaves out the
time between requests, and counts threads as busy that wait for others by spinning, so that it
serves to compare engines of one thread.
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "eval"))
import bert_models  # noqa: E402
import embedding_check  # noqa: E402
import encoder_engines  # noqa: E402
import machine_load  # noqa: E402
import results  # noqa: E402
import stubs  # noqa: E402

# Tokens of a chunk, in steps of 16, and how many there were: 4,770 chunks of 48 reports as PDF.
MIX = {8: 7, 24: 50, 40: 108, 56: 225, 72: 765, 88: 789, 104: 475, 120: 484, 136: 479, 152: 408,
       168: 333, 184: 300, 196: 194, 200: 153}
MIX_TEXTS = 64
TRIES = 3
# What peak of cpu_peak bounds a tier.
PEAK_OF_TIER = {"avx512-bf16": "avx512 bf16", "avx512": "avx512 fp32", "avx2": "avx2 fp32",
                "avx512-vnni": "avx512 int8"}


def read_lengths(path):
    """A histogram from lines of "tokens count"."""
    histogram = {}
    for number, line in enumerate(pathlib.Path(path).read_text().splitlines(), 1):
        try:
            tokens, count = map(int, line.split())
        except ValueError:
            sys.exit(f"{path}:{number}: expected \"tokens count\", found {line!r}")
        if not 2 <= tokens <= bert_models.POSITIONS or count < 0:
            sys.exit(f"{path}:{number}: {tokens} tokens, {count} times: tokens are 2 to "
                     f"{bert_models.POSITIONS}, a count is not negative")
        histogram[tokens] = histogram.get(tokens, 0) + count
    if not sum(histogram.values()):
        sys.exit(f"{path} has no lengths")
    return histogram


def quantiles(histogram, count):
    """`count` lengths that divide the histogram evenly."""
    total, seen, lengths = sum(histogram.values()), 0, []
    for tokens in sorted(histogram):
        seen += histogram[tokens]
        while len(lengths) < count and (len(lengths) + 0.5) * total <= seen * count:
            lengths.append(tokens)
    return lengths


def peaks(executable, threads):
    """GFLOP/s by name, such as "avx512 bf16"; empty without the program."""
    if not executable:
        return {}
    done = subprocess.run([executable, str(threads)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{executable} {threads} ended with {done.returncode}:\n{done.stderr[-500:]}")
    return {name: float(value) for name, value in
            (line.rsplit(" ", 1) for line in done.stdout.splitlines())}


def cosines(engines, folder, workloads):
    """The least cosine of each engine to a computation in numpy, over a few texts."""
    bert = embedding_check.Bert(folder)
    texts = [text for w in workloads for text in w.repeated(2)[:2]]
    expected = [bert.embed(text) for text in texts]
    least = {}
    for engine in engines:
        vectors = engine.vectors(texts)
        if vectors is not None:
            least[engine.name] = min(float(sum(e * v)) for e, v in zip(expected, vectors))
    return least


def measured(engine, workload, configuration, args):
    """Returns (rate, others' share of the machine) of the least disturbed try."""
    tries = []
    for _ in range(TRIES):
        foreign = machine_load.Foreign(engine.pids())
        rate = engine.rate(workload, configuration, args.seconds)
        tries.append((foreign.share(), rate))
        if tries[-1][0] <= args.foreign_max:
            break
    share, rate = min(tries)
    return rate, share


def measure_workload(engines, workload, args):
    """Rows of one length or mix, by engine."""
    chosen = {e: encoder_engines.best(e, workload, args.seconds / 4) for e in engines}
    chosen = {e: found for e, found in chosen.items() if found}
    rounds = {e: [] for e in chosen}
    for _ in range(args.rounds):
        for engine, (configuration, form) in chosen.items():
            rounds[engine].append(measured(engine, form, configuration, args))
    rows = {}
    for engine, pairs in rounds.items():
        rates = [rate.texts for rate, _ in pairs]
        cpu = [rate.texts_cpu for rate, _ in pairs if rate.texts_cpu]
        configuration, form = chosen[engine]
        rows[engine.name] = {
            "rate": statistics.median(rates), "low": min(rates), "high": max(rates),
            "rate_cpu": statistics.median(cpu) if cpu else None,
            "configuration": list(configuration), "rival": engine.rival,
            "lengths": form.lengths, "foreign": max(share for _, share in pairs)}
    return rows


def add_ratios(rows, config, peak, threads):
    """Adds what follows from the rates: work in a second, shares of the peak, and multiples."""
    for name, row in rows.items():
        work = statistics.mean(bert_models.flops(config, length) for length in row["lengths"]) / 1e9
        row["gflops"] = row["rate"] * work
        bound = peak.get(PEAK_OF_TIER.get(name.removeprefix("ours "), ""))
        if bound:
            row["peak_share"] = row["gflops"] / bound
            row["peak_share_cpu"] = row["rate_cpu"] * work / (bound / threads)
    for rate, ratio in (("rate", "ratio"), ("rate_cpu", "ratio_cpu")):
        rivals = {name: row[rate] for name, row in rows.items() if row["rival"] and row[rate]}
        for row in rows.values():
            if not row["rival"] and rivals:
                row[ratio] = row[rate] / max(rivals.values())
                row["best_" + rate] = max(rivals, key=rivals.get)


def print_cell(cell):
    def shown(row, key, form):
        return format(row[key], form) if row.get(key) else "–"

    rows = []
    for name, row in cell["engines"].items():
        kind, batch = row["configuration"]
        rows.append((name, shown(row, "rate", ".1f"), f"{row['low']:.1f}–{row['high']:.1f}",
                     shown(row, "rate_cpu", ".1f"), f"{kind} × {batch}" if kind else batch,
                     f"{row['gflops']:.0f}", shown(row, "peak_share", ".0%"),
                     shown(row, "peak_share_cpu", ".0%"), shown(row, "ratio", ".2f"),
                     shown(row, "ratio_cpu", ".2f"), f"{row['foreign']:.0%}"))
    print(f"\n{cell['model']}, {cell['workload']}, {cell['threads']} thread(s); load average "
          f"{cell['load_average']:.1f}\n")
    print(results.table(["engine", "texts/s", "rounds", "/CPU s", "weights × batch", "GFLOP/s",
                         "of peak", "by CPU s", "× best rival", "by CPU s", "others"], rows),
          flush=True)


def print_summary(cells):
    """Rates of all cells side by side, one table for each model and number of threads."""
    groups = {}
    for cell in cells:
        groups.setdefault((cell["model"], cell["threads"]), []).append(cell)
    for (model, threads), group in groups.items():
        names = list(dict.fromkeys(n for cell in group for n in cell["engines"]))
        rows = [[name, *(f"{c['engines'][name]['rate']:.1f}" if name in c["engines"] else "–"
                         for c in group)] for name in names]
        rows += [[f"{name} / best rival",
                  *(f"{c['engines'][name]['ratio']:.2f}" if "ratio" in c["engines"].get(name, {})
                    else "–" for c in group)] for name in names if name.startswith("ours ")]
        print(f"\n{model}, {threads} thread(s), texts/s\n")
        print(results.table(["engine", *(c["workload"] for c in group)], rows))


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


def run_group(args, files, group, report):
    """Measures one model with one number of threads, and appends its cells to the report."""
    shape, threads, histogram = group
    config, _ = bert_models.load(files["folder"])
    seed, vocabulary = args.seed, config["vocab_size"]
    workloads = [encoder_engines.Workload(f"{n} tokens", [n], vocabulary, seed)
                 for n in args.tokens]
    if not args.no_mix:
        workloads.append(encoder_engines.Workload("mix", quantiles(histogram, MIX_TEXTS),
                                                  vocabulary, seed))
    model = shape + (" (random weights)" if files["random"] else "")
    peak = peaks(args.cpu_peak, threads)
    with encoder_engines.engines(args, files, threads) as engines:
        least = cosines(engines, files["folder"], workloads)
        print(f"\n{model}, {threads} thread(s): least cosine to numpy: "
              + ", ".join(f"{name} {value:.5f}" for name, value in least.items())
              + "; peak GFLOP/s: "
              + (", ".join(f"{n} {v:.0f}" for n, v in peak.items()) or "not measured"),
              flush=True)
        for workload in workloads:
            rows = measure_workload(engines, workload, args)
            add_ratios(rows, config, peak, threads)
            cell = {"model": model, "threads": threads, "workload": workload.name, "peaks": peak,
                    "load_average": os.getloadavg()[0], "cosines": least, "engines": rows}
            report["cells"].append(cell)
            print_cell(cell)
            if args.json:
                pathlib.Path(args.json).write_text(json.dumps(report, indent=1, ensure_ascii=False))


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worker", required=True, help="a ragstone-model executable")
    parser.add_argument("--tiers", default="avx512-bf16,avx512,avx2,portable,avx512-vnni",
                        help="of our encoder (default: %(default)s)")
    parser.add_argument("--models", default="minilm,bge-small", help="default: %(default)s")
    parser.add_argument("--minilm", help="sentence-transformers folder of all-MiniLM-L6-v2")
    parser.add_argument("--int8-onnx", help="a further .onnx of MiniLM to run beside our own")
    parser.add_argument("--llama-bench", help="executable of llama.cpp")
    parser.add_argument("--cpu-peak", help="executable of tests/bench/cpu_peak.cc")
    parser.add_argument("--no-onnx", action="store_true", help="without ONNX Runtime")
    parser.add_argument("--no-llama", action="store_true", help="without the worker's llama.cpp")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--tokens", type=int, nargs="*", default=[16, 64, 256, 512])
    parser.add_argument("--lengths", help="file of lines \"tokens count\" for the mix")
    parser.add_argument("--no-mix", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each round")
    parser.add_argument("--foreign-max", type=float, default=0.05,
                        help="share of the machine that others may use (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=20260101)
    parser.add_argument("--work", default="build/eval")
    parser.add_argument("--json", help="file for the results")
    args = parser.parse_args()
    unknown = set(args.models.split(",")) - set(bert_models.SHAPES)
    if unknown:
        parser.error(f"unknown models {', '.join(unknown)}; there are "
                     f"{', '.join(bert_models.SHAPES)}")
    if not all(2 <= n <= bert_models.POSITIONS for n in args.tokens):
        parser.error(f"--tokens are 2 to {bert_models.POSITIONS}")
    return args


def main():
    args = parse()
    stubs.load(pathlib.Path(args.work) / "stubs")
    histogram = read_lengths(args.lengths) if args.lengths else MIX
    report = {"arguments": vars(args), "processor": processor(), "processors": os.cpu_count(),
              "time": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()),
              "lengths": histogram, "cells": []}
    if not args.no_onnx:
        import bert_onnx
        report["onnxruntime"] = bert_onnx.VERSION
    mean = sum(n * c for n, c in histogram.items()) / sum(histogram.values())
    print(f"{report['processor']}, {report['processors']} processors; seed {args.seed}; mix of "
          f"{MIX_TEXTS} texts, {mean:.0f} tokens on average", flush=True)
    for shape in args.models.split(","):
        files = encoder_engines.model_files(args, shape, pathlib.Path(args.work) / "encoder")
        for threads in args.threads:
            run_group(args, files, (shape, threads, histogram), report)
    print_summary(report["cells"])


if __name__ == "__main__":
    main()
