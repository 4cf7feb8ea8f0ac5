#!/usr/bin/env python3
"""Compares the vectors of an embedding worker with an independent computation.

The other side is BERT written in numpy below, on the original safetensors, with token ids from
Hugging Face's `tokenizers`. Prints the least and the mean cosine of 200 texts of one
token to the model's longest, in several languages; exits with 1 if one is below 0.999.
"""

import argparse
import json
import math
import pathlib
import random
import sys

import numpy

import stubs
import worker

# Own sentences; words of all of them are mixed into texts of every length.
SENTENCES = (
    "The pump in the basement runs for eleven minutes after every heavy rain.",
    "Replace the filter once a year, or earlier if the warning light stays on.",
    "Invoice 4711 was paid on 3 March 2021: 1,250.50 EUR, including 19% VAT.",
    "def mean(values): return sum(values) / len(values)  # fails on an empty list",
    "Der Zähler im Flur zeigt seit gestern Abend einen viel zu hohen Verbrauch an.",
    "Für die Prüfung des Kessels ist der Schornsteinfeger zuständig, nicht der Vermieter.",
    "Le contrat prévoit un délai de trois mois, sauf en cas de faute grave du locataire.",
    "La bomba de calor necesita una revisión cada dos años según el fabricante.",
    "Насос в подвале включается только тогда, когда вода поднимается выше отметки.",
    "停电之后，服务器在十分钟内自动重新启动。",
    "地下室のポンプは大雨のあと十一分間動き続けます。",
    "المضخة في القبو تعمل إحدى عشرة دقيقة بعد كل مطر غزير.",
    "तहखाने का पंप हर भारी बारिश के बाद ग्यारह मिनट तक चलता है।",
    "Η αντλία στο υπόγειο λειτουργεί έντεκα λεπτά μετά από κάθε δυνατή βροχή.",
    "naïve café — “quoted” text… ½ litre, 20 °C ± 0.5 K, x² ≤ 4, ☂ 🙂",
    "ERROR 2021-06-01T20:40:12Z dn-17 block blk_-3544583377289625738 replication stalled",
)


def make_texts(count, seed):
    """Texts of very different lengths: single sentences, and runs of words of many sentences."""
    rng = random.Random(seed)
    texts = list(SENTENCES)
    while len(texts) < count:
        words = []
        wanted = rng.choice((1, 2, 5, 12, 30, 60, 120, 200, 300))
        while len(words) < wanted:
            words += rng.choice(SENTENCES).split()
        texts.append(" ".join(words[:wanted]))
    return texts[:count]


def read_safetensors(path):
    """Tensors of a safetensors file by name, as float32."""
    data = pathlib.Path(path).read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        raw = data[8 + size + begin:8 + size + end]
        if entry["dtype"] == "BF16":
            bits = numpy.frombuffer(raw, "<u2").astype(numpy.uint32) << 16
            values = bits.view(numpy.float32)
        elif entry["dtype"] in ("F32", "F16", "F64"):
            values = numpy.frombuffer(raw, f"<f{int(entry['dtype'][1:]) // 8}")
        elif entry["dtype"] == "I64":
            continue  # position ids
        else:
            sys.exit(f"{path}: tensor {name} is of type {entry['dtype']}, which is not read here")
        tensors[name.removeprefix("bert.")] = values.astype(numpy.float32).reshape(entry["shape"])
    return tensors


def erf(x):
    """The error function, which numpy lacks: Abramowitz and Stegun 7.1.26, error below 2e-7."""
    t = 1 / (1 + numpy.float32(0.3275911) * numpy.abs(x))
    polynomial = numpy.zeros_like(x)
    for factor in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        polynomial = (polynomial + numpy.float32(factor)) * t
    return numpy.sign(x) * (1 - polynomial * numpy.exp(-x * x))


