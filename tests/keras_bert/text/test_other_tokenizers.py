"""Byte pairs and SentencePiece behind the interface of `BertTokenizer`."""

import io
import json
import subprocess
import sys

import numpy as np
import pytest
import sentencepiece
import tensorflow as tf
import tokenizers

from keras_bert import load_tokenizer
from keras_bert.errors import InputError
from keras_bert.text.byte_pair import SPECIAL_TOKENS, BytePairTokenizer
from keras_bert.text.masking import MaskedLMMasker
from keras_bert.text.preprocessor import BertPreprocessor
from keras_bert.text.sentence_piece import SentencePieceTokenizer
from tests.conformance import assert_equal, check_preprocessing
from tests.conftest import WORDS

CORPUS = [" ".join(WORDS[i : i + 9]) for i in range(0, len(WORDS), 3)] * 3
TEXTS = [
    "",
    "the dog ran away",
    " the  dog\n\nran,  away!",
    "don't you're 's he'll 12ab",
    "Ünïcode 你好 😀\u00a0x\t",
    "trailing ",
]


@pytest.fixture(scope="module")
def byte_pair_directory(tmp_path_factory):
    directory = tmp_path_factory.mktemp("byte_pair")
    learner = tokenizers.ByteLevelBPETokenizer()
    learner.train_from_iterator(CORPUS, vocab_size=400, special_tokens=list(SPECIAL_TOKENS))
    learner.save_model(str(directory))
    return directory


@pytest.fixture(scope="module")
def sentence_piece_model():
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS),
        model_writer=model,
        vocab_size=120,
        hard_vocab_limit=False,
        pad_id=0,
        unk_id=1,
        bos_id=-1,
        eos_id=-1,
        control_symbols=["[CLS]", "[SEP]", "[MASK]"],
        minloglevel=2,
    )
    return model.getvalue()


@pytest.fixture(params=["byte_pair", "sentence_piece"])
def tokenizer(request):
    if request.param == "byte_pair":
        return BytePairTokenizer.from_checkpoint(request.getfixturevalue("byte_pair_directory"))
    return SentencePieceTokenizer(request.getfixturevalue("sentence_piece_model"))


def test_byte_pairs_equal_the_reference(byte_pair_directory):
    paths = (str(byte_pair_directory / name) for name in ("vocab.json", "merges.txt"))
    reference = tokenizers.ByteLevelBPETokenizer(*paths)
    ids = BytePairTokenizer.from_checkpoint(byte_pair_directory)(TEXTS + CORPUS)
    expected = [reference.encode(text).ids for text in TEXTS + CORPUS]
    assert ids.to_list() == expected


def test_sentence_pieces_equal_the_reference(sentence_piece_model):
    reference = sentencepiece.SentencePieceProcessor(model_proto=sentence_piece_model)
    ids = SentencePieceTokenizer(sentence_piece_model)(TEXTS + CORPUS)
    assert ids.to_list() == [reference.encode(text) for text in TEXTS + CORPUS]


def test_interface(tokenizer):
    assert tokenizer(TEXTS).dtype == tf.int32
    assert tokenizer("the dog").shape.rank == 1
    assert tokenizer([["the", "dog"]]).shape.rank == 3
    whole = tokenizer(TEXTS).to_list()
    assert tokenizer.first_tokens(tf.constant(TEXTS), 2).to_list() == [row[:2] for row in whole]
    check_preprocessing(tokenizer, tf.constant(TEXTS))


def test_preprocessor_and_masker_work_with_it(tokenizer):
    preprocessor = BertPreprocessor(tokenizer, 16)
    check_preprocessing(preprocessor, (tf.constant(TEXTS), tf.constant(TEXTS)))
    features = preprocessor(TEXTS)
    vocabulary = tokenizer.vocabulary
    assert (features["token_ids"].numpy()[:, 0] == vocabulary.start_id).all()
    padding = ~features["padding_mask"].numpy()
    assert (features["token_ids"].numpy()[padding] == vocabulary.pad_id).all()
    masker = MaskedLMMasker(vocabulary, 3, mask_token_rate=1, random_token_rate=0)
    masked = masker(features, tf.range(len(TEXTS)))
    assert_equal(MaskedLMMasker.from_config(masker.get_config())(features, range(6)), masked)
    count = (masked["token_ids"].numpy() == vocabulary.mask_id).sum()
    assert count == masked["masked_weights"].numpy().sum() > 0


def test_assets_round_trip(tokenizer, tmp_path):
    tokenizer.save_assets(tmp_path)
    if isinstance(tokenizer, BytePairTokenizer):
        loaded = BytePairTokenizer.from_checkpoint(tmp_path)
    else:
        loaded = SentencePieceTokenizer.from_file(tmp_path / "spiece.model")
    assert loaded.get_config() | {"name": 0} == tokenizer.get_config() | {"name": 0}


