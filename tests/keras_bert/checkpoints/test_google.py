import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from keras_bert.checkpoints import google
from keras_bert.checkpoints.checkpoint import Checkpoint
from keras_bert.errors import InputError
from keras_bert.models.classifier import BertClassifier
from keras_bert.models.encoder import BertEncoder
from keras_bert.models.multiple_choice import BertMultipleChoice
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.models.span_predictor import BertSpanPredictor
from keras_bert.models.tagger import BertTagger
from tests.conformance import assert_equal

# A folder that another tool wrote; the test is skipped where it is not named.
FOREIGN = os.environ.get("KERAS_BERT_GOOGLE_CHECKPOINT")


@pytest.fixture(scope="module")
def saved(tiny_config, tmp_path_factory):
    directory = tmp_path_factory.mktemp("saved")
    google.write(Checkpoint.of(BertPretrainer(tiny_config)), directory)
    return directory


@pytest.fixture
def directory(saved, tmp_path):
    """A copy that a test may change."""
    return Path(shutil.copytree(saved, tmp_path / "copy"))


def test_round_trip_keeps_every_bit(tiny_config, tmp_path, features):
    features = {**features, "masked_positions": np.array([[1, 2], [3, 0]], "int32")}
    model = BertPretrainer(tiny_config)
    google.write(Checkpoint.of(model), tmp_path)
    loaded = BertPretrainer.from_checkpoint(tmp_path)
    assert loaded.config == model.config
    for one, other in zip(model.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    assert_equal(loaded(features), model(features))


def test_names_and_shapes_are_the_reference_s(directory, tiny_config):
    shapes = tf.train.load_checkpoint(
        str(directory / "bert_model.ckpt")
    ).get_variable_to_shape_map()
    width, inner = tiny_config.hidden_dim, tiny_config.intermediate_dim
    assert shapes["bert/embeddings/word_embeddings"] == [tiny_config.vocabulary_size, width]
    assert shapes["bert/encoder/layer_1/attention/self/key/kernel"] == [width, width]
    assert shapes["bert/encoder/layer_0/intermediate/dense/kernel"] == [width, inner]
    assert shapes["cls/seq_relationship/output_weights"] == [2, width]
    assert shapes["cls/predictions/output_bias"] == [tiny_config.vocabulary_size]
    assert len(shapes) == 5 + 16 * tiny_config.num_layers + 2 + 5 + 2
    config = json.loads((directory / "bert_config.json").read_text())
    assert config["num_hidden_layers"] == tiny_config.num_layers


def test_names_of_heads_are_the_reference_s(tiny_config, tmp_path):
    heads = {
        BertTagger(tiny_config, num_tags=5): ("output_", 5),
        BertSpanPredictor(tiny_config): ("cls/squad/output_", 2),
        BertMultipleChoice(tiny_config): ("output_", 1),
    }
    for model, (prefix, count) in heads.items():
        directory = tmp_path / type(model).__name__
        google.write(Checkpoint.of(model), directory)
        reader = tf.train.load_checkpoint(str(directory / "bert_model.ckpt"))
        shapes = reader.get_variable_to_shape_map()
        assert shapes[f"{prefix}weights"] == [count, tiny_config.hidden_dim]
        assert shapes[f"{prefix}bias"] == [count]
        loaded = type(model).from_checkpoint(directory)
        assert_equal(loaded.get_weights(), model.get_weights())


def test_a_classifier_begins_from_it(directory, caplog):
    model = BertClassifier.from_checkpoint(directory, labels=["no", "yes"])
    assert "output_weights" in caplog.text
    pretrained = BertPretrainer.from_checkpoint(directory)
    assert_equal(model.encoder.get_weights(), pretrained.encoder.get_weights())


SLOTS = {
    "BERT's own": ["{}/adam_m", "{}/adam_v"],
    "BioBERT": ["{}/BERTAdam", "{}/BERTAdam_1"],
    "TensorFlow's": ["{}/Adam", "{}/Adam_1", "{}/Momentum", "{}/RMSProp_1"],
    "scoped": ["optimizer/{}/Adam", "training/loss/{}/Adam_1", "{}/Adam/ExponentialMovingAverage"],
    "another's": ["{}/a_name_that_nobody_has_seen"],
}
SCALARS = ["global_step", "beta1_power", "beta2_power_1", "learning_rate", "a/loss_scale"]


@pytest.mark.parametrize("names", SLOTS.values(), ids=SLOTS)
def test_slots_are_told_by_their_structure(directory, names):
    arrays = read(directory)
    slots = {name.format(weight): array for weight, array in arrays.items() for name in names}
    scalars = {name: np.float32(0.9) for name in SCALARS} | {"global_step": np.int64(7)}
    write(directory, {**arrays, **slots, **scalars})
    assert google.read(directory).arrays.keys() == arrays.keys()
    BertPretrainer.from_checkpoint(directory)


def test_factored_slots(directory):
    arrays = read(directory)
    slots = {}
    for name, array in arrays.items():
        if array.ndim == 2:
            slots |= {f"{name}/vr": array[:, 0], f"{name}/vc": array[0], f"{name}/v": array[0, :1]}
        else:
            slots |= {f"{name}/v": array, f"{name}/vr": array[:1], f"{name}/vc": array[:1]}
    write(directory, {**arrays, **slots})
    assert google.read(directory).arrays.keys() == arrays.keys()


def test_what_is_no_slot_is_a_weight(directory):
    arrays = read(directory)
    below = "bert/embeddings/LayerNorm/beta/gate"
    for name, shape in (("bert/encoder/layer_7/output/dense/bias", 3), (below, 5)):
        write(directory, {**arrays, name: np.zeros(shape, "float32")})
        with pytest.raises(InputError, match=f"{name} is unexpected"):
            BertPretrainer.from_checkpoint(directory)
    write(directory, {n: a for n, a in arrays.items() if n != "bert/embeddings/LayerNorm/beta"})
    with pytest.raises(InputError, match="bert/embeddings/LayerNorm/beta is missing"):
        BertEncoder.from_checkpoint(directory)


def read(directory):
    reader = tf.train.load_checkpoint(str(directory / "bert_model.ckpt"))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def write(directory, arrays, name="bert_model.ckpt"):
    for path in directory.glob(f"{name}*"):
        path.unlink()
    tf.raw_ops.SaveV2(
        prefix=str(directory / name),
        tensor_names=list(arrays),
        shape_and_slices=[""] * len(arrays),
        tensors=[tf.constant(array) for array in arrays.values()],
    )


def test_damaged_folders_are_refused(directory, tmp_path):
    data = directory / "bert_model.ckpt.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:50])
    with pytest.raises(InputError, match=r"bert_model\.ckpt: damaged checkpoint"):
        BertEncoder.from_checkpoint(directory)


def test_one_of_several_checkpoints(directory, tiny_config, tmp_path):
    """The published name, the newest by `checkpoint`, the one that a path names; else a list."""
    arrays = read(directory)
    numbers = {"model.ckpt-1000": 1, "model.ckpt-2000": 2, "bert_model.ckpt": 3}
    bias = "bert/embeddings/LayerNorm/beta"
    for name, number in numbers.items():
        write(directory, {**arrays, bias: np.full_like(arrays[bias], number)}, name)

    def number_at(path):
        return google.read(path).arrays[bias][0]

    for suffix in ("", ".index", ".meta", ".data-00000-of-00001"):
        assert number_at(directory / f"model.ckpt-1000{suffix}") == 1
    # The published name first, whatever the others say.
    assert number_at(directory) == 3
    for path in directory.glob("bert_model.ckpt*"):
        path.unlink()
    with pytest.raises(InputError, match=r"name one.*model\.ckpt-1000, model\.ckpt-2000"):
        google.read(directory)
    # As training leaves it, on another machine.
    note = directory / "checkpoint"
    note.write_text('model_checkpoint_path: "/home/somebody/run/model.ckpt-2000"\n')
    assert number_at(directory) == 2
    BertEncoder.from_checkpoint(directory / "model.ckpt-2000")
    for content in ('model_checkpoint_path: "model.ckpt-3000"\n', "damaged {"):
        note.write_text(content)
        with pytest.raises(InputError, match="name one"):
            google.read(directory)
    for path in directory.glob("*.index"):
        path.unlink()
    with pytest.raises(InputError, match=r"a checkpoint .*Received: none"):
        google.read(directory)
    with pytest.raises(InputError, match=r"model\.ckpt-1000"):
        BertEncoder.from_checkpoint(directory / "model.ckpt-1000")


def test_what_the_format_cannot_say_is_refused(tiny_config, tmp_path):
    import dataclasses

    model = BertEncoder(dataclasses.replace(tiny_config, activation="gelu"))
    with pytest.raises(InputError, match="tanh GELU"):
        google.write(Checkpoint.of(model), tmp_path)
    assert not list(tmp_path.iterdir())
    dropped = dataclasses.replace(tiny_config, classifier_dropout=0.5)
    with pytest.raises(InputError, match=r"classifier_dropout=0\.5"):
        google.write(Checkpoint.of(BertClassifier(dropped, num_classes=2)), tmp_path)
    # It is a rate of heads that a pre-trained model does not have.
    google.write(Checkpoint.of(BertPretrainer(dropped)), tmp_path)
    assert google.read(tmp_path).config == tiny_config


@pytest.mark.skipif(FOREIGN is None, reason="KERAS_BERT_GOOGLE_CHECKPOINT is not set")
def test_a_folder_of_another_tool():
    model = BertPretrainer.from_checkpoint(FOREIGN)
    reader = tf.train.load_checkpoint(str(next(Path(FOREIGN).glob("*.index")).with_suffix("")))
    kernel = reader.get_tensor("bert/encoder/layer_1/attention/self/value/kernel")
    width = model.config.hidden_dim
    ours = model.encoder.blocks[1].attention.query_key_value.kernel.numpy()[:, 2 * width :]
    np.testing.assert_array_equal(ours, kernel)
