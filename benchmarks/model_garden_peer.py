"""The Model Garden's part of `model_garden.py`, run by the interpreter that has it.

    garden/bin/python benchmarks/model_garden_peer.py DIRECTORY

It writes a folder with a checkpoint and a file with the outputs for each thing that writes one, and
opens what lies in `ours`. It imports nothing of ours.
"""

import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
import tensorflow as tf
import tf_keras
from official.core.config_definitions import ExperimentConfig
from official.core.train_utils import serialize_config
from official.legacy.bert.configs import BertConfig
from official.modeling.tf_utils import get_activation
from official.nlp.configs.bert import PretrainerConfig
from official.nlp.modeling import layers, models, networks
from official.nlp.tasks.masked_lm import MaskedLMConfig
from official.nlp.tools.tf2_bert_encoder_checkpoint_converter import convert_checkpoint

DIRECTORY = Path(sys.argv[1])
GOOGLE = DIRECTORY / "google"
CONFIG = BertConfig.from_json_file(str(GOOGLE / "bert_config.json"))
# By the names of `BertEncoderConfig`, the configuration of a run.
SIZE = {
    "vocab_size": CONFIG.vocab_size,
    "hidden_size": CONFIG.hidden_size,
    "num_layers": CONFIG.num_hidden_layers,
    "num_attention_heads": CONFIG.num_attention_heads,
    "intermediate_size": CONFIG.intermediate_size,
    "type_vocab_size": CONFIG.type_vocab_size,
}
ENCODERS = {"BertEncoder": networks.BertEncoder, "BertEncoderV2": networks.BertEncoderV2}
INPUTS = {
    "input_word_ids": "token_ids",
    "input_type_ids": "segment_ids",
    "input_mask": "padding_mask",
    "masked_lm_positions": "masked_positions",
}
OUTPUTS = {
    "sequence_output": "sequence_output",
    "pooled_output": "pooled_output",
    "masked_lm_logits": "mlm_logits",
    "next_sentence_logits": "next_sentence",
}


def make_encoder(name: str) -> tf_keras.layers.Layer:
    encoder = ENCODERS[name](**SIZE, dict_outputs=True)
    encoder(encoder.inputs)
    return randomized(encoder)


def make_pretrainer(encoder_name: str) -> models.BertPretrainerV2:
    pretrainer = models.BertPretrainerV2(
        make_encoder(encoder_name),
        mlm_activation=get_activation(CONFIG.hidden_act),
        classification_heads=[
            layers.ClassificationHead(CONFIG.hidden_size, num_classes=2, name="next_sentence")
        ],
    )
    pretrainer(pretrainer.inputs)
    return randomized(pretrainer)


def randomized(model: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
    random = np.random.default_rng(1)
    for variable in model.variables:
        start = 1.0 if "gamma" in variable.name else 0.0
        variable.assign(start + 0.05 * random.standard_normal(variable.shape))
    return model


def write_outputs(model: tf_keras.layers.Layer, path: Path) -> None:
    features = np.load(DIRECTORY / "features.npz")
    inputs = {name: tf.constant(features[ours], tf.int32) for name, ours in INPUTS.items()}
    if not isinstance(model, models.BertPretrainerV2):
        del inputs["masked_lm_positions"]
    found = model(inputs)
    names = {ours: name for ours, name in OUTPUTS.items() if name in found}
    if "next_sentence" in found:
        # The pooled output of the encoder is not that from which the head predicts.
        del names["pooled_output"], names["sequence_output"]
    np.savez(path, **{ours: found[name].numpy() for ours, name in names.items()})


def write_checkpoint(model: tf_keras.layers.Layer, folder: Path, held_as: str) -> None:
    folder.mkdir(parents=True)
    (folder / "bert_config.json").write_text(CONFIG.to_json_string())
    tf.train.Checkpoint(**{held_as: model}).write(str(folder / "bert_model.ckpt"))
    write_outputs(model, folder.with_suffix(".npz"))


def write_run(folder: Path) -> None:
    """As `official.core.base_trainer` does, optimizer and all."""
    pretrainer = make_pretrainer("BertEncoder")
    optimizer = tf_keras.optimizers.legacy.Adam()
    zeros = [(tf.zeros_like(variable), variable) for variable in pretrainer.trainable_variables]
    optimizer.apply_gradients(zeros)
    checkpoint = tf.train.Checkpoint(
        global_step=tf.Variable(7),
        model=pretrainer,
        optimizer=optimizer,
        **pretrainer.checkpoint_items,
    )
    checkpoint.save(str(folder / "ckpt"))
    configuration = PretrainerConfig(encoder={"type": "bert", "bert": SIZE})
    serialize_config(ExperimentConfig(task=MaskedLMConfig(model=configuration)), str(folder))
    write_outputs(pretrainer, folder.with_suffix(".npz"))


def convert(folder: Path, kind: str) -> None:
    """The documented way from a google-research/bert checkpoint, and its outputs."""
    output = str(folder / "bert_model.ckpt")
    convert_checkpoint(CONFIG, output, str(GOOGLE / "bert_model.ckpt"), "encoder", kind)
    (folder / "bert_config.json").write_text(CONFIG.to_json_string())
    encoder = make_encoder("BertEncoder")
    path = tf.train.latest_checkpoint(str(folder))
    if kind == "encoder":
        tf.train.Checkpoint(encoder=encoder).restore(path).assert_consumed()
    else:
        pretrainer = models.BertPretrainerV2(encoder, mlm_activation=get_activation("gelu"))
        pretrainer(pretrainer.inputs)
        tf.train.Checkpoint(encoder=pretrainer).restore(path).expect_partial()
    write_outputs(encoder, folder.with_suffix(".npz"))


def open_ours(name: str) -> None:
    folder = DIRECTORY / "ours"
    path = str(folder / "encoder" / "bert_model.ckpt")
    encoder = make_encoder(name)
    tf.train.Checkpoint(encoder=encoder).read(path).assert_consumed()
    write_outputs(encoder, folder / "encoder" / f"{name}.npz")
    path = str(folder / "pretrainer" / "bert_model.ckpt")
    pretrainer = make_pretrainer(name)
    tf.train.Checkpoint(model=pretrainer).read(path).assert_consumed()
    write_outputs(pretrainer, folder / "pretrainer" / f"BertPretrainerV2 of {name}.npz")
    # How its tasks start from a pre-trained checkpoint.
    items = tf.train.Checkpoint(**make_pretrainer(name).checkpoint_items).read(path)
    items.expect_partial().assert_existing_objects_matched()


def main() -> None:
    theirs = DIRECTORY / "theirs"
    for name in ENCODERS:
        write_checkpoint(make_encoder(name), theirs / name, "encoder")
        pretrainer = make_pretrainer(name)
        write_checkpoint(pretrainer, theirs / f"BertPretrainerV2 of {name}", "model")
        open_ours(name)
    write_run(theirs / "training run")
    convert(theirs / "converted encoder", "encoder")
    convert(theirs / "converted pretrainer", "pretrainer")
    packages = ("tf-models-official", "tensorflow", "tf-keras")
    versions = ", ".join(f"{package} {version(package)}" for package in packages)
    (DIRECTORY / "versions.txt").write_text(versions)


if __name__ == "__main__":
    main()
