"""No command writes over what it reads."""

import os
from pathlib import Path

import pytest

from keras_bert.__main__ import main
from keras_bert.errors import InputError
from keras_bert.models.classifier import BertClassifier
from keras_bert.reading import read_unpacked, recorded_reads
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.training.output_files import check_output_directory, check_outputs

ROWS = "text\tlabel\nthe dog\ta\nthe cat\tb\n"


@pytest.fixture(scope="module")
def model(tmp_path_factory, tiny_config, vocabulary):
    directory = tmp_path_factory.mktemp("model")
    tokenizer = BertTokenizer(vocabulary, sequence_length=16)
    BertClassifier(tiny_config, labels=("a", "b")).save_checkpoint(directory, tokenizer=tokenizer)
    return directory


@pytest.fixture
def data(tmp_path):
    directory = tmp_path / "task"
    directory.mkdir()
    for split in ("train", "dev"):
        (directory / f"{split}.tsv").write_text(ROWS)
    os.symlink(directory / "dev.tsv", tmp_path / "link.tsv")
    os.link(directory / "dev.tsv", tmp_path / "hard.tsv")
    return directory


def content_of(*directories):
    return {
        path: path.read_bytes()
        for directory in directories
        for path in Path(directory).rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("option", ["output", "predictions", "report"])
@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("{data}/dev.tsv", "a file of `--data`"),
        ("{data}/../task/dev.tsv", "a file of `--data`"),
        ("{data}/../link.tsv", "a file of `--data`"),
        ("{data}/../hard.tsv", "a file of `--data`"),
        ("{model}/vocab.txt", "a file of `--model`"),
        ("{model}/config.json", "a file of `--model`"),
        ("{model}/model.safetensors", "a file of `--model`"),
    ],
)
def test_evaluate_replaces_nothing_that_it_reads(option, path, words, data, model, capsys):
    before = content_of(data.parent, model)
    path = path.format(data=data, model=model)
    arguments = [f"--data={data}", f"--model={model}", f"--{option}={path}"]
    assert main(["evaluate", "--task=classification", *arguments]) == 2
    line = capsys.readouterr().err.strip().split("\n")[-1]
    assert line.startswith(f"error: `--{option}` must not be {words}")
    assert path in line
    assert content_of(data.parent, model) == before


def test_evaluate_writes_beside_what_it_reads_twice(data, model):
    arguments = ["evaluate", "--task=classification", f"--data={data}", f"--model={model}"]
    arguments += [f"--output={model}/scores.json", f"--predictions={data}/dev-predictions.tsv"]
    for _ in range(2):
        assert main(arguments) == 0
    assert (data / "dev.tsv").read_text() == ROWS


def test_outputs_are_different_files(tmp_path):
    (tmp_path / "a").write_text("")
    os.symlink(tmp_path / "a", tmp_path / "b")
    for first, second in (("a", "a"), ("a", "b"), ("c", "./c")):
        outputs = {"--output": str(tmp_path / first), "--report": f"{tmp_path}/{second}"}
        with pytest.raises(InputError, match=r"`--report` must not be the file of `--output`"):
            check_outputs(outputs, ())
    check_outputs({"--output": str(tmp_path / "a"), "--report": None}, [tmp_path / "c"])


@pytest.mark.parametrize("name", ["data", "init"])
def test_a_run_is_not_begun_in_what_it_reads(name, data, model, capsys):
    chosen = {"data": data, "init": model}
    before = content_of(data.parent, model)
    arguments = [f"--{option}={path}" for option, path in chosen.items()]
    arguments.append(f"--output={chosen[name]}/.")
    assert main(["finetune", "--task=classification", *arguments]) == 2
    assert f"another directory than `--{name}`" in capsys.readouterr().err
    assert content_of(data.parent, model) == before


def test_directories_that_are_not_there_are_no_inputs(tmp_path):
    check_output_directory(str(tmp_path), data="tfds:glue/mrpc", init=None)


def test_reads_are_recorded_inside_the_block_alone(tmp_path):
    (tmp_path / "a").write_text("a")
    with recorded_reads() as outer:
        read_unpacked(tmp_path / "a")
        with recorded_reads() as inner:
            read_unpacked(tmp_path / "a")
    read_unpacked(tmp_path / "a")
    assert (outer, inner) == ([tmp_path / "a"], [tmp_path / "a"])
