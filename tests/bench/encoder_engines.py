"""The encoders that encoder_bench.py compares: each turns token ids into vectors at some rate.

An engine is made for one model and one number of threads. It offers configurations (batch, type of
weights) of which the fastest for a workload counts.
"""

import contextlib
import json
import pathlib
import random
import subprocess
import sys
import time
import typing

import bert_models
import machine_load
import stubs
import worker

# What `ragstone` sends in one request at most.
OUR_BATCH = 32
RIVAL_BATCHES = (1, 8, 32)
UBATCH_TOKENS_MAX = 512
# A batch that takes longer than this is not tried, and a mix that does is thinned out.
PASS_SECONDS_MAX = 5.0
MIX_THINNED_TO = 32


class Configuration(typing.NamedTuple):
    kind: str  # of the weights or the graph
    batch: int  # texts at a time


class Engine:
    """One encoder. `rival` says whether ours are compared with it."""

    name = ""
    rival = True

    def pids(self):
        """Processes beside this one and its ended children that compute for it."""
        return []

    def configurations(self, workload):
        """What may be given to `rate` for the workload."""
        raise NotImplementedError

    def rate(self, workload, configuration, seconds):
        """The Rate over at least `seconds`."""
        raise NotImplementedError

    def vectors(self, texts):
        """The vectors of texts in their order; None if the engine does not give them."""
        raise NotImplementedError


class Rate(typing.NamedTuple):
    texts: float  # in a second
    texts_cpu: float | None  # in a second of a processor's time, where that is known


def _repeat(requests, texts, run, seconds, clock):
    """Runs the requests again and again; `clock` says the processor's time that they used."""
    begin, begin_cpu = time.perf_counter(), clock()
    done = 0
    while True:
        for request in requests:
            run(request)
        done += texts
        spent = time.perf_counter() - begin
        if spent >= seconds:
            return Rate(done / spent, done / max(clock() - begin_cpu, 1e-3))


def _batches(texts, size):
    return [texts[i:i + size] for i in range(0, len(texts), size)]


def embed_request(texts):
    """The bytes of the request to embed lists of token ids."""
    pb = stubs.module("ragstone.worker.v1.embedder_pb2")
    return pb.EmbedRequest(
        texts=[pb.TokenSequence(ids=ids) for ids in texts]).SerializeToString()


