import os

import pytest

from keras_bert.atomic import new_directory, new_file, remove_incomplete, sha256_of_file


def test_a_file_is_replaced_at_the_end(tmp_path):
    path = tmp_path / "deep" / "file"
    with new_file(path) as temporary:
        temporary.write_text("one")
        assert not path.exists()
    with pytest.raises(OSError, match="disk"), new_file(path):
        raise OSError("disk full")
    assert path.read_text() == "one"
    assert os.listdir(path.parent) == ["file"]


def test_a_directory_appears_at_the_end(tmp_path):
    path = tmp_path / "directory"
    with new_directory(path) as temporary:
        (temporary / "file").write_text("one")
        assert not path.exists()
    assert (path / "file").read_text() == "one"
    assert path.stat().st_mode & 0o777 == 0o755
    with pytest.raises(FileExistsError), new_directory(path):
        pass
    with pytest.raises(RuntimeError), new_directory(tmp_path / "other"):
        raise RuntimeError
    assert os.listdir(tmp_path) == ["directory"]


def test_leftovers_of_killed_processes_go(tmp_path):
    (tmp_path / ".incomplete-1-file").write_text("half")
    (tmp_path / ".incomplete-directory").mkdir()
    (tmp_path / "whole").write_text("whole")
    remove_incomplete(tmp_path)
    assert os.listdir(tmp_path) == ["whole"]


def test_sha256(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    assert sha256_of_file(tmp_path / "file").startswith("ba7816bf")
