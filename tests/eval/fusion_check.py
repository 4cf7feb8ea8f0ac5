#!/usr/bin/env python3
"""Checks that hybrid search does not lose to its better half.

Runs every question of the sets through the built product three times, by vectors, by keywords and
hybrid, and compares nDCG@10 question by question: hybrid with the half that is better on the set,
and with plain reciprocal ranks (k = 60) of the two lists. Exits with 1 if hybrid is significantly
below the better half on a set (paired permutation test, 95 %), or not above reciprocal ranks on
NQ-gold or SQuAD. With --scan it also tries other constants of the rule, written in Python below,
and chooses them on all sets but one for that one. An interrupted run goes on where it stopped.
"""

import argparse
import concurrent.futures
import itertools
import pathlib
import sys
import time

import datasets
import metrics
import results as result_files

SETS = ("nq-gold", "squad", "cranfield")
# Where plain reciprocal ranks are known to lose to the better half, so that hybrid must beat them.
ABOVE_RECIPROCAL = ("nq-gold", "squad")
DEPTH = 100  # of each list
RECIPROCAL_K = 60
HALVES = ("vector", "keyword")
# The rule's constants: the share of keywords and the length of a half's list; then those tried.
CHOSEN = (0.5, 20)
TRIED = tuple(itertools.product((0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0), (5, 10, 20, 50, 100)))


def reciprocal_ranks(lists):
    """Chunks by the sum of 1 / (k + rank) over the lists, best first."""
    scores = {}
    for ranked in lists:
        for rank, chunk in enumerate(ranked, 1):
            scores[chunk] = scores.get(chunk, 0) + 1 / (RECIPROCAL_K + rank)
    return sorted(scores, key=lambda chunk: (-scores[chunk], chunk))


def outstanding(scores, count):
    """1 less the ratio of the mean of the best `count` scores to the best one."""
    best = scores[0] if scores else 0
    if best <= 0:
        return 0.01
    return max(0.01, 1 - sum(max(0, s) for s in scores[:count]) / (count * best))


def fuse(passages, halves, constants):
    """The rule of index/internal/fusion.cc in few words; the order of the passages."""
    share, size = constants
    best = {mode: scores[0] if scores else 0 for mode, scores in halves.items()}
    vector = outstanding(halves["vector"], min(size, len(halves["vector"])))
    # A keyword list is short where few passages hold a word: the others score 0.
    keyword = share * outstanding(halves["keyword"], size) if best["keyword"] > 0 else 0

    def score(passage):
        value = vector * passage.vector_score / max(0.1, best["vector"])
        return value + (keyword * passage.keyword_score / best["keyword"] if keyword else 0)

    return sorted(passages, key=lambda passage: (-score(passage), passage.chunk))


def measure(client, data, key, scan):
    """nDCG@10 of one question by system."""
    query, relevance = data.queries[key], data.relevance[key]
    found = {mode: client.search(f"eval-{data.name}", query, DEPTH, mode).passages
             for mode in (*HALVES, "hybrid")}
    names = {p.chunk: p.path.removesuffix(".txt") for passages in found.values() for p in passages}

    def ndcg(chunks):
        return metrics.ndcg(list(dict.fromkeys(names[c] for c in chunks)), relevance)

    chunks = {mode: [p.chunk for p in passages] for mode, passages in found.items()}
    scores = {mode: ndcg(ranked) for mode, ranked in chunks.items()}
    scores["reciprocal"] = ndcg(reciprocal_ranks([chunks[mode] for mode in HALVES]))
    if scan:
        halves = {mode: [p.score for p in found[mode]] for mode in HALVES}
        for constants in TRIED:
            fused = fuse(found["hybrid"], halves, constants)
            scores["share {} list {}".format(*constants)] = ndcg(p.chunk for p in fused)
    return scores


def run_set(client, data, keys, kept, scan):
    """Fills the results of one set."""
    missing = [key for key in keys if kept.get(f"{data.name}/{key}") is None]
    if not missing:
        return
    import suites_retrieval  # needs grpcio, which the rule does not
    suites_retrieval.add_corpus(client, f"eval-{data.name}", data.corpus)
    begin = time.monotonic()

    def one(key):
        kept.put(f"{data.name}/{key}", data.name, measure(client, data, key, scan))

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for done, _ in enumerate(pool.map(one, missing), 1):
            if done % 500 == 0 or done == len(missing):
                print(f"{data.name}: {done} of {len(missing)} questions, "
                      f"{done / (time.monotonic() - begin):.0f}/s", file=sys.stderr)


def column(items, system):
    return [item["scores"][system] for item in items]


