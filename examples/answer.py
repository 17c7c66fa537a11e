"""Asks a SavedModel of a classifier; needs nothing but TensorFlow and tensorflow-text.

python examples/answer.py exported/1 "one text" "another text"
"""

import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf
import tensorflow_text  # noqa: F401 - registers the text operations of the graph

directory, *texts = sys.argv[1:]
model = tf.saved_model.load(directory)
reply = model.signatures["serving_default"](text=tf.constant(texts))
for text, label, probabilities in zip(
    texts, reply["label"].numpy(), reply["probabilities"].numpy(), strict=True
):
    print(f"{label.decode():>12}  {probabilities.max():.2f}  {text[:80]}")
