#!/usr/bin/env python3
"""Our model worker beside upstream's llama-bench: tokens/s of prompt, generation and embedding.

Both run the same model file with the same number of threads, in turns, so that a machine that slows
down slows both. Upstream makes up random tokens; the worker gets words of its own and is asked over
its gRPC protocol, so that our figures hold the price of that too. Prints the median of the rounds
of each and the ratio ours / upstream; exits with 1 if a ratio is below --ratio-min.

    llama_bench.py --llama-bench DIR/bin/llama-bench --generator FILE.gguf --embedder FILE.gguf
        --worker DIR/libexec/ragstone/ragstone-model-avx2 --threads 2

llama-bench must be built from the same source with the same flags for the processor.
"""

import argparse
import json
import pathlib
import random
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "eval"))
import results  # noqa: E402
import stubs  # noqa: E402
import worker  # noqa: E402

WORDS = ("water pump filter house garden winter summer report station engine letter number window "
         "market season river energy question answer machine paper history island picture").split()
EMBED_TEXTS_PER_REQUEST = 32


def upstream(args, model, prompt=0, generate=0, embed=False):
    """Tokens per second of one run of llama-bench: the mean of its repetitions."""
    command = [args.llama_bench, "-m", model, "-p", str(prompt), "-n", str(generate), "-t",
               str(args.threads), "-r", str(args.repetitions), "-o", "json"]
    if args.gpu_layers:
        command += ["-ngl", str(args.gpu_layers)]
    if embed:
        command += ["-embd", "1", "-b", str(prompt), "-ub", str(prompt)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-1500:]}")
    return json.loads(done.stdout)[0]["avg_ts"]


def words(rng, count):
    return " ".join(rng.choices(WORDS, k=count))


def our_prompt(generator, args, rng):
    """Tokens per second of prompts that share no beginning, so that nothing is reused."""
    def one():
        text = f"{rng.getrandbits(40)} {words(rng, args.prompt)}"
        while generator.count([text])[0] > args.prompt:
            text = text.rsplit(" ", 4)[0]
        return generator.generate(text, 1)[1]

    one()  # warms up
    runs = [one() for _ in range(args.repetitions)]
    return 1000 * sum(r.prompt_tokens - r.reused_tokens for r in runs) / sum(
        r.prompt_ms for r in runs)


def our_generation(generator, args, rng):
    """Tokens per second of greedy generation after a short prompt."""
    tokens = milliseconds = 0.0
    for _ in range(args.repetitions):
        number = rng.randrange(10, 90)
        text = ", ".join(str(number + i) for i in range(8)) + ","
        _, done = generator.generate(text, args.generate)
        # The last token of a full length is not computed on; the end of text costs one more step.
        tokens += done.generated_tokens - (done.finish_reason == "length")
        milliseconds += done.generate_ms
    if tokens < args.repetitions * args.generate / 4:
        sys.exit(f"the model wrote only {tokens:.0f} tokens in {args.repetitions} runs of "
                 f"{args.generate}: too few to measure")
    return 1000 * tokens / milliseconds


def our_embedding(embedder, info, args, rng):
    """Tokens per second of texts of the same length as upstream's."""
    def batch():
        return [[101, *(rng.randrange(1000, info.vocabulary) for _ in range(args.embed - 2)), 102]
                for _ in range(EMBED_TEXTS_PER_REQUEST)]
    embedder.embed(batch())
    batches = [batch() for _ in range(args.repetitions)]
    begin = time.monotonic()
    for one in batches:
        embedder.embed(one)
    return args.embed * EMBED_TEXTS_PER_REQUEST * len(batches) / (time.monotonic() - begin)


def measure(args):
    """Rounds of (upstream, ours) by what is measured."""
    rng = random.Random(args.seed)
    extra = ["--threads", str(args.threads)]
    if args.gpu_layers:
        extra += ["--gpu-layers", str(args.gpu_layers)]
    rounds = {}

    def add(name, theirs, ours):
        rounds.setdefault(name, []).append((theirs, ours))
        print(f"round {len(rounds[name])} {name}: llama-bench {theirs:.1f}, ours {ours:.1f} "
              f"tokens/s, ratio {ours / theirs:.3f}", file=sys.stderr)

    if args.generator:
        with worker.started(args.worker, "generate", args.generator,
                            [*extra, "--context", str(args.context)]) as (channel, _):
            generator = worker.Generator(channel)
            print(f"generator on {generator.info().device}", file=sys.stderr)
            for _ in range(args.rounds):
                add(f"prompt {args.prompt}", upstream(args, args.generator, prompt=args.prompt),
                    our_prompt(generator, args, rng))
                add(f"generation {args.generate}",
                    upstream(args, args.generator, generate=args.generate),
                    our_generation(generator, args, rng))
    if args.embedder:
        with worker.started(args.worker, "embed", args.embedder, extra) as (channel, _):
            embedder = worker.Embedder(channel)
            info = embedder.info()
            print(f"embedder on {info.device}", file=sys.stderr)
            for _ in range(args.rounds):
                add(f"embedding {args.embed}",
                    upstream(args, args.embedder, prompt=args.embed, embed=True),
                    our_embedding(embedder, info, args, rng))
    return rounds


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--llama-bench", required=True)
    parser.add_argument("--worker", required=True)
    parser.add_argument("--generator", help="GGUF file")
    parser.add_argument("--embedder", help="GGUF file")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--gpu-layers", type=int, default=0)
    parser.add_argument("--prompt", type=int, default=512, help="tokens")
    parser.add_argument("--generate", type=int, default=128, help="tokens")
    parser.add_argument("--embed", type=int, default=256, help="tokens of a text")
    parser.add_argument("--context", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repetitions", type=int, default=3, help="in each round")
    parser.add_argument("--ratio-min", type=float, default=0.95)
    parser.add_argument("--seed", type=int, default=20260101)
    parser.add_argument("--work", default="build/eval")
    args = parser.parse_args()
    if not args.generator and not args.embedder:
        parser.error("give --generator, --embedder or both")
    stubs.load(pathlib.Path(args.work) / "stubs")
    print(f"seed {args.seed}", file=sys.stderr)
    rows, low = [], []
    for name, pairs in measure(args).items():
        theirs = statistics.median(p[0] for p in pairs)
        ours = statistics.median(p[1] for p in pairs)
        ratios = [p[1] / p[0] for p in pairs]
        rows.append((name, f"{theirs:.1f}", f"{ours:.1f}", f"{ours / theirs:.3f}",
                     f"{min(ratios):.3f}–{max(ratios):.3f}", len(pairs)))
        if ours / theirs < args.ratio_min:
            low.append(name)
    print(results.table(["tokens/s", "llama-bench", "ours", "ratio", "ratios of rounds", "rounds"],
                        rows))
    if low:
        sys.exit(f"below {args.ratio_min} of upstream: {', '.join(low)}")


if __name__ == "__main__":
    main()
