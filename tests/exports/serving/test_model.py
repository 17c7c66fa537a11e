import pytest

from exports.serving.model import LoadedVersion


@pytest.fixture(scope="module")
def version(models):
    return LoadedVersion(models / "1")


@pytest.mark.parametrize("name", ["serving_default", "add", "echo", "wait", "drop_large"])
def test_signatures_whose_rows_may_be_joined(version, name):
    # That drop_large drops rows is seen only when it does.
    assert version.signature(name).joins


@pytest.mark.parametrize("name", ["split", "total"])
def test_signatures_whose_rows_may_not(version, name):
    assert not version.signature(name).joins
