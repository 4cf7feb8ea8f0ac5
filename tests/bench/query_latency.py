#!/usr/bin/env python3
"""Time to embed a short query through the worker, alone and beside another connection that embeds
batches without pause; and the time of a call that computes nothing, which is that of the hop.

    query_latency.py --worker build/release/libexec/ragstone/ragstone-model-avx512
        --model FILE.gguf --encoder float --threads 2

Prints the least, the median, the 95th and 99th percentile and the largest, in milliseconds. The
client is in Python; its share is in all figures alike, so the hop of `ragstone`, which is written
in C++, takes less than the one printed here. `--hop-client` names the executable of
tests/bench/hop_latency.cc, which measures the same calls from C++.
"""

import argparse
import json
import os
import pathlib
import random
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "eval"))
import machine_load  # noqa: E402
import metrics  # noqa: E402
import results  # noqa: E402
import stubs  # noqa: E402
import worker  # noqa: E402

CLS, SEP = 101, 102
EMBED, INFO = "/ragstone.worker.v1.Embedder/Embed", "/ragstone.worker.v1.Embedder/GetInfo"
# Pauses between queries differ, so that they do not fall into step with the batches.
PAUSE_MS = (2, 20)


class Load:
    """Another connection that embeds one batch after the other until it is stopped."""

    def __init__(self, socket, request):
        import grpc
        self._channel = grpc.insecure_channel(
            f"unix:{socket}", options=[("grpc.max_receive_message_length", 64 << 20),
                                       ("grpc.use_local_subchannel_pool", 1)])
        self._call = self._channel.unary_unary(EMBED)
        self._request = request
        self._stop = threading.Event()
        self.batches = 0
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while not self._stop.is_set():
            self._call(self._request, timeout=600)
            self.batches += 1

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self._channel.close()


def times(call, requests, rng):
    """Milliseconds of each call."""
    taken = []
    for request in requests:
        time.sleep(rng.uniform(*PAUSE_MS) / 1000)
        begin = time.perf_counter()
        call(request, timeout=600)
        taken.append(1000 * (time.perf_counter() - begin))
    return taken


def row(name, taken, foreign):
    ordered = sorted(taken)
    values = {"least": ordered[0], "median": metrics.percentile(ordered, 0.5),
              "p95": metrics.percentile(ordered, 0.95), "p99": metrics.percentile(ordered, 0.99),
              "largest": ordered[-1]}
    return {"name": name, "count": len(taken), "others": foreign, **values}


def embed_request(rng, vocabulary, count, length):
    pb = stubs.module("ragstone.worker.v1.embedder_pb2")
    texts = [pb.TokenSequence(ids=[CLS, *(rng.randrange(1000, vocabulary)
                                          for _ in range(length - 2)), SEP])
             for _ in range(count)]
    return pb.EmbedRequest(texts=texts).SerializeToString()


def hop_rows(args, socket, state):
    """What the client in C++ measures."""
    if not args.hop_client:
        return []
    done = subprocess.run([args.hop_client, str(socket), str(args.tokens), str(args.count)],
                          capture_output=True, text=True, timeout=600, check=False)
    if done.returncode != 0:
        sys.exit(f"{args.hop_client} ended with {done.returncode}:\n{done.stderr[-500:]}")
    rows = []
    for name, taken in json.loads(done.stdout).items():
        rows.append(row(f"{name}, C++ client, {state}", taken, None))
    return rows


def measure(args):
    rng = random.Random(args.seed)
    rows = []
    extra = ["--threads", str(args.threads), "--encoder", args.encoder]
    with worker.started(args.worker, "embed", args.model, extra) as (channel, process):
        info = worker.Embedder(channel).info()
        print(f"{info.device}, {args.threads} thread(s), query of {args.tokens} tokens; seed "
              f"{args.seed}; load average {os.getloadavg()[0]:.1f}", file=sys.stderr)
        queries = [embed_request(rng, info.vocabulary, 1, args.tokens) for _ in range(args.count)]
        embed, hop = channel.unary_unary(EMBED), channel.unary_unary(INFO)
        socket = process.args[process.args.index("--socket") + 1]

        def all_of(state):
            for name, call, requests in (("query", embed, queries),
                                         ("GetInfo", hop, [b""] * args.count)):
                foreign = machine_load.Foreign([process.pid])
                taken = times(call, requests, rng)
                rows.append(row(f"{name}, {state}", taken, foreign.share()))
            rows.extend(hop_rows(args, socket, state))

        times(embed, queries[:20], rng)  # warms up
        all_of("alone")
        batch = embed_request(rng, info.vocabulary, args.batch, args.batch_tokens)
        begin = time.monotonic()
        with Load(socket, batch) as load:
            time.sleep(0.5)
            all_of("beside batches")
        rate = load.batches * args.batch / (time.monotonic() - begin)
        print(f"beside: {rate:.1f} texts/s of {args.batch_tokens} tokens in batches of "
              f"{args.batch}", file=sys.stderr)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worker", required=True, help="a ragstone-model executable")
    parser.add_argument("--model", required=True, help="GGUF file")
    parser.add_argument("--encoder", default="float", help="as the worker takes it")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--tokens", type=int, default=16, help="of a query")
    parser.add_argument("--count", type=int, default=500, help="queries")
    parser.add_argument("--batch", type=int, default=32, help="texts in a batch beside")
    parser.add_argument("--batch-tokens", type=int, default=256)
    parser.add_argument("--hop-client", help="executable of tests/bench/hop_latency.cc")
    parser.add_argument("--seed", type=int, default=20260101)
    parser.add_argument("--work", default="build/eval")
    parser.add_argument("--json", help="file for the results")
    args = parser.parse_args()
    stubs.load(pathlib.Path(args.work) / "stubs")
    rows = measure(args)
    print(results.table(
        ["ms", "least", "median", "95 %", "99 %", "largest", "n", "others"],
        [(r["name"], f"{r['least']:.2f}", f"{r['median']:.2f}", f"{r['p95']:.2f}",
          f"{r['p99']:.2f}", f"{r['largest']:.2f}", r["count"],
          "–" if r["others"] is None else f"{r['others']:.0%}") for r in rows]))
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps({"arguments": vars(args), "rows": rows},
                                                      indent=1))


if __name__ == "__main__":
    main()
