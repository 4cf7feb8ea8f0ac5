#!/usr/bin/env python3
"""Lengths in tokens of the chunks of a data directory, as encoder_bench.py takes with --lengths.

Serves a copy of the data directory and searches it with the queries given until no more chunks turn
up; prints lines of "tokens count" and, on standard error, how many of the chunks it saw. What is
counted is heading and text; rules of dots and dashes, which are folded before embedding, make some
longer, so that lengths end at --tokens-max. Needs `tokenizers` (tests/eval/requirements.txt).

    chunk_lengths.py --ragstone build/release/bin/ragstone --data-dir DIR --models-dir DIR
        --tokenizer DIR/all-MiniLM-L6-v2/tokenizer.json --query report --query table ...
"""

import argparse
import collections
import pathlib
import shutil
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "eval"))
import stubs  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ragstone", required=True)
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--models-dir", required=True)
    parser.add_argument("--tokenizer", required=True, help="tokenizer.json")
    parser.add_argument("--collection", default="default")
    parser.add_argument("--query", action="append", required=True)
    parser.add_argument("--tokens-max", type=int, default=200,
                        help="the setting chunk_tokens_max of the data directory")
    parser.add_argument("--work", default="build/eval")
    args = parser.parse_args()
    stubs.load(pathlib.Path(args.work) / "stubs")
    import client
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(args.tokenizer)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    lengths = {}
    with tempfile.TemporaryDirectory(prefix="chunk-lengths-") as folder:
        copy = pathlib.Path(folder) / "data"
        shutil.copytree(args.data_dir, copy)
        with client.served(pathlib.Path(args.ragstone).resolve(), copy,
                           ["--models-dir", args.models_dir]) as (api, _):
            total = sum(d.chunks for d in api.documents(args.collection))
            for query in args.query:
                for passage in api.search(args.collection, query, top_k=1000,
                                          mode="vector").passages:
                    text = f"{passage.heading}\n{passage.text}" if passage.heading else passage.text
                    lengths[passage.chunk] = min(args.tokens_max, len(tokenizer.encode(text).ids))
    print(f"{len(lengths)} of {total} chunks", file=sys.stderr)
    for tokens, count in sorted(collections.Counter(lengths.values()).items()):
        print(tokens, count)


if __name__ == "__main__":
    main()
