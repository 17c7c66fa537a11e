import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data_gen.engine import generate
from data_gen.options import PretrainingDataOptions
from data_gen.sentences import split_sentences
from data_gen.shards import UNFINISHED
from keras_bert.errors import InputError
from keras_bert.records import MASK_FIELDS, read_manifest, verify_shards


@pytest.fixture
def options(corpus, vocabulary_file, tmp_path):
    def make(output="shards", **changes):
        values = {
            "input": str(corpus),
            "vocab": str(vocabulary_file),
            "sequence_length": 32,
            "partition_bytes": 4000,
            **changes,
        }
        return PretrainingDataOptions(output=str(tmp_path / output), **values)

    return make


def content(directory, *, without=("config.json",)):
    return {
        path.name: path.read_bytes()
        for path in Path(directory).iterdir()
        if path.name not in without
    }


def test_shards_are_whole_and_counted(options, vocabulary, corpus):
    manifest = generate(options())
    assert verify_shards(options().output) == manifest
    assert len(manifest.shards) > 3
    assert manifest.vocabulary_sha256 == vocabulary.sha256
    statistics = manifest.statistics
    assert statistics["documents"] == 60
    assert statistics["sentences"] == sum(
        len(split_sentences(line)) for line in corpus.read_text().split("\n")
    )
    assert statistics["examples"] == manifest.examples
    assert statistics["unknown_tokens"] == 0
    assert 0.4 < statistics["random_next_rate"] < 0.8
    names = set(content(options().output, without=()))
    assert names == {
        "manifest.json",
        "config.json",
        "vocab.txt",
        *(shard.name for shard in manifest.shards),
    }


def test_bytes_do_not_depend_on_workers(options):
    generate(options("one"))
    generate(options("two", workers=2))
    assert content(options("one").output) == content(options("two").output)


def test_seed_changes_the_pairs(options):
    first, second = generate(options("a")), generate(options("b", seed=1))
    assert [s.sha256 for s in first.shards] != [s.sha256 for s in second.shards]
    assert first.statistics["tokens"] == second.statistics["tokens"]


def test_finished_shards_are_not_overwritten(options):
    generate(options())
    before = content(options().output, without=())
    with pytest.raises(InputError, match="exist already; remove them or choose another"):
        generate(options(seed=1))
    assert content(options().output, without=()) == before


