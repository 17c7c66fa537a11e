import numpy as np
import pytest

from keras_bert.reports.calibration import calibration_section, reliability
from tests.page_parser import Page


def test_bins_by_hand():
    found = reliability(np.array([0.95, 0.85, 0.9, 0.05, 1.0]), np.array([1, 0, 1, 0, 1]), bins=10)
    assert found.counts.tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 2, 2]
    np.testing.assert_allclose(found.confidence[[0, 8, 9]], [0.05, 0.875, 0.975])
    np.testing.assert_allclose(found.accuracy[[0, 8, 9]], [0, 0.5, 1])
    # (1 * 0.05 + 2 * 0.375 + 2 * 0.025) / 5
    assert found.expected_calibration_error == pytest.approx(0.17)


def test_expected_calibration_error_equals_its_definition():
    random = np.random.default_rng(0)
    shares = random.random(500)
    hits = random.random(500) < shares**2
    total = 0.0
    for low in range(10):
        chosen = (shares > low / 10) & (shares <= (low + 1) / 10)
        total += chosen.sum() / 500 * abs(hits[chosen].mean() - shares[chosen].mean())
    found = reliability(shares, hits)
    assert found.expected_calibration_error == pytest.approx(total)
    assert total > 0.1


def test_edges_belong_to_a_bin():
    found = reliability(np.array([0.0, 0.1, 0.3, 1.0]), np.ones(4, bool))
    assert found.counts.tolist() == [2, 0, 1, 0, 0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize(
    ("shares", "word"),
    [([0.9, 0.9], "over-conf"), ([0.4, 0.4], "under-conf"), ([0.5, 0.5], "neither")],
)
def test_the_section_says_which_way_it_errs(shares, word):
    section = calibration_section(shares, [True, False], what="a <label>")
    assert f"it is {word}" in section.html
    page = Page(section.html.replace("a <label>", "a label"))
    assert page.tags["img"] == 1
