"""Byte-level byte-pair encoding, as GPT-2 and RoBERTa have it."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import keras_hub
import tensorflow as tf

from keras_bert.atomic import new_file, write_json
from keras_bert.errors import InputError
from keras_bert.reading import read_json_object, shown
from keras_bert.text.tokenization import Tokenizer
from keras_bert.text.tokenizer_json import TokenizerFile, read_tokenizer_file
from keras_bert.text.tokenizer_settings import (
    ANY_CLASSES,
    NO_NORMALIZER,
    SPECIAL_KEYS,
    length_of,
    read_added_tokens,
    read_settings,
)
from keras_bert.text.vocabulary import Vocabulary

SPECIAL_TOKENS = ("<pad>", "<unk>", "<s>", "</s>", "<mask>")
_CLASSES = ("RobertaTokenizer", "GPT2Tokenizer")
# Keys of `tokenizer_config.json` that only one value fits.
_ONLY = {**NO_NORMALIZER, "add_prefix_space": False, "errors": "replace", "trim_offsets": True}


@keras.saving.register_keras_serializable("keras_bert")
class BytePairTokenizer(Tokenizer):
    """Splits strings into byte-level byte pairs; nothing is unknown.

    KerasHub's `BytePairTokenizer` does the work, in the graph. It equals GPT-2's tokenizer except
    on characters that hardly occur: NUL and U+096C (`६`) are lost, and `'s` after U+0085, U+1680
    or U+2028 becomes two tokens.

    Args:
        vocabulary: `Vocabulary` whose special tokens are `<pad> <unk> <s> </s> <mask>` or others.
        merges: sequence of str, such as `"Ġ t"`: the pairs to join, in order.

    Raises:
        InputError: If a merge is not two tokens of the vocabulary.

    Example:

    ```python
    tokenizer = BytePairTokenizer.from_checkpoint("roberta-directory")
    tokenizer(["Hello, world!"])
    ```

    References:
        - Radford et al. 2019 (GPT-2), section 2.2.
        - Liu et al. 2019, arXiv:1907.11692, section 4.4.
    """

    def __init__(
        self,
        vocabulary: Vocabulary | Mapping[str, Any],
        merges: Sequence[str],
        **kwargs: Any,
    ):
        vocabulary = dataclasses.replace(Vocabulary.of(vocabulary), word_marker="Ġ")
        super().__init__(vocabulary, **kwargs)
        for number, merge in enumerate(merges, start=1):
            parts = merge.split(" ")
            if len(parts) != 2 or not set(parts) <= self.vocabulary.ids.keys():
                raise InputError(
                    f"`merges`, entry {number}: must be two tokens of the vocabulary with a space "
                    f"between them. Received: {merge!r}"
                )
        self.merges = tuple(merges)
        self._pairs = keras_hub.tokenizers.BytePairTokenizer(
            dict(self.vocabulary.ids), list(merges), unsplittable_tokens=[]
        )
        # Always as a graph: called eagerly, KerasHub answers with another splitting rule.
        self._graph = tf.function(
            self._pairs.call, input_signature=[tf.TensorSpec([None], tf.string)]
        )

    @classmethod
    def from_checkpoint(cls, directory: str | os.PathLike) -> "BytePairTokenizer":
        """Reads a model directory in Hugging Face's layout.

        Args:
            directory: str or path. Holds `vocab.json` and `merges.txt`, or `tokenizer.json`.

        Raises:
            InputError: If a file is missing, not what it should be, or says something that this
                tokenizer cannot do.
        """
        directory = Path(directory)
        settings = read_settings(directory, (*_CLASSES, *ANY_CLASSES), only=_ONLY)
        file = read_tokenizer_file(directory)
        if (directory / "vocab.json").exists() or file is None:
            path = directory / "vocab.json"
            ids, merges = read_json_object(path), _read_merges(directory / "merges.txt")
            if file and _of_tokenizer_file(file) != (ids, merges):
                raise InputError(
                    f"{path}: must hold the tokens of tokenizer.json beside it, and merges.txt its "
                    "merges. transformers reads the latter; delete what is out of date. "
                    "Received: others"
                )
        else:
            path = file.path
            ids, merges = _of_tokenizer_file(file)
        if any(type(value) is not int for value in ids.values()) or sorted(ids.values()) != list(
            range(len(ids))
        ):
            raise InputError(f"{path}: must map tokens to the ids 0, 1, 2, ... without gaps")
        special = dict(zip(SPECIAL_KEYS, SPECIAL_TOKENS, strict=True))
        special |= {key: settings[key] for key in SPECIAL_KEYS if settings.get(key) is not None}
        _check_added(directory, file, settings, ids, tuple(special.values()))
        tokens = tuple(sorted(ids, key=ids.get))
        tokenizer = cls(Vocabulary(tokens, tuple(special.values()), source=str(path)), merges)
        tokenizer.sequence_length = length_of(settings)
        return tokenizer

    def save_assets(self, directory: str | os.PathLike) -> None:
        """Writes `vocab.json` and `merges.txt`."""
        write_json(Path(directory) / "vocab.json", self.vocabulary.ids)
        with new_file(Path(directory) / "merges.txt") as temporary:
            temporary.write_text("\n".join(("#version: 0.2", *self.merges)) + "\n", "utf-8")

    def tokenize_rows(self, text):
        return self._graph(text)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary": self.vocabulary.get_config(),
            "merges": list(self.merges),
        }


def _read_merges(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise InputError(f"{path}: cannot read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: must be UTF-8: {error}") from error
    lines = [line.removesuffix("\r") for line in lines]
    return [line for line in lines if line and not line.startswith("#version")]


def _of_tokenizer_file(file: TokenizerFile) -> tuple[dict[str, int], list[str]]:
    """Returns the ids and merges of a `tokenizer.json`.

    Raises:
        InputError: If the file says something that the tokenizer cannot do.
    """
    model = file.part("model")
    for key, allowed in (
        ("type", ("BPE", None)),
        ("dropout", (None, 0)),
        ("continuing_subword_prefix", (None, "")),
        ("end_of_word_suffix", (None, "")),
        ("byte_fallback", (False, None)),
        ("ignore_merges", (False, None)),
    ):
        file.check("model", key, allowed, model)
    known = ("type", "dropout", "continuing_subword_prefix", "end_of_word_suffix")
    known += ("byte_fallback", "ignore_merges", "unk_token", "fuse_unk", "vocab", "merges")
    file.check_keys("model", model, known)
    if file.part("normalizer"):
        raise file.error("normalizer", "null", file.values["normalizer"])
    steps = list(file.steps("pre_tokenizer", "pretokenizers"))
    if len(steps) != 1 or steps[0].get("type") != "ByteLevel":
        raise file.error("pre_tokenizer", "ByteLevel", file.values.get("pre_tokenizer"))
    file.check("pre_tokenizer", "add_prefix_space", (False,), steps[0])
    file.check("pre_tokenizer", "use_regex", (True, None), steps[0])
    file.check_calls()
    merges = model.get("merges")
    if not isinstance(merges, list):
        raise file.error("model.merges", "a list", merges)
    # Pairs of two strings since 2024.
    pairs = [" ".join(map(str, one)) if isinstance(one, list) else one for one in merges]
    for place, pair in enumerate(pairs):
        if not isinstance(pair, str):
            raise file.error(f"model.merges[{place}]", "two tokens", pair)
    return file.ids(), pairs


def _check_added(
    directory: Path,
    file: TokenizerFile | None,
    settings: Mapping[str, Any],
    ids: Mapping[str, int],
    special: tuple[str, ...],
) -> None:
    """Refuses added tokens beside the special ones, which this tokenizer does not find in text."""
    found = (file.added_tokens() if file else {}) | read_added_tokens(directory, settings)
    for token_id, token in found.items():
        if token.content not in special or ids.get(token.content) != token_id:
            raise InputError(
                f"{directory}: added tokens must be the special tokens of the vocabulary "
                f"({' '.join(special)}): BytePairTokenizer finds no others in the text. "
                f"Received: {shown(token.content)} with the id {token_id}"
            )