def better_half(items):
    return max(HALVES, key=lambda mode: metrics.mean(column(items, mode)))


def judge(by_set, seed):
    """Prints the table; returns what is wrong."""
    rows, wrong = [], []
    for name, items in by_set.items():
        hybrid = column(items, "hybrid")
        half = metrics.paired_difference(column(items, better_half(items)), hybrid, seed)
        ranks = metrics.paired_difference(column(items, "reciprocal"), hybrid, seed)
        rows.append([name, len(items),
                     *(f"{metrics.mean(column(items, system)):.4f}"
                       for system in (*HALVES, "reciprocal", "hybrid")),
                     f"{half['difference']:+.4f} ({half['low']:+.4f}…{half['high']:+.4f})",
                     f"{half['p']:.4f}", f"{ranks['difference']:+.4f}", f"{ranks['p']:.4f}"])
        if half["difference"] < 0 and half["p"] < 0.05:
            wrong.append(f"{name}: hybrid is significantly below its better half, "
                         f"{better_half(items)}, by {-half['difference']:.4f}")
        if name in ABOVE_RECIPROCAL and ranks["difference"] <= 0:
            wrong.append(f"{name}: hybrid is not above reciprocal ranks")
    print(result_files.table(
        ["set", "n", "vector", "keyword", "reciprocal", "hybrid", "to the better half (95 %)", "p",
         "to reciprocal", "p"], rows))
    return wrong


def print_scan(by_set, seed):
    """Gains over the better half by constants, and those chosen without the set itself."""
    gains = {constants: {name: metrics.mean(column(items, "share {} list {}".format(*constants)))
                         - metrics.mean(column(items, better_half(items)))
                         for name, items in by_set.items()} for constants in TRIED}
    rows = [["{} / {}".format(*constants), *(f"{gain:+.4f}" for gain in gains[constants].values())]
            for constants in TRIED]
    print("\n" + result_files.table(["share / list", *by_set], rows))
    rows = []
    for name, items in by_set.items():
        others = [other for other in by_set if other != name]
        if not others:
            continue
        best = max(TRIED, key=lambda c: metrics.mean(gains[c][other] for other in others))
        test = metrics.paired_difference(column(items, better_half(items)),
                                         column(items, "share {} list {}".format(*best)), seed)
        rows.append([name, "{} / {}".format(*best), f"{test['difference']:+.4f}",
                     f"{test['p']:.4f}"])
    print("\n" + result_files.table(["set left out", "chosen on the others", "gain", "p"], rows))
    for name, items in by_set.items():
        same = sum(item["scores"]["hybrid"] == item["scores"]["share {} list {}".format(*CHOSEN)]
                   for item in items)
        print(f"{name}: product and Python agree on {same} of {len(items)} questions")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ragstone", default="build/release/bin/ragstone")
    parser.add_argument("--eval-dir", required=True, help="folder of the evaluation sets")
    parser.add_argument("--work", required=True, help="folder for data and results")
    parser.add_argument("--sets", action="append", help=f"default: {', '.join(SETS)}")
    parser.add_argument("--limit", type=int, default=0, help="questions per set; 0: all")
    parser.add_argument("--seed", type=int, default=20260101)
    parser.add_argument("--scan", action="store_true", help="also try other constants")
    args = parser.parse_args()
    if not pathlib.Path(args.ragstone).exists():
        sys.exit(f"{args.ragstone} does not exist: name the built binary with --ragstone")
    import stubs
    stubs.load(pathlib.Path(args.work) / "stubs")
    import client as client_module  # needs the stubs
    import suites_retrieval
    loaders = datasets.retrieval_sets(args.eval_dir)
    names = args.sets or SETS
    unknown = [name for name in names if name not in loaders]
    if unknown:
        sys.exit(f"unknown set {unknown[0]}; there are {', '.join(loaders)}")
    build = result_files.build_identity(args.ragstone)
    kept = result_files.Results(pathlib.Path(args.work) / "results", "fusion",
                                {"build": build, "scan": args.scan, "depth": DEPTH})
    by_set = {}
    with client_module.served(args.ragstone, pathlib.Path(args.work) / f"data-{build}") as (
            client, _):
        for name in names:
            data = loaders[name]()
            keys = suites_retrieval.sample(data.queries, args.limit, args.seed)
            run_set(client, data, keys, kept, args.scan)
            by_set[name] = [kept.get(f"{name}/{key}") for key in keys]
    wrong = judge(by_set, args.seed)
    if args.scan:
        print_scan(by_set, args.seed)
    for message in wrong:
        print(message, file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
