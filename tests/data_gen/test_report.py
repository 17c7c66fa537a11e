import dataclasses
from collections import Counter

import numpy as np
import pytest

from data_gen.report import Counts, count_shards, quotas_of
from data_gen.report_pieces import vocabulary_use
from keras_bert.errors import InputError
from keras_bert.records import LABEL, LENGTHS, read_manifest, write_manifest
from tests.data_gen.shard_reading import draw_masks, records_of, rewrite


def histogram(array):
    return {value: count for value, count in enumerate(array.tolist()) if count}


def originals(row):
    tokens = list(row["token_ids"])
    for place, token in zip(
        row.get("masked_positions", ()), row.get("masked_ids", ()), strict=True
    ):
        tokens[place] = token
    return tokens


def check(directory, vocabulary):
    """Compares the counts with those of plain Python and returns them."""
    manifest = read_manifest(directory)
    counts = count_shards(directory, manifest, vocabulary)
    shards = records_of(directory)
    rows = [row for shard in shards for row in shard]
    assert counts.shard_examples.tolist() == [len(shard) for shard in shards]
    assert counts.shard_tokens.tolist() == [
        sum(len(row["token_ids"]) for row in shard) for shard in shards
    ]
    assert histogram(counts.row_lengths) == Counter(len(row["token_ids"]) for row in rows)
    assert histogram(counts.example_lengths) == Counter(
        length for row in rows for length in row.get(LENGTHS) or [len(row["token_ids"])]
    )
    assert histogram(counts.token_counts) == Counter(
        token for row in rows for token in originals(row)
    )
    tokens = sum(len(row["token_ids"]) for row in rows)
    measures = counts.measures()
    assert measures["fill_rate"] == pytest.approx(tokens / len(rows) / manifest.sequence_length)
    assert counts.disagreements() == []
    assert counts.is_whole
    return counts, rows


@pytest.mark.parametrize("objective", ["nsp", "sop"])
def test_pairs(objective, make_shards, vocabulary):
    directory = make_shards(objective=objective, short_sequence_probability=0.5)
    counts, rows = check(directory, vocabulary)
    ones = sum(row[LABEL][0] for row in rows)
    assert counts.shard_labels_of_one.sum() == ones
    name = {"nsp": "random_next_rate", "sop": "swapped_rate"}[objective]
    assert counts.measures()[name] == ones / len(rows)
    assert histogram(counts.first_lengths) == Counter(
        row["segment_ids"].count(0) - 2 for row in rows
    )
    assert histogram(counts.second_lengths) == Counter(
        row["segment_ids"].count(1) - 1 for row in rows
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"objective": "full_sentences", "packed": True},
        {"objective": "document_sentences", "packed": True, "sequence_length": 64},
        {"objective": "left_to_right"},
        {"objective": "single_sequence"},
    ],
)
def test_single_sequences(changes, make_shards, vocabulary):
    directory = make_shards(**changes)
    counts, rows = check(directory, vocabulary)
    assert not counts.shard_labels_of_one.any()
    assert not counts.unit_lengths.any()
    if "packed" in changes:
        cut = sum(len(row[LENGTHS]) for row in rows)
        assert counts.measures()["packed_examples"] == cut >= len(rows)


@pytest.mark.parametrize("packed", [False, True])
def test_static_masks(packed, make_shards, vocabulary):
    directory = make_shards(objective="single_sequence", packed=packed)
    before = count_shards(directory, read_manifest(directory), vocabulary)
    draw_masks(directory, vocabulary)
    counts, rows = check(directory, vocabulary)
    # Masked tokens count as what stood there.
    assert np.array_equal(counts.token_counts, before.token_counts)
    assert histogram(counts.masked_positions) == Counter(
        place for row in rows for place in row["masked_positions"]
    )
    changes = Counter()
    for row in rows:
        for place, original in zip(row["masked_positions"], row["masked_ids"], strict=True):
            seen = row["token_ids"][place]
            changes["unchanged" if seen == original else "random"] += seen != vocabulary.mask_id
            changes["[MASK]"] += seen == vocabulary.mask_id
    assert counts.mask_replacements == changes
    assert min(changes.values()) > 0
    measures = counts.measures()
    assert measures["masked_tokens"] == sum(changes.values())
    assert measures["mask_rate"] == pytest.approx(0.15, abs=0.02)


def test_units(make_shards, vocabulary, corpus, tmp_path):
    lexicon = tmp_path / "lexicon.txt"
    lines = corpus.read_text().splitlines()
    lexicon.write_text("\n".join(" ".join(line.split()[:3]) for line in lines if line))
    directory = make_shards(lexicon=str(lexicon), objective="full_sentences", packed=True)
    counts, rows = check(directory, vocabulary)
    expected = Counter()
    for row in rows:
        length = 0
        for token, start in reversed(list(zip(row["token_ids"], row["unit_starts"], strict=True))):
            length += 1
            if start:
                is_special = token in (vocabulary.start_id, vocabulary.end_id)
                expected[length] += not is_special
                length = 0
    assert histogram(counts.unit_lengths) == +expected
    assert len(expected) > 1


