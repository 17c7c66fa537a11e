import dataclasses
import json
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
    with pytest.raises(InputError, match=r"^`--rate` must be at most 1. Received: 2$"):
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
