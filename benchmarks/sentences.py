"""The sentences of the golden figures, and what sentence-transformers makes of a model's tokens."""

import numpy as np

SENTENCES = [
    "A man is playing a guitar.",
    "Someone plays music on a stringed instrument.",
    "Café Zürich serves naïve crème brûlée — since 1911!",
    "The stock market fell by 3.5 % on Monday, its worst day since March.",
    "你好, world",
    "unaffable antidisestablishmentarianism " * 20,
]


def vectors(sequence_output: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Mean of the tokens, of length 1: what sentence-transformers makes of this model."""
    mask = mask[..., np.newaxis].astype("float32")
    means = (sequence_output * mask).sum(axis=1) / mask.sum(axis=1)
    return means / np.linalg.norm(means, axis=1, keepdims=True)
