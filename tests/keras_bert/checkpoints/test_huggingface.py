import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from keras_bert.checkpoints import huggingface
from keras_bert.errors import InputError
from keras_bert.models.classifier import BertClassifier
from keras_bert.models.encoder import BertEncoder
from keras_bert.models.multiple_choice import BertMultipleChoice
from keras_bert.models.pretrainer import BertPretrainer
from keras_bert.models.span_predictor import BertSpanPredictor
from keras_bert.models.tagger import BertTagger
from tests.conformance import assert_equal

WEIGHTS = "model.safetensors"
_BLOCK = "bert.encoder.layer.0"


@pytest.fixture(scope="module")
def saved(tiny_config, tmp_path_factory):
    directory = tmp_path_factory.mktemp("saved")
    BertPretrainer(tiny_config).save_checkpoint(directory)
    return directory


@pytest.fixture
def directory(saved, tmp_path):
    """A copy that a test may change."""
    return Path(shutil.copytree(saved, tmp_path, dirs_exist_ok=True))


def test_a_tokenizer_stands_beside_the_weights(tiny_config, vocabulary, tmp_path):
    pytest.importorskip("tensorflow", reason="tokenizers run in the TensorFlow graph")
    from keras_bert.text.tokenizer import BertTokenizer

    BertEncoder(tiny_config).save_checkpoint(tmp_path, tokenizer=BertTokenizer(vocabulary))
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"config.json", "model.safetensors", "vocab.txt", "tokenizer_config.json"}


def test_layout_is_hugging_faces(directory, tiny_config):
    assert {path.name for path in directory.iterdir()} == {"config.json", "model.safetensors"}
    config = json.loads((directory / "config.json").read_text())
    assert config["model_type"] == "bert"
    assert config["architectures"] == ["BertForPreTraining"]
    arrays = load_file(directory / "model.safetensors")
    width, inner = tiny_config.hidden_dim, tiny_config.intermediate_dim
    shapes = {name: array.shape for name, array in arrays.items()}
    assert shapes["bert.embeddings.word_embeddings.weight"] == (tiny_config.vocabulary_size, width)
    assert shapes["bert.embeddings.LayerNorm.weight"] == (width,)
    assert shapes["bert.encoder.layer.1.attention.self.key.weight"] == (width, width)
    assert shapes["bert.encoder.layer.0.intermediate.dense.weight"] == (inner, width)
    assert shapes["bert.encoder.layer.0.output.dense.weight"] == (width, inner)
    assert shapes["bert.encoder.layer.0.attention.output.LayerNorm.bias"] == (width,)
    assert shapes["bert.pooler.dense.weight"] == (width, width)
    assert shapes["cls.predictions.transform.dense.weight"] == (width, width)
    assert shapes["cls.predictions.transform.LayerNorm.weight"] == (width,)
    assert shapes["cls.predictions.bias"] == (tiny_config.vocabulary_size,)
    assert shapes["cls.seq_relationship.weight"] == (2, width)
    assert len(shapes) == 5 + 16 * tiny_config.num_layers + 2 + 5 + 2


def test_linear_weights_are_transposed_and_unfused(directory):
    model = BertPretrainer.from_checkpoint(directory)
    arrays = load_file(directory / "model.safetensors")
    attention = model.encoder.blocks[0].attention
    kernel = np.asarray(attention.query_key_value.kernel)
    key = arrays["bert.encoder.layer.0.attention.self.key.weight"]
    width = model.config.hidden_dim
    np.testing.assert_array_equal(key, kernel[:, width : 2 * width].T)


def test_bare_encoder_without_prefix(directory, features, tmp_path):
    arrays = load_file(directory / "model.safetensors")
    bare = {n.removeprefix("bert."): a for n, a in arrays.items() if n.startswith("bert.")}
    expected = BertEncoder.from_checkpoint(directory)(features)
    save_file(bare, directory / "model.safetensors")
    assert_equal(BertEncoder.from_checkpoint(directory)(features), expected)


def test_a_new_head_starts_from_random_weights_and_says_so(directory, caplog):
    model = BertClassifier.from_checkpoint(directory, num_classes=3)
    assert model.num_classes == 3
    assert "classifier.weight" in caplog.text


def test_labels_travel(tiny_config, tmp_path, features):
    model = BertClassifier(tiny_config, labels=["no", "yes"])
    model.save_checkpoint(tmp_path)
    loaded = BertClassifier.from_checkpoint(tmp_path)
    assert loaded.labels == ("no", "yes")
    assert_equal(loaded(features), model(features))


