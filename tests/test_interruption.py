"""Ctrl-C: one line, exit code 130, and nothing half-written, at any moment."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from keras_bert.__main__ import main
from keras_bert.interruption import CODE
from keras_bert.models.classifier import BertClassifier
from keras_bert.text.tokenizer import BertTokenizer

SECONDS = 120  # No wait is longer.
# A command that writes a directory and a file in it, and hangs meanwhile: in Python, or in a
# library, where Python sees no signal.
PROGRAM = """
from keras_bert.interruption import watch
watch(__name__)
import ctypes, dataclasses, sys, time
from keras_bert import atomic, command_line

@dataclasses.dataclass(frozen=True)
class Options(command_line.Options):
    output: str = command_line.option(help="directory")
    where: str = command_line.option("python", help="python or library")

def write(options):
    with atomic.new_directory(options.output) as directory:
        with atomic.new_file(directory / "file") as file:
            file.write_text("half")
            with atomic.new_file(options.output + ".json") as other:
                other.write_text("half")
                print("hangs", flush=True)
                if options.where == "python":
                    time.sleep(1000)
                lock = ctypes.create_string_buffer(64)
                for _ in range(2):  # The second wait is for ever.
                    ctypes.CDLL(None).pthread_mutex_lock(lock)

command = command_line.Command(Options, "__main__:write", "writes")
sys.exit(command_line.run("p", "d", {"write": command}))
"""


def heed_interrupts():
    # Under nohup, and in background jobs of shells, SIGINT is ignored, which children inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


@contextlib.contextmanager
def started(*command, **pipes):
    """A process of its own group, which no one outlives."""
    process = subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=heed_interrupts,
        start_new_session=True,
        **pipes,
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=SECONDS)


def interrupted(process, *, group=True):
    """Presses Ctrl-C and returns the last lines of the process on standard error."""
    if group:
        os.killpg(process.pid, signal.SIGINT)
    else:
        process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=SECONDS)
    text = errors.decode()
    assert process.returncode == CODE, text
    assert "Traceback" not in text
    assert "KeyboardInterrupt" not in text
    assert text.count("interrupted") == 1
    return text.splitlines()


def wait_for(condition):
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def is_group(group):
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for_import(process, name):
    """Until a library is on its way in."""
    wait_for(lambda: name in Path(f"/proc/{process.pid}/maps").read_text())


@pytest.fixture(scope="module")
def model(tiny_config, vocabulary, tmp_path_factory):
    directory = tmp_path_factory.mktemp("model")
    classifier = BertClassifier(tiny_config, labels=["a", "b"])
    classifier.save_checkpoint(directory, tokenizer=BertTokenizer(vocabulary))
    return directory


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text("\n\n".join(f"the cat {n} saw a dog.\nit ran away." for n in range(20_000)))
    return path


@pytest.mark.parametrize(
    "command",
    [
        ["keras_bert", "predict", "--model", "MODEL"],
        ["exports", "savedmodel", "--model", "MODEL", "--output", "OUT"],
        ["data_gen", "vocab", "--input", "CORPUS", "--output", "OUT"],
    ],
)
def test_while_tensorflow_is_imported(model, corpus, tmp_path, command):
    output = tmp_path / "out"
    names = {"MODEL": str(model), "OUT": str(output), "CORPUS": str(corpus)}
    arguments = [names.get(argument, argument) for argument in command]
    with started("-m", *arguments, stdin=subprocess.PIPE) as process:
        wait_for_import(process, "libtensorflow")
        lines = interrupted(process)
    assert lines[-1] == "interrupted"
    assert len(lines) == 2  # The resolved options come first.
    assert not output.exists()


def test_before_the_command_is_known():
    with started("-X", "importtime", "-m", "keras_bert", "predict", "--model", "x") as process:
        seen = b""
        while b"keras_bert.interruption" not in seen:
            seen = process.stderr.readline()
            assert seen, "ended before"
        # A line comes when an import ends; with the next one, SIGINT is heeded.
        assert process.stderr.readline()
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == CODE
    assert errors.decode().splitlines()[-1] == "interrupted"
    assert b"Traceback" not in errors


@pytest.mark.slow
def test_many_moments(model, tmp_path):
    """Of a command from its start to its end, some of which it reaches first."""
    codes = []
    for hundredths in range(5, 1200, 60):
        output = tmp_path / f"out{hundredths}"
        arguments = ("exports", "savedmodel", "--model", str(model), "--output", str(output))
        with started("-m", *arguments) as process:
            time.sleep(hundredths / 100)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
            _, errors = process.communicate(timeout=SECONDS)
        codes.append(process.returncode)
        if process.returncode == 0:
            continue
        text = errors.decode()
        # Python's own start is not ours.
        if "runpy" in text and "site-packages" not in text:
            continue
        assert process.returncode == CODE, text
        assert "Traceback" not in text, text
        assert text.splitlines()[-1] == "interrupted"
        assert not list(output.glob(".incomplete*"))
        assert not list(output.glob("[0-9]*"))
    assert CODE in codes


@pytest.mark.parametrize(("where", "presses"), [("python", 1), ("library", 1), ("library", 2)])
def test_while_files_are_written(tmp_path, where, presses):
    arguments = ("write", "--output", str(tmp_path / "out"), "--where", where)
    with started("-c", PROGRAM, *arguments) as process:
        assert process.stdout.readline() == b"hangs\n"
        assert len(list(tmp_path.rglob(".incomplete*"))) == 3
        if where == "library":
            time.sleep(1)  # It is said before it is so.
        if presses == 2:
            process.send_signal(signal.SIGINT)
            time.sleep(0.7)
            assert process.poll() is None
        lines = interrupted(process)
    assert lines[1:] == ["interrupted"]
    assert not list(tmp_path.iterdir())


def test_commands_called_from_python(capsys, monkeypatch):
    """They keep the handlers of the program, and end with the same line and code."""
    handler = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr("keras_bert.training.predict.predict", interrupt)
    assert main(["predict", "--model", "x"]) == CODE
    assert capsys.readouterr().err.splitlines()[-1] == "interrupted"
    assert signal.getsignal(signal.SIGINT) == handler


def interrupt(options):
    raise KeyboardInterrupt


@pytest.mark.slow
def test_workers_of_data_generation_end_without_a_word(corpus, tmp_path, vocabulary):
    (tmp_path / "vocab.txt").write_text("\n".join(vocabulary.tokens))
    output = tmp_path / "shards"
    options = ("--vocab", str(tmp_path / "vocab.txt"), "--output", str(output), "--workers", "2")
    small = ("--partition-bytes", "20000", "--sequence-length", "32")
    arguments = ("data_gen", "pretrain", "--input", str(corpus), *options, *small)
    with started("-m", *arguments) as process:
        wait_for(lambda: list(output.glob("shard-*.tfrecord")) or process.poll() is not None)
        assert process.poll() is None
        lines = interrupted(process)
        wait_for(lambda: not is_group(process.pid))
    assert lines[-1].startswith(f"interrupted: {output}: the same command goes on")
    assert not list(output.rglob(".incomplete*"))
    assert not (output / "manifest.json").exists()


@pytest.mark.slow
def test_workers_that_start(corpus, tmp_path, vocabulary):
    (tmp_path / "vocab.txt").write_text("\n".join(vocabulary.tokens))
    output = tmp_path / "shards"
    options = ("--vocab", str(tmp_path / "vocab.txt"), "--output", str(output), "--workers", "2")
    arguments = ("data_gen", "pretrain", "--input", str(corpus), *options)

    def children():
        return Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()

    with started("-m", *arguments) as process:
        wait_for(lambda: len(children()) >= 2)  # One of them keeps track of resources.
        lines = interrupted(process)
    assert lines[-1].startswith("interrupted")
    assert not output.exists()


@pytest.mark.slow
def test_predict_in_a_pipe(model):
    with started("-m", "keras_bert", "predict", "--model", str(model), stdin=subprocess.PIPE) as p:
        p.stdin.write(b'{"text": "the cat"}\n')
        p.stdin.flush()
        assert json.loads(p.stdout.readline())["label"] in ("a", "b")
        assert interrupted(p, group=False)[-1] == "interrupted"


@pytest.mark.slow
def test_it_stays_ignored_where_it_was(model):
    command = [sys.executable, "-m", "keras_bert", "predict", "--model", str(model)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    with process:
        try:
            wait_for_import(process, "libtensorflow")
            process.send_signal(signal.SIGINT)
            answers, errors = process.communicate(b'{"text": "the cat"}\n', timeout=SECONDS)
        finally:
            process.kill()
    assert process.returncode == 0, errors
    assert len(answers.splitlines()) == 1
