import errno
import io
import json
import os
import sqlite3
import zipfile
import zlib
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pytest
import tensorflow as tf
import yaml
from safetensors.numpy import load_file, save_file

from keras_bert.atomic import new_directory, new_file
from keras_bert.errors import InputError
from keras_bert.failures import failure_of, name_place, reason_of


def raised(function, *arguments):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - libraries have classes of their own
        function(*arguments)
    return caught.value


@pytest.mark.parametrize(
    ("make", "place", "reason"),
    [
        (lambda here: raised(open, here / "none"), "none", "No such file or directory"),
        (lambda here: raised(open, here), "", "Is a directory"),
        (lambda here: raised(open, here / ("n" * 300)), "n" * 300, "File name too long"),
        (lambda here: raised(tf.io.read_file, str(here / "none")), "none", "No such file"),
        (lambda here: raised(tf.io.read_file, str(here)), "", "Is a directory"),
        (lambda here: raised(tf.io.write_file, "/dev/full", "x" * 9999), "/dev/full", "No space"),
        (lambda here: raised(tf.io.read_file, "gs9://a/b"), None, "scheme"),
        (lambda here: raised(load_file, here / "damaged"), None, "header"),
        (lambda here: raised(tf.train.load_checkpoint, str(here / "none")), None, "none"),
        (lambda here: raised(sqlite3.connect, here), None, "unable to open"),
        (lambda here: raised(zipfile.ZipFile, here / "damaged"), None, "zip"),
        (lambda here: raised(zlib.decompress, b"x"), None, "truncated"),
        (lambda here: raised(json.loads, "{"), None, "line 1 column 2"),
        (lambda here: raised(yaml.safe_load, "{"), None, "expected"),
        (lambda here: raised(b"\xff".decode), None, "utf-8"),
        (lambda here: raised(np.load, here / "empty"), None, "No data left"),
        (lambda here: BrokenProcessPool("a process was terminated abruptly"), None, "ended"),
    ],
)
def test_what_the_system_and_libraries_say(tmp_path, make, place, reason):
    (tmp_path / "damaged").write_bytes(b"nothing that a reader knows " * 9)
    (tmp_path / "empty").touch()
    failure = failure_of(make(tmp_path))
    expected = place if place is None or place.startswith("/") else str(tmp_path / place)
    assert failure.place == expected
    assert reason in failure.reason
    assert "\n" not in failure.reason
    assert "[Op:" not in failure.reason


def test_records_of_damaged_files(tmp_path):
    path = tmp_path / "shard.tfrecord"
    path.write_bytes(b"no record at all")
    failure = failure_of(raised(list, tf.data.TFRecordDataset(str(path))))
    assert failure.reason.startswith("damaged: ")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("Unable to allocate 4.00 TiB for an array"),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
        tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor with shape[9]"),
        tf.errors.InternalError(None, None, "CUDA_ERROR_OUT_OF_MEMORY: out of memory"),
        tf.errors.InternalError(None, None, "Dst tensor is not initialized."),
    ],
)
def test_too_little_memory(error):
    assert failure_of(error).is_of_memory


def test_a_full_disk_is_no_lack_of_memory():
    message = "/x/y; No space left on device [Op:WriteFile]"
    failure = failure_of(tf.errors.ResourceExhaustedError(None, None, message))
    assert failure == ("No space left on device", "/x/y", False)


@pytest.mark.parametrize(
    "error",
    [
        TypeError("x"),
        KeyError("x"),
        AssertionError(),
        ValueError("shapes differ"),
        RuntimeError("x"),
        OSError(errno.EBADF, os.strerror(errno.EBADF)),
        tf.errors.InvalidArgumentError(None, None, "Incompatible shapes: [2] vs. [3]"),
        tf.errors.NotFoundError(None, None, "Resource localhost/x does not exist."),
        tf.errors.NotFoundError(None, None, "Op type not registered 'X' in binary"),
        tf.errors.FailedPreconditionError(None, None, "Could not find variable x"),
        tf.errors.InternalError(None, None, "Check failed"),
        InputError("`--steps` must be at least 1"),
    ],
)
def test_faults_of_the_program_are_none_of_them(error):
    assert failure_of(error) is None
    name_place(error, "/some/where")
    assert not hasattr(error, "place")
    assert getattr(error, "filename", None) is None


def test_a_file_that_cannot_be_written_is_named_as_the_user_knows_it(tmp_path):
    def full(writer):
        def write(temporary):
            with open("/dev/full", "wb", buffering=0) as file:
                writer(file, temporary)

        return write

    for write in (
        full(lambda file, _: file.write(b"x")),
        full(lambda _, temporary: tf.io.write_file("/dev/full", "x" * 9999)),
        lambda temporary: (temporary / "no" / "such").write_text("x"),
        lambda temporary: tf.io.read_file(str(temporary / "none")),
        lambda temporary: save_file({"x": np.zeros(3)}, "/dev/full/x"),
    ):
        for make in (new_file, new_directory):
            path = tmp_path / "model"
            with pytest.raises(Exception) as caught, make(path) as temporary:  # noqa: PT011
                write(temporary)
            failure = failure_of(caught.value)
            assert failure.place in (str(path), "/dev/full"), failure
            assert not list(tmp_path.iterdir())


def test_an_error_keeps_its_words(tmp_path):
    with pytest.raises(OSError, match=r"^disk full$"), new_file(tmp_path / "x"):
        raise OSError("disk full")
    with pytest.raises(OSError, match=r"Errno 28.*space.*: '[^']*/x'$"), new_file(tmp_path / "x"):
        raise OSError(28, "No space left on device")
    with (
        pytest.raises(OSError, match=r"Errno 28.*space.*: '[^']*/x'$"),
        new_directory(tmp_path / "x") as temporary,
    ):
        raise OSError(28, "No space left on device", f"{temporary}/a", None, f"{temporary}/b")


def test_names_of_the_greatest_length(tmp_path):
    path = tmp_path / ("é" * 127)
    with new_file(path) as temporary:
        temporary.touch()
    path.unlink()
    with new_directory(path):
        pass
    assert [found.name for found in tmp_path.iterdir()] == ["é" * 127]


def test_reasons_are_one_line():
    assert reason_of(OSError(28, "No space left on device", "x")) == "No space left on device"
    assert reason_of(ValueError("a\nb")) == "a b"
    assert reason_of(io.UnsupportedOperation("not readable")) == "not readable"
