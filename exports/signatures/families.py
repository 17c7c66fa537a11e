"""Which signatures each family of tasks has."""

from exports.signatures.base import TaskSignatures
from exports.signatures.classification import ClassSignatures, LabelsSignatures, ScoreSignatures
from exports.signatures.embedding import EmbeddingSignatures
from exports.signatures.fill_mask import FillMaskSignatures
from exports.signatures.multiple_choice import ChoiceSignatures
from exports.signatures.question_answering import AnswerSignatures
from exports.signatures.tagging import TagSignatures
from keras_bert.errors import InputError
from keras_bert.tasks.predictor import Predictor

_SIGNATURES: tuple[type[TaskSignatures], ...] = (
    ClassSignatures,
    LabelsSignatures,
    ScoreSignatures,
    EmbeddingSignatures,
    ChoiceSignatures,
    AnswerSignatures,
    TagSignatures,
    FillMaskSignatures,
)


def signatures_of(predictor: Predictor, **arguments) -> TaskSignatures:
    """Returns the signatures of a fine-tuned model.

    Args:
        predictor: `Predictor`.
        **arguments: Of `TaskSignatures`.

    Raises:
        InputError: If its family has none.
    """
    for signatures in _SIGNATURES:
        if isinstance(predictor, signatures.family):
            return signatures(predictor, **arguments)
    names = ", ".join(signatures.family.name for signatures in _SIGNATURES)
    raise InputError(f"only models of {names} can be exported. Received: {predictor.name}")