def _children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
def test_a_killed_run_is_unreadable_and_runs_again(options):
    # Two documents to a shard: time enough to be killed among them.
    chosen = options(partition_bytes=1, workers=2, duplicates=40)
    directory = Path(chosen.output)
    arguments = [
        f"--{name.replace('_', '-')}={getattr(chosen, name)}"
        for name in ("input", "vocab", "output", "partition_bytes", "workers", "duplicates")
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "data_gen", "pretrain", *arguments, "--sequence-length=32"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 120
        while not list(directory.glob("shard-*")) and time.monotonic() < deadline:
            assert process.poll() is None
            time.sleep(0.01)
        children = _children(process.pid)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert list(directory.glob("shard-*"))
    assert len(children) >= 2
    with pytest.raises(InputError, match="unfinished"):
        read_manifest(directory)
    # Workers do not outlive the run: they would write into the next one's directory.
    deadline = time.monotonic() + 20
    while any(map(_is_running, children)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(_is_running, children))

    (directory / ".incomplete-1-shard-00099.tfrecord").write_bytes(b"half")
    (directory / "shard-99999.tfrecord").write_bytes(b"stale")
    finished = {
        path.name: path.stat().st_mtime_ns
        for note in (directory / UNFINISHED).glob("shard-*.json")
        for path in directory.glob(f"{note.stem}.tfrecord")
    }
    assert finished
    generate(options(partition_bytes=1, duplicates=40))
    verify_shards(directory)
    # What was finished has not been made again, and all is as if nothing had happened.
    assert all((directory / name).stat().st_mtime_ns == time for name, time in finished.items())
    generate(options("clean", partition_bytes=1, duplicates=40))
    assert content(directory) == content(options("clean").output)
    assert not list(directory.glob(".*"))


_FULL_DISK = """
import resource, signal, sys
from data_gen.__main__ import main
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.exit(main(sys.argv[2:]))
"""


def run_with_a_small_disk(chosen, limit, *more):
    """Runs the command where no file can grow beyond `limit` bytes."""
    arguments = [f"--{name}={getattr(chosen, name)}" for name in ("input", "vocab", "output")]
    arguments += ["--sequence-length=32", "--partition-bytes=4000", *more]
    return subprocess.run(
        [sys.executable, "-c", _FULL_DISK, str(limit), "pretrain", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk_ends_in_one_line_and_the_run_goes_on_later(options, workers):
    generate(options("clean"))
    sizes = [path.stat().st_size for path in Path(options("clean").output).glob("shard-*")]
    result = run_with_a_small_disk(options(), sum(sizes) // len(sizes), f"--workers={workers}")
    assert result.returncode == 2
    assert result.stderr.strip().split("\n")[-1].startswith("error: ")
    assert "cannot write" in result.stderr
    assert "goes on from what is finished" in result.stderr
    assert "Traceback" not in result.stderr
    directory = Path(options().output)
    with pytest.raises(InputError, match="unfinished"):
        read_manifest(directory)
    generate(options())
    assert content(directory) == content(options("clean").output)
    assert not list(directory.glob(".*"))


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to mount a small file system")
def test_a_small_file_system(options, tmp_path):
    generate(options("clean"))
    mounted = tmp_path / "small"
    mounted.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(mounted)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("cannot mount a small file system")
    try:
        with pytest.raises(InputError, match="cannot write: No space left"):
            generate(options("small/shards"))
        assert not list(mounted.glob("**/.incomplete-*"))
        subprocess.run(["mount", "-o", "remount,size=8m", str(mounted)], check=True)
        generate(options("small/shards"))
        assert content(mounted / "shards") == content(options("clean").output)
    finally:
        subprocess.run(["umount", str(mounted)], check=True)


def test_two_processes_do_not_write_into_one_directory(options):
    directory = Path(options().output)
    (directory / UNFINISHED).mkdir(parents=True)
    with open(directory / UNFINISHED / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="another process is writing here"):
            generate(options())
    generate(options())


def test_an_error_midway_leaves_nothing(options, tmp_path, corpus):
    damaged = tmp_path / "damaged.txt"
    damaged.write_bytes(corpus.read_bytes() + b"\n\nlast \xff\n")
    with pytest.raises(InputError, match=r"damaged.txt, line \d+: the text must be UTF-8"):
        generate(options(input=str(damaged)))
    assert not Path(options().output).exists()
    # A directory that was there before stays, with what the user keeps in it.
    Path(options().output).mkdir()
    (Path(options().output) / "notes.txt").write_text("mine")
    with pytest.raises(InputError):
        generate(options(input=str(damaged)))
    assert list(content(options().output)) == ["notes.txt"]


def test_a_partition_without_pairs_makes_no_shard(options, tmp_path):
    path = tmp_path / "sparse.txt"
    path.write_text("the cat\n\nthe dog\n\nno\n\n\u200b\n\nshe said\n\nhe said\n")
    manifest = generate(options(input=str(path), partition_bytes=1))
    assert [shard.name for shard in manifest.shards] == [
        "shard-00000-00000.tfrecord",
        "shard-00000-00002.tfrecord",
    ]
    assert verify_shards(options().output) == manifest


def test_manifest_keeps_the_options(options):
    manifest = generate(options(seed=7, short_sequence_probability=0.5))
    assert manifest.settings["seed"] == 7
    config = json.loads((Path(options().output) / "config.json").read_text())
    assert manifest.settings.items() <= config.items()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sequence_length": 4}, "`--sequence-length` must be at least 5. Received: 4"),
        ({"short_sequence_probability": 1.5}, "from 0 to 1. Received: 1.5"),
        ({"duplicates": 0}, "`--duplicates` must be at least 1"),
        ({"partition_bytes": 0}, "`--partition-bytes` must be at least 1"),
        ({"workers": 0}, "`--workers` must be at least 1"),
        ({"packed": True}, "`--packed` must be off with pairs"),
        ({"static_masks": True, "objective": "left_to_right"}, "`--static-masks` must be off"),
        ({"static_masks": True, "mask_rate": 2.0}, "--mask-rate"),
        ({"static_masks": True, "mask_rate": 0.0}, "`--mask-rate` must be above 0"),
        ({"static_masks": True, "mask_rate": float("nan")}, "`--mask-rate` must be above 0"),
        ({"static_masks": True, "max_predictions": 0}, "`--max-predictions` must be at least 1"),
        ({"mask_units": "span"}, "`--static-masks` is off, so `--mask-units` has no use"),
        ({"mask_rate": 0.2}, "`--static-masks` is off, so `--mask-rate` has no use"),
        ({"mask_token_rate": 1.0}, "`--static-masks` is off, so `--mask-token-rate` has no use"),
        ({"random_token_rate": 0.0}, "`--random-token-rate` has no use. Received: 0.0"),
        ({"max_predictions": 9}, "`--static-masks` is off, so `--max-predictions` has no use"),
        ({"beam_options": "--x"}, "`--runner` is local, so `--beam-options` has no use"),
        ({"runner": "beam", "workers": 2}, "`--runner` is beam, so `--workers` has no use"),
    ],
)
def test_options_out_of_range(options, changes, message):
    with pytest.raises(InputError, match=message):
        generate(options(**changes))
    assert not Path(options().output).exists()


@pytest.mark.filterwarnings("ignore:.*the rest is padding:keras_bert.errors.InputWarning")
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sequence_length": 128}, 20),
        ({"sequence_length": 512}, 77),
        ({"sequence_length": 40, "mask_rate": 0.25}, 10),
        ({"sequence_length": 512, "max_predictions": 20}, 20),
    ],
)
def test_static_masks_reach_their_rate_at_any_length(options, changes, expected):
    manifest = generate(options(objective="single_sequence", static_masks=True, **changes))
    assert manifest.max_predictions == expected
    assert verify_shards(options().output) == manifest


