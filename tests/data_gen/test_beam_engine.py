import gzip

import pytest

from data_gen.engine import generate
from data_gen.options import PretrainingDataOptions
from keras_bert.errors import InputError
from keras_bert.records import verify_shards

pytest.importorskip("apache_beam")
# Of the library itself, at its import and in its local runner.
pytestmark = pytest.mark.filterwarnings("ignore")

LOCAL = "--runner=BundleBasedDirectRunner"


@pytest.fixture
def options(corpus, vocabulary_file, tmp_path):
    # Several files, hence several groups, which the runner reads in any order.
    text = corpus.read_text().split("\n\n")
    for number in range(6):
        part = "\n\n".join(text[number::6])
        (tmp_path / f"part-{number}.txt.gz").write_bytes(gzip.compress(part.encode()))

    def make(output, **changes):
        values = {"sequence_length": 32, "partition_bytes": 500, **changes}
        return PretrainingDataOptions(
            str(tmp_path / "part-*.gz"), str(vocabulary_file), str(tmp_path / output), **values
        )

    return make


def test_shards_are_those_of_the_local_engine(options, tmp_path):
    local = generate(options("local"))
    beam = generate(options("beam", runner="beam", beam_options=LOCAL))
    assert beam == local == verify_shards(tmp_path / "beam")
    assert len({shard.name.split("-")[1] for shard in beam.shards}) > 1
    files = {path.name for path in (tmp_path / "beam").iterdir()}
    assert files == {path.name for path in (tmp_path / "local").iterdir()}
    for name in files - {"config.json"}:
        assert (tmp_path / "beam" / name).read_bytes() == (tmp_path / "local" / name).read_bytes()


def test_wrong_input_is_one_error_here_too(options, tmp_path):
    (tmp_path / "part-9.txt.gz").write_bytes(gzip.compress(b"the cat\n\n\xff\n"))
    with pytest.raises(InputError, match=r"part-9.txt.gz, line 3: the text must be UTF-8"):
        generate(options("beam", runner="beam", beam_options=LOCAL))
    assert not (tmp_path / "beam").exists()


def test_wrong_options_of_beam(options, tmp_path):
    with pytest.raises(InputError, match=r"`--beam-options`.*NoSuchRunner"):
        generate(options("beam", runner="beam", beam_options="--runner=NoSuchRunner"))
    assert not (tmp_path / "beam").exists()