def test_vocabulary_use(make_shards, vocabulary):
    directory = make_shards(objective="left_to_right")
    counts, rows = check(directory, vocabulary)
    tokens = Counter(vocabulary.tokens[i] for row in rows for i in row["token_ids"])
    del tokens["[CLS]"], tokens["[SEP]"]
    use = vocabulary_use(counts, most=3)
    total = sum(tokens.values())
    whole = [(t, n) for t, n in tokens.most_common() if not t.startswith("##")]
    assert [piece.count for piece in use.whole] == [count for _, count in whole[:3]]
    assert all(tokens[piece.text] == piece.count for piece in (*use.whole, *use.inner))
    assert use.whole[0].share == use.whole[0].count / total
    inner = sum(count for token, count in tokens.items() if token.startswith("##"))
    assert use.inner_share == inner / total
    assert use.pieces == len(vocabulary) - 4
    assert use.never_seen == use.pieces - len(tokens)


def test_some_examples_of_every_shard(make_shards, vocabulary):
    directory = make_shards()
    manifest = read_manifest(directory)
    chosen = quotas_of(manifest, 20)
    assert sum(chosen) == 20
    assert min(chosen) > 0
    counts = count_shards(directory, manifest, vocabulary, examples=20)
    assert counts.shard_examples.tolist() == chosen
    assert not counts.is_whole
    assert counts.disagreements() == []
    tokens = [
        sum(len(row["token_ids"]) for row in rows[:quota])
        for rows, quota in zip(records_of(directory), chosen, strict=True)
    ]
    assert counts.shard_tokens.tolist() == tokens
    for everything in (0, manifest.examples, manifest.examples + 1):
        assert sum(quotas_of(manifest, everything)) == manifest.examples
    assert sum(quotas_of(manifest, 1)) == 1


def test_a_manifest_that_is_wrong(make_shards, vocabulary):
    directory = make_shards()
    manifest = read_manifest(directory)
    statistics = {**manifest.statistics, "random_next_rate": 0.25, "example_tokens": 7}
    statistics["unknown_token_rate"] = 0.5  # of the text, which examples do not tell
    wrong = dataclasses.replace(manifest, statistics=statistics)
    lines = count_shards(directory, wrong, vocabulary).disagreements()
    assert [line.split(":")[0] for line in lines] == ["example_tokens", "random_next_rate"]
    assert "the manifest says 0.25, the shards hold 0." in lines[1]
    first, *others = manifest.shards
    more = dataclasses.replace(first, examples=first.examples + 3)
    wrong = dataclasses.replace(manifest, shards=(more, *others))
    (line,) = count_shards(directory, wrong, vocabulary).disagreements()
    assert line == (
        f"{first.name}: the manifest says {more.examples} examples, {first.examples} could be read"
    )


def test_unknown_tokens_that_the_manifest_denies(make_shards, vocabulary):
    directory = make_shards()
    shards = records_of(directory)
    shards[0][0]["token_ids"][1] = vocabulary.unknown_id
    rewrite(directory, shards)
    counts = count_shards(directory, read_manifest(directory), vocabulary)
    assert counts.measures()["unknown_tokens"] == 1
    assert counts.disagreements() == [
        "unknown_tokens: the manifest says that the text has none, the shards hold 1"
    ]


def test_damaged_shards(make_shards, vocabulary):
    directory = make_shards()
    manifest = read_manifest(directory)
    shards = records_of(directory)
    path = directory / manifest.shards[1].name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=f"{path}: damaged shard: its SHA-256 differs"):
        count_shards(directory, manifest, vocabulary)
    shards[0][0]["token_ids"][1] = len(vocabulary)
    rewrite(directory, shards)
    message = rf"damaged shards: .*ids must lie in 0..{len(vocabulary) - 1}; .*verify"
    with pytest.raises(InputError, match=message):
        count_shards(directory, read_manifest(directory), vocabulary)
    shards[0][0]["token_ids"] = []
    rewrite(directory, shards)
    with pytest.raises(InputError, match="1 to 32 tokens are expected"):
        count_shards(directory, read_manifest(directory), vocabulary)


def test_masked_positions_out_of_the_row(make_shards, vocabulary):
    directory = make_shards(objective="full_sentences")
    draw_masks(directory, vocabulary)
    shards = records_of(directory)
    shards[0][0]["masked_positions"][0] = 99
    rewrite(directory, shards)
    with pytest.raises(InputError, match=r"masked positions must lie in 0..31.*Received: \d+..99"):
        count_shards(directory, read_manifest(directory), vocabulary)


def test_counts_are_json(make_shards, vocabulary):
    directory = make_shards()
    manifest = dataclasses.replace(read_manifest(directory), statistics={}, settings={})
    write_manifest(directory, manifest)
    counts = count_shards(directory, manifest, vocabulary)
    assert isinstance(counts, Counts)
    values = counts.to_json()
    assert values["examples_read"] == manifest.examples
    assert sum(values["token_counts"]) == counts.measures()["example_tokens"]