@pytest.mark.parametrize(
    ("make", "arguments", "head"),
    [(BertTagger, {"num_tags": 2}, "classifier"), (BertSpanPredictor, {}, "qa_outputs")],
)
def test_models_of_tokens_hold_no_pooler(tiny_config, tmp_path, features, make, arguments, head):
    model = make(tiny_config, **arguments)
    model.save_checkpoint(tmp_path)
    arrays = load_file(tmp_path / "model.safetensors")
    assert len(arrays) == 5 + 16 * tiny_config.num_layers + 2
    assert arrays[f"{head}.weight"].shape == (2, tiny_config.hidden_dim)
    assert arrays[f"{head}.bias"].shape == (2,)
    assert not any("pooler" in name for name in arrays)
    assert_equal(make.from_checkpoint(tmp_path)(features), model(features))


def test_choices_have_one_score(tiny_config, tmp_path):
    BertMultipleChoice(tiny_config).save_checkpoint(tmp_path)
    arrays = load_file(tmp_path / "model.safetensors")
    assert arrays["classifier.weight"].shape == (1, tiny_config.hidden_dim)
    assert "bert.pooler.dense.weight" in arrays


@pytest.mark.parametrize("make", [BertTagger, BertSpanPredictor, BertMultipleChoice])
def test_new_tasks_begin_from_pre_trained_weights(directory, caplog, make):
    model = make.from_checkpoint(directory, **({"num_tags": 5} if make is BertTagger else {}))
    assert "new heads, from random weights" in caplog.text
    expected = BertEncoder.from_checkpoint(directory, pooler=model.encoder.pooler is not None)
    assert_equal(model.encoder.get_weights(), expected.get_weights())


def test_a_tagger_is_no_classifier(tiny_config, tmp_path, caplog):
    BertTagger(tiny_config, num_tags=3).save_checkpoint(tmp_path)
    with pytest.raises(InputError, match=r"pooler.* is missing"):
        BertClassifier.from_checkpoint(tmp_path)
    with pytest.raises(InputError, match=r"\(3, 32\), expected \(2, 32\).*--new-head"):
        BertTagger.from_checkpoint(tmp_path, labels=["O", "B"])
    # Its encoder is one, and a new pooler is announced.
    BertEncoder.from_checkpoint(tmp_path)
    assert "new heads, from random weights: pooler (bert.pooler.dense.weight, " in caplog.text


def test_labels_that_the_configuration_leaves_out_are_numbered(tiny_config, tmp_path):
    BertTagger(tiny_config, labels=["O", "B"]).save_checkpoint(tmp_path)
    path = tmp_path / "config.json"
    settings = json.loads(path.read_text())
    # transformers writes no names where they are its default.
    del settings["id2label"], settings["label2id"]
    path.write_text(json.dumps(settings))
    assert BertTagger.from_checkpoint(tmp_path).labels == ("LABEL_0", "LABEL_1")
    path.write_text(json.dumps({**settings, "id2label": {"1": "O", "2": "B"}}))
    with pytest.raises(InputError, match=r"id2label.*0 to 1\. Received: 1, 2"):
        BertTagger.from_checkpoint(tmp_path)


def edit(directory, change):
    arrays = load_file(directory / "model.safetensors")
    change(arrays)
    save_file(arrays, directory / "model.safetensors")


def test_missing_and_misshapen_tensors_are_listed(directory):
    name = "bert.encoder.layer.1.output.dense.bias"
    edit(directory, lambda arrays: arrays.pop(name))
    with pytest.raises(InputError, match=f"{name} is missing"):
        BertPretrainer.from_checkpoint(directory)
    edit(directory, lambda arrays: arrays.update({name: np.zeros(3, "float32")}))
    with pytest.raises(InputError, match=rf"{name} has shape \(3,\), expected \(32,\)"):
        BertPretrainer.from_checkpoint(directory)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (BertClassifier, "classifier.bias"),
        (BertTagger, "classifier.weight"),
        (BertSpanPredictor, "qa_outputs.bias"),
        (BertMultipleChoice, "classifier.bias"),
    ],
)
def test_half_a_head_is_an_error(tiny_config, tmp_path, make, name):
    counts = {BertClassifier: {"num_classes": 2}, BertTagger: {"num_tags": 2}}
    make(tiny_config, **counts.get(make, {})).save_checkpoint(tmp_path)
    edit(tmp_path, lambda arrays: arrays.pop(name))
    with pytest.raises(InputError, match=f"{name} is missing"):
        make.from_checkpoint(tmp_path, **counts.get(make, {}))


