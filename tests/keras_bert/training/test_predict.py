"""Lines answered as they arrive, wrong ones among them."""

import gzip
import io
import json
import os
import threading

import pytest

from keras_bert.__main__ import main
from keras_bert.models.classifier import BertClassifier
from keras_bert.models.multiple_choice import BertMultipleChoice
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.training.arriving_lines import arriving_lines
from keras_bert.training.predict import read_lines

SECONDS = 60


@pytest.fixture(scope="module")
def models(tmp_path_factory, tiny_config, vocabulary):
    directory = tmp_path_factory.mktemp("predict")
    tokenizer = BertTokenizer(vocabulary, sequence_length=16)
    classifier = BertClassifier(tiny_config, labels=("a", "b"))
    classifier.save_checkpoint(directory / "classes", tokenizer=tokenizer)
    BertMultipleChoice(tiny_config).save_checkpoint(directory / "choices", tokenizer=tokenizer)
    return directory


class Coprocess(threading.Thread):
    """Writes each line when the one before is answered, as a program on the other end does."""

    def __init__(self, lines):
        super().__init__(daemon=True)
        self.lines = lines
        self.answers = []
        self.theirs, self._input = os.pipe()
        self._output, self.ours = os.pipe()

    def run(self):
        with open(self._input, "wb") as writer, open(self._output, "rb") as reader:
            for line in self.lines:
                writer.write(line)
                writer.flush()
                self.answers.append(reader.readline())


def test_a_line_is_answered_before_the_next_one_comes(models, monkeypatch):
    lines = [json.dumps({"text": text}).encode() + b"\n" for text in ("the cat", "dog", "你")]
    other = Coprocess(lines)
    # Nothing can come later than the end of input: were lines waited for, none would ever.
    end = threading.Timer(SECONDS, lambda: os.close(other._input))
    end.daemon = True
    end.start()
    with open(other.theirs) as stdin, open(other.ours, "w") as stdout:
        monkeypatch.setattr("sys.stdin", stdin)
        monkeypatch.setattr("sys.stdout", stdout)
        other.start()
        assert main(["predict", "--model", f"{models}/classes"]) == 0
    other.join(SECONDS)
    end.cancel()
    assert [json.loads(answer)["label"] in ("a", "b") for answer in other.answers] == [True] * 3


def ask(monkeypatch, capsys, model, text, *options):
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    code = main(["predict", "--model", str(model), *options])
    captured = capsys.readouterr()
    answers = [json.loads(line) for line in captured.out.splitlines()]
    return code, answers, captured.err.splitlines()[-1]


WRONG = {
    "{": "not JSON",
    "[1]": "[1]",
    '{"txt": "a"}': '{"txt": "a"}',
    '{"text": null}': '{"text": null}',
    '{"text": ["a"]}': '["a"]',
    '{"text": NaN}': "NaN",
    '{"text_a": "a", "text_b": "b"}': "text_a",
}


def test_wrong_lines_have_answers_that_say_so(models, monkeypatch, capsys):
    text = "".join(f'{{"text": "a"}}\n\n{wrong}\n' for wrong in WRONG)
    code, answers, _ = ask(monkeypatch, capsys, models / "classes", text, "--keep-going")
    assert code == 0
    assert ["label" in answer for answer in answers] == [True, False] * len(WRONG)
    for answer, received in zip(answers[1::2], WRONG.values(), strict=True):
        assert received in answer["error"]


def test_a_wrong_line_is_named_after_the_answers_before_it(models, monkeypatch, capsys):
    rows = [{"context": "a", "choices": choices} for choices in (["b", "c"], [], ["d"])]
    text = "".join(json.dumps(row) + "\n\n" for row in rows)
    code, answers, error = ask(monkeypatch, capsys, models / "choices", text)
    assert (code, len(answers)) == (2, 1)
    assert error.startswith("error: standard input, line 3: `choices`")


def test_nobody_reads_the_answers(models, monkeypatch, capsys):
    read, write = os.pipe()
    os.close(read)
    with open(write, "w") as stdout:
        monkeypatch.setattr("sys.stdin", io.StringIO('{"text": "a"}\n' * 3))
        monkeypatch.setattr("sys.stdout", stdout)
        assert main(["predict", "--model", f"{models}/classes"]) == 2
    assert "standard output" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize("size", [1, 100_000])
@pytest.mark.parametrize("ending", [b"", b"\n"])
def test_files_come_in_full_lists(tmp_path, size, ending):
    lines = [b"%d" % number * size for number in range(7)]
    path = tmp_path / "lines"
    path.write_bytes(b"\n".join(lines) + ending)
    with path.open() as file:
        lists = list(arriving_lines(file, 3))
    assert [len(found) for found in lists] == [3, 3, 1]
    assert [line for found in lists for line in found] == lines


def test_text_of_other_encodings_is_no_text(tmp_path):
    path = tmp_path / "lines"
    path.write_bytes('\ufeff{"text": "a"}\r\n'.encode() + b'{"text": "\xe9"}\n')
    with path.open() as file:
        ((first, second),) = read_lines(file, (("text",),))
    assert first.row == {"text": "a"}
    assert second.row is None
    assert "UTF-8. Received: byte 0xe9" in second.error


def test_packed_lines_are_told_with_the_way_on(tmp_path):
    path = tmp_path / "lines"
    path.write_bytes(gzip.compress(b'{"text": "a"}\n'))
    with path.open() as file:
        ((line, *_),) = read_lines(file, (("text",),))
    assert "standard input, line 1" in line.error
    assert "compressed by gzip; unpack it first" in line.error


@pytest.mark.parametrize("link", [False, True])
def test_answers_do_not_go_where_lines_come_from(link, models, tmp_path, monkeypatch, capsys):
    path, other = tmp_path / "lines", tmp_path / "lines"
    path.write_text('{"text": "the dog"}\n')
    if link:
        other = tmp_path / "link"
        os.link(path, other)
    with path.open() as lines, other.open("a") as answers:
        monkeypatch.setattr("sys.stdin", lines)
        monkeypatch.setattr("sys.stdout", answers)
        assert main(["predict", f"--model={models}/classes"]) == 2
    assert path.read_text() == '{"text": "the dog"}\n'
    assert "standard output must not be the file of standard input" in capsys.readouterr().err
