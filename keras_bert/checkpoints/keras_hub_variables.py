"""Where KerasHub's BERT keeps its weights."""

from typing import Any

from keras_bert import keras_internals


def head_variables(classifier: Any) -> dict[str, Any]:
    """Returns the variables of a `BertTextClassifier`'s head by their published names."""
    dense = classifier.output_dense
    return {"output_weights": dense.kernel, "output_bias": dense.bias}


def backbone_variables(backbone: Any) -> dict[str, Any]:
    """Returns the variables of a `BertBackbone` by their published names."""
    embeddings = "bert/embeddings"
    variables = {
        f"{embeddings}/word_embeddings": backbone.token_embedding.embeddings,
        f"{embeddings}/position_embeddings": backbone.position_embedding.position_embeddings,
        f"{embeddings}/token_type_embeddings": backbone.segment_embedding.embeddings,
        **_layer_norm(embeddings, backbone.embeddings_layer_norm),
        **_dense("bert/pooler/dense", backbone.pooled_dense),
    }
    for index, layer in enumerate(backbone.transformer_layers):
        name, parts = f"bert/encoder/layer_{index}", keras_internals.hub_block(layer)
        attention = parts.attention
        variables |= {
            **_dense(f"{name}/attention/self/query", attention.query_dense),
            **_dense(f"{name}/attention/self/key", attention.key_dense),
            **_dense(f"{name}/attention/self/value", attention.value_dense),
            **_dense(f"{name}/attention/output/dense", attention.output_dense),
            **_layer_norm(f"{name}/attention/output", parts.attention_layer_norm),
            **_dense(f"{name}/intermediate/dense", parts.intermediate_dense),
            **_dense(f"{name}/output/dense", parts.output_dense),
            **_layer_norm(f"{name}/output", parts.layer_norm),
        }
    return variables


def _dense(name: str, layer: Any) -> dict[str, Any]:
    return {f"{name}/kernel": layer.kernel, f"{name}/bias": layer.bias}


def _layer_norm(name: str, layer: Any) -> dict[str, Any]:
    return {f"{name}/LayerNorm/gamma": layer.gamma, f"{name}/LayerNorm/beta": layer.beta}
