"""The README's commands and code run as they stand there."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


@pytest.fixture
def directory(tmp_path):
    """What the README takes for granted: a corpus and a task."""
    text = "\n\n".join(
        "\n".join(f"Number {n} of the {word}s. It is a fine day, {word}." for n in range(80))
        for word in ("module", "function", "tensor", "array", "layer", "model")
    )
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "a.txt").write_text(text)
    (tmp_path / "task").mkdir()
    for split in ("train", "dev"):
        rows = [{"text": f"a {word} day", "label": word} for word in ("fine", "sad")] * 8
        (tmp_path / "task" / f"{split}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return tmp_path


def test_commands_then_python(directory):
    (commands,) = blocks("sh")
    # The interpreter of the tests is the README's `python`.
    bin_directory = directory / "bin"
    bin_directory.mkdir()
    script = bin_directory / "python"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    script.chmod(0o755)
    path = f"{bin_directory}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=directory,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr[-2000:]
    answer = next(line for line in result.stdout.splitlines() if '"label"' in line)
    assert json.loads(answer)["label"] in ("fine", "sad")
    assert (directory / "exported" / "1" / "saved_model.pb").exists()

    (code,) = blocks("python")
    assert len([line for line in code.splitlines() if line]) <= 15
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=directory, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr[-2000:]
    assert (directory / "my-model" / "model.safetensors").exists()


def test_make_targets_exist():
    targets = re.findall(r"^make (\S+)", README, re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text()
    assert targets == ["run", "test"]
    for target in targets:
        assert f"\n{target}:" in makefile
