"""The families of tasks, and which of them a model directory belongs to."""

import os
import warnings
from typing import Any

from keras_bert.checkpoints import keras_hub, sentence_transformers
from keras_bert.checkpoints.formats import folder_of, format_of, read_config, read_settings
from keras_bert.config import BertConfig
from keras_bert.errors import InputError, InputWarning
from keras_bert.reading import shown
from keras_bert.tasks.classification import ClassPredictor, LabelsPredictor, ScorePredictor
from keras_bert.tasks.embedding import EmbeddingPredictor
from keras_bert.tasks.fill_mask import FillMaskPredictor
from keras_bert.tasks.multiple_choice import ChoicePredictor
from keras_bert.tasks.predictor import Predictor
from keras_bert.tasks.question_answering import QuestionAnsweringPredictor
from keras_bert.tasks.tagging import FeatureTagPredictor, TagPredictor
from keras_bert.text import loading
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.text.vocabulary import Vocabulary

# Tables are padded to multiples of 8 to 128.
_SUSPICIOUS_PADDING = 1024

FAMILIES: dict[str, type[Predictor]] = {
    family.name: family
    for family in (
        ClassPredictor,
        LabelsPredictor,
        ScorePredictor,
        QuestionAnsweringPredictor,
        ChoicePredictor,
        EmbeddingPredictor,
        TagPredictor,
        FeatureTagPredictor,
        FillMaskPredictor,
    )
}


def load_predictor(directory: str | os.PathLike) -> Predictor:
    """Reads a model directory of any family: the model, its tokenizer and its options.

    A directory that was written by other software is told by `architectures` and `problem_type`.

    Raises:
        InputError: If it is neither a fine-tuned model's directory nor that of a model with the
            masked-language-model head, its vocabulary is another model's, or its weights lack a
            head: what is drawn at random answers nothing.
    """
    family, options = family_of(directory)
    tokenizer = load_tokenizer(directory)
    if not family.model_class.new_heads:
        return family(family.model_class.from_checkpoint(directory), tokenizer, **options)
    checkpoint = format_of(directory).read(directory)
    model = family.model_class.from_checkpoint(checkpoint)
    if missing := checkpoint.heads_for(model).new:
        raise InputError(
            f"{checkpoint.place}: must have the heads of the family {family.name}; it lacks "
            f"{', '.join(missing)}: train it first"
        )
    return family(model, tokenizer, **options)


def family_of(directory: str | os.PathLike) -> tuple[type[Predictor], dict]:
    """Returns the family of a model directory and its options.

    Raises:
        InputError: If it is neither a fine-tuned model's directory nor that of a model with the
            masked-language-model head.
    """
    settings = read_settings(directory)
    said = dict((settings.get("task_specific_params") or {}).get("keras_bert") or {})
    if said:
        name = said.pop("family", None)
        if not isinstance(name, str) or name not in FAMILIES:
            raise InputError(
                f"{directory}: the family of tasks must be one of {', '.join(FAMILIES)}. "
                f"Received: {name!r}"
            )
        _check_options(FAMILIES[name], said, f"{directory}: task_specific_params.keras_bert")
        return FAMILIES[name], said
    if sentence_transformers.is_sentence_encoder(directory):
        return EmbeddingPredictor, {}
    architectures = settings.get("architectures") or []
    for family in FAMILIES.values():
        if family.describes(settings):
            return family, {}
    raise InputError(
        f"{directory}: not a fine-tuned model. Received: architectures={architectures}"
    )


def _check_options(family: type[Predictor], options: dict[str, Any], place: str) -> None:
    """Checks options that a file says, by their defaults' types."""
    for name, value in options.items():
        if name not in family.defaults:
            raise InputError(
                f"{place}: the options of {family.name} are "
                f"{', '.join(family.defaults) or 'none'}. Received: {name}"
            )
        default = family.defaults[name]
        kinds = (int, float) if isinstance(default, float) else (type(default),)
        if default is not None and type(value) not in kinds:
            raise InputError(
                f"{place}: `{name}` must be of type {type(default).__name__}. "
                f"Received: {name}={shown(value)}"
            )


def load_tokenizer(directory: str | os.PathLike) -> BertTokenizer:
    """Reads the tokenizer of a model directory and checks that it belongs to the model.

    Raises:
        InputError: If the vocabulary is missing, or has more tokens than the model. A model may
            have more: its table is padded then.
    """
    config = read_config(directory)
    tokenizer = read_tokenizer(directory)
    if tokenizer is None:
        raise InputError(f"{directory}: has no vocabulary (vocab.txt or tokenizer.json)")
    check_table(tokenizer, config, directory)
    # Compares the other keys of that file, whose length the tokenizer has.
    sentence_transformers.sequence_length(folder_of(directory))
    return tokenizer


def check_table(tokenizer: BertTokenizer, config: BertConfig, place: str | os.PathLike) -> None:
    """Checks that a model has a row for each token.

    Raises:
        InputError: If there are fewer rows than tokens.
    """
    if len(tokenizer.vocabulary) > config.vocabulary_size:
        raise InputError(
            f"{place}: the vocabulary has {len(tokenizer.vocabulary)} tokens, but the model was "
            f"made for {config.vocabulary_size}: it belongs to another vocabulary; "
            "`python -m keras_bert resize` adds tokens to a model"
        )
    if config.vocabulary_size - len(tokenizer.vocabulary) >= _SUSPICIOUS_PADDING:
        warnings.warn(
            f"{place}: the vocabulary has {len(tokenizer.vocabulary)} tokens, the model "
            f"{config.vocabulary_size} rows for them: it may be another model's vocabulary",
            InputWarning,
            stacklevel=3,
        )


def read_tokenizer(
    path: str | os.PathLike, *, lowercase: bool | None = None
) -> BertTokenizer | None:
    """Reads the tokenizer beside a checkpoint of any format, or None where there is none.

    Args:
        path: Of the checkpoint.
        lowercase: bool or None. For folders that do not say it.

    Raises:
        InputError: If it is damaged, not one of WordPieces, or says otherwise than `lowercase`.
    """
    if format_of(path) is keras_hub:
        found = keras_hub.read_vocabulary(path)
        return found and BertTokenizer(Vocabulary(found[0], source=str(path)), lowercase=found[1])
    folder = folder_of(path)
    if not loading.holds_tokenizer(folder):
        return None
    tokenizer = loading.load_tokenizer(folder, lowercase=lowercase)
    if not isinstance(tokenizer, BertTokenizer):
        raise InputError(
            f"{path}: the tokenizer must be one of WordPieces, as BERT's. "
            f"Received: {type(tokenizer).__name__}"
        )
    return tokenizer
