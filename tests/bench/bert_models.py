"""BERT encoders as files for a benchmark: shapes with random weights, and GGUF in three types.

A model is a sentence-transformers folder (config.json, model.safetensors). `write_gguf` turns it
into the form that llama.cpp and our worker read, with a made-up vocabulary, since no text is
tokenised here.
"""

import json
import pathlib
import struct
import sys

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "eval"))
import embedding_check  # noqa: E402

# Layers, hidden, heads, intermediate.
SHAPES = {"minilm": (6, 384, 12, 1536), "bge-small": (12, 384, 12, 1536)}
VOCABULARY = 30522
POSITIONS = 512
CLS, SEP = 101, 102

_LINEAR = {"attn_q": "attention.self.query", "attn_k": "attention.self.key",
           "attn_v": "attention.self.value", "attn_output": "attention.output.dense",
           "ffn_up": "intermediate.dense", "ffn_down": "output.dense"}
_NORM = {"attn_output_norm": "attention.output.LayerNorm", "layer_output_norm": "output.LayerNorm"}

_UINT32, _FLOAT32, _BOOL, _STRING, _ARRAY, _INT32 = 4, 6, 7, 8, 9, 5
_ALIGNMENT = 32


def flops(config, length):
    """Floating-point operations of one text: the products of layers and attention."""
    hidden = config["hidden_size"]
    return length * config["num_hidden_layers"] * (24 * hidden * hidden + 4 * length * hidden)


def write_random(folder, shape, seed):
    """Writes a folder with random weights of the named shape, unless it is there."""
    folder = pathlib.Path(folder)
    if (folder / "config.json").exists():
        return folder
    layers, hidden, heads, wide = SHAPES[shape]
    rng = numpy.random.default_rng(seed)
    tensors = {}

    def add(name, *size, mean=0.0, spread=0.05):
        tensors[name] = rng.normal(mean, spread, size).astype(numpy.float32)

    add("embeddings.word_embeddings.weight", VOCABULARY, hidden)
    add("embeddings.position_embeddings.weight", POSITIONS, hidden)
    add("embeddings.token_type_embeddings.weight", 2, hidden)
    norms = ["embeddings.LayerNorm"]
    for layer in range(layers):
        prefix = f"encoder.layer.{layer}."
        for part in _LINEAR.values():
            rows = wide if part == "intermediate.dense" else hidden
            columns = wide if part == "output.dense" else hidden
            add(f"{prefix}{part}.weight", rows, columns)
            add(f"{prefix}{part}.bias", rows)
        norms += [prefix + part for part in _NORM.values()]
    for name in norms:
        add(f"{name}.weight", hidden, mean=1.0)
        add(f"{name}.bias", hidden)
    folder.mkdir(parents=True, exist_ok=True)
    _write_safetensors(folder / "model.safetensors", tensors)
    (folder / "config.json").write_text(json.dumps({
        "hidden_act": "gelu", "hidden_size": hidden, "num_hidden_layers": layers,
        "num_attention_heads": heads, "intermediate_size": wide, "layer_norm_eps": 1e-12,
        "max_position_embeddings": POSITIONS, "type_vocab_size": 2, "vocab_size": VOCABULARY}))
    return folder


def _write_safetensors(path, tensors):
    header, offset = {}, 0
    for name, tensor in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(tensor.shape),
                        "data_offsets": [offset, offset + tensor.nbytes]}
        offset += tensor.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for tensor in tensors.values():
            file.write(tensor.tobytes())


def load(folder):
    """Returns (config, tensors by Hugging Face's names without "bert.")."""
    folder = pathlib.Path(folder)
    config = json.loads((folder / "config.json").read_text())
    if config.get("hidden_act") != "gelu":
        sys.exit(f"{folder}: activation {config.get('hidden_act')!r} is not measured here, only "
                 "erf-GELU (\"gelu\")")
    return config, embedding_check.read_safetensors(folder / "model.safetensors")


def _q8_0(values):
    """Blocks of 32: a half-precision scale and 32 signed bytes."""
    blocks = values.reshape(-1, 32)
    scales = (numpy.abs(blocks).max(axis=1, keepdims=True) / 127).astype(numpy.float16)
    divisor = numpy.where(scales == 0, 1, scales).astype(numpy.float32)
    packed = numpy.empty((len(blocks), 34), numpy.uint8)
    packed[:, :2] = scales.view(numpy.uint8)
    packed[:, 2:] = numpy.rint(blocks / divisor).clip(-127, 127).astype(numpy.int8).view(
        numpy.uint8)
    return packed.tobytes()


def _bf16(values):
    bits = values.view(numpy.uint32).astype(numpy.uint64)
    return ((bits + 0x7fff + ((bits >> 16) & 1)) >> 16).astype(numpy.uint16).tobytes()


