#!/usr/bin/env python3
"""Makes the real vectors of vector_bench.py: windows of all evaluation texts, and questions as
queries, embedded once with a model worker.

Windows have --window tokens. Their stride follows from the number that is wanted, so that the texts
are covered evenly; windows overlap where the stride is shorter than they are. Queries are questions
of the same sets, which are no windows. Writes `base.f32` (vectors, one after the other),
`queries.f32` and `vectors.json` into --out, and goes on where it was stopped.

    pip install -r tests/eval/requirements.txt
    minilm_vectors.py --worker build/release/libexec/ragstone/ragstone-model-avx512
        --model all-MiniLM-L6-v2/model.gguf --tokenizer all-MiniLM-L6-v2/tokenizer.json
        --eval-dir DIR --out DIR
"""

import argparse
import json
import pathlib
import random
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "eval"))
import stubs  # noqa: E402
import worker  # noqa: E402

BATCH = 32
TEXT_CHARACTERS_MIN = 60


def strings(value, key=""):
    """(key, text) of all strings inside a parsed JSON value."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from strings(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner, key)


def parsed(path):
    text = path.read_text(errors="replace")
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    return json.loads(text)


def texts_of(path):
    """(texts, questions) of one file."""
    if path.suffix in (".json", ".jsonl"):
        texts, questions = [], []
        is_queries = path.stem in ("queries", "questions")
        for key, text in strings(parsed(path)):
            if key.lower() == "question" or (is_queries and key == "text"):
                questions.append(text)
            elif len(text) >= TEXT_CHARACTERS_MIN:
                texts.append(text)
        return texts, questions
    if path.suffix == ".pdf":
        made = subprocess.run(["pdftotext", "-q", str(path), "-"], capture_output=True, timeout=120)
        return [made.stdout.decode(errors="replace")], []
    if path.suffix in (".txt", ".md", ".log"):
        return [path.read_text(errors="replace")], []
    return [], []


def collect(folder):
    texts, questions = [], []
    for path in sorted(pathlib.Path(folder).rglob("*")):
        if not path.is_file():
            continue
        try:
            found = texts_of(path)
        except (subprocess.TimeoutExpired, ValueError) as error:
            print(f"{path.name} is left out: {error}", file=sys.stderr)
            continue
        texts += found[0]
        questions += found[1]
    return list(dict.fromkeys(texts)), list(dict.fromkeys(questions))


def windows(tokenized, size, count):
    """`count` windows; the stride is the largest whole number that gives so many."""
    def made(stride):
        return sum(1 + max(0, len(ids) - size + stride - 1) // stride for ids in tokenized)

    stride = size
    while stride > 1 and made(stride) < count:
        stride -= 1
    found = dict.fromkeys(tuple(ids[at:at + size]) for ids in tokenized
                          for at in range(0, max(1, len(ids) - size + stride), stride))
    return list(found), stride


def embed(embedder, sequences, path, dimensions):
    """Appends the vectors of sequences to the file, from where it ends."""
    import numpy
    done = path.stat().st_size // (4 * dimensions) if path.exists() else 0
    with open(path, "r+b" if path.exists() else "wb") as file:
        file.truncate(done * 4 * dimensions)
        file.seek(0, 2)
        for at in range(done, len(sequences), BATCH):
            vectors = embedder.embed(sequences[at:at + BATCH])
            file.write(numpy.asarray(vectors, dtype=numpy.float32).tobytes())
            if at // BATCH % 100 == 0:
                print(f"{path.name}: {at} of {len(sequences)}", flush=True)


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worker", required=True, help="a ragstone-model executable")
    parser.add_argument("--model", required=True, help="GGUF of the embedding model")
    parser.add_argument("--tokenizer", required=True, help="its tokenizer.json")
    parser.add_argument("--eval-dir", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--queries", type=int, default=1_000)
    parser.add_argument("--window", type=int, default=48, help="tokens (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=20260101)
    return parser.parse_args()


def main():
    args = parse()
    import tokenizers
    out = pathlib.Path(args.out)
    out.mkdir(parents=True, exist_ok=True)
    stubs.load(out)
    tokenizer = tokenizers.Tokenizer.from_file(args.tokenizer)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    texts, questions = collect(args.eval_dir)
    chooser = random.Random(args.seed)
    tokenized = [t.ids for t in tokenizer.encode_batch(texts, add_special_tokens=False)]
    tokenized = [ids for ids in tokenized if len(ids) >= args.window // 4]
    sequences, stride = windows(tokenized, args.window, args.count * 103 // 100)
    if len(sequences) < args.count:
        sys.exit(f"the texts give {len(sequences)} windows, {args.count} are wanted")
    sequences = chooser.sample(sequences, args.count)
    asked = chooser.sample(questions, min(args.queries, len(questions)))
    first, last = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    print(f"{len(texts)} texts, {sum(map(len, tokenized))} tokens, stride {stride}, "
          f"{len(questions)} questions", flush=True)
    extra = ["--threads", str(args.threads), "--tokens-max", "512"]
    with worker.started(args.worker, "embed", args.model, extra) as (channel, _):
        embedder = worker.Embedder(channel)
        dimensions = len(embedder.embed([[first, last]])[0])
        embed(embedder, [[first, *ids, last] for ids in sequences], out / "base.f32", dimensions)
        embed(embedder, [e.ids for e in tokenizer.encode_batch(asked)], out / "queries.f32",
              dimensions)
    (out / "vectors.json").write_text(json.dumps({
        "dimensions": dimensions, "count": len(sequences), "queries": len(asked),
        "window": args.window, "stride": stride, "texts": len(texts)}))


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    main()