class Worker(Engine):
    """A worker over its own protocol, with one request at a time."""

    def __init__(self, stack, executable, model, encoder, threads):
        self.rival = False
        self.name = f"ours {encoder}"
        extra = ["--threads", str(threads), "--encoder", encoder,
                 "--tokens-max", str(bert_models.POSITIONS)]
        self._channel, self._process = stack.enter_context(
            worker.started(executable, "embed", model, extra))
        self._embedder = worker.Embedder(self._channel)
        self.device = self._embedder.info().device
        # The rates are those of the worker, so the messages are made beforehand and the replies are
        # not taken apart.
        self._call = self._channel.unary_unary("/ragstone.worker.v1.Embedder/Embed")

    def pids(self):
        return [self._process.pid]

    def configurations(self, workload):
        return [Configuration("", batch) for batch in (OUR_BATCH // 4, OUR_BATCH)]

    def rate(self, workload, configuration, seconds):
        texts = workload.repeated(configuration.batch)
        requests = [embed_request(b) for b in _batches(texts, configuration.batch)]
        return _repeat(requests, len(texts), lambda r: self._call(r, timeout=600), seconds,
                       lambda: machine_load.process_seconds(self._process.pid))

    def vectors(self, texts):
        return self._embedder.embed(texts)


class LlamaWorker(Engine):
    """llama.cpp in our worker: the fastest type of weights and number of texts in a request."""

    name = "llama.cpp (worker)"

    def __init__(self, stack, executable, models, threads):
        self._workers = {kind: Worker(stack, executable, model, "llama", threads)
                         for kind, model in models.items()}

    def pids(self):
        return [pid for one in self._workers.values() for pid in one.pids()]

    def configurations(self, workload):
        return [Configuration(kind, batch) for kind in self._workers for batch in RIVAL_BATCHES]

    def rate(self, workload, configuration, seconds):
        return self._workers[configuration.kind].rate(workload, configuration, seconds)

    def vectors(self, texts):
        return next(iter(self._workers.values())).vectors(texts)


class LlamaBench(Engine):
    """Upstream's llama-bench. It computes one sequence of made-up tokens, so that texts shorter
    than a batch count as parts of it: that attention costs what llama.cpp's packed batches cost."""

    name = "llama-bench"

    def __init__(self, executable, models, threads):
        self._executable = executable
        self._models = models
        self._threads = threads

    def configurations(self, workload):
        if workload.length is None:
            return []
        most = max(1, UBATCH_TOKENS_MAX // workload.length)
        return [Configuration(kind, batch) for kind in self._models for batch in sorted({1, most})]

    def rate(self, workload, configuration, seconds):
        tokens = str(workload.length * configuration.batch)
        # Without flash attention it was half as fast (256 tokens, BF16).
        command = [self._executable, "-m", str(self._models[configuration.kind]), "-p", tokens,
                   "-n", "0", "-t", str(self._threads), "-b", tokens, "-ub", tokens, "-embd", "1",
                   "-fa", "on", "-ngl", "0", "-o", "json", "-r"]
        first = self._run([*command, "2"])
        repetitions = round(seconds * first / int(tokens))
        speed = self._run([*command, str(repetitions)]) if repetitions > 2 else first
        return Rate(speed / workload.length, None)

    @staticmethod
    def _run(command):
        done = subprocess.run(command, capture_output=True, text=True, timeout=1800, check=False)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-1500:]}")
        return json.loads(done.stdout)[0]["avg_ts"]

    def vectors(self, texts):
        return None


class OnnxRuntime(Engine):
    """ONNX Runtime in this process: the fastest graph and batch. A mix of lengths is sorted, and
    padded within a batch."""

    def __init__(self, name, graphs, threads):
        import bert_onnx
        self._onnx = bert_onnx
        self.name = name
        # Graphs without a mask only take batches of equal lengths.
        self._sessions = {path.stem: (bert_onnx.session(path, threads), flash)
                          for path, flash in graphs.items()}

    def configurations(self, workload):
        return [Configuration(name, batch) for name, (_, flash) in self._sessions.items()
                for batch in RIVAL_BATCHES if workload.length is not None or not flash]

    def rate(self, workload, configuration, seconds):
        session = self._sessions[configuration.kind][0]
        texts = sorted(workload.repeated(configuration.batch), key=len)
        names = self._onnx.inputs(session)
        feeds = [self._onnx.feed(names, b) for b in _batches(texts, configuration.batch)]
        return _repeat(feeds, len(texts), lambda f: session.run(None, f), seconds,
                       time.process_time)

    def vectors(self, texts):
        import numpy
        session = next(s for s, flash in self._sessions.values() if not flash)
        vectors = []
        for text in texts:
            output = session.run(None, self._onnx.feed(self._onnx.inputs(session), [text]))[0][0]
            if output.ndim == 2:  # the last hidden state of a graph without pooling
                output = output.mean(axis=0)
            vectors.append(output / numpy.linalg.norm(output))
        return vectors


class Workload:
    """Texts as token ids: of one length, or a mix of lengths in no order."""

    def __init__(self, name, lengths, vocabulary, seed):
        self.name = name
        self.lengths = list(lengths)
        self.length = lengths[0] if len(lengths) == 1 else None
        self._vocabulary = vocabulary
        self._seed = seed
        random.Random(seed).shuffle(self.lengths)
        self._texts = {}

    def repeated(self, count):
        """The texts of a mix, or `count` ones of the one length. The same in every round."""
        lengths = self.lengths if self.length is None else [self.length] * count
        if len(lengths) not in self._texts:
            rng = random.Random(self._seed)
            self._texts[len(lengths)] = [self._text(rng, length) for length in lengths]
        return self._texts[len(lengths)]

    def _text(self, rng, length):
        inner = [rng.randrange(1000, self._vocabulary) for _ in range(length - 2)]
        return [bert_models.CLS, *inner, bert_models.SEP]

    def thinned(self):
        """A mix of fewer texts, evenly from the short to the long; a single length as it is."""
        if self.length is not None or len(self.lengths) <= MIX_THINNED_TO:
            return self
        ordered = sorted(self.lengths)
        step = len(ordered) / MIX_THINNED_TO
        return Workload(self.name, [ordered[int((i + 0.5) * step)] for i in range(MIX_THINNED_TO)],
                        self._vocabulary, self._seed)

    def texts(self, configuration):
        """How many texts one pass has."""
        return configuration.batch if self.length is not None else len(self.lengths)


def best(engine, workload, seconds):
    """Returns (the engine's fastest configuration, the workload or its thinned form), from short
    runs: every kind with one batch, then the fastest kind with the others. None if the engine
    cannot do the workload."""
    configurations = engine.configurations(workload)
    if not configurations:
        return None
    batches = sorted({c.batch for c in configurations})
    middle = batches[len(batches) // 2] if len(batches) > 2 else batches[0]
    first = [c for c in configurations if c.batch == middle]
    rates = {}
    if workload.length is None:
        thinned = workload.thinned()
        if len(workload.lengths) / engine.rate(thinned, first[0], 0).texts > PASS_SECONDS_MAX:
            workload = thinned
    for configuration in first:
        rates[configuration] = engine.rate(workload, configuration, seconds).texts
    fastest = max(rates, key=rates.get)
    for configuration in configurations:
        if configuration.kind == fastest.kind and configuration.batch != middle and (
                workload.texts(configuration) / rates[fastest] <= PASS_SECONDS_MAX):
            rates[configuration] = engine.rate(workload, configuration, seconds).texts
    return max(rates, key=rates.get), workload


@contextlib.contextmanager
def engines(args, files, threads):
    """The engines asked for, ours and the rivals in turns."""
    with contextlib.ExitStack() as stack:
        ours = []
        for tier in filter(None, args.tiers.split(",")):
            try:
                ours.append(Worker(stack, args.worker, files["gguf"]["F32"], tier, threads))
            except RuntimeError as error:  # mostly a tier that this processor lacks
                print(f"without our {tier}: {error}", file=sys.stderr)
        rivals = []
        if files["onnx"]:
            rivals += [OnnxRuntime(name, graphs, threads)
                       for name, graphs in files["onnx"].items()]
        if not args.no_llama:
            rivals.append(LlamaWorker(stack, args.worker, files["gguf"], threads))
        if args.llama_bench:
            rivals.append(LlamaBench(args.llama_bench, files["gguf"], threads))
        turns = []
        while ours or rivals:
            turns += [ours.pop(0)] if ours else []
            turns += [rivals.pop(0)] if rivals else []
        yield turns


def model_files(args, shape, work):
    """Writes what the engines read of the model of `shape`."""
    work = pathlib.Path(work) / shape
    folder = pathlib.Path(args.minilm) if shape == "minilm" and args.minilm else None
    if folder is None:
        folder = bert_models.write_random(work / "random", shape, args.seed)
    work.mkdir(parents=True, exist_ok=True)
    files = {"folder": folder, "random": folder == work / "random", "gguf": {}, "onnx": {}}
    for kind in bert_models.GGUF_TYPES:
        files["gguf"][kind] = bert_models.write_gguf(work / f"{kind}.gguf", folder, kind)
    if args.no_onnx:
        return files
    import bert_onnx
    config, tensors = bert_models.load(folder)
    fp32, int8 = {}, {}
    for name, flash in (("attention", False), ("flash", True)):
        path = work / f"{name}.onnx"
        bert_onnx.write_fp32(path, config, tensors, flash)
        fp32[path] = flash
        for suffix, per_channel in (("int8", False), ("int8-channels", True)):
            quantised = work / f"{name}-{suffix}.onnx"
            bert_onnx.write_int8(quantised, path, per_channel)
            int8[quantised] = flash
    files["onnx"] = {"ONNX Runtime fp32": fp32, "ONNX Runtime int8": int8}
    if shape == "minilm" and args.int8_onnx:
        files["onnx"]["ONNX Runtime, given .onnx"] = {pathlib.Path(args.int8_onnx): False}
    return files
