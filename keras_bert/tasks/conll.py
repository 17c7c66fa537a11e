"""Named entities: CoNLL-2003 and files of one's own."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from seqeval.metrics import accuracy_score
from seqeval.metrics.sequence_labeling import get_entities, precision_recall_fscore_support

from keras_bert.atomic import new_file
from keras_bert.errors import InputError
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.predictor import Predictor
from keras_bert.tasks.sources import is_prepared, prepared_rows
from keras_bert.tasks.tables import field, list_field, read_rows, read_text
from keras_bert.tasks.tagging import TAG, FeatureTagPredictor, TagPredictor
from keras_bert.tasks.task import Task

# What files of a split are called, and how they end; the first that exists is read, or its gzip.
_NAMES = {
    "train": ("train", "eng.train"),
    "dev": ("dev", "valid", "testa", "eng.testa"),
    "test": ("test", "testb", "eng.testb"),
}
_ENDINGS = (".txt", ".conll", ".jsonl", ".tsv", "")
_LABELLED_SPLITS = ("train", "dev")
_DOCUMENT = "-DOCSTART-"
# Words of a document on each side of a sentence: no row of BERT has more tokens.
_CONTEXT = 512


class TaggedSentence(NamedTuple):
    """A sentence of a file.

    Args:
        words: list of str.
        tags: list of str or None. One for each word, as the file has them.
        source: str. Where it stands, for messages: a line, or a file where each word has a line.
        first_line: int or None. That of the first word.
        document: int or None. The number of its document, where the file tells documents apart.
    """

    words: list[str]
    tags: list[str] | None
    source: str
    first_line: int | None = None
    document: int | None = None

    def place(self, word: int) -> str:
        """Returns where a word stands, for messages."""
        if self.first_line is None:
            return self.source
        return f"{self.source}, line {self.first_line + word}"


class EntityTask(Task):
    """Named entities, scored as conlleval and seqeval do: by whole entities with their types.

    The files of a directory are `train`, `dev` (also `valid` or `testa`) and `test` (or `testb`),
    gzip or not, in one of these forms:

    - Columns between spaces or tabs (`.txt`, `.conll`): the word first, its tag last, a blank line
      after each sentence. A line that begins with `-DOCSTART-` begins a document.
    - JSON lines (`.jsonl`) with `words` and `tags`, lists of strings.
    - A table (`.tsv`) with the columns `text_a` and `label`, words and tags between spaces; a
      `.tsv` without such a header is read as columns.

    Tags are `O` or a type after `B-`, `I-`, `E-` or `S-`. An entity that begins with `I-`, as in
    the original files of CoNLL-2003 (IOB1), gets a `B-`. The files of a test may lack tags.

    Args:
        name: str.
        family: `TagPredictor` or `FeatureTagPredictor`.

    References:
        - Tjong Kim Sang and De Meulder 2003, arXiv:cs/0306050.
        - Devlin et al. 2019, arXiv:1810.04805, section 5.3.
    """

    metric = "f1"

    def __init__(self, name: str, family: type[Predictor]):
        self.name = name
        self.family = family

    def labels(self, data):
        """Returns `O`, then every prefix with every type of the training file."""
        tags = {
            tag for sentence in read_sentences(data, "train") for tag in as_iob2(sentence.tags)
        } - {"O"}
        if not tags:
            raise InputError(f"{data}: the training data must have a tag besides O")
        prefixes = "BIES" if {"E", "S"} & {tag[0] for tag in tags} else "BI"
        kinds = {tag[2:] for tag in tags}
        return ("O", *sorted(f"{prefix}-{kind}" for prefix in prefixes for kind in kinds))

    def read(self, data, split, *, labels=()):
        indices = {label: index for index, label in enumerate(labels)}
        sentences = list(read_sentences(data, split))
        if not sentences:
            raise InputError(f"{data}, {split}: the data have no sentences")
        targets = None
        if all(sentence.tags is not None for sentence in sentences):
            targets = [_indices(sentence, indices) for sentence in sentences]
        columns = {"words": [sentence.words for sentence in sentences]}
        if sentences[-1].document is not None:
            columns |= _contexts(sentences)
        return Examples(columns, targets)

    def score(self, examples, answers, *, labels=()):
        """Returns micro `f1`, `precision` and `recall`, `accuracy` of tags, and `f1` by type."""
        gold = [[labels[index] for index in tags] for tags in examples.targets]
        found = [answer["tags"] for answer in answers]
        precision, recall, f1, _ = precision_recall_fscore_support(
            gold, found, average="micro", zero_division=0
        )
        scores = {
            "f1": float(f1),
            "precision": float(precision),
            "recall": float(recall),
            "accuracy": float(accuracy_score(gold, found)),
        }
        kinds = {kind for tags in (gold, found) for kind, _, _ in get_entities(tags)}
        _, _, each, _ = precision_recall_fscore_support(gold, found, zero_division=0)
        for kind, value in zip(sorted(kinds), each, strict=True):
            scores[f"f1_{kind}"] = float(value)
        return scores

    def write_predictions(self, path, examples, answers, *, labels=()):
        """Writes what conlleval reads: word, tag of the file or `_`, tag found.

        A space in a word becomes `_`.
        """
        targets = examples.targets if labels else None
        blocks = []
        for number, (words, answer) in enumerate(
            zip(examples.columns["words"], answers, strict=True)
        ):
            gold = ["_"] * len(words)
            if targets is not None:
                gold = [labels[index] for index in targets[number]]
            rows = zip(words, gold, answer["tags"], strict=True)
            lines = [
                f"{'_'.join(word.split()) or '_'} {tag} {found}\n" for word, tag, found in rows
            ]
            blocks.append("".join(lines))
        with new_file(path) as temporary:
            Path(temporary).write_text("\n".join(blocks), encoding="utf-8")


def as_iob2(tags: Sequence[str]) -> list[str]:
    """Makes a `B-` of each `I-` that begins an entity, as conlleval reads it.

    Example:

    ```python
    as_iob2(["I-PER", "I-PER", "B-PER", "I-ORG"])       # ["B-PER", "I-PER", "B-PER", "B-ORG"]
    ```
    """
    converted, before = [], "O"
    for tag in tags:
        follows = before[0] in "BI" and before[2:] == tag[2:]
        converted.append(f"B-{tag[2:]}" if tag[0] == "I" and not follows else tag)
        before = tag
    return converted


def read_sentences(data: str, split: str) -> Iterator[TaggedSentence]:
    """Reads a split of a directory or of a prepared data set, see `EntityTask`.

    Raises:
        InputError: If there is no such file, or something is wrong with it.
    """
    for sentence in _sentences(data, split):
        if sentence.tags is None and split in _LABELLED_SPLITS:
            raise InputError(f"{sentence.place(0)}: the words must have tags")
        for word, tag in enumerate(sentence.tags or ()):
            if not TAG.fullmatch(tag):
                raise InputError(
                    f"{sentence.place(word)}: a tag must be O or a type after B-, I-, E- or S-. "
                    f"Received: {tag!r}"
                )
        yield sentence


def _sentences(data, split):
    if is_prepared(data):
        for place, row in prepared_rows(data, split):
            if row.get("tokens") != []:
                tags = "ner" if "ner" in row else "tags"
                yield _listed(row, "tokens", tags, place)
        return
    path = _find(Path(data), split)
    text = read_text(path)
    name = path.name.removesuffix(".gz")
    if name.endswith(".jsonl"):
        for place, row in read_rows(path):
            yield _listed(row, "words", "tags", place)
    elif name.endswith(".tsv") and {"text_a", "label"} <= set(text.split("\n")[0].split()):
        for place, row in read_rows(path):
            words, tags = (field(row, column, place).split() for column in ("text_a", "label"))
            yield _checked(words, tags, place)
    else:
        yield from _column_sentences(path, text)


def _find(directory: Path, split: str) -> Path:
    names = [name + end for name in _NAMES.get(split, (split,)) for end in _ENDINGS]
    for name in names:
        for path in (directory / name, directory / f"{name}.gz"):
            if path.is_file():
                return path
    usual = ", ".join(names[: len(_ENDINGS) - 1])
    raise InputError(f"{directory}: no file of the split {split!r}, such as {usual}")


def _column_sentences(path: Path, text: str) -> Iterator[TaggedSentence]:
    document, columns, rows = None, None, []

    def sentence():
        words, tags = map(list, zip(*rows, strict=True))
        rows.clear()
        tags = None if columns == 1 else tags
        # No line comes between the words of a sentence.
        return TaggedSentence(words, tags, str(path), number - len(words), document)

    # Not splitlines(), nor split(): words may be such characters as U+2028 and U+3000.
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        line = line.strip(" \t\r")
        starts_document = line.startswith(_DOCUMENT)
        if rows and (starts_document or not line):
            yield sentence()
        if starts_document:
            document = 0 if document is None else document + 1
        elif line:
            parts = re.split(r"[ \t]+", line)
            columns = columns or len(parts)
            if len(parts) != columns:
                raise InputError(
                    f"{path}, line {number}: {columns} columns expected. Received: {len(parts)}"
                )
            rows.append((parts[0], parts[-1]))


def _listed(row: dict[str, Any], words: str, tags: str, place: str) -> TaggedSentence:
    found = list_field(row, tags, place) if row.get(tags) is not None else None
    return _checked(list_field(row, words, place), found, place)


def _checked(words: list[str], tags: list[str] | None, place: str) -> TaggedSentence:
    if tags is not None and len(words) != len(tags):
        raise InputError(f"{place}: {len(words)} words, but {len(tags)} tags")
    return TaggedSentence(words, tags, place)


def _indices(sentence: TaggedSentence, indices: dict[str, int]) -> list[int]:
    tags = as_iob2(sentence.tags)
    for word, tag in enumerate(tags):
        if tag not in indices:
            known = ", ".join(indices)
            raise InputError(f"{sentence.place(word)}: label {tag!r} is not one of {known}")
    return [indices[tag] for tag in tags]


def _contexts(sentences: list[TaggedSentence]) -> dict[str, list[list[str]]]:
    """The columns `before` and `after`: words of the same document."""
    before, after = [], []
    for _, group in groupby(sentences, key=lambda sentence: sentence.document):
        group = list(group)
        words = [word for sentence in group for word in sentence.words]
        start = 0
        for sentence in group:
            stop = start + len(sentence.words)
            before.append(words[max(start - _CONTEXT, 0) : start])
            after.append(words[stop : stop + _CONTEXT])
            start = stop
    return {"before": before, "after": after}


CONLL_2003 = EntityTask("conll-2003", TagPredictor)
CONLL_2003_FEATURES = EntityTask("conll-2003-features", FeatureTagPredictor)
NER = EntityTask("ner", TagPredictor)
NER_FEATURES = EntityTask("ner-features", FeatureTagPredictor)
