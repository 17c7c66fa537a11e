import pytest
import tokenizers

from keras_bert.errors import InputError
from keras_bert.text.tokenizer import BertTokenizer
from keras_bert.text.vocabulary import SPECIAL_TOKENS, Vocabulary

GOOD = "\n".join([*SPECIAL_TOKENS, "the", "##s"]) + "\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (GOOD.replace("the", "\n").encode(), "line 6"),
        (GOOD.replace("the", " \t").encode(), "line 6.*blank"),
        (GOOD.replace("[MASK]", "mask").encode(), r"\[MASK\]"),
        (GOOD.encode() + b"\xff\xfe\n", "line 8.*UTF-8"),
        (GOOD.replace("\n", "\r\n").replace("the", "").encode(), "line 6"),
        (b"", "line 1.*empty"),
        (b"\n \r\n", "line 1.*empty"),
    ],
)
def test_damaged_files_are_refused_with_the_line(tmp_path, content, message):
    path = tmp_path / "vocab.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        Vocabulary.from_file(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        GOOD.removesuffix("\n"),
        GOOD + "\n\n",
        GOOD + " \t\n",
        "\ufeff" + GOOD,
        GOOD.replace("\n", "\r\n"),
        "\ufeff" + GOOD.replace("\n", "\r\n") + "\r\n",
        GOOD.replace("the\n", " the \n\t"),
        GOOD.replace("the\n", "\u3000the\u00a0\n"),
        GOOD.replace("##s\n", "##s\r\n"),
    ],
)
def test_lines_are_read_as_the_reference_reads_them(tmp_path, content):
    path = tmp_path / "vocab.txt"
    path.write_bytes(content.encode())
    assert Vocabulary.from_file(path).tokens == (*SPECIAL_TOKENS, "the", "##s")


def test_of_a_repeated_token_the_last_id_counts(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text(GOOD + "the\n[MASK]\ndog\n")
    vocabulary = Vocabulary.from_file(path)
    assert len(vocabulary) == 10
    assert vocabulary.ids["the"] == 7
    assert vocabulary.mask_id == 8
    tokenizer = BertTokenizer(vocabulary)
    assert tokenizer("the thes dog").numpy().tolist() == [7, 7, 6, 9]
    tokenizer = tokenizer.with_options(character_rules="tokenizers")
    tokenizer.save_assets(tmp_path / "saved")
    again = BertTokenizer.from_checkpoint(tmp_path / "saved")
    assert again.vocabulary.tokens == vocabulary.tokens
    peer = tokenizers.Tokenizer.from_file(str(tmp_path / "saved" / "tokenizer.json"))
    assert peer.encode("the thes dog", add_special_tokens=False).ids == [7, 7, 6, 9]


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
