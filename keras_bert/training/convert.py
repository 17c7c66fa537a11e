"""`python -m keras_bert convert`."""

import dataclasses
from pathlib import Path
from types import ModuleType

import numpy as np

from keras_bert.atomic import new_directory, write_json
from keras_bert.checkpoints import huggingface, keras_hub, model_garden, sentence_transformers
from keras_bert.checkpoints.checkpoint import UNTIED, Checkpoint
from keras_bert.checkpoints.formats import FORMATS, folder_of, format_of
from keras_bert.checkpoints.published import HEAD_NAMES, encoder_shapes
from keras_bert.command_line import resolved
from keras_bert.config import BertConfig
from keras_bert.errors import InputError
from keras_bert.outputs import check_file, check_new_directory
from keras_bert.tasks.families import check_table, read_tokenizer
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.text.vocabulary import SPECIAL_TOKENS
from keras_bert.training.options import ConvertOptions

_OUTPUT = ("output_weights", "output_bias")


def convert(options: ConvertOptions) -> None:
    """Writes a checkpoint in another format: every tensor, bit by bit, and the vocabulary.

    The options are also written to `<destination>.config.json`.

    Raises:
        InputError: If the source cannot be read, the destination exists, its format cannot say
            what the model is, or reading it back gives something else.
    """
    destination = Path(options.destination)
    check_new_directory(options.destination, "destination")
    check_file(f"{destination}.config.json", "destination")
    source = format_of(options.source)
    checkpoint = source.read(options.source)
    tokenizer = read_tokenizer(options.source, lowercase=False if options.cased else None)
    if tokenizer:
        check_table(tokenizer, checkpoint.config, options.source)
    checkpoint.check_encoder()
    target = FORMATS[options.to]
    kept = published_part(checkpoint, target)
    left_out = [checkpoint.name_of(name) for name in checkpoint.arrays if name not in kept.arrays]
    vectors = sentence_transformers.read(folder_of(options.source))
    if vectors and target is not huggingface:
        left_out.append(f"how vectors of texts are made ({vectors})")
    with new_directory(destination) as temporary:
        target.write(kept, temporary)
        compare(kept, target.read(temporary), destination)
        if vectors and target is huggingface:
            width = checkpoint.config.hidden_dim
            sentence_transformers.write(temporary, **vectors, hidden_dim=width)
        if tokenizer and target is keras_hub:
            _check_plain(tokenizer)
            keras_hub.write_vocabulary(tokenizer.vocabulary.tokens, tokenizer.lowercase, temporary)
        elif tokenizer:
            tokenizer.save_assets(temporary)
        # Before the directory has its name: a full disk leaves neither.
        write_json(f"{destination}.config.json", resolved(options))
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


def compare(written: Checkpoint, found: Checkpoint, destination: Path) -> None:
    """Checks that what was written is what a reader finds.

    Raises:
        InputError: If it is not; the message names the first difference.
    """
    names = sorted({*written.arrays, *found.arrays})
    for name in names:
        one, other = written.arrays.get(name), found.arrays.get(name)
        if one is None or other is None or not np.array_equal(one, other, equal_nan=True):
            raise InputError(
                f"{destination}: not written, because reading it back gives another "
                f"{found.name_of(name)} than {written.place} has"
            )
    for field in dataclasses.fields(BertConfig):
        one, other = getattr(written.config, field.name), getattr(found.config, field.name)
        # Of these not every format has a place; they matter to new weights and in training alone.
        if field.name not in ("classifier_dropout", "initializer_range") and one != other:
            raise InputError(
                f"{destination}: not written, because reading it back gives another "
                f"configuration: {field.name}={other}, not {one}"
            )


def published_part(checkpoint: Checkpoint, target: ModuleType) -> Checkpoint:
    """The tensors that the other format has names for, and the settings that go with them."""
    if UNTIED in checkpoint.arrays:
        raise InputError(
            f"{checkpoint.place}: {checkpoint.name_of(UNTIED)} differs from the table of tokens; "
            "`tie_word_embeddings` must be true: no format has a place for both"
        )
    encoder = [name for name, _ in encoder_shapes(checkpoint.config)]
    published = {*encoder, *HEAD_NAMES}
    is_feature_tagger = any(name.startswith("feature_") for name in checkpoint.arrays)
    if is_feature_tagger and target is not huggingface:
        # Its classes stand on an LSTM that the other formats do not have.
        published -= set(_OUTPUT)
    arrays = {
        name: array
        for name, array in checkpoint.arrays.items()
        if name in published or (name.startswith("feature_") and target is huggingface)
    }
    settings = dataclasses.replace(checkpoint, arrays=arrays).whole_settings()
    if target in (model_garden, keras_hub):
        prefixes = keras_hub.prefixes(settings) if target is keras_hub else model_garden.PREFIXES
        arrays = {name: array for name, array in arrays.items() if name.startswith(prefixes)}
    return dataclasses.replace(checkpoint, arrays=arrays, settings=settings)
