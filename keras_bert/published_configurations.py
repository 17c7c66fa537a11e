"""What the keys of published configuration files mean: one table for each format. The formats that
have modules of their own in `checkpoints` keep theirs there.

A key is honoured, refused unless it has the only value that this network has, or known to change
nothing. A key that no table knows is refused: it may belong to another network. Only one that is
not set (`null`, or empty) says nothing.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from keras_bert.errors import InputError
from keras_bert.reading import shown

# Google's files say "gelu" and mean the tanh approximation; Hugging Face's "gelu" is exact.
TANH_ACTIVATIONS = {"gelu": "gelu_tanh", "relu": "relu"}
_HUGGING_FACE_ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_python_tanh": "gelu_tanh",
    "gelu_accurate": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "relu": "relu",
}
# Keys that Google's and Hugging Face's files share, with the fields of `BertConfig`.
SHARED_FIELDS = {
    "vocab_size": "vocabulary_size",
    "num_hidden_layers": "num_layers",
    "hidden_size": "hidden_dim",
    "num_attention_heads": "num_heads",
    "intermediate_size": "intermediate_dim",
    "max_position_embeddings": "max_sequence_length",
    "type_vocab_size": "num_segments",
    "hidden_dropout_prob": "dropout",
    "attention_probs_dropout_prob": "attention_dropout",
    "initializer_range": "initializer_range",
}
# Google's Chinese and multilingual files carry these; BERT does not use them.
_OLD_POOLER = (
    *("directionality", "pooler_fc_size", "pooler_num_attention_heads"),
    *("pooler_num_fc_layers", "pooler_size_per_head", "pooler_type"),
)
_HARMLESS_TO_HUGGING_FACE = (
    *_OLD_POOLER,
    # Where the file comes from, and who wrote it with what.
    *("transformers_version", "adapter_transformers_version", "finetuning_task", "language"),
    *("languages", "name", "model_name", "description", "license", "author", "tags", "version"),
    *("tokenizer_class", "sentence_transformers", "task", "tasks", "dataset", "datasets"),
    *("sbert_ce_default_activation_function", "pretrained_model_name_or_path", "base_model"),
    *("library_name", "pipeline_tag", "custom_pipelines", "prefix", "parent_model", "org"),
    # The type in which weights are stored; the arrays themselves say it.
    *("dtype", "torch_dtype", "use_bfloat16"),
    # How the network computes the same, or what it returns besides.
    *("use_cache", "chunk_size_feed_forward", "gradient_checkpointing", "torchscript"),
    *("attn_implementation", "output_attentions", "output_hidden_states", "output_past"),
    *("return_dict", "xla_device", "tie_encoder_decoder", "tf_legacy_loss"),
    # Ids that only tokenizers and loops around the network use; the padding has a mask.
    *("pad_token_id", "bos_token_id", "eos_token_id", "sep_token_id", "cls_token_id"),
    *("mask_token_id", "unk_token_id", "decoder_start_token_id"),
    # Generation, written into every file until transformers 4.
    *("max_length", "min_length", "do_sample", "early_stopping", "num_beams"),
    *("num_beam_groups", "diversity_penalty", "temperature", "top_k", "top_p", "typical_p"),
    *("repetition_penalty", "length_penalty", "no_repeat_ngram_size", "bad_words_ids"),
    *("encoder_no_repeat_ngram_size", "num_return_sequences", "output_scores"),
    *("return_dict_in_generate", "forced_bos_token_id", "forced_eos_token_id"),
    *("remove_invalid_values", "exponential_decay_length_penalty", "suppress_tokens"),
    *("begin_suppress_tokens", "max_new_tokens", "min_new_tokens"),
    # Of the head's size and training; the tensors say the first.
    *("num_labels", "num_classes", "num_choices", "summary_type", "summary_use_proj"),
    *("summary_activation", "summary_last_dropout", "summary_first_dropout", "label_smoothing"),
    *("class_weights", "loss_weights", "loss_type", "loss_function", "max_seq_length"),
    *("max_seq_len", "learning_rate", "train_batch_size", "num_train_epochs", "seed"),
)


@dataclasses.dataclass(frozen=True)
class Format:
    """The keys of a configuration file.

    Args:
        name: str. For messages.
        fields: dict. Honoured: the fields of `BertConfig` by the keys that hold them.
        activation: str or None. The key of the activation, where there is one.
        activations: dict. Values of `BertConfig.activation` by those of the file.
        only: dict. Keys that change the network, with the only value that this network has.
        elsewhere: tuple of str. Honoured by those who read labels and heads.
        harmless: tuple of str. Keys that change neither ids nor numbers.
        harmless_beginnings: tuple of str. How further such keys begin.
    """

    name: str
    fields: Mapping[str, str] = dataclasses.field(default_factory=dict)
    activation: str | None = None
    activations: Mapping[str, str] = dataclasses.field(default_factory=dict)
    only: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    elsewhere: tuple[str, ...] = ()
    harmless: tuple[str, ...] = ()
    harmless_beginnings: tuple[str, ...] = ()

    def keys(self) -> set[str]:
        """Returns every key that the table names."""
        named = (self.fields, self.only, self.elsewhere, self.harmless)
        return {key for keys in named for key in keys} | ({self.activation} - {None})

    def fields_of(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the arguments of `BertConfig` that a file's values say.

        Raises:
            InputError: If a key is missing, unknown, or has a value that this network has not.
        """
        self.check(values)
        size = next(key for key, name in self.fields.items() if name == "vocabulary_size")
        if size not in values:
            raise InputError(f"the key {size!r} is missing")
        fields = {name: values[key] for key, name in self.fields.items() if key in values}
        if self.activation is None:
            return fields
        activation = values.get(self.activation, "gelu")
        if not isinstance(activation, str) or activation not in self.activations:
            raise InputError(
                f"`{self.activation}` must be one of {', '.join(self.activations)}. "
                f"Received: {self.activation}={shown(activation)}"
            )
        return {**fields, "activation": self.activations[activation]}

    def check(self, values: Mapping[str, Any]) -> None:
        """Checks that each key is known, and has a value that this network has.

        Raises:
            InputError: If one is not; the message names it with its value.
        """
        for key, value in values.items():
            self._check(key, value, values)

    def _check(self, key: str, value: Any, values: Mapping[str, Any]) -> None:
        is_unset = value is None or (isinstance(value, str | list | dict) and not value)
        if key == "embedding_size":
            # ALBERT and ELECTRA have narrower embeddings; some files of BERT say it, too.
            if value not in (None, values.get("hidden_size")):
                raise InputError(
                    "`embedding_size` must be that of `hidden_size`, or null. "
                    f"Received: embedding_size={shown(value)}"
                )
        elif key == "architectures" and not values.get("model_type"):
            # Files of 2019 have no `model_type`; the class of the model says as much.
            if not is_unset and not str(value).strip("[]'\" ").startswith("Bert"):
                raise InputError(
                    "`architectures` must be those of BERT where `model_type` is missing. "
                    f"Received: architectures={shown(value)}"
                )
        elif key in self.only:
            if not is_unset and value != self.only[key]:
                raise InputError(
                    f"`{key}` must be {self.only[key]!r} in {self.name}. "
                    f"Received: {key}={shown(value)}"
                )
        elif (
            not is_unset
            and key not in self.keys()
            and not (self.harmless_beginnings and key.startswith(self.harmless_beginnings))
        ):
            raise InputError(
                f"unknown key {key!r} in {self.name}, which may belong to another network; "
                "take it out of the file if the network does not depend on it. "
                f"Received: {key}={shown(value)}"
            )

    def in_its_words(self, message: str) -> str:
        """Returns a message of `BertConfig` with the file's keys for the names of fields."""
        keys = {name: key for key, name in self.fields.items()}
        return re.sub(r"\w+", lambda word: keys.get(word[0], word[0]), message)


