"""The tokens that a pre-trained model puts in the place of `[MASK]`."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import tensorflow as tf

from keras_bert.errors import InputError
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.predictor import Predictor
from keras_bert.tasks.rows import Rows, unpadded
from keras_bert.text.preprocessor import BertPreprocessor
from keras_bert.text.ragged import row_ids
from keras_bert.text.vocabulary import MASK

_ARCHITECTURES = {"BertForPreTraining", "BertForMaskedLM"}
_MASKS_AT_A_TIME = 1024
# Characters of a text that an error shows.
_SHOWN = 60


class FillMaskPredictor(Predictor):
    """The most probable tokens for each `[MASK]` of a text, by a model's pre-training head.

    It has no targets and no loss: pre-training makes such models, and no task fine-tunes them.

    Special tokens are recognised in the text where they are written exactly so: `[MASK]`, and with
    it `[SEP]` and the others.

    An answer is `{"masks": [[{"token", "probability", "text"}]]}`: for each `[MASK]` its `top_k`
    tokens, the most probable one first, of equal ones that of the lower id. Each mask is filled on
    its own, the others being masks: `text` has the token in its place, and in those of the other
    masks the most probable token of each. A token that continues a word, such as `##ing`, is
    joined to what stands before.

    Raises:
        InputError: If `top_k` is not an integer from 1 to the size of the vocabulary; from
            `predict`, if a text has no `[MASK]`, or one beyond the end of the row.

    Example:

    ```python
    predictor = FillMaskPredictor(BertPretrainer.from_checkpoint(path), tokenizer, top_k=2)
    predictor.predict(Examples({"text": ["The capital of France is [MASK]."]}))
    # [{"masks": [[{"token": "paris", "probability": .9, "text": "The capital of France is
    # paris."}, ...]]}]
    ```
    """

    name = "fill_mask"
    model_class = BertPretrainer
    forms = (("text",),)
    defaults: ClassVar[Mapping[str, Any]] = {"top_k": 5}

    def __init__(self, model, tokenizer, **options):
        mask = tokenizer.vocabulary.special_tokens[4]
        if mask != MASK:
            raise InputError(f"the mask token must be {MASK} to be filled. Received: {mask!r}")
        tokenizer = tokenizer.with_options(special_tokens_in_text=True)
        super().__init__(model, tokenizer, **options)
        self.preprocessor = BertPreprocessor(tokenizer, self.sequence_length, padding="longest")

    def set_options(self, **options):
        super().set_options(**options)
        top_k, size = self.options["top_k"], len(self.tokenizer.vocabulary)
        if type(top_k) is not int or not 1 <= top_k <= size:
            raise InputError(
                f"`top_k` must be an integer from 1 to {size}, the size of the vocabulary. "
                f"Received: top_k={top_k!r}"
            )

    @classmethod
    def describes(cls, settings):
        return not _ARCHITECTURES.isdisjoint(settings.get("architectures") or [])

    def rows(self, examples: Examples) -> Rows:
        """Tokenizes any number of examples.

        Raises:
            InputError: If a text has no `[MASK]`, or one beyond the end of the row.
        """
        rows = super().rows(examples)
        found = tf.reduce_sum(tf.cast(rows.features["token_ids"] == rows.mask_id, tf.int32), axis=1)
        for index, (text, kept) in enumerate(
            zip(examples.columns["text"], found.numpy(), strict=True)
        ):
            written = text.count(MASK)
            if written == kept > 0:
                continue
            rule = f"a text must hold at least one {MASK}"
            if written:
                rule = (
                    f"each {MASK} must be among the first {self.sequence_length - 2} tokens, which "
                    f"is what the model takes; {written - kept} of {written} are not"
                )
            place = examples.ids[index] if examples.ids else f"example {index}"
            raise InputError(f"{place}: {rule}. Received: {text[:_SHOWN]!r}")
        return rows

    def encode(self, examples: Examples) -> Rows:
        return MaskedRows(
            unpadded(self.preprocessor(tf.constant(examples.columns["text"], tf.string))),
            example=np.arange(len(examples)),
            sequence_length=self.sequence_length,
            pad_id=self.tokenizer.vocabulary.pad_id,
            mask_id=self.tokenizer.vocabulary.mask_id,
        )

    def forward(self, rows, *, batch_size=32):
        # Memory holds a number for each token of the vocabulary at each mask.
        ids = rows.features["token_ids"]
        masks = np.bincount(row_ids(ids).numpy()[ids.values.numpy() == rows.mask_id], minlength=1)
        batch_size = min(batch_size, max(1, _MASKS_AT_A_TIME // max(1, masks.max())))
        return super().forward(rows, batch_size=batch_size)

    def summarize(self, outputs):
        size = len(self.tokenizer.vocabulary)
        return most_probable(outputs["masked_lm_logits"], self.options["top_k"], num_tokens=size)

    def decode(self, examples, rows, outputs):
        names = self.tokenizer.vocabulary.tokens
        answers = []
        for text, ids, shares in zip(
            examples.columns["text"], outputs["token_ids"], outputs["probabilities"], strict=True
        ):
            # The row may have places for more masks than the text has: (masks, top_k)
            tokens = [[names[i] for i in row] for row in ids[: text.count(MASK)]]
            best = [row[0] for row in tokens]
            masks = []
            for place, row in enumerate(tokens):
                texts = [fill(text, [*best[:place], token, *best[place + 1 :]]) for token in row]
                masks.append(
                    [
                        {"token": token, "probability": round(float(share), 6), "text": filled}
                        for token, share, filled in zip(row, shares[place], texts, strict=True)
                    ]
                )
            answers.append({"masks": masks})
        return answers

    def loss(self):
        raise InputError(
            f"{self.name} is for prediction only; `python -m keras_bert pretrain` trains its model"
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class MaskedRows(Rows):
    """`Rows` whose inputs say where the masks are.

    Args:
        mask_id: int. `[MASK]`.
    """

    mask_id: int

    def inputs(self, indices: Any) -> dict[str, tf.Tensor]:
        """Returns the inputs of `Rows` with `masked_positions`, int32 `(batch, predictions)`."""
        inputs = super().inputs(indices)
        positions = masked_positions(inputs["token_ids"], self.mask_id)
        return {**inputs, "masked_positions": positions.to_tensor(0)}


def masked_positions(token_ids: tf.Tensor, mask_id: int) -> tf.RaggedTensor:
    """Returns where `[MASK]` stands in each row.

    Args:
        token_ids: int32 `(batch, length)`.
        mask_id: int.

    Returns:
        int32 `(batch, (masks))`, ascending. The product with the vocabulary is done for these
        positions alone, see `MaskedLMHead`.

    Example:

    ```python
    masked_positions(preprocessor(["one [MASK]"])["token_ids"], vocabulary.mask_id)     # [[2]]
    ```
    """
    places = tf.where(token_ids == mask_id)  # (all masks, 2)
    return tf.RaggedTensor.from_value_rowids(
        tf.cast(places[:, 1], tf.int32),
        places[:, 0],
        nrows=tf.shape(token_ids, tf.int64)[0],
        validate=False,
    )


def most_probable(
    logits: tf.Tensor, top_k: int, *, num_tokens: int | None = None
) -> dict[str, tf.Tensor]:
    """Returns the most probable tokens, of equal ones those of the lower ids.

    Args:
        logits: float32 `(batch, predictions, vocabulary_size)`.
        top_k: int. How many.
        num_tokens: int or None. Tokens of the vocabulary, where the table is padded and has more
            rows: these are never an answer.

    Returns:
        `token_ids`, int32, and `probabilities`, float32, `(batch, predictions, top_k)`.
    """
    highest, ids = tf.math.top_k(logits[..., :num_tokens], k=top_k)
    total = tf.reduce_logsumexp(logits, axis=-1, keepdims=True)
    return {"token_ids": ids, "probabilities": tf.exp(highest - total)}


def fill(text: str, tokens: Sequence[str]) -> str:
    """Puts tokens in the places of `[MASK]`.

    Args:
        text: str.
        tokens: One for each mask; WordPieces with `##` are joined to what stands before.

    Example:

    ```python
    fill("He is [MASK] [MASK].", ["play", "##ing"])     # "He is playing."
    ```
    """
    filled, *parts = text.split(MASK)
    for token, part in zip(tokens, parts, strict=True):
        if token.startswith("##"):
            token = token[2:]
            # Spaces at the beginning of the text have no word before them.
            filled = filled.rstrip() or filled
        filled += token + part
    return filled
