import pickle
import sys

import pyarrow
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds
from pyarrow import parquet

from data_gen.sources import Corpus, find_sources
from keras_bert.errors import InputError


@pytest.fixture
def table(tmp_path):
    def write(name="a.parquet", **columns):
        path = tmp_path / name
        parquet.write_table(pyarrow.table(columns), path, row_group_size=50)
        return path

    return write


def test_parquet(table):
    path = table(text=[f"Row {n}.\nIt is here." for n in range(200)], other=list(range(200)))
    (source,) = pickle.loads(pickle.dumps(find_sources(str(path))))
    documents = list(source.documents())
    assert [document.paragraphs for document in documents] == [
        [f"Row {n}.", "It is here."] for n in range(200)
    ]
    assert documents[0].units is None
    assert source.bytes_read == source.bytes == path.stat().st_size


def test_parquet_with_units(table):
    words = table("words.parquet", text=["我爱北京"], words=["我 爱 北京"])
    spans = table("spans.parquet", text=["我爱北京", "好"], spans=[[[2, 4]], None])
    assert [document.units for document in Corpus(str(words))] == [[[(0, 1), (1, 2), (2, 4)]]]
    assert [document.units for document in Corpus(str(spans))] == [[[(2, 4)]], None]


def test_parquet_faults(table, monkeypatch):
    path = table(body=["a"])
    with pytest.raises(InputError, match=r'a\.parquet: a column "text" is expected.*: body'):
        list(Corpus(str(path)))
    with pytest.raises(InputError, match=r'a\.parquet, row 2: "text" must be a string.*null'):
        list(Corpus(str(table(text=["a", None]))))
    with pytest.raises(InputError, match=r"a\.parquet, row 1: .* Received: 3"):
        list(Corpus(str(table(text=[3]))))
    invalid = pyarrow.array([b"good", b"b\xe9d"]).view(pyarrow.string())
    with pytest.raises(InputError, match=r"a\.parquet: cannot read after row"):
        list(Corpus(str(table(text=invalid))))
    path = table(text=["some text"] * 100)
    content = path.read_bytes()
    for damaged in (content[:-20], content[: len(content) // 2], b"no table", b""):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match=r"a\.parquet: cannot read after row 0"):
            list(Corpus(str(path)))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match="needs the package pyarrow"):
        list(Corpus(str(path)))


class Tales(tfds.core.GeneratorBasedBuilder):
    """A small data set of two configurations."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = (
        tfds.core.BuilderConfig(name="short", description="Short tales."),
        tfds.core.BuilderConfig(name="long", description="Long tales."),
    )

    def _info(self):
        features = {
            "text": tfds.features.Text(),
            "title": tfds.features.Text(),
            "number": tfds.features.Scalar(tf.int32),
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        del dl_manager
        return {"train": self._generate_examples(20), "test": self._generate_examples(3)}

    def _generate_examples(self, count):
        for n in range(count):
            text = f"Tale {n}.\n\nIt is {self.builder_config.name}, café."
            yield n, {"text": text, "title": f"Title {n}", "number": n}


@pytest.fixture(scope="module")
def data_directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tfds")
    for config in ("short", "long"):
        Tales(data_dir=directory, config=config).download_and_prepare()
    return directory


@pytest.fixture
def prepared(data_directory, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(data_directory))


@pytest.mark.usefixtures("prepared")
def test_tensorflow_datasets():
    (source,) = pickle.loads(pickle.dumps(find_sources("tfds:tales/long")))
    documents = [document.paragraphs for document in source.documents()]
    assert sorted(documents) == sorted([f"Tale {n}.", "It is long, café."] for n in range(20))
    assert [document.paragraphs for document in source.documents()] == documents
    assert source.bytes_read == source.bytes > 0
    titles = [document.paragraphs for document in Corpus("tfds:tales/short:1.0.0@test#title")]
    assert sorted(titles) == [["Title 0"], ["Title 1"], ["Title 2"]]
    part = Corpus("tfds:tales/long@train[:25%]")
    assert [document.paragraphs for document in part] == documents[:5]
    assert 0 < part.bytes < source.bytes


@pytest.mark.usefixtures("prepared")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tfds:", "tfds:NAME.* is expected. Received: 'tfds:'"),
        ("tfds:stories", "must be prepared.*tfds build.*Received: 'tfds:stories'"),
        ("tfds:tales/middle", "must be prepared"),
        ("tfds:tales/long@dev", "has the splits train, test, .*Received: 'dev'"),
        ("tfds:tales/long#body", "has the fields .*text.*Received: 'body'"),
        ("tfds:tales/long#number", "the field must be a string. Received: .*'number'"),
    ],
)
def test_wrong_names_of_data_sets(name, message):
    with pytest.raises(InputError, match=message):
        find_sources(name)


def test_damaged_data_set(data_directory, tmp_path, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    for path in data_directory.rglob("*"):
        target = tmp_path / path.relative_to(data_directory)
        if path.is_dir():
            target.mkdir(exist_ok=True)
        else:
            content = path.read_bytes()
            target.write_bytes(content[:-9] if "tfrecord" in path.name else content)
    with pytest.raises(InputError, match="tfds:tales/long: cannot read after example"):
        list(Corpus("tfds:tales/long"))
