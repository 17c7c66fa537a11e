"""What does a model know of a task before fine-tuning? A linear probe on frozen features.

    python benchmarks/feature_probe.py MODEL SST-2 [4000]

Logistic regressions on a sentence's bag of words, on the mean of its token embeddings, and on the
mean of the embeddings of the same model with random weights; accuracies on the dev file, after
training on the first examples of the train file (`sentence`, tab, `label`).
"""

import sys
from pathlib import Path

import keras
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from keras_bert import BertConfig, BertEncoder, BertPreprocessor, BertTokenizer


def read(path: Path, limit: int | None = None) -> tuple[list[str], list[str]]:
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    return tuple(zip(*rows[:limit], strict=True))


def main() -> None:
    model, data, *limit = sys.argv[1:]
    texts, labels = read(Path(data) / "train.tsv", int(*limit or ["4000"]))
    dev_texts, dev_labels = read(Path(data) / "dev.tsv")
    tokenizer = BertTokenizer.from_checkpoint(model)
    preprocessor = BertPreprocessor(tokenizer, 64)

    def words(texts) -> np.ndarray:
        bags = np.zeros((len(texts), len(tokenizer.vocabulary)), "float32")
        for bag, ids in zip(bags, tokenizer(list(texts)).to_list(), strict=True):
            bag[ids] = 1
        return bags

    def means(encoder: BertEncoder, texts) -> np.ndarray:
        features = preprocessor(list(texts))
        embedded = encoder.embeddings(features["token_ids"], features["segment_ids"]).numpy()
        mask = features["padding_mask"].numpy()[..., np.newaxis]
        return (embedded * mask).sum(axis=1) / mask.sum(axis=1)

    keras.utils.set_random_seed(0)
    probe = LogisticRegression(C=0.3, max_iter=500).fit(words(texts), labels)
    print(f"bag of words        {probe.score(words(dev_texts), dev_labels):.3f}")
    encoders = {
        "trained embeddings": BertEncoder.from_checkpoint(model),
        "random embeddings": BertEncoder(BertConfig.from_file(Path(model) / "config.json")),
    }
    for name, encoder in encoders.items():
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
        probe.fit(means(encoder, texts), labels)
        print(f"{name:<20}{probe.score(means(encoder, dev_texts), dev_labels):.3f}")


if __name__ == "__main__":
    main()
