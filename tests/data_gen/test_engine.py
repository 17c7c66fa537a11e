import subprocess
import sys
import time

import pytest

from data_gen.__main__ import main
from data_gen.shards import partitions
from keras_bert.errors import InputError
from keras_bert.records import read_manifest, verify_shards


@pytest.fixture
def corpus(tmp_path, vocabulary):
    vocabulary.save(tmp_path / "vocab.txt")
    texts = []
    for number in range(12):
        words = vocabulary.tokens[10 + number : 60 + number]
        texts.append("\n".join(" ".join(words[i : i + 5]) + "." for i in range(0, 50, 5)))
    (tmp_path / "corpus.txt").write_text("\n\n".join(texts))
    return tmp_path


def command(directory, output, *extra):
    return [
        "pretrain",
        *("--input", str(directory / "corpus.txt"), "--vocab", str(directory / "vocab.txt")),
        *("--output", str(directory / output), "--sequence-length", "32"),
        *("--partition-bytes", "800"),
        *extra,
    ]


def content(directory):
    names = ("manifest.json", "vocab.txt")
    files = [*directory.glob("*.tfrecord"), *(directory / name for name in names)]
    return {path.name: path.read_bytes() for path in files}


def test_shards_do_not_depend_on_the_number_of_workers(corpus):
    assert main(command(corpus, "one")) == 0
    assert main(command(corpus, "two", "--workers", "2")) == 0
    assert content(corpus / "one") == content(corpus / "two")
    manifest = verify_shards(corpus / "one")
    assert len(manifest.shards) > 1
    assert manifest.statistics["documents"] == 12
    assert 0 < manifest.statistics["fill_rate"] <= 1
    assert main(["verify", str(corpus / "one")]) == 0


def test_another_seed_gives_other_shards(corpus):
    assert main(command(corpus, "one")) == 0
    assert main(command(corpus, "two", "--seed", "7")) == 0
    first, second = content(corpus / "one"), content(corpus / "two")
    assert first["shard-00000.tfrecord"] != second["shard-00000.tfrecord"]


def test_runs_again_from_its_own_configuration(corpus):
    assert main(command(corpus, "one")) == 0
    config = str(corpus / "one" / "config.json")
    assert main(["pretrain", "--config", config, "--output", str(corpus / "two")]) == 0
    assert content(corpus / "one") == content(corpus / "two")


def test_a_killed_run_is_not_readable_and_can_be_repeated(corpus):
    # Enough passes to be still at work when it is killed.
    arguments = command(corpus, "killed", "--duplicates", "3000")
    process = subprocess.Popen([sys.executable, "-m", "data_gen", *arguments])
    while not list((corpus / "killed").glob("*")) and process.poll() is None:
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert process.returncode == -9
    with pytest.raises(InputError, match="unfinished"):
        read_manifest(corpus / "killed")
    assert main(command(corpus, "killed")) == 0
    assert main(command(corpus, "whole")) == 0
    assert content(corpus / "killed") == content(corpus / "whole")
    assert not list((corpus / "killed").glob(".incomplete-*"))


def test_partitions_have_two_documents_at_least():
    documents = [["x" * 10]] * 7
    parts = list(partitions(documents, 1))
    assert [len(part.documents) for part in parts] == [2, 2, 3]
    assert [part.index for part in parts] == [0, 1, 2]
    assert [len(part.documents) for part in partitions(documents, 1000)] == [7]
    with pytest.raises(InputError, match="at least two documents"):
        list(partitions(documents[:1], 1))


def fails(capsys, arguments, *messages):
    assert main(arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    error = lines[-1]
    assert error.startswith("error: ")
    for message in messages:
        assert message in error


def test_wrong_input_is_one_line_and_nothing_is_left(corpus, capsys):
    output = corpus / "out"
    damaged = corpus / "damaged.txt"
    damaged.write_text((corpus / "vocab.txt").read_text().replace("[MASK]", "[OTHER]"))
    (corpus / "empty.txt").write_text("\n")
    (corpus / "single.txt").write_text("one document\n")
    base = command(corpus, "out")
    fails(capsys, [*base, "--vocab", str(damaged)], "damaged.txt", "[MASK]")
    fails(capsys, [*base, "--vocab", str(corpus / "none.txt")], "none.txt")
    fails(capsys, [*base, "--input", str(corpus / "none*")], "no file matches")
    fails(capsys, [*base, "--input", str(corpus / "empty.txt")], "empty")
    fails(capsys, [*base, "--input", str(corpus / "single.txt")], "two documents")
    fails(capsys, [*base, "--sequence-length", "4"], "--sequence-length", "Received: 4")
    fails(capsys, ["verify", str(output)], "no such directory")
    assert not output.exists()
    assert main(base) == 0
    fails(capsys, base, "finished shards")
    shard = output / "shard-00000.tfrecord"
    shard.write_bytes(shard.read_bytes()[:-1])
    fails(capsys, ["verify", str(output)], "shard-00000", "bytes expected")


def test_wrong_usage_exits_with_2(capsys):
    for arguments in (["pretrain"], ["nothing"], ["pretrain", "--objective", "x"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
        assert capsys.readouterr().err.startswith("error: ")


def test_vocab_command(corpus):
    output = corpus / "learned.txt"
    arguments = ["vocab", "--input", str(corpus / "corpus.txt"), "--output", str(output)]
    assert main([*arguments, "--size", "100"]) == 0
    assert output.read_text().startswith("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n")
