"""Tags of words, from strings to answers."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_bert.models.feature_tagger import BertFeatureTagger
from keras_bert.models.tagger import BertTagger
from keras_bert.tasks.conll import NER
from keras_bert.tasks.examples import Examples
from keras_bert.tasks.families import load_predictor
from keras_bert.tasks.tagging import FeatureTagPredictor, TagPredictor
from keras_bert.text.tokenizer import BertTokenizer

LABELS = ("O", "B-PET", "I-PET")
WORDS = [["the", "cat", "ran", "away"], ["Café", "\x00", "dog"], [], ["unable"] * 20]
TAGS = [[0, 1, 0, 0], [2, 0, 1], [], [0] * 19 + [1]]


class FixedTagger(TagPredictor):
    """Tags each token by a rule in place of the model's."""

    def forward(self, rows, *, batch_size=32):
        del batch_size
        tokens = self.tokenizer.vocabulary.tokens
        return [
            np.stack([self.rule(tokens[index]) for index in ids])
            for ids in rows.features["token_ids"].to_list()
        ]

    @staticmethod
    def rule(token):
        shares = {"cat": (0.1, 0.7, 0.2), "dog": (0.3, 0.1, 0.6), "un": (0.2, 0.2, 0.6)}
        return np.log(shares.get(token, (0.8, 0.1, 0.1)))


@pytest.fixture(scope="module")
def tokenizer(vocabulary):
    return BertTokenizer(vocabulary, sequence_length=16)


@pytest.fixture(scope="module")
def model(tiny_config):
    return BertTagger(tiny_config, labels=LABELS)


@pytest.fixture(scope="module")
def tagger(model, tokenizer):
    return FixedTagger(model, tokenizer)


def test_rows_have_a_weight_for_the_first_token_of_each_word(tagger):
    rows = tagger.rows(Examples({"words": WORDS}, TAGS))
    inputs, targets, weights = rows.batch(np.arange(len(rows)))
    assert targets.shape == weights.shape == inputs["token_ids"].shape
    for number, (words, tags) in enumerate(zip(WORDS, TAGS, strict=True)):
        ids = [tagger.tokenizer(word).numpy().tolist() for word in words]
        own = rows.example == number
        found = inputs["token_ids"].numpy()[own][weights.numpy()[own] == 1]
        assert found.tolist() == [pieces[0] for pieces in ids if pieces]
        found = targets.numpy()[own][weights.numpy()[own] == 1]
        assert found.tolist() == [tag for tag, pieces in zip(tags, ids, strict=True) if pieces]
    assert set(np.unique(weights)) == {0, 1}
    assert not weights.numpy()[~inputs["padding_mask"].numpy()].any()


def test_answers_for_words(tagger):
    first, second, third, fourth = tagger.predict(Examples({"words": WORDS}))
    assert first == {
        "tokens": WORDS[0],
        "tags": ["O", "B-PET", "O", "O"],
        "entities": [{"text": "cat", "type": "PET", "start": 1, "end": 2, "score": 0.7}],
    }
    # An entity may begin with I-; a word without tokens is outside.
    assert second["tags"] == ["O", "O", "I-PET"]
    assert second["entities"] == [
        {"text": "dog", "type": "PET", "start": 2, "end": 3, "score": 0.6}
    ]
    assert third == {"tokens": [], "tags": [], "entities": []}
    # Of a sentence of several rows no word is left out.
    assert fourth["tags"] == ["I-PET"] * 20
    (entity,) = fourth["entities"]
    assert (entity["start"], entity["end"], entity["text"]) == (0, 20, " ".join(WORDS[3]))


def test_answers_for_texts(tagger):
    text = "É, (cat dog) 你the dog's"
    (answer,) = tagger.predict(Examples({"text": [text]}))
    assert answer["tokens"] == ["É", ",", "(", "cat", "dog", ")", "你", "the", "dog", "'s"]
    cat, dog = answer["entities"]
    assert cat == {"text": "cat dog", "type": "PET", "start": 4, "end": 11, "score": 0.65}
    assert dog["text"] == text[dog["start"] : dog["end"]] == "dog"
    assert (
        tagger.predict(Examples({"text": ["", " "]}))
        == [{"tokens": [], "tags": [], "entities": []}] * 2
    )


