import dataclasses
import json
import os
from typing import Literal

import pytest

from keras_bert import command_line
from keras_bert.command_line import Command, check_unused, option, run
from keras_bert.errors import InputError
from keras_bert.ranges import Count, Share

RECEIVED = []


@dataclasses.dataclass(frozen=True)
class Options:
    place: str = option(help="where to go", positional=True)
    how_far: int = option(7, help="distance in steps")
    way: Literal["up", "down"] = option("up", help="direction")
    twice: bool = option(False, help="go there again")
    limit: float | None = option(None, help="largest rate")


def go(options):
    RECEIVED.append(options)
    if options.place == "nowhere":
        raise InputError("`place` must exist.\nReceived: nowhere")


@dataclasses.dataclass(frozen=True)
class Counting(command_line.Options):
    times: Count = option(1, help="number of times")
    rate: Share | None = option(None, help="share of them")


def count(options):
    RECEIVED.append(options)


COMMANDS = {
    "go": Command(Options, f"{__name__}:go", "Go somewhere."),
    "count": Command(Counting, f"{__name__}:count", "Count."),
}


def call(*arguments):
    RECEIVED.clear()
    return run("program", "Goes.", COMMANDS, arguments)


def test_flags_become_options():
    assert call("go", "home", "--how-far", "3", "--twice", "--limit", "0.5") == 0
    assert [Options("home", 3, "up", True, 0.5)] == RECEIVED


def test_resolved_options_are_printed_and_read_back(tmp_path, capsys):
    assert call("go", "home", "--way", "down") == 0
    printed = capsys.readouterr().err.splitlines()[0]
    assert json.loads(printed) == dataclasses.asdict(RECEIVED[0])
    path = tmp_path / "config.json"
    path.write_text(printed)
    assert call("go", "home", "--config", str(path), "--how-far", "9") == 0
    assert [Options("home", 9, "down")] == RECEIVED


def test_wrong_input_is_one_line(capsys):
    assert call("go", "nowhere") == 2
    error = capsys.readouterr().err.splitlines()
    assert error[1:] == ["error: `place` must exist. Received: nowhere"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["go"], "place"),
        (["go", "home", "--way", "left"], "way"),
        (["go", "home", "--how-far", "x"], "how"),
        (["go", "home", "--unknown", "1"], "--unknown"),
        (["stay"], "stay"),
    ],
)
def test_wrong_usage_is_one_line(capsys, arguments, message):
    with pytest.raises(SystemExit) as caught:
        call(*arguments)
    assert caught.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert message in lines[0]


def test_numbers_in_range(capsys):
    assert call("count", "--times", "3", "--rate", "0.5") == 0
    assert [Counting(3, 0.5)] == RECEIVED
    assert call("count", "--times", "0") == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: `--times` must be at least 1. Received: 0"
    )
    with pytest.raises(InputError, match=r"^`--rate` must be from 0 to 1. Received: 2$"):
        Counting(rate=2)
    with pytest.raises(InputError, match=r"^`--times` must be a whole number. Received: 1.0$"):
        dataclasses.replace(Counting(), times=1.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"limit": 0.5}, "`--twice` is off, so `--limit` has no use. Received: 0.5"),
        ({"how_far": 0}, "`--twice` is off, so `--how-far` has no use. Received: 0"),
        ({"way": "down"}, "`--twice` is off, so `--way` has no use. Received: down"),
    ],
)
def test_options_without_use(changes, message):
    check_unused(Options("home"), "limit", "how_far", "way", reason="`--twice` is off")
    with pytest.raises(InputError) as caught:
        check_unused(
            Options("home", **changes), "limit", "how_far", "way", reason="`--twice` is off"
        )
    assert str(caught.value) == message


def test_faults_of_the_program_keep_their_traceback(monkeypatch):
    monkeypatch.setitem(globals(), "go", lambda options: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        call("go", "home")


@dataclasses.dataclass(frozen=True)
class Writing(command_line.Options):
    source: str = option(help="where to read", positional=True)
    output: str = option("", help="where to write")
    batch_size: Count = option(32, help="rows at a time")


def failing(monkeypatch, error):
    def fail(options):
        raise error

    monkeypatch.setitem(globals(), "fail", fail)
    commands = {"fail": Command(Writing, f"{__name__}:fail", "Fail.")}
    return run("program", "Fails.", commands, ["fail", "/in", "--output", "/out/there"])


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError(28, "Full", "/out/there"), "`--output`: /out/there: Full"),
        (OSError(28, "Full", "/out/there/1/x"), "`--output`: /out/there/1/x: Full"),
        (OSError(2, "Missing", b"/in/x"), "`source`: /in/x: Missing"),
        (OSError(2, "Missing", "/inside"), "/inside: Missing"),
        (PermissionError(13, "Denied", "/elsewhere"), "/elsewhere: Denied"),
        (UnicodeDecodeError("utf-8", b"a\xff", 1, 2, "wrong"), "'utf-8' codec can't decode byte"),
        (MemoryError("2 TB"), "too little memory: 2 TB; it takes less with a smaller --batch-size"),
    ],
)
def test_what_the_system_says_is_one_line(monkeypatch, capsys, error, line):
    assert failing(monkeypatch, error) == 2
    errors = capsys.readouterr().err.splitlines()
    assert len(errors) == 2
    assert errors[1].startswith(f"error: {line}")


def test_ctrl_c_is_one_line(monkeypatch, capsys):
    assert failing(monkeypatch, KeyboardInterrupt()) == 130
    assert capsys.readouterr().err.splitlines()[1:] == ["interrupted"]
    assert failing(monkeypatch, KeyboardInterrupt("/out/there: goes on")) == 130
    assert capsys.readouterr().err.splitlines()[1:] == ["interrupted: /out/there: goes on"]


@pytest.mark.parametrize("error", [TypeError("x"), KeyError("x"), OSError(9, "Bad descriptor")])
def test_bugs_keep_their_traceback(monkeypatch, error):
    with pytest.raises(type(error)) as caught:
        failing(monkeypatch, error)
    assert caught.value is error


def test_standard_output_that_cannot_be_written(monkeypatch, capsys):
    monkeypatch.setitem(globals(), "count", lambda options: print("x" * 100))
    read, write = os.pipe()
    os.close(read)
    for place, reason in (("/dev/full", "No space"), (write, "pipe")):
        with open(place, "w") as stdout:
            monkeypatch.setattr("sys.stdout", stdout)
            assert call("count") == 2
        line = capsys.readouterr().err.splitlines()[-1]
        assert line.startswith("error: standard output: cannot write: ")
        assert reason in line
