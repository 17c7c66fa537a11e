"""Files of words with tags: columns, JSON, tables and CoNLL-U."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from keras_bert.errors import InputError
from keras_bert.reading import unpacked_name
from keras_bert.tasks.fields import field, is_missing, list_field, missing_labels, trimmed
from keras_bert.tasks.file_format import DEFAULT_FORMAT, FileFormat
from keras_bert.tasks.sources import is_prepared, prepared_rows
from keras_bert.tasks.tables import read_rows
from keras_bert.tasks.text_of_files import lines_of, packed_names, read_text

# What files of a split are called, and how they end; the first that exists is read, or its gzip.
_NAMES = {
    "train": ("train", "eng.train"),
    "dev": ("dev", "valid", "validation", "testa", "eng.testa"),
    "test": ("test", "testb", "eng.testb"),
}
_ENDINGS = (
    *(".txt", ".conll", ".jsonl", ".json", ".tsv", ".csv", ".conllu"),
    *(".bio", ".iob2", ".bmes", ".char.bmes", ""),
)
# Of a sentence, as `# id 7 domain=en` or `# text = ...`; a word may be `#` as well.
_COMMENT = re.compile(r"#\s*(id\s|\S+\s*=|.*\s\S+=\S)")
_LABELLED_SPLITS = ("train", "dev")
_DOCUMENT = "-DOCSTART-"
# Fields of JSON and of prepared data sets, the first that is there.
_WORDS = ("words", "tokens", "text_a")
_TAGS = ("tags", "ner_tags", "ner", "label", "labels", "pos_tags", "upos")
# Columns of CoNLL-U.
_CONLLU = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")


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


def read_sentences(
    data: str, split: str, file_format: FileFormat = DEFAULT_FORMAT
) -> Iterator[TaggedSentence]:
    """Reads a split of a directory or of a prepared data set, see `EntityTask`.

    Raises:
        InputError: If there is no such file, or something is wrong with it; at the end, if tags
            are missing.
    """
    without: list[str] = []
    sentences = 0
    for sentence in _sentences(data, split, file_format):
        sentences += 1
        if sentence.tags is None and split in _LABELLED_SPLITS:
            raise InputError(f"{sentence.place(0)}: the words must have tags")
        if sentence.tags is not None and None in sentence.tags:
            without.append(sentence.place(sentence.tags.index(None)))
            continue
        yield sentence
    if without:
        raise InputError(missing_labels(without, sentences, "tags"))


def _sentences(data, split, file_format):
    if is_prepared(data):
        rows = prepared_rows(data, split)
        yield from _row_sentences(rows, (), file_format, is_table=False)
        return
    path = _find(Path(data), split)
    name = unpacked_name(path)
    numbered = file_format.labels or _label_file(Path(data), file_format)
    if name.endswith((".jsonl", ".json")):
        yield from _row_sentences(read_rows(path, file_format), numbered, file_format)
        return
    if name.endswith(".csv"):
        rows = read_rows(path, file_format)
        yield from _row_sentences(rows, numbered, file_format, is_table=True)
        return
    text = read_text(path, file_format.encoding)
    if name.endswith(".tsv"):
        header = {trimmed(column) for column in text.split("\n", 1)[0].split("\t")}
        named = {*file_format.text_field, file_format.label_field} - {None}
        if named <= header and header & {*_WORDS, *named} and header & {*_TAGS, *named}:
            rows = read_rows(path, file_format)
            yield from _row_sentences(rows, numbered, file_format, is_table=True)
            return
    if name.endswith(".conllu"):
        yield from _universal_sentences(path, text, file_format)
        return
    for sentence in _column_sentences(path, text, file_format):
        if file_format.labels and sentence.tags is not None:
            tags = [_named(tag, numbered, sentence, word) for word, tag in enumerate(sentence.tags)]
            sentence = sentence._replace(tags=tags)
        yield sentence


def _find(directory: Path, split: str) -> Path:
    names = [name + end for name in _NAMES.get(split, (split,)) for end in _ENDINGS]
    for name in names:
        for candidate in packed_names(name):
            if (path := directory / candidate).is_file():
                return path
    others = sorted(path.name for path in directory.glob(f"{split}*"))
    raise InputError(
        f"{directory}: no file of the split {split!r}, such as {', '.join(names[:5])}"
        + (f". Received: {', '.join(others)}" if others else "")
    )


def _label_file(directory: Path, file_format: FileFormat) -> tuple[str, ...]:
    """The names of numbered tags, one on each line of `labels.txt`."""
    path = directory / "labels.txt"
    if not path.is_file():
        return ()
    lines = lines_of(read_text(path, file_format.encoding))
    return tuple(line.strip() for line in lines if line.strip())


def _row_sentences(
    rows: Iterable[tuple[str, Mapping[str, Any]]],
    numbered: tuple[str, ...],
    file_format: FileFormat,
    *,
    is_table: bool = False,
) -> Iterator[TaggedSentence]:
    """Sentences of JSON rows and of tables, whose words and tags have spaces between them."""
    for place, row in rows:
        words_field = _chosen(row, file_format.text_field[:1], _WORDS)
        tags_field = _chosen(row, (file_format.label_field,), _TAGS)
        if row.get(words_field) == []:
            continue
        if is_table:
            words = field(row, words_field, place, option="--text-field").split()
            tags = None if is_missing(row.get(tags_field)) else row[tags_field].split()
        else:
            words = list_field(row, words_field, place)
            tags = row.get(tags_field)
        if tags is None:
            yield TaggedSentence(words, None, place)
            continue
        if not isinstance(tags, list):
            raise InputError(
                f"{place}: field {tags_field!r} must be a list of tags; --label-field names "
                f"another. Received: {str(tags)[:60]}"
            )
        if len(words) != len(tags):
            raise InputError(f"{place}: {len(words)} words, but {len(tags)} tags")
        sentence = TaggedSentence(words, tags, place)
        names = [_named(tag, numbered, sentence, word) for word, tag in enumerate(tags)]
        yield sentence._replace(tags=names)


def _chosen(row: Mapping[str, Any], named: tuple[str | None, ...], usual: tuple[str, ...]) -> str:
    """The field that is named, or the first usual one that is there."""
    if named and named[0] is not None:
        return named[0]
    return next((name for name in usual if name in row), usual[0])


def _named(tag: Any, names: tuple[str, ...], sentence: TaggedSentence, word: int) -> str | None:
    """The name of a tag, of one that is a number as well; None where it is missing."""
    if is_missing(tag):
        return None
    if isinstance(tag, str) and not (tag.isdecimal() and names and tag not in names):
        return trimmed(tag)
    if isinstance(tag, bool | float | list | dict):
        raise InputError(f"{sentence.place(word)}: a tag must be a string. Received: {tag!r}")
    if not names:
        raise InputError(
            f"{sentence.place(word)}: tags that are numbers need their names, as --labels "
            f"O,B-PER,I-PER or a line each in labels.txt beside the file. Received: {tag}"
        )
    if not 0 <= int(tag) < len(names):
        raise InputError(
            f"{sentence.place(word)}: a tag must be a number from 0 to {len(names) - 1}, as there "
            f"are {len(names)} names. Received: {tag}"
        )
    return names[int(tag)]


def _universal_sentences(
    path: Path, text: str, file_format: FileFormat
) -> Iterator[TaggedSentence]:
    """CoNLL-U: the words of each sentence without those of several tokens, and one of its columns.

    Lines between the words of a sentence, as `2-3` for `im`, would shift the numbers of lines, so
    that places are those of sentences.
    """
    columns = {name: index for index, name in enumerate(_CONLLU)}
    wanted = (file_format.label_field or "upos").lower()
    if wanted not in columns:
        raise InputError(
            f"`--label-field` must be a column of CoNLL-U: {', '.join(_CONLLU)}. Received: {wanted}"
        )
    words: list[str] = []
    tags: list[str | None] = []
    start = 1
    for number, line in enumerate([*lines_of(text), ""], start=1):
        if not line.strip():
            if words:
                yield TaggedSentence(words, tags, f"{path}, sentence at line {start}")
            words, tags, start = [], [], number + 1
            continue
        if line.startswith("#"):
            continue
        parts = line.split("\t")
        if len(parts) != len(_CONLLU):
            raise InputError(
                f"{path}, line {number}: {len(_CONLLU)} columns with tabs between are expected. "
                f"Received: {len(parts)}"
            )
        if parts[0].isdecimal():
            tag = parts[columns[wanted]].strip()
            words.append(parts[columns["form"]])
            tags.append(None if tag == "_" else tag)


def _column_sentences(path: Path, text: str, file_format: FileFormat) -> Iterator[TaggedSentence]:
    lines = [*lines_of(text), ""]
    columns, tabs = _columns_of(lines)
    word_column = _column(file_format.text_field[:1], "text-field", columns, 0)
    tag_column = _column((file_format.label_field,), "label-field", columns, columns - 1)
    document = None
    rows: list[tuple[str, str | None]] = []

    def sentence(number):
        words, tags = map(list, zip(*rows, strict=True))
        rows.clear()
        tags = None if columns == 1 else tags
        # No line comes between the words of a sentence.
        return TaggedSentence(words, tags, str(path), number - len(words), document)

    for number, line in enumerate(lines, start=1):
        blank = not line.strip(" \t")
        starts_document = line.lstrip(" \t").startswith(_DOCUMENT)
        if rows and (starts_document or blank):
            yield sentence(number)
        if starts_document:
            document = 0 if document is None else document + 1
        elif not blank:
            parts = _parts(line, columns, tabs=tabs)
            fits = len(parts) == columns
            if not rows and line.startswith("#") and (not fits or _COMMENT.match(line)):
                continue
            if fits:
                rows.append((parts[word_column], parts[tag_column] or None))
            else:
                raise InputError(
                    f"{path}, line {number}: {columns} columns expected. Received: {len(parts)}"
                )


def _columns_of(lines: list[str]) -> tuple[int, bool]:
    """How many columns there are, and whether tabs divide them: as in the first line of a word."""
    words = (line for line in lines if line.strip(" \t") and not line.startswith(_DOCUMENT))
    first = next(words, "")
    if first.startswith("#"):
        # A comment, unless there is nothing else.
        first = next((line for line in words if not line.startswith("#")), first)
    tabs = "\t" in first.strip(" \t")
    divider = r" *\t[ \t]*" if tabs else r"[ \t]+"
    return len(re.split(divider, first.strip(" \t"))), tabs


def _parts(line: str, columns: int, *, tabs: bool) -> list[str]:
    # Not split() alone: words may be such characters as U+2028 and U+3000.
    if tabs and "\t" in line:
        parts = [part.strip(" ") for part in line.split("\t")]
        # Several tabs may stand where one would do.
        return parts if len(parts) == columns else [part for part in parts if part]
    parts = re.split(r"[ \t]+", line.strip(" \t"))
    if len(parts) == columns - 1 and line[0] in " \t":
        return [" ", *parts]  # A word that is a space.
    return parts


def _column(named: tuple[str | None, ...], option: str, columns: int, usual: int) -> int:
    if not named or named[0] is None:
        return usual
    if not named[0].isdecimal() or not 1 <= int(named[0]) <= columns:
        raise InputError(
            f"`--{option}` must be the number of a column, 1 to {columns}. Received: {named[0]}"
        )
    return int(named[0]) - 1
