"""Names of classes and tags, which travel with a checkpoint."""

from collections.abc import Sequence
from typing import Any

from keras_bert.checkpoints.checkpoint import Checkpoint, label_settings, numbered_labels
from keras_bert.config import BertConfig
from keras_bert.errors import InputError
from keras_bert.models.task_model import TaskModel


def checked_labels(labels: Sequence[str] | None, count: int | None, argument: str) -> list[str]:
    """Returns the names, `LABEL_0` and so on where there is only their number.

    Args:
        labels: sequence of str or None.
        count: int or None. How many there must be; taken from `labels` where those are given.
        argument: str. What a model calls `count`, for the message.

    Raises:
        InputError: If both do not agree, or there are none, or two of them are the same.
    """
    labels = numbered_labels(count or 0) if labels is None else list(labels)
    count = len(labels) if count is None else count
    if count < 1 or len(labels) != count or len(set(labels)) != count:
        raise InputError(
            f"`{argument}` must be at least 1 and `labels`, where given, as many different "
            f"names. Received: {argument}={count}, labels={labels}"
        )
    return labels


def labels_of(checkpoint: Checkpoint) -> list[str] | None:
    """Returns the names that a checkpoint holds, or None if it has neither names nor a head.

    Google's format has no names, and transformers writes none where they are its default for two
    classes: they are then numbered.

    Raises:
        InputError: If the names are not numbered from 0 on.
    """
    if names := checkpoint.settings.get("id2label"):
        places = [str(index) for index in range(len(names))]
        if set(names) != set(places):
            raise InputError(
                f"{checkpoint.place}: `id2label` must have the keys 0 to {len(names) - 1}. "
                f"Received: {', '.join(names)}"
            )
        labels = [names[place] for place in places]
        if len(set(labels)) != len(labels):
            raise InputError(
                f"{checkpoint.place}: `id2label` must have different names. Received: {labels}"
            )
        return labels
    head = checkpoint.arrays.get("output_weights")
    return None if head is None else numbered_labels(head.shape[1])


class LabelledModel(TaskModel):
    """Base of the models whose logits stand for names.

    Args:
        config: `BertConfig`.
        labels: sequence of str. Names of the logits.
        **kwargs: Further arguments of `TaskModel`.
    """

    def __init__(self, config: BertConfig, *, labels: Sequence[str], **kwargs: Any):
        super().__init__(config, **kwargs)
        self.labels = tuple(labels)

    @classmethod
    def _settings_of(cls, checkpoint):
        labels = labels_of(checkpoint)
        return {} if labels is None else {"labels": labels}

    @classmethod
    def _arguments_of(cls, checkpoint, given):
        arguments = super()._arguments_of(checkpoint, given)
        count = given.get("num_classes", given.get("num_tags"))
        if "labels" not in given and count not in (None, len(arguments.get("labels", ()))):
            # The shape of the head says what is wrong then.
            arguments.pop("labels", None)
        return arguments

    def checkpoint_settings(self):
        return {**super().checkpoint_settings(), **label_settings(self.labels)}

    def get_config(self):
        return {**super().get_config(), "labels": list(self.labels)}
