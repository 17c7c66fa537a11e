"""The bound on the memory of the suite's own processes."""

import re
import sys
from pathlib import Path

import pytest

from tests import memory

ROOT = Path(__file__).parents[1]


def test_a_file_that_takes_too_much_is_named():
    memory.check_peak("test_small.py", memory.MOST_MEBIBYTES)
    memory.check_peak("test_elsewhere.py", None)
    with pytest.raises(pytest.fail.Exception, match=r"test_large\.py: .* peak of 2049 MiB"):
        memory.check_peak("test_large.py", memory.MOST_MEBIBYTES + 1)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux says the peak since a moment")
def test_what_a_file_takes_is_measured_and_given_back():
    memory.release()
    memory.begin_measuring()
    before = memory.peak_mebibytes()
    # Blocks too small to be given back one by one.
    blocks = [bytearray(b"x" * 50_000) for _ in range(4000)]
    assert memory.peak_mebibytes() >= before + 180
    del blocks
    memory.release()
    memory.begin_measuring()
    assert memory.peak_mebibytes() < before + 60


def test_each_file_of_tests_belongs_to_one_part_of_the_suite():
    lines = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    (parts,) = re.findall(r"^PARTS := (.*)$", lines, flags=re.MULTILINE)
    found = []
    for name in parts.replace('"', " ").split():
        for path in sorted(ROOT.glob(name)):
            found += path.rglob("test_*.py") if path.is_dir() else [path]
    assert sorted(found) == sorted((ROOT / "tests").rglob("test_*.py"))
