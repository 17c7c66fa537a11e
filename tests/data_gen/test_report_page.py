import base64
import dataclasses
import re

import pytest

from data_gen.report import count_shards
from data_gen.report_page import page
from data_gen.report_pieces import vocabulary_use
from data_gen.report_plots import plots
from data_gen.report_samples import Sample, SampleCollector, Token
from data_gen.report_text import sample_html
from keras_bert.records import encode_example, read_manifest, write_manifest, write_shard
from keras_bert.text.vocabulary import Vocabulary
from tests.conftest import WORDS
from tests.data_gen.shard_reading import draw_masks, records_of
from tests.page_parser import Page


def page_of(directory, vocabulary, *, samples=6, examples=0):
    manifest = read_manifest(directory)
    collector = SampleCollector(manifest.examples, samples)
    counts = count_shards(directory, manifest, vocabulary, examples=examples, watch=collector)
    drawn = plots(counts)
    html = page(
        "corpus & co",
        counts,
        use=vocabulary_use(counts),
        samples=collector.samples(manifest, vocabulary),
        plots=drawn,
    )
    return html, drawn


EVERY = {"lengths.png", "shards.png", "frequencies.png"}
PAIRS = {*EVERY, "segments.png", "labels.png"}
STATIC = {*EVERY, "masked-positions.png", "mask-replacements.png"}


@pytest.mark.parametrize(
    ("changes", "masks", "expected"),
    [
        ({"objective": "nsp"}, False, PAIRS),
        ({"objective": "sop"}, False, PAIRS),
        ({"objective": "full_sentences"}, True, STATIC),
        ({"objective": "document_sentences", "packed": True}, True, STATIC),
        ({"objective": "document_sentences", "packed": True}, False, EVERY),
        ({"objective": "left_to_right"}, False, EVERY),
    ],
)
def test_every_objective(changes, masks, expected, make_shards, vocabulary):
    directory = make_shards(**changes)
    if masks:
        draw_masks(directory, vocabulary)
    html, drawn = page_of(directory, vocabulary)
    parsed = Page(html)
    assert parsed.is_balanced
    assert set(drawn) == expected
    sources = [value for tag, name, value in parsed.attributes if (tag, name) == ("img", "src")]
    images = [base64.b64decode(value.removeprefix("data:image/png;base64,")) for value in sources]
    assert images == [image for _, image in drawn.values()]
    assert all(image.startswith(b"\x89PNG") for image in images)
    assert not {"script", "link", "iframe"} & set(parsed.tags)
    assert not parsed.values("href")
    assert "http" not in re.sub(r"base64,[^\"]*", "", html)
    text = " ".join(parsed.text)
    assert "corpus & co" in text
    assert changes["objective"] in text
    assert "disagree" not in text
    assert parsed.values("class").count("sample") == 6
    words = {"nsp": {"next", "random"}, "sop": {"in order", "swapped"}}
    labels = set(re.findall(r'<b class="label">(.*?)</b>', html))
    assert labels <= words.get(changes["objective"], set())
    assert bool(labels) == (changes["objective"] in words)
    assert ("Masks as stored" in text) == masks
    assert ("as training may draw them" in text) == (
        not masks and changes["objective"] != "left_to_right"
    )
    assert ("[MASK]" in text) == (changes["objective"] != "left_to_right")


def test_a_page_without_samples_and_with_a_wrong_manifest(make_shards, vocabulary):
    directory = make_shards()
    manifest = read_manifest(directory)
    statistics = {**manifest.statistics, "random_next_rate": 0.125}
    write_manifest(directory, dataclasses.replace(manifest, statistics=statistics))
    html, _ = page_of(directory, vocabulary, samples=0)
    assert "random_next_rate: the manifest says 0.125" in html
    assert "Samples" not in html
    assert Page(html).is_balanced


def test_a_manifest_with_nothing_to_tell(make_shards, vocabulary):
    directory = make_shards()
    empty = dataclasses.replace(read_manifest(directory), statistics={}, settings={})
    write_manifest(directory, empty)
    assert Page(page_of(directory, vocabulary)[0]).is_balanced


def test_more_shards_than_examples_that_are_read(make_shards, vocabulary, monkeypatch):
    directory = make_shards()
    monkeypatch.setattr("data_gen.report_plots._FEW_SHARDS", 2)
    html, drawn = page_of(directory, vocabulary, examples=2)
    assert set(drawn) == PAIRS
    assert "Counted in 2 of" in html
    assert Page(html).is_balanced


def test_text_cannot_become_markup(make_shards, vocabulary):
    strange = ("<script>alert(1)</script>", "&amp;", '"><img', "'>", "$title", "\x07", "##</p>")
    replaced = dict(zip(WORDS, strange, strict=False))
    tokens = tuple(replaced.get(token, token) for token in vocabulary.tokens)
    directory = make_shards(objective="nsp")
    hostile = Vocabulary(tokens)
    hostile.save(directory / "vocab.txt")
    manifest = dataclasses.replace(
        read_manifest(directory),
        vocabulary_sha256=hostile.sha256,
        settings={"<b>option": "</td><script>"},
    )
    write_manifest(directory, manifest)
    html, _ = page_of(directory, hostile, samples=50)
    parsed = Page(html)
    assert parsed.is_balanced
    assert "script" not in parsed.tags
    assert parsed.tags["img"] == len(PAIRS)
    text = "".join(parsed.text)
    for token in (*strange[:5], "\u2407", "<b>option", "</td><script>"):
        assert token in text
    assert "\x07" not in html


