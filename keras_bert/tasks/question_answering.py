"""Extractive question answering: the answer is a span of the context."""

import functools
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_bert.errors import InputError
from keras_bert.models.span_predictor import BertSpanPredictor
from keras_bert.tasks.answer_choice import ANSWER_INPUTS, choose_answers
from keras_bert.tasks.answer_spans import has_most_context, span_targets
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.predictor import Predictor
from keras_bert.tasks.rows import Rows, unpadded
from keras_bert.text.windows import SlidingWindows

# Examples whose spans are compared at a time.
_CHUNK = 512


class GoldAnswer(NamedTuple):
    """A right answer.

    Args:
        text: str.
        start: int or None. Its first character in the context; None where it is unknown.
    """

    text: str
    start: int | None


class QuestionAnsweringPredictor(Predictor):
    """Answers questions with spans of a context of any length.

    A context that is too long for one row becomes several overlapping windows. Targets are lists of
    `GoldAnswer`; the first one is learned, and an empty list says that there is no answer. The
    target of a window is `[CLS]` where it does not hold all of the answer.

    An answer is

    - `answer`: the text, or `""`; `start`, `end`: its characters, `context[start:end]`;
    - `score`: its probability among those in `top`;
    - `no_answer_score`: how far the score of no answer lies above that of the best span;
    - `top`: the best spans with different texts, each with `answer`, `start`, `end` and `score`.
      Where questions may be unanswerable, `""` is among them.

    Args:
        model: `BertSpanPredictor`.
        tokenizer: `BertTokenizer`.
        stride: int. Tokens from one window's start to the next one's.
        query_length: int. Tokens of the question that are kept.
        max_answer_length: int. Tokens of the longest answer.
        n_best: int. Starts and ends of each window that are compared, and answers that are told.
        unanswerable: bool. Whether a question may have no answer.
        null_threshold: float. There is no answer where `no_answer_score` is above it.

    Raises:
        InputError: If an option is out of its range, or a row has no room for the question.

    References:
        - Devlin et al. 2019, arXiv:1810.04805, sections 4.2 and 4.3; `run_squad.py` of
          google-research/bert.
    """

    name = "question_answering"
    model_class = BertSpanPredictor
    forms = (("question", "context"),)
    defaults: ClassVar[Mapping[str, Any]] = {
        "stride": 128,
        "query_length": 64,
        "max_answer_length": 30,
        "n_best": 20,
        "unanswerable": False,
        "null_threshold": 0.0,
    }
    default_sequence_length = 384
    has_token_outputs = True

    def set_options(self, **options):
        super().set_options(**options)
        values = self.options
        # Without an answer there must be a place for the best span beside the empty one.
        least = {"max_answer_length": 1, "n_best": 2 if values["unanswerable"] else 1}
        for name, minimum in least.items():
            if type(values[name]) is not int or values[name] < minimum:
                raise InputError(
                    f"`{name}` must be an integer of at least {minimum}. "
                    f"Received: {name}={values[name]!r}"
                )
        self._windows = SlidingWindows(
            self.tokenizer,
            self.sequence_length,
            stride=values["stride"],
            query_length=values["query_length"],
        )
        self._choose = tf.function(
            functools.partial(
                choose_answers,
                n_best=values["n_best"],
                longest=values["max_answer_length"],
                null_threshold=values["null_threshold"] if values["unanswerable"] else None,
            ),
            input_signature=ANSWER_INPUTS,
        )

    def encode(self, examples: Examples) -> Rows:
        contexts, questions = (
            tf.constant(examples.columns[name], tf.string) for name in ("context", "question")
        )
        windows = self._windows(contexts, questions)
        example, index = windows["example"], windows["context_index"]
        features = unpadded(windows)
        lengths = features["token_ids"].row_lengths()
        maps = {name: windows[name] for name in ("context_start", "context_end")}
        maps["may_start"] = has_most_context(example, index)
        targets = None
        if examples.targets is not None:
            pairs = zip(examples.columns["context"], examples.targets, strict=True)
            places = np.array([_place(*pair) for pair in pairs], np.int64).reshape(-1, 2)
            arrays = (example, index, maps["context_start"], maps["context_end"])
            first, last = span_targets(places, *(array.numpy() for array in arrays))
            targets = {"start_logits": tf.constant(first), "end_logits": tf.constant(last)}
        return Rows(
            features,
            example=example.numpy(),
            sequence_length=self.sequence_length,
            pad_id=self.tokenizer.vocabulary.pad_id,
            targets=targets,
            maps={
                name: tf.RaggedTensor.from_tensor(tensor, lengths=lengths)
                for name, tensor in maps.items()
            },
        )

    def decode(self, examples, rows, outputs):
        contexts = examples.encodable().columns["context"]
        answers = []
        for first in range(0, len(contexts), _CHUNK):
            part = contexts[first : first + _CHUNK]
            low, high = np.searchsorted(rows.example, [first, first + len(part)])
            maps = {name: ragged[low:high] for name, ragged in rows.maps.items()}
            chosen = self._choose(
                tf.constant(part, tf.string),
                *(_padded(outputs[name][low:high]) for name in ("start_logits", "end_logits")),
                tf.constant(rows.example[low:high] - first, tf.int32),
                maps["may_start"].to_tensor(False),
                maps["context_start"].to_tensor(-1),
                maps["context_end"].to_tensor(-1),
            )
            answers += _as_dictionaries(chosen)
        return answers

    def loss(self):
        return {"start_logits": half_cross_entropy, "end_logits": half_cross_entropy}

    def metrics(self):
        return {
            name: keras.metrics.SparseCategoricalAccuracy(name="accuracy")
            for name in ("start_logits", "end_logits")
        }


