"""Heads that a model takes over from a checkpoint, though they were trained for something else."""

import warnings
from typing import Any

from keras_bert.checkpoints.checkpoint import HEADS, Checkpoint
from keras_bert.errors import InputWarning
from keras_bert.reading import shown

# Those of pre-training are one task's.
_OF_TASKS = (*(head for head in HEADS if head != "cls/"), "cls/squad/")


def warn_of_taken_head(checkpoint: Checkpoint, model: Any) -> None:
    """Warns where a head begins with the weights of other labels or of another task.

    Formats without a place for labels and tasks, as Google's, give no reason to.

    Args:
        checkpoint: `Checkpoint`.
        model: A `BertModel` that was made for it.
    """
    names = (tensor.name for tensor in model.published_tensors())
    if not any(name.startswith(_OF_TASKS) and name in checkpoint.arrays for name in names):
        return
    theirs = checkpoint.settings
    pairs = {
        "architecture": ((theirs.get("architectures") or [None])[0], model.architecture),
        "labels": (_labels(theirs), list(getattr(model, "labels", ()))),
        "problem type": (_problem_type(theirs), getattr(model, "problem_type", None)),
    }
    differences = [
        f"{name} {shown(was)}, not {shown(now)}"
        for name, (was, now) in pairs.items()
        if was and now and was != now
    ]
    if differences:
        warnings.warn(
            f"{checkpoint.place}: the head is taken over from another task: it was trained with "
            f"{', '.join(differences)}; `new_head=True` (`--new-head`) begins with a new head",
            InputWarning,
            # The caller of `from_checkpoint`.
            stacklevel=3,
        )


def _labels(settings: dict[str, Any]) -> list[str] | None:
    names = settings.get("id2label")
    return names and [names[key] for key in sorted(names, key=int)]


def _problem_type(settings: dict[str, Any]) -> str | None:
    if settings.get("problem_type"):
        return settings["problem_type"]
    labels = settings.get("id2label")
    # As transformers has it, where nothing is said.
    return labels and ("regression" if len(labels) == 1 else "single_label_classification")
