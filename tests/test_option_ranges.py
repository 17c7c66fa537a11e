"""Every number that an option takes has a range, which the command line keeps."""

import json
import math

import pytest

import data_gen.__main__
import exports.__main__
import keras_bert.__main__
from keras_bert.command_line import flag
from keras_bert.ranges import numbers_of

PROGRAMS = {
    "keras_bert": keras_bert.__main__,
    "data_gen": data_gen.__main__,
    "exports": exports.__main__,
}
COMMANDS = [
    (program, name, command)
    for program, module in PROGRAMS.items()
    for name, command in module.COMMANDS.items()
]
NUMBERS = [
    pytest.param(program, command, name, kind, bounds, id=f"{program}-{command_name}-{name}")
    for program, command_name, command in COMMANDS
    for name, (kind, bounds) in numbers_of(command.options).items()
]


def test_the_walk_finds_the_numbers():
    names = {f"{parameters.id}" for parameters in NUMBERS}
    assert len(names) > 70
    assert {"keras_bert-pretrain-learning_rate", "data_gen-pretrain-workers"} <= names
    assert {"exports-serve-deadline", "exports-litert-length", "keras_bert-resize-seed"} <= names


@pytest.mark.parametrize(("program", "command", "name", "kind", "bounds"), NUMBERS)
def test_every_number_has_a_range(program, command, name, kind, bounds):
    assert bounds is not None, "give the option a type of keras_bert.ranges"
    assert bounds.least >= 0
    for least in (-1, -math.inf, math.nan, math.inf, 10**30 if kind is int else -1e-300):
        assert bounds.broken_rule(least)


def required(program, name):
    """Arguments without which a command does not begin."""
    arguments = [name]
    for field in PROGRAMS[program].COMMANDS[name].options.__dataclass_fields__.values():
        if field.metadata["positional"]:
            arguments.append("somewhere")
        elif field.default.__class__.__name__ == "_MISSING_TYPE":
            arguments += [flag(field.name), "somewhere"]
    return [*arguments, "--to", "google"] if name == "convert" else arguments


def values_out_of_range(kind, bounds):
    yield from ("-1", "nan", "inf", "1e400", "-inf", "many", "")
    if kind is int:
        yield from ("1.5", "true", str(10**20))
    if bounds.broken_rule(0):
        yield "0"
    if bounds.most < 2**63 and math.isfinite(bounds.most):
        yield str(bounds.most if bounds.open_above else bounds.most + 1)


def line_of(main, arguments, capsys):
    try:
        code = main(arguments)
    except SystemExit as error:
        code = error.code
    assert code == 2
    captured = capsys.readouterr()
    assert not captured.out
    (line,) = captured.err.splitlines()
    assert line.startswith("error: ")
    return line


@pytest.mark.parametrize(
    ("program", "name", "command"), COMMANDS, ids=lambda part: part if isinstance(part, str) else ""
)
def test_values_out_of_range_end_in_one_line(program, name, command, tmp_path, capsys):
    main = PROGRAMS[program].main
    given = required(program, name)
    for option, (kind, bounds) in numbers_of(command.options).items():
        for value in values_out_of_range(kind, bounds):
            line = line_of(main, [*given, f"{flag(option)}={value}"], capsys)
            assert f"`{flag(option)}`" in line
            shown = line.lower().replace("inf", "1e400") if value == "1e400" else line.lower()
            assert value in shown, line


def test_numbers_of_configuration_files(tmp_path, capsys):
    path = tmp_path / "config.json"
    given = required("keras_bert", "finetune")
    for option, value in (
        ("learning_rate", -1),
        ("learning_rate", math.nan),
        ("learning_rate", "1e400"),
        ("batch_size", 1.5),
        ("batch_size", True),
        ("epochs", 0),
        ("seed", -1),
        ("warmup_share", 1.0001),
    ):
        path.write_text(json.dumps({option: value}))
        line = line_of(keras_bert.__main__.main, [*given, "--config", str(path)], capsys)
        assert f"`{flag(option)}`" in line


def test_numbers_of_a_grid(tmp_path, capsys):
    path = tmp_path / "grid.json"
    given = [*required("keras_bert", "finetune"), "--task", "mrpc", "--grid", str(path)]
    given[given.index("--output") + 1] = str(tmp_path / "run")
    for option, value in (
        ("learning_rate", -1e-5),
        ("learning_rate", math.nan),
        ("learning_rate", "1e-5"),
        ("batch_size", 0),
        ("epochs", 2.5),
    ):
        path.write_text(json.dumps({option: [value]}))
        assert keras_bert.__main__.main(given) == 2
        line = capsys.readouterr().err.splitlines()[-1]
        assert str(path) in line
        assert f"`{flag(option)}`" in line
        assert str(value) in line
    path.write_text('{"epochs": [2]}')
    assert keras_bert.__main__.main([*given, "--restarts", "2", "--seed", "4294967295"]) == 2
    assert "--restarts" in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "run").exists()