def test_half_a_pretraining_head_is_refused(directory):
    edit(directory, lambda arrays: arrays.pop("cls.predictions.bias"))
    with pytest.raises(InputError, match=r"cls\.predictions\.bias is missing"):
        BertPretrainer.from_checkpoint(directory)


def test_pickles_are_refused_with_the_remedy(directory):
    (directory / "model.safetensors").rename(directory / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"pickle.*safe_serialization"):
        BertEncoder.from_checkpoint(directory)


@pytest.mark.parametrize("kept", [0, 4, 1000])
def test_damaged_weights(directory, kept):
    path = directory / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(InputError, match="damaged weights"):
        BertEncoder.from_checkpoint(directory)


def test_missing_directory(tmp_path):
    with pytest.raises(InputError, match=r"none.config\.json: cannot read"):
        BertEncoder.from_checkpoint(tmp_path / "none")


def shard(directory):
    """Splits the weights over two files with an index, as large models are published."""
    arrays = load_file(directory / "model.safetensors")
    files = {name: f"model-{1 + i % 2:05}-of-00002.safetensors" for i, name in enumerate(arrays)}
    for file in set(files.values()):
        part = {name: array for name, array in arrays.items() if files[name] == file}
        save_file(part, directory / file)
    (directory / "model.safetensors").unlink()
    (directory / "model.safetensors.index.json").write_text(json.dumps({"weight_map": files}))


def test_sharded_weights(directory, features):
    expected = BertEncoder.from_checkpoint(directory)(features)
    shard(directory)
    assert_equal(BertEncoder.from_checkpoint(directory)(features), expected)
    (directory / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(InputError, match="missing: model-00002-of-00002"):
        BertEncoder.from_checkpoint(directory)
    (directory / "model.safetensors.index.json").write_text("{}")
    with pytest.raises(InputError, match="damaged index"):
        BertEncoder.from_checkpoint(directory)


def test_unexpected_tensors_of_the_encoder_are_refused(directory, caplog):
    name = "bert.encoder.layer.9.output.dense.bias"
    edit(directory, lambda arrays: arrays.update({"cls.other.weight": np.zeros(3, "float32")}))
    with caplog.at_level("INFO"):
        BertPretrainer.from_checkpoint(directory)
    assert "BertPretrainer: left out: cls.other.weight" in caplog.text
    edit(directory, lambda arrays: arrays.update({name: np.zeros(3, "float32")}))
    with pytest.raises(InputError, match=f"{name} is unexpected"):
        BertPretrainer.from_checkpoint(directory)


# What others write beside, or in place of, the names that we write.
RENAMED = {
    "compiled": lambda name: f"_orig_mod.{name}",
    "compiled encoder": lambda name: name.replace("bert.encoder.", "bert.encoder._orig_mod."),
    "distributed": lambda name: f"module.{name}",
    "both": lambda name: f"module._orig_mod.{name}",
    "gamma and beta": lambda name: name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
        "LayerNorm.bias", "LayerNorm.beta"
    ),
    "decoder's bias": lambda name: name.replace(
        "cls.predictions.bias", "cls.predictions.decoder.bias"
    ),
    "no prefix": lambda name: name.removeprefix("bert."),
}


@pytest.mark.parametrize("rename", RENAMED.values(), ids=RENAMED)
def test_names_of_other_writers(directory, rename):
    expected = huggingface.read(directory).arrays
    arrays = load_file(directory / "model.safetensors")
    save_file({rename(name): array for name, array in arrays.items()}, directory / WEIGHTS)
    assert_equal(huggingface.read(directory).arrays, expected)


BESIDE = {
    "bert.embeddings.position_ids": np.arange(64)[np.newaxis],
    "bert.embeddings.token_type_ids": np.zeros((1, 64), "int64"),
    "module.bert.embeddings.position_ids": np.arange(64)[np.newaxis],
    "cls.predictions.decoder.weight": np.ones((180, 32), "float32"),
    "cls.predictions.decoder.bias": np.ones(180, "float32"),
    "bert.pooler.dense.weight.exp_avg": np.ones((32, 32), "float32"),
    "bert.embeddings.LayerNorm.bias.some_slot": np.ones(32, "float32"),
    "step": np.array(7),
}


