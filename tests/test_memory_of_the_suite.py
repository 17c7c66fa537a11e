"""The bound on the memory of the suite's own processes."""

import sys

import pytest

from tests import memory


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
