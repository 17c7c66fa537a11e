"""What fine-tuning, evaluation and prediction of classifiers share."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_bert.config import BertConfig
from keras_bert.errors import InputError
from keras_bert.models.classifier import BertClassifier
from keras_bert.tasks.examples import ClassificationExamples
from keras_bert.tasks.task import ClassificationTask
from keras_bert.text.preprocessor import BertPreprocessor
from keras_bert.training.run_directory import load_tokenizer


def examples_dataset(
    examples: ClassificationExamples,
    preprocessor: BertPreprocessor,
    *,
    batch_size: int,
    shuffle_seed: int | None = None,
    start_batch: int = 0,
) -> tf.data.Dataset:
    """Batches of `(features, label)`, each padded to its own longest row if so preprocessed.

    They begin again after the last example, without end.

    Args:
        examples: `ClassificationExamples` with labels.
        preprocessor: `BertPreprocessor`.
        batch_size: int.
        shuffle_seed: int or None. Another order in every epoch; None keeps the order.
        start_batch: int. Batches to leave out at the beginning, of the first epoch and beyond.
    """
    dataset = tf.data.Dataset.from_tensor_slices((examples.texts, examples.labels))
    if shuffle_seed is not None:
        dataset = dataset.shuffle(len(examples), seed=shuffle_seed)
    return (
        dataset.batch(batch_size)
        .repeat()
        .skip(start_batch)
        .map(lambda texts, labels: (preprocessor(texts), labels), tf.data.AUTOTUNE)
        .prefetch(tf.data.AUTOTUNE)
    )


def probabilities_function(model: BertClassifier, preprocessor: BertPreprocessor) -> Callable:
    """Returns a graph function from texts to class probabilities, float32 `(batch, classes)`.

    Tracing it takes seconds: make it once for all batches.
    """
    return tf.function(
        lambda texts: tf.nn.softmax(model(preprocessor(texts), training=False)),
        reduce_retracing=True,
    )


def predict_probabilities(
    model: BertClassifier,
    preprocessor: BertPreprocessor,
    texts: list[str] | tuple[list[str], list[str]],
    *,
    batch_size: int,
) -> np.ndarray:
    """Returns class probabilities, float32 `(examples, classes)`."""
    step = probabilities_function(model, preprocessor)
    dataset = tf.data.Dataset.from_tensor_slices(texts).batch(batch_size)
    return np.concatenate([step(batch).numpy() for batch in dataset])


def score_split(
    task: ClassificationTask,
    model: BertClassifier,
    preprocessor: BertPreprocessor,
    examples: ClassificationExamples,
    *,
    batch_size: int,
) -> dict[str, float]:
    """Returns the task's metrics on labelled examples."""
    probabilities = predict_probabilities(
        model, preprocessor, examples.texts, batch_size=batch_size
    )
    return task.score(examples.labels, probabilities.argmax(axis=1).tolist())


def load_classifier(
    directory: str | os.PathLike,
) -> tuple[BertClassifier, BertPreprocessor]:
    """Reads a fine-tuned model directory: the model and the text processing it was trained with.

    Raises:
        InputError: If it is not a classifier's directory, or its vocabulary is another model's.
    """
    tokenizer = load_tokenizer(directory)
    model = BertClassifier.from_checkpoint(directory)
    config = BertConfig.from_file(Path(directory) / "config.json")
    sequence_length = min(
        tokenizer.sequence_length or config.max_sequence_length, config.max_sequence_length
    )
    return model, BertPreprocessor(tokenizer, sequence_length, padding="longest")


def check_lengths(sequence_length: int, config: BertConfig) -> None:
    """Checks that the model's position table holds `sequence_length` tokens."""
    if sequence_length > config.max_sequence_length:
        raise InputError(
            "`--sequence-length` must not exceed the model's max_sequence_length. "
            f"Received: {sequence_length} > {config.max_sequence_length}"
        )
