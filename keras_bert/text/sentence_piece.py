"""SentencePiece, as ALBERT has it."""

import base64
import os
from pathlib import Path
from typing import Any

import keras
import sentencepiece
import tensorflow_text as tf_text

from keras_bert.atomic import new_file
from keras_bert.errors import InputError
from keras_bert.text.tokenization import Tokenizer
from keras_bert.text.tokenizer_settings import (
    ANY_CLASSES,
    NO_NORMALIZER,
    SPECIAL_KEYS,
    length_of,
    read_added_tokens,
    read_settings,
)
from keras_bert.text.vocabulary import Vocabulary

SPECIAL_TOKENS = ("<pad>", "<unk>", "[CLS]", "[SEP]", "[MASK]")
_CLASSES = ("AlbertTokenizer",)
# Keys of `tokenizer_config.json` that only one value fits: the model itself says what is done.
_ONLY = {
    **NO_NORMALIZER,
    "keep_accents": True,
    "remove_space": True,
    "sp_model_kwargs": None,
    "trim_offsets": False,
}


@keras.saving.register_keras_serializable("keras_bert")
class SentencePieceTokenizer(Tokenizer):
    """Splits strings into the pieces of a SentencePiece unigram model.

    tf-text's `FastSentencepieceTokenizer` does the work; the model is a constant of the graph, so
    that an export needs no file beside it.

    Args:
        model: bytes of a `.model` file, or a str with their base64 code. Its pieces must include
            `special_tokens`.
        special_tokens: sequence of five str: padding, unknown, start, end, mask.

    Raises:
        InputError: If `model` is not a SentencePiece model or lacks a special token.

    Example:

    ```python
    tokenizer = SentencePieceTokenizer.from_file("spiece.model")
    tokenizer(["hello, world!"])
    ```

    References:
        - Kudo and Richardson 2018, arXiv:1808.06226.
        - Lan et al. 2019, arXiv:1909.11942, section 4.1.
    """

    def __init__(
        self,
        model: bytes | str,
        *,
        special_tokens: tuple[str, ...] = SPECIAL_TOKENS,
        **kwargs: Any,
    ):
        model = base64.b64decode(model) if isinstance(model, str) else model
        try:
            reader = sentencepiece.SentencePieceProcessor(model_proto=model)
        except RuntimeError as error:
            raise InputError(f"`model` is not a SentencePiece model: {error}") from error
        tokens = tuple(reader.id_to_piece(index) for index in range(reader.get_piece_size()))
        super().__init__(
            Vocabulary(
                tokens,
                tuple(special_tokens),
                source="the SentencePiece model",
                word_marker="▁",
            ),
            **kwargs,
        )
        self._model = model
        self._pieces = tf_text.FastSentencepieceTokenizer(model)

    @classmethod
    def from_file(
        cls, path: str | os.PathLike, *, special_tokens: tuple[str, ...] = SPECIAL_TOKENS
    ) -> "SentencePieceTokenizer":
        """Reads a `.model` file."""
        try:
            return cls(Path(path).read_bytes(), special_tokens=special_tokens)
        except OSError as error:
            raise InputError(f"{path}: cannot read the model: {error.strerror}") from error

    @classmethod
    def from_checkpoint(cls, directory: str | os.PathLike) -> "SentencePieceTokenizer":
        """Reads the `spiece.model` of a model directory in Hugging Face's layout.

        Raises:
            InputError: If it is missing or damaged, or `tokenizer_config.json` asks for something
                beside it, such as lower case.
        """
        directory = Path(directory)
        settings = read_settings(directory, (*_CLASSES, *ANY_CLASSES), only=_ONLY)
        special = dict(zip(SPECIAL_KEYS, SPECIAL_TOKENS, strict=True))
        special |= {key: settings[key] for key in SPECIAL_KEYS if settings.get(key) is not None}
        path = directory / "spiece.model"
        tokenizer = cls.from_file(path, special_tokens=tuple(special.values()))
        ids = tokenizer.vocabulary.ids
        for token_id, token in read_added_tokens(directory, settings).items():
            if ids.get(token.content) != token_id or token.content not in special.values():
                raise InputError(
                    f"{directory}: added tokens must be the special tokens of the model "
                    f"({' '.join(special.values())}): SentencePieceTokenizer finds no others in "
                    f"the text. Received: {token.content!r} with the id {token_id}"
                )
        tokenizer.sequence_length = length_of(settings)
        return tokenizer

    def save_assets(self, directory: str | os.PathLike) -> None:
        """Writes `spiece.model`."""
        with new_file(Path(directory) / "spiece.model") as temporary:
            temporary.write_bytes(self._model)

    def tokenize_rows(self, text):
        return self._pieces.tokenize(text).with_row_splits_dtype("int64")

    def get_config(self):
        return {
            **super().get_config(),
            "model": base64.b64encode(self._model).decode(),
            "special_tokens": list(self.vocabulary.special_tokens),
        }
