"""The names under which BERT's weights are published.

google-research/bert named each tensor; every other format renames or transposes those. Ours hold
queries, keys and values in one kernel, so one variable of a model can answer to several published
tensors, each of them a range of its columns.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from keras_bert.config import BertConfig

# What google-research/bert's models have on the encoder.
HEAD_NAMES = (
    *("bert/pooler/dense/kernel", "bert/pooler/dense/bias"),
    *("cls/predictions/transform/dense/kernel", "cls/predictions/transform/dense/bias"),
    *("cls/predictions/transform/LayerNorm/gamma", "cls/predictions/transform/LayerNorm/beta"),
    "cls/predictions/output_bias",
    *("cls/seq_relationship/output_weights", "cls/seq_relationship/output_bias"),
    *("cls/squad/output_weights", "cls/squad/output_bias"),
    *("output_weights", "output_bias"),
)


class PublishedTensor(NamedTuple):
    """One published tensor and where it lives in a model.

    Args:
        name: str. Google's name, for example `"bert/encoder/layer_0/output/dense/kernel"`.
        variable: The Keras variable that holds it.
        columns: slice. Part of the variable's last axis.
    """

    name: str
    variable: Any
    columns: slice = slice(None)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape in Google's orientation: kernels are (input, output)."""
        *rest, last = self.variable.shape
        return (*rest, len(range(*self.columns.indices(last))))


def _dense(name, layer):
    return [
        PublishedTensor(f"{name}/kernel", layer.kernel),
        PublishedTensor(f"{name}/bias", layer.bias),
    ]


def _layer_norm(name, layer):
    return [
        PublishedTensor(f"{name}/LayerNorm/gamma", layer.gamma),
        PublishedTensor(f"{name}/LayerNorm/beta", layer.beta),
    ]


def _output(prefix, layer):
    # Published as (output, input), unlike every kernel; see the formats.
    return [
        PublishedTensor(f"{prefix}output_weights", layer.kernel),
        PublishedTensor(f"{prefix}output_bias", layer.bias),
    ]


def encoder_tensors(encoder: Any) -> list[PublishedTensor]:
    """Embeddings, blocks and, where there is one, pooler of a `BertEncoder`."""
    embeddings = encoder.embeddings
    tensors = [
        PublishedTensor("bert/embeddings/word_embeddings", embeddings.token_table.embeddings),
        PublishedTensor(
            "bert/embeddings/position_embeddings", embeddings.position_table.embeddings
        ),
        PublishedTensor(
            "bert/embeddings/token_type_embeddings", embeddings.segment_table.embeddings
        ),
        *_layer_norm("bert/embeddings", embeddings.layer_norm),
    ]
    for index, block in enumerate(encoder.blocks):
        name = f"bert/encoder/layer_{index}"
        for part, role in enumerate(("query", "key", "value")):
            width = encoder.config.hidden_dim
            columns = slice(part * width, (part + 1) * width)
            projection = block.attention.query_key_value
            tensors += [
                PublishedTensor(f"{name}/attention/self/{role}/kernel", projection.kernel, columns),
                PublishedTensor(f"{name}/attention/self/{role}/bias", projection.bias, columns),
            ]
        tensors += _dense(f"{name}/attention/output/dense", block.attention.output_dense)
        tensors += _layer_norm(f"{name}/attention/output", block.attention_layer_norm)
        tensors += _dense(f"{name}/intermediate/dense", block.intermediate)
        tensors += _dense(f"{name}/output/dense", block.output_dense)
        tensors += _layer_norm(f"{name}/output", block.output_layer_norm)
    if encoder.pooler is not None:
        tensors += _dense("bert/pooler/dense", encoder.pooler.dense)
    return tensors


def encoder_shapes(config: BertConfig) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Yields name and shape of each tensor of an encoder without its pooler."""
    width, inner = config.hidden_dim, config.intermediate_dim

    def dense(name, inputs, outputs):
        yield f"{name}/kernel", (inputs, outputs)
        yield f"{name}/bias", (outputs,)

    def layer_norm(name):
        yield f"{name}/LayerNorm/gamma", (width,)
        yield f"{name}/LayerNorm/beta", (width,)

    yield "bert/embeddings/word_embeddings", (config.vocabulary_size, width)
    yield "bert/embeddings/position_embeddings", (config.max_sequence_length, width)
    yield "bert/embeddings/token_type_embeddings", (config.num_segments, width)
    yield from layer_norm("bert/embeddings")
    for index in range(config.num_layers):
        name = f"bert/encoder/layer_{index}"
        for role in ("query", "key", "value"):
            yield from dense(f"{name}/attention/self/{role}", width, width)
        yield from dense(f"{name}/attention/output/dense", width, width)
        yield from layer_norm(f"{name}/attention/output")
        yield from dense(f"{name}/intermediate/dense", width, inner)
        yield from dense(f"{name}/output/dense", inner, width)
        yield from layer_norm(f"{name}/output")


def pretraining_tensors(model: Any) -> list[PublishedTensor]:
    """A `BertPretrainer`: the encoder and one head or both."""
    head = model.masked_lm_head
    tensors = [
        *encoder_tensors(model.encoder),
        *_dense("cls/predictions/transform/dense", head.dense),
        *_layer_norm("cls/predictions/transform", head.layer_norm),
        PublishedTensor("cls/predictions/output_bias", head.bias),
    ]
    if model.next_sentence_head is not None:
        tensors += _output("cls/seq_relationship/", model.next_sentence_head.dense)
    return tensors


def classifier_tensors(model: Any) -> list[PublishedTensor]:
    """A `BertClassifier`, `BertTagger` or `BertMultipleChoice`: the encoder and the head."""
    return [*encoder_tensors(model.encoder), *_output("", model.classification_head.dense)]


def span_tensors(model: Any) -> list[PublishedTensor]:
    """A `BertSpanPredictor`: the encoder and the weights of starts and ends."""
    return [*encoder_tensors(model.encoder), *_output("cls/squad/", model.span_head.dense)]


def feature_tagger_tensors(model: Any) -> list[PublishedTensor]:
    """A `BertFeatureTagger`: the encoder, the weights of its layers, the BiLSTM and the head."""
    tensors = classifier_tensors(model)
    if model.combination.mode == "weighted_sum":
        tensors += [
            PublishedTensor("feature_mix/weighting", model.combination.weighting),
            PublishedTensor("feature_mix/factor", model.combination.factor),
        ]
    for index, layer in enumerate(model.lstm_layers):
        for direction, lstm in (
            ("forward", layer.forward_layer),
            ("backward", layer.backward_layer),
        ):
            name = f"feature_lstm/layer_{index}/{direction}"
            tensors += [
                PublishedTensor(f"{name}/kernel", lstm.cell.kernel),
                PublishedTensor(f"{name}/recurrent_kernel", lstm.cell.recurrent_kernel),
                PublishedTensor(f"{name}/bias", lstm.cell.bias),
            ]
    return tensors
