from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from eyewall.base.configurable import Configurable


class Store(Configurable):
    @classmethod
    def configurable_base(cls) -> type[Store]:
        return Store

    @classmethod
    def configurable_default(cls) -> type[Store]:
        return MemoryStore


class MemoryStore(Store):
    def initialize(self, place: str = "here", size: int = 1) -> None:
        self.place = place
        self.size = size


class FileStore(Store):
    def initialize(self, place: str = "there", path: str = "/") -> None:
        self.place = place
        self.path = path


class RemoteStore(Store):
    """One choice of the outer hierarchy, and the base of another."""

    @classmethod
    def configurable_base(cls) -> type[RemoteStore]:
        return RemoteStore

    @classmethod
    def configurable_default(cls) -> type[RemoteStore]:
        return TcpStore


class TcpStore(RemoteStore):
    def initialize(self, **arguments: Any) -> None:
        self.arguments = arguments


class TlsStore(TcpStore):
    pass


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    saved = Store._save_configuration(), RemoteStore._save_configuration()
    yield
    Store._restore_configuration(saved[0])
    RemoteStore._restore_configuration(saved[1])


def test_the_base_makes_the_default() -> None:
    store = Store("x", size=2)
    assert type(store) is MemoryStore
    assert (store.place, store.size) == ("x", 2)
    assert Store.configured_class() is MemoryStore


@pytest.mark.parametrize("choice", [FileStore, f"{__name__}.FileStore"])
def test_the_base_makes_what_is_configured(choice: str | type[Store]) -> None:
    Store.configure(choice, path="/tmp")
    store = Store()
    assert type(store) is FileStore
    assert store.path == "/tmp"
    assert vars(Store(path="/x"))["path"] == "/x"


def test_subclasses_are_themselves_whatever_is_configured() -> None:
    Store.configure(FileStore, path="/tmp")
    assert type(MemoryStore()) is MemoryStore
    assert FileStore().path == "/"


def test_arguments_for_the_default() -> None:
    Store.configure(None, size=3)
    assert vars(Store())["size"] == 3
    assert MemoryStore().size == 1


def test_a_choice_may_be_a_base_itself() -> None:
    Store.configure(RemoteStore, a=1)
    RemoteStore.configure(TlsStore, b=2)
    store = Store(c=3)
    assert type(store) is TlsStore
    assert store.arguments == {"a": 1, "b": 2, "c": 3}
    inner = RemoteStore()
    assert type(inner) is TlsStore
    assert inner.arguments == {"b": 2}


def test_hierarchies_are_configured_apart() -> None:
    Store.configure(FileStore)
    assert RemoteStore.configured_class() is TcpStore
    RemoteStore.configure(TlsStore)
    assert Store.configured_class() is FileStore


@pytest.mark.parametrize("choice", [int, "builtins.int", "builtins.print", Configurable])
def test_what_is_no_subclass_is_refused(choice: Any) -> None:
    with pytest.raises(ValueError, match="Invalid subclass of Store"):
        Store.configure(choice)


def test_configurations_can_be_saved() -> None:
    saved = Store._save_configuration()
    Store.configure(FileStore)
    Store._restore_configuration(saved)
    assert type(Store()) is MemoryStore


def test_a_base_has_to_say_what_it_is() -> None:
    class Incomplete(Configurable):
        pass

    with pytest.raises(NotImplementedError, match="Incomplete"):
        Incomplete()
