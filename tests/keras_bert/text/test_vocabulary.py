import pytest

from keras_bert.errors import InputError
from keras_bert.text.vocabulary import SPECIAL_TOKENS, Vocabulary

GOOD = "\n".join([*SPECIAL_TOKENS, "the", "##s"]) + "\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (GOOD.replace("the", "\n").encode(), "line 6"),
        (GOOD.replace("the", " \t").encode(), "line 6.*blank"),
        (GOOD.replace("the", "[UNK]").encode(), "line 6.*line 2"),
        (GOOD.replace("[MASK]", "mask").encode(), r"\[MASK\]"),
        (GOOD.replace("\n", "\r\n").encode(), "line 1.*CR LF"),
        (b"\xef\xbb\xbf" + GOOD.encode(), "line 1.*byte-order"),
        (GOOD.encode() + b"\xff\xfe\n", "line 8.*UTF-8"),
        (b"", "empty"),
    ],
)
def test_damaged_files_are_refused_with_the_line(tmp_path, content, message):
    path = tmp_path / "vocab.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        Vocabulary.from_file(path)
    assert str(path) in str(caught.value)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match="cannot read"):
        Vocabulary.from_file(tmp_path / "none.txt")


def test_round_trip(tmp_path):
    vocabulary = Vocabulary((*SPECIAL_TOKENS, "a\u2028b", "\u2028", "é"))
    vocabulary.save(tmp_path / "vocab.txt")
    assert Vocabulary.from_file(tmp_path / "vocab.txt") == vocabulary
    assert Vocabulary.from_file(tmp_path / "vocab.txt").sha256 == vocabulary.sha256


def test_to_text(vocabulary):
    ids = [vocabulary.ids[token] for token in ("[CLS]", "dog", "##s", "ran", "[SEP]", "[PAD]")]
    assert vocabulary.to_text(ids) == "[CLS] dogs ran [SEP]"


def test_other_special_tokens():
    special = ("<pad>", "<unk>", "<s>", "</s>", "<mask>")
    vocabulary = Vocabulary(("<s>", "<pad>", "</s>", "<unk>", "<mask>", "a"), special)
    assert vocabulary.special_ids == (1, 3, 0, 2, 4)
    assert Vocabulary.of(vocabulary.get_config()) == vocabulary
    with pytest.raises(InputError, match="<mask>"):
        Vocabulary(("<s>", "<pad>", "</s>", "<unk>"), special)
    with pytest.raises(InputError, match="five"):
        Vocabulary(("a",), ("a",))
