"""SQuAD 1.1 and 2.0: answers to questions about paragraphs of Wikipedia."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from keras_bert.atomic import write_json
from keras_bert.errors import InputError
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.question_answering import GoldAnswer, QuestionAnsweringPredictor
from keras_bert.tasks.squad_files import Question, read_questions
from keras_bert.tasks.squad_metrics import best_thresholds, squad_1_scores, squad_2_scores
from keras_bert.tasks.task import Task

_LOGGER = logging.getLogger(__name__)
_LEFT_OUT, _MOVED = "left out", "moved"
_RULES = {
    _LEFT_OUT: "the answer must be a part of the context, letter by letter",
    _MOVED: "the answer must stand in the context where `answer_start` says",
}
_REASONS = {
    _LEFT_OUT: "their answers are not in their contexts",
    _MOVED: "their answers stand elsewhere in their contexts",
}
_SHOWN = 40


class SquadTask(Task):
    """Questions whose answers are spans of a context.

    `--data` is a directory with `train-v1.1.json` and `dev-v1.1.json`, or those of 2.0, see
    `find_squad_file`; or `tfds:squad/v1.1`, `tfds:squad/v2.0`.

    Of an answer for training, the text decides. Where `answer_start` is off, counts bytes or UTF-16
    units, or is missing, the place of the same text is taken, of several the nearest; a warning
    says how many were moved. Questions for training whose first answer is not in the context,
    letter by letter, are left out, counted and warned of; with `FileFormat.strict` the first one
    that would be moved or left out ends the reading. Answers for scoring need no place, and no
    question is left out there.

    Prediction files are those of `run_squad.py`: for `predictions.json`, which has the answer to
    each id, `nbest_predictions.json` with the best answers and their probabilities; for SQuAD 2.0
    `null_odds.json` too, from which the official script searches a threshold.

    References:
        - Rajpurkar et al. 2016, arXiv:1606.05250.
    """

    family = QuestionAnsweringPredictor
    format_options: ClassVar[tuple[str, ...]] = ("encoding", "strict")
    version: str

    @property
    def unanswerable(self) -> bool:
        """Whether questions may have no answer."""
        return self.options["unanswerable"]

    def read(self, data, split, *, labels=()):
        del labels
        columns: dict[str, list] = {"question": [], "context": []}
        targets: list[list[GoldAnswer] | None] = []
        ids = []
        faults: dict[str, list[tuple[str, str]]] = {_LEFT_OUT: [], _MOVED: []}
        question = None
        for question in read_questions(data, split, self.version, self.file_format):
            answers = self._answers(question, split)
            if split == "train" and (fault := _fault(question, answers, self.unanswerable)):
                rule, received = fault
                if self.file_format.strict:
                    raise InputError(
                        f"{question.place}: {_RULES[rule]}. Received: {received}; without "
                        f"--strict such questions are {rule}"
                    )
                faults[rule].append((question.place, received))
                if rule == _LEFT_OUT:
                    continue
            columns["question"].append(question.question)
            columns["context"].append(question.context)
            ids.append(question.id)
            targets.append(answers)
            if (targets[-1] is None) != (targets[0] is None):
                raise InputError(f"{question.place}: all questions must have answers, or none")
        if question is None:
            raise InputError(f"{data}: the split {split!r} has no questions")
        if not targets:
            (place, received), *others = faults[_LEFT_OUT]
            raise InputError(
                f"{place}: {_RULES[_LEFT_OUT]}. Received: {received}, and no other answer that is "
                f"among {len(others)} more questions"
            )
        _warn(data, faults, len(targets) + len(faults[_LEFT_OUT]))
        return Examples(columns, None if targets[0] is None else targets, ids)

    def _answers(self, question: Question, split: str) -> list[GoldAnswer] | None:
        answers = question.answers
        if answers is None:
            if split in ("test", "train"):
                return None
            raise InputError(f"{question.place}: field 'answers' is missing")
        impossible = question.is_impossible or split != "train"
        if not answers and impossible and not self.unanswerable:
            raise InputError(
                f"{question.place}: {self.name} has an answer to every question; --task "
                "squad-2.0 takes questions without. Received: none"
            )
        return [_located(answer, question.context) for answer in answers]

    def write_predictions(self, path, examples, answers, *, labels=()):
        path = Path(path)
        named = dict(zip(examples.names, answers, strict=True))
        write_json(path, {name: answer["answer"] for name, answer in named.items()})
        best = {
            name: [
                {"text": entry["answer"], "probability": entry["score"]} for entry in answer["top"]
            ]
            for name, answer in named.items()
        }
        write_json(path.with_name(f"nbest_{path.name}"), best)
        if self.unanswerable:
            usual = path.stem == "predictions"
            name = f"null_odds{path.suffix}" if usual else f"null_odds_{path.name}"
            odds = {name: answer["no_answer_score"] for name, answer in named.items()}
            write_json(path.with_name(name), odds)


class Squad1Task(SquadTask):
    """SQuAD 1.1, where every question has an answer.

    Scores are `exact_match` and `f1`, from 0 to 100.
    """

    name = "squad-1.1"
    version = "1.1"
    metric = "f1"
    options: ClassVar[Mapping[str, Any]] = {"unanswerable": False}

    def score(self, examples, answers, *, labels=()):
        del labels
        return squad_1_scores([answer["answer"] for answer in answers], _texts(examples))


class Squad2Task(SquadTask):
    """SQuAD 2.0, half of whose questions have no answer in their contexts.

    Scores are those of `evaluate-v2.0.py`: `exact` and `f1` of the answers as they are, the same of
    questions with and without an answer (`HasAns_exact`, `NoAns_exact`, ...), and `best_exact` and
    `best_f1` at the thresholds of `no_answer_score` that suit these examples best. The threshold of
    `best_f1` is what training stores in the model.
    """

    name = "squad-2.0"
    version = "2.0"
    metric = "best_f1"
    options: ClassVar[Mapping[str, Any]] = {"unanswerable": True}

    def score(self, examples, answers, *, labels=()):
        del labels
        scores = squad_2_scores([answer["answer"] for answer in answers], _texts(examples))
        return {**scores, **self._thresholds(examples, answers)}

    def tuned_options(self, examples, answers):
        found = self._thresholds(examples, answers)
        threshold = found["best_f1_thresh"]
        answerless = sum(not gold for gold in examples.targets)
        if found["best_f1"] <= 100 * answerless / len(answers):
            # The search says 0 where it is best to answer nothing, which 0 would not bring about.
            threshold = min(answer["no_answer_score"] for answer in answers) - 1
        return {"null_threshold": threshold}

    def _thresholds(self, examples, answers) -> dict[str, float]:
        texts = [
            next((entry["answer"] for entry in answer["top"] if entry["answer"]), "")
            for answer in answers
        ]
        odds = [answer["no_answer_score"] for answer in answers]
        return best_thresholds(texts, _texts(examples), odds)


def _texts(examples: Examples) -> list[list[str]]:
    return [[answer.text for answer in answers] for answers in examples.targets]


def _fault(
    question: Question, located: list[GoldAnswer] | None, unanswerable: bool
) -> tuple[str, str] | None:
    """What is done with a question for training that is not right, and what its file says."""
    if not located:
        # What is_impossible denies is a row without its answer.
        right = located is not None and unanswerable and question.is_impossible is not False
        return None if right else (_LEFT_OUT, "no answer")
    text, start = question.answers[0]
    received = f"{text[:_SHOWN]!r} at {start}"
    if located[0].start is None:
        return _LEFT_OUT, received
    return None if located[0].start == start else (_MOVED, f"{received} for {located[0].start}")


def _warn(data: str, faults: dict[str, list[tuple[str, str]]], count: int) -> None:
    for rule, found in faults.items():
        if found:
            _LOGGER.warning(
                "%s: %d of %d questions are %s, as %s. Received: %s",
                *(
                    data,
                    len(found),
                    count,
                    rule,
                    _REASONS[rule],
                    "; ".join(map(": ".join, found[:3])),
                ),
            )


def _located(answer: GoldAnswer, context: str) -> GoldAnswer:
    """Moves an answer to where its text stands; of several such places to the nearest."""
    text, start = answer
    if not text:
        return GoldAnswer(text, None)
    if start is not None and start >= 0 and context.startswith(text, start):
        return answer
    first, last = context.find(text), context.rfind(text)
    if first < 0 or first == last:
        return GoldAnswer(text, None if first < 0 else first)
    if start is None:
        return GoldAnswer(text, None)  # Any of several places would be a guess.
    for encoding, unit in (("utf-8", 1), ("utf-16-le", 2)):
        place = _in_units(context, max(start, 0) * unit, encoding)
        if place is not None and context.startswith(text, place):
            return GoldAnswer(text, place)
    before = context.rfind(text, 0, max(start, 0) + len(text))
    after = context.find(text, max(start, 0))
    places = [place for place in (before, after) if place >= 0]
    return GoldAnswer(text, min(places, key=lambda place: abs(place - start)))


def _in_units(context: str, start: int, encoding: str) -> int | None:
    """The character at a byte of an encoding, or None between two characters."""
    if context.isascii():
        return None
    try:
        encoded = context.encode(encoding, "surrogatepass")[:start]
        return len(encoded.decode(encoding, "surrogatepass"))
    except UnicodeDecodeError:
        return None


SQUAD_1 = Squad1Task()
SQUAD_2 = Squad2Task()
