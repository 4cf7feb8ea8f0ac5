#!/usr/bin/env python3
"""Keyword search beside bm25s and Xapian: queries a second in one thread, nDCG@10, index size.

  keyword_bench.py --program BUILD/bin/keyword_bench --eval FOLDER [--sets squad cranfield windows]
      [--results FILE]

`--eval` is the folder of the evaluation sets that tests/eval/datasets.py reads. "windows" are
overlapping windows of all their texts, 100,000 or more, searched with the questions of all sets;
they have no right answers. bm25s (with PyStemmer and numba) and Xapian's Python binding must be
importable; a rival that is not there is left out. Every engine stems English with Snowball's rules
and uses k1 = 1.2, b = 0.75. bm25s and Xapian get their best usual settings: bm25s with its numba
backend and its stop words, Xapian with its own defaults for BM25 otherwise. The time of a rival's
query includes what it does for each query from its text: tokens, stems, search. Times of queries
are the processor's, so that they hold on a busy machine too.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "eval"))
import datasets  # noqa: E402
import metrics  # noqa: E402

TOP_K = 10
ROUNDS = 3
WINDOWS_MIN = 100_000
WINDOW = 128  # words


def one_line(text):
    return " ".join(text.split())


def load(name, eval_dir):
    """(texts, queries, relevance by place or None), in a fixed order."""
    if name == "windows":
        return windows(eval_dir)
    data = datasets.retrieval_sets(eval_dir)[name]()
    ids = list(data.corpus)
    places = {key: place for place, key in enumerate(ids)}
    keys = list(data.queries)
    relevance = [{places[p]: grade for p, grade in data.relevance[key].items() if p in places}
                 for key in keys]
    return ([one_line(data.corpus[key]) for key in ids],
            [one_line(data.queries[key]) for key in keys], relevance)


def windows(eval_dir):
    """Overlapping windows of the English texts of all sets, until there are enough of them."""
    texts, queries = [], []
    for name in ("squad", "nq-gold", "pubmedqa", "cranfield", "xquad-en"):
        some, asked, _ = load(name, eval_dir)
        texts += some
        queries += asked
    words = [text.split() for text in texts]
    step = max(1, sum(len(w) for w in words) // WINDOWS_MIN)
    while True:
        made = [" ".join(text[begin:begin + WINDOW])
                for text in words for begin in range(0, max(1, len(text) - WINDOW // 4), step)]
        if len(made) >= WINDOWS_MIN or step == 1:
            break
        step -= 1
    random.Random(1).shuffle(queries)
    return made, queries[:2000], None


def ndcg(results, relevance):
    if relevance is None:
        return None
    return metrics.mean(metrics.ndcg(found, right, 10)
                        for found, right in zip(results, relevance))


def folder_bytes(folder):
    return sum(path.stat().st_size for path in pathlib.Path(folder).rglob("*") if path.is_file())


def timed(queries, search):
    """(queries a second, median and 99th percentile in microseconds, results)."""
    results = [search(query) for query in queries]
    times = []
    for _ in range(ROUNDS):
        for query in queries:
            begin = time.process_time()
            search(query)
            times.append(time.process_time() - begin)
    ordered = sorted(times)
    return (len(times) / sum(times), metrics.percentile(ordered, 0.5) * 1e6,
            metrics.percentile(ordered, 0.99) * 1e6, results)


def run_ragstone(program, texts, queries, relevance):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "texts").write_text("\n".join(texts) + "\n", encoding="utf-8")
        (root / "queries").write_text("\n".join(queries) + "\n", encoding="utf-8")
        out = subprocess.run([program, root / "texts", root / "queries", root / "index",
                              str(TOP_K), root / "results"], check=True, capture_output=True,
                             text=True).stdout
        results = [[int(place) for place in line.split()]
                   for line in (root / "results").read_text().splitlines()]
    row = json.loads(out)
    row["ndcg"] = ndcg(results, relevance)
    return row


def run_bm25s(texts, queries, relevance):
    import bm25s
    import Stemmer
    stemmer = Stemmer.Stemmer("english")
    begin = time.perf_counter()
    tokens = bm25s.tokenize(texts, stopwords="en", stemmer=stemmer, show_progress=False)
    index = bm25s.BM25(k1=1.2, b=0.75, backend="numba")
    index.index(tokens, show_progress=False)
    build = time.perf_counter() - begin

    def search(query):
        found = bm25s.tokenize([query], stopwords="en", stemmer=stemmer, show_progress=False)
        if not found.vocab:
            return []
        places, scores = index.retrieve(found, k=TOP_K, show_progress=False, n_threads=1)
        return [int(place) for place, score in zip(places[0], scores[0]) if score > 0]

    search(queries[0])  # compiles
    qps, p50, p99, results = timed(queries, search)
    with tempfile.TemporaryDirectory() as folder:
        index.save(folder)
        size = folder_bytes(folder)
    return {"texts": len(texts), "build_s": build, "index_bytes": size, "qps": qps, "p50_us": p50,
            "p99_us": p99, "ndcg": ndcg(results, relevance)}


def run_xapian(texts, queries, relevance):
    import xapian
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        writable = xapian.WritableDatabase(os.path.join(folder, "raw"), xapian.DB_CREATE)
        generator = xapian.TermGenerator()
        generator.set_stemmer(xapian.Stem("en"))
        for text in texts:
            document = xapian.Document()
            generator.set_document(document)
            generator.index_text(text)
            writable.add_document(document)
        writable.commit()
        # As compact as it gets: what is compared with our merged index.
        writable.compact(os.path.join(folder, "compact"))
        build = time.perf_counter() - begin
        database = xapian.Database(os.path.join(folder, "compact"))
        enquire = xapian.Enquire(database)
        enquire.set_weighting_scheme(xapian.BM25Weight(1.2, 0, 1, 0.75, 0.0))
        parser = xapian.QueryParser()
        parser.set_stemmer(xapian.Stem("en"))
        parser.set_stemming_strategy(xapian.QueryParser.STEM_SOME)
        parser.set_database(database)

        def search(query):
            enquire.set_query(parser.parse_query(query, 0))
            return [match.docid - 1 for match in enquire.get_mset(0, TOP_K)]

        qps, p50, p99, results = timed(queries, search)
        size = folder_bytes(os.path.join(folder, "compact"))
    return {"texts": len(texts), "build_s": build, "index_bytes": size, "qps": qps, "p50_us": p50,
            "p99_us": p99, "ndcg": ndcg(results, relevance)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--program", required=True, help="the built keyword_bench")
    parser.add_argument("--eval", required=True, help="folder of the evaluation sets")
    parser.add_argument("--sets", nargs="+", default=["squad", "cranfield", "windows"])
    parser.add_argument("--engines", nargs="+", default=["ragstone", "bm25s", "xapian"])
    parser.add_argument("--results", help="file to which lines are appended; what is there is not "
                        "measured again")
    arguments = parser.parse_args()
    kept = pathlib.Path(arguments.results) if arguments.results else None
    lines = kept.read_text().splitlines() if kept and kept.exists() else []
    done = {(line["set"], line["engine"]) for line in map(json.loads, lines)}
    for name in arguments.sets:
        missing = [engine for engine in arguments.engines if (name, engine) not in done]
        if not missing:
            continue
        texts, queries, relevance = load(name, arguments.eval)
        for engine in missing:
            try:
                if engine == "ragstone":
                    row = run_ragstone(arguments.program, texts, queries, relevance)
                elif engine == "bm25s":
                    row = run_bm25s(texts, queries, relevance)
                else:
                    row = run_xapian(texts, queries, relevance)
            except ImportError as error:
                print(f"{engine} is left out: {error}", file=sys.stderr)
                continue
            line = json.dumps({"set": name, "engine": engine, **row})
            print(line, flush=True)
            if kept:
                with open(kept, "a", encoding="utf-8") as file:
                    file.write(line + "\n")


if __name__ == "__main__":
    main()
