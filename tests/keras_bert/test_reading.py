import pytest

from keras_bert.errors import InputError
from keras_bert.reading import inside, read_json, read_json_object


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON"),
        (b'{"a": 1', "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b"[1, 2]", r"JSON object.*\[1, 2\]"),
        (b"null", "JSON object.*None"),
        (b'"' + b"x" * 1000 + b'"', r"JSON object.*x\.\.\."),
    ],
)
def test_what_is_no_object_is_refused_by_name(tmp_path, content, message):
    path = tmp_path / "settings.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        read_json_object(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_lists_and_byte_order_marks(tmp_path):
    path = tmp_path / "modules.json"
    path.write_bytes(b"\xef\xbb\xbf[1]")
    assert read_json(path, list) == [1]
    with pytest.raises(InputError, match="cannot read"):
        read_json(tmp_path, list)


@pytest.mark.parametrize(
    "name",
    [
        *("../other", "a/../../other", "..", "/etc/passwd", "link/file", "link/deep/file"),
        *("C:\\file", "..\\other", "a\0b", None, 3, ["file"]),
    ],
)
def test_names_that_lead_out_of_a_directory_are_refused(tmp_path, name):
    directory, other = tmp_path / "directory", tmp_path / "other"
    directory.mkdir()
    other.mkdir()
    (directory / "link").symlink_to(other)
    with pytest.raises(InputError, match="Received: "):
        inside(directory, name)


@pytest.mark.parametrize("name", ["file", "a/file", "", ".", "..file", "a..b", "blob", "near/file"])
def test_names_of_a_directory_are_taken(tmp_path, name):
    directory = tmp_path / "directory"
    (directory / "a").mkdir(parents=True)
    (directory / "near").symlink_to(directory / "a")
    # As in a cache of downloads, where snapshots are links to files kept elsewhere.
    (directory / "blob").symlink_to(tmp_path / "elsewhere")
    assert inside(directory, name) == directory / name
