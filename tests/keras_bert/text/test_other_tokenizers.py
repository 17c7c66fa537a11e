"""Byte pairs and SentencePiece behind the interface of `BertTokenizer`."""

import io
import subprocess
import sys

import numpy as np
import pytest
import sentencepiece
import tensorflow as tf
import tokenizers

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
