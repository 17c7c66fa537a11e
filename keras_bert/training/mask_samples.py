"""Samples of a model filling its own masks, to read in TensorBoard."""

import keras
import numpy as np
import tensorflow as tf

from keras_bert.text.vocabulary import Vocabulary
from keras_bert.training.summary_writer import is_due, points_at, steps_done

SAMPLES = 4
# What Markdown or HTML would read as its own.
_SPECIAL = "\\`*_{}[]()<>#+-.!|~&"
_ESCAPES = str.maketrans({character: f"&#{ord(character)};" for character in _SPECIAL})
_PIECE = "##".translate(_ESCAPES)


class MaskSamples(keras.callbacks.Callback):
    """Writes the same few examples again and again: as they were, masked, and filled by the model.

    Masked tokens are bold; where the model is wrong, the right one follows in brackets. Samples
    come at the end of a Keras epoch, and after the last step. Steps are counted as `steps_done`
    does.

    Args:
        writer: The run's writer, see `summary_writer`.
        batch: tuple. Features, targets and weights as `pretraining_dataset` has them, of which the
            first four examples are taken.
        vocabulary: `Vocabulary`.
        every: int. Training steps between two samples, at least.
        log_steps: int. Steps of a Keras epoch.
        total_steps: int. Steps of the whole run.
    """

    def __init__(
        self,
        writer: tf.summary.SummaryWriter,
        batch: tuple[dict, dict, dict],
        vocabulary: Vocabulary,
        *,
        every: int,
        log_steps: int,
        total_steps: int,
    ):
        super().__init__()
        features, targets, weights = batch
        self._writer = writer
        self._features = {name: tf.constant(rows[:SAMPLES]) for name, rows in features.items()}
        self._right = np.asarray(targets["masked_lm_logits"])[:SAMPLES]
        self._used = np.asarray(weights["masked_lm_logits"])[:SAMPLES] > 0
        self._vocabulary = vocabulary
        self._every = every
        self._log_steps = log_steps
        self._total_steps = total_steps

    def on_train_begin(self, logs=None):
        # A padded table has more rows than there are tokens.
        size = len(self._vocabulary)
        self._fill = tf.function(
            lambda features: tf.argmax(
                self.model(features, training=False)["masked_lm_logits"][..., :size], axis=-1
            )
        )

    def on_epoch_end(self, epoch, logs=None):
        step = steps_done(self.model)
        if step < self._total_steps and not is_due(step, self._every, self._log_steps):
            return
        texts = self.markdown()
        with points_at(self._writer, step):
            tf.summary.text("masks filled by the model", texts)

    def markdown(self) -> list[str]:
        """Returns one text for each example."""
        filled = self._fill(self._features).numpy()
        rows = zip(
            self._features["token_ids"].numpy(),
            self._features["masked_positions"].numpy(),
            self._right,
            filled,
            self._used,
            strict=True,
        )
        return [self._example(*row) for row in rows]

    def _example(self, masked, positions, right, filled, used) -> str:
        positions, right, filled = positions[used], right[used], filled[used]
        original = masked.copy()
        original[positions] = right
        bold = {place: f"**{self._text(original[place])}**" for place in positions}
        seen = {place: f"**{self._text(masked[place])}**" for place in positions}
        answers = {}
        for place, answer, truth in zip(positions, filled, right, strict=True):
            answers[place] = f"**{self._text(answer)}**"
            if answer != truth:
                answers[place] += f" *({self._text(truth)})*"
        lines = [f"{(filled == right).sum()} of {len(right)} right", ""]
        for name, ids, marked in (
            ("original", original, bold),
            ("masked", masked, seen),
            ("filled", original, answers),
        ):
            lines.append(f"* {name}: {self._line(ids, marked)}")
        return "\n".join(lines)

    def _line(self, ids: np.ndarray, marked: dict[int, str]) -> str:
        line = ""
        for place, token_id in enumerate(ids):
            if token_id == self._vocabulary.pad_id and place not in marked:
                continue
            if place in marked:
                line += f" {marked[place]}"  # A piece keeps its ##, to be told from a word.
            elif self._vocabulary.tokens[token_id].startswith("##"):
                line += self._text(token_id).removeprefix(_PIECE)
            else:
                line += f" {self._text(token_id)}"
        return line.strip()

    def _text(self, token_id: int) -> str:
        return self._vocabulary.tokens[token_id].translate(_ESCAPES)
