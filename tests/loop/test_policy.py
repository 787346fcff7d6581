from __future__ import annotations

import asyncio
import builtins
import sys
import threading
from asyncio import events

import pytest
import uvloop

from eyewall.loop import policy

# From 3.14 on, asyncio warns of every policy that is set.
pytestmark = pytest.mark.filterwarnings("ignore:.*slated for removal in Python 3.16:DeprecationWarning")


@pytest.fixture
def no_uvloop(monkeypatch):
    original = builtins.__import__

    def without(name, *args, **kwargs):
        if name == "uvloop":
            raise ImportError("no uvloop here")
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)


@pytest.fixture(autouse=True)
def restored():
    yield
    asyncio.set_event_loop_policy(None)


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    monkeypatch.delenv("EYEWALL_LOOP", raising=False)


def kind_of(loop):
    loop.close()
    return "uvloop" if isinstance(loop, uvloop.Loop) else "asyncio"


def test_uvloop_where_it_is_installed():
    assert policy.loop_kind() == "uvloop"
    assert kind_of(policy.new_event_loop()) == "uvloop"


def test_asyncio_where_uvloop_is_not(no_uvloop):
    assert policy.loop_kind() == "asyncio"
    assert kind_of(policy.new_event_loop()) == "asyncio"


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_environment_decides(monkeypatch, kind):
    monkeypatch.setenv("EYEWALL_LOOP", kind)
    assert kind_of(policy.new_event_loop()) == kind


def test_asyncio_even_if_the_policy_makes_others(monkeypatch):
    monkeypatch.setenv("EYEWALL_LOOP", "asyncio")
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    assert kind_of(policy.new_event_loop()) == "asyncio"


def test_environment_is_checked(monkeypatch):
    monkeypatch.setenv("EYEWALL_LOOP", "epoll")
    with pytest.raises(ValueError, match="EYEWALL_LOOP is 'epoll'; it must be one of uvloop, asyncio"):
        policy.new_event_loop()


def test_missing_uvloop_that_was_asked_for(monkeypatch, no_uvloop):
    monkeypatch.setenv("EYEWALL_LOOP", "uvloop")
    with pytest.raises(ImportError):
        policy.new_event_loop()


def test_run():
    async def main():
        return type(asyncio.get_running_loop()), asyncio.current_task() is not None

    assert policy.run(main()) == (uvloop.Loop, True)


class OwnPolicy(policy.default_policy_type()):
    made = 0

    def new_event_loop(self):
        self.made += 1
        return super().new_event_loop()


def test_own_policy_is_respected():
    own = OwnPolicy()
    asyncio.set_event_loop_policy(own)
    assert kind_of(policy.new_policy_loop()) == "asyncio"
    assert own.made == 1


def test_stock_policy_gives_the_best_kind():
    asyncio.set_event_loop_policy(None)
    assert kind_of(policy.new_policy_loop()) == "uvloop"


def test_current_loop_is_the_running_one(run):
    async def main():
        assert policy.current_loop() is asyncio.get_running_loop()
        assert policy.current_loop(create=False) is asyncio.get_running_loop()

    run(main())


def test_current_loop_is_the_one_that_was_set(new_loop):
    loop = new_loop()
    policy.set_current_loop(loop)
    assert policy.current_loop() is loop
    assert asyncio.get_event_loop() is loop
    policy.set_current_loop(None)
    assert policy.current_loop(create=False) is None
    loop.close()


def in_thread(function):
    result = []
    thread = threading.Thread(target=lambda: result.append(function()))
    thread.start()
    thread.join()
    return result[0]


@pytest.mark.parametrize("call", [lambda f: f(), in_thread], ids=["main", "other"])
def test_current_loop_is_made_in_any_thread(call):
    def first():
        assert policy.current_loop(create=False) is None
        loop = policy.current_loop()
        assert policy.current_loop() is loop
        assert asyncio.get_event_loop() is loop
        asyncio.set_event_loop(None)
        return loop

    assert kind_of(call(first)) == "uvloop"


class ForeignPolicy(policy.default_policy_type()):
    loop = None

    def __init__(self):
        """Without what asyncio's own keeps."""

    def get_event_loop(self):
        if self.loop is None:
            raise RuntimeError("none set")
        return self.loop

    def set_event_loop(self, loop):
        self.loop = loop

    def new_event_loop(self):
        return asyncio.SelectorEventLoop()


def test_current_loop_of_a_policy_of_another_build():
    asyncio.set_event_loop_policy(ForeignPolicy())
    assert policy.current_loop(create=False) is None
    loop = policy.current_loop()
    assert policy.current_loop() is loop
    assert kind_of(loop) == "asyncio"


def test_an_installed_policy_makes_the_best_loops_and_one_of_the_program_stays():
    policy.install_policy()
    installed = asyncio.get_event_loop_policy()
    assert isinstance(installed, policy.default_policy_type())
    assert kind_of(asyncio.new_event_loop()) == "uvloop"
    policy.install_policy()
    assert asyncio.get_event_loop_policy() is installed

    class Chosen(policy.default_policy_type()):
        pass

    chosen = Chosen()
    asyncio.set_event_loop_policy(chosen)
    policy.install_policy()
    assert asyncio.get_event_loop_policy() is chosen


def test_newer_pythons_are_asked_by_names_that_do_not_warn(monkeypatch):
    """As Python 3.14 has them."""
    stock = policy.default_policy_type()
    monkeypatch.setattr(sys, "version_info", (3, 14, 0))
    monkeypatch.setattr(asyncio.unix_events, "_DefaultEventLoopPolicy", stock, raising=False)
    real = getattr(events, "_get_event_loop_policy", None) or events.get_event_loop_policy
    monkeypatch.setattr(events, "_get_event_loop_policy", real, raising=False)
    chosen = []
    monkeypatch.setattr(events, "_set_event_loop_policy", chosen.append, raising=False)
    monkeypatch.setattr(asyncio, "set_event_loop_policy", None)
    assert policy.default_policy_type() is stock
    policy.install_policy()
    assert kind_of(chosen[0].new_event_loop()) == "uvloop"
    monkeypatch.undo()