def test_one_document_is_not_enough_for_pairs(options, tmp_path):
    path = tmp_path / "one.txt"
    path.write_text("the cat ran.\nthe dog ran.\n")
    with pytest.raises(InputError, match=r"nsp needs at least two documents.*Received: 1"):
        generate(options(input=str(path)))
    assert not Path(options().output).exists()
    assert generate(options(input=str(path), objective="full_sentences")).examples == 1


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"objective": "nsp"}, ("next_sentence_label",)),
        ({"objective": "sop", "sentences": "lines"}, ("next_sentence_label",)),
        ({"objective": "full_sentences", "static_masks": True}, MASK_FIELDS),
        ({"objective": "document_sentences", "packed": True}, ("example_lengths",)),
        (
            {"objective": "single_sequence", "static_masks": True, "packed": True},
            (*MASK_FIELDS, "example_lengths"),
        ),
        ({"objective": "left_to_right"}, ()),
    ],
)
def test_every_objective_writes_whole_shards(options, changes, fields):
    manifest = generate(options(**changes))
    assert manifest.fields == ("token_ids", "segment_ids", *fields)
    assert verify_shards(options().output) == manifest
    statistics = manifest.statistics
    if "packed" in changes:
        assert statistics["fill_rate"] > statistics["unpacked_fill_rate"] + 0.05
    if "static_masks" in changes:
        assert 0.1 < statistics["mask_rate"] < 0.16


def test_wrong_input_does_not_touch_an_unfinished_run(options):
    directory = Path(options().output)
    directory.mkdir()
    (directory / "shard-00000.tfrecord").write_bytes(b"work of hours")
    with pytest.raises(InputError, match="no file matches"):
        generate(options(input="nothing*"))
    assert (directory / "shard-00000.tfrecord").exists()
