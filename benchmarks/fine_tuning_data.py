"""The tasks of the fine-tuning benchmark as its peers read and score them.

Nothing here comes from keras_bert: a peer shares no code with what it is compared with, and a
process of torch stays free of TensorFlow and its threads.
"""

import csv
import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fine_tuning_answers
from scipy import stats
from seqeval import metrics as tag_metrics
from sklearn import metrics

# Columns of the texts, that of the label.
TABLES = {
    "mrpc": (("#1 String", "#2 String"), "Quality"),
    "cola": (("sentence",), "label"),
    "rte": (("sentence1", "sentence2"), "label"),
    "sts-b": (("sentence1", "sentence2"), "score"),
    "sst-2": (("sentence",), "label"),
    "qnli": (("question", "sentence"), "label"),
    "classification": (("text_a", "text_b"), "label"),
}
COLA_COLUMNS = ("source", "label", "mark", "sentence")
KINDS = {
    **dict.fromkeys(TABLES, "class"),
    "sts-b": "number",
    "codah": "choice",
    "conll-2003": "tags",
    "squad-1.1": "answer",
    "squad-2.0": "answer",
}


@dataclass(frozen=True)
class Example:
    """One text or two; a beginning and its endings; words; or a question and its context.

    Its target is the index of a class or choice, a number, a tag for each word, or the answers
    `(text, start)`, none where there is none.
    """

    texts: tuple[str, ...]
    target: Any
    name: str = ""


@dataclass(frozen=True)
class Data:
    """What a task's files say, and how it is scored.

    `scores` makes a dictionary of targets and predictions; its first entry chooses the best epoch.
    """

    kind: str
    labels: tuple[str, ...]
    train: list[Example]
    dev: list[Example]
    scores: Callable[[list[Example], list[Any]], dict[str, float]]


def read(task: str, directory: Path) -> Data:
    """Reads the training and the development files of a task."""
    kind = KINDS[task]
    splits = {"train": "train", "dev": "valid" if kind == "tags" else "dev"}
    readers = {"choice": _choices, "tags": _sentences, "answer": _questions}
    reader = readers.get(kind, _texts)
    train, dev = (list(reader(task, directory, name)) for name in splits.values())
    labels: tuple[str, ...] = ()
    if kind == "class":
        labels = tuple(sorted({example.target for example in train}))
        train, dev = ([_with_index(e, labels) for e in part] for part in (train, dev))
    if kind == "tags":
        labels = tuple(sorted({tag for example in train for tag in example.target}))
    return Data(kind, labels, train, dev, _SCORES.get(task, _SCORES[kind]))


def _with_index(example: Example, labels: tuple[str, ...]) -> Example:
    return Example(example.texts, labels.index(example.target), example.name)


def _text(directory: Path, name: str) -> str:
    """The text of the one file of that name, `*` in it allowed, gzip or not."""
    found = [*directory.glob(name), *directory.glob(f"{name}.gz")]
    if len(found) != 1:
        raise SystemExit(f"{directory / name}: one file expected. Received: {len(found)}")
    data = found[0].read_bytes()
    return (gzip.decompress(data) if found[0].suffix == ".gz" else data).decode("utf-8-sig")


def _table(text: str, columns: tuple[str, ...] | None = None) -> Iterator[dict[str, str]]:
    lines = text.removesuffix("\n").split("\n")
    return csv.DictReader(lines, columns, delimiter="\t", quoting=csv.QUOTE_NONE)


def _texts(task: str, directory: Path, split: str) -> Iterator[Example]:
    columns, label = TABLES[task]
    text = _text(directory, f"{split}.tsv")
    for row in _table(text, COLA_COLUMNS if task == "cola" else None):
        texts = tuple(row[column] for column in columns if column in row)
        yield Example(texts, float(row[label]) if task == "sts-b" else row[label])


def _choices(task: str, directory: Path, split: str) -> Iterator[Example]:
    columns = ("kind", "beginning", "0", "1", "2", "3", "answer")
    for row in _table(_text(directory, f"{split}.tsv"), columns):
        yield Example(tuple(row[name] for name in columns[1:-1]), int(row["answer"]))


def _sentences(task: str, directory: Path, split: str) -> Iterator[Example]:
    for block in _text(directory, f"{split}.txt").split("\n\n"):
        rows = [line.split() for line in block.split("\n") if line.strip()]
        if rows and rows[0][0] != "-DOCSTART-":
            words, tags = zip(*((row[0], row[-1]) for row in rows), strict=True)
            yield Example(words, tags)


def _questions(task: str, directory: Path, split: str) -> Iterator[Example]:
    version = task.removeprefix("squad-")
    for article in json.loads(_text(directory, f"{split}-v{version}*.json"))["data"]:
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                answers = [(a["text"], a["answer_start"]) for a in question["answers"]]
                if question.get("is_impossible"):
                    answers = []
                texts = (question["question"], paragraph["context"])
                yield Example(texts, answers, question["id"])


def _classes(examples: list[Example], predictions: list[int]) -> dict[str, float]:
    return {"accuracy": metrics.accuracy_score([e.target for e in examples], predictions)}


def _paraphrases(examples: list[Example], predictions: list[int]) -> dict[str, float]:
    f1 = metrics.f1_score([e.target for e in examples], predictions)
    return {"f1": f1, **_classes(examples, predictions)}


def _acceptability(examples: list[Example], predictions: list[int]) -> dict[str, float]:
    correlation = metrics.matthews_corrcoef([e.target for e in examples], predictions)
    return {"matthews": correlation, **_classes(examples, predictions)}


def _numbers(examples: list[Example], predictions: list[float]) -> dict[str, float]:
    targets = [e.target for e in examples]
    return {
        "spearman": stats.spearmanr(targets, predictions).statistic,
        "pearson": stats.pearsonr(targets, predictions).statistic,
    }


def _tags(examples: list[Example], predictions: list[list[str]]) -> dict[str, float]:
    targets = [list(e.target) for e in examples]
    return {
        name: getattr(tag_metrics, f"{name}_score")(targets, predictions, zero_division=0)
        for name in ("f1", "precision", "recall")
    }


def _answers(examples: list[Example], predictions: list[tuple[str, float]]) -> dict[str, float]:
    return fine_tuning_answers.scores([e.target for e in examples], predictions)


_SCORES = {
    "class": _classes,
    "mrpc": _paraphrases,
    "cola": _acceptability,
    "number": _numbers,
    "choice": _classes,
    "tags": _tags,
    "answer": _answers,
}
