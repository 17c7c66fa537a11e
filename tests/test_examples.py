"""The short scripts of `examples/` run as they stand there."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from data_gen.__main__ import main as data_gen
from keras_bert import BertClassifier, BertPretrainer

EXAMPLES = Path(__file__).parents[1] / "examples"
SHORT = ("pretrain", "finetune")


def run(name, *arguments):
    result = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py"), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]


@pytest.mark.parametrize("name", SHORT)
def test_under_40_lines(name):
    lines = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 40


def test_pretrain_then_finetune(tmp_path):
    text = "\n\n".join(
        "\n".join(f"Number {n} of the {word}s. It is a fine day, {word}." for n in range(40))
        for word in ("module", "function", "tensor", "array", "layer", "model")
    )
    (tmp_path / "corpus.txt").write_text(text)
    corpus = ["--input", f"{tmp_path}/corpus.txt"]
    assert data_gen(["vocab", *corpus, "--output", f"{tmp_path}/vocab.txt", "--size", "120"]) == 0
    shards = ["--vocab", f"{tmp_path}/vocab.txt", "--output", f"{tmp_path}/shards"]
    assert data_gen(["pretrain", *corpus, *shards, "--sequence-length", "32"]) == 0
    run("pretrain", tmp_path / "shards", tmp_path / "pretrained", 4)
    BertPretrainer.from_checkpoint(tmp_path / "pretrained" / "model")
    assert list((tmp_path / "pretrained").glob("events*"))

    (tmp_path / "task").mkdir()
    for split in ("train", "dev"):
        rows = [{"text": f"a {word} day", "label": word} for word in ("fine", "sad")] * 40
        (tmp_path / "task" / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    run("finetune", tmp_path / "pretrained" / "model", tmp_path / "task", tmp_path / "finetuned")
    model = BertClassifier.from_checkpoint(tmp_path / "finetuned" / "model")
    assert list(model.labels) == ["fine", "sad"]
