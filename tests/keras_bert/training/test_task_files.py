"""What the options of a command say of a task's files."""

import pytest

from keras_bert.__main__ import main
from keras_bert.errors import InputError
from keras_bert.tasks.file_format import FileFormat
from keras_bert.training.grid import read_grid
from keras_bert.training.options import FILE_OPTIONS, EvaluateOptions, FinetuneOptions
from keras_bert.training.task_files import task_of

SAID = {
    "delimiter": "tab",
    "columns": "a, b",
    "encoding": "utf-16",
    "text_field": "a",
    "label_field": "b",
    "labels": "x,y",
}


def test_options_reach_the_task():
    expected = FileFormat("\t", ("a", "b"), "utf-16", ("a",), "b", ("x", "y"))
    finetune = FinetuneOptions("classification", "data", "init", "output", **SAID)
    evaluate = EvaluateOptions("classification", "data", "model", **SAID)
    assert task_of(finetune).file_format == task_of(evaluate).file_format == expected
    ner = EvaluateOptions("ner", "data", "model", tag_scheme="bmes")
    assert task_of(ner).file_format == FileFormat(tag_scheme="bmes")
    squad = EvaluateOptions("squad-2.0", "data", "model", strict=True)
    assert task_of(squad).file_format.strict


@pytest.mark.parametrize("name", ["delimiter", "columns", "encoding"])
def test_a_prepared_data_set_is_no_file(name):
    options = EvaluateOptions("classification", "tfds:x", "model", **{name: SAID[name]})
    with pytest.raises(InputError, match=f"--{name}.*tfds:x"):
        task_of(options)


def test_wrong_options_end_the_command(capsys):
    command = ["evaluate", "--task", "classification", "--data", "x", "--model", "y"]
    assert main([*command, "--delimiter", ";;"]) == 2
    assert "--delimiter" in capsys.readouterr().err.splitlines()[-1]
    assert main([*command, "--strict"]) == 2
    assert "--strict" in capsys.readouterr().err.splitlines()[-1]


def test_a_grid_does_not_search_them(tmp_path):
    for name in FILE_OPTIONS:
        grid = tmp_path / "grid.json"
        grid.write_text(f'{{"{name}": ["a"]}}')
        with pytest.raises(InputError, match=name):
            read_grid(str(grid))
