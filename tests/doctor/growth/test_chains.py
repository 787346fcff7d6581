"""The chain of references that keeps an object alive, by name."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections import deque
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

import pytest

from eyewall.doctor.growth.chains import Search, chain_of
from eyewall.doctor.growth.timers import Handles
from eyewall.http.server import HTTPServer
from eyewall.net.address import bind_sockets
from eyewall.web import Application, RequestHandler
from eyewall.web.dispatch import dispatches

HERE = __name__


class Thing:
    """What is kept."""


class Slotted:
    """Keeps in a slot."""

    __slots__ = ("empty", "kept")


class Registry:
    """Keeps in attributes."""

    clients: set[Thing] = set()
    rooms: dict[str, dict[int, Thing]] = {}

    def __init__(self) -> None:
        self.members: list[Any] = []

    def notify(self) -> None:
        pass


module_set: set[Thing] = set()
module_dict: dict[Any, Any] = {}
module_list: list[Any] = []
module_deque: deque[Any] = deque()
registry = Registry()
slotted = Slotted()
callbacks: list[Callable[[], object]] = []


@lru_cache
def cached(number: int) -> Thing:
    return Thing()


@pytest.fixture(autouse=True)
def _empty() -> Any:
    yield
    for each in (
        module_set,
        module_dict,
        module_list,
        module_deque,
        callbacks,
        Registry.clients,
        Registry.rooms,
    ):
        each.clear()
    registry.members.clear()
    cached.cache_clear()


def text_of(thing: object) -> str:
    chain = chain_of(thing)
    assert chain is not None
    assert chain.lasting
    return chain.text


def test_a_set_of_a_module() -> None:
    thing = Thing()
    module_set.add(thing)
    assert text_of(thing) == f"{HERE}.module_set (set)"


def test_an_attribute_of_a_class() -> None:
    thing, other = Thing(), Thing()
    Registry.clients.add(thing)
    Registry.rooms["lobby"] = {7: other}
    assert text_of(thing) == f"{HERE}.Registry.clients (set)"
    assert text_of(other) == f"{HERE}.Registry.rooms['lobby'][7] (dict)"
    chain = chain_of(thing)
    assert chain is not None
    assert chain.names[0] == "clients"
    assert chain.path[-2] is Registry.clients


def test_an_attribute_of_an_instance() -> None:
    thing = Thing()
    registry.members.extend([Thing(), Thing(), thing])
    assert text_of(thing) == f"{HERE}.registry.members[2] (list)"
    # Where its attributes are not a dict until somebody asks for that.
    vars(registry)
    assert text_of(thing) == f"{HERE}.registry.members[2] (list)"


def test_a_slot() -> None:
    slotted.kept = Thing()
    assert text_of(slotted.kept) == f"{HERE}.slotted.kept"
    del slotted.kept


def test_a_request_that_runs_does_not_hide_who_keeps_its_handler(run: Callable[..., None]) -> None:
    class Stays(RequestHandler):
        async def get(self) -> None:
            registry.members.append(self)
            reached.set_result(self)
            await asyncio.sleep(3600)

    async def main() -> None:
        nonlocal reached
        reached = asyncio.get_running_loop().create_future()
        sockets = bind_sockets(0, "127.0.0.1")
        server = HTTPServer(Application([("/", Stays)]))
        server.add_sockets(sockets)
        _, writer = await asyncio.open_connection(*sockets[0].getsockname())
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        try:
            handler = await reached
            reached = asyncio.get_running_loop().create_future()
            assert text_of(handler) == f"{HERE}.registry.members[0] (list)"
            registry.members.clear()
            # Now it is the request's alone, which is no leak.
            chain = chain_of(handler)
            assert chain is not None
            assert not chain.lasting
        finally:
            writer.close()
            server.stop()
            for task in dispatches():
                task.cancel()
            await server.close_all_connections()

    reached: asyncio.Future[RequestHandler]
    run(main())


def test_a_deque_and_keys() -> None:
    thing, key, sub = Thing(), Thing(), Thing()
    module_deque.extend([0, thing])
    module_dict[key] = 1
    module_dict["user"] = [sub]
    assert text_of(thing) == f"{HERE}.module_deque[1] (deque)"
    assert text_of(key) == f"{HERE}.module_dict (a key) (dict)"
    assert text_of(sub) == f"{HERE}.module_dict['user'][0] (list)"


def test_a_variable_of_a_closure() -> None:
    def subscribe(owner: Thing) -> Callable[[], object]:
        return lambda: owner

    thing = Thing()
    callbacks.append(subscribe(thing))
    name = "test_a_variable_of_a_closure.<locals>.subscribe.<locals>.<lambda>"
    assert text_of(thing) == f"{HERE}.callbacks[0] (variable owner of {name})"


def test_a_bound_method_and_a_partial() -> None:
    one, other = Registry(), Thing()
    callbacks.append(one.notify)
    callbacks.append(partial(print, other))
    assert text_of(one) == f"{HERE}.callbacks[0] (method Registry.notify)"
    assert text_of(other).startswith(f"{HERE}.callbacks[1] (partial)")


def test_a_cache() -> None:
    thing = cached(1)
    assert text_of(thing).startswith(f"{HERE}.cached (cache)")


def test_an_exception_that_is_kept() -> None:
    def fail(thing: Thing) -> None:
        raise ValueError(f"no use for a {type(thing).__name__}")

    thing = Thing()
    try:
        fail(thing)
    except ValueError as error:
        # Only where it was raised: this function runs.
        module_list.append(error.with_traceback(error.__traceback__ and error.__traceback__.tb_next))
    text = text_of(thing)
    assert text.startswith(f"{HERE}.module_list[")
    assert text.endswith(f"(traceback) (variable of {fail.__qualname__})")


def test_a_variable_of_a_coroutine(run: Callable[..., None]) -> None:
    reference: list[weakref.ref[Thing]] = []

    async def keeps(gate: asyncio.Event) -> None:
        clients = {Thing()}
        reference.extend(map(weakref.ref, clients))
        await gate.wait()

    async def main() -> None:
        gate = asyncio.Event()
        task = asyncio.create_task(keeps(gate))
        await asyncio.sleep(0)
        chain = chain_of(reference[0]())
        assert chain is not None
        assert not chain.lasting
        assert not chain.direct
        assert chain.text == f"{keeps.__qualname__}().clients (set)"
        gate.set()
        await task
        del chain
        assert reference[0]() is None

    run(main())


def test_what_runs_on_behalf_of_it(run: Callable[..., None]) -> None:
    class Handler:
        async def get(self, gate: asyncio.Event) -> None:
            await gate.wait()

    async def main() -> None:
        gate = asyncio.Event()
        reference = weakref.ref(handler := Handler())
        task = asyncio.create_task(handler.get(gate))
        del handler
        await asyncio.sleep(0)
        chain = chain_of(reference())
        assert chain is not None
        assert chain.direct
        assert not chain.lasting
        gate.set()
        await task

    run(main())


def test_a_callback_of_a_timer(run: Callable[..., None]) -> None:
    async def main() -> None:
        one = Registry()
        handle = asyncio.get_running_loop().call_later(1000, one.notify)
        reference = weakref.ref(one)
        del one
        chain = chain_of(reference())
        # The collector does not know uvloop's handles; `timers` does.
        assert chain is None or (
            chain.text == "a timer of the loop (method Registry.notify)" or not chain.lasting
        )
        assert Handles(asyncio.get_running_loop()).due(reference()) == pytest.approx(handle.when())
        handle.cancel()
        assert Handles(asyncio.get_running_loop()).due(reference()) is None

    run(main())


def test_what_ends_while_the_search_goes_on(run: Callable[..., None]) -> None:
    async def visits(gate: asyncio.Event) -> None:
        members = registry.members
        await gate.wait()
        members.clear()

    async def main() -> None:
        gate = asyncio.Event()
        registry.members.append(thing := Thing())
        task = asyncio.create_task(visits(gate))
        await asyncio.sleep(0)
        search = Search(thing)
        assert [search.step() for _ in range(2)] == [False, False]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        while not search.step():
            pass
        assert search.chain is not None
        assert search.chain.lasting
        assert search.chain.text == f"{HERE}.registry.members[0] (list)"

    run(main())


def test_the_names_by_which_coroutines_know_a_container(run: Callable[..., None]) -> None:
    async def visits(gate: asyncio.Event) -> None:
        guests = registry.members
        await gate.wait()
        guests.clear()

    async def main() -> None:
        gate = asyncio.Event()
        registry.members.append(thing := Thing())
        task = asyncio.create_task(visits(gate))
        await asyncio.sleep(0)
        chain = chain_of(thing)
        assert chain is not None
        assert chain.names == ("members", "guests", "registry")
        gate.set()
        await task

    run(main())


def test_what_has_served_a_request_does_not_hide_who_keeps_its_handler(run: Callable[..., None]) -> None:
    class Fails(RequestHandler):
        def get(self) -> None:
            try:
                raise ValueError
            except ValueError as error:
                module_list.append(error)
                kept.append(weakref.ref(self))

    async def main() -> None:
        sockets = bind_sockets(0, "127.0.0.1")
        server = HTTPServer(Application([("/", Fails)]))
        server.add_sockets(sockets)
        reader, writer = await asyncio.open_connection(*sockets[0].getsockname())
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        try:
            text = text_of(kept[0]())
            assert text == f"{HERE}.module_list[0] (traceback) (variable of {Fails.get.__qualname__})"
        finally:
            writer.close()
            server.stop()
            await server.close_all_connections()

    kept: list[weakref.ref[RequestHandler]] = []
    run(main())


class AppKey:
    """As aiohttp has it."""

    def __init__(self, name: str) -> None:
        self._name = f"{HERE}.{name}"


GUESTS = AppKey("guests")


def test_a_key_of_an_application() -> None:
    thing = Thing()
    module_dict[GUESTS] = [thing]
    assert text_of(thing) == f"{HERE}.module_dict[GUESTS][0] (list)"


def test_garbage_and_weak_references() -> None:
    a, b = Thing(), Thing()
    a.other, b.other = b, a  # type: ignore[attr-defined]
    weak = weakref.WeakSet([a])
    module_list.append(weak)
    module_dict["weak"] = weakref.ref(a)
    gc.disable()
    try:
        reference = weakref.ref(a)
        del a, b
        thing = reference()
        assert thing is not None
        assert chain_of(thing) is None
    finally:
        gc.enable()


def test_a_search_goes_up_one_level_at_a_time_and_ends() -> None:
    thing = Thing()
    module_list.append([[[thing]]])
    search = Search(thing)
    assert [search.step() for _ in range(4)] == [False, False, False, False]
    assert search.step()
    assert search.chain is not None
    assert search.chain.text == f"{HERE}.module_list[0][0][0][0] (list)"
    assert chain_of(thing, passes=2) is None
