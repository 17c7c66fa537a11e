"""Versions that several processes write into one directory at once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from exports.versions import next_version, write_version
from tests.exports.local_server import line_of

SCRIPT = Path(__file__).with_name("write_a_version.py")


def writing(directory, seconds):
    """A process that has written half of a version, and goes on for so many seconds."""
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), str(directory), str(seconds)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert line_of(process) == "writing"
    return process


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def write(temporary):
    for name in ("first", "second"):
        (temporary / name).write_text("x")


def test_processes_that_write_at_once_have_a_version_each(tmp_path):
    # The second begins, and removes what is left over, while the first is in the midst of it; a
    # third one, in this process, begins and ends meanwhile.
    processes = [writing(tmp_path, 2), writing(tmp_path, 1.5)]
    assert write_version(tmp_path, write) == tmp_path / "1"
    found = sorted(process.communicate(timeout=30)[0].strip() for process in processes)
    assert found == ["2", "3"]
    assert names(tmp_path) == ["1", "2", "3"]
    for version in "123":
        assert names(tmp_path / version) == ["first", "second"]


def test_what_a_killed_process_left_is_no_version_and_goes(tmp_path):
    with writing(tmp_path, 60) as killed, writing(tmp_path, 60) as living:
        killed.kill()
        killed.wait(30)
        # Neither has a name that a server would look at.
        assert len(names(tmp_path)) == 2
        assert not any(name[0].isdigit() for name in names(tmp_path))
        assert write_version(tmp_path, write) == tmp_path / "1"
        # Only the living one's is left.
        assert len(names(tmp_path)) == 2
        living.kill()
    assert write_version(tmp_path, write) == tmp_path / "2"
    assert names(tmp_path) == ["1", "2"]


def test_a_writer_that_fails_leaves_nothing(tmp_path):
    def fail(temporary):
        write(temporary)
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        write_version(tmp_path / "new", fail)
    assert names(tmp_path / "new") == []


def test_a_number_that_was_taken_meanwhile(tmp_path, monkeypatch):
    write_version(tmp_path, write)
    numbers = iter([1, 1, 2])
    monkeypatch.setattr("exports.versions.next_version", lambda _: next(numbers))
    assert write_version(tmp_path, write) == tmp_path / "2"


def test_versions_count_up(tmp_path):
    for name in ("7", "notes", "²", "12a"):
        (tmp_path / name).mkdir()
    assert next_version(tmp_path) == 8
