"""The losses and metrics of pre-training."""

from typing import Any

import keras


def pretraining_losses(*, pairs: bool = True) -> dict[str, Any]:
    """Returns the arguments of `BertPretrainer.compile` besides the optimizer.

    The loss is the mean over masked tokens, slots of weight 0 left out, plus the mean over next
    sentences.

    Args:
        pairs: bool. False for data without a second segment: the masked tokens alone count.

    Example:

    ```python
    pretrainer.compile(BertAdamW(1e-4), **pretraining_losses())
    ```

    References:
        - `get_masked_lm_output` and `get_next_sentence_output` in `run_pretraining.py` of
          google-research/bert.
    """
    outputs = ("masked_lm_logits", "next_sentence_logits")[: 2 if pairs else 1]
    return {
        "loss": {
            output: keras.losses.SparseCategoricalCrossentropy(
                from_logits=True, reduction="mean_with_sample_weight"
            )
            for output in outputs
        },
        "weighted_metrics": {
            output: [keras.metrics.SparseCategoricalAccuracy(name="accuracy")] for output in outputs
        },
    }


def readable(logs: dict[str, float]) -> dict[str, float]:
    """Renames Keras' logs: `masked_lm_logits_loss` becomes `masked_lm_loss`."""
    return {name.replace("_logits", ""): float(value) for name, value in logs.items()}
