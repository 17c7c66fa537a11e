"""Pre-trains and can be stopped at any time: python examples/resume.py SHARDS OUTPUT [STEPS]

Stop it by Ctrl-C or `kill -9` and start it again by the same command: it goes on from the newest
checkpoint and ends with the same bits as if never stopped; a finished run goes on with more STEPS.
"""

import sys

from keras_bert import BertConfig, BertPretrainer, BertTokenizer, MaskedLMMasker
from keras_bert.records import read_manifest
from keras_bert.training.callbacks import ProgressBar
from keras_bert.training.losses import pretraining_losses
from keras_bert.training.optimizer import BertAdamW, WarmUpLinearDecay
from keras_bert.training.pipeline import pretraining_dataset
from keras_bert.training.resumable_training import ResumableTraining
from keras_bert.training.run_directory import RunDirectory
from keras_bert.training.strategy import set_seed

shards, output, steps = sys.argv[1], sys.argv[2], int([*sys.argv, "1000"][3])
manifest = read_manifest(shards)
tokenizer = BertTokenizer.from_vocabulary(f"{shards}/vocab.txt", lowercase=manifest.lowercase)
masker = MaskedLMMasker(tokenizer.vocabulary, 20)
set_seed(1)
config = BertConfig.from_name("tiny", vocabulary_size=len(tokenizer.vocabulary))
model = BertPretrainer(config, next_sentence=manifest.has_pairs)
rate = WarmUpLinearDecay(1e-3, total_steps=steps, warmup_steps=steps // 10)
model.compile(BertAdamW(rate), **pretraining_losses(pairs=manifest.has_pairs))
data = {"batch_size": 32, "seed": 1}
often = {"total_steps": steps, "log_steps": 10, "checkpoint_steps": 50}
with RunDirectory(output, {"steps": steps, **data}, length="steps") as run:
    run.create({"shards": manifest.sha256}, total_steps=steps)
    with ResumableTraining(model, run, tokenizer=tokenizer, **often) as training:
        training.fit(
            steps,
            dataset=lambda n: pretraining_dataset(shards, manifest, masker, first_batch=n, **data),
            callbacks=lambda n: [ProgressBar(steps, examples_per_step=32, title=output, done=n)],
        )
    model.save_checkpoint(run.model, tokenizer=tokenizer)
    run.finish("pre-training", {**training.account(), **training.logs})
