"""What benchmarks compare with."""

import transformers

from keras_bert import BertConfig


def torch_config(config: BertConfig) -> transformers.BertConfig:
    """The same network for transformers."""
    return transformers.BertConfig(
        vocab_size=config.vocabulary_size,
        num_hidden_layers=config.num_layers,
        num_attention_heads=config.num_heads,
        hidden_size=config.hidden_dim,
        intermediate_size=config.intermediate_dim,
        hidden_act="gelu_pytorch_tanh",
    )
