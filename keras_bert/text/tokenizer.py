"""WordPiece in the TensorFlow graph, with BERT's own normalisation."""

import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import keras
import tensorflow as tf

from keras_bert.errors import InputError
from keras_bert.text.added_tokens import (
    AddedToken,
    AddedTokenSplitter,
    added_tokens_of,
    with_tokens,
)
from keras_bert.text.character_rules import rules_of
from keras_bert.text.normalization import Normalizer
from keras_bert.text.offsets import source_spans
from keras_bert.text.packing import keep_first
from keras_bert.text.ragged import row_ids
from keras_bert.text.tokenization import Tokenizer, flatten, restore
from keras_bert.text.vocabulary import Vocabulary
from keras_bert.text.word_piece_files import read_word_piece
from keras_bert.text.word_piece_writer import write_word_piece
from keras_bert.text.word_pieces import WordPieces

# Bytes to read for each token that is wanted; English has 5, Chinese 3.
_BYTES_PER_TOKEN = 8


@keras.saving.register_keras_serializable("keras_bert")
class BertTokenizer(Tokenizer):
    """Splits strings into WordPiece ids as google-research/bert does.

    Args:
        vocabulary: `Vocabulary` or a sequence of tokens: the WordPieces.
        lowercase: bool. Lower-case, and strip accents: true for uncased models.
        strip_accents: bool or None. Strip accents; None: as `lowercase`.
        tokenize_chinese_chars: bool. Make a word of each Chinese character.
        added_tokens: sequence of `AddedToken` or str. Tokens to find in the text as a whole, before
            it is split; new ones get ids behind those of `vocabulary`, in their order. The special
            tokens of the vocabulary may be among them.
        max_input_chars_per_word: int or None. Characters of the longest word that is not unknown;
            None: 200 with BERT's rules, 100 with those of `tokenizers`.
        character_rules: `"bert"`, the rules of google-research/bert, `"tokenizers"`, those of
            Hugging Face's tokenizers, or None. They part at the final sigma, private characters
            and some rare scripts. None: BERT's, unless `strip_accents` or `tokenize_chinese_chars`
            is one that it does not have.
        sequence_length: int or None. The length a model was trained with; the tokenizer only
            remembers it in `tokenizer_config.json` (`model_max_length`).
        special_tokens_in_text: bool. Whether `"[MASK]"` and the other special tokens of the
            vocabulary, written so in the text, become their ids. By default they are plain text,
            so that nobody can bring them in.

    Call arguments:
        text: strings of any shape: a string, a list, a NumPy array, a tensor or a ragged tensor.

    Returns:
        An int32 `tf.RaggedTensor` of shape `(..., tokens)`; a dense vector `(tokens,)` for one
        string.

    Raises:
        InputError: If the vocabulary or another argument is not valid.

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
        vocabulary: Vocabulary | Mapping[str, Any] | Sequence[str],
        *,
        lowercase: bool = True,
        strip_accents: bool | None = None,
        tokenize_chinese_chars: bool = True,
        added_tokens: Iterable[AddedToken | Mapping[str, Any] | str] = (),
        max_input_chars_per_word: int | None = None,
        character_rules: str | None = None,
        sequence_length: int | None = None,
        special_tokens_in_text: bool = False,
        **kwargs: Any,
    ):
        added_tokens = added_tokens_of(added_tokens)
        vocabulary, word_pieces = _with_new_tokens(vocabulary, added_tokens)
        super().__init__(vocabulary, **kwargs)
        for name, value in (
            ("lowercase", lowercase),
            ("tokenize_chinese_chars", tokenize_chinese_chars),
            ("strip_accents", strip_accents),
        ):
            if type(value) is not bool and (name, value) != ("strip_accents", None):
                raise InputError(f"`{name}` must be a bool. Received: {name}={value!r}")
        if character_rules is None:
            as_bert = strip_accents in (None, lowercase) and tokenize_chinese_chars
            character_rules = "bert" if as_bert else "tokenizers"
        rules = rules_of(character_rules)
        if max_input_chars_per_word is None:
            max_input_chars_per_word = rules.max_characters
        self.lowercase = lowercase
        self.strip_accents = strip_accents
        self.tokenize_chinese_chars = tokenize_chinese_chars
        self.max_input_chars_per_word = max_input_chars_per_word
        self.character_rules = character_rules
        self.sequence_length = sequence_length
        self.special_tokens_in_text = special_tokens_in_text
        # Not plain attributes: Keras would wrap tuples in tracking containers.
        self._added_tokens = added_tokens
        self._word_pieces = word_pieces
        self._split_words = WordPieces(
            word_pieces,
            rules,
            tokenize_chinese_chars=tokenize_chinese_chars,
            max_characters=max_input_chars_per_word,
        )
        self._normalize = Normalizer(lowercase, strip_accents, character_rules)
        self._find_raw = self._find_normalized = None
        self._find_added_tokens()

    @property
    def added_tokens(self) -> tuple[AddedToken, ...]:
        """The tokens that are found in the text as a whole."""
        return self._added_tokens

    @property
    def word_pieces(self) -> Vocabulary:
        """The vocabulary without tokens that were added behind it."""
        return self._word_pieces

    @classmethod
    def from_vocabulary(cls, path: str | os.PathLike, *, lowercase: bool = True) -> "BertTokenizer":
        """Reads a `vocab.txt`."""
        return cls(Vocabulary.from_file(path), lowercase=lowercase)

    @classmethod
    def from_checkpoint(
        cls, directory: str | os.PathLike, *, lowercase: bool | None = None
    ) -> "BertTokenizer":
        """Reads the tokenizer of a model directory of this package, transformers or Google.

        Args:
            directory: str or path. Holds `vocab.txt` or `tokenizer.json` or both, and
                `tokenizer_config.json` or not.
            lowercase: bool or None. For directories that do not say it, such as Google's.

        Raises:
            InputError: If a file is missing or damaged, says something that this tokenizer cannot
                do, or two files contradict each other.
        """
        return cls(**read_word_piece(directory, lowercase))

    def save_assets(self, directory: str | os.PathLike) -> None:
        """Writes `vocab.txt` and `tokenizer_config.json`, as Hugging Face does.

        `tokenizer.json` stands beside them where they cannot say everything: with added tokens,
        with the rules of tokenizers, or with another longest word.
        """
        write_word_piece(self, directory)

    def with_options(self, **options: Any) -> Self:
        """Returns a tokenizer like this one with other arguments.

        Example:

        ```python
        tokenizer.with_options(special_tokens_in_text=True)("the [MASK] ran")
        ```
        """
        config = {**self.get_config(), "dtype": self.dtype_policy, **options}
        # Two layers of a model must not have one name.
        config.pop("name")
        return type(self)(**config)

    def add_tokens(self, tokens: Iterable[AddedToken | str]) -> Self:
        """Returns a tokenizer that finds further tokens in the text as a whole.

        A token that the vocabulary has keeps its id and is never split from now on; new ones get
        ids behind all others, in the order given, so that `model.resize_token_embeddings` fits the
        model. This tokenizer stays as it is and still tells the pieces of a new word.

        Args:
            tokens: sequence of `AddedToken` or str. A str is found in normalised text, inside
                words too, as where transformers adds it.

        Raises:
            InputError: If `tokens` is not a list of tokens, or one of them is empty.

        Example:

        ```python
        larger = tokenizer.add_tokens(["covid-19", AddedToken("[E1]", normalized=False)])
        tokenizer("covid-19")       # the pieces that "covid-19" has had so far
        larger("COVID-19")          # one id
        ```
        """
        return self.with_options(added_tokens=(*self.added_tokens, *added_tokens_of(tokens)))

    def tokenize_rows(self, text):
        return self._tokenize(text)[0]

    def first_tokens(self, text, count):
        if not self._may_cut:
            return super().first_tokens(text, count)
        # The beginning of a long string usually holds enough tokens; it is cut where it cannot
        # change them. Where it does not hold enough, the whole string is read.
        size = count * _BYTES_PER_TOKEN
        cut = tf.strings.length(text) > size
        places = tf.where(cut)
        beginning = tf.strings.substr(tf.gather_nd(text, places), 0, size)
        # The last character may be cut; invalid bytes do not count in any case.
        beginning = tf.strings.unicode_transcode(
            beginning, "UTF-8", "UTF-8", errors="ignore", replace_control_characters=False
        )
        shortened = tf.strings.regex_replace(beginning, self._unfinished_word, "")
        tokens = self.tokenize_rows(tf.tensor_scatter_nd_update(text, places, shortened))
        places = tf.where(tf.logical_and(cut, tokens.row_lengths() < count))
        whole = self.tokenize_rows(tf.gather_nd(text, places))
        order = tf.tensor_scatter_nd_update(
            tf.range(tokens.nrows()), places, tokens.nrows() + tf.range(whole.nrows())
        )
        tokens = tf.gather(tf.concat([tokens, whole], axis=0), order)
        return keep_first(tokens, tf.fill([tokens.nrows()], tf.constant(count, tf.int64)))

    def tokenize_with_offsets(self, text):
        """Tokenizes and says which bytes of the given strings each token stands for.

        Args:
            text: strings of any shape.

        Returns:
            Three tensors of the shape that a call returns: the ids, int32, and their starts and
            exclusive ends, int64, in bytes of the string as it was given: before normalisation,
            invalid bytes included. An accent that was stripped belongs to the token before it;
            tokens that come from one character share its span.

        Example:

        ```python
        ids, starts, ends = tokenizer.tokenize_with_offsets("Café!")    # starts [0 5], ends [5 6]
        ```
        """
        text = self.to_strings(text)
        return tuple(restore(text, part) for part in self._tokenize(flatten(text), offsets=True))

    def word_ids(self, token_ids):
        """Numbers the words of each string and says to which of them each token belongs.

        A word is what stands between spaces and punctuation; each punctuation mark and each
        Chinese character is one of its own.

        Args:
            token_ids: int32 tensor or ragged tensor `(..., tokens)`, as a call returns it.

        Returns:
            int32 of the same shape, counted from 0 in each string.
        """
        if isinstance(token_ids, tf.RaggedTensor) and token_ids.ragged_rank > 1:
            return token_ids.with_values(self.word_ids(token_ids.values))
        starts = tf.cast(tf.gather(self.vocabulary.starts_word, token_ids), tf.int32)
        if not isinstance(starts, tf.RaggedTensor):
            return tf.cumsum(starts, axis=-1) - 1
        counted = tf.concat([[0], tf.cumsum(starts.flat_values)], 0)
        before = tf.gather(counted, tf.gather(starts.row_starts(), row_ids(starts)))
        return starts.with_flat_values(counted[1:] - before - 1)

    def _find_added_tokens(self):
        """Prepares the search for added tokens, and for special ones where they may be written."""
        special = self.vocabulary.special_tokens
        tokens = {token.content: token for token in self.added_tokens}
        for content in special:
            token = tokens.pop(content, AddedToken(content, normalized=False, special=True))
            if self.special_tokens_in_text:
                tokens[content] = token
        groups = {True: [], False: []}
        for token in tokens.values():
            groups[token.normalized].append(token)
        if groups[True]:
            self._normalize = dataclasses.replace(
                self._normalize, spaces=True, chinese_spaces=self.tokenize_chinese_chars
            )
        patterns = [token.content for token in groups[True]]
        patterns = [p.decode() for p in self._normalize(tf.constant(patterns, tf.string)).numpy()]
        alike: dict[str, AddedToken] = {}
        for token, pattern in zip(groups[True], patterns, strict=True):
            # Which of two equal ones is found is chance in tokenizers.
            if not pattern or alike.setdefault(pattern, token) is not token:
                raise InputError(
                    "an added token that is normalised must be unlike others afterwards, and not "
                    "empty; leave it out or give it normalized=False. Received: "
                    f"content={token.content!r}, normalised {pattern!r}"
                )
        self._find_raw = self._splitter(groups[False], [t.content for t in groups[False]])
        self._find_normalized = self._splitter(groups[True], patterns)
        # At a space or a Chinese character a text may be cut, if that is no part of a token.
        end = WordPieces.unfinished_word(chinese=self.tokenize_chinese_chars)
        contents = [*tokens, *patterns]
        whole = tf.strings.regex_full_match(tf.constant(contents, tf.string), end).numpy()
        self._unfinished_word, self._may_cut = end, bool(whole.all())

    def _splitter(self, tokens, patterns):
        ids = tuple(self.vocabulary.ids[token.content] for token in tokens)
        return AddedTokenSplitter(tuple(tokens), tuple(patterns), ids) if tokens else None

    def _tokenize(self, text, offsets=False):
        """Returns `[ids]` of strings `(rows,)`, or `[ids, starts, ends]`."""
        if self._find_raw is None:
            return self._tokenize_normalized(text, offsets)
        pieces = self._find_raw(text)
        return _joined(pieces, self._tokenize_normalized(pieces.plain, offsets), text)

    def _tokenize_normalized(self, text, offsets):
        normal = self._normalize(text)
        if self._find_normalized is None:
            parts = self._split_words(normal)
        else:
            pieces = self._find_normalized(normal)
            parts = _joined(pieces, self._split_words(pieces.plain), normal)
        ids, starts, ends = parts
        return [ids, *source_spans(text, starts, ends, self._normalize)] if offsets else [ids]

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary": self.word_pieces.get_config(),
            "lowercase": self.lowercase,
            "strip_accents": self.strip_accents,
            "tokenize_chinese_chars": self.tokenize_chinese_chars,
            "added_tokens": [dataclasses.asdict(token) for token in self.added_tokens],
            "max_input_chars_per_word": self.max_input_chars_per_word,
            "character_rules": self.character_rules,
            "sequence_length": self.sequence_length,
            "special_tokens_in_text": self.special_tokens_in_text,
        }


def _with_new_tokens(
    vocabulary: Vocabulary | Mapping[str, Any] | Sequence[str], added: Sequence[AddedToken]
) -> tuple[Vocabulary, Vocabulary]:
    """Returns the whole vocabulary and that of the WordPieces alone."""
    if isinstance(vocabulary, Vocabulary):
        vocabulary = dataclasses.asdict(vocabulary)
    elif not isinstance(vocabulary, Mapping):
        vocabulary = {"tokens": tuple(vocabulary)}
    tokens = tuple(vocabulary["tokens"])
    known = set(tokens)
    new = [token.content for token in added if token.content not in known]
    whole = Vocabulary(**{**vocabulary, "tokens": (*tokens, *new)})
    return whole, whole if not new else Vocabulary(**vocabulary)


def _joined(pieces, parts, text):
    """Joins what is known of the tokens of pieces: ids, and starts and ends where asked for."""
    rows = tf.size(text, tf.int64)
    shifted = [
        part.with_flat_values(part.flat_values + tf.gather(pieces.start, row_ids(part)))
        for part in parts[1:]
    ]
    of_tokens = (pieces.token, pieces.start, pieces.end)
    return [
        with_tokens(pieces, part, values, rows)
        for part, values in zip([parts[0], *shifted], of_tokens, strict=False)
    ]