def test_offsets_are_characters_of_the_text(model, tokenizer):
    class EveryWord(FixedTagger):
        @staticmethod
        def rule(token):
            return np.array([0.0, 9.0, 0.0])

    tagger = EveryWord(model, tokenizer)

    @settings(max_examples=20, deadline=None)
    @given(
        st.text(st.sampled_from("ab C.'’s(你 \t\u00a0\u0301\x00é😀") | st.characters(codec="utf-8"))
    )
    def check(text):
        (answer,) = tagger.predict(Examples({"text": [text]}))
        assert len(answer["tags"]) == len(answer["tokens"])
        entities = iter(answer["entities"])
        for token, tag in zip(answer["tokens"], answer["tags"], strict=True):
            if tag != "O":
                entity = next(entities)
                assert text[entity["start"] : entity["end"]] == entity["text"] == token
        assert next(entities, None) is None

    check()


def test_document_context_fills_the_row(model, tokenizer):
    columns = {"words": [["cat"]], "before": [["the"] * 20], "after": [["dog"] * 20]}
    examples = Examples(columns, [[1]])
    (alone,) = TagPredictor(model, tokenizer).rows(examples).features["token_ids"].to_list()
    assert len(alone) == 3
    predictor = FixedTagger(model, tokenizer, document_context=True)
    rows = predictor.rows(examples)
    inputs, targets, weights = rows.batch([0])
    ids = inputs["token_ids"][0].numpy().tolist()
    assert len(ids) == 16
    place = ids.index(alone[1])
    assert weights[0].numpy().tolist() == [float(i == place) for i in range(16)]
    assert targets[0, place] == 1
    # Dogs of the context have no answer.
    (answer,) = predictor.predict(examples)
    assert answer["tags"] == ["B-PET"]


def test_entities_need_tags_of_entities(tiny_config, tokenizer):
    tagger = FixedTagger(BertTagger(tiny_config, labels=("NOUN", "VERB", "X")), tokenizer)
    (answer,) = tagger.predict(Examples({"words": [["the", "cat", "\x00"]]}))
    assert answer["tags"] == ["NOUN", "VERB", "NOUN"]
    assert answer["entities"] == []


@pytest.mark.parametrize(
    ("family", "options"),
    [
        (TagPredictor, {"document_context": True}),
        (FeatureTagPredictor, {"lstm_dim": 8, "mix": "last"}),
    ],
)
def test_training_saving_and_loading(tiny_config, tokenizer, tmp_path, family, options):
    keras.utils.set_random_seed(0)
    model = family.model_class(tiny_config, **family.model_arguments(LABELS, options))
    predictor = family(model, tokenizer, **options)
    examples = Examples({"words": WORDS}, TAGS)
    rows = predictor.rows(examples)
    model.compile(keras.optimizers.Adam(2e-2), predictor.loss(), metrics=predictor.metrics())
    batch = rows.batch(np.arange(len(rows)))
    losses = [model.train_on_batch(*batch) for _ in range(8)]
    assert losses[-1] < losses[0] / 2
    answers = predictor.predict(examples)
    assert NER.score(examples, answers, labels=LABELS)["accuracy"] > 0.8
    model.save_checkpoint(tmp_path, tokenizer=tokenizer)
    again = load_predictor(tmp_path)
    assert type(again) is family
    assert again.options == predictor.options
    assert again.sequence_length == 16
    assert again.predict(examples) == answers


def test_loss_is_the_mean_over_words(tagger):
    rows = tagger.rows(Examples({"words": WORDS}, TAGS))
    logits = tagger.model(rows.batch(np.arange(len(rows)))[0])
    _, targets, weights = rows.batch(np.arange(len(rows)))
    shares = keras.ops.log_softmax(logits)
    picked = np.take_along_axis(np.array(shares), targets.numpy()[..., np.newaxis], -1)[..., 0]
    expected = -picked[weights.numpy() == 1].mean()
    np.testing.assert_allclose(tagger.loss()(targets, logits, weights), expected, rtol=1e-5)


def test_models_of_other_software():
    assert TagPredictor.describes({"architectures": ["BertForTokenClassification"]})
    assert FeatureTagPredictor.model_arguments(LABELS, {}) == {
        "labels": LABELS,
        "mix": "concat_last_4",
        "lstm_dim": 768,
    }
    assert FeatureTagPredictor.describes({"architectures": [BertFeatureTagger.architecture]})
