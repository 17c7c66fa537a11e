"""`tokenizer.json`, in which Hugging Face's tokenizers keep a whole tokenizer.

What BERT's tokenizer can do exactly is read; anything else is refused by the place where it stands.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from keras_bert.errors import InputError
from keras_bert.reading import read_json_object, shown
from keras_bert.text.added_tokens import AddedToken
from keras_bert.text.tokenizer_settings import added_token, put_token

TOKENIZER = "tokenizer.json"
_KEYS = (
    *("version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer"),
    *("post_processor", "decoder", "model"),
)


@dataclasses.dataclass(frozen=True)
class TokenizerFile:
    """The contents of a `tokenizer.json`; see `read_tokenizer_file`."""

    path: Path
    values: dict[str, Any]

    @property
    def kind(self) -> str:
        """`WordPiece`, `BPE`, `Unigram` or another; files of 2020 do not say it."""
        model = self.part("model")
        if "type" not in model and "continuing_subword_prefix" in model:
            return "BPE" if "merges" in model else "WordPiece"
        return str(model.get("type"))

    def part(self, key: str) -> Mapping[str, Any]:
        """Returns an object of the file; an empty one where it is null.

        Raises:
            InputError: If it is something else.
        """
        value = self.values.get(key)
        if value is not None and not isinstance(value, Mapping):
            raise self.error(key, "an object", value)
        return value or {}

    def error(self, place: str, rule: str, value: Any) -> InputError:
        """Returns the error for a place of the file."""
        return InputError(f"{self.path}: `{place}` must be {rule}. Received: {shown(value)}")

    def check_keys(self, place: str, value: Mapping[str, Any], known: tuple[str, ...]) -> None:
        """Refuses keys that are not known, unless they ask for nothing.

        Raises:
            InputError: Naming the first.
        """
        for key in value:
            if key not in known and value[key] not in (None, "", [], {}):
                raise self.error(
                    f"{place}.{key}" if place else key, "left out: it is unknown", value[key]
                )

    def check(self, place: str, key: str, allowed: tuple, value: Mapping[str, Any]) -> None:
        """Refuses other values of a key.

        Raises:
            InputError: Naming the place.
        """
        if not any(value.get(key) is one or value.get(key) == one for one in allowed):
            rule = " or ".join("null" if one is None else repr(one) for one in allowed)
            raise self.error(f"{place}.{key}", rule, value.get(key))

    def steps(self, key: str, inner: str) -> Iterator[Mapping[str, Any]]:
        """Yields the steps of a sequence of normalizers or the like."""
        waiting = [self.part(key)]
        while waiting:
            step = waiting.pop(0)
            if not isinstance(step, Mapping):
                raise self.error(key, "an object", step)
            if step.get("type") != "Sequence":
                if step:
                    yield step
                continue
            if not isinstance(step.get(inner), list):
                raise self.error(f"{key}.{inner}", "a list", step.get(inner))
            waiting = [*step[inner], *waiting]

    def added_tokens(self) -> dict[int, AddedToken]:
        """Returns the added tokens by their ids."""
        values = self.values.get("added_tokens") or []
        if not isinstance(values, list):
            raise self.error("added_tokens", "a list", values)
        found: dict[int, AddedToken] = {}
        for value in values:
            token = added_token(self.path, value)
            put_token(found, self.path, value.get("id"), token)
        return found

    def ids(self) -> dict[str, int]:
        """Returns `model.vocab`.

        Raises:
            InputError: If it does not map tokens to different ids.
        """
        ids = self.part("model").get("vocab")
        if not isinstance(ids, Mapping) or not ids:
            raise self.error("model.vocab", "an object of tokens and their ids", ids)
        seen: dict[int, str] = {}
        for token, token_id in ids.items():
            if type(token_id) is not int or token_id < 0:
                raise self.error(f"model.vocab[{token!r}]", "an id from 0", token_id)
            if token_id in seen:
                raise InputError(
                    f"{self.path}: two tokens of `model.vocab` have one id. "
                    f"Received: {token_id} for {seen[token_id]!r} and {token!r}"
                )
            seen[token_id] = token
        return dict(ids)

    def check_calls(self, pad: tuple[str, int] | None = None) -> None:
        """Checks how rows are cut and padded: only at the right, with the padding token.

        Args:
            pad: The padding token and its id.

        Raises:
            InputError: If it is otherwise.
        """
        if truncation := self.part("truncation"):
            self.check("truncation", "direction", ("Right", None), truncation)
        if padding := self.part("padding"):
            self.check("padding", "direction", ("Right", None), padding)
            self.check("padding", "pad_type_id", (0, None), padding)
            if pad:
                self.check("padding", "pad_token", (pad[0], None), padding)
                self.check("padding", "pad_id", (pad[1], None), padding)

    def template(self) -> dict[str, str]:
        """Returns the tokens that begin and end a row, `cls_token` and `sep_token`, where it says.

        Raises:
            InputError: If rows are not `[CLS] a [SEP]` and `[CLS] a [SEP] b [SEP]` with segment
                ids 0 and, from the second text on, 1.
        """
        processor = self.part("post_processor")
        kind = processor.get("type")
        if not processor:
            return {}
        if kind == "BertProcessing":
            found = {f"{key}_token": processor.get(key) for key in ("cls", "sep")}
            if all(isinstance(pair, list) and len(pair) == 2 for pair in found.values()):
                return {key: str(token) for key, (token, _) in found.items()}
            raise self.error("post_processor", "of BERT", processor)
        if kind != "TemplateProcessing":
            raise self.error(
                "post_processor.type", "'BertProcessing' or 'TemplateProcessing'", kind
            )
        single, pair = (_layout(processor.get(key)) for key in ("single", "pair"))
        cls, sep = (single[0][0], single[-1][0]) if len(single) == 3 else (None, None)
        first = [(cls, 0), ("A", 0), (sep, 0)]
        for place, rows, expected in (
            ("single", single, first),
            ("pair", pair, [*first, ("B", 1), (sep, 1)]),
        ):
            if rows != expected or None in (cls, sep):
                raise self.error(
                    f"post_processor.{place}",
                    "[CLS] A [SEP], and B [SEP] of segment 1 for a pair, as in BERT",
                    processor.get(place),
                )
        return {"cls_token": cls, "sep_token": sep}


def _layout(steps: Any) -> list[tuple[str, int]]:
    """The tokens and texts of a template with their segments."""
    try:
        return [
            (step["id"], step["type_id"])
            for outer in steps
            for kind, step in outer.items()
            if kind in ("SpecialToken", "Sequence")
        ]
    except (TypeError, KeyError, AttributeError):
        return []


def read_tokenizer_file(directory: Path) -> TokenizerFile | None:
    """Reads the `tokenizer.json` of a directory, if there is one.

    Raises:
        InputError: If it is damaged or has an unknown part.
    """
    path = directory / TOKENIZER
    if not path.exists():
        return None
    file = TokenizerFile(path, read_json_object(path))
    file.check_keys("", file.values, _KEYS)
    return file


def read_normalizer(file: TokenizerFile) -> dict[str, bool]:
    """Returns the arguments of `BertTokenizer` that the normalizer and the splitting say.

    Raises:
        InputError: If they are not those of BERT.
    """
    found: dict[str, Any] = {}
    lowered = False
    for step in file.steps("normalizer", "normalizers"):
        kind = step.get("type")
        if kind == "Lowercase":
            lowered = True
        elif kind == "BertNormalizer" and not found:
            file.check_keys("normalizer", step, ("type", "clean_text", *_NORMALIZER))
            file.check("normalizer", "clean_text", (True,), step)
            for key in ("handle_chinese_chars", "lowercase"):
                file.check("normalizer", key, (True, False), step)
            file.check("normalizer", "strip_accents", (True, False, None), step)
            found = {name: step.get(key) for key, name in _NORMALIZER.items()}
        else:
            raise file.error("normalizer", "a BertNormalizer, with or without Lowercase", step)
    if not found:
        raise file.error("normalizer", "a BertNormalizer", file.values.get("normalizer"))
    if found["strip_accents"] is None:
        found["strip_accents"] = found["lowercase"]
    found["lowercase"] = found["lowercase"] or lowered
    kinds = [step.get("type") for step in file.steps("pre_tokenizer", "pretokenizers")]
    # Splitting at spaces first changes nothing.
    if not kinds or set(kinds) - {"WhitespaceSplit"} != {"BertPreTokenizer"}:
        raise file.error("pre_tokenizer", "a BertPreTokenizer", file.values.get("pre_tokenizer"))
    return found


_NORMALIZER = {
    "handle_chinese_chars": "tokenize_chinese_chars",
    "strip_accents": "strip_accents",
    "lowercase": "lowercase",
}
