"""The layout is the one that `benchmarks/model_garden.py` checks against tf-models-official."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf
import yaml

from keras_bert.checkpoints import google, model_garden
from keras_bert.checkpoints.checkpoint import Checkpoint
from keras_bert.checkpoints.formats import format_of
from keras_bert.errors import InputError
from keras_bert.models.encoder import BertEncoder
from keras_bert.models.pretrainer import BertPretrainer
from tests.conformance import assert_equal

NAMED = ("_embedding_layer", "_position_embedding_layer", "_type_embedding_layer")


@pytest.fixture
def pretrainer(tiny_config):
    random = np.random.default_rng(0)
    model = BertPretrainer(tiny_config)
    for variable in model.weights:
        if variable.dtype == "float32":
            variable.assign(random.standard_normal(variable.shape))
    return model


@pytest.fixture
def arrays(pretrainer):
    return Checkpoint.of(pretrainer).arrays


def objects(tree):
    """Objects that hold each other as the keys of nested dictionaries say."""
    module = tf.Module()
    for name, value in tree.items():
        setattr(module, name, objects(value) if isinstance(value, dict) else value)
    return module


def dense(arrays, name, heads=None):
    shapes = {"kernel": heads, "bias": heads and heads[1:]}
    if name.endswith("LayerNorm"):
        shapes = {"gamma": None, "beta": None}
    if name.endswith("attention/output/dense"):
        shapes["bias"] = None
    return {
        part: tf.Variable(np.reshape(arrays[f"{name}/{part}"], shape or -1))
        if shape
        else tf.Variable(arrays[f"{name}/{part}"])
        for part, shape in shapes.items()
    }


def encoder_tree(arrays, config, *, numbered):
    """`BertEncoder` numbers its layers, `BertEncoderV2` names them."""
    tables = ("word_embeddings", "position_embeddings", "token_type_embeddings")
    embeddings = [{"embeddings": tf.Variable(arrays[f"bert/embeddings/{n}"])} for n in tables]
    embeddings.append(dense(arrays, "bert/embeddings/LayerNorm"))
    heads, width = config.num_heads, config.hidden_dim // config.num_heads
    apart, joined = (config.hidden_dim, heads, width), (heads, width, config.hidden_dim)
    blocks = []
    for index in range(config.num_layers):
        name = f"bert/encoder/layer_{index}"
        attention = {
            f"_{role}_dense": dense(arrays, f"{name}/attention/self/{role}", apart)
            for role in ("query", "key", "value")
        }
        attention["_output_dense"] = dense(arrays, f"{name}/attention/output/dense", joined)
        blocks.append(
            {
                "_attention_layer": attention,
                "_attention_dropout": {},
                "_attention_layer_norm": dense(arrays, f"{name}/attention/output/LayerNorm"),
                "_intermediate_dense": dense(arrays, f"{name}/intermediate/dense"),
                "_output_dense": dense(arrays, f"{name}/output/dense"),
                "_output_layer_norm": dense(arrays, f"{name}/output/LayerNorm"),
            }
        )
    pooler = dense(arrays, "bert/pooler/dense")
    if numbered:
        layers = [*embeddings, *blocks, pooler]
        return {
            "layer-0": {},
            **{f"layer_with_weights-{index}": layer for index, layer in enumerate(layers)},
        }
    return {
        **dict(zip((*NAMED, "_embedding_norm_layer"), embeddings, strict=True)),
        "_transformer_layers": {str(index): block for index, block in enumerate(blocks)},
        "_pooler_layer": pooler,
    }


def pretrainer_tree(arrays, config, *, numbered=True):
    """Its encoder has a pooler that is not the one of the next-sentence head."""
    untrained = {n: a * 0 if n.startswith("bert/pooler/") else a for n, a in arrays.items()}
    encoder = encoder_tree(untrained, config, numbered=numbered)
    table = encoder["layer_with_weights-0" if numbered else "_embedding_layer"]["embeddings"]
    bias = tf.Variable(arrays["cls/predictions/output_bias"])
    return {
        # The embeddings have their key from here.
        "masked_lm": {
            "embedding_table": table,
            "dense": dense(arrays, "cls/predictions/transform/dense"),
            "layer_norm": dense(arrays, "cls/predictions/transform/LayerNorm"),
            "output_bias/bias": bias,
            "bias": bias,
        },
        "encoder_network": encoder,
        "classification_heads": {
            "0": {
                "dense": dense(arrays, "bert/pooler/dense"),
                "out_proj": {
                    "kernel": tf.Variable(arrays["cls/seq_relationship/output_weights"]),
                    "bias": tf.Variable(arrays["cls/seq_relationship/output_bias"]),
                },
            }
        },
    }


def write_folder(directory, config, **trees):
    """Returns the folder of a checkpoint whose root holds objects of these names."""
    directory.mkdir()
    (directory / "bert_config.json").write_text(json.dumps(config.to_google()))
    held = {name: objects(tree) for name, tree in trees.items()}
    tf.train.Checkpoint(**held).save(str(directory / "bert_model.ckpt"))
    return directory


@pytest.mark.parametrize("numbered", [True, False])
@pytest.mark.parametrize("name", ["encoder", "model"])
def test_encoders_are_read(arrays, tiny_config, tmp_path, numbered, name):
    tree = encoder_tree(arrays, tiny_config, numbered=numbered)
    folder = write_folder(tmp_path / "garden", tiny_config, **{name: tree})
    assert format_of(folder) is model_garden
    encoder = BertEncoder.from_checkpoint(folder)
    assert encoder.config == tiny_config
    read = Checkpoint.of(encoder).arrays
    assert_equal(list(read.values()), [arrays[name] for name in read])


@pytest.mark.parametrize("numbered", [True, False])
def test_pretrainers_are_read(pretrainer, arrays, tiny_config, tmp_path, numbered):
    tree = pretrainer_tree(arrays, tiny_config, numbered=numbered)
    folder = write_folder(tmp_path / "garden", tiny_config, model=tree)
    loaded = BertPretrainer.from_checkpoint(folder)
    assert_equal(loaded.get_weights(), pretrainer.get_weights())


def test_of_several_heads_none_is_taken(arrays, tiny_config, tmp_path):
    tree = pretrainer_tree(arrays, tiny_config)
    tree["classification_heads"]["1"] = tree["classification_heads"]["0"]
    folder = write_folder(tmp_path / "garden", tiny_config, model=tree)
    assert not BertEncoder.from_checkpoint(folder).pooler.dense.kernel.numpy().any()
    assert BertPretrainer.from_checkpoint(folder).next_sentence_head is None


def test_a_head_of_other_classes_is_not_next_sentence_prediction(arrays, tiny_config, tmp_path):
    tree = pretrainer_tree(arrays, tiny_config)
    head = tree["classification_heads"]["0"]["out_proj"]
    head["kernel"] = tf.Variable(np.zeros((tiny_config.hidden_dim, 3), "float32"))
    head["bias"] = tf.Variable(np.zeros(3, "float32"))
    folder = write_folder(tmp_path / "garden", tiny_config, model=tree)
    assert BertPretrainer.from_checkpoint(folder).next_sentence_head is None
    model = BertPretrainer.from_checkpoint(folder, next_sentence=True)
    assert np.asarray(model.next_sentence_head.dense.kernel).any()


def test_a_run_is_read_by_its_parameters(pretrainer, arrays, tiny_config, tmp_path):
    encoder = {
        "vocab_size": tiny_config.vocabulary_size,
        "hidden_size": 32,
        "num_layers": 2,
        "num_attention_heads": 2,
        "hidden_activation": "gelu",
        "intermediate_size": 64,
        "dropout_rate": 0.1,
        "attention_dropout_rate": 0.1,
        "max_position_embeddings": 64,
        "type_vocab_size": 2,
        "initializer_range": 0.02,
        "embedding_size": None,
        "output_range": None,
        "return_all_encoder_outputs": False,
        "norm_first": False,
    }
    optimizer = {"iter": tf.Variable(7), "hyper": tf.Variable(0.1)}
    tree = pretrainer_tree(arrays, tiny_config)
    folder = write_folder(tmp_path / "run", tiny_config, model=tree, optimizer=optimizer)
    (folder / "bert_config.json").unlink()

    def write_parameters(kind="bert", **changes):
        model = {"encoder": {"type": kind, kind: {**encoder, **changes}}}
        (folder / "params.yaml").write_text(yaml.dump({"task": {"model": model}, "trainer": {}}))

    write_parameters()
    loaded = BertPretrainer.from_checkpoint(folder)
    assert loaded.config == tiny_config
    assert_equal(loaded.get_weights(), pretrainer.get_weights())
    for changes, message in (
        ({"norm_first": True}, "`norm_first` must be False"),
        ({"embedding_size": 8}, "`embedding_size` must be that of `hidden_size`"),
        ({"hidden_activation": "mish"}, "`hidden_activation` must be one of"),
        ({"kind": "albert"}, "must have task.model.encoder.bert"),
        ({"rotary": True}, "unknown key 'rotary'"),
    ):
        write_parameters(**changes)
        with pytest.raises(InputError, match=rf"params\.yaml: {message}"):
            BertEncoder.from_checkpoint(folder)
    (folder / "params.yaml").write_text("task: [")
    with pytest.raises(InputError, match=r"params\.yaml: must have"):
        BertEncoder.from_checkpoint(folder)


@pytest.mark.parametrize("numbered", [True, False])
def test_their_objects_find_everything_in_what_we_write(
    pretrainer, arrays, tiny_config, tmp_path, numbered
):
    zeros = {name: array * 0 for name, array in arrays.items()}
    for model, name, tree in (
        (pretrainer.encoder, "encoder", encoder_tree(zeros, tiny_config, numbered=numbered)),
        (pretrainer, "model", pretrainer_tree(zeros, tiny_config, numbered=numbered)),
    ):
        model_garden.write(Checkpoint.of(model), tmp_path / name)
        held = objects(tree)
        checkpoint = tf.train.Checkpoint(**{name: held})
        checkpoint.read(str(tmp_path / name / "bert_model.ckpt")).assert_consumed()
    kernel = getattr(held.classification_heads, "0").out_proj.kernel
    assert_equal(kernel, arrays["cls/seq_relationship/output_weights"])


def test_keys_are_theirs(pretrainer, tiny_config, tmp_path):
    model_garden.write(Checkpoint.of(pretrainer.encoder), tmp_path)
    shapes = tf.train.load_checkpoint(str(tmp_path / "bert_model.ckpt"))
    shapes = shapes.get_variable_to_shape_map()
    key = "encoder/layer_with_weights-4/_attention_layer/_query_dense/kernel"
    heads = tiny_config.num_heads
    assert shapes[f"{key}/.ATTRIBUTES/VARIABLE_VALUE"] == [32, heads, 32 // heads]
    # The graph of the objects is a tensor too.
    assert len(shapes) == 1 + 5 + 16 * tiny_config.num_layers + 2


def test_a_google_folder_is_not_one(pretrainer, tmp_path):
    google.write(Checkpoint.of(pretrainer), tmp_path)
    assert format_of(tmp_path) is google
    data = tmp_path / "bert_model.ckpt.index"
    data.write_bytes(data.read_bytes()[:50])
    with pytest.raises(InputError, match="damaged checkpoint"):
        BertEncoder.from_checkpoint(tmp_path)


def edited(tree, path, value=None):
    """Replaces what stands at a path, or removes it."""
    *parents, last = path.split("/")
    holder = tree
    for parent in parents:
        holder = holder[parent]
    if value is None:
        del holder[last]
    else:
        holder[last] = value
    return tree


def zeros(*shape):
    return tf.Variable(np.zeros(shape, "float32"))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("1/_output_dense/bias", None, "1/_output_dense/bias is missing"),
        ("1/_output_dense/bias", zeros(3), r"1/_output_dense/bias has shape \(3,\), expected"),
        ("2", {"_output_dense": {"bias": zeros(32)}}, "2/_output_dense/bias is unexpected"),
        ("0/_attention_layer/_query_dense/bias", zeros(4, 8), "bias has 4 heads, expected 2"),
    ],
)
def test_tensors_that_do_not_fit_are_named(arrays, tiny_config, tmp_path, path, value, message):
    tree = encoder_tree(arrays, tiny_config, numbered=False)
    folder = tmp_path / "garden"
    write_folder(folder, tiny_config, encoder=edited(tree, f"_transformer_layers/{path}", value))
    with pytest.raises(InputError, match=f"_transformer_layers/.*{message}"):
        BertEncoder.from_checkpoint(folder)


def test_a_missing_block_is_noticed_where_layers_have_numbers(arrays, tiny_config, tmp_path):
    longer = dataclasses.replace(tiny_config, num_layers=3)
    tree = encoder_tree(arrays, tiny_config, numbered=True)
    folder = write_folder(tmp_path / "garden", longer, encoder=tree)
    with pytest.raises(InputError, match=r"layer_2/attention/self/query/kernel is missing"):
        BertEncoder.from_checkpoint(folder)


def test_another_network_is_refused(arrays, tiny_config, tmp_path):
    folder = write_folder(tmp_path / "a", tiny_config, encoder={"kernel": tf.Variable(1.0)})
    with pytest.raises(InputError, match="must hold a BertEncoder"):
        BertEncoder.from_checkpoint(folder)
    tree = encoder_tree(arrays, tiny_config, numbered=True)
    folder = write_folder(tmp_path / "b", tiny_config, encoder=tree)
    settings = {**tiny_config.to_google(), "backward_compatible": True, "embedding_size": None}
    (folder / "bert_config.json").write_text(json.dumps(settings))
    BertEncoder.from_checkpoint(folder)
    (folder / "bert_config.json").write_text(json.dumps({**settings, "embedding_size": 8}))
    with pytest.raises(InputError, match=r"embedding_size=8"):
        BertEncoder.from_checkpoint(folder)


def test_what_the_format_cannot_say_is_refused(pretrainer, tiny_config, tmp_path):
    exact = BertEncoder(dataclasses.replace(tiny_config, activation="gelu"))
    with pytest.raises(InputError, match="tanh GELU"):
        model_garden.write(Checkpoint.of(exact), tmp_path)
    checkpoint = Checkpoint.of(pretrainer)
    del checkpoint.arrays["bert/pooler/dense/bias"]
    with pytest.raises(InputError, match="bert/pooler/dense/bias is missing"):
        model_garden.write(checkpoint, tmp_path)
    assert not list(tmp_path.iterdir())
