import json
import shutil

import pytest

from data_gen.__main__ import main
from keras_bert.records import read_manifest
from tests.page_parser import check_alone, check_strict


@pytest.fixture
def shards(make_shards):
    return make_shards()


def error_of(capsys, *arguments):
    """Runs the command, which must fail with one line, and returns it."""
    assert main(["report", *map(str, arguments)]) == 2
    lines = capsys.readouterr().err.strip().split("\n")
    assert [line for line in lines if line.startswith("error: ")] == lines[-1:]
    return lines[-1]


def test_the_command(shards, capsys):
    assert main(["report", str(shards)]) == 0
    output = capsys.readouterr().out
    assert "random_next_rate" in output
    assert "report.html" in output
    report = shards / "report"
    names = {path.name for path in report.iterdir()}
    plots = {"lengths", "segments", "labels", "shards", "frequencies"}
    assert names == {"report.html", "report.json", "config.json", *(f"{n}.png" for n in plots)}
    values = json.loads((report / "report.json").read_text())
    manifest = read_manifest(shards)
    assert values["measures"]["examples"] == manifest.examples
    assert values["measures"]["random_next_rate"] == manifest.statistics["random_next_rate"]
    assert values["disagreements"] == []
    assert not list(shards.glob(".incomplete*"))
    assert main(["verify", str(shards)]) == 0


def test_it_runs_again_from_its_configuration_and_replaces_its_report(shards, tmp_path):
    output = tmp_path / "elsewhere" / "report"
    assert main(["report", str(shards), f"--output={output}", "--examples=30"]) == 0
    before = {path.name: path.read_bytes() for path in output.iterdir()}
    assert json.loads(before["report.json"])["counts"]["examples_read"] == 30
    configuration = tmp_path / "config.json"
    shutil.copy(output / "config.json", configuration)
    assert main(["report", str(shards), f"--config={configuration}"]) == 0
    assert {path.name: path.read_bytes() for path in output.iterdir()} == before
    assert [path.name for path in output.parent.iterdir()] == ["report"]
    assert main(["report", str(shards), f"--output={output}", "--samples=0"]) == 0
    assert "Samples" not in (output / "report.html").read_text()


def test_under_a_strict_content_policy(shards):
    assert main(["report", str(shards)]) == 0
    path = shards / "report" / "report.html"
    one = check_alone(path.read_text())
    before = {file.name for file in path.parent.iterdir()}
    assert main(["report", str(shards), "--page", "files"]) == 0
    page = check_strict(path)
    # The plots stand there under their names already.
    (style,) = {file.name for file in path.parent.iterdir()} - before
    assert style.endswith(".css")
    assert page.tags["img"] == one.tags["img"] == 5
    assert "lengths.png" in page.values("src")
    # It is replaced as any report.
    assert main(["report", str(shards)]) == 0
    assert {file.name for file in path.parent.iterdir()} == before


def test_a_part_says_so(shards, capsys):
    assert main(["report", str(shards), "--examples=10"]) == 0
    total = read_manifest(shards).examples
    assert f"Counted in 10 of {total} examples" in capsys.readouterr().out


def test_nothing_else_is_replaced(shards, tmp_path, capsys):
    output = tmp_path / "mine"
    output.mkdir()
    for content in (None, "{}", "[]", "no json", '{"format": "something else"}'):
        if content is not None:
            (output / "report.json").write_text(content)
        line = error_of(capsys, shards, f"--output={output}")
        assert "must be new or an earlier report" in line
    (tmp_path / "file").write_text("mine")
    assert "must be new" in error_of(capsys, shards, f"--output={tmp_path / 'file'}")
    assert "must be new" in error_of(capsys, shards, f"--output={shards}")
    shutil.rmtree(output)
    assert main(["report", str(shards), f"--output={output}"]) == 0
    (output / "notes.txt").write_text("mine")
    assert "Received: a directory that holds notes.txt" in error_of(
        capsys, shards, f"--output={output}"
    )
    assert (output / "notes.txt").read_text() == "mine"


def test_wrong_directories_and_options(shards, tmp_path, capsys):
    assert "no such directory" in error_of(capsys, tmp_path / "none")
    assert "no manifest.json" in error_of(capsys, tmp_path)
    assert "`--samples` must be at least 0. Received: -1" in error_of(
        capsys, shards, "--samples=-1"
    )
    assert "`--examples` must be at least 0" in error_of(capsys, shards, "--examples=-1")
    vocabulary = (shards / "vocab.txt").read_text()
    (shards / "vocab.txt").write_text(vocabulary + "nowhere\n")
    assert "made with another vocabulary" in error_of(capsys, shards)
    (shards / "vocab.txt").unlink()
    assert "cannot read the vocabulary" in error_of(capsys, shards)
    (shards / "vocab.txt").write_text(vocabulary)
    shard = shards / read_manifest(shards).shards[0].name
    content = bytearray(shard.read_bytes())
    content[20] ^= 1
    shard.write_bytes(content)
    assert f"{shard}: damaged shard" in error_of(capsys, shards)
    shard.unlink()
    assert "missing" in error_of(capsys, shards)
    assert not (shards / "report").exists()


def test_a_report_stays_when_the_next_one_fails(shards, monkeypatch, capsys):
    assert main(["report", str(shards)]) == 0
    before = (shards / "report" / "report.html").read_bytes()

    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("data_gen.report_writer.write_json", fail)
    assert "cannot write the report: No space left" in error_of(capsys, shards)
    assert (shards / "report" / "report.html").read_bytes() == before
    assert not list(shards.glob(".incomplete*"))