def test_export_answers_in_a_fresh_process(tokenizer, tmp_path):
    module = tf.Module()
    module.tokenizer = tokenizer
    module.ids = tf.function(
        lambda text: tokenizer(text).to_tensor(-1),
        input_signature=[tf.TensorSpec([None], tf.string)],
    )
    tf.saved_model.save(module, tmp_path / "exported")
    np.save(tmp_path / "texts.npy", np.array([text.encode() for text in TEXTS]))
    code = f"""
import numpy as np, tensorflow as tf, tensorflow_text
loaded = tf.saved_model.load({str(tmp_path / "exported")!r})
np.save({str(tmp_path / "ids.npy")!r}, loaded.ids(np.load({str(tmp_path / "texts.npy")!r})))
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    expected = tokenizer(TEXTS).to_tensor(-1).numpy()
    np.testing.assert_array_equal(np.load(tmp_path / "ids.npy"), expected)


def test_damaged_models_are_refused(byte_pair_directory, tmp_path):
    with pytest.raises(InputError, match=r"vocab\.json"):
        BytePairTokenizer.from_checkpoint(tmp_path)
    (tmp_path / "vocab.json").write_text('{"a": 5}')
    (tmp_path / "merges.txt").write_text("")
    with pytest.raises(InputError, match="without gaps"):
        BytePairTokenizer.from_checkpoint(tmp_path)
    good = BytePairTokenizer.from_checkpoint(byte_pair_directory)
    with pytest.raises(InputError, match=r"entry 1.*Received: 'ab'"):
        BytePairTokenizer(good.vocabulary, ["ab"])
    with pytest.raises(InputError, match="not a SentencePiece model"):
        SentencePieceTokenizer(b"nothing")
    with pytest.raises(InputError, match=r"spiece\.model"):
        SentencePieceTokenizer.from_file(tmp_path / "spiece.model")


def test_a_tokenizer_file_of_byte_pairs_is_opened(byte_pair_directory, tmp_path):
    paths = (str(byte_pair_directory / name) for name in ("vocab.json", "merges.txt"))
    reference = tokenizers.ByteLevelBPETokenizer(*paths)
    reference.add_special_tokens(list(SPECIAL_TOKENS))
    reference.save(str(tmp_path / "tokenizer.json"))
    tokenizer = load_tokenizer(tmp_path)
    assert isinstance(tokenizer, BytePairTokenizer)
    assert tokenizer(TEXTS).to_list() == [reference.encode(text).ids for text in TEXTS]
    settings = {"tokenizer_class": "RobertaTokenizer", "model_max_length": 64}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    assert load_tokenizer(tmp_path).sequence_length == 64
    # Both kinds of files, as transformers 4 wrote them.
    for name in ("vocab.json", "merges.txt"):
        (tmp_path / name).write_bytes((byte_pair_directory / name).read_bytes())
    assert load_tokenizer(tmp_path).vocabulary == tokenizer.vocabulary
    with open(tmp_path / "merges.txt", "a") as file:
        file.write("t h\n")
    with pytest.raises(InputError, match=r"tokenizer\.json"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("model.dropout", 0.1),
        ("model.byte_fallback", True),
        ("model.end_of_word_suffix", "</w>"),
        ("model.merges", 3),
        ("normalizer", {"type": "Lowercase"}),
        ("pre_tokenizer", {"type": "Whitespace"}),
        ("pre_tokenizer.add_prefix_space", True),
        ("added_tokens", [{"id": 400, "content": "<new>", "special": True}]),
    ],
)
def test_what_byte_pairs_cannot_do_is_refused(byte_pair_directory, tmp_path, place, value):
    paths = (str(byte_pair_directory / name) for name in ("vocab.json", "merges.txt"))
    values = json.loads(tokenizers.ByteLevelBPETokenizer(*paths)._tokenizer.to_str())
    *parents, last = place.split(".")
    part = values
    for name in parents:
        part = part[name]
    part[last] = value
    (tmp_path / "tokenizer.json").write_text(json.dumps(values))
    with pytest.raises(InputError, match=place.split(".")[-1].replace("_", ".")):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize(
    "settings",
    [
        {"add_prefix_space": True},
        {"do_lower_case": True},
        {"padding_side": "left"},
        {"tokenizer_class": "BertTokenizer"},
        {"unknown": 1},
    ],
)
def test_settings_of_other_tokenizers_are_checked(tokenizer, tmp_path, settings):
    tokenizer.save_assets(tmp_path)
    assert type(load_tokenizer(tmp_path)) is type(tokenizer)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(InputError, match=next(iter(settings))):
        load_tokenizer(tmp_path)


def test_unigrams_name_the_way_on(tmp_path):
    peer = tokenizers.Tokenizer(tokenizers.models.Unigram([("<unk>", 0.0), ("a", -1.0)], 0))
    peer.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(InputError, match=r"Unigram.*spiece\.model"):
        load_tokenizer(tmp_path)


def test_whole_words_are_masked_as_a_whole(tokenizer):
    texts = ["unaffable dogs ran away long before they could see"] * 40
    features = BertPreprocessor(tokenizer, 64)(texts)
    masker = MaskedLMMasker(
        tokenizer.vocabulary, 12, units="whole_word", mask_token_rate=1, random_token_rate=0
    )
    masked = masker(features, tf.range(40))
    tokens = np.array(tokenizer.vocabulary.tokens)
    several = 0
    for before, after in zip(
        features["token_ids"].numpy(), masked["token_ids"].numpy(), strict=True
    ):
        words: list[list[bool]] = []
        for name, hidden in zip(tokens[before], before != after, strict=True):
            if name in tokenizer.vocabulary.special_tokens:
                continue
            # The first word of byte pairs has no mark.
            if name[0] in "Ġ▁" or not words:
                words.append([])
            words[-1].append(bool(hidden))
        assert all(len(set(word)) == 1 for word in words)
        several += sum(word[0] for word in words if len(word) > 1)
    assert several > 10
