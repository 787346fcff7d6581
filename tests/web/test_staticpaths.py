import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eyewall.web.errors import HTTPError
from eyewall.web.staticpaths import NeedsSlash, absolute, lies_in, locate, names_stream, open_regular

NAMES = st.sampled_from(["..", ".", "", "a", "b", "link", "out", "circle", "f.txt", "\0", "root", "rootless"])


@pytest.mark.parametrize(
    ("path", "directory", "inside"),
    [
        ("/a/b", "/a", True),
        ("/a", "/a", True),
        ("/a/b", "/a/", True),
        ("/ab", "/a", False),
        ("/", "/", True),
        ("/x", "/", True),
        ("/", "/a", False),
    ],
)
def test_lies_in(path, directory, inside):
    assert lies_in(path, directory) is inside


@pytest.mark.parametrize(
    ("path", "stream"),
    [("C:\\a\\b.txt", False), ("C:\\a\\b.txt:c", True), ("\\a:$DATA", True), ("/a", False)],
)
def test_alternate_data_streams(path, stream):
    assert names_stream(path) is stream


def test_absolute():
    assert absolute("/a", "b/../c") == "/a/c"
    assert absolute("/a/", "../a") == "/a"
    assert absolute("/", "/x") == "/x"
    for path in ("../b", "/etc", "../ab", ".."):
        with pytest.raises(HTTPError, match="is not in root static directory"):
            absolute("/a", path)


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A root with files and links, and a secret beside it."""
    top = tmp_path_factory.mktemp("tree")
    root = top / "root"
    (root / "a" / "b").mkdir(parents=True)
    (root / "f.txt").write_text("inside")
    (root / "a" / "f.txt").write_text("inside")
    (root / "a" / "b" / "f.txt").write_text("inside")
    (root / "link").symlink_to("a/b")
    (root / "out").symlink_to(top)
    (root / "a" / "out").symlink_to("../..")
    (root / "circle").symlink_to("circle")
    (top / "f.txt").write_text("secret")
    (top / "rootless").mkdir()
    (top / "rootless" / "f.txt").write_text("secret")
    return root


@given(st.lists(NAMES, max_size=8), st.sampled_from([None, "f.txt", "../f.txt", "out/f.txt"]), st.booleans())
def test_nothing_outside_is_ever_found(tree, names, default, slash):
    try:
        path = absolute(str(tree), "/".join(names))
        found = locate(str(tree), path, "shown", None, default, slash)
        file, status = open_regular(found, "shown")
    except NeedsSlash:
        assert default is not None
        assert not slash
        return
    except HTTPError:
        return
    with file:
        assert file.read() == b"inside"
        assert status.st_size == 6


def test_opening(tree, tmp_path):
    file, _ = open_regular(str(tree / "f.txt"), "f.txt")
    file.close()
    os.mkfifo(tmp_path / "fifo")
    for path, status in (("fifo", 403), ("", 403), ("nope", 404)):
        with pytest.raises(HTTPError) as caught:
            open_regular(str(tmp_path / path), path)
        assert caught.value.status_code == status
    (tmp_path / "swapped").symlink_to(tree / "f.txt")
    with pytest.raises(HTTPError) as caught:
        open_regular(str(tmp_path / "swapped"), "swapped")
    assert caught.value.status_code == 404
