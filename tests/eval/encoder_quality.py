#!/usr/bin/env python3
"""What a tier of the encoder costs in retrieval: nDCG@10 of each beside the first, per set.

Embeds passages (their first tokens, up to the model's length) and queries by the model worker with
each given value of `--encoder`, ranks by exact inner product, and prints nDCG@10, the difference to
the first with a bootstrap interval over the queries, and the share of the first ten that both have.

    encoder_quality.py --worker DIR/ragstone-model-avx512 --model FILE.gguf
        --tokenizer tokenizer.json --eval-dir DIR --encoder avx2 --encoder avx512-bf16
"""

import argparse
import pathlib
import sys

import numpy
import tokenizers

import datasets
import metrics
import results
import stubs
import worker


def token_ids(tokenizer, texts, tokens_max):
    tokenizer.enable_truncation(tokens_max)
    tokenizer.no_padding()
    return [one.ids for one in tokenizer.encode_batch(texts)]


def vectors_of(embedder, ids, at_once=64):
    parts = []
    for begin in range(0, len(ids), at_once):
        parts.append(numpy.array(embedder.embed(ids[begin:begin + at_once]), dtype=numpy.float32))
    return numpy.concatenate(parts)


def rank(args, encoder, sets):
    """Ids of the best ten passages by set and query."""
    tokenizer = tokenizers.Tokenizer.from_file(args.tokenizer)
    ranked = {}
    with worker.started(args.worker, "embed", args.model,
                        ["--encoder", encoder, "--threads", str(args.threads), "--tokens-max",
                         str(args.tokens_max)]) as (channel, _):
        embedder = worker.Embedder(channel)
        print(f"{encoder}: {embedder.info().device}", file=sys.stderr)
        for data in sets:
            passages, queries = list(data.corpus), list(data.queries)
            texts = [data.corpus[p] for p in passages]
            corpus = vectors_of(embedder, token_ids(tokenizer, texts, args.tokens_max))
            asked = vectors_of(embedder, token_ids(
                tokenizer, [data.queries[q] for q in queries], args.tokens_max))
            order = numpy.argsort(-(asked @ corpus.T), axis=1, kind="stable")[:, :10]
            ranked[data.name] = {q: [passages[i] for i in order[row]]
                                 for row, q in enumerate(queries)}
    return ranked


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worker", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--tokenizer", required=True)
    parser.add_argument("--eval-dir", required=True)
    parser.add_argument("--encoder", action="append", required=True)
    parser.add_argument("--set", action="append", default=[],
                        help="default cranfield, nq-gold and squad")
    parser.add_argument("--tokens-max", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--work", default="build/eval")
    args = parser.parse_args()
    stubs.load(pathlib.Path(args.work) / "stubs")
    loaders = datasets.retrieval_sets(args.eval_dir)
    sets = [loaders[name]() for name in args.set or ("cranfield", "nq-gold", "squad")]
    ranked = {encoder: rank(args, encoder, sets) for encoder in args.encoder}
    rows = []
    for data in sets:
        scores = {encoder: [metrics.ndcg(ranked[encoder][data.name][q], data.relevance[q])
                            for q in data.queries] for encoder in args.encoder}
        first = ranked[args.encoder[0]][data.name]
        for encoder in args.encoder:
            lost = [a - b for a, b in zip(scores[args.encoder[0]], scores[encoder])]
            low, high = metrics.bootstrap_interval(lost)
            here = ranked[encoder][data.name]
            same = metrics.mean([len(set(first[q]) & set(here[q])) / len(first[q])
                                 for q in data.queries])
            rows.append((data.name, encoder, len(data.queries),
                         f"{metrics.mean(scores[encoder]):.4f}", f"{metrics.mean(lost):+.4f}",
                         f"{low:+.4f} to {high:+.4f}", f"{same:.3f}"))
    print(results.table(["set", "encoder", "queries", "nDCG@10", "loss", "95 %", "same of ten"],
                        rows))


if __name__ == "__main__":
    main()
