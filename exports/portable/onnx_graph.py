"""BERT's network in ONNX's operators."""

from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from keras_bert.checkpoints.checkpoint import Checkpoint
from keras_bert.models.base import BertModel

# Added to scores that nobody may look at; two of them do not overflow.
_BLOCKED = -1.7e38


class OnnxGraph:
    """A graph that grows by calls: `graph("Add", a, b)` returns the name of the sum.

    Activations, LayerNorm and residual sums have the form that ONNX Runtime fuses. Weights get
    their published names; those that nothing asks for are left out.

    Args:
        model: `BertModel`. Its weights and its shape.

    Attributes:
        nodes: list of `onnx.NodeProto`.
        weights: list of `onnx.TensorProto`.
        hints: list of `onnx.ValueInfoProto`, shapes that ONNX cannot infer.

    References:
        - https://onnx.ai/onnx/operators
    """

    def __init__(self, model: BertModel):
        self.config = model.config
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self.hints: list[Any] = []
        self._arrays = Checkpoint.of(model).arrays
        self._constants: dict[tuple, str] = {}

    def __call__(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        names = [f"{operator}_{len(self.nodes)}_{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(operator, inputs, names, names[0], **attributes))
        return names[0] if outputs == 1 else names

    def integers(self, *values: int) -> str:
        """A constant, int64 `(len(values),)`."""
        return self._constant(np.array(values, "int64"))

    def number(self, value: float) -> str:
        """A constant, float32 `()`."""
        return self._constant(np.array(value, "float32"))

    def weight(self, name: str) -> str:
        """A published tensor."""
        if name in self._arrays:
            array = self._arrays.pop(name)
            self.weights.append(numpy_helper.from_array(np.asarray(array, "float32"), name))
        return name

    def dense(self, hidden: str, name: str) -> str:
        product = self("MatMul", hidden, self.weight(f"{name}/kernel"))
        return self("Add", product, self.weight(f"{name}/bias"))

    def head(self, hidden: str, prefix: str = "") -> str:
        product = self("MatMul", hidden, self.weight(f"{prefix}output_weights"))
        return self("Add", product, self.weight(f"{prefix}output_bias"))

    def layer_norm(self, hidden: str, name: str) -> str:
        gamma, beta = (self.weight(f"{name}/LayerNorm/{part}") for part in ("gamma", "beta"))
        epsilon = self.config.layer_norm_epsilon
        return self("LayerNormalization", hidden, gamma, beta, axis=-1, epsilon=epsilon)

    def activate(self, hidden: str) -> str:
        if self.config.activation == "relu":
            return self("Relu", hidden)
        approximate = "tanh" if self.config.activation == "gelu_tanh" else "none"
        return self("Gelu", hidden, approximate=approximate)

    def first(self, tokens: str) -> str:
        """`(rows, length, hidden)` to `(rows, hidden)` of `[CLS]`."""
        return self("Gather", tokens, self._constant(np.array(0)), axis=1)

    def pooled(self, tokens: str) -> str:
        """The pooler's output, `(rows, hidden)`."""
        return self("Tanh", self.dense(self.first(tokens), "bert/pooler/dense"))

    def encoder(
        self, token_ids: str, segment_ids: str, padding_mask: str, *, rows: str = "batch"
    ) -> str:
        """Hidden states, `(rows, length, hidden)`, of inputs `(rows, length)`.

        `rows` is how the graph calls the first size of the inputs.
        """
        embedded = self._embedded(token_ids, segment_ids)
        # (rows, key) -> (rows, 1, 1, key), the same for every head and query
        mask = self("Unsqueeze", padding_mask, self.integers(1, 2))
        mask = self("Cast", mask, to=TensorProto.BOOL)
        blocked = self("Where", mask, self.number(0), self.number(_BLOCKED))
        # ONNX Runtime fuses residual sums only where it knows that both have one shape.
        for value, shape in (
            (embedded, [rows, "length", self.config.hidden_dim]),
            (blocked, [rows, 1, 1, "length"]),
        ):
            self.hints.append(helper.make_tensor_value_info(value, TensorProto.FLOAT, shape))
        hidden = self.layer_norm(embedded, "bert/embeddings")
        for index in range(self.config.num_layers):
            name = f"bert/encoder/layer_{index}"
            attended = self._attention(hidden, blocked, f"{name}/attention/self")
            attended = self.dense(attended, f"{name}/attention/output/dense")
            hidden = self.layer_norm(self("Add", attended, hidden), f"{name}/attention/output")
            inner = self.activate(self.dense(hidden, f"{name}/intermediate/dense"))
            output = self.dense(inner, f"{name}/output/dense")
            hidden = self.layer_norm(self("Add", output, hidden), f"{name}/output")
        return hidden

    def _embedded(self, token_ids: str, segment_ids: str) -> str:
        table = "bert/embeddings/{}_embeddings".format
        tokens = self("Gather", self.weight(table("word")), token_ids)
        segments = self("Gather", self.weight(table("token_type")), segment_ids)
        start, length = self.integers(0), self("Shape", token_ids, start=1)
        positions = self("Slice", self.weight(table("position")), start, length, start)
        return self("Add", self("Add", tokens, segments), positions)

    def _attention(self, hidden: str, blocked: str, name: str) -> str:
        heads, width = self.config.num_heads, self.config.hidden_dim

        def split(role, order):
            # (rows, length, hidden) -> (rows, length, heads, head)
            shape = self.integers(0, 0, heads, width // heads)
            part = self("Reshape", self.dense(hidden, f"{name}/{role}"), shape)
            return self("Transpose", part, perm=order)

        # (rows, heads, length, head), and keys (rows, heads, head, length)
        query, value = split("query", [0, 2, 1, 3]), split("value", [0, 2, 1, 3])
        key = split("key", [0, 2, 3, 1])
        scores = self("Mul", self("MatMul", query, key), self.number((width // heads) ** -0.5))
        weights = self("Softmax", self("Add", scores, blocked), axis=-1)
        # (rows, heads, length, head) -> (rows, length, heads, head) -> (rows, length, hidden)
        context = self("Transpose", self("MatMul", weights, value), perm=[0, 2, 1, 3])
        return self("Reshape", context, self.integers(0, 0, width))

    def _constant(self, array: np.ndarray) -> str:
        key = (array.dtype.name, array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = f"constant_{len(self._constants)}"
            self.weights.append(numpy_helper.from_array(array, self._constants[key]))
        return self._constants[key]
