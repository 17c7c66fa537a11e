"""Metrics of classes and numbers."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef


def accuracy(targets: Sequence[int], predictions: Sequence[int]) -> dict[str, float]:
    """The share of examples whose class was found."""
    return {"accuracy": float(accuracy_score(targets, predictions))}


def accuracy_and_f1(targets: Sequence[int], predictions: Sequence[int]) -> dict[str, float]:
    """`accuracy`, and F1 of class 1 of two."""
    return {
        **accuracy(targets, predictions),
        "f1": float(f1_score(targets, predictions, zero_division=0)),
    }


def accuracy_and_macro_f1(targets: Sequence[int], predictions: Sequence[int]) -> dict[str, float]:
    """`accuracy`, and the mean of the classes' F1."""
    return {
        **accuracy(targets, predictions),
        "macro_f1": float(f1_score(targets, predictions, average="macro", zero_division=0)),
    }


def matthews(targets: Sequence[int], predictions: Sequence[int]) -> dict[str, float]:
    """Matthews' correlation, 0 where one class alone was predicted, and `accuracy`."""
    # scikit-learn warns of a single class.
    several = len({*targets, *predictions}) > 1
    value = float(matthews_corrcoef(targets, predictions)) if several else 0.0
    return {"matthews": value, **accuracy(targets, predictions)}


def correlations(targets: Sequence[float], predictions: Sequence[float]) -> dict[str, float]:
    """Pearson's and Spearman's correlation; 0 where all predictions, or targets, are the same."""
    if len(set(targets)) < 2 or len(set(predictions)) < 2:
        return {"pearson": 0.0, "spearman": 0.0}
    return {
        "pearson": float(pearsonr(targets, predictions).statistic),
        "spearman": float(spearmanr(targets, predictions).statistic),
    }


def several_labels(flags: np.ndarray, predictions: np.ndarray) -> dict[str, float]:
    """F1 over all pairs of example and class, F1's mean of the classes, share of exact sets.

    Args:
        flags: booleans `(examples, classes)`.
        predictions: booleans `(examples, classes)`.
    """
    return {
        "micro_f1": float(f1_score(flags, predictions, average="micro", zero_division=0)),
        "macro_f1": float(f1_score(flags, predictions, average="macro", zero_division=0)),
        "accuracy": float(accuracy_score(flags, predictions)),
    }
