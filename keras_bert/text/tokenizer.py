"""WordPiece in the TensorFlow graph, with BERT's own normalisation."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
import tensorflow_text as tf_text

from keras_bert.atomic import write_json
from keras_bert.errors import InputError
from keras_bert.text.layer import TextLayer
from keras_bert.text.normalization import normalize
from keras_bert.text.vocabulary import SPECIAL_TOKENS, UNKNOWN, Vocabulary

# A word of more than 200 characters is [UNK] in the reference.
_LONGEST_WORD = 200


@keras.saving.register_keras_serializable("keras_bert")
class BertTokenizer(TextLayer):
    """Splits strings into WordPiece ids as google-research/bert does.

    Special tokens written in the text (`"[MASK]"`) are plain text.

    Args:
        vocabulary: `Vocabulary` or a sequence of tokens.
        lowercase: bool. Lower-case and strip accents: true for uncased models.
        sequence_length: int or None. The length a model was trained with; the tokenizer only
            remembers it in `tokenizer_config.json` (`model_max_length`).

    Call arguments:
        text: strings of any shape: a string, a list, a NumPy array or a tensor.

    Returns:
        An int32 `tf.RaggedTensor` of shape `(..., tokens)`; a dense vector `(tokens,)` for one
        string.

    Raises:
        InputError: If the vocabulary is not valid.

    Example:

    ```python
    tokenizer = BertTokenizer.from_vocabulary("vocab.txt", lowercase=True)
    tokenizer(["Hello, world!"])        # <tf.RaggedTensor [[7592, 1010, 2088, 999]]>
    ```

    References:
        - `FullTokenizer` in `tokenization.py` of google-research/bert.
        - Song et al. 2021, arXiv:2012.15524 (the linear-time algorithm of tf-text).
    """

    def __init__(
        self,
        vocabulary: Vocabulary | Sequence[str],
        *,
        lowercase: bool = True,
        sequence_length: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if not isinstance(vocabulary, Vocabulary):
            vocabulary = Vocabulary(tuple(vocabulary))
        # Not a plain attribute: Keras would wrap the tuple of tokens in a tracking container.
        self._vocabulary = vocabulary
        self.lowercase = lowercase
        self.sequence_length = sequence_length
        self._wordpiece = tf_text.FastWordpieceTokenizer(
            list(vocabulary.tokens),
            max_bytes_per_word=_LONGEST_WORD,
            token_out_type=tf.int32,
            unknown_token=UNKNOWN,
        )

    @property
    def vocabulary(self) -> Vocabulary:
        return self._vocabulary

    @classmethod
    def from_vocabulary(cls, path: str | os.PathLike, *, lowercase: bool = True) -> "BertTokenizer":
        """Reads a `vocab.txt`."""
        return cls(Vocabulary.from_file(path), lowercase=lowercase)

    @classmethod
    def from_checkpoint(cls, directory: str | os.PathLike) -> "BertTokenizer":
        """Reads `vocab.txt` and, where present, `tokenizer_config.json` of a model directory.

        Raises:
            InputError: If the vocabulary is missing or the configuration asks for a normalisation
                that BERT does not have.
        """
        directory = Path(directory)
        settings: dict[str, Any] = {}
        path = directory / "tokenizer_config.json"
        if path.exists():
            try:
                settings = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise InputError(f"{path}: not JSON: {error}") from error
        lowercase = settings.get("do_lower_case", True)
        if settings.get("strip_accents") not in (None, lowercase):
            raise InputError(
                f"{path}: `strip_accents` must equal `do_lower_case`, as in BERT. "
                f"Received: strip_accents={settings['strip_accents']}"
            )
        length = settings.get("model_max_length")
        return cls(
            Vocabulary.from_file(directory / "vocab.txt"),
            lowercase=lowercase,
            # Hugging Face writes 10^30 where no length was set.
            sequence_length=length if isinstance(length, int) and length < 1 << 30 else None,
        )

    def save_assets(self, directory: str | os.PathLike) -> None:
        """Writes `vocab.txt` and `tokenizer_config.json`, as in Hugging Face's layout."""
        directory = Path(directory)
        self.vocabulary.save(directory / "vocab.txt")
        names = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
        settings = {
            "tokenizer_class": "BertTokenizer",
            "do_lower_case": self.lowercase,
            **dict(zip(names, SPECIAL_TOKENS, strict=True)),
        }
        if self.sequence_length:
            settings["model_max_length"] = self.sequence_length
        write_json(directory / "tokenizer_config.json", settings)

    def call(self, text):
        text = self.to_strings(text)
        scalar = isinstance(text, tf.Tensor) and text.shape.rank == 0
        if scalar:  # tf-text fails on rank 0.
            text = text[tf.newaxis]
        token_ids = self._wordpiece.tokenize(normalize(text, lowercase=self.lowercase))
        return token_ids[0] if scalar else token_ids

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary": list(self.vocabulary.tokens),
            "lowercase": self.lowercase,
            "sequence_length": self.sequence_length,
        }
