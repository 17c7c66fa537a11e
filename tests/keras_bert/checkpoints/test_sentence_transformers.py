import json

import pytest

from keras_bert.checkpoints import sentence_transformers
from keras_bert.errors import InputError

# As sentence-transformers 6 writes a directory, and as versions 2 to 4 wrote it.
NEW = {
    "modules.json": [
        {"idx": 0, "name": "0", "path": "", "type": "a.base.modules.transformer.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "a.modules.pooling.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "a.normalize.Normalize"},
    ],
    "1_Pooling/config.json": {
        "embedding_dimension": 16,
        "pooling_mode": "mean",
        "include_prompt": True,
    },
    "2_Normalize/config.json": {
        "module_input_name": "sentence_embedding",
        "module_output_name": "sentence_embedding",
    },
    "sentence_bert_config.json": {
        "transformer_task": "feature-extraction",
        "modality_config": {
            "text": {"method": "forward", "method_output_name": "last_hidden_state"}
        },
        "module_output_name": "token_embeddings",
    },
    "config_sentence_transformers.json": {
        "__version__": {"sentence_transformers": "6.2.0"},
        "default_prompt_name": None,
        "model_type": "SentenceTransformer",
        "prompts": {"document": "", "query": ""},
        "similarity_fn_name": "cosine",
    },
}
OLD = {
    "modules.json": [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {
            "idx": 1,
            "name": "1",
            "path": "1_Pooling",
            "type": "sentence_transformers.models.Pooling",
        },
    ],
    "1_Pooling/config.json": {
        "word_embedding_dimension": 384,
        "pooling_mode_cls_token": True,
        "pooling_mode_mean_tokens": False,
        "pooling_mode_max_tokens": False,
        "pooling_mode_mean_sqrt_len_tokens": False,
        "pooling_mode_weightedmean_tokens": False,
        "pooling_mode_lasttoken": False,
        "include_prompt": True,
    },
    "sentence_bert_config.json": {"max_seq_length": 256, "do_lower_case": False},
    "config_sentence_transformers.json": {
        "__version__": {"sentence_transformers": "2.0.0", "pytorch": "1.8.1"}
    },
}


def write(directory, files):
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))


def test_what_it_writes_is_read(tmp_path):
    write(tmp_path / "new", NEW)
    write(tmp_path / "old", OLD)
    read = sentence_transformers.read
    assert read(tmp_path / "new") == {"pooling": "mean", "normalize": True}
    assert read(tmp_path / "old") == {"pooling": "cls", "normalize": False}
    assert sentence_transformers.sequence_length(tmp_path / "new") is None
    assert sentence_transformers.sequence_length(tmp_path / "old") == 256
    assert read(tmp_path) == {}


def with_module(index, **changes):
    modules = [dict(module) for module in NEW["modules.json"]]
    modules[index].update(changes)
    return modules


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("modules.json", "{", "not JSON"),
        ("modules.json", {}, "JSON list"),
        ("modules.json", [1, 2], "list of objects"),
        ("modules.json", [], "must be Transformer"),
        ("modules.json", with_module(1, type="a.Dense"), "Dense"),
        ("modules.json", with_module(1, type=7), "7"),
        ("modules.json", with_module(1, path="../other"), r"\.\./other"),
        ("modules.json", with_module(1, path="/etc"), "/etc"),
        ("modules.json", with_module(1, path=None), "None"),
        ("modules.json", with_module(0, path="0_Transformer"), "0_Transformer"),
        ("modules.json", with_module(0, kwargs=["task"]), "kwargs"),
        ("1_Pooling/config.json", {"pooling_mode": "lasttoken"}, "lasttoken"),
        ("1_Pooling/config.json", {"pooling_mode": ["mean"]}, "mean"),
        ("1_Pooling/config.json", {"pooling_mode_weightedmean_tokens": True}, "weightedmean"),
        (
            "1_Pooling/config.json",
            {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True},
            "cls and mean",
        ),
        ("1_Pooling/config.json", {"pooling_mode": "mean", "gate": 2}, "unknown key 'gate'"),
        ("1_Pooling/config.json", [], "JSON object"),
        ("2_Normalize/config.json", {"module_input_name": "token_embeddings"}, "module_input_name"),
        ("config_sentence_transformers.json", {"default_prompt_name": "query"}, "default_prompt"),
        ("config_sentence_transformers.json", {"truncate_dim": 64}, "truncate_dim=64"),
        ("config_sentence_transformers.json", {"model_type": "SparseEncoder"}, "SparseEncoder"),
        (
            "config_sentence_transformers.json",
            {"similarity_fn_name": "euclidean"},
            "similarity_fn_name='euclidean'",
        ),
    ],
)
def test_what_changes_vectors_is_honoured_or_refused(tmp_path, name, content, message):
    write(tmp_path, {**NEW, name: content})
    with pytest.raises(InputError, match=message) as caught:
        sentence_transformers.read(tmp_path)
    assert str(tmp_path / name.split("/")[0]) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"max_seq_length": "long"}, "max_seq_length='long'"),
        ({"max_seq_length": 0}, "max_seq_length=0"),
        ({"max_seq_length": True}, "max_seq_length=True"),
        ({"transformer_task": "fill-mask"}, "transformer_task='fill-mask'"),
        ({"model_args": {"attention": "sparse"}}, "model_args"),
        ({"window": 3}, "unknown key 'window'"),
    ],
)
def test_lengths(tmp_path, content, message):
    write(tmp_path, {"sentence_bert_config.json": content})
    with pytest.raises(InputError, match=rf"sentence_bert_config\.json: .*{message}"):
        sentence_transformers.sequence_length(tmp_path)


def test_products_of_unit_vectors_are_cosines(tmp_path):
    name = "config_sentence_transformers.json"
    write(tmp_path / "unit", {**NEW, name: {"similarity_fn_name": "dot"}})
    sentence_transformers.read(tmp_path / "unit")
    write(tmp_path / "any", {**OLD, name: {"similarity_fn_name": "dot"}})
    with pytest.raises(InputError, match="similarity_fn_name='dot'"):
        sentence_transformers.read(tmp_path / "any")
