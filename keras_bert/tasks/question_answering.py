"""Extractive question answering: the answer is a span of the context."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_bert.errors import InputError
from keras_bert.models.span_predictor import BertSpanPredictor
from keras_bert.tasks.answer_spans import (
    best_spans,
    character_offsets,
    has_most_context,
    span_targets,
)
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

    def encode(self, examples: Examples) -> Rows:
        contexts = [text.encode() for text in examples.columns["context"]]
        questions = [text.encode() for text in examples.columns["question"]]
        windows = self._windows(tf.constant(contexts, tf.string), tf.constant(questions, tf.string))
        example, index = windows["example"].numpy(), windows["context_index"].numpy()
        starts, ends = (
            character_offsets(contexts, example, windows[name].numpy())
            for name in ("context_start", "context_end")
        )
        features = unpadded(windows)
        lengths = features["token_ids"].row_lengths()
        maps = {"start": starts, "end": ends, "may_start": has_most_context(example, index)}
        targets = None
        if examples.targets is not None:
            places = np.array([_place(answers) for answers in examples.targets]).reshape(-1, 2)
            first, last = span_targets(places, example, index, starts, ends)
            targets = {"start_logits": tf.constant(first), "end_logits": tf.constant(last)}
        return Rows(
            features,
            example=example,
            sequence_length=self.sequence_length,
            pad_id=self.tokenizer.vocabulary.pad_id,
            targets=targets,
            maps={
                name: tf.RaggedTensor.from_tensor(array, lengths=lengths)
                for name, array in maps.items()
            },
        )

    def decode(self, examples, rows, outputs):
        answers = []
        for first in range(0, len(examples), _CHUNK):
            part = examples.part(first, first + _CHUNK)
            low, high = np.searchsorted(rows.example, [first, first + len(part)])
            logits = {name: _padded(arrays[low:high]) for name, arrays in outputs.items()}
            maps = {name: ragged[low:high] for name, ragged in rows.maps.items()}
            found = self._candidates(rows.example[low:high] - first, maps, logits)
            for context, candidates in zip(part.columns["context"], found, strict=True):
                answers.append(self._answer(context, candidates))
        return answers

    def _candidates(self, example, maps, logits) -> Iterator["_Candidates"]:
        """What may answer each of some examples, the best first."""
        starts, ends = maps["start"].to_tensor(-1).numpy(), maps["end"].to_tensor(-1).numpy()
        spans = best_spans(
            logits["start_logits"],
            logits["end_logits"],
            may_start=maps["may_start"].to_tensor(False).numpy(),
            may_end=starts >= 0,
            n_best=self.options["n_best"],
            longest=self.options["max_answer_length"],
        )
        owner = example[spans.row]
        order = np.lexsort((-spans.score, owner))
        begins, stops, scores = (
            array[order].tolist()
            for array in (
                starts[spans.row, spans.start],
                ends[spans.row, spans.end],
                spans.score,
            )
        )
        count = int(example[-1]) + 1
        splits = np.searchsorted(owner[order], np.arange(count + 1))
        # The window that speaks least for no answer decides: (rows,) -> (examples,)
        null = logits["start_logits"][:, 0].astype(np.float64) + logits["end_logits"][:, 0]
        null = np.minimum.reduceat(null, np.searchsorted(example, np.arange(count)))
        for low, high, score in zip(splits[:-1], splits[1:], null.tolist(), strict=True):
            yield _Candidates(begins[low:high], stops[low:high], scores[low:high], score)

    def _answer(self, context: str, candidates: "_Candidates") -> dict[str, Any]:
        """Chooses among the candidates, of which those of the same text count once."""
        top: list[dict[str, Any]] = []
        size = self.options["n_best"]
        empty = {"answer": "", "start": 0, "end": 0, "score": 0.0}
        # None once it has its place.
        null = {**empty, "score": candidates.null_score} if self.options["unanswerable"] else None
        seen = set()
        for start, end, score in zip(*candidates[:3], strict=True):
            if null and null["score"] > score:
                top.append(null)
                null = None
            if len(top) >= size:
                break
            text = context[start:end]
            if text not in seen:
                seen.add(text)
                top.append({"answer": text, "start": start, "end": end, "score": score})
        if null:
            top.append(null)
        best = next((entry for entry in top if entry["answer"]), None)
        difference = round(candidates.null_score - (best["score"] if best else 0.0), 6)
        answer = best or empty
        if self.options["unanswerable"] and (
            best is None or difference > self.options["null_threshold"]
        ):
            answer = next(entry for entry in top if not entry["answer"])
        # The entries now tell probabilities; `answer` is one of them.
        scores = np.array([entry["score"] for entry in top])
        shares = np.exp(scores - scores.max(initial=-np.inf))
        for entry, share in zip(top, shares / shares.sum(), strict=True):
            entry["score"] = round(float(share), 6)
        return {**answer, "no_answer_score": difference, "top": top}

    def loss(self):
        return {"start_logits": half_cross_entropy, "end_logits": half_cross_entropy}

    def metrics(self):
        return {
            name: keras.metrics.SparseCategoricalAccuracy(name="accuracy")
            for name in ("start_logits", "end_logits")
        }


class _Candidates(NamedTuple):
    """Spans that may answer one question, the best first, and the score of no answer."""

    starts: list[int]
    ends: list[int]
    scores: list[float]
    null_score: float


@keras.saving.register_keras_serializable("keras_bert")
def half_cross_entropy(targets, logits):
    """Returns the share of the start, or of the end, in the loss of each row, their mean."""
    return 0.5 * keras.losses.sparse_categorical_crossentropy(targets, logits, from_logits=True)


def _place(answers: list[GoldAnswer]) -> tuple[int, int]:
    """First character and exclusive end of the answer to learn, equal where there is none."""
    if not answers or answers[0].start is None:
        return 0, 0
    return answers[0].start, answers[0].start + len(answers[0].text)


def _padded(arrays: list[np.ndarray]) -> np.ndarray:
    """Rows `(length,)` as one array `(rows, longest)`, with -inf behind their ends."""
    lengths = np.array([len(array) for array in arrays])
    result = np.full((len(arrays), lengths.max()), -np.inf, np.float32)
    # (rows, longest)
    result[np.arange(lengths.max()) < lengths[:, np.newaxis]] = np.concatenate(arrays)
    return result