GOOGLE = Format(
    "a Google BERT configuration",
    fields=SHARED_FIELDS,
    activation="hidden_act",
    activations=TANH_ACTIVATIONS,
    only={},
    harmless=(*_OLD_POOLER, "embedding_size", "backward_compatible"),
)
HUGGING_FACE = Format(
    "a Hugging Face BERT configuration",
    fields={
        **SHARED_FIELDS,
        "layer_norm_eps": "layer_norm_epsilon",
        "classifier_dropout": "classifier_dropout",
    },
    activation="hidden_act",
    activations=_HUGGING_FACE_ACTIVATIONS,
    only={
        "model_type": "bert",
        "position_embedding_type": "absolute",
        "is_decoder": False,
        "is_encoder_decoder": False,
        "add_cross_attention": False,
        "cross_attention_hidden_size": None,
        "pruned_heads": {},
        "quantization_config": None,
        # A network in code of the directory's own, which is never run.
        "auto_map": None,
    },
    elsewhere=(
        *("architectures", "id2label", "label2id", "problem_type", "task_specific_params"),
        "tie_word_embeddings",
    ),
    harmless=(*_HARMLESS_TO_HUGGING_FACE, "embedding_size"),
    harmless_beginnings=("_", "pooler_", "classifier_"),
)


def is_hugging_face(values: Mapping[str, Any]) -> bool:
    """Whether a file's keys are Hugging Face's: one of them is not in Google's files."""
    return not set(values).isdisjoint(HUGGING_FACE.keys() - GOOGLE.keys())