@keras.saving.register_keras_serializable("keras_bert")
def half_cross_entropy(targets, logits):
    """Returns the share of the start, or of the end, in the loss of each row, their mean."""
    return 0.5 * keras.losses.sparse_categorical_crossentropy(targets, logits, from_logits=True)


def _place(context: str, answers: list[GoldAnswer]) -> tuple[int, int]:
    """First byte and exclusive end of the answer to learn, equal where there is none."""
    if not answers or answers[0].start is None:
        return 0, 0
    text, start = answers[0]
    first, last = (len(context[:place].encode()) for place in (start, start + len(text)))
    return first, last


def _padded(arrays: list[np.ndarray]) -> np.ndarray:
    """Rows `(length,)` as one array `(rows, longest)`, with -inf behind their ends."""
    lengths = np.array([len(array) for array in arrays])
    result = np.full((len(arrays), lengths.max()), -np.inf, np.float32)
    # (rows, longest)
    result[np.arange(lengths.max()) < lengths[:, np.newaxis]] = np.concatenate(arrays)
    return result


def _as_dictionaries(chosen: dict[str, Any]) -> list[dict[str, Any]]:
    """The answers of `choose_answers`, each as JSON has it."""
    top = chosen.pop("top")
    size = top["answer"].shape[1]
    entries = _entries({name: tf.reshape(values, [-1]) for name, values in top.items()})
    differences = chosen.pop("no_answer_score").numpy().round(6).tolist()
    counts = top["count"].numpy().tolist()
    return [
        {**answer, "no_answer_score": difference, "top": entries[place : place + count]}
        for answer, difference, place, count in zip(
            _entries(chosen), differences, range(0, len(entries), size), counts, strict=True
        )
    ]


def _entries(fields: dict[str, tf.Tensor]) -> list[dict[str, Any]]:
    columns = [fields[name].numpy() for name in ("answer", "start", "end", "score")]
    columns[-1] = columns[-1].round(6)
    return [
        {"answer": text.decode(), "start": start, "end": end, "score": score}
        for text, start, end, score in zip(*(column.tolist() for column in columns), strict=True)
    ]
