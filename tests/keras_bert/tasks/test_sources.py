import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from keras_bert.errors import InputError
from keras_bert.tasks.registry import task_named
from keras_bert.tasks.sources import prepared_rows


class Pairs(tfds.core.GeneratorBasedBuilder):
    """A data set of the shape of `glue/mrpc`."""

    VERSION = tfds.core.Version("1.0.0")
    rows = (("one text", "its twin", "equivalent"), ("ein Satz", "ünïcode", "not_equivalent"))

    def _info(self):
        names = ["not_equivalent", "equivalent"]
        features = {
            "sentence1": tfds.features.Text(),
            "sentence2": tfds.features.Text(),
            "label": tfds.features.ClassLabel(names=names),
            "words": tfds.features.Sequence(tfds.features.Text()),
            "answers": tfds.features.Sequence({"start": tf.int32, "text": tfds.features.Text()}),
            "size": tf.float32,
        }
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        del dl_manager
        return {name: self._generate_examples(name) for name in ("train", "validation", "test")}

    def _generate_examples(self, split):
        for number, (first, second, label) in enumerate(self.rows):
            yield (
                number,
                {
                    "sentence1": first,
                    "sentence2": second,
                    "label": -1 if split == "test" else label,
                    "words": first.split(),
                    "answers": [{"start": number, "text": second}],
                    "size": 0.5,
                },
            )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    directory = tmp_path_factory.mktemp("tfds")
    Pairs(data_dir=directory).download_and_prepare()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFDS_DATA_DIR", str(directory))
        yield "tfds:pairs"


def test_rows_are_as_json_would_have_them(prepared):
    rows = {row["sentence1"]: row for _, row in prepared_rows(prepared, "dev")}
    assert rows["one text"] == {
        "sentence1": "one text",
        "sentence2": "its twin",
        "label": "equivalent",
        "words": ["one", "text"],
        "answers": {"start": [0], "text": ["its twin"]},
        "size": 0.5,
    }
    assert rows["ein Satz"]["sentence2"] == "ünïcode"
    assert [row["label"] for _, row in prepared_rows(prepared, "test")] == [None, None]


def test_a_task_reads_it(prepared):
    task = task_named("mrpc")
    labels = task.labels(prepared)
    examples = task.read(prepared, "train", labels=labels)
    assert dict(zip(examples.columns["text_b"], examples.targets, strict=True)) == {
        "its twin": labels.index("equivalent"),
        "ünïcode": labels.index("not_equivalent"),
    }
    assert task.read(prepared, "test", labels=labels).targets is None


def test_what_is_not_there(prepared):
    with pytest.raises(InputError, match=r"must be prepared.*Received: 'tfds:others'"):
        list(prepared_rows("tfds:others", "train"))
    with pytest.raises(InputError, match=r"has the splits .*validation.* Received: 'dev_matched'"):
        list(prepared_rows(prepared, "dev_matched"))
