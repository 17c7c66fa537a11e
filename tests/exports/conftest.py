import pytest

from tests.exports.local_server import running, save_version


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """A directory with version 1 of a small model. Not to be changed."""
    directory = tmp_path_factory.mktemp("models")
    save_version(directory, 1)
    return directory


@pytest.fixture(scope="module")
def server(models):
    with running(models) as result:
        yield result
