import json
import subprocess
import sys

import pytest

from data_gen.__main__ import main
from keras_bert.text.vocabulary import SPECIAL_TOKENS, Vocabulary


def pretrain(corpus, vocabulary_file, output, *more):
    return main(
        [
            "pretrain",
            f"--input={corpus}",
            f"--vocab={vocabulary_file}",
            f"--output={output}",
            "--sequence-length=32",
            *more,
        ]
    )


def error_line(capsys):
    """Returns what stands on standard error after the options, which must be one line."""
    lines = capsys.readouterr().err.strip().split("\n")
    ours = [line for line in lines if line.startswith("error: ")]
    assert ours == lines[-1:]
    assert not any("Traceback" in line for line in lines)
    return ours[0]


def test_vocab_then_pretrain_then_verify(corpus, tmp_path, capsys):
    vocab, output = tmp_path / "learnt.txt", tmp_path / "shards"
    assert main(["vocab", f"--input={corpus}", f"--output={vocab}", "--size=150"]) == 0
    assert Vocabulary.from_file(vocab).tokens[:5] == SPECIAL_TOKENS
    assert pretrain(corpus, vocab, output) == 0
    assert "random_next_rate" in capsys.readouterr().out
    assert main(["verify", str(output)]) == 0
    assert "whole" in capsys.readouterr().out


def test_commands_run_again_from_their_configuration(corpus, vocabulary_file, tmp_path):
    first, again = tmp_path / "a", tmp_path / "b"
    assert pretrain(corpus, vocabulary_file, first, "--seed=3", "--cased") == 0
    assert main(["pretrain", f"--config={first / 'config.json'}", f"--output={again}"]) == 0
    assert (first / "manifest.json").read_bytes() == (again / "manifest.json").read_bytes()
    assert json.loads((again / "manifest.json").read_text())["lowercase"] is False

    vocab = tmp_path / "learnt.txt"
    assert main(["vocab", f"--input={corpus}", f"--output={vocab}", "--size=150"]) == 0
    before = vocab.read_bytes()
    vocab.unlink()
    assert main(["vocab", f"--config={vocab}.config.json"]) == 0
    assert vocab.read_bytes() == before


def test_a_damaged_shard_does_not_pass(corpus, vocabulary_file, tmp_path, capsys):
    output = tmp_path / "shards"
    pretrain(corpus, vocabulary_file, output)
    shard = output / "shard-00000-00000.tfrecord"
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    capsys.readouterr()
    assert main(["verify", str(output)]) == 2
    assert "shard-00000-00000.tfrecord: damaged shard" in error_line(capsys)
    shard.write_bytes(content[:-100])
    assert main(["verify", str(output)]) == 2
    assert "shard-00000-00000.tfrecord: damaged shard" in error_line(capsys)
    shard.unlink()
    assert main(["verify", str(output)]) == 2
    assert "missing" in error_line(capsys)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the corpus is empty"),
        (b"One.\nTwo.\nThree.\n", "at least two documents"),
        (b"\xe2\x80\x8b\n\n\xc2\xad\n", "the corpus gives no example"),
        (b"good\n\nbad \xff\n", "corpus.txt, line 3: the text must be UTF-8"),
    ],
)
def test_wrong_corpus(content, message, corpus, vocabulary_file, tmp_path, capsys):
    corpus.write_bytes(content)
    assert pretrain(corpus, vocabulary_file, tmp_path / "shards") == 2
    assert message in error_line(capsys)
    assert not (tmp_path / "shards").exists()


def test_wrong_files(corpus, vocabulary_file, tmp_path, capsys):
    output = tmp_path / "shards"
    assert pretrain(tmp_path / "no*", vocabulary_file, output) == 2
    assert "no file matches" in error_line(capsys)
    assert pretrain(corpus, tmp_path / "none.txt", output) == 2
    assert "none.txt: cannot read the vocabulary" in error_line(capsys)
    assert pretrain(corpus, vocabulary_file, corpus) == 2
    assert "`--output` must be a directory" in error_line(capsys)
    lines = vocabulary_file.read_text().split("\n")
    vocabulary_file.write_text("\n".join(line for line in lines if line != "[MASK]"))
    assert pretrain(corpus, vocabulary_file, output) == 2
    assert "vocab.txt: the vocabulary lacks the special token [MASK]" in error_line(capsys)
    assert not output.exists()


def test_wrong_vocabulary_options(corpus, tmp_path, capsys):
    arguments = ["vocab", f"--input={corpus}"]
    output = tmp_path / "learnt.txt"
    assert main([*arguments, f"--output={output}", "--size=20"]) == 2
    assert "`--size` must be at least" in error_line(capsys)
    assert main([*arguments, f"--output={output}", "--minimum-frequency=0"]) == 2
    assert "`--minimum-frequency` must be at least 1. Received: 0" in error_line(capsys)
    assert main([*arguments, f"--output={tmp_path}"]) == 2
    assert "`--output` must be a file" in error_line(capsys)
    assert not output.exists()


def test_options_without_use(corpus, vocabulary_file, tmp_path, capsys):
    assert pretrain(corpus, vocabulary_file, tmp_path / "shards", "--mask-units=span") == 2
    assert error_line(capsys) == (
        "error: `--static-masks` is off, so `--mask-units` has no use. Received: span"
    )


@pytest.mark.parametrize(
    "arguments",
    [["pretrain"], ["pretrain", "--objective=cloze"], ["vocab", "--size=many"], ["verify"], []],
)
def test_wrong_usage(arguments, capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(arguments)
    assert exit_info.value.code == 2
    assert error_line(capsys)


def test_help_does_not_wait_for_tensorflow():
    code = "import sys, data_gen.__main__; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
