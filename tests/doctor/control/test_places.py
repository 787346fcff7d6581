"""Where the sockets are; whoever else is on the machine can do nothing about it."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from eyewall.doctor.control import places
from eyewall.doctor.control.places import UnsafePlace

ME = os.geteuid()


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return str(tmp_path / "sockets")


def mode(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


def test_a_folder_is_made_for_its_user_alone(folder: str) -> None:
    before = os.umask(0)
    try:
        with places.opened(folder, ME, make=True) as descriptor:
            assert mode(folder) == 0o700
            assert not os.get_inheritable(descriptor)
    finally:
        os.umask(before)
    with places.opened(folder, ME):
        pass


def test_a_folder_that_others_could_enter_is_closed_to_them(folder: str) -> None:
    os.mkdir(folder)
    os.chmod(folder, 0o755)
    with pytest.raises(UnsafePlace, match="others"), places.opened(folder, ME):
        pass
    with places.opened(folder, ME, make=True):
        assert mode(folder) == 0o700


def test_a_link_is_not_followed(folder: str, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    os.symlink(elsewhere, folder)
    with pytest.raises(UnsafePlace, match="link"), places.opened(folder, ME, make=True):
        pass
    assert list(elsewhere.iterdir()) == []


def test_a_file_is_no_folder(folder: str) -> None:
    Path(folder).write_text("")
    with pytest.raises(UnsafePlace, match="no folder"), places.opened(folder, ME, make=True):
        pass


def test_a_folder_of_somebody_else(folder: str) -> None:
    os.mkdir(folder, 0o700)
    with pytest.raises(UnsafePlace, match="belongs"), places.opened(folder, ME + 1, make=True):
        pass
    assert mode(folder) == 0o700


def test_nothing_is_made_where_nothing_is_asked_for(folder: str) -> None:
    with pytest.raises(FileNotFoundError), places.opened(folder, ME):
        pass
    assert not os.path.exists(folder)


def test_a_socket_is_there_when_it_can_be_connected_to(folder: str) -> None:
    with places.opened(folder, ME, make=True) as descriptor:
        with places.listen(descriptor, folder, 4711, 1) as listening:
            assert places.present(descriptor) == [4711]
            assert os.listdir(folder) == ["4711.sock"]
            assert mode(f"{folder}/4711.sock") == 0o600
            with places.connect(descriptor, folder, 4711, 5.0) as connection:
                accepted, _ = listening.accept()
                with accepted:
                    connection.sendall(b"hello")
                    assert accepted.recv(10) == b"hello"
        with pytest.raises(ConnectionRefusedError):
            places.connect(descriptor, folder, 4711, 5.0)


def test_what_another_process_of_that_number_has_left_is_replaced(folder: str, tmp_path: Path) -> None:
    with places.opened(folder, ME, make=True) as descriptor:
        precious = tmp_path / "precious"
        precious.write_text("kept")
        os.symlink(precious, f"{folder}/4711.sock")
        with places.listen(descriptor, folder, 4711, 1):
            assert stat.S_ISSOCK(os.lstat(f"{folder}/4711.sock").st_mode)
        assert precious.read_text() == "kept"


def test_a_path_that_is_too_long_for_a_socket(tmp_path: Path) -> None:
    folder = str(tmp_path / ("x" * 120))
    with (
        places.opened(folder, ME, make=True) as descriptor,
        places.listen(descriptor, folder, 4711, 1),
        places.connect(descriptor, folder, 4711, 5.0) as connection,
    ):
        assert connection.family == socket.AF_UNIX


def test_what_ended_processes_have_left_is_swept_away(folder: str) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    with places.opened(folder, ME, make=True) as descriptor:
        for pid in (child, os.getpid()):
            places.listen(descriptor, folder, pid, 1).close()
        Path(folder, "notes.txt").write_text("not ours")
        places.sweep(descriptor)
        assert sorted(os.listdir(folder)) == sorted([f"{os.getpid()}.sock", "notes.txt"])


def test_only_the_one_that_was_made_is_removed(folder: str) -> None:
    with places.opened(folder, ME, make=True) as descriptor:
        with places.listen(descriptor, folder, 4711, 1):
            inode = places.inode_of(descriptor, 4711)
        with places.listen(descriptor, folder, 4711, 1):
            places.remove(descriptor, 4711, inode)
            assert places.present(descriptor) == [4711]
            places.remove(descriptor, 4711)
            assert places.present(descriptor) == []
            places.remove(descriptor, 4711)


def test_where_sockets_are_made(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert places.own_folder() == str(runtime / "eyewall")
    assert places.folders(ME)[0] == str(runtime / "eyewall")
    for wrong in ("", "relative", str(runtime / "missing")):
        monkeypatch.setenv("XDG_RUNTIME_DIR", wrong)
        assert places.own_folder() == f"/tmp/eyewall-{ME}"
        assert f"/tmp/eyewall-{ME}" in places.folders(ME)
    # That of this user says nothing of another one's.
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    assert str(runtime / "eyewall") not in places.folders(ME + 1)
