"""TensorFlow's part of `serve.py`: our exports, and KerasHub's with its preprocessor in front.

    python benchmarks/serve_keras.py DIRECTORY

KerasHub is used as its documentation says: `from_preset`, the model's own preprocessor, whose
length is 512 unless told otherwise, and `keras.export.ExportArchive` around both. For questions it
has no model: the classifier's encoder gets a layer of two logits, reads one row of a context and no
windows over all of it, and returns the best places instead of a text.
"""

import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import serve_worker
import tensorflow as tf
import tensorflow_text  # noqa: F401 - registers the text operations of the graphs

INPUTS = {"sst-2": ["text"], "qqp": ["text_a", "text_b"], "squad": ["question", "context"]}
# Of KerasHub's rows where somebody has chosen it well: all of SST-2 and nearly all pairs fit.
LENGTHS = {"sst-2": 64, "qqp": 128, "squad": 384}


def ours(task: str, precision: str, directory: Path) -> serve_worker.Answer:
    loaded = tf.saved_model.load(str(directory / f"ours-{task}-{precision}" / "1"))
    signature = loaded.signatures["pairs" if task == "qqp" else "serving_default"]

    def answer(columns):
        texts = zip(INPUTS[task], columns, strict=True)
        reply = signature(**{name: tf.constant(column) for name, column in texts})
        if task == "squad":
            return [text.decode() for text in reply["answer"].numpy()]
        return reply["probabilities"].numpy()[:, 1].tolist()

    # The signature alone would not keep the variables.
    answer.loaded = loaded
    return answer


def write_keras_hub(task: str, dtype: str, length: int, directory: Path, output: Path) -> None:
    """Exports KerasHub's model as its users do."""
    import keras_hub

    keras.config.set_dtype_policy(dtype)
    source = str(directory / f"keras_hub-{'sst-2' if task == 'squad' else task}")
    preprocessor = keras_hub.models.BertTextClassifierPreprocessor(
        keras_hub.models.BertTokenizer(str(directory / "vocab.txt"), lowercase=True),
        sequence_length=length,
    )
    if task == "squad":
        backbone = keras_hub.models.BertBackbone.from_preset(source)
        inputs = dict(backbone.input)
        model = keras.Model(inputs, keras.layers.Dense(2)(backbone(inputs)["sequence_output"]))
    else:
        model = keras_hub.models.BertTextClassifier.from_preset(source, preprocessor=None)

    def serve(*texts):
        # By name, or a pair would be inputs and targets.
        logits = model(preprocessor(x=texts if len(texts) > 1 else texts[0]))
        if task == "squad":
            return {"places": tf.argmax(logits, axis=1)}
        return {"probabilities": tf.nn.softmax(tf.cast(logits, tf.float32))}

    archive = keras.export.ExportArchive()
    archive.track(model)
    signature = [tf.TensorSpec([None], tf.string, name=name) for name in INPUTS[task]]
    archive.add_endpoint("serve", serve, input_signature=signature)
    archive.write_out(str(output), verbose=False)
    keras.config.set_dtype_policy("float32")


def keras_hub(task: str, dtype: str, length: int, directory: Path) -> serve_worker.Answer:
    export = directory / f"export-keras_hub-{task}-{dtype}-{length}"
    if not export.exists():
        write_keras_hub(task, dtype, length, directory, export)
    loaded = tf.saved_model.load(str(export))

    def answer(columns):
        reply = loaded.serve(*map(tf.constant, columns))
        if task == "squad":
            return reply["places"].numpy().tolist()
        return reply["probabilities"].numpy()[:, 1].tolist()

    return answer


def make(contender: str, task: str, directory: Path) -> serve_worker.Answer:
    if contender == "KerasHub, as documented":
        return keras_hub(task, "float32", 512, directory)
    if contender == "KerasHub, at its best":
        return keras_hub(task, "bfloat16", LENGTHS[task], directory)
    return ours(task, contender.removeprefix("ours, "), directory)


if __name__ == "__main__":
    serve_worker.work(make)