def test_copies_buffers_and_slots_are_no_weights(directory):
    expected = huggingface.read(directory).arrays
    edit(directory, lambda arrays: arrays.update(BESIDE))
    assert_equal(huggingface.read(directory).arrays, expected)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_types_of_weights(directory, dtype):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    arrays = load_file(directory / WEIGHTS)
    header, blocks, place = {}, [], 0
    for name, array in arrays.items():
        blocks.append(array.astype(kind).tobytes())
        header[name] = {
            "dtype": {"float16": "F16", "bfloat16": "BF16", "float64": "F64"}[dtype],
            "shape": array.shape,
            "data_offsets": [place, place := place + len(blocks[-1])],
        }
    text = json.dumps(header).encode()
    content = len(text).to_bytes(8, "little") + text + b"".join(blocks)
    (directory / WEIGHTS).write_bytes(content)
    bias = np.asarray(BertEncoder.from_checkpoint(directory).pooler.dense.kernel)
    expected = arrays["bert.pooler.dense.weight"].T.astype(kind).astype("float32")
    np.testing.assert_array_equal(bias, expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bert.pooler.dense.weight": np.ones((32, 32), "int8")}, "must hold floats.*int8"),
        ({"module.bert.pooler.dense.bias": np.ones(32, "float32")}, "pooler.dense.bias twice"),
        ({"bert.embeddings.LayerNorm.gamma": np.ones(32, "float32")}, "LayerNorm.weight twice"),
        (
            {"bert.encoder.layer.0.attention.self.distance_embedding.weight": np.ones((3, 16))},
            "exp",
        ),
        ({"bert.encoder.layer.0.crossattention.self.key.weight": np.ones((32, 32))}, "unexpected"),
    ],
)
def test_weights_that_do_not_fit_are_named(directory, change, message):
    edit(directory, lambda arrays: arrays.update(change))
    with pytest.raises(InputError, match=message):
        BertEncoder.from_checkpoint(directory)


def test_a_decoder_of_its_own(directory):
    settings = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps({**settings, "tie_word_embeddings": False}))
    table = load_file(directory / WEIGHTS)["bert.embeddings.word_embeddings.weight"]
    bias = np.arange(len(table), dtype="float32")
    name = "cls.predictions.decoder"
    edit(directory, lambda a: a.update({f"{name}.weight": table, f"{name}.bias": bias}))
    # Its own bias counts then.
    model = BertPretrainer.from_checkpoint(directory)
    np.testing.assert_array_equal(model.masked_lm_head.bias, bias)
    edit(directory, lambda arrays: arrays.update({f"{name}.weight": table + 1}))
    BertEncoder.from_checkpoint(directory)
    with pytest.raises(InputError, match=r"decoder\.weight differs.*tie_word_embeddings"):
        BertPretrainer.from_checkpoint(directory)


@pytest.mark.parametrize(
    "weight_map",
    [
        [],
        {},
        {"a": 3},
        {"a": "../model.safetensors"},
        {"a": "/etc/hostname"},
        {"a": "link/model.safetensors"},
    ],
)
def test_an_index_names_files_of_its_directory(directory, tmp_path, weight_map):
    shard(directory)
    (directory / "link").symlink_to(tmp_path.parent)
    index = directory / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": weight_map}))
    with pytest.raises(InputError, match=r"index\.json: .*(weight_map|Received)"):
        huggingface.read(directory)


@pytest.mark.parametrize("name", ["pytorch_model-00001-of-00002.bin", "tf_model.h5"])
def test_other_forms_of_weights_are_refused_with_the_way_on(directory, name):
    (directory / WEIGHTS).rename(directory / name)
    with pytest.raises(InputError, match=rf"{name}: .*save_pretrained"):
        huggingface.read(directory)


def test_sizes_are_compared_before_memory_is_taken(directory):
    settings = json.loads((directory / "config.json").read_text())
    for key, value in (
        ("vocab_size", 10**12),
        ("num_hidden_layers", 10**9),
        ("intermediate_size", 10**12),
        ("max_position_embeddings", 10**12),
        ("num_hidden_layers", 1),
    ):
        (directory / "config.json").write_text(json.dumps({**settings, key: value}))
        with pytest.raises(InputError, match=r"expected \(|is missing|is unexpected"):
            BertEncoder.from_checkpoint(directory)
