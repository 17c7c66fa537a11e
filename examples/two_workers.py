"""Pre-trains one model in several processes by `model.fit`. In two terminals, or on two machines:

python examples/two_workers.py 0 127.0.0.1:2020,127.0.0.1:2021 SHARDS OUTPUT [STEPS]
python examples/two_workers.py 1 127.0.0.1:2020,127.0.0.1:2021 SHARDS OUTPUT [STEPS]
"""

import json
import os
import sys

from keras_bert import BertConfig, BertPretrainer, BertTokenizer, MaskedLMMasker
from keras_bert.records import read_manifest
from keras_bert.training.losses import pretraining_losses
from keras_bert.training.optimizer import BertAdamW
from keras_bert.training.pipeline import distributed_pretraining_dataset
from keras_bert.training.strategy import make_strategy, set_seed

index, addresses, shards, output, steps = [*sys.argv[1:], "100"][:5]
task = {"type": "worker", "index": int(index)}
os.environ["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses.split(",")}, "task": task})
strategy = make_strategy("multi_worker", batch_size=32)  # before all else of TensorFlow
set_seed(1)  # the same on every worker

manifest = read_manifest(shards)
tokenizer = BertTokenizer.from_vocabulary(f"{shards}/vocab.txt", lowercase=manifest.lowercase)
masker = MaskedLMMasker(tokenizer.vocabulary, 20)
data = {"batch_size": 32, "seed": 1}
with strategy.scope():
    config = BertConfig.from_name("tiny", vocabulary_size=len(tokenizer.vocabulary))
    model = BertPretrainer(config, next_sentence=manifest.has_pairs)
    model.compile(BertAdamW(1e-3), **pretraining_losses(pairs=manifest.has_pairs))
# Each worker reads its part of each batch.
dataset = distributed_pretraining_dataset(strategy, shards, manifest, masker, **data)
model.fit(dataset, steps_per_epoch=int(steps), verbose=2)
model.save_checkpoint(f"{output}/worker-{index}", tokenizer=tokenizer)