def plain(html):
    return "".join(Page(html).text)


def test_words_units_and_segments():
    tokens = (
        Token("[CLS]", 0, True, True),
        Token("un", 0, False, True),
        Token("##able", 0, False, False),
        Token("你", 0, False, True),
        Token("好", 0, False, False),
        Token("[SEP]", 0, True, True),
        Token("##s", 1, False, True),
        Token("[MASK]", 1, False, False, "cat", "[MASK]"),
        Token("ran", 1, False, True, "##ed", "random"),
        Token("a", 1, False, True, "a", "unchanged"),
        Token("[SEP]", 1, True, True),
    )
    html = sample_html(Sample("shard-00000.tfrecord", 1234, "swapped", (tokens,)))
    assert Page(html).is_balanced
    head, text = plain(html).strip().split("\n")
    assert head == "shard-00000.tfrecord, example 1,234 · 11 tokens · swapped"
    assert text == "[CLS] unable 你好 [SEP] s [MASK]catran##ed a= [SEP]"
    assert html.count('class="unit"') == 5
    assert '<span class="unit">unable</span>' in html
    assert '<span class="unit">你好</span>' in html
    assert 'title="to predict: cat"' in html
    assert '<span class="mask random" title="to predict: ##ed">' in html
    assert 'title="to predict, unchanged: a"' in html
    assert html.index('class="first"') < html.index("unable") < html.index('class="second"')


def test_packed_examples_stand_apart(make_shards, vocabulary):
    directory = make_shards(objective="document_sentences", packed=True, sequence_length=64)
    manifest = read_manifest(directory)
    collector = SampleCollector(manifest.examples, manifest.examples)
    count_shards(directory, manifest, vocabulary, watch=collector)
    samples = collector.samples(manifest, vocabulary)
    rows = [row for shard in records_of(directory) for row in shard]
    assert [list(map(len, sample.examples)) for sample in samples] == [
        row["example_lengths"] for row in rows
    ]
    several = next(sample for sample in samples if len(sample.examples) > 1)
    html = sample_html(several)
    assert Page(html).is_balanced
    assert html.count("<p ") == len(several.examples)
    assert f"in {len(several.examples)} packed examples" in html


def test_samples_are_spread_and_repeatable(make_shards, vocabulary):
    directory = make_shards()
    manifest = read_manifest(directory)

    def collect():
        collector = SampleCollector(manifest.examples, 5)
        count_shards(directory, manifest, vocabulary, watch=collector)
        return collector.samples(manifest, vocabulary)

    samples = collect()
    assert samples == collect()
    assert len(samples) == 5
    assert len({sample.shard for sample in samples}) > 2
    shards = {
        shard.name: rows for shard, rows in zip(manifest.shards, records_of(directory), strict=True)
    }
    for sample in samples:
        row = shards[sample.shard][sample.index]
        (tokens,) = sample.examples
        assert [t.original or t.text for t in tokens] == [
            vocabulary.tokens[i] for i in row["token_ids"]
        ]
        assert [t.segment for t in tokens] == row["segment_ids"]
        assert sample.label == ("next", "random")[row["next_sentence_label"][0]]
        assert any(t.replacement == "[MASK]" for t in tokens)


def test_static_masks_are_shown_as_stored(make_shards, vocabulary):
    directory = make_shards(objective="full_sentences")
    draw_masks(directory, vocabulary)
    manifest = read_manifest(directory)
    collector = SampleCollector(manifest.examples, 3)
    count_shards(directory, manifest, vocabulary, watch=collector)
    rows = dict(zip((s.name for s in manifest.shards), records_of(directory), strict=True))
    for sample in collector.samples(manifest, vocabulary):
        row = rows[sample.shard][sample.index]
        (tokens,) = sample.examples
        assert [t.text for t in tokens] == [vocabulary.tokens[i] for i in row["token_ids"]]
        shown = {place: t.original for place, t in enumerate(tokens) if t.original}
        expected = zip(row["masked_positions"], row["masked_ids"], strict=True)
        assert shown == {place: vocabulary.tokens[token] for place, token in expected}


def test_one_tiny_example(make_shards, vocabulary):
    directory = make_shards(objective="single_sequence")
    manifest = read_manifest(directory)
    for shard in manifest.shards:
        (directory / shard.name).unlink()
    record = encode_example({"token_ids": [2, 3], "segment_ids": [0, 0]})
    shard = write_shard(directory / "shard-00000.tfrecord", [record])
    tiny = dataclasses.replace(manifest, shards=(shard,), statistics={})
    write_manifest(directory, tiny)
    html, _ = page_of(directory, vocabulary)
    assert Page(html).is_balanced
    assert "Counted in all 1 examples" in plain(html)