# Name: the number of the type in the file, and what makes its bytes.
GGUF_TYPES = {"F32": (0, lambda values: values.tobytes()), "BF16": (30, _bf16),
              "Q8_0": (8, _q8_0)}


def _string(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _scalar(key, kind, form, value):
    return _string(key) + struct.pack("<I" + form, kind, value)


def _strings(key, values):
    return (_string(key) + struct.pack("<IIQ", _ARRAY, _STRING, len(values))
            + b"".join(map(_string, values)))


def _metadata(config):
    size = config["vocab_size"]
    words = [f"\u2581w{number}" for number in range(size)]
    special = {0: "[PAD]", 100: "[UNK]", CLS: "[CLS]", SEP: "[SEP]", 103: "[MASK]"}
    kinds = numpy.ones(size, numpy.int32)
    for number, word in special.items():
        words[number] = word
        kinds[number] = 3  # control
    entries = [_string("general.architecture") + struct.pack("<I", _STRING) + _string("bert"),
               _string("tokenizer.ggml.model") + struct.pack("<I", _STRING) + _string("bert"),
               _string("tokenizer.ggml.pre") + struct.pack("<I", _STRING) + _string("default"),
               _strings("tokenizer.ggml.tokens", words),
               _string("tokenizer.ggml.token_type")
               + struct.pack("<IIQ", _ARRAY, _INT32, size) + kinds.tobytes(),
               _scalar("bert.attention.layer_norm_epsilon", _FLOAT32, "f",
                       config["layer_norm_eps"]),
               _scalar("bert.attention.causal", _BOOL, "?", False)]
    numbers = {"bert.context_length": config["max_position_embeddings"],
               "bert.embedding_length": config["hidden_size"],
               "bert.feed_forward_length": config["intermediate_size"],
               "bert.block_count": config["num_hidden_layers"],
               "bert.attention.head_count": config["num_attention_heads"],
               "bert.pooling_type": 1,  # mean
               "tokenizer.ggml.token_type_count": config["type_vocab_size"],
               "tokenizer.ggml.bos_token_id": CLS, "tokenizer.ggml.cls_token_id": CLS,
               "tokenizer.ggml.seperator_token_id": SEP,  # as the format spells it
               "tokenizer.ggml.unknown_token_id": 100, "tokenizer.ggml.padding_token_id": 0,
               "tokenizer.ggml.mask_token_id": 103}
    entries += [_scalar(key, _UINT32, "I", value) for key, value in numbers.items()]
    return len(entries), b"".join(entries)


def _gguf_names(config):
    """Pairs of (GGUF name, Hugging Face name, whether the matrix takes the file's type)."""
    yield "token_embd.weight", "embeddings.word_embeddings.weight", True
    yield "position_embd.weight", "embeddings.position_embeddings.weight", False
    yield "token_types.weight", "embeddings.token_type_embeddings.weight", False
    norms = [("token_embd_norm", "embeddings.LayerNorm")]
    for layer in range(config["num_hidden_layers"]):
        for gguf, part in _LINEAR.items():
            name = f"encoder.layer.{layer}.{part}"
            yield f"blk.{layer}.{gguf}.weight", f"{name}.weight", True
            yield f"blk.{layer}.{gguf}.bias", f"{name}.bias", False
        norms += [(f"blk.{layer}.{gguf}", f"encoder.layer.{layer}.{part}")
                  for gguf, part in _NORM.items()]
    for gguf, name in norms:
        yield f"{gguf}.weight", f"{name}.weight", False
        yield f"{gguf}.bias", f"{name}.bias", False


def write_gguf(path, folder, kind):
    """Writes the model of `folder` with its matrices in `kind`, a key of GGUF_TYPES."""
    config, tensors = load(folder)
    infos, parts, offset = [], [], 0
    for gguf, name, typed in _gguf_names(config):
        tensor = numpy.ascontiguousarray(tensors[name])
        number, encode = GGUF_TYPES[kind if typed else "F32"]
        data = encode(tensor)
        infos.append(_string(gguf) + struct.pack("<I", tensor.ndim)
                     + struct.pack(f"<{tensor.ndim}Q", *reversed(tensor.shape))
                     + struct.pack("<IQ", number, offset))
        parts.append(data + bytes(-len(data) % _ALIGNMENT))
        offset += len(parts[-1])
    count, metadata = _metadata(config)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(infos), count) + metadata + b"".join(infos)
    temporary = pathlib.Path(path).with_suffix(".tmp")
    with open(temporary, "wb") as file:
        file.write(head + bytes(-len(head) % _ALIGNMENT))
        for part in parts:
            file.write(part)
    temporary.replace(path)
    return pathlib.Path(path)