class Bert:
    """The forward pass of BERT with mean pooling and L2 normalisation."""

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        self.config = json.loads((folder / "config.json").read_text())
        if self.config["hidden_act"] != "gelu":
            sys.exit(f"{folder}: activation {self.config['hidden_act']} is not written here")
        self.weights = read_safetensors(folder / "model.safetensors")
        self.heads = self.config["num_attention_heads"]

    def _linear(self, name, x):
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def _norm(self, name, x):
        mean = x.mean(axis=-1, keepdims=True)
        variance = ((x - mean) ** 2).mean(axis=-1, keepdims=True)
        scaled = (x - mean) / numpy.sqrt(variance + self.config["layer_norm_eps"])
        return scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def _gelu(self, x):
        return 0.5 * x * (1 + erf(x * numpy.float32(math.sqrt(0.5))))

    def _attention(self, name, x):
        n, d = x.shape
        size = d // self.heads

        def split(part):
            full = self._linear(f"{name}.self.{part}", x)
            return full.reshape(n, self.heads, size).transpose(1, 0, 2)

        scores = split("query") @ split("key").transpose(0, 2, 1) / numpy.float32(math.sqrt(size))
        scores = numpy.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed = (scores / scores.sum(axis=-1, keepdims=True)) @ split("value")
        return self._linear(f"{name}.output.dense", mixed.transpose(1, 0, 2).reshape(n, d))

    def embed(self, ids):
        w = self.weights
        x = (w["embeddings.word_embeddings.weight"][ids]
             + w["embeddings.position_embeddings.weight"][:len(ids)]
             + w["embeddings.token_type_embeddings.weight"][0])
        x = self._norm("embeddings.LayerNorm", x)
        for layer in range(self.config["num_hidden_layers"]):
            name = f"encoder.layer.{layer}"
            x = self._norm(f"{name}.attention.output.LayerNorm",
                           x + self._attention(f"{name}.attention", x))
            inner = self._gelu(self._linear(f"{name}.intermediate.dense", x))
            x = self._norm(f"{name}.output.LayerNorm",
                           x + self._linear(f"{name}.output.dense", inner))
        vector = x.mean(axis=0)
        return vector / numpy.linalg.norm(vector)


def token_ids(folder, texts, longest):
    """Ids by Hugging Face's tokenizer, special tokens included, cut at the model's longest text."""
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(str(pathlib.Path(folder) / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(longest)
    return [tokenizer.encode(text).ids for text in texts]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worker", required=True, help="a ragstone-model executable")
    parser.add_argument("--model", required=True, help="the imported model.gguf")
    parser.add_argument("--original", required=True, help="the sentence-transformers folder")
    parser.add_argument("--work", default="build/eval")
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=20260101)
    parser.add_argument("--worker-arg", action="append", default=[])
    args = parser.parse_args()
    stubs.load(pathlib.Path(args.work) / "stubs")

    sentence_config = pathlib.Path(args.original) / "sentence_bert_config.json"
    longest = json.loads(sentence_config.read_text())["max_seq_length"]
    texts = make_texts(args.count, args.seed)
    ids = token_ids(args.original, texts, longest)
    with worker.started(args.worker, "embed", args.model, args.worker_arg) as (channel, _):
        embedder = worker.Embedder(channel)
        info = embedder.info()
        ours = []
        for begin in range(0, len(ids), 32):
            ours += embedder.embed(ids[begin:begin + 32])
    bert = Bert(args.original)
    cosines = []
    for vector, one in zip(ours, ids):
        vector = numpy.array(vector)
        cosines.append(float(vector @ bert.embed(one) / numpy.linalg.norm(vector)))
    worst = int(numpy.argmin(cosines))
    lengths = [len(one) for one in ids]
    print(f"device {info.device}; {len(ids)} texts of {min(lengths)} to {max(lengths)} tokens, "
          f"seed {args.seed}")
    print(f"cosine: least {min(cosines):.6f} ({lengths[worst]} tokens: {texts[worst][:60]!r}), "
          f"mean {numpy.mean(cosines):.6f}; norms {min(map(numpy.linalg.norm, ours)):.4f} to "
          f"{max(map(numpy.linalg.norm, ours)):.4f}")
    if len(ours) != len(ids) or not min(cosines) >= 0.999:
        sys.exit("FAILED: a cosine is below 0.999")


if __name__ == "__main__":
    main()
