"""Byte-level byte-pair encoding, as GPT-2 and RoBERTa have it."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import keras_hub
import tensorflow as tf

from keras_bert.atomic import new_file, write_json
from keras_bert.errors import InputError
from keras_bert.text.tokenization import Tokenizer
from keras_bert.text.vocabulary import Vocabulary

SPECIAL_TOKENS = ("<pad>", "<unk>", "<s>", "</s>", "<mask>")


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
        super().__init__(Vocabulary.of(vocabulary), **kwargs)
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
        """Reads `vocab.json` and `merges.txt` of a model directory in Hugging Face's layout.

        Raises:
            InputError: If a file is missing or not what it should be.
        """
        directory = Path(directory)
        path = directory / "vocab.json"
        try:
            ids = json.loads(path.read_text(encoding="utf-8"))
            lines = (directory / "merges.txt").read_text(encoding="utf-8").split("\n")
        except OSError as error:
            raise InputError(f"{error.filename}: cannot read: {error.strerror}") from error
        except ValueError as error:
            raise InputError(f"{directory}: not a byte-pair vocabulary: {error}") from error
        if not isinstance(ids, dict) or sorted(ids.values()) != list(range(len(ids))):
            raise InputError(f"{path}: must map tokens to the ids 0, 1, 2, ... without gaps")
        merges = [line for line in lines if line and not line.startswith("#version")]
        tokens = tuple(sorted(ids, key=ids.get))
        return cls(Vocabulary(tokens, SPECIAL_TOKENS, source=str(path)), merges)

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
