"""BERT encoders as ONNX graphs of ONNX Runtime's fused operators.

The graph is what onnxruntime.transformers' optimiser makes of a BERT: EmbedLayerNormalization,
and in each layer Attention, SkipLayerNormalization and BiasGelu around the remaining products.
Mean pooling and L2 normalisation are at its end.
"""

import contextlib
import logging
import sys

import numpy

try:
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    import onnxruntime
    from onnxruntime import quantization
except ImportError as error:
    sys.exit(f"{error.name} is missing: python3 -m venv .venv && "
             ".venv/bin/pip install -r tests/bench/requirements.txt")

_FUSED = "com.microsoft"


class _Graph:
    def __init__(self, config, tensors, flash):
        self._config = config
        self._tensors = tensors
        self._flash = flash
        self._nodes = []
        self._initializers = {}
        self._count = 0

    def _constant(self, name, values):
        self._initializers[name] = numpy_helper.from_array(numpy.ascontiguousarray(values), name)
        return name

    def _weight(self, name):
        return self._constant(name, self._tensors[name])

    def _add(self, kind, inputs, domain="", outputs=1, **attributes):
        self._count += 1
        names = [f"{kind}_{self._count}_{i}" for i in range(outputs)]
        self._nodes.append(helper.make_node(kind, inputs, names, name=f"{kind}_{self._count}",
                                            domain=domain, **attributes))
        return names[0] if outputs == 1 else names

    def _product(self, x, name):
        return self._add("MatMul", [x, self._constant(f"{name}.transposed",
                                                      self._tensors[f"{name}.weight"].T)])

    def _embeddings(self):
        # Every token is of type 0, whose embedding is added to those of the positions beforehand.
        positions = (self._tensors["embeddings.position_embeddings.weight"]
                     + self._tensors["embeddings.token_type_embeddings.weight"][0])
        norm = "embeddings.LayerNorm"
        return self._add(
            "EmbedLayerNormalization",
            ["input_ids", "", self._weight("embeddings.word_embeddings.weight"),
             self._constant("positions", positions), "", self._weight(f"{norm}.weight"),
             self._weight(f"{norm}.bias"), "attention_mask"],
            _FUSED, 2, epsilon=self._config["layer_norm_eps"])

    def _attention(self, x, mask, layer):
        prefix = f"encoder.layer.{layer}.attention.self."
        parts = [prefix + part for part in ("query", "key", "value")]
        weight = self._constant(f"{prefix}qkv", numpy.concatenate(
            [self._tensors[f"{p}.weight"].T for p in parts], axis=1))
        bias = self._constant(f"{prefix}bias", numpy.concatenate(
            [self._tensors[f"{p}.bias"] for p in parts]))
        heads = self._config["num_attention_heads"]
        if not self._flash:
            return self._add("Attention", [x, weight, bias, mask], _FUSED, num_heads=heads)
        qkv = self._add("Split", [self._add("MatMul", [x, weight])], outputs=3, axis=-1,
                        num_outputs=3)
        return self._add("MultiHeadAttention", [*qkv, bias], _FUSED, num_heads=heads)

    def _skip(self, x, residual, norm, bias):
        return self._add("SkipLayerNormalization",
                         [x, residual, self._weight(f"{norm}.weight"),
                          self._weight(f"{norm}.bias"), self._weight(bias)],
                         _FUSED, epsilon=self._config["layer_norm_eps"])

    def _layer(self, x, mask, layer):
        prefix = f"encoder.layer.{layer}."
        mixed = self._product(self._attention(x, mask, layer), f"{prefix}attention.output.dense")
        x = self._skip(mixed, x, f"{prefix}attention.output.LayerNorm",
                       f"{prefix}attention.output.dense.bias")
        inner = self._product(x, f"{prefix}intermediate.dense")
        inner = self._add("BiasGelu", [inner, self._weight(f"{prefix}intermediate.dense.bias")],
                          _FUSED)
        return self._skip(self._product(inner, f"{prefix}output.dense"), x,
                          f"{prefix}output.LayerNorm", f"{prefix}output.dense.bias")

    def _pooled(self, x):
        # Where texts are padded, the sum takes only their own tokens; the norm makes it the mean's.
        axis = self._constant("axis", numpy.array([1], numpy.int64))
        mask = self._add("Unsqueeze", [self._add("Cast", ["attention_mask"],
                                                 to=TensorProto.FLOAT), axis])
        total = self._add("Squeeze", [self._add("MatMul", [mask, x]), axis])
        return self._add("LpNormalization", [total], axis=-1, p=2)

    def model(self):
        x, mask = self._embeddings()
        for layer in range(self._config["num_hidden_layers"]):
            x = self._layer(x, mask, layer)
        self._nodes.append(helper.make_node("Identity", [self._pooled(x)], ["vectors"]))
        inputs = [helper.make_tensor_value_info(name, TensorProto.INT32, ["batch", "tokens"])
                  for name in ("input_ids", "attention_mask")]
        output = helper.make_tensor_value_info("vectors", TensorProto.FLOAT,
                                               ["batch", self._config["hidden_size"]])
        graph = helper.make_graph(self._nodes, "bert", inputs, [output],
                                  list(self._initializers.values()))
        return helper.make_model(graph, ir_version=9, opset_imports=[
            helper.make_opsetid("", 18), helper.make_opsetid(_FUSED, 1)])


def write_fp32(path, config, tensors, flash=False):
    """Writes the graph. With `flash` its attention is MultiHeadAttention without a mask, which ONNX
    Runtime computes by flash attention: only for batches of equal lengths."""
    onnx.save(_Graph(config, tensors, flash).model(), str(path))


@contextlib.contextmanager
def _without_warnings():
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


def write_int8(path, fp32, per_channel):
    """Writes the dynamic quantisation of a graph of `write_fp32`."""
    # The types of the fused operators' outputs are not inferred, of which every one is warned.
    with _without_warnings():
        quantization.quantize_dynamic(str(fp32), str(path), per_channel=per_channel,
                                      weight_type=quantization.QuantType.QInt8,
                                      extra_options={"DefaultTensorType": TensorProto.FLOAT})


def session(path, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def feed(names, texts):
    """The inputs of a batch of texts, padded to the longest."""
    length = max(map(len, texts))
    ids = numpy.zeros((len(texts), length), numpy.int64)
    mask = numpy.zeros_like(ids)
    for row, text in enumerate(texts):
        ids[row, :len(text)] = text
        mask[row, :len(text)] = 1
    every = {"input_ids": ids, "attention_mask": mask, "token_type_ids": numpy.zeros_like(ids)}
    return {name: every[name].astype(kind) for name, kind in names.items()}


def inputs(session_):
    """The inputs' names and types."""
    kinds = {"tensor(int32)": numpy.int32, "tensor(int64)": numpy.int64}
    return {i.name: kinds[i.type] for i in session_.get_inputs()}


VERSION = onnxruntime.__version__
