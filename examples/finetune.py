"""Fine-tunes a classifier by `model.fit`: python examples/finetune.py MODEL TASK OUTPUT

MODEL is a model directory; TASK holds train.jsonl and dev.jsonl with the fields text and label.
"""

import json
import sys
from pathlib import Path

import keras
import tensorflow as tf

from keras_bert import BertClassifier, BertPreprocessor, BertTokenizer
from keras_bert.training.optimizer import BertAdamW, WarmUpLinearDecay
from keras_bert.training.strategy import make_strategy

source, task, output = sys.argv[1:]
lines = {split: Path(task, f"{split}.jsonl").read_text().splitlines() for split in ("train", "dev")}
rows = {split: [json.loads(line) for line in lines[split]] for split in lines}
labels = sorted({row["label"] for row in rows["train"]})
tokenizer = BertTokenizer.from_checkpoint(source)
preprocessor = BertPreprocessor(tokenizer, sequence_length=128, padding="longest")


def batches(split):
    pairs = [(row["text"], labels.index(row["label"])) for row in rows[split]]
    dataset = tf.data.Dataset.from_tensor_slices(tuple(map(list, zip(*pairs, strict=True))))
    dataset = dataset.shuffle(len(pairs), seed=1) if split == "train" else dataset
    return dataset.batch(16).map(lambda text, label: (preprocessor(text), label)).prefetch(2)


with make_strategy("auto", batch_size=16).scope():
    model = BertClassifier.from_checkpoint(source, labels=labels)
    rate = WarmUpLinearDecay(5e-5, total_steps=3 * len(batches("train")), warmup_steps=10)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(BertAdamW(rate), loss, metrics=["accuracy"])
curves = keras.callbacks.TensorBoard(output)
model.fit(batches("train"), validation_data=batches("dev"), epochs=3, callbacks=[curves])
model.save_checkpoint(f"{output}/model", tokenizer=tokenizer)
