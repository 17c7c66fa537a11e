"""`python -m keras_bert convert`."""

import dataclasses
import os
from pathlib import Path
from types import ModuleType

import numpy as np

from keras_bert.atomic import new_directory
from keras_bert.checkpoints import keras_hub, model_garden
from keras_bert.checkpoints.checkpoint import Checkpoint, label_settings
from keras_bert.checkpoints.formats import FORMATS, format_of
from keras_bert.errors import InputError
from keras_bert.models.labels import labels_of
from keras_bert.text.loading import holds_tokenizer, load_tokenizer
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.text.vocabulary import SPECIAL_TOKENS, Vocabulary
from keras_bert.training.options import ConvertOptions

_PUBLISHED = ("bert/", "cls/", "output_weights", "output_bias")


def convert(options: ConvertOptions) -> None:
    """Writes a checkpoint in another format: every tensor, bit by bit, and the vocabulary.

    Raises:
        InputError: If the source cannot be read, the destination exists, or its format cannot say
            what the model is.
    """
    destination = Path(options.destination)
    if destination.exists():
        raise InputError(f"{destination}: exists already; choose another destination")
    source = format_of(options.source)
    checkpoint = source.read(options.source)
    tokenizer = _tokenizer_of(options.source, source is keras_hub, lowercase=not options.cased)
    if tokenizer and len(tokenizer.vocabulary) > checkpoint.config.vocabulary_size:
        raise InputError(
            f"{options.source}: the vocabulary has {len(tokenizer.vocabulary)} tokens, the model "
            f"{checkpoint.config.vocabulary_size}"
        )
    target = FORMATS[options.to]
    kept = _kept(checkpoint, target)
    left_out = [checkpoint.name_of(name) for name in checkpoint.arrays if name not in kept.arrays]
    with new_directory(destination) as temporary:
        target.write(kept, temporary)
        if tokenizer and target is keras_hub:
            _check_plain(tokenizer)
            keras_hub.write_vocabulary(tokenizer.vocabulary.tokens, tokenizer.lowercase, temporary)
        elif tokenizer:
            tokenizer.save_assets(temporary)
    print(f"{destination}: {len(kept.arrays)} tensors" + ("" if tokenizer else ", no vocabulary"))
    if left_out:
        print(f"left out, because the format has no equal of them: {', '.join(left_out)}")


def _check_plain(tokenizer: BertTokenizer) -> None:
    """Refuses a tokenizer with settings that a preset of KerasHub cannot say."""
    plain = {"strip_accents": None, "tokenize_chinese_chars": True, "added_tokens": ()}
    for name, value in plain.items():
        if getattr(tokenizer, name) != value:
            raise InputError(
                f"a preset of KerasHub has no place for `{name}` of the tokenizer. "
                f"Received: {name}={getattr(tokenizer, name)}"
            )
    if tokenizer.vocabulary.special_tokens != SPECIAL_TOKENS:
        raise InputError(
            f"a preset of KerasHub must have the special tokens {' '.join(SPECIAL_TOKENS)}. "
            f"Received: {' '.join(tokenizer.vocabulary.special_tokens)}"
        )


def _kept(checkpoint: Checkpoint, target: ModuleType) -> Checkpoint:
    """The tensors that the other format has names for, and the settings that go with them."""
    arrays = {n: array for n, array in checkpoint.arrays.items() if n.startswith(_PUBLISHED)}
    settings = {"architectures": [_architecture(arrays)]}
    if "output_weights" in arrays:
        settings |= label_settings(labels_of(checkpoint))
    settings |= checkpoint.settings
    prefixes = {model_garden: model_garden.PREFIXES, keras_hub: keras_hub.prefixes(settings)}
    kept = prefixes.get(target, _PUBLISHED)
    arrays = {name: array for name, array in arrays.items() if name.startswith(kept)}
    return dataclasses.replace(checkpoint, arrays=arrays, settings=settings)


def _architecture(arrays: dict[str, np.ndarray]) -> str:
    """The model of transformers that has these tensors, for formats that do not name it."""
    if "cls/squad/output_weights" in arrays:
        return "BertForQuestionAnswering"
    if "output_weights" in arrays:
        if "bert/pooler/dense/kernel" not in arrays:
            return "BertForTokenClassification"
        # One score can also be a regression's: the label that goes with it opens it as that too.
        is_score = arrays["output_weights"].shape[1] == 1
        return "BertForMultipleChoice" if is_score else "BertForSequenceClassification"
    if "cls/seq_relationship/output_weights" in arrays:
        return "BertForPreTraining"
    return "BertForMaskedLM" if "cls/predictions/output_bias" in arrays else "BertModel"


def _tokenizer_of(
    source: str | os.PathLike, is_preset: bool, *, lowercase: bool
) -> BertTokenizer | None:
    if is_preset:
        found = keras_hub.read_vocabulary(source)
        return found and BertTokenizer(Vocabulary(found[0], source=str(source)), lowercase=found[1])
    if not holds_tokenizer(source):
        return None
    # Only folders that do not say it are asked: what they say, `--cased` must not contradict.
    return load_tokenizer(source, lowercase=None if lowercase else False)
