"""BERT for vectors of texts, and for the similarity of pairs."""

import os
from typing import Any

import keras
from keras import ops

from keras_bert.checkpoints import sentence_transformers
from keras_bert.checkpoints.checkpoint import Checkpoint
from keras_bert.checkpoints.published import PublishedTensor, encoder_tensors
from keras_bert.config import BertConfig
from keras_bert.errors import InputError
from keras_bert.layers.pooling import POOLINGS, pool, unit_length
from keras_bert.models.task_model import TaskModel, rows_of_texts


@keras.saving.register_keras_serializable("keras_bert")
class BertEmbedder(TaskModel):
    """The encoder with one vector for each text, made of those of its tokens.

    Pairs give the cosine of their two vectors, so that losses and metrics of Keras train the
    encoder on scores of similarity.

    A checkpoint says in sentence-transformers' files how the vectors are made; that library opens
    what `save_checkpoint` writes.

    Args:
        config: `BertConfig`.
        pooling: str. `"mean"` of the real tokens, their `"max"`, or `"cls"`, the first token.
        normalize: bool. Divide vectors by their length, so that dot products are cosines.
        unpadding: bool or None. See `BertEncoder`.

    Call arguments:
        inputs: the encoder's dictionary, each tensor `(batch, length)`, or `(batch, 2, length)`
            for pairs of texts.
        training: bool.

    Returns:
        Vectors, float32 `(batch, hidden_dim)`; for pairs their cosines, float32 `(batch, 1)`.

    Raises:
        InputError: If there is no such pooling.

    Example:

    ```python
    embedder = BertEmbedder.from_checkpoint("all-MiniLM-L6-v2")
    embedder(preprocessor(["some text", "another"]))            # (2, 384)
    embedder(preprocessor([["some text", "another"]]))          # (1, 1)
    embedder.compile("adam", keras.losses.MeanSquaredError())
    embedder.fit(dataset)       # batches of (features of pairs, similarity of shape (batch, 1))
    ```

    References:
        - Reimers & Gurevych 2019, arXiv:1908.10084.
    """

    architecture = "BertModel"
    input_ranks = (2, 3)
    needs_padding_mask = True

    def __init__(
        self,
        config: BertConfig,
        *,
        pooling: str = "mean",
        normalize: bool = True,
        unpadding: bool | None = None,
        **kwargs: Any,
    ):
        if pooling not in POOLINGS:
            raise InputError(
                f"`pooling` must be one of {', '.join(POOLINGS)}. Received: pooling={pooling!r}"
            )
        super().__init__(config, unpadding=unpadding, pooler=False, **kwargs)
        self.pooling = pooling
        self.normalize = normalize
        self._build_weights()

    def call(self, inputs, training=None):
        if len(inputs["padding_mask"].shape) == 2:
            vectors = self._vectors(inputs, training)
            return unit_length(vectors) if self.normalize else vectors
        rows, (batch, texts) = rows_of_texts(inputs)
        if isinstance(texts, int) and texts != 2:
            raise InputError(f"`inputs` must have one text or two. Received: {texts} texts")
        vectors = unit_length(self._vectors(rows, training))
        # (batch * 2, hidden) -> (batch, 2, hidden)
        vectors = ops.reshape(vectors, (batch, 2, self.config.hidden_dim))
        return ops.sum(vectors[:, 0] * vectors[:, 1], axis=-1, keepdims=True)

    def _vectors(self, inputs, training):
        tokens = self.encoder(inputs, training=training)["sequence_output"]
        return pool(tokens, inputs["padding_mask"], self.pooling)

    @classmethod
    def from_checkpoint(cls, path: str | os.PathLike | Checkpoint, **kwargs: Any) -> "BertEmbedder":
        """Builds the model from a checkpoint and loads its weights, see `BertModel`.

        `pooling` and `normalize` are those of the checkpoint where it has sentence-transformers'
        files and nothing else is said.
        """
        settings = {} if isinstance(path, Checkpoint) else sentence_transformers.read(path)
        return super().from_checkpoint(path, **{**settings, **kwargs})

    def save_checkpoint(self, directory, *, tokenizer=None):
        sentence_transformers.write(
            directory,
            pooling=self.pooling,
            normalize=self.normalize,
            hidden_dim=self.config.hidden_dim,
        )
        super().save_checkpoint(directory, tokenizer=tokenizer)

    def published_tensors(self) -> list[PublishedTensor]:
        return encoder_tensors(self.encoder)

    def get_config(self):
        return {**super().get_config(), "pooling": self.pooling, "normalize": self.normalize}
