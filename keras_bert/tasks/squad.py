"""SQuAD 1.1 and 2.0: answers to questions about paragraphs of Wikipedia."""

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


class SquadTask(Task):
    """Questions whose answers are spans of a context.

    `--data` is a directory with `train-v1.1.json` and `dev-v1.1.json`, or those of 2.0, see
    `find_squad_file`; or `tfds:squad/v1.1`, `tfds:squad/v2.0`.

    Of an answer for training, the text decides: where `answer_start` is off, the nearest place with
    the same text is taken. Answers for scoring need no place.

    Prediction files are those of `run_squad.py`: for `predictions.json`, which has the answer to
    each id, `nbest_predictions.json` with the best answers and their probabilities; for SQuAD 2.0
    `null_odds.json` too, from which the official script searches a threshold.

    References:
        - Rajpurkar et al. 2016, arXiv:1606.05250.
    """

    family = QuestionAnsweringPredictor
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
        question = None
        for question in read_questions(data, split, self.version):
            columns["question"].append(question.question)
            columns["context"].append(question.context)
            ids.append(question.id)
            targets.append(self._answers(question, split))
            if (targets[-1] is None) != (targets[0] is None):
                raise InputError(f"{question.place}: all questions must have answers, or none")
        if question is None:
            raise InputError(f"{data}: the split {split!r} has no questions")
        return Examples(columns, None if targets[0] is None else targets, ids)

    def _answers(self, question: Question, split: str) -> list[GoldAnswer] | None:
        answers = question.answers
        if answers is None:
            if split != "test":
                raise InputError(f"{question.place}: field 'answers' is missing")
            return None
        if not answers and not self.unanswerable:
            raise InputError(
                f"{question.place}: {self.name} has an answer to every question. Received: none"
            )
        located = [_located(answer, question.context) for answer in answers]
        if split == "train" and located and located[0].start is None:
            raise InputError(
                f"{question.place}: the answer must be a part of the context. "
                f"Received: {answers[0].text[:40]!r} at {answers[0].start}"
            )
        return located

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


def _located(answer: GoldAnswer, context: str) -> GoldAnswer:
    """Moves an answer to where its text stands, the nearest of several such places."""
    text, start = answer
    if not text:
        return GoldAnswer(text, None)
    if start >= 0 and context.startswith(text, start):
        return answer
    before = context.rfind(text, 0, max(start, 0) + len(text))
    after = context.find(text, max(start, 0))
    places = [place for place in (before, after) if place >= 0]
    return GoldAnswer(text, min(places, key=lambda place: abs(place - start), default=None))


SQUAD_1 = Squad1Task()
SQUAD_2 = Squad2Task()
