"""The families of tasks, and which of them a model directory belongs to."""

import os

from keras_bert.checkpoints import sentence_transformers
from keras_bert.checkpoints.huggingface import read_settings
from keras_bert.config import BertConfig
from keras_bert.errors import InputError
from keras_bert.tasks.classification import ClassPredictor, LabelsPredictor, ScorePredictor
from keras_bert.tasks.embedding import EmbeddingPredictor
from keras_bert.tasks.fill_mask import FillMaskPredictor
from keras_bert.tasks.multiple_choice import ChoicePredictor
from keras_bert.tasks.predictor import Predictor
from keras_bert.tasks.question_answering import QuestionAnsweringPredictor
from keras_bert.tasks.tagging import FeatureTagPredictor, TagPredictor
from keras_bert.text import loading
from keras_bert.text.tokenizer import BertTokenizer

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
            masked-language-model head, or its vocabulary is another model's.
    """
    family, options = family_of(directory)
    tokenizer = load_tokenizer(directory)
    return family(family.model_class.from_checkpoint(directory), tokenizer, **options)


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
        if name not in FAMILIES:
            raise InputError(
                f"{directory}: the family of tasks must be one of {', '.join(FAMILIES)}. "
                f"Received: {name!r}"
            )
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


def load_tokenizer(directory: str | os.PathLike) -> BertTokenizer:
    """Reads the tokenizer of a model directory and checks that it belongs to the model.

    Raises:
        InputError: If the tokenizer is not one of WordPieces, or has more tokens than the model.
    """
    config = BertConfig.from_dict(read_settings(directory))
    tokenizer = loading.load_tokenizer(directory)
    if not isinstance(tokenizer, BertTokenizer):
        raise InputError(
            f"{directory}: the tokenizer must be one of WordPieces, as BERT's. "
            f"Received: {type(tokenizer).__name__}"
        )
    # A model may have more rows than there are tokens: its table is padded then.
    if len(tokenizer.vocabulary) > config.vocabulary_size:
        raise InputError(
            f"{directory}: the vocabulary has {len(tokenizer.vocabulary)} tokens, but the model "
            f"was made for {config.vocabulary_size}: it belongs to another vocabulary"
        )
    return tokenizer
