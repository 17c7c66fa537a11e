"""Where a command cannot write it says so before the work, and leaves nothing half-written."""

import contextlib
import json
import resource
import signal

import pytest

import data_gen.__main__
import exports.__main__
import keras_bert.__main__
from keras_bert.models.classifier import BertClassifier
from keras_bert.text.tokenizer import BertTokenizer

MAINS = {
    "keras_bert": keras_bert.__main__.main,
    "data_gen": data_gen.__main__.main,
    "exports": exports.__main__.main,
}
TASK = ("--task", "classification", "--data", "DATA")
# With a model that is not there: it would be named if it were looked for first.
NEW_DIRECTORIES = [
    ("keras_bert", "convert", "NONE", "OUT", "--to", "huggingface"),
    ("keras_bert", "resize", "NONE", "OUT", "--pad-to", "8"),
    ("data_gen", "deduplicate", "--input", "CORPUS", "--output", "OUT"),
    ("exports", "onnx", "--model", "NONE", "--output", "OUT"),
    ("exports", "litert", "--model", "NONE", "--output", "OUT"),
]
DIRECTORIES = [
    ("keras_bert", "pretrain", "--data", "NONE", "--output", "OUT"),
    ("keras_bert", "finetune", *TASK, "--init", "NONE", "--output", "OUT"),
    ("keras_bert", "finetune", *TASK, "--init", "NONE", "--grid", "paper", "--output", "OUT"),
    ("data_gen", "pretrain", "--input", "CORPUS", "--vocab", "VOCABULARY", "--output", "OUT"),
    ("exports", "savedmodel", "--model", "NONE", "--output", "OUT"),
]
FILES = [
    ("data_gen", "vocab", "--input", "CORPUS", "--output", "OUT"),
    ("keras_bert", "evaluate", *TASK, "--model", "NONE", "--output", "OUT"),
    ("keras_bert", "evaluate", *TASK, "--model", "NONE", "--predictions", "OUT"),
    ("keras_bert", "evaluate", *TASK, "--model", "NONE", "--report", "OUT"),
]


@pytest.fixture(scope="module")
def places(tiny_config, vocabulary, tmp_path_factory):
    """What the capital words of commands stand for."""
    here = tmp_path_factory.mktemp("places")
    classifier = BertClassifier(tiny_config, labels=["a", "b"])
    tokenizer = BertTokenizer(vocabulary, sequence_length=16)
    classifier.save_checkpoint(here / "model", tokenizer=tokenizer)
    (here / "vocab.txt").write_text("\n".join(vocabulary.tokens))
    (here / "corpus.txt").write_text("\n\n".join(["the cat saw.\na dog ran."] * 20))
    (here / "data").mkdir()
    rows = [json.dumps({"text": "the cat", "label": label}) for label in "abab"]
    for split in ("train", "dev"):
        (here / "data" / f"{split}.jsonl").write_text("\n".join(rows))
    return {
        "NONE": here / "none",
        "MODEL": here / "model",
        "CORPUS": here / "corpus.txt",
        "VOCABULARY": here / "vocab.txt",
        "DATA": here / "data",
    }


def call(command, places, output):
    places = {**places, "OUT": output}
    program, *arguments = command
    return MAINS[program]([str(places.get(argument, argument)) for argument in arguments])


def name_of(command):
    return "-".join((*command[:2], command[-2].strip("-")))


@pytest.fixture
def here(tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "directory").mkdir()
    (tmp_path / "directory" / "mine").touch()
    (tmp_path / "loop").symlink_to("loop")
    return tmp_path


@pytest.mark.parametrize("command", [*NEW_DIRECTORIES, *DIRECTORIES, *FILES], ids=name_of)
def test_places_that_cannot_be_written(command, places, here, capsys):
    names = ["file/out", "loop", "loop/out", "n" * 256, "/proc/out", ""]
    if command in DIRECTORIES:
        names += ["file", "/dev/null"]
    if command in NEW_DIRECTORIES:
        names += ["file", "directory", "/dev/null"]
    if command in FILES:
        names += ["directory", "/dev/null", "/dev/full"]
    before = sorted(here.rglob("*"))
    for name in names:
        output = here / name if name and not name.startswith("/") else name
        assert call(command, places, output) == 2
        line = capsys.readouterr().err.splitlines()[-1]
        assert line.startswith("error: ")
        assert str(output) in line
        assert str(places["NONE"]) not in line
        assert "`--" in line or "`destination`" in line
    assert sorted(here.rglob("*")) == before
    assert (here / "file").read_text() == "mine"


def test_files_beside_the_output(places, here, capsys):
    """Options are kept beside what they made."""
    for command in (*NEW_DIRECTORIES[:2], FILES[0]):
        (here / "out.config.json").mkdir(exist_ok=True)
        assert call(command, places, here / "out") == 2
        assert "out.config.json" in capsys.readouterr().err.splitlines()[-1]
    assert not (here / "out").exists()


def test_two_results_in_one_file(places, here, capsys):
    command = (*FILES[1], "--report", "OUT")
    assert call(command, places, here / "out") == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert "`--report`" in line
    assert "`--output`" in line


@contextlib.contextmanager
def largest_file(size):
    """Writing more to a file is an error, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize(
    "command",
    [
        ("keras_bert", "convert", "MODEL", "OUT", "--to", "huggingface"),
        ("keras_bert", "convert", "MODEL", "OUT", "--to", "google"),
        ("keras_bert", "convert", "MODEL", "OUT", "--to", "model_garden"),
        ("keras_bert", "convert", "MODEL", "OUT", "--to", "keras_hub"),
        ("keras_bert", "resize", "MODEL", "OUT", "--pad-to", "64"),
        ("keras_bert", "evaluate", *TASK, "--model", "MODEL", "--report", "OUT"),
        ("keras_bert", "evaluate", *TASK, "--model", "MODEL", "--predictions", "OUT"),
        ("data_gen", "vocab", "--input", "CORPUS", "--output", "OUT"),
        ("data_gen", "deduplicate", "--input", "CORPUS", "--output", "OUT"),
        pytest.param(
            ("exports", "savedmodel", "--model", "MODEL", "--output", "OUT"), marks=pytest.mark.slow
        ),
        pytest.param(
            ("exports", "onnx", "--model", "MODEL", "--output", "OUT"), marks=pytest.mark.slow
        ),
        pytest.param(
            ("exports", "litert", "--model", "MODEL", "--output", "OUT"), marks=pytest.mark.slow
        ),
    ],
    ids=lambda command: "-".join(command[:2]),
)
@pytest.mark.parametrize("size", [1, 60])
def test_a_disk_that_fills_up(command, places, tmp_path, capsys, size):
    with largest_file(size):
        assert call(command, places, tmp_path / "out") == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("error: ")
    assert str(tmp_path / "out") in line
    assert "File too large" in line or "disk" in line
    left = [path for path in tmp_path.rglob("*") if path != tmp_path / "out" or path.is_file()]
    assert not left


def test_a_disk_that_fills_up_while_weights_are_written_as_hdf5(places, tmp_path, capsys):
    command = ("keras_bert", "convert", "MODEL", "OUT", "--to", "keras_hub")
    with largest_file(5000):  # Its configuration fits.
        assert call(command, places, tmp_path / "out") == 2
    assert "`destination`" in capsys.readouterr().err.splitlines()[-1]
    assert not list(tmp_path.iterdir())
