"""Named entities: CoNLL-2003 and files of one's own."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import ClassVar

import numpy as np
from seqeval.metrics import accuracy_score
from seqeval.metrics.sequence_labeling import precision_recall_fscore_support
from sklearn.metrics import precision_recall_fscore_support as class_scores

from keras_bert.atomic import new_file
from keras_bert.errors import InputError
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.fields import label_index
from keras_bert.tasks.file_format import FileFormat
from keras_bert.tasks.predictor import Predictor
from keras_bert.tasks.tag_schemes import (
    PLAIN,
    as_iob2,
    check_scheme,
    find_entities,
    find_scheme,
    is_plain,
    scheme_labels,
    scheme_of,
    standard_tag,
)
from keras_bert.tasks.tagged_files import TaggedSentence, read_sentences
from keras_bert.tasks.tagging import FeatureTagPredictor, TagPredictor
from keras_bert.tasks.task import Task

# Words of a document on each side of a sentence: no row of BERT has more tokens.
_CONTEXT = 512


class EntityTask(Task):
    """Named entities, scored as conlleval and seqeval do: by whole entities with their types.

    The files of a directory are `train`, `dev` (also `valid` or `testa`) and `test` (or `testb`),
    compressed or not, in one of these forms:

    - Columns between spaces or tabs (`.txt`, `.conll`, `.bio`, `.bmes`): the word first, its tag
      last, a blank line after each sentence. A line that begins with `-DOCSTART-` begins a
      document; lines with `#` before a sentence are comments.
    - CoNLL-U (`.conllu`), with the tags of `upos`.
    - JSON (`.jsonl`, `.json`) with `words` or `tokens`, and `tags` or `ner_tags`: lists of strings.
      Tags may be numbers, whose names are in `labels.txt` or in `FileFormat.labels`.
    - A table (`.tsv`, `.csv`) with the columns `text_a` and `label`, words and tags between
      spaces; a `.tsv` without such a header is read as columns.

    Tags are in one of the schemes of `keras_bert.tasks.tag_schemes`, or plain classes of words, as
    parts of speech are; the training file shows in which. An entity that begins with `I-`, as in
    the original files of CoNLL-2003 (IOB1), gets a `B-`. The files of a test may lack tags.

    Plain classes are scored word by word: `f1`, `precision` and `recall` are means of the classes'.

    Args:
        name: str.
        family: `TagPredictor` or `FeatureTagPredictor`.

    References:
        - Tjong Kim Sang and De Meulder 2003, arXiv:cs/0306050.
        - Devlin et al. 2019, arXiv:1810.04805, section 5.3.
    """

    metric = "f1"
    format_options: ClassVar[tuple[str, ...]] = (
        *("delimiter", "columns", "encoding", "text_field", "label_field", "labels", "tag_scheme"),
    )

    def __init__(self, name: str, family: type[Predictor]):
        self.name = name
        self.family = family

    def with_format(self, file_format: FileFormat) -> "EntityTask":
        task = super().with_format(file_format)
        if file_format.tag_scheme == PLAIN:
            task.options = {**task.options, "entities": False}
        return task

    def for_model(self, options):
        if options["entities"]:
            return self
        return self.with_format(dataclasses.replace(self.file_format, tag_scheme=PLAIN))

    def labels(self, data):
        """Returns `O`, then every prefix with every type of the training file; or its classes."""
        counts: Counter[str] = Counter()
        first: dict[str, str] = {}
        for sentence in read_sentences(data, "train", self.file_format):
            counts.update(sentence.tags)
            for word, tag in enumerate(sentence.tags):
                if tag not in first:
                    first[tag] = sentence.place(word)
        if scheme := self.file_format.tag_scheme:
            check_scheme(first, scheme)
        else:
            scheme = find_scheme(counts, first)
        if scheme == PLAIN and len(counts) > 1:
            return scheme_labels(counts, scheme)
        if not set(counts) - {"O"}:
            raise InputError(
                f"{data}: the training data must have a tag besides O. "
                f"Received: {', '.join(counts) or 'none'}"
            )
        return scheme_labels(counts, scheme)

    def read(self, data, split, *, labels=()):
        sentences = list(read_sentences(data, split, self.file_format))
        if not sentences:
            raise InputError(f"{data}, {split}: the data have no sentences")
        targets = None
        if all(sentence.tags is not None for sentence in sentences):
            targets = [self._indices(sentence, labels) for sentence in sentences]
        columns = {"words": [sentence.words for sentence in sentences]}
        if sentences[-1].document is not None:
            columns |= _contexts(sentences)
        return Examples(columns, targets)

    def _is_plain(self, labels: Sequence[str]) -> bool:
        return self.file_format.tag_scheme == PLAIN or is_plain(labels)

    def _indices(self, sentence: TaggedSentence, labels: Sequence[str]) -> list[int]:
        tags = sentence.tags
        if not self._is_plain(labels):
            tags = as_iob2(tags)
            for word, tag in enumerate(tags):
                if tag not in labels:
                    # Of another scheme, rather than of another type.
                    check_scheme({tag: sentence.place(word)}, scheme_of(labels))
        return [label_index(tag, labels, sentence.place(word)) for word, tag in enumerate(tags)]

    def score(self, examples, answers, *, labels=()):
        """Returns `f1`, `precision`, `recall`, `accuracy` of tags, and `f1` by type or class."""
        gold = [[labels[index] for index in tags] for tags in examples.targets]
        found = [answer["tags"] for answer in answers]
        if self._is_plain(labels):
            return _plain_scores(gold, found)
        accuracy = float(accuracy_score(gold, found))
        gold, found = (
            [[standard_tag(tag) for tag in tags] for tags in sentences]
            for sentences in (gold, found)
        )
        precision, recall, f1, _ = precision_recall_fscore_support(
            gold, found, average="micro", zero_division=0
        )
        scores = {
            "f1": float(f1),
            "precision": float(precision),
            "recall": float(recall),
            "accuracy": accuracy,
        }
        kinds = {kind for tags in (*gold, *found) for kind, _, _ in find_entities(tags)}
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


def _plain_scores(gold: Sequence[Sequence[str]], found: Sequence[Sequence[str]]) -> dict:
    """Scores of words: means over the classes, and the share of right ones."""
    true = [tag for tags in gold for tag in tags]
    predicted = [tag for tags in found for tag in tags]
    classes = sorted({*true, *predicted})
    precision, recall, f1, _ = class_scores(true, predicted, labels=classes, zero_division=0)
    pairs = zip(true, predicted, strict=True)
    return {
        "f1": float(np.mean(f1)) if classes else 0.0,
        "precision": float(np.mean(precision)) if classes else 0.0,
        "recall": float(np.mean(recall)) if classes else 0.0,
        "accuracy": sum(one == other for one, other in pairs) / max(len(true), 1),
        **{f"f1_{name}": float(value) for name, value in zip(classes, f1, strict=True)},
    }


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
