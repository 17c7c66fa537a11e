import os
import socket
import tempfile

import pytest

from keras_bert.errors import InputError
from keras_bert.outputs import check_directory, check_file, check_new_directory

CHECKS = (check_new_directory, check_directory, check_file)


@pytest.fixture
def here(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "directory").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nothing")
    return tmp_path


def names(here):
    return sorted(path.name for path in here.rglob("*"))


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", ["new", "new/deep/er", "directory/new", "n" * 255])
def test_new_places(here, check, name):
    before = names(here)
    check(str(here / name), "--output")
    assert names(here) == before


def test_places_that_stand(here):
    check_directory(str(here / "directory"), "--output")
    check_file(str(here / "file"), "--output")
    (here / "link").symlink_to("directory")
    check_directory(str(here / "link"), "--output")


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("file/new", "file is a file"),
        ("file/new/deeper", "file is a file"),
        ("loop", "symbolic links"),
        ("loop/new", "symbolic links"),
        ("dangling/new", "link to nothing"),
        ("n" * 256, "name too long"),
        ("new/" + "n" * 256, "name too long"),
        ("a/" * 3000, "name too long"),
        ("new\0", "must be a path"),
        ("/proc/new", "must be writable"),
        ("/proc/self/fd/new", "must be writable"),
    ],
)
def test_places_where_nothing_can_be(here, check, name, reason):
    with pytest.raises(InputError, match="`--output`") as caught:
        check(os.path.join(here, name), "--output")
    assert reason in str(caught.value)
    assert os.path.join(here, name).rstrip("/") in str(caught.value) or "\0" in name


@pytest.mark.parametrize("check", CHECKS)
def test_no_path_at_all(check):
    with pytest.raises(InputError, match="`--output` must be a path"):
        check("", "--output")


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(28, "Full")])
def test_places_that_cannot_be_written(here, monkeypatch, check, error):
    def refuse(dir):
        assert dir == here
        raise error

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(InputError, match=f"`--output` must be writable.*new; .*: {error.strerror}"):
        check(str(here / "new"), "--output")


def test_what_must_be_new(here):
    for name in ("file", "directory", "dangling"):
        with pytest.raises(InputError, match=f"{name}: exists already.*`destination`"):
            check_new_directory(str(here / name), "destination")


def test_files_for_directories_and_the_reverse(here):
    with pytest.raises(InputError, match=r"must be a directory. Received: .*file, a file"):
        check_directory(str(here / "file"), "--output")
    with pytest.raises(InputError, match=r"must be a file. Received: the directory .*directory"):
        check_file(str(here / "directory"), "--output")
    with pytest.raises(InputError, match=r"must be a directory. Received: .*dangling, a link"):
        check_directory(str(here / "dangling"), "--output")


def test_devices_and_pipes_are_not_replaced(here):
    os.mkfifo(here / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(here / "socket"))
        for path in ("/dev/null", "/dev/full", here / "pipe", here / "socket"):
            with pytest.raises(InputError, match=r"must be a file. Received: a device"):
                check_file(str(path), "--report")
