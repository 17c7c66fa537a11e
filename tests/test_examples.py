"""The short scripts of `examples/` run as they stand there."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from data_gen.__main__ import main as data_gen
from keras_bert import BertClassifier, BertPretrainer, BertTokenizer

EXAMPLES = Path(__file__).parents[1] / "examples"
SHORT = ("pretrain", "finetune", "resume", "two_workers")


def start(name, *arguments):
    return subprocess.Popen(
        [sys.executable, str(EXAMPLES / f"{name}.py"), *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(name, *arguments):
    ends_well(start(name, *arguments))


def ends_well(process):
    _, errors = process.communicate()
    assert process.returncode == 0, errors[-2000:]


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    directory = tmp_path_factory.mktemp("examples")
    text = "\n\n".join(
        "\n".join(f"Number {n} of the {word}s. It is a fine day, {word}." for n in range(40))
        for word in ("module", "function", "tensor", "array", "layer", "model")
    )
    (directory / "corpus.txt").write_text(text)
    corpus = ["--input", f"{directory}/corpus.txt"]
    vocabulary = f"{directory}/vocab.txt"
    assert data_gen(["vocab", *corpus, "--output", vocabulary, "--size", "120", "--cased"]) == 0
    shards = ["--vocab", vocabulary, "--output", f"{directory}/shards"]
    assert data_gen(["pretrain", *corpus, *shards, "--sequence-length", "32", "--cased"]) == 0
    return directory / "shards"


def keeps_capitals(model):
    """Whether a model directory says what the shards do, which are cased."""
    return not BertTokenizer.from_checkpoint(model).lowercase


@pytest.mark.parametrize("name", SHORT)
def test_under_40_lines(name):
    lines = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) < 40


@pytest.mark.slow
def test_pretrain_then_finetune(shards, tmp_path):
    run("pretrain", shards, tmp_path / "pretrained", 4)
    BertPretrainer.from_checkpoint(tmp_path / "pretrained" / "model")
    assert keeps_capitals(tmp_path / "pretrained" / "model")
    assert list((tmp_path / "pretrained").glob("events*"))

    (tmp_path / "task").mkdir()
    for split in ("train", "dev"):
        rows = [{"text": f"a {word} day", "label": word} for word in ("fine", "sad")] * 40
        (tmp_path / "task" / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    run("finetune", tmp_path / "pretrained" / "model", tmp_path / "task", tmp_path / "finetuned")
    model = BertClassifier.from_checkpoint(tmp_path / "finetuned" / "model")
    assert list(model.labels) == ["fine", "sad"]
    assert keeps_capitals(tmp_path / "finetuned" / "model")


@pytest.mark.slow
def test_resume(shards, tmp_path):
    run("resume", shards, tmp_path / "whole", 60)
    stopped = start("resume", shards, tmp_path / "stopped", 60)
    for line in stopped.stderr:
        if "step 10/60" in line:
            stopped.send_signal(signal.SIGTERM)
            break
    stopped.communicate()
    assert stopped.returncode == 128 + signal.SIGTERM
    run("resume", shards, tmp_path / "stopped", 60)
    whole, other = (tmp_path / name / "model/model.safetensors" for name in ("whole", "stopped"))
    assert whole.read_bytes() == other.read_bytes()
    assert keeps_capitals(whole.parent)


@pytest.mark.slow
def test_two_workers(shards, tmp_path):
    ports = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    addresses = ",".join(f"127.0.0.1:{port.getsockname()[1]}" for port in ports)
    for port in ports:
        port.close()
    workers = [start("two_workers", index, addresses, shards, tmp_path, 2) for index in range(2)]
    for worker in workers:
        ends_well(worker)
    first, second = (tmp_path / f"worker-{index}" / "model.safetensors" for index in range(2))
    assert first.read_bytes() == second.read_bytes()
    assert keeps_capitals(first.parent)
