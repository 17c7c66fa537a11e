"""Models as ONNX, built from their published weights: what stands on the encoder."""

import onnx
from onnx import TensorProto, helper

from exports.portable.onnx_graph import OnnxGraph
from keras_bert.models.base import BertModel
from keras_bert.models.classifier import BertClassifier
from keras_bert.models.embedder import BertEmbedder
from keras_bert.models.encoder import BertEncoder
from keras_bert.models.multiple_choice import BertMultipleChoice
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.models.span_predictor import BertSpanPredictor
from keras_bert.models.tagger import BertTagger

# The first with Gelu; ONNX Runtime has it since 1.17.
_OPSET, _IR_VERSION = 20, 9
# Those of the models.
_ABSENT, _LOWEST, _SMALLEST_SQUARE = -1e9, -1e18, 1e-24

# Name of a value in the graph, and its shape.
_Output = tuple[str, list[str | int]]


def onnx_model(model: BertModel) -> onnx.ModelProto:
    """Writes a model as ONNX; batch and length may vary.

    Args:
        model: `BertModel`, but no `BertFeatureTagger`.

    Returns:
        `onnx.ModelProto`. Inputs are those of the model, all of them int32; outputs are those of
        `exports.portable.models.answer`.

    Example:

    ```python
    onnx.save(onnx_model(BertClassifier.from_checkpoint("my-model")), "model.onnx")
    ```
    """
    graph = OnnxGraph(model)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT32, _axes(name, len(tensor.shape)))
        for name, tensor in model.input_signature().items()
    ]
    outputs = []
    for name, (value, shape) in _outputs(graph, model).items():
        graph.nodes.append(helper.make_node("Identity", [value], [name], name))
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    built = helper.make_graph(
        graph.nodes, "bert", inputs, outputs, graph.weights, value_info=graph.hints
    )
    opset = helper.make_opsetid("", _OPSET)
    return helper.make_model(built, opset_imports=[opset], ir_version=_IR_VERSION)


def _axes(name: str, rank: int) -> list[str]:
    last = "predictions" if name == "masked_positions" else "length"
    return ["batch", *["choices"] * (rank - 2), last]


def _outputs(graph: OnnxGraph, model: BertModel) -> dict[str, _Output]:
    if isinstance(model, BertMultipleChoice):
        return {"logits": _choices(graph)}
    tokens = graph.encoder("token_ids", "segment_ids", "padding_mask")
    # (batch, length) -> (batch, length, 1)
    mask = graph("Unsqueeze", "padding_mask", graph.integers(-1))
    is_real = graph("Cast", mask, to=TensorProto.BOOL)
    width = model.config.hidden_dim
    match model:
        case BertEncoder():
            real = graph("Where", is_real, tokens, graph.number(0))
            found: dict[str, _Output] = {"sequence_output": (real, ["batch", "length", width])}
            if model.pooler is not None:
                found["pooled_output"] = (graph.pooled(tokens), ["batch", width])
            return found
        case BertClassifier():
            return {"logits": (graph.head(graph.pooled(tokens)), ["batch", model.num_classes])}
        case BertTagger():
            logits = graph("Where", is_real, graph.head(tokens), graph.number(0))
            return {"logits": (logits, ["batch", "length", model.num_tags])}
        case BertEmbedder():
            return {"embedding": (_vectors(graph, model, tokens, is_real), ["batch", width])}
        case BertSpanPredictor():
            return _span(graph, tokens, is_real)
        case BertPretrainer():
            found = {"masked_lm_logits": _masked_lm(graph, tokens)}
            if model.next_sentence_head is not None:
                logits = graph.head(graph.pooled(tokens), "cls/seq_relationship/")
                found["next_sentence_logits"] = (logits, ["batch", 2])
            return found
    raise TypeError(f"{type(model).__name__} has no ONNX graph")


def _choices(graph: OnnxGraph) -> _Output:
    length = graph("Shape", "token_ids", start=2)
    shape = graph("Concat", graph.integers(-1), length, axis=0)
    # (batch, choices, length) -> (batch * choices, length)
    rows = [graph("Reshape", name, shape) for name in ("token_ids", "segment_ids", "padding_mask")]
    logits = graph.head(graph.pooled(graph.encoder(*rows, rows="batch * choices")))
    # (batch * choices, 1) -> (batch, choices)
    logits = graph("Reshape", logits, graph("Shape", "token_ids", end=2))
    is_there = graph("ReduceMax", "padding_mask", graph.integers(-1), keepdims=0)
    is_there = graph("Cast", is_there, to=TensorProto.BOOL)
    return graph("Where", is_there, logits, graph.number(_ABSENT)), ["batch", "choices"]


def _span(graph: OnnxGraph, tokens: str, is_real: str) -> dict[str, _Output]:
    logits = graph.head(tokens, "cls/squad/")
    logits = graph("Where", is_real, logits, graph.number(_ABSENT))
    # (batch, length, 2) -> (batch, length, 1), twice
    parts = graph("Split", logits, outputs=2, axis=-1, num_outputs=2)
    return {
        # (batch, length, 1) -> (batch, length)
        name: (graph("Squeeze", part, graph.integers(-1)), ["batch", "length"])
        for name, part in zip(("start_logits", "end_logits"), parts, strict=True)
    }


def _vectors(graph: OnnxGraph, model: BertEmbedder, tokens: str, is_real: str) -> str:
    axis, zero = graph.integers(1), graph.number(0)
    count = graph("Cast", is_real, to=TensorProto.FLOAT)
    # (batch, length, 1) -> (batch, 1)
    count = graph("ReduceSum", count, axis, keepdims=0)
    if model.pooling == "mean":
        total = graph("ReduceSum", graph("Where", is_real, tokens, zero), axis, keepdims=0)
        vectors = graph("Div", total, graph("Max", count, graph.number(1)))
    else:
        if model.pooling == "max":
            lowest = graph("Where", is_real, tokens, graph.number(_LOWEST))
            vectors = graph("ReduceMax", lowest, axis, keepdims=0)
        else:
            vectors = graph.first(tokens)
        vectors = graph("Where", graph("Greater", count, zero), vectors, zero)
    if not model.normalize:
        return vectors
    squares = graph("ReduceSumSquare", vectors, graph.integers(-1), keepdims=1)
    squares = graph("Max", squares, graph.number(_SMALLEST_SQUARE))
    return graph("Div", vectors, graph("Sqrt", squares))


def _masked_lm(graph: OnnxGraph, tokens: str) -> _Output:
    size, name = graph.config.vocabulary_size, "cls/predictions/transform"
    places = graph("Cast", "masked_positions", to=TensorProto.INT64)
    places = graph("Unsqueeze", places, graph.integers(-1))
    hidden = graph("GatherND", tokens, places, batch_dims=1)
    # (batch, predictions, hidden) -> (batch * predictions, hidden)
    hidden = graph("Reshape", hidden, graph.integers(-1, graph.config.hidden_dim))
    hidden = graph.layer_norm(graph.activate(graph.dense(hidden, f"{name}/dense")), name)
    table = graph.weight("bert/embeddings/word_embeddings")
    bias = graph.weight("cls/predictions/output_bias")
    logits = graph("Gemm", hidden, table, bias, transB=1)
    shape = graph("Concat", graph("Shape", "masked_positions"), graph.integers(size), axis=0)
    # (batch * predictions, vocabulary) -> (batch, predictions, vocabulary)
    return graph("Reshape", logits, shape), ["batch", "predictions", size]
