"""Pre-trains a small BERT by `model.fit`: python examples/pretrain.py SHARDS OUTPUT [STEPS]

SHARDS is a directory made by `python -m data_gen pretrain`. Watch: tensorboard --logdir OUTPUT
"""

import sys

import tensorflow as tf

from keras_bert import BertConfig, BertPretrainer, BertTokenizer, MaskedLMMasker
from keras_bert.records import read_manifest
from keras_bert.training.losses import pretraining_losses
from keras_bert.training.mask_samples import MaskSamples
from keras_bert.training.optimizer import BertAdamW, WarmUpLinearDecay
from keras_bert.training.pipeline import pretraining_dataset
from keras_bert.training.strategy import make_strategy
from keras_bert.training.telemetry import TensorBoardScalars, Workload

shards, output, steps = sys.argv[1], sys.argv[2], int([*sys.argv, "1000"][3])
batch_size, predictions, log_steps = 32, 20, min(steps, 20)
manifest = read_manifest(shards)
tokenizer = BertTokenizer.from_vocabulary(f"{shards}/vocab.txt", lowercase=manifest.lowercase)
masker = MaskedLMMasker(tokenizer.vocabulary, predictions)
dataset = pretraining_dataset(shards, manifest, masker, batch_size=batch_size, seed=1)

with make_strategy("auto", batch_size).scope():
    config = BertConfig.from_name("tiny", vocabulary_size=len(tokenizer.vocabulary))
    model = BertPretrainer(config, next_sentence=manifest.has_pairs)
    rate = WarmUpLinearDecay(1e-3, total_steps=steps, warmup_steps=steps // 10)
    model.compile(BertAdamW(rate), **pretraining_losses(pairs=manifest.has_pairs))

writer, tokens = tf.summary.create_file_writer(output), manifest.statistics["tokens_per_example"]
workload = Workload(config, batch_size, predictions, manifest.sequence_length, tokens)
often = {"every": 100, "log_steps": log_steps, "total_steps": steps}
samples = MaskSamples(writer, next(iter(dataset)), tokenizer.vocabulary, **often)
callbacks = [TensorBoardScalars(writer, workload), samples]
model.fit(dataset, epochs=steps // log_steps, steps_per_epoch=log_steps, callbacks=callbacks)
model.save_checkpoint(f"{output}/model", tokenizer=tokenizer)
